//! Our client and our server against each other, in memory, with virtual time.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use amf0::Value;
use bytes::{Bytes, BytesMut};
use rtmp::chunk::{MessageHeader, slices};
use rtmp::{
    ClientConfig, ClientEvent, ClientSession, ErrorKind, Limits, PublishMode, ServerEvent,
    StreamEnd, UnpublishReason,
};
use support::Pair;

fn config() -> ClientConfig {
    ClientConfig::new(
        "live?token=app",
        "rtmp://relay.example/live",
        "room?token=secret",
    )
}

fn publisher(piece: usize) -> Pair {
    let client = ClientSession::publish(config(), Limits::default(), support::start());
    let mut pair = Pair::new(client, piece);
    pair.settle();
    pair
}

fn player(piece: usize) -> Pair {
    let client = ClientSession::play(config(), Limits::default(), support::start());
    let mut pair = Pair::new(client, piece);
    pair.settle();
    pair
}

fn payload(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| u8::try_from(i * 7 % 251).unwrap())
        .collect()
}

/// Pieces of every awkward size: single bytes, header fragments, more than a handshake.
const PIECES: [usize; 6] = [1, 3, 17, 129, 1537, 1 << 20];

#[test]
fn publish_reaches_ready_for_any_split() {
    for piece in PIECES {
        let pair = publisher(piece);
        assert!(
            pair.client_events.contains(&ClientEvent::Ready),
            "pieces of {piece}"
        );
        let [ServerEvent::Connect(connect), ServerEvent::Publish(publish)] =
            &pair.server.events[..]
        else {
            panic!("unexpected events {:?}", pair.server.events)
        };
        assert_eq!(connect.app, "live");
        assert_eq!(connect.query.as_deref(), Some("token=app"));
        assert_eq!(connect.tc_url, "rtmp://relay.example/live");
        assert_eq!(connect.enhanced, Some(rtmp::Capabilities::default()));
        assert_eq!(
            (publish.key.as_str(), publish.query.as_deref()),
            ("room", Some("token=secret"))
        );
        assert_eq!(
            (publish.message_stream_id, publish.mode),
            (1, PublishMode::Live)
        );
        assert_eq!(pair.client.message_stream_id(), Some(1));
        assert_eq!(
            (pair.client.chunk_size(), pair.server.session.chunk_size()),
            (60_000, 60_000)
        );
        assert_eq!(
            pair.client.server_capabilities(),
            Some(&rtmp::Capabilities::default())
        );
    }
}

#[test]
fn published_media_arrives_byte_for_byte_for_any_split() {
    for piece in PIECES {
        let mut pair = publisher(piece);
        pair.server.events.clear();
        // Around the 24-bit boundary, where the extended timestamp begins, and the wrap.
        let video: Vec<_> = [0_u32, 0xff_fffe, 0xff_ffff, 0x100_0000, u32::MAX, 3]
            .into_iter()
            .zip([1_usize, 59_999, 60_000, 60_001, 180_000, 2])
            .map(|(timestamp, len)| (timestamp, payload(len)))
            .collect();
        for (timestamp, body) in &video {
            let length = u32::try_from(body.len()).unwrap();
            let header = MessageHeader::video(1, *timestamp, length).encode();
            let wire: Vec<u8> = slices(&header, body, pair.client.chunk_size())
                .flatten()
                .copied()
                .collect();
            assert_eq!(wire.len(), header.wire_len(body.len(), 60_000));
            for part in wire.chunks(pair.piece) {
                pair.server.input(part).unwrap();
            }
            pair.client
                .send_message(MessageHeader::audio(1, *timestamp, 0), &[0xaf, 1, 2]);
            pair.settle();
        }
        let mut expected = Vec::new();
        for (timestamp, body) in video {
            let (message_stream_id, payload) = (1, Bytes::from(body));
            expected.push(ServerEvent::Video {
                message_stream_id,
                timestamp,
                payload,
            });
            let payload = Bytes::from_static(&[0xaf, 1, 2]);
            expected.push(ServerEvent::Audio {
                message_stream_id,
                timestamp,
                payload,
            });
        }
        assert!(pair.server.events == expected, "pieces of {piece}");
    }
}

