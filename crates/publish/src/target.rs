//! One stream pushed to one URL.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hub::{Frame, Item, JoinAt, Received, Stream};
use remux::flv::{Relay, TagBody, TagKind, wire_time};
use rtmp::Url;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff::Backoff;
use crate::config::Config;
use crate::connection::{Connection, Purpose};
use crate::error::Error;
use crate::status::{Shared, State, Status, seconds};

/// One stream pushed to one URL: made by [`Target::start`].
#[derive(Debug)]
pub struct Target {
    stream: Arc<Stream>,
    url: Url,
    config: Config,
    status: Shared,
    relay: Relay,
    /// Since when the current connection publishes.
    published: Option<Instant>,
}

/// A running target. Dropping it does not stop it; [`TargetHandle::stop`] does.
#[derive(Clone, Debug)]
pub struct TargetHandle {
    stream: Arc<Stream>,
    url: Url,
    status: Shared,
    stop: CancellationToken,
}

impl TargetHandle {
    /// The stream it pushes.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Where it pushes to; displays without the key.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What it does now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.get()
    }

    /// Whether it neither ended nor was told to.
    pub(crate) fn runs(&self) -> bool {
        !self.stop.is_cancelled() && self.status().state != State::Stopped
    }

    /// Ends it: says goodbye to the server within a second.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// Why a connection or a wait ended without an error.
enum Over {
    StreamEnded,
    Stopped,
}

/// Where a connection is in the stream.
#[derive(Default)]
struct Place {
    /// Headers come before the next unit.
    joining: bool,
    /// It has not yet had everything since it joined.
    catching_up: bool,
    /// It lagged, and is about to see where it goes on.
    skipping: bool,
    /// The random access point it passed last.
    last_join: Option<Arc<Frame>>,
}

