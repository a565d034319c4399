//! A client session on a socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use remux::flv::{TagBody, TagKind};
use rtmp::chunk::{self, EncodedHeader, MessageHeader};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Url};
use tokio::io::ReadBuf;
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::config::Config;
use crate::error::Error;
use crate::redact::Redact;
use crate::socket::Socket;

/// Bytes read at once: servers send little to publishers.
const READ_BYTES: usize = 16 << 10;
/// Reads in a row before writing goes on: a server that floods must not hold a target.
const MAX_READS: usize = 8;
/// Slices per write: the kernel's limit.
const MAX_SLICES: usize = 1_024;
/// Bytes of answers that may wait for the socket; more stay with the session, which has a limit of
/// its own. Bounds: a server that floods with pings and does not read the answers.
const MAX_ANSWERS: usize = 64 << 10;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Publish,
    Play,
}

/// A connection to a remote server on which publishing or playing has begun.
pub(crate) struct Connection {
    socket: Socket,
    session: ClientSession,
    write_timeout: Duration,
    message_stream_id: u32,
    chunk_size: u32,
    outbox: VecDeque<Piece>,
    /// Bytes of the outbox's first piece that are written.
    offset: usize,
    /// Bytes of answers in the outbox.
    answers: usize,
    scratch: Box<[u8]>,
    /// Bytes written, where others count them too.
    bytes_out: Arc<AtomicU64>,
    /// When something was written last, or writing began.
    progressed: Instant,
    /// Takes key and query out of what the server says.
    redact: Redact,
    /// What the server said last, of level error.
    complaint: Option<String>,
    /// The server said that the stream ended.
    said_end: bool,
    /// Why nothing more comes; reported after the events that came before it.
    over: Option<Error>,
}

/// Something to write whole.
enum Piece {
    Control(Bytes),
    Media { header: EncodedHeader, body: Bytes },
}

impl Piece {
    fn wire_len(&self, chunk_size: u32) -> usize {
        match self {
            Self::Control(bytes) => bytes.len(),
            Self::Media { header, body } => header.wire_len(body.len(), chunk_size),
        }
    }
}

impl Connection {
    /// Connects and negotiates until the server accepted. `bytes_out` counts what is written.
    pub(crate) async fn open(
        url: &Url,
        purpose: Purpose,
        config: &Config,
        bytes_out: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let socket = Socket::connect(url, config).await?;
        let now = Instant::now();
        let mut client = ClientConfig::from_url(url);
        let session = match purpose {
            Purpose::Publish => ClientSession::publish(client, config.limits, now),
            Purpose::Play => {
                // A live stream sends something; a server that holds us for nothing is gone.
                client.idle = Some(Duration::from_secs(30));
                ClientSession::play(client, config.limits, now)
            }
        };
        let mut this = Self {
            socket,
            session,
            write_timeout: config.write_timeout,
            message_stream_id: 0,
            chunk_size: 128,
            outbox: VecDeque::new(),
            offset: 0,
            answers: 0,
            scratch: vec![0; READ_BYTES].into(),
            bytes_out,
            progressed: now,
            redact: Redact::of(url),
            complaint: None,
            said_end: false,
            over: None,
        };
        while this.event().await? != ClientEvent::Ready {}
        this.message_stream_id = this.session.message_stream_id().unwrap_or(1);
        this.chunk_size = this.session.chunk_size();
        Ok(this)
    }

