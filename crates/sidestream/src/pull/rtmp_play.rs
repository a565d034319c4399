//! A stream of another server over RTMP.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use remux::flv::{Tag, TagKind};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits, Scheme, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::net::ClientSocket;
use super::{Input, PullError};

/// Bytes read at once.
const READ_BYTES: usize = 32 << 10;
/// A server that sends nothing for this long is gone.
const IDLE: Duration = Duration::from_secs(30);
/// Between two attempts to play what is not there yet.
const RETRY: Duration = Duration::from_millis(500);

/// A session that plays.
pub(super) struct Player {
    socket: ClientSocket,
    session: ClientSession,
    buffer: BytesMut,
    tags: VecDeque<Tag>,
    /// By when the first tag must have come.
    first_by: Option<Instant>,
    stream: String,
    closed: bool,
    cut_off: bool,
}

impl Player {
    /// Connects and waits for the first tag, at most `wait` long.
    pub(super) async fn open(input: &Input, url: &Url, wait: Duration) -> Result<Self, PullError> {
        let until = Instant::now() + wait;
        loop {
            match Self::attempt(input, url, until).await {
                Err(PullError::NobodyPublishes { .. }) if Instant::now() + RETRY <= until => {
                    tokio::time::sleep(RETRY).await;
                }
                result => return result,
            }
        }
    }

    async fn attempt(input: &Input, url: &Url, until: Instant) -> Result<Self, PullError> {
        let tls = url.scheme() == Scheme::Rtmps;
        let socket = ClientSocket::connect(input, url.host(), url.port(), tls, &[]).await?;
        let mut config = ClientConfig::from_url(url);
        config.idle = Some(IDLE);
        let name = url.stream_key().split('?').next().unwrap_or_default();
        let mut player = Self {
            socket,
            session: ClientSession::play(config, Limits::default(), Instant::now()),
            buffer: BytesMut::zeroed(READ_BYTES),
            tags: VecDeque::new(),
            first_by: Some(until),
            stream: format!("{}/{name}", url.app()),
            closed: false,
            cut_off: false,
        };
        match player.advance(input).await? {
            true => Ok(player),
            false => Err(player.nobody(input)),
        }
    }

    /// The next tag; `None` when the server ended the stream.
    pub(super) async fn next(&mut self, input: &Input) -> Result<Option<Tag>, PullError> {
        if self.tags.is_empty() && !self.advance(input).await? {
            return Ok(None);
        }
        Ok(self.tags.pop_front())
    }

    /// Whether the connection ended before the server said that the stream does.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    fn nobody(&self, input: &Input) -> PullError {
        PullError::NobodyPublishes {
            input: input.to_string(),
            stream: self.stream.clone(),
        }
    }

    /// Reads until there is a tag; false when the stream is over.
    async fn advance(&mut self, input: &Input) -> Result<bool, PullError> {
        let rtmp = |error| PullError::Rtmp {
            input: input.to_string(),
            error,
        };
        let io = |error| PullError::Io {
            input: input.to_string(),
            error,
        };
        loop {
            while let Some(event) = self.session.poll_event() {
                self.event(event, input)?;
            }
            while let Some(bytes) = self.session.poll_transmit() {
                self.socket.write_all(&bytes).await.map_err(io)?;
            }
            if !self.tags.is_empty() {
                self.first_by = None;
                return Ok(true);
            }
            if self.closed {
                return Ok(false);
            }
            let wake = [self.session.poll_timeout(), self.first_by];
            let wake = wake.into_iter().flatten().min();
            let sleep =
                tokio::time::sleep_until(wake.unwrap_or_else(|| Instant::now() + IDLE).into());
            // Both branches are cancel safe: a read takes bytes only when it completes.
            tokio::select! {
                read = self.socket.read(&mut self.buffer) => {
                    let count = read.map_err(io)?;
                    if count == 0 {
                        self.cut_off = true;
                        return match self.first_by {
                            Some(_) => Err(io(std::io::ErrorKind::UnexpectedEof.into())),
                            None => Ok(false),
                        };
                    }
                    let now = Instant::now();
                    self.session.handle_input(now, &self.buffer[..count]).map_err(rtmp)?;
                }
                () = sleep => {
                    let now = Instant::now();
                    if self.first_by.is_some_and(|by| now >= by) {
                        return Err(self.nobody(input));
                    }
                    self.session.handle_timeout(now).map_err(rtmp)?;
                }
            }
        }
    }

    fn event(&mut self, event: ClientEvent, input: &Input) -> Result<(), PullError> {
        match event {
            ClientEvent::Video { timestamp, payload } => {
                self.tag(TagKind::Video, timestamp, payload);
            }
            ClientEvent::Audio { timestamp, payload } => {
                self.tag(TagKind::Audio, timestamp, payload);
            }
            ClientEvent::Data {
                timestamp,
                name,
                payload,
            } => {
                let mut body = BytesMut::with_capacity(3 + name.len() + payload.len());
                amf0::encode(&amf0::Value::String(name), &mut body);
                body.extend_from_slice(&payload);
                self.tag(TagKind::Script, timestamp, body.freeze());
            }
            ClientEvent::Rejected { code, description } => {
                let reason = if description.is_empty() {
                    code.clone()
                } else {
                    description
                };
                return Err(if code == "NetStream.Play.StreamNotFound" {
                    self.nobody(input)
                } else {
                    PullError::Refused {
                        input: input.to_string(),
                        reason,
                    }
                });
            }
            ClientEvent::Closed => self.closed = true,
            _ => {}
        }
        Ok(())
    }

    fn tag(&mut self, kind: TagKind, timestamp: u32, body: Bytes) {
        self.tags.push_back(Tag {
            kind,
            timestamp,
            body,
            offset: self.session.bytes_received(),
        });
    }
}
