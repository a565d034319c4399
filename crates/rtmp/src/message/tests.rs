#![allow(clippy::unwrap_used)]

use amf0::Value;
use bytes::{Bytes, BytesMut};

use super::*;
use crate::chunk::{Message, Reader, Writer};
use crate::{Limits, chunk};

fn message(type_id: u8, payload: &[u8]) -> Message {
    let (csid, message_stream_id, timestamp) = (chunk::CSID_COMMAND, 1, 5000);
    let payload = Bytes::copy_from_slice(payload);
    Message {
        csid,
        message_stream_id,
        timestamp,
        type_id,
        payload,
    }
}

fn parse(type_id: u8, payload: &[u8]) -> Option<Command> {
    Command::parse(&message(type_id, payload), &amf0::Limits::default()).unwrap()
}

#[test]
fn user_control_events_are_written_as_specified_and_read_back() {
    let events: [(UserControl, &[u8]); 7] = [
        (
            UserControl::StreamBegin {
                message_stream_id: 1,
            },
            &[0, 0, 0, 0, 0, 1],
        ),
        (
            UserControl::StreamEof {
                message_stream_id: 1,
            },
            &[0, 1, 0, 0, 0, 1],
        ),
        (
            UserControl::StreamDry {
                message_stream_id: 1,
            },
            &[0, 2, 0, 0, 0, 1],
        ),
        (
            UserControl::SetBufferLength {
                message_stream_id: 1,
                millis: 3000,
            },
            &[0, 3, 0, 0, 0, 1, 0, 0, 0x0b, 0xb8],
        ),
        (
            UserControl::StreamIsRecorded {
                message_stream_id: 1,
            },
            &[0, 4, 0, 0, 0, 1],
        ),
        (
            UserControl::PingRequest { timestamp: 9 },
            &[0, 6, 0, 0, 0, 9],
        ),
        (
            UserControl::PingResponse { timestamp: 9 },
            &[0, 7, 0, 0, 0, 9],
        ),
    ];
    for (event, payload) in events {
        let mut out = BytesMut::new();
        event.write(&Writer::new(), &mut out);
        assert_eq!(
            out[..8],
            [2, 0, 0, 0, 0, 0, u8::try_from(payload.len()).unwrap(), 4]
        );
        assert_eq!(out[12..], *payload);
        assert_eq!(UserControl::parse(payload), Some(event));
        assert_eq!(UserControl::parse(&payload[..payload.len() - 1]), None);
    }
    // Buffer empty (31) and buffer ready (32) of Flash servers.
    assert_eq!(UserControl::parse(&[0, 31, 0, 0, 0, 1]), None);
}

#[test]
fn control_messages_are_written_as_specified() {
    let mut writer = Writer::new();
    let mut out = BytesMut::new();
    control::set_chunk_size(&mut writer, 60_000, &mut out);
    control::window_ack_size(&writer, 5_000_000, &mut out);
    control::set_peer_bandwidth(&writer, 5_000_000, &mut out);
    control::acknowledgement(&writer, u32::MAX, &mut out);
    assert_eq!(writer.chunk_size(), 60_000);
    let mut reader = Reader::new(Limits::default(), 0);
    let mut input = &out[..];
    let mut read = || {
        reader
            .read(&mut input)
            .unwrap()
            .map(|m| (m.csid, m.type_id, m.payload.to_vec()))
    };
    assert_eq!(read(), Some((2, 1, vec![0, 0, 0xea, 0x60])));
    assert_eq!(read(), Some((2, 5, vec![0, 0x4c, 0x4b, 0x40])));
    assert_eq!(read(), Some((2, 6, vec![0, 0x4c, 0x4b, 0x40, 2])));
    assert_eq!(read(), Some((2, 3, vec![255; 4])));
    assert_eq!(read(), None);
}