    /// The server's address.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer()
    }

    /// Bytes written so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// Whether [`Error::Closed`] was the server's word, not only the end of its bytes.
    pub(crate) fn said_end(&self) -> bool {
        self.said_end
    }

    /// Queues a message; [`Connection::flush`] writes it.
    pub(crate) fn push(&mut self, tag: TagBody, timestamp_ms: u32) {
        let len = u32::try_from(tag.body.len()).unwrap_or(u32::MAX);
        let id = self.message_stream_id;
        let header = match tag.kind {
            TagKind::Audio => MessageHeader::audio(id, timestamp_ms, len),
            TagKind::Video => MessageHeader::video(id, timestamp_ms, len),
            TagKind::Script => MessageHeader::data(id, timestamp_ms, len),
        };
        self.outbox.push_back(Piece::Media {
            header: header.encode(),
            body: tag.body,
        });
    }

    /// Writes everything queued, listening to the server meanwhile. Cancel safe: what is left is
    /// written by the next call.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.progressed = Instant::now();
        loop {
            // A slow server that takes something is slow, not dead.
            let until = self.progressed + self.write_timeout;
            match timeout_at(until.into(), poll_fn(|cx| self.poll_flush(cx))).await {
                Ok(result) => return result,
                Err(_) if self.progressed + self.write_timeout > Instant::now() => {}
                Err(_) => return Err(Error::Stalled(self.write_timeout)),
            }
        }
    }

    /// The next event from the server, writing what is queued meanwhile. A refusal or an end is an
    /// error. Cancel safe.
    pub(crate) async fn event(&mut self) -> Result<ClientEvent, Error> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return self.judge(event);
            }
            if let Some(error) = self.over.take() {
                return Err(error);
            }
            let deadline = self.session.poll_timeout();
            // Both are cancel safe: reading and writing happen in one poll or not at all.
            let far = Instant::now() + Duration::from_secs(3_600);
            tokio::select! {
                () = poll_fn(|cx| self.poll_drive(cx)) => {}
                () = sleep_until(deadline.unwrap_or(far).into()) => {
                    self.session.handle_timeout(Instant::now())?;
                }
            }
        }
    }

    /// Says goodbye in the protocol's way, and closes.
    pub(crate) async fn close(mut self) {
        self.session.unpublish();
        self.take_answers();
        let farewell = async {
            if self.flush().await.is_err() {
                return;
            }
            if poll_fn(|cx| self.socket.poll_shutdown(cx)).await.is_err() {
                return;
            }
            // Closing with unread answers resets the connection, and the server may then lose the
            // end of the stream: they are read until it closes, too.
            while self.over.is_none() {
                poll_fn(|cx| self.poll_input(cx)).await;
                while self.session.poll_event().is_some() {}
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Ends and refusals as errors.
    fn judge(&mut self, event: ClientEvent) -> Result<ClientEvent, Error> {
        match event {
            ClientEvent::Closed => {
                self.said_end = true;
                Err(match self.complaint.take() {
                    Some(complaint) => Error::Ended(complaint),
                    None => Error::Closed,
                })
            }
            ClientEvent::Rejected { code, description } => {
                Err(Error::Rejected(self.redact.words(&code, &description)))
            }
            ClientEvent::Status {
                level,
                code,
                description,
            } => {
                if level == "error" {
                    self.complaint = Some(self.redact.words(&code, &description));
                }
                Ok(ClientEvent::Status {
                    level,
                    code,
                    description,
                })
            }
            event => Ok(event),
        }
    }

    /// Ready when something was read (an event may be there), or the connection is over.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let read = self.poll_input(cx);
        let _ = self.poll_write(cx);
        if self.over.is_some() {
            return Poll::Ready(());
        }
        read
    }

    /// Ready when all is written, or the connection is over.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let _ = self.poll_input(cx);
        let written = self.poll_write(cx);
        while let Some(event) = self.session.poll_event() {
            self.judge(event)?;
        }
        match self.over.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => written.map(Ok),
        }
    }

    /// Reads what is there; ready when there was something, or the connection is over.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut any = Poll::Pending;
        for _ in 0..MAX_READS {
            if self.over.is_some() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut self.scratch);
            let failed = match self.socket.poll_read(cx, &mut buf) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => Some(self.broken(error)),
                Poll::Ready(Ok(())) if buf.filled().is_empty() => Some(Error::Closed),
                Poll::Ready(Ok(())) => {
                    let read = self.session.handle_input(Instant::now(), buf.filled());
                    read.err().map(Error::from)
                }
            };
            self.over = failed;
            any = Poll::Ready(());
        }
        if any.is_ready() {
            // More may be there after MAX_READS, and an event may wait.
            cx.waker().wake_by_ref();
        }
        any
    }

    /// What an error of the socket means.
    fn broken(&self, error: io::Error) -> Error {
        match error.kind() {
            // The kernel gave up sending.
            io::ErrorKind::TimedOut => Error::Stalled(self.write_timeout),
            _ => Error::Io(error),
        }
    }

    fn take_answers(&mut self) {
        while self.answers < MAX_ANSWERS {
            let Some(bytes) = self.session.poll_transmit() else {
                return;
            };
            self.answers += bytes.len();
            self.outbox.push_back(Piece::Control(bytes));
        }
    }

    /// Ready when all is written; an error ends the connection.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.over.is_some() {
            return Poll::Ready(());
        }
        let Err(error) = std::task::ready!(self.try_write(cx)) else {
            return Poll::Ready(());
        };
        // What the server said before it closed says more than the broken write.
        let _ = self.poll_input(cx);
        if self.over.is_none() {
            self.over = Some(self.broken(error));
        }
        Poll::Ready(())
    }

    fn try_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.take_answers();
        while !self.outbox.is_empty() {
            let mut slices = Vec::new();
            let mut skip = self.offset;
            for piece in &self.outbox {
                push_slices(piece, self.chunk_size, &mut skip, &mut slices);
                if slices.len() >= MAX_SLICES {
                    break;
                }
            }
            slices.truncate(MAX_SLICES);
            let written = match self.socket.poll_write(cx, &slices) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
            };
            self.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
            self.progressed = Instant::now();
            self.advance(written);
        }
        self.socket.poll_flush(cx)
    }

    fn advance(&mut self, written: usize) {
        self.offset += written;
        while let Some(piece) = self.outbox.front() {
            let len = piece.wire_len(self.chunk_size);
            if self.offset < len {
                return;
            }
            self.offset -= len;
            if let Some(Piece::Control(bytes)) = self.outbox.pop_front() {
                self.answers -= bytes.len();
            }
        }
        self.take_answers();
    }
}

fn push_slices<'a>(
    piece: &'a Piece,
    chunk_size: u32,
    skip: &mut usize,
    out: &mut Vec<IoSlice<'a>>,
) {
    let mut put = |slice: &'a [u8]| {
        if let Some(rest) = slice.get(*skip..).filter(|rest| !rest.is_empty()) {
            out.push(IoSlice::new(rest));
        }
        *skip = skip.saturating_sub(slice.len());
    };
    match piece {
        Piece::Control(bytes) => put(bytes),
        Piece::Media { header, body } => chunk::slices(header, body, chunk_size).for_each(put),
    }
}
