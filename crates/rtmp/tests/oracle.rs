//! Our chunks and sessions against those of `rml_rtmp`, an independent implementation.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::sessions::{
    ClientSession as TheirClient, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, ServerSession as TheirServer, ServerSessionConfig, ServerSessionEvent,
    ServerSessionResult,
};
use rml_rtmp::time::RtmpTimestamp;
use rtmp::chunk::{Message, MessageHeader, Reader, Writer};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits, ServerEvent};
use support::Server;

/// A message as both sides see it: type, message stream, time, payload. Not empty, because `rml_rtmp`
/// writes nothing at all for an empty message.
type Plain = (u8, u32, u32, Vec<u8>);

fn plain() -> impl Strategy<Value = Plain> {
    let type_id = prop::sample::select(vec![8_u8, 9, 18, 20]);
    let time = prop_oneof![
        0..100_u32,
        0xff_fff0..0x100_0010_u32,
        u32::MAX - 20..=u32::MAX,
        any::<u32>(),
    ];
    // Few lengths, so that headers are compressed as far as type 3.
    let len = prop_oneof![Just(1_usize), Just(40), 1..700_usize];
    let body = (len, any::<u8>()).prop_map(|(len, seed)| {
        (0..len)
            .map(|i| seed.wrapping_add(u8::try_from(i % 251).unwrap()))
            .collect()
    });
    (type_id, 0..3_u32, time, body)
}

fn read_in_pieces(bytes: &[u8], piece: usize) -> Vec<Message> {
    let mut reader = Reader::new(Limits::default(), 0);
    reader.allow_media(true);
    let mut messages = Vec::new();
    for mut input in bytes.chunks(piece) {
        while let Some(message) = reader.read(&mut input).unwrap() {
            messages.push(message);
        }
        reader.check_invariants();
    }
    messages
}

proptest! {
    #[test]
    fn our_reader_reads_what_their_serializer_wrote(
        plain in prop::collection::vec(plain(), 1..20),
        chunk_size in prop_oneof![Just(1_u32), 2..200_u32, Just(4096)],
        piece in prop_oneof![Just(1_usize), 2..40_usize, Just(1 << 20)],
    ) {
        let mut serializer = ChunkSerializer::new();
        let packet = serializer.set_max_chunk_size(chunk_size, RtmpTimestamp::new(0)).unwrap();
        let mut bytes = packet.bytes;
        for (type_id, message_stream_id, time, body) in &plain {
            let payload = MessagePayload {
                timestamp: RtmpTimestamp::new(*time),
                type_id: *type_id,
                message_stream_id: *message_stream_id,
                data: Bytes::copy_from_slice(body),
            };
            bytes.extend(serializer.serialize(&payload, false, false).unwrap().bytes);
        }
        let read = read_in_pieces(&bytes, piece);
        prop_assert_eq!(read[0].type_id, 1);
        let read: Vec<Plain> = read[1..].iter()
            .map(|m| (m.type_id, m.message_stream_id, m.timestamp, m.payload.to_vec()))
            .collect();
        prop_assert_eq!(read, plain);
    }

    #[test]
    fn their_deserializer_reads_what_our_writer_wrote(
        plain in prop::collection::vec(plain(), 1..20),
        chunk_size in prop_oneof![Just(1_u32), 2..200_u32, Just(4096)],
    ) {
        let mut writer = Writer::new();
        writer.set_chunk_size(chunk_size);
        let mut bytes = BytesMut::new();
        for (type_id, message_stream_id, timestamp, body) in &plain {
            let (csid, length) = (u32::from(*type_id), 0);
            let header = MessageHeader {
                csid, message_stream_id: *message_stream_id, timestamp: *timestamp, type_id: *type_id, length,
            };
            writer.write(header, body, &mut bytes);
        }
        let mut deserializer = ChunkDeserializer::new();
        deserializer.set_max_chunk_size(chunk_size as usize).unwrap();
        let mut read: Vec<Plain> = Vec::new();
        let mut input = &bytes[..];
        while let Some(message) = deserializer.get_next_message(input).unwrap() {
            input = &[];
            read.push((message.type_id, message.message_stream_id, message.timestamp.value, message.data.to_vec()));
        }
        prop_assert_eq!(read, plain);
    }
}

/// Their client, past the handshake with our server.
struct Theirs {
    client: TheirClient,
    server: Server,
    events: Vec<ClientSessionEvent>,
}

