//! The client session.

use std::collections::VecDeque;
use std::time::Instant;

use amf0::Value;
use bytes::Bytes;

use super::request::{self, CONNECT, CREATE_STREAM};
use super::{ClientConfig, ClientEvent};
use crate::chunk::{MAX_CHUNK_SIZE, Message, MessageHeader};
use crate::message::{Aggregate, Command, Data, UserControl, type_id};
use crate::session::{Core, Input, KEPT_EVENTS};
use crate::{Capabilities, Error, Limits};

/// One connection, seen from the client: publishes one stream or plays one.
///
/// # Contract
/// Drain `poll_transmit` at once after creation (the handshake's first bytes), and after each
/// `handle_input` and `handle_timeout`: `poll_event`, `poll_transmit`, `poll_timeout`. After
/// [`ClientEvent::Ready`] of a publish, the shell writes media itself with [`Self::chunk_size`] and
/// [`Self::message_stream_id`] (see [`crate::chunk::slices`]) or lets [`Self::send_message`] copy it;
/// answers of the session may be written between any two whole messages, never inside one. After an
/// error, [`ClientEvent::Rejected`] or [`ClientEvent::Closed`] the connection must be closed.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    purpose: Purpose,
    core: Core,
    events: VecDeque<ClientEvent>,
    step: Step,
    /// By when [`ClientEvent::Ready`] must have come.
    ready_by: Instant,
    server_capabilities: Option<Capabilities>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Publish,
    Play,
}

/// What the session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Handshake,
    /// The result of `connect`.
    Connect,
    /// The result of `createStream`.
    CreateStream,
    /// The status of `publish` or `play`.
    Start {
        message_stream_id: u32,
    },
    Ready {
        message_stream_id: u32,
    },
    /// Refused or ended: everything is ignored until the shell closes.
    Over,
}

impl ClientSession {
    /// A session that publishes, on a connection opened at `now`.
    pub fn publish(config: ClientConfig, limits: Limits, now: Instant) -> Self {
        Self::new(config, Purpose::Publish, limits, now)
    }

    /// A session that plays, on a connection opened at `now`.
    pub fn play(config: ClientConfig, limits: Limits, now: Instant) -> Self {
        Self::new(config, Purpose::Play, limits, now)
    }

    fn new(config: ClientConfig, purpose: Purpose, limits: Limits, now: Instant) -> Self {
        Self {
            config,
            purpose,
            core: Core::client(limits, now),
            events: VecDeque::new(),
            step: Step::Handshake,
            ready_by: now + limits.setup_time,
            server_capabilities: None,
        }
    }

