//! One viewer: a socket and a place in the window.

mod input;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use hub::{Stream, ViewerHandle};
use rtmp::{ServerSession, StreamEnd};

use crate::counters::Counters;
use crate::entry::{Entry, Envelope, Framing};
use crate::image::Image;
use crate::place::{Place, Then, Wants, slices};
use crate::protocol::{Guard, NewViewer, Protocol};
use crate::socket::Socket;
use crate::window::{Lead, Window};
use crate::ws::WsInput;

/// Writes to one viewer in a row.
const MAX_WRITES: usize = 4;
/// How long a viewer that was told the end may take to close.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
/// A WebSocket close frame with status 1000 (RFC 6455 §5.5.1).
const WS_CLOSE: &[u8] = &[0x88, 2, 0x03, 0xe8];
/// The end of a chunked body (RFC 9112 §7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A viewer that a group serves.
pub(crate) struct Viewer {
    socket: Socket,
    framing: Framing,
    session: Option<Box<ServerSession>>,
    /// What a WebSocket viewer is in the middle of saying.
    ws_input: Option<Box<WsInput>>,
    message_stream_id: u32,
    handle: ViewerHandle,
    counters: Arc<Counters>,
    waker: Waker,
    place: Place,
    /// Sent before the first media: the FLV file header, whose flags the first join decides.
    wants_file_header: bool,
    wants: Wants,
    /// Where it was when it was cut off.
    cut_off_at: Option<u64>,
    /// Since when its socket has been full.
    blocked_since: Option<Instant>,
    /// Since when it finishes a message that the window has dropped. Bounds: what viewers hold on
    /// to that take a byte now and then.
    behind_since: Option<Instant>,
    /// When it gives up waiting for a publisher; `None` once it had media.
    wait_until: Option<Instant>,
    /// Since when it only waits for the peer to close.
    closing_since: Option<Instant>,
    _guard: Guard,
}

/// Why a viewer is gone.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It left, or everything was said.
    Left,
    /// Its connection broke.
    Io(io::Error),
    /// It broke the protocol.
    Rtmp(rtmp::Error),
    /// It took nothing for too long.
    Stalled,
    /// It asks without reading the answers; so many bytes wait.
    Flood(usize),
    /// An operator sent it away.
    Dropped(Box<str>),
}

impl Gone {
    /// What it is counted as, when it was our decision.
    pub(crate) fn cut(&self) -> Option<&'static str> {
        match self {
            Self::Left | Self::Io(_) => None,
            Self::Rtmp(_) => Some("violation"),
            Self::Stalled => Some("stalled"),
            Self::Flood(_) => Some("flood"),
            Self::Dropped(_) => Some("dropped"),
        }
    }
}

impl Viewer {
    /// Takes a viewer over; it is listed from now on.
    ///
    /// # Errors
    /// When the socket cannot be registered with this worker.
    pub(crate) fn new(
        new: NewViewer,
        window: &Window,
        counters: Arc<Counters>,
        waker: Waker,
    ) -> io::Result<Self> {
        let socket = new.socket.adopt()?;
        socket.prepare();
        let handle = new.stream.viewers().add(new.info);
        let (framing, session, message_stream_id, head) = match new.protocol {
            Protocol::Rtmp {
                session,
                message_stream_id,
            } => {
                let framing = Framing::Rtmp {
                    chunk_size: session.chunk_size(),
                    // Nobody has been seen beyond 2; such a one gets what most understand.
                    message_stream_id: u8::try_from(message_stream_id).unwrap_or(1),
                };
                (framing, Some(session), message_stream_id, Bytes::new())
            }
            Protocol::Flv { head, transfer } => (Framing::Flv(transfer.envelope()), None, 0, head),
            Protocol::WsFlv { head } => (Framing::Flv(Envelope::WebSocket), None, 0, head),
            Protocol::Ts { head, transfer } => (Framing::Ts(transfer.envelope()), None, 0, head),
        };
        let place = if head.is_empty() {
            Place::Waiting(window.start())
        } else {
            Place::Lead {
                entries: [Entry::Raw(head)].into(),
                offset: 0,
                then: Then::Join(window.start()),
            }
        };
        Ok(Self {
            socket,
            framing,
            ws_input: (framing.envelope() == Envelope::WebSocket).then(Box::default),
            session,
            message_stream_id,
            handle,
            counters,
            waker,
            place,
            wants_file_header: matches!(framing, Framing::Flv(_)),
            wants: Wants::ALL,
            cut_off_at: None,
            blocked_since: None,
            behind_since: None,
            wait_until: new.wait_until,
            closing_since: None,
            _guard: new.guard,
        })
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    pub(crate) fn handle(&self) -> &ViewerHandle {
        &self.handle
    }

    /// The oldest entry it still wants.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.place.wanted()
    }