#[test]
fn set_data_frame_is_unwrapped_and_values_stay_as_they_are() {
    let mut pair = publisher(100);
    pair.server.events.clear();
    let mut values = BytesMut::new();
    amf0::encode(
        &Value::EcmaArray(vec![("width".into(), Value::Number(1280.0))]),
        &mut values,
    );
    let values = values.freeze();
    let message = |names: &[&str]| {
        let mut out = BytesMut::new();
        names
            .iter()
            .for_each(|name| amf0::encode(&Value::from(*name), &mut out));
        out.extend_from_slice(&values);
        out
    };
    let header = MessageHeader::data(1, 40, 0);
    pair.client
        .send_message(header, &message(&["@setDataFrame", "onMetaData"]));
    pair.client.send_message(header, &message(&["onCuePoint"]));
    pair.client
        .send_message(header, &message(&["@clearDataFrame", "onMetaData"]));
    // Alone, it names nothing (this killed another library), and is skipped.
    pair.client.send_message(
        header,
        &[
            2, 0, 13, b'@', b's', b'e', b't', b'D', b'a', b't', b'a', b'F', b'r', b'a', b'm', b'e',
        ],
    );
    let amf3 = MessageHeader {
        type_id: rtmp::message::type_id::DATA_AMF3,
        ..header
    };
    let mut wrapped = BytesMut::from(&[0][..]);
    wrapped.extend_from_slice(&message(&["@setDataFrame", "onMetaData"]));
    pair.client.send_message(amf3, &wrapped);
    pair.settle();
    let (message_stream_id, timestamp) = (1, 40);
    let data = |name: &str| {
        let (name, payload) = (name.to_owned(), values.clone());
        ServerEvent::Data {
            message_stream_id,
            timestamp,
            name,
            payload,
        }
    };
    let clear = ServerEvent::ClearDataFrame {
        message_stream_id,
        timestamp,
        name: "onMetaData".to_owned(),
    };
    assert_eq!(
        pair.server.events,
        [
            data("onMetaData"),
            data("onCuePoint"),
            clear,
            data("onMetaData")
        ]
    );
}

#[test]
fn unpublish_says_goodbye_once() {
    let mut pair = publisher(1000);
    pair.server.events.clear();
    pair.client.unpublish();
    pair.settle();
    let (message_stream_id, reason) = (1, UnpublishReason::FcUnpublish);
    assert_eq!(
        pair.server.events,
        [ServerEvent::Unpublish {
            message_stream_id,
            reason
        }]
    );
}

#[test]
fn player_gets_media_of_any_split_and_the_end() {
    for piece in PIECES {
        let mut pair = player(piece);
        let ServerEvent::Play(request) = &pair.server.events[1] else {
            panic!("no play")
        };
        assert_eq!(
            (request.name.as_str(), request.query.as_deref()),
            ("room", Some("token=secret"))
        );
        assert_eq!(
            (request.start, request.reset, request.message_stream_id),
            (-2.0, false, 1)
        );
        assert!(pair.client_events.contains(&ClientEvent::Ready));
        pair.client_events.clear();
        let body = payload(130_000);
        let session = &mut pair.server.session;
        let mut data = BytesMut::new();
        amf0::encode(&Value::from("onMetaData"), &mut data);
        amf0::encode(&Value::Null, &mut data);
        session.send_message(MessageHeader::data(1, 0, 0), &data);
        session.send_message(MessageHeader::video(1, 0xff_ffff, 0), &body);
        session.send_message(MessageHeader::audio(1, 0x100_0017, 0), &body[..10]);
        session.end_play(1, StreamEnd::Unpublished);
        pair.settle();
        let expected = [
            ClientEvent::Data {
                timestamp: 0,
                name: "onMetaData".to_owned(),
                payload: Bytes::from_static(&[5]),
            },
            ClientEvent::Video {
                timestamp: 0xff_ffff,
                payload: Bytes::from(body.clone()),
            },
            ClientEvent::Audio {
                timestamp: 0x100_0017,
                payload: Bytes::copy_from_slice(&body[..10]),
            },
        ];
        assert!(pair.client_events[..3] == expected, "pieces of {piece}");
        assert_eq!(pair.client_events.last(), Some(&ClientEvent::Closed));
    }
}