    /// Takes bytes from the server, all of them. May be given any split of the same bytes.
    ///
    /// # Errors
    /// When the server broke the protocol or reached a limit.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) -> Result<(), Error> {
        self.core.note_input(now, input.len())?;
        while let Some(event) = self.core.next(&mut input)? {
            match event {
                Input::HandshakeDone => self.connect(),
                Input::UserControl(event) => self.handle_user_control(event),
                Input::Message(message) => {
                    self.handle_message(message)
                        .inspect_err(|_| self.core.fail())?;
                }
            }
        }
        self.core.acknowledge();
        Ok(())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        let event = self.events.pop_front();
        if event.is_none() && self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        event
    }

    /// Bytes for the server; `None` when there are none. Whole messages, once the handshake is done.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.core.poll_transmit()
    }

    /// When to call `handle_timeout` next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.step {
            Step::Ready { .. } => Some(self.core.last_input + self.config.idle?),
            Step::Over => None,
            _ => Some(self.ready_by),
        }
    }

    /// Handles the passing of time. May be called early or often.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when [`ClientEvent::Ready`] did not come within [`Limits::setup_time`], or
    /// the server was silent for [`ClientConfig::idle`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.core.note_time(now);
        if self.poll_timeout().is_none_or(|at| now < at) {
            return Ok(());
        }
        let setup_time = self.core.limits.setup_time;
        let (awaited, time) = match self.step {
            Step::Handshake => ("handshake", setup_time),
            Step::Connect => ("answer to connect", setup_time),
            Step::CreateStream => ("answer to createStream", setup_time),
            Step::Start { .. } => ("answer to publish or play", setup_time),
            Step::Ready { .. } | Step::Over => {
                ("data from the server", self.config.idle.unwrap_or_default())
            }
        };
        self.core.fail();
        Err(Error::TimedOut {
            awaited,
            seconds: time.as_secs(),
        })
    }

    /// Ends a publish or play in an orderly way: `FCUnpublish` (publish) and `deleteStream`. The
    /// shell sends what `poll_transmit` has and closes.
    pub fn unpublish(&mut self) {
        if let Some(message_stream_id) = self.message_stream_id() {
            if self.purpose == Purpose::Publish {
                self.core
                    .send_command(0, &request::fc_unpublish(&self.config.stream_key));
            }
            self.core
                .send_command(0, &request::delete_stream(message_stream_id));
        }
        self.step = Step::Over;
    }

    /// Appends a whole message to what `poll_transmit` returns, by copying `payload`.
    /// `header.length` is set from `payload`; the caller bounds how much it queues.
    pub fn send_message(&mut self, header: MessageHeader, payload: &[u8]) {
        self.core.send_message(header, payload);
    }

    /// The message stream of the publish or play; `None` before the server has created it, and when
    /// all is over.
    pub fn message_stream_id(&self) -> Option<u32> {
        match self.step {
            Step::Start { message_stream_id } | Step::Ready { message_stream_id } => {
                Some(message_stream_id)
            }
            _ => None,
        }
    }

    /// The chunk size that the server was told (before that: 128); media must be cut so. Final once
    /// [`ClientEvent::Ready`] was reported.
    pub fn chunk_size(&self) -> u32 {
        self.core.writer.chunk_size()
    }

    /// What the server answered about Enhanced RTMP; `None` when it said nothing.
    pub fn server_capabilities(&self) -> Option<&Capabilities> {
        self.server_capabilities.as_ref()
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
    }

    fn connect(&mut self) {
        self.core.send_command(0, &request::connect(&self.config));
        self.step = Step::Connect;
    }

    fn handle_user_control(&mut self, event: UserControl) {
        let UserControl::StreamEof { message_stream_id } = event else {
            return;
        };
        // A publisher is told EOF by some servers when an earlier one of its name is gone.
        let ours = self.step == Step::Ready { message_stream_id };
        if ours && self.purpose == Purpose::Play {
            self.close();
        }
    }

    fn handle_message(&mut self, message: Message) -> Result<(), Error> {
        match message.type_id {
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => {
                let command =
                    Command::parse(&message, &self.core.limits.amf).map_err(|source| {
                        Error::Command {
                            offset: self.core.offset(),
                            source,
                        }
                    })?;
                if let Some(command) = command {
                    self.handle_command(&command);
                }
            }
            type_id::AGGREGATE => {
                Aggregate::new(message).for_each(|message| self.handle_media(message))
            }
            _ => self.handle_media(message),
        }
        Ok(())
    }

    /// Audio, video and data while playing; everything else is skipped.
    fn handle_media(&mut self, message: Message) {
        let Message {
            timestamp,
            payload,
            type_id,
            message_stream_id,
            ..
        } = message;
        let ours = self.message_stream_id() == Some(message_stream_id) || message_stream_id == 0;
        if self.purpose == Purpose::Publish || !ours || payload.is_empty() {
            return;
        }
        let event = match type_id {
            type_id::VIDEO => ClientEvent::Video { timestamp, payload },
            type_id::AUDIO => ClientEvent::Audio { timestamp, payload },
            type_id::DATA_AMF0 | type_id::DATA_AMF3 => {
                match Data::parse(type_id, payload, &self.core.limits.amf) {
                    // Permissions for script access: about the player, not the stream.
                    Some(Data::Call { name, .. }) if name == "|RtmpSampleAccess" => return,
                    Some(Data::Call {
                        name,
                        values: payload,
                    }) => ClientEvent::Data {
                        timestamp,
                        name,
                        payload,
                    },
                    _ => return,
                }
            }
            _ => return,
        };
        // Some servers send media without ever saying that playing has begun.
        self.ready();
        if matches!(self.step, Step::Ready { .. }) {
            self.events.push_back(event);
        }
    }

    fn handle_command(&mut self, command: &Command) {
        if self.step == Step::Over {
            return;
        }
        match command.name.as_str() {
            "_result" => self.handle_result(command),
            "_error" => self.handle_error(command),
            "onStatus" => self.handle_status(command),
            "close" => self.close(),
            _ => {}
        }
    }

    fn handle_result(&mut self, command: &Command) {
        match self.step {
            Step::Connect if command.transaction_id == CONNECT => self.create_stream(command),
            Step::CreateStream if command.transaction_id == CREATE_STREAM => {
                match command.argument(1).as_u32() {
                    Some(message_stream_id) => self.start(message_stream_id),
                    None => self.reject(&Value::Null, "The server created no message stream."),
                }
            }
            _ => {}
        }
    }

    /// Errors of `releaseStream` and `FCPublish` mean nothing: many servers do not know them.
    fn handle_error(&mut self, command: &Command) {
        let awaited = match self.step {
            Step::Connect => CONNECT,
            Step::CreateStream => CREATE_STREAM,
            Step::Start { .. } => request::START,
            _ => return,
        };
        if command.transaction_id == awaited {
            self.reject(command.argument(1), "The server gave no reason.");
        }
    }

    fn create_stream(&mut self, result: &Command) {
        let capabilities = Capabilities::from_properties(result.argument(1));
        self.server_capabilities =
            capabilities.or_else(|| Capabilities::from_properties(result.object()));
        self.core.send_window_ack_size(self.config.window_ack_bytes);
        self.core
            .send_chunk_size(self.config.chunk_size.clamp(1, MAX_CHUNK_SIZE));
        if self.purpose == Purpose::Publish {
            // Several CDNs refuse a publish that these did not announce.
            self.core
                .send_command(0, &request::release_stream(&self.config.stream_key));
            self.core
                .send_command(0, &request::fc_publish(&self.config.stream_key));
        }
        self.core.send_command(0, &request::create_stream());
        self.step = Step::CreateStream;
    }

    fn start(&mut self, message_stream_id: u32) {
        let command = match self.purpose {
            Purpose::Publish => request::publish(&self.config.stream_key),
            Purpose::Play => request::play(&self.config.stream_key),
        };
        self.core.send_command(message_stream_id, &command);
        if self.purpose == Purpose::Play {
            self.core.allow_media();
            let millis = 3000;
            self.core.send_user_control(UserControl::SetBufferLength {
                message_stream_id,
                millis,
            });
        }
        self.step = Step::Start { message_stream_id };
    }

    fn handle_status(&mut self, command: &Command) {
        let Status {
            level,
            code,
            description,
        } = Status::of(command.argument(1));
        self.events.push_back(ClientEvent::Status {
            level: level.clone(),
            code: code.clone(),
            description,
        });
        let started = match self.purpose {
            Purpose::Publish => code == "NetStream.Publish.Start",
            Purpose::Play => code == "NetStream.Play.Start",
        };
        let ended = matches!(
            code.as_str(),
            "NetStream.Play.UnpublishNotify"
                | "NetStream.Play.Stop"
                | "NetStream.Play.Complete"
                | "NetStream.Unpublish.Success"
                | "NetConnection.Connect.Closed"
        );
        match self.step {
            Step::Start { .. } if started => self.ready(),
            Step::Start { .. } if level == "error" => {
                self.reject(command.argument(1), "The server gave no reason.");
            }
            Step::Ready { .. } if ended || level == "error" => self.close(),
            _ => {}
        }
    }

    fn ready(&mut self) {
        if let Step::Start { message_stream_id } = self.step {
            self.step = Step::Ready { message_stream_id };
            self.events.push_back(ClientEvent::Ready);
        }
    }

    fn reject(&mut self, information: &Value, otherwise: &str) {
        let Status {
            code,
            mut description,
            ..
        } = Status::of(information);
        if description.is_empty() {
            otherwise.clone_into(&mut description);
        }
        self.step = Step::Over;
        self.events
            .push_back(ClientEvent::Rejected { code, description });
    }

    fn close(&mut self) {
        self.step = Step::Over;
        self.events.push_back(ClientEvent::Closed);
    }
}

/// An information object.
struct Status {
    level: String,
    code: String,
    description: String,
}

impl Status {
    fn of(information: &Value) -> Self {
        let text = |name| {
            information
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            level: text("level"),
            code: text("code"),
            description: text("description"),
        }
    }
}
