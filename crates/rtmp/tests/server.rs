//! The server session against scripted clients: what clients of the field do, and what is answered.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use amf0::Value;
use bytes::{Bytes, BytesMut};
use rtmp::chunk::{Message, MessageHeader, Reader, Writer};
use rtmp::message::{Command, UserControl, type_id};
use rtmp::{
    Capabilities, Limits, PublishMode, ServerConfig, ServerEvent, ServerSession, StreamEnd,
    UnpublishReason,
};
use support::Server;

/// A client that writes what it is told and reads the answers.
struct Script {
    server: Server,
    reader: Reader,
}

impl Script {
    /// Handshake and connect done.
    fn connected() -> Self {
        let mut script = Self::new(Server::new());
        script.send(
            &command(
                "connect",
                1.0,
                vec![Value::object([("app", "live".into())])],
            ),
            0,
        );
        script.answers();
        script.server.events.clear();
        script
    }

    fn new(mut server: Server) -> Self {
        let mut hello = vec![3];
        hello.resize(1 + 2 * 1536, 0);
        server.input(&hello).unwrap();
        assert_eq!(server.output().len(), 1 + 2 * 1536);
        let mut reader = Reader::new(Limits::default(), 0);
        reader.allow_media(true);
        Self { server, reader }
    }

    fn send(&mut self, command: &Command, message_stream_id: u32) {
        let mut out = BytesMut::new();
        command.write(&Writer::new(), message_stream_id, &mut out);
        self.server.input(&out).unwrap();
    }

    fn send_message(
        &mut self,
        type_id: u8,
        message_stream_id: u32,
        timestamp: u32,
        payload: &[u8],
    ) {
        let mut out = BytesMut::new();
        let header = MessageHeader {
            csid: 9,
            message_stream_id,
            timestamp,
            type_id,
            length: 0,
        };
        Writer::new().write(header, payload, &mut out);
        self.server.input(&out).unwrap();
    }

    /// `createStream`, and its id.
    fn create_stream(&mut self) -> u32 {
        self.send(&command("createStream", 2.0, vec![Value::Null]), 0);
        let answers = self.answers();
        let [Answer::Command(0, result)] = &answers[..] else {
            panic!("{answers:?}")
        };
        assert_eq!(
            (result.name.as_str(), result.transaction_id),
            ("_result", 2.0)
        );
        result.argument(1).as_u32().unwrap()
    }

    fn publish(&mut self, id: u32, name: &str) {
        self.send(
            &command(
                "publish",
                5.0,
                vec![Value::Null, name.into(), "live".into()],
            ),
            id,
        );
    }

    fn answers(&mut self) -> Vec<Answer> {
        let bytes = self.server.output();
        let mut input = &bytes[..];
        let mut answers = Vec::new();
        while let Some(message) = self.reader.read(&mut input).unwrap() {
            answers.push(Answer::of(message));
        }
        answers
    }

    fn events(&mut self) -> Vec<ServerEvent> {
        std::mem::take(&mut self.server.events)
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Command(u32, Command),
    UserControl(UserControl),
    /// Type and value of other control messages.
    Control(u8, u32),
    Other(u8),
}

impl Answer {
    fn of(message: Message) -> Self {
        match message.type_id {
            type_id::COMMAND_AMF0 => {
                let command = Command::parse(&message, &amf0::Limits::default())
                    .unwrap()
                    .unwrap();
                Self::Command(message.message_stream_id, command)
            }
            type_id::USER_CONTROL => {
                Self::UserControl(UserControl::parse(&message.payload).unwrap())
            }
            1..=6 => {
                let value = u32::from_be_bytes(message.payload[..4].try_into().unwrap());
                Self::Control(message.type_id, value)
            }
            type_id => Self::Other(type_id),
        }
    }

