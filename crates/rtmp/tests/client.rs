//! The client session against scripted servers: what servers of the field answer, and hostile ones.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use amf0::Value;
use bytes::{Bytes, BytesMut};
use rtmp::chunk::{MessageHeader, Reader, Writer};
use rtmp::message::{Command, UserControl, type_id};
use rtmp::{ClientConfig, ClientEvent, ClientSession, ErrorKind, Limits};

/// A server that writes what it is told and reads the requests.
struct Script {
    client: ClientSession,
    reader: Reader,
    now: Instant,
}

impl Script {
    fn new(publish: bool, config: ClientConfig) -> Self {
        let now = support::start();
        let mut client = match publish {
            true => ClientSession::publish(config, Limits::default(), now),
            false => ClientSession::play(config, Limits::default(), now),
        };
        let hello = client.poll_transmit().unwrap();
        assert_eq!(
            (hello.len(), hello[0], client.poll_transmit()),
            (1537, 3, None)
        );
        let mut answer = vec![3];
        answer.resize(1537, 0);
        answer.extend(&hello[1..]);
        client.handle_input(now, &answer).unwrap();
        let reader = Reader::new(Limits::default(), 0);
        let mut script = Self {
            client,
            reader,
            now,
        };
        // C2 goes out with connect, in one write.
        let bytes = script.client.poll_transmit().unwrap();
        let mut input = &bytes[1536..];
        let connect = script.reader.read(&mut input).unwrap().unwrap();
        let connect = Command::parse(&connect, &amf0::Limits::default())
            .unwrap()
            .unwrap();
        assert_eq!(
            (connect.name.as_str(), connect.transaction_id),
            ("connect", 1.0)
        );
        assert_eq!(connect.object().get("app"), Some(&Value::from("live")));
        assert_eq!(
            connect.object().get("tcUrl"),
            Some(&Value::from("rtmp://host/live"))
        );
        assert_eq!(
            connect.object().get("extra"),
            Some(&Value::from("property"))
        );
        let announced = connect.object().get("fourCcList").is_some();
        // The players of this file announce nothing.
        assert_eq!(announced, publish);
        script
    }

    fn publisher() -> Self {
        Self::new(true, config())
    }

    fn player() -> Self {
        Self::new(
            false,
            ClientConfig {
                enhanced: None,
                ..config()
            },
        )
    }

    fn send(&mut self, id: u32, name: &str, transaction_id: f64, arguments: Vec<Value>) {
        let mut out = BytesMut::new();
        Command {
            name: name.to_owned(),
            transaction_id,
            arguments,
        }
        .write(&Writer::new(), id, &mut out);
        self.client.handle_input(self.now, &out).unwrap();
    }

    fn send_message(&mut self, type_id: u8, message_stream_id: u32, payload: &[u8]) {
        let mut out = BytesMut::new();
        let header = MessageHeader {
            csid: 6,
            message_stream_id,
            timestamp: 7,
            type_id,
            length: 0,
        };
        Writer::new().write(header, payload, &mut out);
        self.client.handle_input(self.now, &out).unwrap();
    }

    fn status(&mut self, level: &str, code: &str) {
        self.send(
            1,
            "onStatus",
            0.0,
            vec![Value::Null, information(level, code)],
        );
    }

    /// Through connect and createStream, up to the request to publish or play.
    fn up_to_start(mut self) -> Self {
        let success = information("status", "NetConnection.Connect.Success");
        self.send(0, "_result", 1.0, vec![Value::Null, success]);
        self.requests();
        self.send(0, "_result", 4.0, vec![Value::Null, Value::Number(1.0)]);
        self
    }

    /// Names of the commands, message streams and last arguments.
    fn requests(&mut self) -> Vec<(u32, String, Value)> {
        let bytes: Vec<u8> = std::iter::from_fn(|| self.client.poll_transmit())
            .flatten()
            .collect();
        let mut input = &bytes[..];
        let mut requests = Vec::new();
        while let Some(message) = self.reader.read(&mut input).unwrap() {
            if message.type_id == type_id::COMMAND_AMF0 {
                let command = Command::parse(&message, &amf0::Limits::default())
                    .unwrap()
                    .unwrap();
                requests.push((
                    message.message_stream_id,
                    command.name.clone(),
                    command.argument(1).clone(),
                ));
            }
        }
        requests
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }
}

fn config() -> ClientConfig {
    ClientConfig {
        connect_properties: vec![("extra".to_owned(), "property".into())],
        ..ClientConfig::new("live", "rtmp://host/live", "key?t=1")
    }
}

fn information(level: &str, code: &str) -> Value {
    Value::object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", Value::from("why")),
    ])
}

