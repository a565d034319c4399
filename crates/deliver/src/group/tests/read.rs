//! What a viewer got, read by code that is not ours.

use std::io::{self, Cursor};

use bytes::Bytes;
use rml_rtmp::chunk_io::ChunkDeserializer;
use scuffle_flv::header::FlvHeader;
use scuffle_flv::tag::FlvTag;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

use super::{Tag, ts};

/// An HTTP response head.
pub(super) const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// Everything that came on one connection.
pub(super) struct Read {
    pub(super) tags: Vec<Tag>,
    /// Answers to pings.
    pub(super) answers: usize,
    /// The end was said in the protocol's way.
    pub(super) said_end: bool,
}

/// RTMP, from the server's first byte on.
pub(super) fn rtmp(wire: &[u8]) -> Read {
    /// S0, S1, S2 (RTMP 1.0 §5.2).
    const HANDSHAKE: usize = 1 + 2 * 1_536;
    const END: &[u8] = b"NetStream.Play.UnpublishNotify";
    let mut read = Read {
        tags: Vec::new(),
        answers: 0,
        said_end: false,
    };
    let mut reader = ChunkDeserializer::new();
    let mut next = reader.get_next_message(&wire[HANDSHAKE..]).unwrap();
    while let Some(message) = next {
        let body = message.data;
        match message.type_id {
            1 => {
                let size = u32::from_be_bytes(body[..].try_into().unwrap());
                reader.set_max_chunk_size(size as usize).unwrap();
            }
            // Ping response, event type 7 (RTMP 1.0 §7.1.7).
            4 if body[..] == [0, 7, 0, 0, 0, 9] => read.answers += 1,
            8 | 9 | 18 => {
                assert!(!read.said_end, "media behind the end");
                assert_eq!(message.message_stream_id, 1);
                let (kind, ms) = (message.type_id, message.timestamp.value);
                read.tags.push(Tag { kind, ms, body });
            }
            20 => read.said_end |= body.windows(END.len()).any(|part| part == END),
            _ => {}
        }
        next = reader.get_next_message(&[]).unwrap();
    }
    // The deserializer does not say what it holds of a message that was cut: see it take another.
    let probe = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 1, 2, 3, 4];
    let last = reader.get_next_message(&probe).unwrap();
    assert_eq!(last.expect("a message was cut").data[..], [1, 2, 3, 4]);
    read
}

/// FLV up to the end of the connection.
pub(super) fn flv(wire: &[u8]) -> Read {
    file(body(wire), 0, true)
}

/// FLV in HTTP chunks.
pub(super) fn chunked(wire: &[u8]) -> Read {
    file(&dechunk(wire), 0, true)
}

/// MPEG-TS in HTTP chunks.
pub(super) fn ts_chunked(wire: &[u8]) -> Read {
    Read {
        tags: ts::tags(&dechunk(wire)),
        answers: 0,
        said_end: true,
    }
}

/// The whole body of an HTTP response in chunks.
fn dechunk(wire: &[u8]) -> Vec<u8> {
    let mut rest = body(wire);
    let mut whole = Vec::new();
    loop {
        let size = httparse::parse_chunk_size(rest).unwrap();
        let httparse::Status::Complete((start, len)) = size else {
            panic!("a chunk's size is cut");
        };
        let (chunk, behind) = rest[start..].split_at(usize::try_from(len).unwrap());
        whole.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").expect("a chunk's end");
        if len == 0 {
            assert_eq!(rest, b"", "nothing behind the end");
            return whole;
        }
    }
}

/// FLV in WebSocket messages.
pub(super) fn web_socket(wire: &[u8]) -> Read {
    let wire = Wire(Cursor::new(body(wire)));
    let mut socket = WebSocket::from_raw_socket(wire, Role::Client, None);
    let (mut whole, mut answers, mut said_end) = (Vec::new(), 0, false);
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => whole.extend_from_slice(&bytes),
            Ok(Message::Pong(bytes)) => {
                assert_eq!(bytes[..], [1, 2, 3]);
                answers += 1;
            }
            Ok(Message::Close(frame)) => {
                assert_eq!(u16::from(frame.expect("a reason").code), 1_000);
                said_end = true;
            }
            Ok(other) => panic!("{other:?}"),
            Err(Error::ConnectionClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    file(&whole, answers, said_end)
}

/// Reads from the wire; what is said goes nowhere.
struct Wire<'a>(Cursor<&'a [u8]>);

impl io::Read for Wire<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn body(wire: &[u8]) -> &[u8] {
    wire.strip_prefix(HEAD).expect("the head first")
}

/// A whole FLV file.
fn file(bytes: &[u8], answers: usize, said_end: bool) -> Read {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut cursor = Cursor::new(bytes.clone());
    let at = |cursor: &Cursor<Bytes>| usize::try_from(cursor.position()).unwrap();
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let header = FlvHeader::demux(&mut cursor).unwrap();
    assert!(header.is_audio_present && header.is_video_present);
    assert_eq!(word(at(&cursor)), 0, "the size of no tag before");
    cursor.set_position(cursor.position() + 4);
    let mut tags = Vec::new();
    while at(&cursor) < bytes.len() {
        let start = at(&cursor);
        let tag = FlvTag::demux(&mut cursor).unwrap();
        let end = at(&cursor);
        let size = word(end) as usize;
        assert_eq!(size, end - start, "the size of the tag before");
        tags.push(Tag {
            kind: bytes[start],
            ms: tag.timestamp_ms,
            body: bytes.slice(start + 11..end),
        });
        cursor.set_position(end as u64 + 4);
    }
    Read {
        tags,
        answers,
        said_end,
    }
}
