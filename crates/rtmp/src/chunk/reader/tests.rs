#![allow(clippy::unwrap_used)]

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::{MessageHeader, Writer, slices};
use super::*;
use crate::ErrorKind;

fn reader() -> Reader {
    let mut reader = Reader::new(Limits::default(), 3073);
    reader.allow_media(true);
    reader
}

fn read_all(reader: &mut Reader, mut input: &[u8]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        reader.check_invariants();
        messages.push(message);
    }
    reader.check_invariants();
    assert!(input.is_empty());
    Ok(messages)
}

/// What `bytes` hold, for any split.
fn read(bytes: &[u8]) -> Vec<Message> {
    let whole = read_all(&mut reader(), bytes).unwrap();
    for piece in 1..20 {
        let mut reader = reader();
        let pieces: Vec<_> = bytes
            .chunks(piece)
            .flat_map(|piece| read_all(&mut reader, piece).unwrap())
            .collect();
        assert!(pieces == whole, "pieces of {piece}");
        assert_eq!(reader.offset(), 3073 + bytes.len() as u64);
    }
    whole
}

fn times(bytes: &[u8]) -> Vec<u32> {
    read(bytes)
        .iter()
        .map(|message| message.timestamp)
        .collect()
}

fn error(bytes: &[u8]) -> Error {
    read_all(&mut reader(), bytes).unwrap_err()
}

/// A type 0 header on a chunk stream of the one-byte form.
fn type_0(csid: u8, timestamp: u32, length: u32, type_id: u8) -> Vec<u8> {
    let mut bytes = vec![csid];
    bytes.extend(&timestamp.to_be_bytes()[1..]);
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([type_id, 1, 0, 0, 0]);
    bytes
}

#[test]
fn deltas_add_up_and_type_3_repeats_the_last() {
    let mut bytes = type_0(4, 1000, 1, 8);
    bytes.push(1);
    bytes.extend([0x44, 0, 0, 20, 0, 0, 2, 8, 1, 2]); // type 1: +20, two bytes
    bytes.extend([0x84, 0, 0, 23, 3, 4]); // type 2: +23
    bytes.extend([0xc4, 5, 6]); // type 3: +23
    let messages = read(&bytes);
    let times: Vec<_> = messages.iter().map(|message| message.timestamp).collect();
    assert_eq!(times, [1000, 1020, 1043, 1066]);
    assert!(
        messages
            .iter()
            .all(|message| (message.message_stream_id, message.csid) == (1, 4))
    );
    assert_eq!(&messages[3].payload[..], [5, 6]);
}

#[test]
fn type_3_after_type_0_adds_that_timestamp() {
    // §5.3.1.2.4, and what FFmpeg sends for audio at 23, 46 ms.
    let mut bytes = type_0(4, 23, 1, 8);
    bytes.extend([1, 0xc4, 2]);
    assert_eq!(times(&bytes), [23, 46]);
}

#[test]
fn time_wraps_at_32_bits() {
    let mut bytes = type_0(4, 0xff_ffff, 1, 8);
    bytes.extend([0xff, 0xff, 0xff, 0xf0, 1]);
    bytes.extend([0x84, 0, 0, 0x20, 2]);
    assert_eq!(times(&bytes), [0xffff_fff0, 0x10]);
}

#[test]
fn type_3_chunk_repeats_extended_timestamp() {
    let mut bytes = type_0(4, 0xff_ffff, 130, 8);
    bytes.extend([1, 2, 3, 4]);
    bytes.extend([7; 128]);
    bytes.extend([0xc4, 1, 2, 3, 4]);
    bytes.extend([8, 8]);
    let messages = read(&bytes);
    assert_eq!((messages.len(), messages[0].timestamp), (1, 0x0102_0304));
    assert_eq!(messages[0].payload[127..], [7, 8, 8]);
}