impl Theirs {
    fn connected() -> Self {
        let mut server = Server::new();
        let mut handshake = Handshake::new(PeerType::Client);
        server
            .input(&handshake.generate_outbound_p0_and_p1().unwrap())
            .unwrap();
        let Ok(HandshakeProcessResult::Completed {
            response_bytes,
            remaining_bytes,
        }) = handshake.process_bytes(&server.output())
        else {
            panic!("handshake not completed")
        };
        assert!(remaining_bytes.is_empty());
        let (mut client, first) = TheirClient::new(ClientSessionConfig::new()).unwrap();
        let connect = client.request_connection("live".to_owned()).unwrap();
        let mut theirs = Self {
            client,
            server,
            events: Vec::new(),
        };
        // C2 and connect in one write.
        theirs.exchange(first.into_iter().chain([connect]).collect(), response_bytes);
        assert_eq!(
            theirs.events,
            [ClientSessionEvent::ConnectionRequestAccepted]
        );
        theirs.events.clear();
        theirs
    }

    fn exchange(&mut self, mut results: Vec<ClientSessionResult>, mut bytes: Vec<u8>) {
        loop {
            for result in results.drain(..) {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => bytes.extend(packet.bytes),
                    ClientSessionResult::RaisedEvent(event) => self.events.push(event),
                    ClientSessionResult::UnhandleableMessageReceived(_) => {}
                }
            }
            if bytes.is_empty() {
                return;
            }
            self.server.input(&bytes).unwrap();
            bytes.clear();
            results = self.client.handle_input(&self.server.output()).unwrap();
        }
    }
}

#[test]
fn their_client_publishes_to_our_server() {
    let mut theirs = Theirs::connected();
    let publish = theirs
        .client
        .request_publishing("room".to_owned(), PublishRequestType::Live)
        .unwrap();
    theirs.exchange(vec![publish], Vec::new());
    assert!(
        theirs
            .events
            .contains(&ClientSessionEvent::PublishRequestAccepted),
        "{:?}",
        theirs.events
    );
    theirs.server.events.clear();
    let body = Bytes::from(vec![7; 70_000]);
    let mut packets = Vec::new();
    for time in [0, 40, 80, 0xff_ffff, 0x100_0028] {
        let time = RtmpTimestamp::new(time);
        packets.push(
            theirs
                .client
                .publish_video_data(body.clone(), time, false)
                .unwrap(),
        );
        packets.push(
            theirs
                .client
                .publish_audio_data(body.slice(..300), time, false)
                .unwrap(),
        );
    }
    packets.push(theirs.client.stop_publishing().unwrap().remove(0));
    theirs.exchange(packets, Vec::new());
    let video = theirs.server.events.iter().filter_map(|event| match event {
        ServerEvent::Video {
            timestamp, payload, ..
        } => Some((*timestamp, payload.clone())),
        _ => None,
    });
    let video: Vec<_> = video.collect();
    assert_eq!(
        video.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
        [0, 40, 80, 0xff_ffff, 0x100_0028]
    );
    assert!(video.iter().all(|(_, payload)| *payload == body));
    assert!(matches!(
        theirs.server.events.last(),
        Some(ServerEvent::Unpublish { .. })
    ));
}

#[test]
fn their_client_plays_from_our_server() {
    let mut theirs = Theirs::connected();
    let play = theirs.client.request_playback("room".to_owned()).unwrap();
    theirs.exchange(vec![play], Vec::new());
    assert!(
        theirs
            .events
            .contains(&ClientSessionEvent::PlaybackRequestAccepted),
        "{:?}",
        theirs.events
    );
    theirs.events.clear();
    let body = vec![9; 150_000];
    theirs
        .server
        .session
        .send_message(MessageHeader::video(1, 0xff_ffff, 0), &body);
    theirs
        .server
        .session
        .send_message(MessageHeader::audio(1, 0x100_0000, 0), &body[..9]);
    let results = theirs.client.handle_input(&theirs.server.output()).unwrap();
    theirs.exchange(results, Vec::new());
    let data = Bytes::from(body);
    assert_eq!(
        theirs.events,
        [
            ClientSessionEvent::VideoDataReceived {
                timestamp: RtmpTimestamp::new(0xff_ffff),
                data: data.clone()
            },
            ClientSessionEvent::AudioDataReceived {
                timestamp: RtmpTimestamp::new(0x100_0000),
                data: data.slice(..9)
            },
        ]
    );
}