impl Target {
    /// Starts pushing on the current runtime; `tracker` knows the task until it ends, which is
    /// when the stream ends, or when it is stopped.
    pub fn start(
        stream: Arc<Stream>,
        url: Url,
        config: Config,
        tracker: &TaskTracker,
    ) -> TargetHandle {
        let (status, stop) = (Shared::new(), CancellationToken::new());
        let handle = TargetHandle {
            stream: Arc::clone(&stream),
            url: url.clone(),
            status: status.clone(),
            stop: stop.clone(),
        };
        let target = Self {
            stream,
            url,
            config,
            status,
            relay: Relay::default(),
            published: None,
        };
        tracker.spawn(target.run(stop));
        handle
    }

    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.config.retry_max);
        loop {
            self.published = None;
            let error = match self.attempt(&stop).await {
                Ok(Over::StreamEnded | Over::Stopped) => break,
                Err(error) => error,
            };
            if error.is_final() {
                self.report(&error, None);
                break;
            }
            let published = self.published.map(|since| since.elapsed());
            let wait = backoff.next(published.unwrap_or_default(), random());
            let (until, attempt) = (Instant::now() + wait, backoff.failures());
            self.report(&error, Some((wait, attempt)));
            self.status
                .update(|status| status.state = State::Backoff { until, attempt });
            if self.wait(wait, &stop).await {
                break;
            }
        }
        self.status.update(|status| status.state = State::Stopped);
    }

    /// Waits; true when there is nothing to wait for any more.
    async fn wait(&self, wait: Duration, stop: &CancellationToken) -> bool {
        let mut subscriber = self.stream.subscribe(JoinAt::Next);
        let ended = async {
            let mut frames = Vec::new();
            while !matches!(subscriber.read(&mut frames).await, Received::Ended) {
                frames.clear();
            }
        };
        // All cancel safe: nothing that is read here is used.
        tokio::select! {
            () = tokio::time::sleep(wait) => false,
            () = ended => true,
            () = stop.cancelled() => true,
        }
    }

    fn report(&self, error: &Error, next: Option<(Duration, u32)>) {
        let (stream, url) = (self.stream.name(), &self.url);
        self.status
            .update(|status| status.last_error = Some(error.to_string().into()));
        match next {
            Some((wait, attempt)) => {
                let wait = seconds(wait);
                tracing::warn!(%stream, target = %url, "{error}, try {attempt}, next in {wait}s");
            }
            None => tracing::warn!(%stream, target = %url, "{error}; not tried again"),
        }
    }

    /// From waiting for media to the end of one connection.
    async fn attempt(&mut self, stop: &CancellationToken) -> Result<Over, Error> {
        self.status.update(|status| status.state = State::Waiting);
        let mut subscriber = self.stream.subscribe(JoinAt::Newest);
        let mut frames = Vec::new();
        // Cancel safe: a read takes nothing unless it returns.
        let first = tokio::select! {
            received = subscriber.read(&mut frames) => received,
            () = stop.cancelled() => return Ok(Over::Stopped),
        };
        if matches!(first, Received::Ended) {
            return Ok(Over::StreamEnded);
        }
        drop(subscriber);
        self.status
            .update(|status| status.state = State::Connecting);
        // A connection that is dropped while it opens leaves nothing behind.
        let mut connection = tokio::select! {
            opened = Connection::open(&self.url, Purpose::Publish, &self.config, self.status.counter()) => opened?,
            () = stop.cancelled() => return Ok(Over::Stopped),
        };
        if self.is_loop(connection.peer()) {
            connection.close().await;
            return Err(Error::Loop);
        }
        let since = Instant::now();
        self.published = Some(since);
        self.status.update(|status| {
            status.state = State::Publishing { since };
            status.connections += 1;
        });
        tracing::info!(stream = %self.stream.name(), target = %self.url, "push started");
        let over = self.publish(&mut connection, stop).await;
        if over.is_ok() {
            connection.close().await;
        }
        over
    }

    async fn publish(
        &mut self,
        connection: &mut Connection,
        stop: &CancellationToken,
    ) -> Result<Over, Error> {
        let mut subscriber = self.stream.subscribe(JoinAt::Newest);
        let mut frames = Vec::new();
        let mut place = Place::default();
        loop {
            // Cancel safe: a read takes nothing unless it returns, an event changes nothing here.
            tokio::select! {
                received = subscriber.read(&mut frames) => match received {
                    Received::Ended => return Ok(Over::StreamEnded),
                    Received::Join { headers, missed } => {
                        self.relay.join(&headers);
                        place.joining = true;
                        place.catching_up = true;
                        if missed > 0 {
                            self.skipped();
                        }
                    }
                    _ => {
                        if let Some(at) = self.must_skip(&mut place, &frames) {
                            frames.clear();
                            subscriber = self.stream.subscribe(at);
                            continue;
                        }
                        for frame in frames.drain(..) {
                            self.send(connection, &frame, &mut place.joining);
                            if frame.join {
                                place.last_join = Some(frame);
                            }
                        }
                        // Dropped in the middle the connection is given up, too.
                        tokio::select! {
                            flushed = connection.flush() => flushed?,
                            () = stop.cancelled() => return Ok(Over::Stopped),
                        }
                    }
                },
                event = connection.event() => {
                    event?;
                }
                () = stop.cancelled() => return Ok(Over::Stopped),
            }
        }
    }

    /// Where to go on instead of sending `frames`, when the target lags too much for them.
    fn must_skip(&self, place: &mut Place, frames: &[Arc<Frame>]) -> Option<JoinAt> {
        let first = frames.first()?;
        if std::mem::take(&mut place.skipping) {
            // Where it skipped to may be where it came from: the newest group of pictures is
            // longer than the queue. Then only what comes next is newer.
            let same = place
                .last_join
                .as_ref()
                .is_some_and(|j| Arc::ptr_eq(j, first));
            return same.then_some(JoinAt::Next);
        }
        if !self.lags(first) {
            place.catching_up = false;
            return None;
        }
        // The group of pictures that a connection starts with is old, not late.
        if place.catching_up {
            return None;
        }
        self.skipped();
        place.skipping = true;
        Some(JoinAt::Newest)
    }

    fn send(&mut self, connection: &mut Connection, frame: &Frame, joining: &mut bool) {
        let time = wire_time(frame.time_ms);
        match &frame.item {
            Item::Tracks(tracks) => {
                for tag in self.relay.tracks(tracks) {
                    connection.push(tag, time);
                }
            }
            Item::Data(data) => {
                let tag = self.relay.data(data);
                // Servers keep what is wrapped as the stream's description.
                let tag = if data.is_metadata() {
                    set_data_frame(tag)
                } else {
                    tag
                };
                connection.push(tag, time);
            }
            Item::Extra(extra) => {
                if let Some(tag) = self.relay.extra(extra) {
                    connection.push(tag, time);
                }
            }
            Item::Unit(unit) => {
                let Some(tag) = self.relay.unit(unit) else {
                    return;
                };
                if std::mem::take(joining) {
                    for tag in self.relay.lead() {
                        connection.push(set_data_frame(tag), time);
                    }
                }
                connection.push(tag, time);
            }
            _ => {}
        }
    }

    /// Whether the oldest frame to send is older than the queue may be.
    fn lags(&self, oldest: &Frame) -> bool {
        let Some(newest) = self.stream.clock_ms() else {
            return false;
        };
        let lag = newest.saturating_sub(oldest.clock_ms);
        i64::try_from(self.config.queue.as_millis()).is_ok_and(|queue| lag > queue)
    }

    fn skipped(&self) {
        self.status.update(|status| status.skips += 1);
    }

    /// Whether the server that answered is this relay, and the stream there this stream.
    fn is_loop(&self, peer: Option<SocketAddr>) -> bool {
        let Some(peer) = peer else { return false };
        let before_query = |part: &str| part.split('?').next().unwrap_or_default().to_owned();
        let (app, key) = (self.url.app(), self.url.stream_key());
        let same_name = media::StreamName::parse(&before_query(app), &before_query(key))
            .is_ok_and(|name| name == *self.stream.name());
        same_name
            && self.config.own_listeners.iter().any(|own| {
                own.port() == peer.port()
                    && (own.ip() == peer.ip() || (own.ip().is_unspecified() && is_local(peer)))
            })
    }
}

/// Whether an address is one of this machine's: it can be bound.
fn is_local(peer: SocketAddr) -> bool {
    peer.ip().is_loopback() || std::net::UdpSocket::bind((peer.ip(), 0)).is_ok()
}

/// Servers keep metadata for late joiners only when it is wrapped so.
fn set_data_frame(tag: TagBody) -> TagBody {
    if tag.kind != TagKind::Script {
        return tag;
    }
    let mut body = BytesMut::with_capacity(tag.body.len() + 16);
    amf0::encode(&amf0::Value::String("@setDataFrame".to_owned()), &mut body);
    body.extend_from_slice(&tag.body);
    TagBody {
        kind: tag.kind,
        body: body.freeze(),
    }
}

/// A random number; a system without randomness gets no jitter.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}

/// Puts `@setDataFrame` before metadata; for whoever publishes script tags of a file.
pub(crate) fn wrapped(kind: TagKind, body: Bytes) -> TagBody {
    set_data_frame(TagBody { kind, body })
}