#[test]
fn type_3_chunk_may_omit_extended_timestamp() {
    for (payload, next) in [
        // Payload that shares 0 to 3 bytes with the timestamp; then the next message's header.
        ([9, 9], [0x84, 0, 0, 1]),
        ([1, 9], [0x84, 0, 0, 1]),
        ([1, 2], [0x84, 0, 0, 1]),
    ] {
        let mut bytes = type_0(4, 0xff_ffff, 130, 8);
        bytes.extend([1, 2, 3, 4]);
        bytes.extend([7; 128]);
        bytes.push(0xc4);
        bytes.extend(payload);
        bytes.extend(next);
        bytes.extend([5; 128]);
        bytes.extend([0xc4, 6, 6]);
        let messages = read(&bytes);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].payload[128..], payload);
        assert_eq!(
            (messages[1].timestamp, &messages[1].payload[127..]),
            (0x0102_0305, &[5, 6, 6][..])
        );
    }
}

#[test]
fn one_byte_tail_of_a_message_without_repeated_timestamp_is_found() {
    // The tail is the first byte of the timestamp, so that the reader must look at what follows.
    let mut bytes = type_0(4, 0xff_ffff, 129, 8);
    bytes.extend([1, 2, 3, 4]);
    bytes.extend([7; 128]);
    bytes.extend([0xc4, 1]);
    bytes.extend(type_0(5, 9, 1, 9));
    bytes.push(3);
    let messages = read(&bytes);
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].payload[128], messages[1].timestamp), (1, 9));
}

#[test]
fn messages_on_different_chunk_streams_interleave() {
    let mut bytes = type_0(6, 10, 300, 9);
    bytes.extend([1; 128]);
    bytes.extend(type_0(4, 11, 2, 8));
    bytes.extend([9, 9]);
    bytes.extend([0xc6]);
    bytes.extend([2; 128]);
    bytes.extend(type_0(5, 12, 200, 18));
    bytes.extend([3; 128]);
    bytes.extend([0xc6]);
    bytes.extend([4; 44]);
    bytes.extend([0xc5]);
    bytes.extend([5; 72]);
    let messages = read(&bytes);
    let shape: Vec<_> = messages
        .iter()
        .map(|m| (m.type_id, m.timestamp, m.payload.len()))
        .collect();
    assert_eq!(shape, [(8, 11, 2), (9, 10, 300), (18, 12, 200)]);
    assert_eq!(
        messages[1].payload,
        [[1; 128].as_slice(), &[2; 128], &[4; 44]].concat()
    );
    assert_eq!(
        messages[2].payload,
        [[3; 128].as_slice(), &[5; 72]].concat()
    );
}

#[test]
fn abort_drops_the_unfinished_message_only() {
    let mut bytes = type_0(6, 10, 300, 9);
    bytes.extend([1; 128]);
    bytes.extend(type_0(2, 0, 4, 2));
    bytes.extend([0, 0, 0, 6]);
    bytes.extend(type_0(2, 0, 4, 2)); // again, and for one that never was: harmless
    bytes.extend([0, 0, 0, 6]);
    bytes.extend(type_0(2, 0, 4, 2));
    bytes.extend([0, 0, 9, 9]);
    bytes.extend(type_0(6, 40, 3, 9));
    bytes.extend([7, 8, 9]);
    let messages = read(&bytes);
    assert_eq!(messages.len(), 4);
    assert_eq!(
        (messages[3].timestamp, &messages[3].payload[..]),
        (40, &[7, 8, 9][..])
    );
}

