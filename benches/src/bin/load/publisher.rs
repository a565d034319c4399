//! A publisher: the file in a loop, each message when it is due.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, bail};
use remux::flv::TagKind;
use rtmp::chunk::{MessageHeader, slices};
use rtmp::message::type_id;
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock::{micros, now_ns};
use crate::run::{Run, count};
use crate::source::Message;
use crate::stamp::{self, Stamp};
use crate::url::Target;

/// What encoders use; the same for every server that is measured.
const CHUNK_SIZE: u32 = 4_096;

/// Publishes stream number `stream` until it fails.
pub(crate) async fn publish(run: &Run, stream: u32) -> anyhow::Result<Infallible> {
    let template = run.args.publish.as_deref().context("no address")?;
    let Target::Rtmp(url) = Target::parse(template, stream)? else {
        bail!("{template} is not an RTMP address");
    };
    let mut config = ClientConfig::from_url(&url);
    config.chunk_size = CHUNK_SIZE;
    let mut socket = TcpStream::connect((url.host(), url.port())).await?;
    socket.set_nodelay(true)?;
    let mut session = ClientSession::publish(config, Limits::default(), Instant::now().into());
    let deadline =
        Instant::now() + Duration::try_from_secs_f64(run.args.connect_timeout).unwrap_or_default();
    timeout_at(deadline, until_ready(&mut socket, &mut session))
        .await
        .context("publish was not accepted in time")??;
    Sender {
        run,
        stream,
        socket,
        message_stream_id: session.message_stream_id().unwrap_or(1),
        session,
        out: Vec::with_capacity(64 << 10),
        stamped: Vec::with_capacity(64 << 10),
    }
    .send()
    .await
}

/// Talks until media may be sent.
async fn until_ready(socket: &mut TcpStream, session: &mut ClientSession) -> anyhow::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Ready => return Ok(()),
                ClientEvent::Rejected { code, description } => {
                    bail!("refused: {code} {description}")
                }
                ClientEvent::Closed => bail!("ended by the server"),
                _ => {}
            }
        }
        while let Some(bytes) = session.poll_transmit() {
            socket.write_all(&bytes).await?;
        }
        socket.readable().await?;
        match socket.try_read(&mut buffer) {
            Ok(0) => bail!("closed by the server"),
            Ok(read) => session.handle_input(Instant::now().into(), &buffer[..read])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

struct Sender<'a> {
    run: &'a Run,
    stream: u32,
    socket: TcpStream,
    session: ClientSession,
    message_stream_id: u32,
    /// The message on its way out.
    out: Vec<u8>,
    stamped: Vec<u8>,
}

impl Sender<'_> {
    async fn send(mut self) -> anyhow::Result<Infallible> {
        let (run, id) = (self.run, self.message_stream_id);
        if let Some(metadata) = &run.source.metadata {
            let mut body = bytes::BytesMut::new();
            amf0::encode(&amf0::Value::from("@setDataFrame"), &mut body);
            body.extend_from_slice(metadata);
            self.put(MessageHeader::data(id, 0, length(&body)), &body);
        }
        for tag in &run.source.headers {
            self.put(header(tag.kind, id, 0, &tag.body), &tag.body);
        }
        self.socket
            .write_all(&std::mem::take(&mut self.out))
            .await?;
        count(&run.publishers_ready);
        let begun = Instant::now();
        let begun_ns = now_ns();
        let mut frame = 0;
        let mut offset_ms = 0u64;
        loop {
            for message in &run.source.messages {
                let time_ms = offset_ms + u64::from(message.time_ms);
                let due = begun + Duration::from_millis(time_ms);
                if due > Instant::now() {
                    sleep_until(due).await;
                }
                self.listen().await?;
                let now = now_ns();
                // The wire's clock has 32 bits.
                self.message(message, time_ms as u32, frame, now);
                frame += u32::from(message.kind == TagKind::Video);
                if run.in_window(now) {
                    run.late.add(micros(begun_ns + time_ms * 1_000_000, now));
                    if message.stamp_at.is_some()
                        && let Some(sent) = run.sent.borrow_mut().get_mut(self.stream as usize)
                    {
                        *sent += 1;
                    }
                }
                self.socket.write_all(&self.out).await?;
                self.out.clear();
            }
            offset_ms += u64::from(run.source.period_ms);
        }
    }

    /// Puts one message into `out`, stamped if it is a frame.
    fn message(&mut self, message: &Message, timestamp: u32, frame: u32, sent_ns: u64) {
        let id = self.message_stream_id;
        let Some((before, behind)) = message
            .stamp_at
            .and_then(|at| message.body.split_at_checked(at))
        else {
            return self.put(
                header(message.kind, id, timestamp, &message.body),
                &message.body,
            );
        };
        let stamp = Stamp {
            stream: self.stream,
            frame,
            sent_ns,
        };
        let mut body = std::mem::take(&mut self.stamped);
        body.clear();
        body.reserve(message.body.len() + stamp::LEN);
        body.extend_from_slice(before);
        stamp.write(&mut body);
        body.extend_from_slice(behind);
        self.put(header(message.kind, id, timestamp, &body), &body);
        self.stamped = body;
    }

    fn put(&mut self, header: MessageHeader, payload: &[u8]) {
        let encoded = header.encode();
        for slice in slices(&encoded, payload, self.session.chunk_size()) {
            self.out.extend_from_slice(slice);
        }
    }

    /// Takes what the server says and answers; costs no system call when it says nothing.
    async fn listen(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 1_024];
        match self.socket.try_read(&mut buffer) {
            Ok(0) => bail!("closed by the server"),
            Ok(read) => self
                .session
                .handle_input(Instant::now().into(), &buffer[..read])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        while let Some(event) = self.session.poll_event() {
            if let ClientEvent::Closed | ClientEvent::Rejected { .. } = event {
                bail!("ended by the server");
            }
        }
        while let Some(bytes) = self.session.poll_transmit() {
            self.socket.write_all(&bytes).await?;
        }
        Ok(())
    }
}

fn header(kind: TagKind, message_stream_id: u32, timestamp: u32, body: &[u8]) -> MessageHeader {
    let mut header = MessageHeader::audio(message_stream_id, timestamp, length(body));
    if kind == TagKind::Video {
        header = MessageHeader::video(message_stream_id, timestamp, length(body));
    }
    debug_assert!([type_id::AUDIO, type_id::VIDEO].contains(&header.type_id));
    header
}

fn length(body: &[u8]) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}
