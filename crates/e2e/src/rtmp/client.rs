//! Connection, chunks and commands of the test client.

use super::amf::Value;
use crate::wait::secs;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A whole message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Message type id.
    pub kind: u8,
    /// Milliseconds.
    pub timestamp_ms: u32,
    /// Message stream id.
    pub stream: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            timestamp_ms,
            payload,
            ..
        } = self;
        write!(
            f,
            "message type {kind} at {timestamp_ms} ms, {} bytes",
            payload.len()
        )
    }
}

/// Why a client stopped.
#[derive(Debug)]
pub enum Error {
    /// The socket failed, timed out or was closed.
    Io(io::Error),
    /// The server refused: the code and the description of its status.
    Refused {
        /// For instance `NetStream.Publish.BadName`.
        code: String,
        /// The words for the user.
        description: String,
    },
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Error {
    /// Code and description of a refusal.
    ///
    /// # Panics
    /// When the connection failed instead.
    pub fn refusal(self) -> (String, String) {
        match self {
            Self::Refused { code, description } => (code, description),
            Self::Io(error) => panic!("refusal expected, but: {error}"),
        }
    }
}

#[derive(Debug, Default)]
struct Incoming {
    timestamp: u32,
    delta: u32,
    extended: bool,
    len: usize,
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection after the handshake.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    chunk_in: usize,
    chunk_out: usize,
    incoming: HashMap<u32, Incoming>,
    transaction: f64,
    stream: u32,
}

impl Client {
    /// Connects and does the simple handshake; no command yet. Reads time out after 15 s.
    ///
    /// # Errors
    /// When the connection or the handshake fails.
    pub fn handshake(address: &str) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(secs(15)))?;
        socket.set_write_timeout(Some(secs(15)))?;
        let mut c0c1 = vec![3];
        c0c1.extend((0..1536_u32).map(|n| if n < 8 { 0 } else { (n % 251) as u8 }));
        socket.write_all(&c0c1)?;
        let mut s0s1s2 = vec![0; 1 + 1536 * 2];
        socket.read_exact(&mut s0s1s2)?;
        if s0s1s2[0] != 3 {
            return Err(io::Error::other(format!("S0 is {}", s0s1s2[0])));
        }
        socket.write_all(&s0s1s2[1..1537])?;
        Ok(Self {
            socket,
            chunk_in: 128,
            chunk_out: 128,
            incoming: HashMap::new(),
            transaction: 0.0,
            stream: 0,
        })
    }

    /// Handshake, `connect` to an application and `createStream`. Sends chunks of 4096 bytes from then on.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn connect(address: &str, app: &str) -> Result<Self, Error> {
        let mut client = Self::handshake(address)?;
        client.set_chunk_size(4096)?;
        let properties = Value::Object(vec![
            ("app".to_owned(), app.into()),
            ("type".to_owned(), "nonprivate".into()),
            ("flashVer".to_owned(), "e2e".into()),
            (
                "tcUrl".to_owned(),
                format!("rtmp://{address}/{app}").as_str().into(),
            ),
        ]);
        client.call("connect", &[properties])?;
        let answer = client.call("createStream", &[Value::Null])?;
        let id = match answer.get(3) {
            Some(Value::Number(id)) => *id,
            other => return Err(io::Error::other(format!("stream id {other:?}")).into()),
        };
        client.stream = id as u32;
        Ok(client)
    }

    /// Connects and publishes `app/stream`; returns when the server has accepted it.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn publish(address: &str, app: &str, stream: &str) -> Result<Self, Error> {
        let mut client = Self::connect(address, app)?;
        client.start_publish(stream)?;
        Ok(client)
    }

    /// Sends `publish` and waits for the server's status.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn start_publish(&mut self, stream: &str) -> Result<(), Error> {
        let arguments = [Value::Null, stream.into(), "live".into()];
        self.send_command("publish", &arguments)?;
        self.wait_for_status("NetStream.Publish.Start")
    }

    /// Connects and sends `play`; messages follow by [`Client::receive`].
    ///
    /// # Errors
    /// When the connection fails or the server refuses the connect.
    pub fn play(address: &str, app: &str, stream: &str) -> Result<Self, Error> {
        let mut client = Self::connect(address, app)?;
        client.send_command("play", &[Value::Null, stream.into(), Value::Number(-2.0)])?;
        Ok(client)
    }

    /// The id that `createStream` gave.
    pub fn stream_id(&self) -> u32 {
        self.stream
    }

    /// The socket, for timeouts and abuse.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Announces and uses a chunk size for what this side sends.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn set_chunk_size(&mut self, size: u32) -> io::Result<()> {
        self.send(
            2,
            &Message {
                kind: 1,
                timestamp_ms: 0,
                stream: 0,
                payload: size.to_be_bytes().to_vec(),
            },
        )?;
        self.chunk_out = size as usize;
        Ok(())
    }

    /// Sends a message in chunks: the first with a full header, the others with type 3.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send(&mut self, csid: u8, message: &Message) -> io::Result<()> {
        let extended = message.timestamp_ms >= 0x00ff_ffff;
        let field = message.timestamp_ms.min(0x00ff_ffff).to_be_bytes();
        let len = u32::try_from(message.payload.len()).unwrap().to_be_bytes();
        let mut out = vec![csid & 0x3f];
        out.extend_from_slice(&field[1..]);
        out.extend_from_slice(&len[1..]);
        out.push(message.kind);
        out.extend_from_slice(&message.stream.to_le_bytes());
        for (n, chunk) in message.payload.chunks(self.chunk_out).enumerate() {
            if n > 0 {
                out.push(0xc0 | csid & 0x3f);
            }
            if extended {
                out.extend_from_slice(&message.timestamp_ms.to_be_bytes());
            }
            out.extend_from_slice(chunk);
        }
        if message.payload.is_empty() && extended {
            out.extend_from_slice(&message.timestamp_ms.to_be_bytes());
        }
        self.socket.write_all(&out)
    }

    /// Sends raw bytes, whatever they are.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Sends a command; `arguments` begin with the command object. Gives its transaction id.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_command(&mut self, name: &str, arguments: &[Value]) -> io::Result<f64> {
        self.transaction += 1.0;
        let mut payload = Vec::new();
        Value::from(name).encode(&mut payload);
        Value::Number(self.transaction).encode(&mut payload);
        for argument in arguments {
            argument.encode(&mut payload);
        }
        let on_stream = matches!(name, "publish" | "play" | "closeStream" | "pause" | "seek");
        let stream = if on_stream { self.stream } else { 0 };
        self.send(
            3,
            &Message {
                kind: 20,
                timestamp_ms: 0,
                stream,
                payload,
            },
        )?;
        Ok(self.transaction)
    }

    /// Sends a command and waits for its `_result`, whose values are returned.
    ///
    /// # Errors
    /// When the connection fails or the answer is `_error`.
    pub fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Error> {
        let transaction = self.send_command(name, arguments)?;
        loop {
            let message = self.receive()?;
            let Some(values) = command_values(&message) else {
                continue;
            };
            let answers = values.get(1) == Some(&Value::Number(transaction));
            match values.first().and_then(Value::text) {
                Some("_result") if answers => return Ok(values),
                Some("_error") if answers => return Err(refused(values.get(3))),
                Some("onStatus") if is_error(&values) => return Err(refused(values.get(3))),
                _ => {}
            }
        }
    }

    /// Waits for `onStatus` with this code.
    ///
    /// # Errors
    /// When the connection fails or a status of level `error` comes instead.
    pub fn wait_for_status(&mut self, code: &str) -> Result<(), Error> {
        loop {
            let message = self.receive()?;
            let Some(values) = command_values(&message) else {
                continue;
            };
            match values.first().and_then(Value::text) {
                Some("_error") => return Err(refused(values.get(3))),
                Some("onStatus") if is_error(&values) => return Err(refused(values.get(3))),
                Some("onStatus") => {
                    let got = values.get(3).and_then(|info| info.get("code"));
                    if got.and_then(Value::text) == Some(code) {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// The next whole message. Chunk sizes are followed and pings answered on the way.
    ///
    /// # Errors
    /// When the connection fails, is closed, or nothing comes within the read timeout.
    pub fn receive(&mut self) -> io::Result<Message> {
        loop {
            let Some(message) = self.receive_chunk()? else {
                continue;
            };
            match (message.kind, message.payload.as_slice()) {
                (1, &[a, b, c, d]) => self.chunk_in = u32::from_be_bytes([a, b, c, d]) as usize,
                (4, &[0, 6, ref rest @ ..]) => {
                    let mut payload = vec![0, 7];
                    payload.extend_from_slice(rest);
                    self.send(
                        2,
                        &Message {
                            kind: 4,
                            timestamp_ms: 0,
                            stream: 0,
                            payload,
                        },
                    )?;
                }
                _ => return Ok(message),
            }
        }
    }

    fn receive_chunk(&mut self) -> io::Result<Option<Message>> {
        let first = self.byte()?;
        let csid = match first & 0x3f {
            0 => 64 + u32::from(self.byte()?),
            1 => 64 + u32::from(self.byte()?) + 256 * u32::from(self.byte()?),
            n => u32::from(n),
        };
        let format = first >> 6;
        let mut head = [0; 11];
        let size = [11, 7, 3, 0][usize::from(format)];
        self.socket.read_exact(&mut head[..size])?;
        let state = self.incoming.entry(csid).or_default();
        if format < 3 {
            let field = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            state.extended = field == 0x00ff_ffff;
            state.delta = field;
        }
        if format < 2 {
            state.len = u32::from_be_bytes([0, head[3], head[4], head[5]]) as usize;
            state.kind = head[6];
        }
        if format == 0 {
            state.stream = u32::from_le_bytes([head[7], head[8], head[9], head[10]]);
        }
        if state.extended {
            let mut field = [0; 4];
            self.socket.read_exact(&mut field)?;
            state.delta = u32::from_be_bytes(field);
        }
        if state.payload.is_empty() {
            state.timestamp = match format {
                0 => state.delta,
                _ => state.timestamp.wrapping_add(state.delta),
            };
        }
        let take = self.chunk_in.min(state.len - state.payload.len());
        let at = state.payload.len();
        state.payload.resize(at + take, 0);
        self.socket.read_exact(&mut state.payload[at..])?;
        if state.payload.len() < state.len {
            return Ok(None);
        }
        Ok(Some(Message {
            kind: state.kind,
            timestamp_ms: state.timestamp,
            stream: state.stream,
            payload: std::mem::take(&mut state.payload),
        }))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.socket.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Reads and discards until the server closes the connection.
    ///
    /// # Errors
    /// When it has not closed within `limit`.
    pub fn wait_for_close(&mut self, limit: Duration) -> io::Result<()> {
        wait_for_close(&self.socket, limit)
    }

    /// Ends the publication politely (`FCUnpublish`, `deleteStream`) and closes.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn unpublish(mut self, stream: &str) -> io::Result<()> {
        self.send_command("FCUnpublish", &[Value::Null, stream.into()])?;
        let id = f64::from(self.stream);
        self.send_command("deleteStream", &[Value::Null, Value::Number(id)])?;
        self.socket.shutdown(Shutdown::Write)
    }
}

/// Reads and discards until the peer closes.
///
/// # Errors
/// When it has not closed within `limit`.
pub fn wait_for_close(mut socket: &TcpStream, limit: Duration) -> io::Result<()> {
    let end = std::time::Instant::now() + limit;
    let mut buffer = [0; 16 * 1024];
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("open after {limit:?}"),
            ));
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}

fn command_values(message: &Message) -> Option<Vec<Value>> {
    (message.kind == 20).then(|| Value::decode_all(&message.payload))?
}

fn is_error(values: &[Value]) -> bool {
    let level = values.get(3).and_then(|info| info.get("level"));
    level.and_then(Value::text) == Some("error")
}

fn refused(info: Option<&Value>) -> Error {
    let text = |name: &str| {
        let value = info.and_then(|info| info.get(name)).and_then(Value::text);
        value.unwrap_or_default().to_owned()
    };
    Error::Refused {
        code: text("code"),
        description: text("description"),
    }
}