#[test]
fn rejections_reach_the_client_with_code_and_description() {
    let client = ClientSession::publish(config(), Limits::default(), support::start());
    let mut pair = Pair::new(client, 4096);
    loop {
        let bytes: Vec<u8> = std::iter::from_fn(|| pair.client.poll_transmit())
            .flatten()
            .collect();
        pair.server
            .session
            .handle_input(pair.server.now, &bytes)
            .unwrap();
        while let Some(event) = pair.server.session.poll_event() {
            match event {
                ServerEvent::Connect(_) => pair.server.session.accept_connect().unwrap(),
                ServerEvent::Publish(request) => pair
                    .server
                    .session
                    .reject_publish(
                        request.message_stream_id,
                        "NetStream.Publish.BadName",
                        "busy since 12 s",
                    )
                    .unwrap(),
                event => panic!("unexpected {event:?}"),
            }
        }
        let answer = pair.server.output();
        if answer.is_empty() {
            break;
        }
        pair.client.handle_input(pair.server.now, &answer).unwrap();
    }
    let events: Vec<_> = std::iter::from_fn(|| pair.client.poll_event()).collect();
    let (code, description) = (
        "NetStream.Publish.BadName".to_owned(),
        "busy since 12 s".to_owned(),
    );
    assert_eq!(
        events.last(),
        Some(&ClientEvent::Rejected { code, description })
    );
}

#[test]
fn handshake_to_publish_has_one_deadline_and_an_idle_publisher_times_out() {
    let mut pair = publisher(4096);
    assert_eq!(
        pair.server.session.poll_timeout(),
        Some(pair.server.now + Duration::from_secs(30))
    );
    pair.server.pass(Duration::from_secs(29)).unwrap();
    pair.client
        .send_message(MessageHeader::audio(1, 1, 0), &[0xaf, 1]);
    pair.settle();
    pair.server.pass(Duration::from_secs(29)).unwrap();
    let error = pair.server.pass(Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PeerClosed);

    let mut silent = support::Server::new();
    silent.pass(Duration::from_secs(9)).unwrap();
    silent.input(&[3]).unwrap();
    let error = silent.pass(Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "no publish or play within 10 s");
}

#[test]
fn quiet_player_is_pinged_and_dropped_without_an_answer() {
    let mut pair = player(4096);
    pair.server.pass(Duration::from_secs(30)).unwrap();
    // Answered: the next ping comes 30 s later.
    pair.settle();
    assert_eq!(
        pair.server.session.poll_timeout(),
        Some(pair.server.now + Duration::from_secs(30))
    );
    pair.server.pass(Duration::from_secs(30)).unwrap();
    assert!(!pair.server.output().is_empty(), "a second ping");
    pair.server.pass(Duration::from_secs(59)).unwrap();
    let error = pair.server.pass(Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "no answer to a ping within 60 s");
}

#[test]
fn client_gives_up_on_a_silent_server() {
    let now = support::start();
    let mut client = ClientSession::publish(config(), Limits::default(), now);
    assert_eq!(client.poll_timeout(), Some(now + Duration::from_secs(10)));
    client.handle_timeout(now + Duration::from_secs(9)).unwrap();
    let error = client
        .handle_timeout(now + Duration::from_secs(10))
        .unwrap_err();
    assert_eq!(error.to_string(), "no handshake within 10 s");
}
