//! Damaged and hostile input: an error or events, never a panic, never much memory.
#![allow(clippy::unwrap_used)]

mod support;

use rtmp::chunk::{Message, Reader, slices};
use rtmp::message::{Aggregate, Command, Data, UserControl, type_id};
use rtmp::{ClientConfig, ClientSession, Limits};
use support::{Server, files, testmedia};

fn read_messages(bytes: &[u8]) -> Result<Vec<Message>, rtmp::Error> {
    let mut reader = Reader::new(Limits::default(), 0);
    reader.allow_media(true);
    let mut input = bytes;
    let mut messages = Vec::new();
    loop {
        let message = reader.read(&mut input)?;
        reader.check_invariants();
        match message {
            Some(message) => messages.push(message),
            None => return Ok(messages),
        }
    }
}

/// Every reading that any layer has for a message.
fn examine(message: Message) {
    let limits = amf0::Limits::default();
    let _ = Command::parse(&message, &limits);
    let _ = Data::parse(type_id::DATA_AMF3, message.payload.clone(), &limits);
    let _ = Data::parse(type_id::DATA_AMF0, message.payload.clone(), &limits);
    let _ = UserControl::parse(&message.payload);
    let _ = Aggregate::new(message).count();
}

#[test]
fn collected_chunk_and_message_inputs_do_no_harm() {
    for dir in ["badinput/rtmp-chunk", "badinput/rtmp-message"] {
        let Some(dir) = testmedia(dir) else { return };
        for file in files(&dir) {
            let bytes = std::fs::read(&file).unwrap();
            let whole = read_messages(&bytes);
            for message in whole.into_iter().flatten() {
                examine(message);
            }
            let payload = bytes.clone().into();
            let (csid, message_stream_id, timestamp, type_id) = (3, 1, 0, 20);
            examine(Message {
                csid,
                message_stream_id,
                timestamp,
                type_id,
                payload,
            });
        }
    }
}

#[test]
fn mutated_sessions_give_the_same_outcome_for_any_split() {
    let Some(dir) = testmedia("badinput/rtmp-mutated") else {
        return;
    };
    let mut rejected = 0;
    let files = files(&dir);
    assert!(files.len() > 100);
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let outcome = |piece| {
            let mut server = Server::new();
            let result = bytes
                .chunks(piece)
                .try_for_each(|piece| server.input(piece));
            // Answers wait for the shell, and are bounded.
            assert!(server.output().len() < 300 << 10);
            (server.events, result)
        };
        let (events, result) = outcome(1 << 20);
        rejected += usize::from(result.is_err());
        for piece in [1, 13] {
            let (others, other) = outcome(piece);
            // Cut in pieces, an error comes after the events of earlier pieces; together before.
            assert_eq!(other, result, "{}", file.display());
            assert!(
                others.starts_with(&events) || result.is_ok() && others == events,
                "{}",
                file.display()
            );
        }
    }
    assert!(rejected > 10, "{rejected} of {} rejected", files.len());
}

#[test]
fn mutated_sessions_do_a_client_no_harm() {
    let Some(dir) = testmedia("badinput/rtmp-mutated") else {
        return;
    };
    for file in files(&dir) {
        let bytes = std::fs::read(&file).unwrap();
        for play in [true, false] {
            let (config, now) = (ClientConfig::new("a", "rtmp://h/a", "k"), support::start());
            let mut client = match play {
                true => ClientSession::play(config, Limits::default(), now),
                false => ClientSession::publish(config, Limits::default(), now),
            };
            let _ = bytes
                .chunks(999)
                .try_for_each(|piece| client.handle_input(now, piece));
            client.check_invariants();
            while client.poll_event().is_some() {}
        }
    }
}

#[test]
fn every_truncation_of_a_recorded_session_waits_for_more() {
    let Some(path) = testmedia("rtmp-sessions/rtmpdump2.4-play.c2s.bin") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    for end in 0..bytes.len() {
        let mut server = Server::new();
        server.input(&bytes[..end]).unwrap();
    }
}

/// A server that is connected, with `createStream` done, and whatever follows on chunk stream 3.
fn connected() -> Server {
    let mut server = Server::new();
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * 1536, 0);
    bytes.extend(message(
        20,
        0,
        &command(
            &["connect"],
            1.0,
            &[3, 0, 3, b'a', b'p', b'p', 2, 0, 1, b'x', 0, 0, 9],
        ),
    ));
    bytes.extend(message(20, 0, &command(&["createStream"], 2.0, &[5])));
    server.input(&bytes).unwrap();
    server.output();
    server
}

fn command(names: &[&str], transaction_id: f64, arguments: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        out.push(2);
        out.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        out.extend(name.as_bytes());
    }
    out.push(0);
    out.extend(transaction_id.to_be_bytes());
    out.extend(arguments);
    out
}

/// A message in chunks of 128 bytes.
fn message(type_id: u8, message_stream_id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let header = rtmp::chunk::MessageHeader {
        csid: 3,
        message_stream_id,
        timestamp: 0,
        type_id,
        length,
    }
    .encode();
    slices(&header, payload, 128).flatten().copied().collect()
}