fn rejected(code: &str, description: &str) -> ClientEvent {
    ClientEvent::Rejected {
        code: code.to_owned(),
        description: description.to_owned(),
    }
}

fn status(level: &str, code: &str) -> ClientEvent {
    let (level, code, description) = (level.to_owned(), code.to_owned(), "why".to_owned());
    ClientEvent::Status {
        level,
        code,
        description,
    }
}

#[test]
fn publish_asks_for_everything_that_some_server_wants() {
    let mut script = Script::publisher();
    assert_eq!(script.client.chunk_size(), 128);
    let success = information("status", "NetConnection.Connect.Success");
    script.send(0, "_result", 1.0, vec![Value::Null, success]);
    assert_eq!(script.client.chunk_size(), 60_000);
    let key = Value::from("key?t=1");
    assert_eq!(
        script.requests(),
        [
            (0, "releaseStream".to_owned(), key.clone()),
            (0, "FCPublish".to_owned(), key.clone()),
            (0, "createStream".to_owned(), Value::Null),
        ]
    );
    // Servers that know neither of the first two, and one that is chatty.
    script.send(
        0,
        "_error",
        2.0,
        vec![
            Value::Null,
            information("error", "NetConnection.Call.Failed"),
        ],
    );
    script.send(0, "_error", 3.0, vec![]);
    script.send(0, "onBWDone", 0.0, vec![Value::Null, Value::Number(8192.0)]);
    script.send(0, "onFCPublish", 0.0, vec![Value::Null]);
    script.send(0, "_result", 3.0, vec![]);
    script.send(0, "_result", 4.0, vec![Value::Null, Value::Number(5.0)]);
    assert_eq!(script.client.message_stream_id(), Some(5));
    assert_eq!(script.requests(), [(5, "publish".to_owned(), key.clone())]);
    assert_eq!(script.events(), []);
    script.status("status", "NetStream.Publish.Start");
    assert_eq!(
        script.events(),
        [
            status("status", "NetStream.Publish.Start"),
            ClientEvent::Ready
        ]
    );
    assert_eq!(script.client.poll_timeout(), None);
    script.client.unpublish();
    assert_eq!(
        script.requests(),
        [
            (0, "FCUnpublish".to_owned(), key),
            (0, "deleteStream".to_owned(), Value::Number(5.0))
        ]
    );
}

#[test]
fn refusals_at_each_step_are_reported_with_code_and_description() {
    let mut script = Script::publisher();
    script.send(
        0,
        "_error",
        1.0,
        vec![
            Value::Null,
            information("error", "NetConnection.Connect.Rejected"),
        ],
    );
    assert_eq!(
        script.events(),
        [rejected("NetConnection.Connect.Rejected", "why")]
    );
    // What comes after is not looked at.
    script.send(0, "_result", 1.0, vec![]);
    assert_eq!(
        (
            script.events(),
            script.requests(),
            script.client.poll_timeout()
        ),
        (vec![], vec![], None)
    );

    let mut script = Script::publisher();
    script.send(0, "_error", 1.0, vec![]);
    assert_eq!(
        script.events(),
        [rejected("", "The server gave no reason.")]
    );

    let mut script = Script::publisher();
    script.send(0, "_result", 1.0, vec![]);
    script.send(0, "_result", 4.0, vec![Value::Null, Value::Null]);
    assert_eq!(
        script.events(),
        [rejected("", "The server created no message stream.")]
    );

    let mut script = Script::publisher().up_to_start();
    script.status("error", "NetStream.Publish.BadName");
    let bad_name = "NetStream.Publish.BadName";
    assert_eq!(
        script.events(),
        [status("error", bad_name), rejected(bad_name, "why")]
    );

    let mut script = Script::player().up_to_start();
    script.status("error", "NetStream.Play.StreamNotFound");
    assert_eq!(
        script.events()[1],
        rejected("NetStream.Play.StreamNotFound", "why")
    );
}

#[test]
fn play_ends_by_status_or_stream_eof() {
    for end in [
        "NetStream.Play.UnpublishNotify",
        "NetStream.Play.Stop",
        "NetConnection.Connect.Closed",
    ] {
        let mut script = Script::player().up_to_start();
        script.status("status", "NetStream.Play.Reset");
        script.status("status", "NetStream.Play.Start");
        script.status("status", end);
        script.status("status", end);
        let events = script.events();
        assert_eq!(
            events[1..],
            [
                status("status", "NetStream.Play.Start"),
                ClientEvent::Ready,
                status("status", end),
                ClientEvent::Closed
            ]
        );
    }
    let mut script = Script::player().up_to_start();
    script.status("status", "NetStream.Play.Start");
    script.events();
    let mut out = BytesMut::new();
    UserControl::StreamEof {
        message_stream_id: 2,
    }
    .write(&Writer::new(), &mut out);
    UserControl::StreamEof {
        message_stream_id: 1,
    }
    .write(&Writer::new(), &mut out);
    script.client.handle_input(script.now, &out).unwrap();
    assert_eq!(script.events(), [ClientEvent::Closed]);
}

