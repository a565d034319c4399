//! The server session: its public face, time, and what the shell decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::stream::{Role, Streams};
use super::{ServerConfig, ServerEvent, StreamEnd, answer};
use crate::chunk::{MAX_CHUNK_SIZE, MessageHeader};
use crate::message::UserControl;
use crate::session::{Core, Input, KEPT_EVENTS};
use crate::{Error, Limits};

/// One connection, seen from the server.
///
/// # Contract
/// - After `handle_input`, `handle_timeout` and each `accept_*` or `reject_*`: drain `poll_event`,
///   then `poll_transmit`, then ask `poll_timeout`.
/// - After [`ServerEvent::Connect`], [`ServerEvent::Publish`] and [`ServerEvent::Play`] nothing that
///   the peer sent later is looked at before the shell has answered, so a client that does not wait
///   for answers gets the same ones in the same order. Input given meanwhile is held, bounded by
///   [`Limits::undecided_bytes`].
/// - After an error the connection must be closed; `poll_transmit` may still hold an answer that says
///   why, further input is an [`Error::Misuse`].
/// - Answers may be written between any two whole messages of media, never inside one.
///
/// A session holds no buffer while nothing is under way (under 2 KiB in all), so that thousands of
/// players can keep theirs.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) config: Arc<ServerConfig>,
    pub(super) core: Core,
    pub(super) events: VecDeque<ServerEvent>,
    pub(super) connection: Connection,
    /// What the shell has to decide; nothing is read meanwhile.
    pub(super) decision: Option<Decision>,
    /// Input that waits for the decision.
    held: BytesMut,
    pub(super) streams: Streams,
    /// By when there must be a publish or a play; `None` while there is one.
    setup_by: Option<Instant>,
    /// A ping that nothing has come in after.
    pinged: Option<Instant>,
}

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Before an accepted `connect`.
    New,
    Accepted,
    /// Refused: everything is ignored until the shell closes.
    Rejected,
}

/// A request that the shell has to decide about.
#[derive(Debug)]
pub(super) enum Decision {
    Connect {
        transaction_id: f64,
        enhanced: bool,
        object_encoding: f64,
    },
    Publish {
        message_stream_id: u32,
        name: Box<str>,
    },
    Play {
        message_stream_id: u32,
        reset: bool,
    },
}

impl ServerSession {
    /// A session for a connection opened at `now`.
    pub fn new(config: Arc<ServerConfig>, limits: Limits, now: Instant) -> Self {
        Self {
            config,
            core: Core::server(limits, now),
            events: VecDeque::new(),
            connection: Connection::New,
            decision: None,
            held: BytesMut::new(),
            streams: Streams::default(),
            setup_by: Some(now + limits.setup_time),
            pinged: None,
        }
    }

