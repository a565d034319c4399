//! A publisher: the file in a loop, each message when it is due.

use std::cell::RefCell;
use std::time::Duration;

use bytes::BytesMut;
use remux::flv::TagKind;
use rtmp::chunk::{MessageHeader, slices};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Error;
use crate::clock::{micros, now_ns};
use crate::plan::Publish;
use crate::shared::Shared;
use crate::source::Message;
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::transport::Transport;

/// What encoders use; the same for every server that is measured.
const CHUNK_SIZE: u32 = 4_096;
/// What the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Publishes stream number `stream` until the run is over.
///
/// # Errors
/// When it is refused, or the connection breaks.
pub(crate) async fn publish(
    shared: &Shared,
    tally: &RefCell<Tally>,
    publish: &Publish,
    stream: u32,
) -> Result<(), Error> {
    let address = publish.url.address(stream)?;
    let Some(url) = &address.rtmp else {
        return Err(Error::Settings("publishers speak RTMP only".to_owned()));
    };
    let mut transport = shared.dialer.connect(&address, stream).await?;
    let mut config = ClientConfig::from_url(url);
    config.chunk_size = CHUNK_SIZE;
    let mut session = ClientSession::publish(config, Limits::default(), Instant::now().into());
    timeout(
        shared.plan.connect_timeout,
        until_ready(&mut transport, &mut session),
    )
    .await
    .map_err(|_| Error::Timeout("the answer to the publish"))??;
    Sender {
        shared,
        tally,
        publish,
        stream,
        transport,
        message_stream_id: session.message_stream_id().unwrap_or(1),
        session,
        out: Vec::with_capacity(64 << 10),
        stamped: Vec::with_capacity(64 << 10),
    }
    .send()
    .await
}

/// Talks until media may be sent.
async fn until_ready(transport: &mut Transport, session: &mut ClientSession) -> Result<(), Error> {
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Ready => return Ok(()),
                ClientEvent::Rejected { code, description } => {
                    return Err(Error::Refused(
                        format!("{code} {description}").trim().to_owned(),
                    ));
                }
                ClientEvent::Closed => return Err(Error::Ended),
                _ => {}
            }
        }
        while let Some(bytes) = session.poll_transmit() {
            transport.write_all(&bytes).await?;
        }
        let now = Instant::now().into();
        transport
            .read(|input| session.handle_input(now, input))
            .await??;
    }
}

struct Sender<'a> {
    shared: &'a Shared,
    tally: &'a RefCell<Tally>,
    publish: &'a Publish,
    stream: u32,
    transport: Transport,
    session: ClientSession,
    message_stream_id: u32,
    /// The message on its way out.
    out: Vec<u8>,
    stamped: Vec<u8>,
}

impl Sender<'_> {
    async fn send(mut self) -> Result<(), Error> {
        let (source, id) = (&self.publish.source, self.message_stream_id);
        if let Some(metadata) = &source.metadata {
            let mut body = BytesMut::new();
            amf0::encode(&amf0::Value::from("@setDataFrame"), &mut body);
            body.extend_from_slice(metadata);
            self.put(MessageHeader::data(id, 0, length(&body)), &body);
        }
        for tag in &source.headers {
            self.put(header(tag.kind, id, 0, &tag.body), &tag.body);
        }
        self.flush().await?;
        self.shared.publishers.one_ready();
        let begun = Instant::now();
        let begun_ns = now_ns();
        let mut frame = 0;
        let mut offset_ms = 0u64;
        loop {
            for message in &source.messages {
                let time_ms = offset_ms + u64::from(message.time_ms);
                let due = begun + Duration::from_millis(time_ms);
                if due > Instant::now() {
                    sleep_until(due).await;
                }
                self.listen().await?;
                if self.shared.is_over() {
                    return self.goodbye().await;
                }
                let now = now_ns();
                // The wire's clock has 32 bits.
                self.message(message, time_ms as u32, frame, now);
                frame += u32::from(message.stamp_at.is_some());
                if self.shared.window().contains(now) {
                    self.count(message, micros(begun_ns + time_ms * 1_000_000, now));
                }
                self.flush().await?;
            }
            offset_ms += u64::from(source.period_ms);
        }
    }

    fn count(&self, message: &Message, late_us: u64) {
        let mut tally = self.tally.borrow_mut();
        tally.late.add(late_us);
        tally.bytes_sent += self.out.len() as u64;
        let stream = tally.streams.entry(self.stream).or_default();
        match message.kind {
            TagKind::Video => stream.video_sent += 1,
            _ => stream.audio_sent += 1,
        }
    }

    /// Puts one message into `out`, stamped if it is a frame.
    fn message(&mut self, message: &Message, timestamp: u32, frame: u32, sent_ns: u64) {
        let id = self.message_stream_id;
        let mut body = std::mem::take(&mut self.stamped);
        body.clear();
        let stamp = Stamp {
            stream: self.stream,
            frame,
            sent_ns,
        };
        message.write(self.publish.source.codec, stamp, &mut body);
        self.put(header(message.kind, id, timestamp, &body), &body);
        self.stamped = body;
    }

    fn put(&mut self, header: MessageHeader, payload: &[u8]) {
        let encoded = header.encode();
        for slice in slices(&encoded, payload, self.session.chunk_size()) {
            self.out.extend_from_slice(slice);
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.transport.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    /// Takes what the server says and answers; costs no system call when it says nothing.
    async fn listen(&mut self) -> Result<(), Error> {
        let (session, now) = (&mut self.session, Instant::now().into());
        let read = self
            .transport
            .read_now(|input| session.handle_input(now, input))
            .await?;
        let Some(result) = read else { return Ok(()) };
        result?;
        while let Some(event) = self.session.poll_event() {
            if let ClientEvent::Closed | ClientEvent::Rejected { .. } = event {
                return Err(Error::Ended);
            }
        }
        while let Some(bytes) = self.session.poll_transmit() {
            self.transport.write_all(&bytes).await?;
        }
        Ok(())
    }

    /// Ends the stream as encoders do, so that the server need not wait for a return.
    async fn goodbye(mut self) -> Result<(), Error> {
        self.session.unpublish();
        let work = async {
            while let Some(bytes) = self.session.poll_transmit() {
                self.transport.write_all(&bytes).await?;
            }
            Ok(())
        };
        timeout(GOODBYE, work).await.unwrap_or(Ok(()))
    }
}

fn header(kind: TagKind, message_stream_id: u32, timestamp: u32, body: &[u8]) -> MessageHeader {
    match kind {
        TagKind::Video => MessageHeader::video(message_stream_id, timestamp, length(body)),
        _ => MessageHeader::audio(message_stream_id, timestamp, length(body)),
    }
}

fn length(body: &[u8]) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}