    /// Level and code of an `onStatus` or result.
    fn status(&self) -> (&str, &str, &str) {
        let Self::Command(_, command) = self else {
            panic!("{self:?}")
        };
        let text = |name| {
            command
                .argument(1)
                .get(name)
                .and_then(Value::as_str)
                .unwrap()
        };
        (&command.name, text("level"), text("code"))
    }
}

fn command(name: &str, transaction_id: f64, arguments: Vec<Value>) -> Command {
    Command {
        name: name.to_owned(),
        transaction_id,
        arguments,
    }
}

#[test]
fn connect_is_answered_in_the_usual_order_and_says_nothing_of_enhanced_rtmp_unasked() {
    let mut script = Script::new(Server::new());
    let object = Value::object([
        ("app", Value::from("live/instance?token=a")),
        ("tcUrl", Value::from("rtmp://h/live/instance?token=b")),
        ("objectEncoding", Value::Number(3.0)),
    ]);
    script.send(&command("connect", 1.0, vec![object]), 0);
    let ServerEvent::Connect(connect) = &script.events()[0] else {
        panic!()
    };
    assert_eq!(
        (connect.app.as_str(), connect.query.as_deref()),
        ("live/instance", Some("token=a"))
    );
    assert_eq!(
        (connect.enhanced.as_ref(), connect.object_encoding),
        (None, 3.0)
    );
    let answers = script.answers();
    let [
        Answer::Control(5, 5_000_000),
        Answer::Control(6, 5_000_000),
        Answer::Control(1, 60_000),
        result,
    ] = &answers[..]
    else {
        panic!("{answers:?}")
    };
    assert_eq!(
        result.status(),
        ("_result", "status", "NetConnection.Connect.Success")
    );
    let Answer::Command(0, result) = result else {
        panic!()
    };
    assert_eq!(result.transaction_id, 1.0);
    assert_eq!(
        result.argument(1).get("objectEncoding"),
        Some(&Value::Number(3.0))
    );
    for name in [
        "fourCcList",
        "videoFourCcInfoMap",
        "audioFourCcInfoMap",
        "capsEx",
    ] {
        assert_eq!(
            (result.object().get(name), result.argument(1).get(name)),
            (None, None)
        );
    }
    // A query in tcUrl only, where librtmp puts it.
    let mut script = Script::new(Server::new());
    let object = Value::object([
        ("app", Value::from("live")),
        ("tcUrl", Value::from("rtmp://h/live?t=b")),
    ]);
    script.send(&command("connect", 1.0, vec![object]), 0);
    let ServerEvent::Connect(connect) = &script.events()[0] else {
        panic!()
    };
    assert_eq!(connect.query.as_deref(), Some("t=b"));
}

#[test]
fn enhanced_rtmp_is_answered_when_the_client_speaks_it() {
    for announced in [
        ("fourCcList", Value::StrictArray(vec!["hvc1".into()])),
        (
            "fourCcList",
            Value::EcmaArray(vec![("0".to_owned(), "hvc1".into())]),
        ),
        (
            "videoFourCcInfoMap",
            Value::object([("*", Value::Number(7.0))]),
        ),
        ("capsEx", Value::Number(2.0)),
    ] {
        let mut script = Script::new(Server::new());
        script.send(
            &command("connect", 1.0, vec![Value::object([announced])]),
            0,
        );
        let ServerEvent::Connect(connect) = &script.events()[0] else {
            panic!()
        };
        assert!(connect.enhanced.is_some());
        assert_eq!(connect.app, "");
        let answers = script.answers();
        let Some(Answer::Command(0, result)) = answers.last() else {
            panic!()
        };
        for object in [result.object(), result.argument(1)] {
            let list = object.get("fourCcList").and_then(Value::items).unwrap();
            let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            let expected = [
                "hvc1", "av01", "vp09", "avc1", "mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3",
            ];
            assert_eq!(list, expected);
            // Can forward.
            assert_eq!(
                object.get("videoFourCcInfoMap").unwrap().get("av01"),
                Some(&Value::Number(4.0))
            );
            assert_eq!(
                object.get("audioFourCcInfoMap").unwrap().get("Opus"),
                Some(&Value::Number(4.0))
            );
            // Multitrack and ModEx.
            assert_eq!(object.get("capsEx"), Some(&Value::Number(6.0)));
        }
    }
}

#[test]
fn a_client_that_waits_for_nothing_gets_the_same_answers_in_order() {
    let writer = Writer::new();
    let mut bytes = BytesMut::new();
    for (command, id) in [
        (
            command(
                "connect",
                1.0,
                vec![Value::object([("app", "live".into())])],
            ),
            0,
        ),
        (
            command("releaseStream", 2.0, vec![Value::Null, "other".into()]),
            0,
        ),
        (
            command("FCPublish", 3.0, vec![Value::Null, "other".into()]),
            0,
        ),
        (command("createStream", 4.0, vec![Value::Null]), 0),
        (
            command(
                "publish",
                5.0,
                vec![Value::Null, "room".into(), "record".into()],
            ),
            1,
        ),
    ] {
        command.write(&writer, id, &mut bytes);
    }
    // Longer than messages may be before publishing is accepted.
    let body = vec![7; 100_000];
    let header = MessageHeader {
        csid: 7,
        message_stream_id: 1,
        timestamp: 0,
        type_id: 9,
        length: 0,
    };
    writer.write(header, &body, &mut bytes);
    let mut reference = None;
    for piece in [bytes.len(), 1000, 3] {
        let mut script = Script::new(Server::new());
        bytes
            .chunks(piece)
            .for_each(|piece| script.server.input(piece).unwrap());
        let events = script.events();
        let [
            ServerEvent::Connect(_),
            ServerEvent::Publish(publish),
            ServerEvent::Video { payload, .. },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        // The name in releaseStream and FCPublish is never used.
        assert_eq!(
            (publish.key.as_str(), publish.mode),
            ("room", PublishMode::Record)
        );
        assert!(*payload == body);
        let answers = script.answers();
        let names: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                Answer::Command(id, command) => {
                    format!("{id} {} {}", command.name, command.transaction_id)
                }
                Answer::UserControl(event) => format!("{event:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            names,
            [
                "Control(5, 5000000)",
                "Control(6, 5000000)",
                "Control(1, 60000)",
                "0 _result 1",
                "0 _result 2",
                "0 _result 3",
                "0 onFCPublish 0",
                "0 _result 4",
                "StreamBegin { message_stream_id: 1 }",
                "1 onStatus 0",
            ]
        );
        assert_eq!(
            answers[9].status(),
            ("onStatus", "status", "NetStream.Publish.Start")
        );
        assert!(
            reference.is_none_or(|reference| reference == answers),
            "pieces of {piece}"
        );
        reference = Some(answers);
    }
}

#[test]
fn two_message_streams_publish_at_once() {
    let mut script = Script::connected();
    let (a, b) = (script.create_stream(), script.create_stream());
    assert_eq!((a, b), (1, 2));
    script.publish(a, "one");
    script.publish(b, "two?x");
    script.send_message(9, b, 5, &[1]);
    script.send_message(8, a, 6, &[2]);
    script.send_message(9, 3, 7, &[3]); // no such stream
    script.send_message(9, 0, 7, &[3]); // whose?
    script.send(
        &command("deleteStream", 7.0, vec![Value::Null, Value::Number(1.0)]),
        0,
    );
    script.send_message(8, a, 8, &[4]); // too late
    script.send_message(18, 0, 9, &[2, 0, 1, b'x', 5]); // now it is clear whose
    script.send(&command("closeStream", 0.0, vec![Value::Null]), b);
    let events = script.events();
    let [
        ServerEvent::Publish(one),
        ServerEvent::Publish(two),
        media @ ..,
    ] = &events[..]
    else {
        panic!()
    };
    assert_eq!((one.key.as_str(), one.query.as_deref()), ("one", None));
    assert_eq!((two.key.as_str(), two.query.as_deref()), ("two", Some("x")));
    let payload = |byte| Bytes::copy_from_slice(&[byte]);
    assert_eq!(
        media,
        [
            ServerEvent::Video {
                message_stream_id: 2,
                timestamp: 5,
                payload: payload(1)
            },
            ServerEvent::Audio {
                message_stream_id: 1,
                timestamp: 6,
                payload: payload(2)
            },
            ServerEvent::Unpublish {
                message_stream_id: 1,
                reason: UnpublishReason::DeleteStream
            },
            ServerEvent::Data {
                message_stream_id: 2,
                timestamp: 9,
                name: "x".to_owned(),
                payload: payload(5)
            },
            ServerEvent::Unpublish {
                message_stream_id: 2,
                reason: UnpublishReason::CloseStream
            },
        ]
    );
}

#[test]
fn second_publish_on_a_message_stream_replaces_the_first() {
    let mut script = Script::connected();
    let id = script.create_stream();
    script.publish(id, "one");
    script.publish(id, "two");
    script.send(&command("play", 6.0, vec![Value::Null, "three".into()]), id);
    script.send(
        &command("publish", 7.0, vec![Value::Null, Value::Boolean(false)]),
        id,
    );
    let events = script.events();
    let replaced = ServerEvent::Unpublish {
        message_stream_id: 1,
        reason: UnpublishReason::Replaced,
    };
    let [
        ServerEvent::Publish(one),
        first,
        ServerEvent::Publish(two),
        second,
        ServerEvent::Play(three),
        ServerEvent::StopPlay {
            message_stream_id: 1,
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (&one.key[..], &two.key[..], &three.name[..]),
        ("one", "two", "three")
    );
    assert_eq!((first, second), (&replaced, &replaced));
}

#[test]
fn fc_unpublish_ends_only_what_is_published_under_that_name() {
    let mut script = Script::connected();
    let id = script.create_stream();
    script.publish(id, "room?token=1");
    script.events();
    for name in ["other", "room", ""] {
        script.send(
            &command("FCUnpublish", 6.0, vec![Value::Null, name.into()]),
            0,
        );
    }
    assert_eq!(script.events(), []);
    script.send(
        &command("FCUnpublish", 6.0, vec![Value::Null, "room?token=1".into()]),
        0,
    );
    script.send(
        &command("FCUnpublish", 6.0, vec![Value::Null, "room?token=1".into()]),
        0,
    );
    script.send(
        &command("deleteStream", 7.0, vec![Value::Null, Value::Number(1.0)]),
        0,
    );
    let (message_stream_id, reason) = (1, UnpublishReason::FcUnpublish);
    assert_eq!(
        script.events(),
        [ServerEvent::Unpublish {
            message_stream_id,
            reason
        }]
    );
}

#[test]
fn publish_and_play_without_a_message_stream_are_refused() {
    let mut script = Script::connected();
    script.publish(1, "room");
    script.send(&command("play", 6.0, vec![Value::Null, "room".into()]), 5);
    assert_eq!(script.events(), []);
    let answers = script.answers();
    assert_eq!(
        answers[0].status(),
        ("onStatus", "error", "NetStream.Publish.Failed")
    );
    assert_eq!(
        answers[1].status(),
        ("onStatus", "error", "NetStream.Play.Failed")
    );
}

#[test]
fn empty_stream_name_is_reported_as_empty() {
    for name in [Value::Null, Value::Undefined, "".into(), "?token=1".into()] {
        let mut script = Script::connected();
        let id = script.create_stream();
        script.send(&command("publish", 5.0, vec![Value::Null, name]), id);
        let [ServerEvent::Publish(publish)] = &script.events()[..] else {
            panic!()
        };
        assert_eq!(publish.key, "");
    }
}

#[test]
fn commands_before_connect_and_second_connect_change_nothing() {
    let mut script = Script::new(Server::new());
    script.send(&command("createStream", 2.0, vec![Value::Null]), 0);
    script.publish(1, "room");
    assert_eq!((script.events(), script.answers()), (vec![], vec![]));
    let mut script = Script::connected();
    script.send(
        &command(
            "connect",
            1.0,
            vec![Value::object([("app", "other".into())])],
        ),
        0,
    );
    assert_eq!(script.events(), []);
    assert_eq!(
        script.answers()[0].status(),
        ("_error", "error", "NetConnection.Connect.Rejected")
    );
}

#[test]
fn refused_connect_says_why_and_ignores_the_rest() {
    let mut script = Script::new(Server::new());
    let mut out = BytesMut::new();
    command("connect", 1.0, vec![Value::object([("app", "x".into())])]).write(
        &Writer::new(),
        0,
        &mut out,
    );
    command("createStream", 2.0, vec![Value::Null]).write(&Writer::new(), 0, &mut out);
    let session = &mut script.server.session;
    session.handle_input(script.server.now, &out).unwrap();
    assert!(matches!(
        session.poll_event(),
        Some(ServerEvent::Connect(_))
    ));
    assert_eq!(session.poll_event(), None);
    session
        .reject_connect("NetConnection.Connect.InvalidApp", "no application x")
        .unwrap();
    let answers = script.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        answers[0].status(),
        ("_error", "error", "NetConnection.Connect.InvalidApp")
    );
    let error = script.server.session.accept_connect().unwrap_err();
    assert_eq!(error.kind(), rtmp::ErrorKind::Bug);
}

#[test]
fn play_answers_begin_reset_and_start_and_nothing_else() {
    for reset in [true, false] {
        let mut script = Script::connected();
        let id = script.create_stream();
        let arguments = vec![
            Value::Null,
            "room?t=1".into(),
            Value::Number(-1.0),
            Value::Number(-1.0),
            Value::Boolean(reset),
        ];
        script.send(&command("play", 5.0, arguments), id);
        let [ServerEvent::Play(play)] = &script.events()[..] else {
            panic!()
        };
        assert_eq!(
            (play.name.as_str(), play.query.as_deref()),
            ("room", Some("t=1"))
        );
        assert_eq!((play.start, play.reset), (-1.0, reset));
        let answers = script.answers();
        assert_eq!(
            answers[0],
            Answer::UserControl(UserControl::StreamBegin {
                message_stream_id: 1
            })
        );
        let codes: Vec<_> = answers[1..]
            .iter()
            .map(|answer| answer.status().2)
            .collect();
        let expected: &[_] = if reset {
            &["NetStream.Play.Reset", "NetStream.Play.Start"]
        } else {
            &["NetStream.Play.Start"]
        };
        assert_eq!(codes, expected);
    }
}

#[test]
fn end_of_play_is_told_once() {
    let mut script = Script::connected();
    let id = script.create_stream();
    for (end, expected) in [
        (
            StreamEnd::Unpublished,
            vec!["NetStream.Play.UnpublishNotify"],
        ),
        (StreamEnd::Complete, vec!["data", "NetStream.Play.Stop"]),
    ] {
        script.send(&command("play", 5.0, vec![Value::Null, "room".into()]), id);
        script.answers();
        script.server.session.end_play(id, end);
        script.server.session.end_play(id, end);
        let answers = script.answers();
        let eof = Answer::UserControl(UserControl::StreamEof {
            message_stream_id: 1,
        });
        assert_eq!(answers.last(), Some(&eof));
        let told: Vec<_> = answers[..answers.len() - 1]
            .iter()
            .map(|answer| {
                if *answer == Answer::Other(18) {
                    "data"
                } else {
                    answer.status().2
                }
            })
            .collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn player_requests_are_reported_while_playing_only() {
    let mut script = Script::connected();
    let id = script.create_stream();
    let requests = |script: &mut Script| {
        script.send(
            &command(
                "pause",
                6.0,
                vec![Value::Null, true.into(), Value::Number(9.0)],
            ),
            id,
        );
        script.send(
            &command("receiveAudio", 0.0, vec![Value::Null, false.into()]),
            id,
        );
        script.send(
            &command("receiveVideo", 0.0, vec![Value::Null, true.into()]),
            id,
        );
        script.events()
    };
    assert_eq!(requests(&mut script), []);
    script.send(&command("play", 5.0, vec![Value::Null, "room".into()]), id);
    script.events();
    script.answers();
    assert_eq!(
        requests(&mut script),
        [
            ServerEvent::Pause {
                message_stream_id: 1,
                paused: true
            },
            ServerEvent::ReceiveAudio {
                message_stream_id: 1,
                on: false
            },
            ServerEvent::ReceiveVideo {
                message_stream_id: 1,
                on: true
            },
        ]
    );
    assert_eq!(script.answers()[0].status().2, "NetStream.Pause.Notify");
}

#[test]
fn aggregate_and_amf3_wrapped_messages_of_a_publisher_are_unwrapped() {
    let mut script = Script::connected();
    let id = script.create_stream();
    // Publish as AMF 3 command.
    let mut payload = BytesMut::from(&[0][..]);
    amf0::encode_all(
        &[
            "publish".into(),
            Value::Number(5.0),
            Value::Null,
            "room".into(),
        ],
        &mut payload,
    );
    script.send_message(17, id, 0, &payload);
    assert!(
        matches!(&script.events()[..], [ServerEvent::Publish(publish)] if publish.key == "room")
    );
    let mut aggregate = vec![9, 0, 0, 1, 0, 0, 100, 0, 0, 0, 0, 0xaa, 0, 0, 0, 12];
    aggregate.extend([8, 0, 0, 1, 0, 0, 123, 0, 0, 0, 0, 0xbb, 0, 0, 0, 12]);
    // A command inside an aggregate is no command.
    aggregate.extend([20, 0, 0, 1, 0, 0, 123, 0, 0, 0, 0, 0xbb, 0, 0, 0, 12]);
    script.send_message(22, id, 1000, &aggregate);
    let payload = |byte| Bytes::copy_from_slice(&[byte]);
    assert_eq!(
        script.events(),
        [
            ServerEvent::Video {
                message_stream_id: 1,
                timestamp: 1000,
                payload: payload(0xaa)
            },
            ServerEvent::Audio {
                message_stream_id: 1,
                timestamp: 1023,
                payload: payload(0xbb)
            },
        ]
    );
}

#[test]
fn acknowledgements_say_the_total_and_wait_for_the_window() {
    let mut script = Script::connected();
    script.send_message(type_id::WINDOW_ACK_SIZE, 0, 0, &10_000_u32.to_be_bytes());
    let mut acknowledged = Vec::new();
    for _ in 0..300 {
        script.send_message(99, 0, 0, &[0; 100]);
        let received = script.server.session.bytes_received();
        for answer in script.answers() {
            assert_eq!(answer, Answer::Control(3, u32::try_from(received).unwrap()));
            acknowledged.push(received);
        }
    }
    // 33 900 bytes in messages of 112 or 113 and the handshake.
    assert_eq!(acknowledged.len(), 3);
    assert!(
        acknowledged
            .windows(2)
            .all(|pair| (10_000..10_113).contains(&(pair[1] - pair[0])))
    );
}

#[test]
fn pings_are_answered_with_their_own_time() {
    let mut script = Script::connected();
    script.send_message(type_id::USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4]);
    let pong = Answer::UserControl(UserControl::PingResponse {
        timestamp: 0x0102_0304,
    });
    assert_eq!(script.answers(), [pong]);
}

#[test]
fn setup_time_begins_anew_when_nothing_is_published_any_more() {
    let mut script = Script::connected();
    let id = script.create_stream();
    script.publish(id, "room");
    script.server.pass(Duration::from_secs(20)).unwrap();
    script.send(&command("closeStream", 0.0, vec![Value::Null]), id);
    let by = script.server.now + Duration::from_secs(10);
    assert_eq!(script.server.session.poll_timeout(), Some(by));
    // createStream and the like do not push it.
    script.answers();
    script.server.pass(Duration::from_secs(9)).unwrap();
    script.create_stream();
    assert_eq!(script.server.session.poll_timeout(), Some(by));
    let error = script.server.pass(Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "no publish or play within 10 s");
    assert!(script.server.input(&[0]).is_err());
}

#[test]
fn publisher_that_is_told_to_stop_is_not_heard_any_more() {
    let mut script = Script::connected();
    let id = script.create_stream();
    script.publish(id, "room");
    script.answers();
    script.server.session.end_publish(
        id,
        "NetStream.Publish.Failed",
        "replaced by a newer publisher",
    );
    assert_eq!(
        script.answers()[0].status(),
        ("onStatus", "error", "NetStream.Publish.Failed")
    );
    script.events();
    script.send_message(9, id, 0, &[1]);
    assert_eq!(script.events(), []);
}

#[test]
fn configuration_is_what_is_announced() {
    let config = ServerConfig {
        chunk_size: 4096,
        window_ack_bytes: 123_456,
        enhanced: Capabilities {
            four_cc_list: vec!["avc1".to_owned()],
            ..Capabilities::default()
        },
        ..ServerConfig::default()
    };
    let mut script = Script::new(Server::with_config(config));
    assert_eq!(script.server.session.chunk_size(), 128);
    let object = Value::object([("fourCcList", Value::StrictArray(vec!["*".into()]))]);
    script.send(&command("connect", 1.0, vec![object]), 0);
    assert_eq!(script.server.session.chunk_size(), 4096);
    let answers = script.answers();
    assert_eq!(
        answers[..3],
        [
            Answer::Control(5, 123_456),
            Answer::Control(6, 123_456),
            Answer::Control(1, 4096)
        ]
    );
    let Answer::Command(_, result) = &answers[3] else {
        panic!()
    };
    let list = result
        .object()
        .get("fourCcList")
        .and_then(Value::items)
        .unwrap();
    assert_eq!(list, [Value::from("avc1")]);
}

#[test]
fn session_itself_is_small() {
    // With the chunk reader (about 600 bytes) and a handful of chunk streams: under 2 KiB.
    assert!(
        size_of::<ServerSession>() <= 700,
        "{}",
        size_of::<ServerSession>()
    );
    assert!(size_of::<Reader>() <= 700, "{}", size_of::<Reader>());
}