#[test]
fn chunk_size_changes_take_effect_and_are_bounded() {
    let with = |value: [u8; 4], len: u32| {
        let mut bytes = type_0(2, 0, 4, 1);
        bytes.extend(value);
        bytes.extend(type_0(6, 0, len, 9));
        bytes.extend(vec![1; len as usize]);
        bytes
    };
    assert_eq!(read(&with([0, 0, 1, 0x2c], 300)).len(), 2);
    // 2^24, 2^31 - 1 and 2^32 - 1 are taken as the largest.
    for value in [[1, 0, 0, 0], [0x7f, 255, 255, 255], [255; 4]] {
        assert_eq!(
            read_all(&mut reader(), &with(value, 70_000)).unwrap()[1]
                .payload
                .len(),
            70_000
        );
    }
    for value in [[0; 4], [0x80, 0, 0, 0]] {
        let error = error(&with(value, 1));
        assert_eq!(
            error,
            Error::BadControl {
                name: "set chunk size",
                offset: 3073 + 16
            }
        );
    }
}

#[test]
fn chunks_of_one_byte_are_read() {
    let mut bytes = type_0(2, 0, 4, 1);
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(type_0(6, 5, 500, 9));
    for byte in 0..500_u32 {
        bytes.extend([byte.to_be_bytes()[3], 0xc6]);
    }
    bytes.pop();
    let messages = read(&bytes);
    assert_eq!(messages[1].payload[255..258], [255, 0, 1]);
}

#[test]
fn chunk_stream_ids_up_to_65599_are_kept_apart() {
    let mut out = BytesMut::new();
    let ids = [2, 63, 64, 65, 319, 320, 5000, 65_598, 65_599];
    for csid in ids {
        let header = MessageHeader {
            csid,
            message_stream_id: 1,
            timestamp: csid,
            type_id: 8,
            length: 0,
        };
        Writer::new().write(header, &[1], &mut out);
    }
    for csid in ids {
        let header = MessageHeader {
            csid,
            message_stream_id: 1,
            timestamp: 0,
            type_id: 8,
            length: 0,
        };
        out.extend_from_slice(&header.encode_continuation());
        out.extend_from_slice(&[2]);
    }
    let messages = read(&out);
    for (index, csid) in ids.into_iter().enumerate() {
        assert_eq!(
            (messages[index].csid, messages[index].timestamp),
            (csid, csid)
        );
        assert_eq!(
            (messages[index + 9].csid, messages[index + 9].timestamp),
            (csid, 2 * csid)
        );
    }
}

#[test]
fn zero_length_messages_are_messages() {
    let mut bytes = type_0(4, 1, 0, 9);
    bytes.extend([0xc4, 0xc4]);
    assert_eq!(times(&bytes), [1, 2, 3]);
}

#[test]
fn type_1_on_an_unseen_chunk_stream_is_tolerated() {
    // librtmp's first SetBufferLength, and Set Chunk Size of FFmpeg.
    let bytes = [0x42, 0, 0, 5, 0, 0, 2, 9, 1, 2];
    let messages = read(&bytes);
    assert_eq!(
        (messages[0].timestamp, messages[0].message_stream_id),
        (5, 0)
    );
}

#[test]
fn types_2_and_3_without_history_are_errors() {
    for (byte, chunk_type) in [(0x84, 2), (0xc4, 3)] {
        let mut bytes = type_0(5, 0, 1, 9);
        bytes.push(1);
        bytes.extend([byte, 0, 0, 0]);
        let error = error(&bytes);
        assert_eq!(
            error,
            Error::NoHistory {
                csid: 4,
                chunk_type,
                offset: 3073 + 13
            }
        );
        assert_eq!(error.kind(), ErrorKind::PeerViolation);
    }
}

#[test]
fn length_or_type_change_inside_a_message_is_an_error() {
    for (length, type_id) in [(301, 9), (299, 9), (300, 8)] {
        let mut bytes = type_0(6, 0, 300, 9);
        bytes.extend([1; 128]);
        bytes.extend(type_0(6, 0, length, type_id));
        let offset = 3073 + 12 + 128;
        assert_eq!(
            error(&bytes),
            Error::LengthChanged {
                csid: 6,
                old: 300,
                new: length,
                offset
            }
        );
    }
    // The same header again is a chunk of the same message: rml_rtmp writes so when told not to compress.
    let mut bytes = type_0(6, 0, 130, 9);
    bytes.extend([1; 128]);
    bytes.extend(type_0(6, 0, 130, 9));
    bytes.extend([2, 2]);
    assert_eq!(read(&bytes)[0].payload[126..], [1, 1, 2, 2]);
}

