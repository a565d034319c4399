//! The server as its clients see it.
#![allow(clippy::unwrap_used)]
// The settings grow field by field; the literal form is for crates that own them.
#![allow(clippy::field_reassign_with_default)]

mod api;
mod compat;
mod connections;
mod control;
mod documented;
mod dvr;
mod encryption;
mod fuzzed;
mod headers;
mod hls;
mod http2;
mod ladders;
mod live;
mod low_latency;
mod openapi;
mod overview;
mod pages;
mod part_ranges;
mod poster;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hub::{Hub, Publisher, PublisherInfo};
use media::StreamName;
use tower::ServiceExt;

use crate::state::{Parts, Peer};
use crate::{Config, Server};

/// When the tests' wall clock begins: 2026-11-20T19:28:55Z.
const WALL_MS: i64 = 1_795_202_935_000;

/// A server without sockets, a hub and a clock that stands still.
struct Bench {
    server: Server,
    hub: Hub,
    wall_ms: Arc<AtomicI64>,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The first line of a playlist that is a URI.
    fn first_uri(&self) -> String {
        let mut lines = self.text().lines();
        lines
            .find(|line| !line.starts_with('#'))
            .unwrap()
            .to_owned()
    }

    /// The value of a playlist's tag.
    fn tag(&self, name: &str) -> &str {
        let prefix = format!("#{name}:");
        let mut lines = self.text().lines();
        lines
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_default()
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default(), |_| {})
    }

    fn with(mut config: Config, change: impl FnOnce(&mut Parts)) -> Self {
        config.hls.segment = Duration::from_secs(1);
        let hub = Hub::new(hub::Config::default());
        let wall_ms = Arc::new(AtomicI64::new(WALL_MS));
        let mut parts = Parts::new(hub.clone());
        let clock = Arc::clone(&wall_ms);
        parts.clock = Arc::new(move || ::hls::WallTime(clock.load(Ordering::Relaxed)));
        change(&mut parts);
        let server = Server::new(config, parts);
        Self {
            server,
            hub,
            wall_ms,
        }
    }

    fn publisher(&self, name: &str) -> Publisher {
        let info = PublisherInfo {
            protocol: "rtmp",
            peer: Some(([203, 0, 113, 7], 51514).into()),
            client: "test".into(),
            conn: "c1".into(),
            query: "".into(),
        };
        self.hub.publish(&named(name), info, now()).unwrap()
    }

    /// Publishes a whole clip at once.
    fn publish(&self, name: &str, clip: &str) -> Publisher {
        let mut publisher = self.publisher(name);
        Clip::open(clip).send(&mut publisher, 0);
        publisher
    }

    async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[]).await
    }

    async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let loopback = ([127, 0, 0, 1], 40000).into();
        self.ask_from(loopback, method, uri, headers).await
    }

    async fn ask_from(
        &self,
        peer: SocketAddr,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let response = self
            .response(peer, method, uri, headers, Body::empty())
            .await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// An answer whose body may be endless.
    async fn response(
        &self,
        peer: SocketAddr,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(uri);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let counters = crate::Counters::default();
        let request = request
            .extension(Peer {
                addr: peer,
                is_tls: false,
                guard: Arc::new(counters.connection("http", None)),
            })
            .body(body)
            .unwrap();
        self.server.router().oneshot(request).await.unwrap()
    }

    /// Lets the tick of the hub happen at this moment.
    fn tick(&self) {
        self.hub.tick(now());
    }
}

fn named(name: &str) -> StreamName {
    name.parse().unwrap()
}

fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// A recorded file: what a publisher sends, with its times.
struct Clip {
    tags: Vec<remux::flv::Tag>,
}

impl Clip {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../testdata")
            .join(name);
        let mut demuxer = remux::flv::Demuxer::new(remux::flv::Limits::default());
        demuxer.push(std::fs::read(path).unwrap().into());
        let tags = std::iter::from_fn(|| demuxer.poll().unwrap()).collect();
        Self { tags }
    }

    /// Without its metadata.
    fn media_only(mut self) -> Self {
        self.tags
            .retain(|tag| tag.kind != remux::flv::TagKind::Script);
        self
    }

    /// Sends all of it, `offset_ms` later than it was recorded.
    fn send(&self, publisher: &mut Publisher, offset_ms: u32) {
        use remux::flv::{Event, Parser, TagKind};
        let mut parser = Parser::new(remux::flv::Limits::default());
        for tag in &self.tags {
            let at = tag.timestamp + offset_ms;
            let events = match tag.kind {
                TagKind::Audio => parser.audio(&tag.body).unwrap(),
                TagKind::Video => parser.video(&tag.body).unwrap(),
                TagKind::Script => {
                    let name = "onMetaData";
                    let body = tag.body.clone();
                    publisher.data_at(at, name, body, now()).unwrap();
                    continue;
                }
            };
            for event in events {
                match event {
                    Event::Track(track) => publisher.track(*track).unwrap(),
                    Event::Unit(unit) => publisher.unit_at(at, unit, now()).unwrap(),
                    _ => {}
                }
            }
        }
    }
}
