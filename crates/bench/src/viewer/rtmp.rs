//! RTMP: handshake, connect, createStream, play; then media, which is looked at in passing.
//!
//! Its own small client, because a session that gathers every message would make the generator the
//! bottleneck long before the server is.

use amf0::Value;
use bytes::{Bytes, BytesMut};
use rtmp::chunk::{CSID_CONTROL, Message, Writer};
use rtmp::message::{Command, UserControl, control, type_id};

use crate::Error;
use crate::address::Address;
use crate::chunk_skipper::{ChunkSkipper, Sink};
use crate::transport::Transport;
use crate::watch::Taking;

/// Version, then random bytes (RTMP 1.0 §5.2).
const HANDSHAKE: usize = 1_536;
/// What the player says it buffers, in milliseconds; servers that send at their own pace ignore it.
const BUFFER_MILLIS: u32 = 1_000;

/// Transaction ids.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 2.0;
const PLAY: f64 = 4.0;

/// Plays one stream.
#[derive(Debug)]
pub(crate) struct Player {
    /// What came of the server's handshake; `None` when it is over.
    handshake: Option<Vec<u8>>,
    chunks: ChunkSkipper,
    dialogue: Dialogue,
    /// What the server wants acknowledged, in bytes; 0 for nothing.
    acknowledged: u64,
}

/// The commands, and what is to be sent.
#[derive(Debug)]
struct Dialogue {
    app: String,
    tc_url: String,
    stream: String,
    window_bytes: u64,
    out: BytesMut,
    writer: Writer,
    /// `play` was sent.
    has_asked: bool,
    ended: Option<Error>,
}

impl Player {
    /// Sends the first bytes.
    pub(super) async fn begin(transport: &mut Transport, address: &Address) -> Result<Self, Error> {
        let Some(url) = &address.rtmp else {
            return Err(Error::Settings("not an RTMP address".to_owned()));
        };
        let mut hello = [0; 1 + HANDSHAKE];
        hello[0] = 3;
        // Nothing that reads them needs the rest to be random.
        for (index, byte) in hello.iter_mut().enumerate().skip(9) {
            *byte = (index % 251) as u8;
        }
        transport.write_all(&hello).await?;
        Ok(Self {
            handshake: Some(Vec::with_capacity(1 + 2 * HANDSHAKE)),
            chunks: ChunkSkipper::default(),
            dialogue: Dialogue {
                app: url.app().to_owned(),
                tc_url: url.tc_url(),
                stream: url.stream_key().to_owned(),
                window_bytes: 0,
                out: BytesMut::new(),
                writer: Writer::new(),
                has_asked: false,
                ended: None,
            },
            acknowledged: 0,
        })
    }

    pub(super) fn feed(&mut self, mut input: &[u8], taking: &mut Taking<'_>) -> Result<(), Error> {
        if let Some(seen) = &mut self.handshake {
            let missing = 1 + 2 * HANDSHAKE - seen.len();
            let (part, rest) = input.split_at(missing.min(input.len()));
            seen.extend_from_slice(part);
            input = rest;
            if seen.len() < 1 + 2 * HANDSHAKE {
                return Ok(());
            }
            if seen.first() != Some(&3) {
                return Err(Error::Protocol(
                    "the answer is no RTMP handshake".to_owned(),
                ));
            }
            // The server's bytes come back to it.
            self.dialogue.out.extend_from_slice(&seen[1..1 + HANDSHAKE]);
            self.dialogue.connect();
            self.handshake = None;
        }
        let mut listener = Listener {
            taking,
            dialogue: &mut self.dialogue,
        };
        self.chunks.feed(input, &mut listener)?;
        let unacknowledged = self.chunks.bytes - self.acknowledged;
        if self.dialogue.window_bytes > 0 && unacknowledged >= self.dialogue.window_bytes / 2 {
            self.acknowledged = self.chunks.bytes;
            // The count is modulo 2^32 (§5.4.3).
            let dialogue = &mut self.dialogue;
            control::acknowledgement(
                &dialogue.writer,
                self.acknowledged as u32,
                &mut dialogue.out,
            );
        }
        match self.dialogue.ended.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether it has asked for its stream.
    pub(super) fn has_asked(&self) -> bool {
        self.dialogue.has_asked
    }

    /// Sends what is to be sent.
    pub(super) async fn answer(&mut self, transport: &mut Transport) -> Result<(), Error> {
        if self.dialogue.out.is_empty() {
            return Ok(());
        }
        transport.write_all(&self.dialogue.out.split()).await
    }
}

/// Media goes to the viewer, the rest to the dialogue.
struct Listener<'a, 'b> {
    taking: &'a mut Taking<'b>,
    dialogue: &'a mut Dialogue,
}

impl Sink for Listener<'_, '_> {
    fn video(&mut self, timestamp: u32, head: &[u8]) {
        self.taking.video(timestamp, head);
    }