#[test]
fn message_length_limits_depend_on_type_and_stage() {
    let too_long = |media, type_id, len: u32| {
        let mut reader = Reader::new(Limits::default(), 0);
        reader.allow_media(media);
        match read_all(&mut reader, &type_0(6, 0, len, type_id)) {
            Ok(_) => None,
            Err(Error::MessageTooLong {
                csid: 6,
                len: l,
                max,
                offset: 0,
            }) if l == len => Some(max),
            other => panic!("{other:?}"),
        }
    };
    for type_id in [1, 8, 9, 18, 20, 22, 99] {
        assert_eq!(too_long(false, type_id, 65_536), None);
        assert_eq!(too_long(false, type_id, 65_537), Some(65_536));
    }
    for (type_id, max) in [
        (9, 8 << 20),
        (22, 8 << 20),
        (8, 256 << 10),
        (18, 256 << 10),
        (20, 256 << 10),
    ] {
        assert_eq!(too_long(true, type_id, max), None);
        assert_eq!(too_long(true, type_id, max + 1), Some(max));
    }
}

#[test]
fn unfinished_messages_are_bounded_in_number() {
    let mut bytes = Vec::new();
    for csid in 0..64_u32 {
        let header = MessageHeader {
            csid: 64 + csid,
            message_stream_id: 1,
            timestamp: 0,
            type_id: 9,
            length: 1 << 20,
        };
        bytes.extend_from_slice(&header.encode_first());
        bytes.extend([0; 128]);
    }
    let mut reader = reader();
    read_all(&mut reader, &bytes).unwrap();
    // 16 MiB declared on each of 64 chunk streams: what is held goes by what came.
    assert!(
        reader.unfinished_bytes <= 64 * 128 + 2 * (64 << 10),
        "{}",
        reader.unfinished_bytes
    );
    let error = read_all(&mut reader, &type_0(3, 0, 200, 20)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "more than 64 unfinished messages at byte {}",
            3073 + bytes.len()
        )
    );
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn unfinished_bytes_are_bounded_before_media() {
    let mut reader = Reader::new(Limits::default(), 0);
    let mut size = type_0(2, 0, 4, 1);
    size.extend([0, 0, 0xff, 0xff]);
    read_all(&mut reader, &size).unwrap();
    let error = (3..60).find_map(|csid| {
        let mut bytes = type_0(csid, 0, 0x1_0000, 20);
        bytes.extend([0; 0xffff]);
        read_all(&mut reader, &bytes).err()
    });
    let error = error.unwrap().to_string();
    assert!(
        error.starts_with("more than 262144 bytes in unfinished messages at byte "),
        "{error}"
    );
}

#[test]
fn remembered_chunk_streams_are_bounded() {
    let mut out = BytesMut::new();
    for csid in 2..400 {
        let header = MessageHeader {
            csid,
            message_stream_id: 1,
            timestamp: 0,
            type_id: 8,
            length: 0,
        };
        Writer::new().write(header, &[], &mut out);
    }
    let error = error(&out).to_string();
    assert!(
        error.starts_with("more than 256 chunk streams at byte "),
        "{error}"
    );
}

#[test]
fn large_message_fills_one_exact_allocation() {
    let body: Vec<u8> = (0..200_000_u32).map(|i| i.to_be_bytes()[3]).collect();
    let header = MessageHeader::video(1, 0, 200_000).encode();
    let bytes: Vec<u8> = slices(&header, &body, 128).flatten().copied().collect();
    let messages = read_all(&mut reader(), &bytes).unwrap();
    assert!(messages[0].payload == body);
    // Exact, so that `Bytes` needs no second allocation and wastes nothing while it lives in a ring.
    let vec: Vec<u8> = messages.into_iter().next().unwrap().payload.into();
    assert_eq!(vec.capacity(), 200_000);
}