/// Runs our client against their server until it is ready; returns both.
fn against_their_server(mut client: ClientSession) -> (ClientSession, TheirServer) {
    let now = support::start();
    let mut handshake = Handshake::new(PeerType::Server);
    let first: Vec<u8> = std::iter::from_fn(|| client.poll_transmit())
        .flatten()
        .collect();
    let Ok(HandshakeProcessResult::InProgress { response_bytes }) = handshake.process_bytes(&first)
    else {
        panic!("their handshake")
    };
    client.handle_input(now, &response_bytes).unwrap();
    let second: Vec<u8> = std::iter::from_fn(|| client.poll_transmit())
        .flatten()
        .collect();
    let Ok(HandshakeProcessResult::Completed {
        mut remaining_bytes,
        ..
    }) = handshake.process_bytes(&second)
    else {
        panic!("their handshake")
    };
    let (mut server, mut results) = TheirServer::new(ServerSessionConfig::new()).unwrap();
    loop {
        results.extend(server.handle_input(&remaining_bytes).unwrap());
        let mut answer = Vec::new();
        while !results.is_empty() {
            match results.remove(0) {
                ServerSessionResult::OutboundResponse(packet) => answer.extend(packet.bytes),
                ServerSessionResult::RaisedEvent(
                    ServerSessionEvent::ConnectionRequested { request_id, .. }
                    | ServerSessionEvent::ReleaseStreamRequested { request_id, .. }
                    | ServerSessionEvent::PublishStreamRequested { request_id, .. }
                    | ServerSessionEvent::PlayStreamRequested { request_id, .. },
                ) => results.extend(server.accept_request(request_id).unwrap()),
                _ => {}
            }
        }
        client.handle_input(now, &answer).unwrap();
        remaining_bytes = std::iter::from_fn(|| client.poll_transmit())
            .flatten()
            .collect();
        if remaining_bytes.is_empty() {
            return (client, server);
        }
    }
}

fn config() -> ClientConfig {
    ClientConfig::new("live", "rtmp://127.0.0.1/live", "room")
}

#[test]
fn our_client_publishes_to_their_server() {
    let client = ClientSession::publish(config(), Limits::default(), support::start());
    let (mut client, mut server) = against_their_server(client);
    let ready = std::iter::from_fn(|| client.poll_event()).any(|event| event == ClientEvent::Ready);
    assert!(ready);
    let id = client.message_stream_id().unwrap();
    let body = vec![5; 200_000];
    for time in [0, 33, 0xff_ffff, 0x100_0021] {
        client.send_message(MessageHeader::video(id, time, 0), &body);
    }
    client.unpublish();
    let bytes: Vec<u8> = std::iter::from_fn(|| client.poll_transmit())
        .flatten()
        .collect();
    let mut times = Vec::new();
    let mut finished = false;
    for result in server.handle_input(&bytes).unwrap() {
        match result {
            ServerSessionResult::RaisedEvent(ServerSessionEvent::VideoDataReceived {
                data,
                timestamp,
                stream_key,
                ..
            }) => {
                assert_eq!((data.len(), stream_key.as_str()), (200_000, "room"));
                times.push(timestamp.value);
            }
            ServerSessionResult::RaisedEvent(ServerSessionEvent::PublishStreamFinished {
                ..
            }) => finished = true,
            _ => {}
        }
    }
    assert_eq!(times, [0, 33, 0xff_ffff, 0x100_0021]);
    assert!(finished);
}

#[test]
fn our_client_plays_from_their_server() {
    let client = ClientSession::play(config(), Limits::default(), support::start());
    let (mut client, mut server) = against_their_server(client);
    let id = client.message_stream_id().unwrap();
    let data = Bytes::from(vec![6; 100_000]);
    let mut bytes = server
        .send_video_data(id, data.clone(), RtmpTimestamp::new(1), false)
        .unwrap()
        .bytes;
    bytes.extend(
        server
            .send_audio_data(id, data.slice(..50), RtmpTimestamp::new(2), false)
            .unwrap()
            .bytes,
    );
    bytes.extend(server.finish_playing(id).unwrap().bytes);
    for piece in bytes.chunks(1000) {
        client.handle_input(support::start(), piece).unwrap();
    }
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert!(events.contains(&ClientEvent::Ready));
    assert!(events.contains(&ClientEvent::Video {
        timestamp: 1,
        payload: data.clone()
    }));
    assert!(events.contains(&ClientEvent::Audio {
        timestamp: 2,
        payload: data.slice(..50)
    }));
}
