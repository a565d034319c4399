#![allow(clippy::unwrap_used)]

use super::*;

fn header(csid: u32, timestamp: u32) -> MessageHeader {
    MessageHeader {
        csid,
        message_stream_id: 0x0102_0304,
        timestamp,
        type_id: 9,
        length: 0x0a_0b0c,
    }
}

#[test]
fn first_header_is_type_0_with_a_little_endian_message_stream_id() {
    let bytes = header(7, 0x01_0203).encode_first();
    assert_eq!(*bytes, [0x07, 1, 2, 3, 0x0a, 0x0b, 0x0c, 9, 4, 3, 2, 1]);
    assert_eq!(*header(7, 0x01_0203).encode_continuation(), [0xc7]);
}

#[test]
fn chunk_stream_ids_take_one_two_or_three_bytes() {
    for (csid, first, continuation) in [
        (2, vec![0x02], vec![0xc2]),
        (63, vec![0x3f], vec![0xff]),
        (64, vec![0x00, 0], vec![0xc0, 0]),
        (319, vec![0x00, 255], vec![0xc0, 255]),
        (320, vec![0x01, 0, 1], vec![0xc1, 0, 1]),
        (65_599, vec![0x01, 255, 255], vec![0xc1, 255, 255]),
        // Out of range: brought into it.
        (0, vec![0x02], vec![0xc2]),
        (70_000, vec![0x01, 255, 255], vec![0xc1, 255, 255]),
    ] {
        assert_eq!(
            header(csid, 0).encode_first()[..first.len()],
            first,
            "{csid}"
        );
        assert_eq!(header(csid, 0).encode_first().len(), first.len() + 11);
        assert_eq!(*header(csid, 0).encode_continuation(), continuation);
    }
}

#[test]
fn extended_timestamp_begins_at_ffffff_and_is_repeated() {
    assert_eq!(
        header(7, 0xff_fffe).encode_first()[1..4],
        [0xff, 0xff, 0xfe]
    );
    assert_eq!(header(7, 0xff_fffe).encode_continuation().len(), 1);
    let at = header(7, 0xff_ffff);
    assert_eq!(at.encode_first()[1..4], [0xff; 3]);
    assert_eq!(at.encode_first()[12..], [0, 0xff, 0xff, 0xff]);
    assert_eq!(*at.encode_continuation(), [0xc7, 0, 0xff, 0xff, 0xff]);
    let longest = header(65_599, u32::MAX).encode_first();
    assert_eq!(longest.len(), HeaderBytes::CAPACITY);
    assert_eq!(longest[14..], [0xff; 4]);
}

#[test]
fn slices_cut_the_payload_at_the_chunk_size() {
    let encoded = header(7, 0).encode();
    let payload = [1, 2, 3, 4, 5];
    let parts = |size| slices(&encoded, &payload, size).collect::<Vec<_>>();
    let first: &[u8] = &encoded.first;
    let next: &[u8] = &[0xc7];
    assert_eq!(parts(2), [first, &[1, 2], next, &[3, 4], next, &[5]]);
    assert_eq!(parts(5), [first, &payload]);
    assert_eq!(parts(0), [first, &payload]);
    assert_eq!(slices(&encoded, &[], 2).collect::<Vec<_>>(), [first]);
    for size in 1..7 {
        assert_eq!(encoded.wire_len(5, size), parts(size).concat().len());
    }
    assert_eq!(encoded.wire_len(0, 128), 12);
}