/// Messages of each chunk stream: times and payloads.
type ByStream = Vec<(u32, Vec<(u32, Vec<u8>)>)>;

#[derive(Debug, Clone)]
struct Piece {
    csid: u32,
    timestamp: u32,
    len: usize,
}

fn piece() -> impl Strategy<Value = Piece> {
    let csid = prop::sample::select(vec![2_u32, 4, 63, 64, 400, 65_599]);
    let timestamp = prop_oneof![0..50_u32, 0xff_fffd..0x100_0002_u32, any::<u32>()];
    (csid, timestamp, 0..400_usize).prop_map(|(csid, timestamp, len)| Piece {
        csid,
        timestamp,
        len,
    })
}

proptest! {
    /// Messages are cut into chunks, and the chunks of different chunk streams shuffled together.
    #[test]
    fn any_interleaving_and_any_split_give_the_same_messages(
        pieces in prop::collection::vec(piece(), 1..24),
        order in prop::collection::vec(any::<prop::sample::Index>(), 200),
        split in 1..300_usize,
    ) {
        let mut queues: Vec<(u32, Vec<Vec<u8>>)> = Vec::new();
        let mut expected: ByStream = Vec::new();
        for (index, Piece { csid, timestamp, len }) in pieces.into_iter().enumerate() {
            let body: Vec<u8> = (0..len).map(|i| u8::try_from((i + index) % 256).unwrap()).collect();
            let length = u32::try_from(len).unwrap();
            let header = MessageHeader { csid, message_stream_id: 1, timestamp, type_id: 9, length }.encode();
            let parts: Vec<&[u8]> = slices(&header, &body, 128).collect();
            let chunks = parts.chunks(2).map(|chunk| chunk.concat());
            match queues.iter_mut().find(|(id, _)| *id == csid) {
                Some((_, queue)) => queue.extend(chunks),
                None => queues.push((csid, chunks.collect())),
            }
            match expected.iter_mut().find(|(id, _)| *id == csid) {
                Some((_, list)) => list.push((timestamp, body)),
                None => expected.push((csid, vec![(timestamp, body)])),
            }
        }
        let mut bytes = Vec::new();
        let mut order = order.into_iter().cycle();
        while !queues.is_empty() {
            let pick = order.next().unwrap().index(queues.len());
            bytes.extend(queues[pick].1.remove(0));
            if queues[pick].1.is_empty() {
                queues.swap_remove(pick);
            }
        }
        let mut reader = reader();
        let mut got: ByStream = expected.iter().map(|(id, _)| (*id, Vec::new())).collect();
        for piece in bytes.chunks(split) {
            for message in read_all(&mut reader, piece).unwrap() {
                let (_, list) = got.iter_mut().find(|(id, _)| *id == message.csid).unwrap();
                list.push((message.timestamp, message.payload.to_vec()));
            }
        }
        prop_assert_eq!(got, expected);
        prop_assert_eq!(reader.unfinished, 0);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_any_split_ends_the_same(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(0x04), Just(0xc4), any::<u8>()], 0..400),
        split in 1..30_usize,
    ) {
        let outcome = |split: usize| {
            let mut reader = reader();
            let mut messages = Vec::new();
            for mut piece in bytes.chunks(split) {
                loop {
                    let result = reader.read(&mut piece);
                    match result {
                        Ok(Some(message)) => messages.push(message),
                        Ok(None) => break,
                        Err(error) => return (messages, Some(error)),
                    }
                    reader.check_invariants();
                }
            }
            (messages, None)
        };
        prop_assert_eq!(outcome(split), outcome(1000));
    }
}