#[test]
fn command_of_two_values_is_harmless() {
    // Killed rml_rtmp: amf0_command.rs expects three.
    let mut server = connected();
    server
        .input(&message(20, 0, &command(&["createStream"], 3.0, &[])))
        .unwrap();
    server
        .input(&message(20, 0, &[2, 0, 4, b'p', b'l', b'a', b'y']))
        .unwrap();
    server.input(&message(20, 0, &[])).unwrap();
    server.input(&message(17, 0, &[0])).unwrap();
    assert_eq!(server.events.len(), 1);
}

#[test]
fn deeply_nested_arguments_end_the_session_and_not_the_process() {
    // 100 000 nested arrays overflowed the stack of rml_amf0; here the message is the largest
    // allowed before publishing.
    let mut server = connected();
    let nested: Vec<u8> = [0x0a, 0, 0, 0, 1].repeat(13_000);
    let error = server
        .input(&message(20, 0, &command(&["x"], 3.0, &nested)))
        .unwrap_err();
    assert_eq!(error.kind(), rtmp::ErrorKind::Limit);
    assert!(
        error
            .to_string()
            .starts_with("command message ending at byte "),
        "{error}"
    );
}

#[test]
fn declared_counts_of_4_billion_allocate_nothing() {
    // Aborted scuffle-amf0, which allocated from the count.
    for count in [
        [0x08, 0xff, 0xff, 0xff, 0xff],
        [0x0a, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut server = connected();
        server
            .input(&message(20, 0, &command(&["createStream"], 3.0, &count)))
            .unwrap();
    }
}

#[test]
fn create_stream_flood_is_closed_and_its_answers_are_bounded() {
    let mut server = connected();
    let flood: Vec<u8> = (0..100)
        .flat_map(|_| message(20, 0, &command(&["createStream"], 3.0, &[5])))
        .collect();
    let error = server.input(&flood).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("more than 32 message streams"),
        "{error}"
    );
}

#[test]
fn ping_flood_of_a_peer_that_does_not_read_is_closed() {
    let mut server = connected();
    let flood = message(4, 0, &[0, 6, 0, 0, 0, 1]).repeat(1000);
    let error = (0..20).find_map(|_| server.input(&flood).err()).unwrap();
    assert!(
        error
            .to_string()
            .starts_with("more than 262144 bytes of answers not taken"),
        "{error}"
    );
    assert!(server.output().len() < 263_000);
    // A peer that reads its answers may go on.
    let mut server = connected();
    for _ in 0..20 {
        server.input(&flood).unwrap();
        assert!(server.output().len() <= 18_000);
    }
}

#[test]
fn window_of_one_byte_costs_one_acknowledgement_for_each_read() {
    for window in [0_u32, 1] {
        let mut server = connected();
        server.input(&message(5, 0, &window.to_be_bytes())).unwrap();
        server.output();
        server.input(&message(3, 0, &[0; 4]).repeat(100)).unwrap();
        assert_eq!(server.output().len(), if window == 0 { 0 } else { 16 });
    }
}

#[test]
fn names_of_wrong_types_are_refused_without_a_crash() {
    let mut server = connected();
    // publish(true), publish(7), play(null), deleteStream("x"), pause("x"), receiveAudio(null)
    for (name, argument) in [
        ("publish", &[5, 1, 1][..]),
        ("publish", &[5, 0, 0x40, 0x1c, 0, 0, 0, 0, 0, 0]),
        ("play", &[5, 5]),
        ("deleteStream", &[5, 2, 0, 1, b'x']),
        ("pause", &[5, 2, 0, 1, b'x']),
        ("receiveAudio", &[5, 5]),
        ("\u{202e}unknown", &[5]),
    ] {
        server
            .input(&message(20, 1, &command(&[name], 4.0, argument)))
            .unwrap();
    }
    assert_eq!(
        server.events.len(),
        1,
        "only the connect: {:?}",
        server.events
    );
    // A command whose name is a boolean or a number is no command.
    server
        .input(&message(20, 1, &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        .unwrap();
}

#[test]
fn message_types_with_zero_and_four_bytes_are_skipped() {
    for type_id in (3..=255).filter(|type_id| ![20, 17].contains(type_id)) {
        for payload in [&[][..], &[0, 0, 0, 9]] {
            let mut server = connected();
            server.input(&message(type_id, 1, payload)).unwrap();
            assert_eq!(server.events.len(), 1);
        }
    }
    for type_id in [1, 2] {
        let error = connected().input(&message(type_id, 0, &[])).unwrap_err();
        assert_eq!(error.kind(), rtmp::ErrorKind::PeerViolation);
    }
}

#[test]
fn input_before_an_answer_is_held_only_up_to_a_limit() {
    let mut server = connected();
    let publish = message(20, 1, &command(&["publish"], 4.0, &[5, 2, 0, 1, b'k']));
    server.session.handle_input(server.now, &publish).unwrap();
    let error = (0..300)
        .find_map(|_| server.session.handle_input(server.now, &[0; 1024]).err())
        .unwrap();
    assert!(
        error
            .to_string()
            .starts_with("more than 262144 bytes sent before an answer"),
        "{error}"
    );
}