    /// Whether it stands at `number`, with nothing of its own to say.
    pub(crate) fn is_at(&self, number: u64) -> bool {
        matches!(self.place, Place::Live { number: at, offset: 0 } if at == number)
            && self.blocked_since.is_none()
            && self.wants.is_all()
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Whether it has taken nothing for so long, or not even the rest of one message.
    pub(crate) fn is_stalled(&self, now: Instant, limit: std::time::Duration) -> bool {
        let waits = [self.blocked_since, self.behind_since];
        waits
            .into_iter()
            .flatten()
            .any(|since| now.saturating_duration_since(since) >= limit)
    }

    /// The window moved past it: it finishes the message it is in and waits for a join point.
    pub(crate) fn cut_off(&mut self, window: &Window, now: Instant) {
        let lost = self.place.cut_off(window);
        self.cut_off_at = self.cut_off_at.or(lost);
        if matches!(self.place, Place::Lead { .. }) {
            self.behind_since.get_or_insert(now);
        }
    }

    /// Whether nobody came to publish what it waits for.
    pub(crate) fn has_waited_out(&self, now: Instant, stream: &Stream) -> bool {
        self.wait_until.is_some_and(|until| now >= until) && !stream.is_active()
    }

    /// The stream is over, or never was: says so in the protocol's way once everything was sent.
    pub(crate) fn finish(&mut self, window: &Window, end: StreamEnd) {
        match &self.place {
            Place::Live { number, offset: 0 } if *number >= window.next() => {}
            Place::Waiting(_)
            | Place::Paused
            | Place::Lead {
                then: Then::Join(_) | Then::Pause,
                ..
            } => {}
            _ => return,
        }
        if let Some(session) = &mut self.session {
            session.end_play(self.message_stream_id, end);
            // What is too much here is found at its next word.
            let _ = self.take_answers(window);
        } else {
            match self.framing.envelope() {
                Envelope::None => {}
                Envelope::Chunked => self
                    .place
                    .say(window, Entry::Raw(Bytes::from_static(LAST_CHUNK))),
                Envelope::WebSocket => self
                    .place
                    .say(window, Entry::Raw(Bytes::from_static(WS_CLOSE))),
            }
        }
        match &mut self.place {
            Place::Lead { then, .. } => *then = Then::Close,
            place => {
                *place = Place::Lead {
                    entries: VecDeque::new(),
                    offset: 0,
                    then: Then::Close,
                };
            }
        }
    }

    /// Writes what is new to a viewer that has had all before; what its socket does not take it
    /// is given later, by [`Viewer::write`].
    pub(crate) fn write_image(
        &mut self,
        image: &Image,
        window: &Window,
        now: Instant,
    ) -> Result<(), Gone> {
        let mut cx = Context::from_waker(&self.waker);
        let count = match self.socket.poll_send(&mut cx, &image.bytes) {
            Poll::Pending => {
                self.blocked_since.get_or_insert(now);
                return Ok(());
            }
            Poll::Ready(Err(error)) => return Err(Gone::Io(error)),
            Poll::Ready(Ok(count)) => count,
        };
        self.count_out(count);
        if count == image.bytes.len() {
            self.place = Place::Live {
                number: image.to,
                offset: 0,
            };
            if image.to == window.released() && self.socket.is_plain() {
                return Ok(());
            }
        } else {
            self.place.advance(window, self.framing, self.wants, count);
        }
        self.write(window, now)
    }

    /// Writes as much as its socket takes of what it has not had.
    pub(crate) fn write(&mut self, window: &Window, now: Instant) -> Result<(), Gone> {
        let mut writes = 0;
        loop {
            self.settle(window);
            let wants = self.wants;
            let slices = match &self.place {
                Place::Waiting(_) | Place::Paused => break,
                Place::Closing => return self.say_goodbye(now),
                Place::Live { number, offset: 0 } if *number >= window.released() => break,
                Place::Live { number, offset } => {
                    let slices = slices(window.from(*number), self.framing, *offset, wants);
                    if slices.is_empty() {
                        self.place.advance(window, self.framing, wants, 0);
                        continue;
                    }
                    slices
                }
                Place::Lead {
                    entries, offset, ..
                } => slices(entries.iter(), self.framing, *offset, Wants::ALL),
            };
            let mut cx = Context::from_waker(&self.waker);
            match self.socket.poll_write(&mut cx, &slices) {
                Poll::Pending => {
                    self.blocked_since.get_or_insert(now);
                    return Ok(());
                }
                Poll::Ready(Err(error)) => return Err(Gone::Io(error)),
                Poll::Ready(Ok(0)) => return Err(Gone::Io(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.blocked_since = None;
                    self.count_out(count);
                    self.place.advance(window, self.framing, wants, count);
                }
            }
            writes += 1;
            if writes == MAX_WRITES {
                // Others first; then on.
                self.waker.wake_by_ref();
                return Ok(());
            }
        }
        // Where there is nothing to write its socket calls no more: what comes must be offered.
        self.blocked_since = None;
        match self
            .socket
            .poll_flush(&mut Context::from_waker(&self.waker))
        {
            Poll::Ready(Err(error)) => Err(Gone::Io(error)),
            _ => Ok(()),
        }
    }

    fn count_out(&self, bytes: usize) {
        self.handle
            .bytes_out
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Pushes out what encryption holds back, then says that no more comes.
    fn say_goodbye(&mut self, now: Instant) -> Result<(), Gone> {
        self.closing_since.get_or_insert(now);
        let mut cx = Context::from_waker(&self.waker);
        if let Poll::Ready(Err(error)) = self.socket.poll_flush(&mut cx) {
            return Err(Gone::Io(error));
        }
        match self.socket.poll_shutdown(&mut cx) {
            Poll::Ready(Err(error)) => Err(Gone::Io(error)),
            _ => Ok(()),
        }
    }

    /// Whether it said goodbye and the peer has had time to close.
    pub(crate) fn has_lingered(&self, now: Instant) -> bool {
        self.closing_since
            .is_some_and(|since| now.saturating_duration_since(since) >= LINGER)
    }

    /// Moves on from where nothing is to be written.
    fn settle(&mut self, window: &Window) {
        loop {
            match &self.place {
                Place::Lead { entries, then, .. } if entries.is_empty() => {
                    self.behind_since = None;
                    self.place = match *then {
                        Then::Join(start) => Place::Waiting(start),
                        Then::At(number) => Place::Live { number, offset: 0 },
                        Then::Pause => Place::Paused,
                        Then::Close => Place::Closing,
                    };
                }
                Place::Waiting(start) => {
                    let Some((number, lead)) = window.join(*start) else {
                        return;
                    };
                    self.join(number, &lead);
                }
                _ => return,
            }
        }
    }

    fn join(&mut self, number: u64, lead: &Lead) {
        self.wait_until = None;
        if let Some(was) = self.cut_off_at.take() {
            self.handle.skips.fetch_add(1, Ordering::Relaxed);
            self.counters.count_skip(self.handle.info.protocol);
            let missed = number.saturating_sub(was);
            self.handle
                .frames_missed
                .fetch_add(missed, Ordering::Relaxed);
        }
        let mut entries: VecDeque<_> = lead.entries.iter().cloned().collect();
        if std::mem::take(&mut self.wants_file_header) {
            let header = remux::flv::file_header(lead.audio, lead.video);
            entries.push_front(Entry::body(Bytes::copy_from_slice(&header)));
        }
        self.place = Place::Lead {
            entries,
            offset: 0,
            then: Then::At(number),
        };
    }

    /// Closes the connection as far as that needs no waiting.
    pub(crate) fn close(mut self, gone: &Gone) {
        if matches!(gone, Gone::Left | Gone::Dropped(_) | Gone::Rtmp(_)) {
            let _ = self
                .socket
                .poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}
