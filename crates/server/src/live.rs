//! Endless media inside HTTP: for HTTP/2, for a request that is not the first of its connection,
//! and for a server without a media sink. Correct, at a higher price per viewer than the sink's.
//!
//! A viewer that reads slowly lags in its stream's ring and is moved on to a random access point
//! by it; at most one batch of shared bytes waits here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, UPGRADE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};
use hub::{Frame, Item, JoinAt, Received, Subscriber, ViewerHandle, ViewerInfo};
use remux::flv::{TagBody, tag_header, wire_time};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::error::{Problem, Reason};
use crate::paths::Target;
use crate::sniff::client_text;
use crate::state::{Peer, Shared, peer_addr};

/// Answers a request for endless media of a stream that is known.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    target: &Target,
    parts: &mut Parts,
    peer: Option<&Peer>,
) -> Result<Response, Problem> {
    let origin = parts.headers.get(ORIGIN).and_then(|o| o.to_str().ok());
    let is_web_socket = parts.headers.contains_key(UPGRADE) && matches!(target, Target::Flv(_));
    if is_web_socket && !shared.cors.admits(origin) {
        let detail = "pages of this origin may not play here (http.cors)";
        return Err(Problem::new(Reason::PERMISSION_DENIED, detail));
    }
    let name = target.name();
    let Some(stream) = shared.hub.stream(name) else {
        return Err(Problem::new(
            Reason::StreamNotFound,
            format!("no stream {name}"),
        ));
    };
    let upgrade =
        if is_web_socket && parts.method == Method::GET {
            let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
            Some(upgrade.map_err(|rejection| {
                Problem::new(Reason::UpgradeRequired, rejection.body_text())
            })?)
        } else {
            None
        };
    let (muxer, content_type, protocol) = match (target, &upgrade) {
        (Target::Ts(_), _) => (Muxer::ts(), "video/mp2t", "http-ts"),
        (_, Some(_)) => (Muxer::flv(), "video/x-flv", "ws-flv"),
        _ => (Muxer::flv(), "video/x-flv", "http-flv"),
    };
    let peer_address = peer_addr(&parts.extensions);
    let query = parts.uri.query();
    shared.admit(name, protocol, peer_address, query).await?;
    if parts.method == Method::HEAD {
        return Ok(head(content_type));
    }
    let client = parts.headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let viewer = stream.viewers().add(ViewerInfo {
        protocol,
        peer: peer_address,
        client: client_text(&String::from_utf8_lossy(client.unwrap_or_default())),
        since: tokio::time::Instant::now().into_std(),
    });
    let feed = Feed {
        subscriber: stream.subscribe(JoinAt::Newest),
        muxer,
        frames: Vec::new(),
        ready: VecDeque::new(),
        sent: shared.counters.bytes_out(protocol),
        skips: shared.counters.viewer_skips(protocol),
        viewer,
        stop: Box::pin(shared.stop.clone().cancelled_owned()),
        kill: shared.kill.clone(),
    };
    Ok(match upgrade {
        None => {
            let mut response = head(content_type);
            *response.body_mut() = Body::from_stream(feed);
            response
        }
        Some(upgrade) => {
            let token = shared.tracker.token();
            let guard = peer.map(|peer| Arc::clone(&peer.guard));
            upgrade
                .max_message_size(1 << 10)
                .on_upgrade(move |socket| async move {
                    over_web_socket(socket, feed).await;
                    drop((guard, token));
                })
        }
    })
}

fn head(content_type: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends messages of whole tags until the stream or the viewer ends.
async fn over_web_socket(mut socket: WebSocket, mut feed: Feed) {
    let kill = feed.kill.clone();
    loop {
        tokio::select! {
            // Cancel safe: what is ready stays in the feed.
            next = poll_fn(|cx| feed.poll_message(cx)) => {
                let Some(bytes) = next else {
                    let _ = socket.send(Message::Close(None)).await;
                    return;
                };
                tokio::select! {
                    // Not resumed when it loses: the socket is given up then.
                    sent = socket.send(Message::Binary(bytes)) => if sent.is_err() { return },
                    () = kill.cancelled() => return,
                }
            }
            // Cancel safe: a message is taken whole or not at all. Pings are answered inside.
            received = socket.recv() => match received {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// One viewer's media as bytes.
struct Feed {
    subscriber: Subscriber,
    muxer: Muxer,
    frames: Vec<Arc<Frame>>,
    /// Whole tags or packets, not yet taken.
    ready: VecDeque<Bytes>,
    viewer: ViewerHandle,
    sent: Arc<AtomicU64>,
    /// Skips of all viewers of this protocol.
    skips: Arc<AtomicU64>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    kill: CancellationToken,
}

impl Feed {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.viewer.poll_dropped(cx).is_ready() || self.stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.ready.pop_front() {
                let len = bytes.len() as u64;
                self.viewer.bytes_out.fetch_add(len, Ordering::Relaxed);
                self.sent.fetch_add(len, Ordering::Relaxed);
                return Poll::Ready(Some(bytes));
            }
            match std::task::ready!(self.subscriber.poll_read(cx, &mut self.frames)) {
                Received::Join { headers, missed } => {
                    if missed > 0 {
                        self.viewer.skips.fetch_add(1, Ordering::Relaxed);
                        self.skips.fetch_add(1, Ordering::Relaxed);
                        self.viewer
                            .frames_missed
                            .fetch_add(missed, Ordering::Relaxed);
                    }
                    self.muxer.join(&headers);
                }
                Received::Ended => return Poll::Ready(None),
                _ => {
                    for frame in self.frames.drain(..) {
                        self.muxer.frame(&frame, &mut self.ready);
                    }
                }
            }
        }
    }

    /// All that is ready, as one message.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(first) = std::task::ready!(self.poll_bytes(cx)) else {
            return Poll::Ready(None);
        };
        let mut message = BytesMut::from(&first[..]);
        while let Some(more) = self.ready.pop_front() {
            let len = more.len() as u64;
            self.viewer.bytes_out.fetch_add(len, Ordering::Relaxed);
            self.sent.fetch_add(len, Ordering::Relaxed);
            message.extend_from_slice(&more);
        }
        Poll::Ready(Some(message.freeze()))
    }
}

impl futures_util::Stream for Feed {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_bytes(cx).map(|next| next.map(Ok))
    }
}

