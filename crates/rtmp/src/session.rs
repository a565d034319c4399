//! What both kinds of session share: handshake, chunks, acknowledgements, pings, answers.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::chunk::{Message, MessageHeader, Reader, Writer};
use crate::handshake::Handshake;
use crate::message::{Command, UserControl, control, type_id};
use crate::{Error, Limits};

/// Acknowledge after this many bytes when the peer does not say; what Flash servers used.
const DEFAULT_ACK_WINDOW: u32 = 2_500_000;

/// Room for events that a drained session keeps: what one read of a publisher fills, so that media
/// costs no allocation but its payload, and no more, so that a burst is not remembered in memory.
pub(crate) const KEPT_EVENTS: usize = 32;

/// What both kinds of session share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) limits: Limits,
    phase: Phase,
    pub(crate) writer: Writer,
    /// Answers not yet taken.
    out: BytesMut,
    /// How much of `out` the shell itself queued; not counted as answers.
    queued_by_shell: usize,
    /// Bytes received, the handshake included.
    received: u64,
    /// `received` at the last acknowledgement.
    acknowledged: u64,
    /// The peer's window in bytes; 0 asks for no acknowledgements.
    ack_window: u32,
    pub(crate) created: Instant,
    /// The latest time this session was told.
    pub(crate) now: Instant,
    pub(crate) last_input: Instant,
}

#[derive(Debug)]
enum Phase {
    Handshake(Handshake),
    Chunks(Box<Reader>),
    Failed,
}

/// What came in.
pub(crate) enum Input {
    HandshakeDone,
    UserControl(UserControl),
    /// Any other message, but for those that the core handles itself.
    Message(Message),
}

impl Core {
    pub(crate) fn server(limits: Limits, now: Instant) -> Self {
        Self::new(limits, now, Phase::Handshake(Handshake::server()))
    }

    pub(crate) fn client(limits: Limits, now: Instant) -> Self {
        match Handshake::client() {
            Ok((handshake, first)) => {
                let mut core = Self::new(limits, now, Phase::Handshake(handshake));
                core.out.extend_from_slice(&first);
                core
            }
            Err(_) => Self::new(limits, now, Phase::Failed),
        }
    }

    fn new(limits: Limits, now: Instant, phase: Phase) -> Self {
        Self {
            limits,
            phase,
            writer: Writer::new(),
            out: BytesMut::new(),
            queued_by_shell: 0,
            received: 0,
            acknowledged: 0,
            ack_window: DEFAULT_ACK_WINDOW,
            created: now,
            now,
            last_input: now,
        }
    }

    /// Notes that `len` bytes came in at `now`.
    ///
    /// # Errors
    /// When the session failed before.
    pub(crate) fn note_input(&mut self, now: Instant, len: usize) -> Result<(), Error> {
        if matches!(self.phase, Phase::Failed) {
            return Err(Error::Misuse {
                what: "input after an error",
            });
        }
        self.note_time(now);
        self.last_input = self.now;
        self.received = self
            .received
            .wrapping_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(())
    }

    pub(crate) fn note_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Reads on in `input`, moving it; `None` when more is needed.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Input>, Error> {
        match self.read_input(input) {
            Err(error) => {
                self.fail();
                Err(error)
            }
            ok => ok,
        }
    }

    pub(crate) fn fail(&mut self) {
        self.phase = Phase::Failed;
    }

