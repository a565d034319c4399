//! A viewer: RTMP or HTTP-FLV, from connect to the end of the run.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::ErrorKind;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use remux::flv::{Demuxer, TagKind};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::clock::{micros, now_ns};
use crate::run::{Run, count};
use crate::source::AVC_HEADER;
use crate::stamp::Stamp;
use crate::touch::{Head, request};
use crate::url::{Http, Target};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

thread_local! {
    /// One for all viewers; never borrowed across an await.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Plays until it fails.
pub(crate) async fn view(run: &Run, viewer: u32) -> anyhow::Result<Infallible> {
    let template = run.args.play.as_deref().context("no address")?;
    let target = Target::parse(template, run.stream_of(viewer))?;
    let track = Track {
        run,
        viewer,
        connected_ns: now_ns(),
        last_frame: None,
        has_key: false,
    };
    match target {
        Target::Rtmp(url) => rtmp(track, &url).await,
        Target::Http(url) => http_flv(track, &url).await,
    }
}

async fn rtmp(mut track: Track<'_>, url: &rtmp::Url) -> anyhow::Result<Infallible> {
    let mut socket = TcpStream::connect((url.host(), url.port())).await?;
    socket.set_nodelay(true)?;
    let config = ClientConfig::from_url(url);
    let mut session = ClientSession::play(config, Limits::default(), std::time::Instant::now());
    loop {
        while let Some(bytes) = session.poll_transmit() {
            socket.write_all(&bytes).await?;
        }
        let received_ns = read(&socket, |input| {
            session.handle_input(std::time::Instant::now(), input)
        })
        .await?;
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Video { payload, .. } => track.video(&payload, received_ns),
                ClientEvent::Audio { payload, .. } => track.bytes(payload.len()),
                ClientEvent::Closed => bail!("ended by the server"),
                ClientEvent::Rejected { code, description } => {
                    bail!("refused: {code} {description}")
                }
                _ => {}
            }
        }
    }
}

async fn http_flv(mut track: Track<'_>, url: &Http) -> anyhow::Result<Infallible> {
    let mut socket = TcpStream::connect(&url.authority).await?;
    socket.set_nodelay(true)?;
    socket
        .write_all(request(url, "keep-alive").as_bytes())
        .await?;
    let mut head = Head::default();
    let mut demuxer = Demuxer::new(remux::flv::Limits::default());
    loop {
        let received_ns = read(&socket, |input| {
            head.body(input, &mut |body| {
                demuxer.push(Bytes::copy_from_slice(body))
            })
        })
        .await?;
        while let Some(tag) = demuxer.poll()? {
            match tag.kind {
                TagKind::Video => track.video(&tag.body, received_ns),
                _ => track.bytes(tag.body.len()),
            }
        }
    }
}

/// Reads once, gives the bytes to `take`, and says when they came.
async fn read<E>(
    socket: &TcpStream,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> anyhow::Result<u64>
where
    anyhow::Error: From<E>,
{
    loop {
        socket.readable().await?;
        let received_ns = SCRATCH.with_borrow_mut(|scratch| -> anyhow::Result<Option<u64>> {
            match socket.try_read(scratch) {
                Ok(0) => bail!("closed by the server"),
                Ok(read) => {
                    let now = now_ns();
                    take(&scratch[..read])?;
                    Ok(Some(now))
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error.into()),
            }
        })?;
        if let Some(received_ns) = received_ns {
            return Ok(received_ns);
        }
    }
}

/// What a viewer has seen.
struct Track<'a> {
    run: &'a Run,
    viewer: u32,
    connected_ns: u64,
    last_frame: Option<u32>,
    has_key: bool,
}

impl Track<'_> {
    fn bytes(&self, len: usize) {
        let total = &self.run.bytes_received;
        total.set(total.get() + len as u64);
    }

    /// A video message in legacy FLV.
    fn video(&mut self, body: &[u8], received_ns: u64) {
        self.bytes(body.len());
        let (Some(&[kind, packet]), Some(unit)) = (body.first_chunk(), body.get(AVC_HEADER..))
        else {
            return;
        };
        if packet != 1 {
            return;
        }
        if kind >> 4 == 1 && !self.has_key {
            self.has_key = true;
            self.run.join.add(micros(self.connected_ns, received_ns));
            count(&self.run.viewers_ready);
        }
        match Stamp::find(unit) {
            Some(stamp) => self.frame(stamp, received_ns),
            None => self.run.unstamped.set(self.run.unstamped.get() + 1),
        }
    }

    fn frame(&mut self, stamp: Stamp, received_ns: u64) {
        let run = self.run;
        let expected = self.last_frame.map_or(stamp.frame, |last| last + 1);
        if stamp.frame < expected || stamp.stream != run.stream_of(self.viewer) {
            // Seen already, or not ours: counted neither as received nor as skipped.
            return;
        }
        run.skipped
            .set(run.skipped.get() + u64::from(stamp.frame - expected));
        self.last_frame = Some(stamp.frame);
        if run.in_window(stamp.sent_ns) {
            run.latency.add(micros(stamp.sent_ns, received_ns));
            if let Some(received) = run.received.borrow_mut().get_mut(self.viewer as usize) {
                *received += 1;
            }
        }
    }
}