    fn audio(&mut self, timestamp: u32, head: &[u8]) {
        self.taking.audio(timestamp, head);
    }

    fn control(&mut self, id: u8, payload: &[u8]) -> Result<(), Error> {
        match id {
            type_id::WINDOW_ACK_SIZE => {
                if let Some(bytes) = payload.first_chunk() {
                    self.dialogue.window_bytes = u32::from_be_bytes(*bytes).into();
                }
            }
            type_id::USER_CONTROL => self.dialogue.user_control(payload),
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => self.dialogue.command(id, payload)?,
            _ => {}
        }
        Ok(())
    }
}

impl Dialogue {
    fn connect(&mut self) {
        let text = |text: &str| Value::from(text);
        let object = Value::Object(vec![
            ("app".to_owned(), text(&self.app)),
            ("flashVer".to_owned(), text("LNX 9,0,124,2")),
            ("tcUrl".to_owned(), text(&self.tc_url)),
            ("fpad".to_owned(), Value::Boolean(false)),
            ("capabilities".to_owned(), Value::Number(15.0)),
            ("audioCodecs".to_owned(), Value::Number(4071.0)),
            ("videoCodecs".to_owned(), Value::Number(252.0)),
            ("videoFunction".to_owned(), Value::Number(1.0)),
            ("fourCcList".to_owned(), Value::StrictArray(vec![text("*")])),
        ]);
        self.send("connect", CONNECT, 0, vec![object]);
    }

    fn send(
        &mut self,
        name: &str,
        transaction_id: f64,
        message_stream_id: u32,
        arguments: Vec<Value>,
    ) {
        let command = Command {
            name: name.to_owned(),
            transaction_id,
            arguments,
        };
        command.write(&self.writer, message_stream_id, &mut self.out);
    }

    fn user_control(&mut self, payload: &[u8]) {
        match UserControl::parse(payload) {
            Some(UserControl::PingRequest { timestamp }) => {
                UserControl::PingResponse { timestamp }.write(&self.writer, &mut self.out);
            }
            Some(UserControl::StreamEof { .. }) => self.ended = Some(Error::Ended),
            _ => {}
        }
    }

    fn command(&mut self, id: u8, payload: &[u8]) -> Result<(), Error> {
        let message = Message {
            csid: CSID_CONTROL,
            message_stream_id: 0,
            timestamp: 0,
            type_id: id,
            payload: Bytes::copy_from_slice(payload),
        };
        let parsed = Command::parse(&message, &amf0::Limits::default());
        let command = parsed.map_err(|error| Error::Protocol(error.to_string()))?;
        let Some(command) = command else {
            return Ok(());
        };
        match (command.name.as_str(), command.transaction_id) {
            ("_result", CONNECT) => self.send("createStream", CREATE_STREAM, 0, vec![Value::Null]),
            ("_result", CREATE_STREAM) => {
                let id = command.argument(1).as_f64().unwrap_or(1.0) as u32;
                let buffer = UserControl::SetBufferLength {
                    message_stream_id: id,
                    millis: BUFFER_MILLIS,
                };
                buffer.write(&self.writer, &mut self.out);
                let stream = Value::from(self.stream.as_str());
                self.send("play", PLAY, id, vec![Value::Null, stream]);
                self.has_asked = true;
            }
            ("_error", _) => self.ended = Some(Error::Refused(reason(&command, ""))),
            ("onStatus", _) => {
                let property = |name: &str| property(command.argument(1), name);
                let code = property("code").unwrap_or_default();
                self.ended = match code {
                    "NetStream.Play.Stop"
                    | "NetStream.Play.UnpublishNotify"
                    | "NetStream.Play.Complete" => Some(Error::Ended),
                    _ if property("level") == Some("error") => {
                        Some(Error::Refused(reason(&command, code)))
                    }
                    _ => self.ended.take(),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

/// A text of an information object.
fn property<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn reason(command: &Command, code: &str) -> String {
    let description = property(command.argument(1), "description").unwrap_or_default();
    format!("{code} {description}").trim().to_owned()
}
