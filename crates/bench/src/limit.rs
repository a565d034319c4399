//! The reference server: the bytes of a stream to any number of sockets, one write per batch and
//! socket, and nothing else. What a relay costs more than this, it costs by itself.
//!
//! There is no protocol: who connects gets the chunk stream from the next batch on (play it with
//! `raw://`). A socket that is full is tried again with the next batch; what waits for it is the
//! batches themselves, shared by all.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use remux::flv::TagKind;
use rtmp::chunk::{MAX_CHUNK_SIZE, MessageHeader, Writer};
use rtmp::message::control::set_chunk_size;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::Error;
use crate::budget::raise_open_files;
use crate::clock::now_ns;
use crate::source::Source;
use crate::stamp::Stamp;

/// Batches that may wait for a socket; one that is further behind is closed. Bounds memory when
/// viewers stall: one minute at one batch a millisecond.
const WAITING: usize = 60_000;

/// Serves until the future is dropped.
#[derive(Debug)]
pub struct LimitServer {
    listener: TcpListener,
    source: Source,
    batch: Duration,
}

struct Viewer {
    socket: TcpStream,
    /// What it has not taken: batches, and how much of the first is gone.
    waiting: VecDeque<Rc<[u8]>>,
    written: usize,
}

impl LimitServer {
    /// Listens. `batch` is the media time that is gathered for a write; zero writes each message.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(listen: SocketAddr, source: Source, batch: Duration) -> Result<Self, Error> {
        let _ = raise_open_files();
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| Error::Url {
                url: listen.to_string(),
                what: error.to_string(),
            })?;
        Ok(Self {
            listener,
            source,
            batch,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.listener.local_addr()?)
    }

    /// Sends the source in a loop.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(self) -> Result<(), Error> {
        let mut viewers = Vec::new();
        let mut writer = Writer::new();
        let mut hello = BytesMut::new();
        set_chunk_size(&mut writer, MAX_CHUNK_SIZE, &mut hello);
        let begun = Instant::now();
        let (mut offset_ms, mut frame) = (0u64, 0u32);
        let mut next_write = self.batch;
        let (mut batch, mut body) = (BytesMut::new(), Vec::new());
        loop {
            for message in &self.source.messages {
                let time = Duration::from_millis(offset_ms + u64::from(message.time_ms));
                // Also when messages are late the runtime has to look for newcomers.
                yield_now().await;
                self.accept_until(begun + time, &hello, &mut viewers)
                    .await?;
                let stamp = Stamp {
                    stream: 0,
                    frame,
                    sent_ns: now_ns(),
                };
                frame += u32::from(message.stamp_at.is_some());
                body.clear();
                message.write(self.source.codec, stamp, &mut body);
                // Absolute times of 32 bits: a viewer may join at any message.
                let header = match message.kind {
                    TagKind::Video => MessageHeader::video(1, time.as_millis() as u32, 0),
                    _ => MessageHeader::audio(1, time.as_millis() as u32, 0),
                };
                writer.write(header, &body, &mut batch);
                if time >= next_write || self.batch.is_zero() {
                    next_write = time + self.batch;
                    let bytes: Rc<[u8]> = Rc::from(&batch[..]);
                    batch.clear();
                    viewers.retain_mut(|viewer: &mut Viewer| viewer.offer(&bytes));
                }
            }
            offset_ms += u64::from(self.source.period_ms);
        }
    }

    /// Takes viewers in until it is time for the next message.
    async fn accept_until(
        &self,
        due: Instant,
        hello: &[u8],
        viewers: &mut Vec<Viewer>,
    ) -> Result<(), Error> {
        loop {
            let accepted = tokio::select! {
                // Viewers are taken in also while messages are late. Both branches are cancel safe.
                biased;
                accepted = self.listener.accept() => accepted,
                () = sleep_until(due) => return Ok(()),
            };
            let socket = match accepted {
                Ok((socket, _)) => socket.into_std()?,
                // One that went away at once, or no descriptor: the others go on.
                Err(_) => return Ok(()),
            };
            socket.set_nodelay(true)?;
            let mut viewer = Viewer {
                socket,
                waiting: VecDeque::new(),
                written: 0,
            };
            if viewer.offer(&Rc::from(hello)) {
                viewers.push(viewer);
            }
        }
    }
}

impl Viewer {
    /// Writes a batch, behind what waits already; false when the viewer is gone.
    fn offer(&mut self, batch: &Rc<[u8]>) -> bool {
        if self.waiting.is_empty() {
            match self.socket.write(batch) {
                Ok(len) if len == batch.len() => return true,
                Ok(len) => self.written = len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.written = 0,
                Err(_) => return false,
            }
            self.waiting.push_back(Rc::clone(batch));
            return true;
        }
        self.waiting.push_back(Rc::clone(batch));
        while let Some(first) = self.waiting.front() {
            match self.socket.write(&first[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
            if self.written < first.len() {
                break;
            }
            self.written = 0;
            self.waiting.pop_front();
        }
        self.waiting.len() <= WAITING
    }
}