/// A container for endless media.
enum Muxer {
    Flv {
        relay: Box<remux::flv::Relay>,
        /// What leads is to be written when the first frame tells its time.
        leads: bool,
        started: bool,
        tracks: Arc<media::TrackList>,
    },
    Ts {
        muxer: Option<Box<remux::ts::Muxer>>,
        last_tables_ms: i64,
    },
}

/// Tables are repeated at least this often (ETSI TR 101 290 asks for 500 ms; players that join in
/// the middle want them sooner).
const TABLES_EVERY_MS: i64 = 100;

impl Muxer {
    fn flv() -> Self {
        Self::Flv {
            relay: Box::default(),
            leads: false,
            started: false,
            tracks: Arc::default(),
        }
    }

    fn ts() -> Self {
        Self::Ts {
            muxer: None,
            last_tables_ms: 0,
        }
    }

    fn join(&mut self, joined: &Arc<media::Headers>) {
        match self {
            Self::Flv {
                relay,
                leads,
                tracks,
                ..
            } => {
                relay.join(joined);
                *leads = true;
                *tracks = Arc::clone(&joined.tracks);
            }
            Self::Ts { muxer, .. } => match muxer {
                Some(muxer) => {
                    muxer.set_tracks(&joined.tracks);
                    muxer.discontinuity();
                }
                None => *muxer = Some(Box::new(remux::ts::Muxer::new(&joined.tracks).0)),
            },
        }
    }

    fn frame(&mut self, frame: &Frame, out: &mut VecDeque<Bytes>) {
        match self {
            Self::Flv {
                relay,
                leads,
                started,
                tracks,
            } => {
                let time_ms = wire_time(frame.time_ms);
                if std::mem::take(leads) {
                    if !std::mem::replace(started, true) {
                        let (audio, video) = (tracks.audio().is_some(), tracks.video().is_some());
                        let header = remux::flv::file_header(audio, video);
                        out.push_back(Bytes::copy_from_slice(&header));
                    }
                    out.extend(relay.lead().map(|body| tag(&body, time_ms)));
                }
                match &frame.item {
                    Item::Unit(unit) => {
                        out.extend(relay.unit(unit).map(|body| tag(&body, time_ms)));
                    }
                    Item::Data(data) => out.push_back(tag(&relay.data(data), time_ms)),
                    Item::Extra(extra) => {
                        out.extend(relay.extra(extra).map(|body| tag(&body, time_ms)));
                    }
                    Item::Tracks(changed) => {
                        out.extend(relay.tracks(changed).map(|body| tag(&body, time_ms)));
                        *tracks = Arc::clone(changed);
                    }
                    _ => {}
                }
            }
            Self::Ts {
                muxer: Some(muxer),
                last_tables_ms,
            } => {
                let mut bytes = BytesMut::new();
                match &frame.item {
                    Item::Unit(unit) => {
                        let due = (frame.time_ms - *last_tables_ms).abs() >= TABLES_EVERY_MS;
                        if frame.join || due {
                            *last_tables_ms = frame.time_ms;
                            muxer.tables(&mut bytes);
                        }
                        if let Err(error) = muxer.unit(unit, &mut bytes) {
                            tracing::debug!(%error, "a damaged unit is left out of http-ts");
                        }
                    }
                    Item::Tracks(tracks) => {
                        muxer.set_tracks(tracks);
                        muxer.tables(&mut bytes);
                    }
                    Item::Discontinuity(_) => muxer.discontinuity(),
                    _ => {}
                }
                if !bytes.is_empty() {
                    out.push_back(bytes.freeze());
                }
            }
            Self::Ts { muxer: None, .. } => {}
        }
    }
}

/// A tag with the size behind it, in one piece: one buffer per body frame is what hyper sends best.
fn tag(tag: &TagBody, time_ms: u32) -> Bytes {
    let header = tag_header(tag.kind, time_ms, tag.body.len());
    let size = header.len() + tag.body.len();
    let mut whole = BytesMut::with_capacity(size + 4);
    whole.extend_from_slice(&header);
    whole.extend_from_slice(&tag.body);
    whole.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    whole.freeze()
}