    fn read_input(&mut self, input: &mut &[u8]) -> Result<Option<Input>, Error> {
        loop {
            self.check_answers()?;
            let reader = match &mut self.phase {
                Phase::Failed => {
                    return Err(Error::Misuse {
                        what: "input after an error",
                    });
                }
                Phase::Handshake(handshake) => {
                    let mut answer = Vec::new();
                    let done = handshake.read(input, &mut answer)?;
                    self.out.extend_from_slice(&answer);
                    if !done {
                        return Ok(None);
                    }
                    let offset = self.received - u64::try_from(input.len()).unwrap_or(0);
                    self.phase = Phase::Chunks(Box::new(Reader::new(self.limits, offset)));
                    return Ok(Some(Input::HandshakeDone));
                }
                Phase::Chunks(reader) => reader,
            };
            let Some(message) = reader.read(input)? else {
                return Ok(None);
            };
            match message.type_id {
                // The reader obeyed these.
                type_id::SET_CHUNK_SIZE | type_id::ABORT => {}
                // Nothing here waits for acknowledgements: TCP does.
                type_id::ACKNOWLEDGEMENT => {}
                type_id::WINDOW_ACK_SIZE => {
                    self.ack_window = value(&message).unwrap_or(self.ack_window)
                }
                // The answer to a bandwidth is our window (§5.4.5); one is enough.
                type_id::SET_PEER_BANDWIDTH => {
                    if let Some(window) = value(&message) {
                        control::window_ack_size(&self.writer, window, &mut self.out);
                    }
                }
                type_id::USER_CONTROL => match UserControl::parse(&message.payload) {
                    None => {}
                    Some(UserControl::PingRequest { timestamp }) => {
                        self.send_user_control(UserControl::PingResponse { timestamp });
                    }
                    Some(event) => return Ok(Some(Input::UserControl(event))),
                },
                _ => return Ok(Some(Input::Message(message))),
            }
        }
    }

    fn check_answers(&self) -> Result<(), Error> {
        let max = self.limits.transmit_bytes;
        if self.out.len().saturating_sub(self.queued_by_shell) <= max {
            return Ok(());
        }
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        Err(Error::LimitReached {
            what: "bytes of answers not taken",
            max,
            offset: self.offset(),
        })
    }

    /// Sends an acknowledgement when one is due: never more than one for each call.
    pub(crate) fn acknowledge(&mut self) {
        let since = self.received.wrapping_sub(self.acknowledged);
        let past_handshake = matches!(self.phase, Phase::Chunks(_));
        if past_handshake && self.ack_window > 0 && since >= u64::from(self.ack_window) {
            self.acknowledged = self.received;
            let [_, _, _, _, low @ ..] = self.received.to_be_bytes();
            control::acknowledgement(&self.writer, u32::from_be_bytes(low), &mut self.out);
        }
    }

    /// Bytes received since the connection was opened.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes read, for errors.
    pub(crate) fn offset(&self) -> u64 {
        match &self.phase {
            Phase::Chunks(reader) => reader.offset(),
            _ => self.received,
        }
    }

    pub(crate) fn allow_media(&mut self) {
        if let Phase::Chunks(reader) = &mut self.phase {
            reader.allow_media(true);
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.queued_by_shell = 0;
        // Taken whole, so that an idle session holds no buffer.
        let out = std::mem::take(&mut self.out);
        (!out.is_empty()).then(|| out.freeze())
    }

    pub(crate) fn send_command(&mut self, message_stream_id: u32, command: &Command) {
        command.write(&self.writer, message_stream_id, &mut self.out);
    }

    pub(crate) fn send_user_control(&mut self, event: UserControl) {
        event.write(&self.writer, &mut self.out);
    }

    pub(crate) fn send_window_ack_size(&mut self, bytes: u32) {
        control::window_ack_size(&self.writer, bytes, &mut self.out);
    }

    pub(crate) fn send_peer_bandwidth(&mut self, bytes: u32) {
        control::set_peer_bandwidth(&self.writer, bytes, &mut self.out);
    }

    pub(crate) fn send_chunk_size(&mut self, chunk_size: u32) {
        control::set_chunk_size(&mut self.writer, chunk_size, &mut self.out);
    }

    /// Queues a message of the session's own; counts as an answer.
    pub(crate) fn send_payload(&mut self, header: MessageHeader, payload: &[u8]) {
        self.writer.write(header, payload, &mut self.out);
    }

    /// Queues a message for the shell.
    pub(crate) fn send_message(&mut self, header: MessageHeader, payload: &[u8]) {
        let before = self.out.len();
        self.writer.write(header, payload, &mut self.out);
        self.queued_by_shell += self.out.len() - before;
    }

    pub(crate) fn check_invariants(&self) {
        if let Phase::Chunks(reader) = &self.phase {
            reader.check_invariants();
        }
    }
}

/// The value of a control message; `None` when it is too short, which is ignored.
fn value(message: &Message) -> Option<u32> {
    message
        .payload
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