#[test]
fn command_is_written_and_read_back_from_amf0_and_amf3_messages() {
    let command = Command {
        name: "connect".to_owned(),
        transaction_id: 1.0,
        arguments: vec![Value::object([("app", Value::from("live"))]), Value::Null],
    };
    let mut out = BytesMut::new();
    command.write(&Writer::new(), 0, &mut out);
    let payload = &out[12..];
    assert_eq!(parse(type_id::COMMAND_AMF0, payload), Some(command.clone()));
    assert_eq!(
        parse(type_id::COMMAND_AMF3, &[&[0], payload].concat()),
        Some(command)
    );
}

#[test]
fn arguments_end_at_the_first_that_cannot_be_read() {
    let mut payload = vec![2, 0, 1, b'x', 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 5];
    payload.push(0xee);
    let command = parse(20, &payload).unwrap();
    assert_eq!((command.transaction_id, command.arguments.len()), (2.0, 1));
    assert_eq!(*command.argument(7), Value::Null);
}

#[test]
fn message_without_a_name_is_no_command() {
    for payload in [
        &[][..],
        &[0],
        &[5],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 9, b'x'],
    ] {
        assert_eq!(parse(20, payload), None);
    }
    assert_eq!(parse(17, &[]), None);
}

#[test]
fn nesting_beyond_the_limit_is_an_error() {
    let mut payload = vec![2, 0, 1, b'x', 0, 0, 0, 0, 0, 0, 0, 0, 0];
    payload.extend([10, 0, 0, 0, 1].repeat(40));
    let error = Command::parse(&message(20, &payload), &amf0::Limits::default()).unwrap_err();
    assert_eq!(error.kind(), amf0::ErrorKind::Limit);
}

fn sub_message(type_id: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let [_, l @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let [t3, t @ ..] = timestamp.to_be_bytes();
    let mut bytes = [&[type_id], &l[..], &t, &[t3, 0, 0, 0], payload].concat();
    bytes.extend(u32::try_from(payload.len() + 11).unwrap().to_be_bytes());
    bytes
}

#[test]
fn aggregate_is_split_with_times_shifted_to_its_own() {
    // The aggregate is at 5000; its first sub-message's clock says 0x00fffffe.
    let mut payload = sub_message(9, 0xff_fffe, &[1, 2, 3]);
    payload.extend(sub_message(8, 0xff_ffff, &[]));
    payload.extend(sub_message(22, 0x100_0000, &[9]));
    payload.extend(sub_message(18, 0x100_0010, &[4]));
    payload.truncate(payload.len() - 4);
    let split: Vec<_> = Aggregate::new(message(22, &payload))
        .map(|m| {
            (
                m.type_id,
                m.timestamp,
                m.message_stream_id,
                m.payload.to_vec(),
            )
        })
        .collect();
    assert_eq!(
        split,
        [
            (9, 5000, 1, vec![1, 2, 3]),
            (8, 5001, 1, vec![]),
            (18, 5018, 1, vec![4])
        ]
    );
}

#[test]
fn aggregate_time_may_run_backwards_and_wrap() {
    let mut payload = sub_message(9, 10, &[1]);
    payload.extend(sub_message(9, 0, &[2]));
    let times: Vec<_> = Aggregate::new(message(22, &payload))
        .map(|m| m.timestamp)
        .collect();
    assert_eq!(times, [5000, 4990]);
}

#[test]
fn aggregate_ends_at_a_sub_message_that_is_cut_off() {
    let whole = [sub_message(9, 0, &[1, 2]), sub_message(8, 1, &[3, 4, 5])].concat();
    for end in 0..whole.len() {
        let count = Aggregate::new(message(22, &whole[..end])).count();
        assert_eq!(
            count,
            usize::from(end >= 13) + usize::from(end >= 17 + 14),
            "{end} bytes"
        );
    }
}

#[test]
fn data_names_of_wrong_types_are_skipped() {
    for payload in [&[][..], &[5], &[0, 0], &[2, 0, 13]] {
        assert_eq!(
            Data::parse(
                18,
                Bytes::copy_from_slice(payload),
                &amf0::Limits::default()
            ),
            None
        );
    }
}