#[test]
fn media_before_the_start_status_means_ready() {
    let mut script = Script::player().up_to_start();
    script.send_message(18, 1, b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01");
    assert_eq!(script.events(), []);
    script.send_message(9, 1, &[0x17, 0]);
    script.send_message(8, 2, &[0xaf, 0]); // another message stream
    script.send_message(8, 1, &[]);
    script.status("status", "NetStream.Play.Start");
    let payload = Bytes::from_static(&[0x17, 0]);
    assert_eq!(
        script.events(),
        [
            ClientEvent::Ready,
            ClientEvent::Video {
                timestamp: 7,
                payload
            },
            status("status", "NetStream.Play.Start")
        ]
    );
}

#[test]
fn media_before_play_was_asked_for_is_dropped() {
    // Found by fuzzing: on message stream 0, which belongs to nobody yet.
    let mut script = Script::player();
    script.send_message(9, 0, &[0x17, 0]);
    assert_eq!(script.events(), []);
}

#[test]
fn media_sent_to_a_publisher_is_dropped() {
    let mut script = Script::publisher().up_to_start();
    script.status("status", "NetStream.Publish.Start");
    script.events();
    script.send_message(9, 1, &[0x17, 0]);
    assert_eq!(script.events(), []);
}

#[test]
fn capabilities_of_the_server_are_read_from_either_object() {
    for place in 0..2 {
        let mut script = Script::publisher();
        let mut arguments = vec![Value::Null, Value::Null];
        arguments[place] = Value::object([
            ("capsEx", Value::Number(2.0)),
            (
                "videoFourCcInfoMap",
                Value::object([("hvc1", Value::Number(1.0))]),
            ),
        ]);
        script.send(0, "_result", 1.0, arguments);
        let capabilities = script.client.server_capabilities().unwrap();
        assert_eq!(
            (capabilities.caps_ex, capabilities.video[0].four_cc.as_str()),
            (2, "hvc1")
        );
    }
}

#[test]
fn hostile_server_meets_the_same_limits() {
    // A message of 64 KiB and one byte before playing has begun.
    let mut script = Script::player();
    let header = MessageHeader {
        csid: 6,
        message_stream_id: 1,
        timestamp: 0,
        type_id: 9,
        length: 65_537,
    };
    let error = script
        .client
        .handle_input(script.now, &header.encode_first())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(script.client.handle_input(script.now, &[0]).is_err());
    // Pings without end, to a client whose answers nobody takes.
    let mut script = Script::publisher();
    let mut pings = BytesMut::new();
    (0..1000).for_each(|timestamp| {
        UserControl::PingRequest { timestamp }.write(&Writer::new(), &mut pings)
    });
    let error = (0..20).find_map(|_| script.client.handle_input(script.now, &pings).err());
    assert!(
        error
            .unwrap()
            .to_string()
            .starts_with("more than 262144 bytes of answers not taken")
    );
    // Not RTMP at all.
    let mut client = ClientSession::publish(config(), Limits::default(), script.now);
    let error = client
        .handle_input(script.now, b"HTTP/1.1 400 Bad Request")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "not rtmp: looks like http (first byte 0x48)"
    );
}

#[test]
fn what_the_shell_queues_is_not_taken_for_a_flood_of_answers() {
    let mut script = Script::publisher().up_to_start();
    script.status("status", "NetStream.Publish.Start");
    script
        .client
        .send_message(MessageHeader::video(1, 0, 0), &vec![1; 1 << 20]);
    script.send_message(type_id::USER_CONTROL, 0, &[0, 6, 0, 0, 0, 1]);
    assert!(script.client.poll_transmit().unwrap().len() > 1 << 20);
}

#[test]
fn silent_server_times_out_when_asked_for() {
    let mut script = Script::new(
        true,
        ClientConfig {
            idle: Some(Duration::from_secs(5)),
            ..config()
        },
    )
    .up_to_start();
    script.status("status", "NetStream.Publish.Start");
    let at = script.now + Duration::from_secs(5);
    assert_eq!(script.client.poll_timeout(), Some(at));
    let error = script.client.handle_timeout(at).unwrap_err();
    assert_eq!(error.to_string(), "no data from the server within 5 s");
}