    /// Takes bytes from the peer, all of them. May be given any split of the same bytes.
    ///
    /// # Errors
    /// When the peer broke the protocol or reached a limit; see the contract.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) -> Result<(), Error> {
        self.core.note_input(now, input.len())?;
        self.pinged = None;
        if self.decision.is_none() {
            self.process(&mut input)?;
        }
        self.hold(input)?;
        self.core.acknowledge();
        Ok(())
    }

    /// The next event, in the order of the messages that caused them.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front();
        if event.is_none() && self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        event
    }

    /// Bytes for the peer; `None` when there are none. They are whole messages.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.core.poll_transmit()
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if let Some(setup_by) = self.setup_by {
            return Some(setup_by);
        }
        if self.streams.any_publishing() {
            return Some(self.core.last_input + self.config.publisher_idle);
        }
        Some(match self.pinged {
            None => self.core.last_input + self.config.player_ping,
            Some(at) => at + self.config.player_ping_answer,
        })
    }

    /// Handles the passing of time. May be called early or often.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when the peer took too long to get to publishing or playing, or fell silent.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.core.note_time(now);
        if self.poll_timeout().is_none_or(|at| now < at) {
            return Ok(());
        }
        let (awaited, time) = if self.setup_by.is_some() {
            ("publish or play", self.core.limits.setup_time)
        } else if self.streams.any_publishing() {
            ("data from the publisher", self.config.publisher_idle)
        } else if self.pinged.is_some() {
            ("answer to a ping", self.config.player_ping_answer)
        } else {
            self.pinged = Some(now);
            let millis = now.saturating_duration_since(self.core.created).as_millis();
            // Ping times wrap like all RTMP times.
            let timestamp = u32::try_from(millis & u128::from(u32::MAX)).unwrap_or(0);
            self.core
                .send_user_control(UserControl::PingRequest { timestamp });
            return Ok(());
        };
        self.core.fail();
        Err(Error::TimedOut {
            awaited,
            seconds: time.as_secs(),
        })
    }

    /// Answers [`ServerEvent::Connect`]: yes. Then continues with input held back.
    ///
    /// # Errors
    /// As [`Self::handle_input`]; [`Error::Misuse`] when no connect is undecided.
    pub fn accept_connect(&mut self) -> Result<(), Error> {
        let (transaction_id, enhanced, object_encoding) = self.take_connect()?;
        self.core.send_window_ack_size(self.config.window_ack_bytes);
        self.core.send_peer_bandwidth(self.config.window_ack_bytes);
        self.core
            .send_chunk_size(self.config.chunk_size.clamp(1, MAX_CHUNK_SIZE));
        let capabilities = enhanced.then_some(&self.config.enhanced);
        let result = answer::connected(transaction_id, object_encoding, capabilities);
        self.core.send_command(0, &result);
        self.connection = Connection::Accepted;
        self.resume()
    }

    /// Answers [`ServerEvent::Connect`]: no. The shell sends what `poll_transmit` has and closes.
    /// `code` is for example `NetConnection.Connect.Rejected` or `NetConnection.Connect.InvalidApp`.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no connect is undecided.
    pub fn reject_connect(&mut self, code: &str, description: &str) -> Result<(), Error> {
        let (transaction_id, ..) = self.take_connect()?;
        let error = answer::error(transaction_id, code, description);
        self.core.send_command(0, &error);
        self.connection = Connection::Rejected;
        self.resume()
    }

    /// Answers [`ServerEvent::Publish`]: yes (StreamBegin and `NetStream.Publish.Start`). Then
    /// continues with input held back. From now on messages may be as long as media is.
    ///
    /// # Errors
    /// As [`Self::handle_input`]; [`Error::Misuse`] when that publish is not undecided.
    pub fn accept_publish(&mut self, message_stream_id: u32) -> Result<(), Error> {
        let name = self.take_publish(message_stream_id)?;
        self.streams
            .set(message_stream_id, Role::Publishing { name });
        self.core.allow_media();
        self.setup_by = None;
        self.core
            .send_user_control(UserControl::StreamBegin { message_stream_id });
        self.send_status(
            message_stream_id,
            "status",
            "NetStream.Publish.Start",
            "Publishing.",
        );
        self.resume()
    }

    /// Answers [`ServerEvent::Publish`]: no, by an `onStatus` of level error. `code` is for example
    /// `NetStream.Publish.BadName` or `NetStream.Publish.Denied`. The client may try again within
    /// [`Limits::setup_time`]; continues with input held back.
    ///
    /// # Errors
    /// As [`Self::accept_publish`].
    pub fn reject_publish(
        &mut self,
        message_stream_id: u32,
        code: &str,
        description: &str,
    ) -> Result<(), Error> {
        self.take_publish(message_stream_id)?;
        self.send_status(message_stream_id, "error", code, description);
        self.resume()
    }

    /// Answers [`ServerEvent::Play`]: yes (StreamBegin, `NetStream.Play.Reset` if asked for,
    /// `NetStream.Play.Start`). Media may follow at once, or much later.
    ///
    /// # Errors
    /// As [`Self::accept_publish`].
    pub fn accept_play(&mut self, message_stream_id: u32) -> Result<(), Error> {
        let reset = self.take_play(message_stream_id)?;
        self.streams.set(message_stream_id, Role::Playing);
        self.setup_by = None;
        self.core
            .send_user_control(UserControl::StreamBegin { message_stream_id });
        if reset {
            let description = "Playing and resetting.";
            self.send_status(
                message_stream_id,
                "status",
                "NetStream.Play.Reset",
                description,
            );
        }
        self.send_status(
            message_stream_id,
            "status",
            "NetStream.Play.Start",
            "Playing.",
        );
        self.resume()
    }

    /// Answers [`ServerEvent::Play`]: no. `code` is for example `NetStream.Play.StreamNotFound` or
    /// `NetStream.Play.Failed`.
    ///
    /// # Errors
    /// As [`Self::accept_publish`].
    pub fn reject_play(
        &mut self,
        message_stream_id: u32,
        code: &str,
        description: &str,
    ) -> Result<(), Error> {
        self.take_play(message_stream_id)?;
        self.send_status(message_stream_id, "error", code, description);
        self.resume()
    }

    /// Tells a player that its stream has ended: the status of `end`, then StreamEOF. The message
    /// stream may play again; without effect when it does not play.
    pub fn end_play(&mut self, message_stream_id: u32, end: StreamEnd) {
        if !matches!(self.streams.role(message_stream_id), Some(Role::Playing)) {
            return;
        }
        self.streams.set(message_stream_id, Role::Idle);
        match end {
            StreamEnd::Unpublished => {
                let code = "NetStream.Play.UnpublishNotify";
                self.send_status(
                    message_stream_id,
                    "status",
                    code,
                    "The publisher has ended.",
                );
            }
            StreamEnd::NotFound => {
                let code = "NetStream.Play.StreamNotFound";
                let why = "nobody publishes this stream yet; start the publisher";
                self.send_status(message_stream_id, "error", code, why);
            }
            StreamEnd::Complete => {
                let (header, payload) = answer::play_complete(message_stream_id);
                self.core.send_payload(header, &payload);
                let code = "NetStream.Play.Stop";
                self.send_status(message_stream_id, "status", code, "Played to the end.");
            }
        }
        self.core
            .send_user_control(UserControl::StreamEof { message_stream_id });
        self.await_setup(self.config.publisher_idle);
    }

    /// Tells a publisher that it must stop, by an `onStatus` of level error such as
    /// `NetStream.Publish.Failed`. Its further media is dropped; the shell usually closes.
    pub fn end_publish(&mut self, message_stream_id: u32, code: &str, description: &str) {
        if matches!(
            self.streams.role(message_stream_id),
            Some(Role::Publishing { .. })
        ) {
            self.streams.set(message_stream_id, Role::Idle);
            self.send_status(message_stream_id, "error", code, description);
            self.await_setup(self.config.publisher_idle);
        }
    }

    /// Appends a whole message to what `poll_transmit` returns, by copying `payload`. For data
    /// messages and other rare things; media goes to the socket directly. `header.length` is set
    /// from `payload`.
    pub fn send_message(&mut self, header: MessageHeader, payload: &[u8]) {
        self.core.send_message(header, payload);
    }

    /// The chunk size that the client was told (before `accept_connect`: 128); all media to it is
    /// cut so.
    pub fn chunk_size(&self) -> u32 {
        self.core.writer.chunk_size()
    }

    /// Bytes received since the connection was opened, the handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.core.received()
    }

    /// Checks what must always hold; for tests and fuzz targets.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check_invariants(&self) {
        self.core.check_invariants();
        assert!(
            self.held.len() <= self.core.limits.undecided_bytes,
            "held input bounded"
        );
        assert!(
            self.held.is_empty() || self.decision.is_some(),
            "input held for a decision only"
        );
        assert!(
            self.streams.len() <= self.core.limits.message_streams,
            "message streams bounded"
        );
        assert_eq!(
            self.setup_by.is_none(),
            self.streams.any_active(),
            "setup time runs when idle"
        );
    }

    /// Reads `input` as far as the next decision.
    fn process(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        while self.decision.is_none() {
            let Some(event) = self.core.next(input)? else {
                break;
            };
            if let Input::Message(message) = event {
                self.handle_message(message)
                    .inspect_err(|_| self.core.fail())?;
            }
        }
        Ok(())
    }

    /// Keeps input for after the decision.
    fn hold(&mut self, input: &[u8]) -> Result<(), Error> {
        let max = self.core.limits.undecided_bytes;
        if self.held.len().saturating_add(input.len()) > max {
            self.core.fail();
            let max = u64::try_from(max).unwrap_or(u64::MAX);
            let offset = self.core.received();
            return Err(Error::LimitReached {
                what: "bytes sent before an answer",
                max,
                offset,
            });
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// Goes on with input that waited for a decision.
    fn resume(&mut self) -> Result<(), Error> {
        let mut held = std::mem::take(&mut self.held);
        let mut input: &[u8] = &held;
        self.process(&mut input)?;
        let left = input.len();
        held.advance(held.len() - left);
        if left > 0 {
            self.held = held;
        }
        Ok(())
    }

    /// Starts the setup time anew when nothing is published or played any more. `stale` is how long
    /// ago the session may have been told the time.
    pub(super) fn await_setup(&mut self, stale: Duration) {
        if self.setup_by.is_none() && !self.streams.any_active() {
            self.setup_by = Some(self.core.now + self.core.limits.setup_time + stale);
        }
    }

    pub(super) fn send_status(&mut self, stream: u32, level: &str, code: &str, description: &str) {
        self.core
            .send_command(stream, &answer::status(level, code, description));
    }

    fn take_connect(&mut self) -> Result<(f64, bool, f64), Error> {
        match self.decision.take() {
            Some(Decision::Connect {
                transaction_id,
                enhanced,
                object_encoding,
            }) => Ok((transaction_id, enhanced, object_encoding)),
            other => self.put_back(other, "no connect to decide about"),
        }
    }

    fn take_publish(&mut self, id: u32) -> Result<Box<str>, Error> {
        match self.decision.take() {
            Some(Decision::Publish {
                message_stream_id,
                name,
            }) if message_stream_id == id => Ok(name),
            other => self.put_back(other, "no publish to decide about"),
        }
    }

    fn take_play(&mut self, id: u32) -> Result<bool, Error> {
        match self.decision.take() {
            Some(Decision::Play {
                message_stream_id,
                reset,
            }) if message_stream_id == id => Ok(reset),
            other => self.put_back(other, "no play to decide about"),
        }
    }

    fn put_back<T>(&mut self, other: Option<Decision>, what: &'static str) -> Result<T, Error> {
        self.decision = other;
        Err(Error::Misuse { what })
    }
}
