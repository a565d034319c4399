//! What all connections and handlers share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use control::Control;
use control::callback::Callbacks;
use http::HeaderMap;
use http::header::HOST;
use hub::{Action, AllowAll, Ask, Authorizer, Hub, Verdict};
use media::StreamName;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{
    self, Keys, OpenMode, PlayTokens, PushTarget, PushTargets, Rates, Recording, Recordings,
    Reload, Table,
};
use crate::assets::Assets;
use crate::config::Config;
use crate::cors::Cors;
use crate::counters::{ConnectionGuard, Counters};
use crate::error::{Problem, Reason};
use crate::health::Health;
use crate::hls::{Hls, WallClock, system_clock};
use crate::media::MediaSink;
use crate::metrics::Metrics;
use crate::mirror::{HlsMirror, NoMirror};
use crate::paths::Target;

/// What a [`crate::Server`] works with; given by the facade.
#[non_exhaustive]
pub struct Parts {
    /// The streams.
    pub hub: Hub,
    /// Takes the sockets of endless media; without one they are served here, at a higher price
    /// per viewer.
    pub media: Option<Arc<dyn MediaSink>>,
    /// Decides who may watch. Sockets that go to the sink are its own to ask for.
    pub authorizer: Arc<dyn Authorizer>,
    /// Decides over API keys.
    pub keys: Arc<dyn Keys>,
    /// The control plane, behind most of `/v1`; without one these routes say so.
    pub control: Option<Control>,
    /// Makes tokens for players; without it there are none.
    pub play_tokens: Option<Arc<dyn PlayTokens>>,
    /// Reads the configuration again; without it `/v1/reload` says so.
    pub reload: Option<Arc<dyn Reload>>,
    /// Callbacks; without them their routes say so.
    pub callbacks: Option<Callbacks>,
    /// The folder of recordings, whose files `/v1/files` sends.
    pub recordings_root: Option<PathBuf>,
    /// Tells where streams are pushed to.
    pub targets: Arc<dyn PushTargets>,
    /// Tells what is recorded.
    pub recordings: Arc<dyn Recordings>,
    /// Copies HLS to a storage.
    pub mirror: Arc<dyn HlsMirror>,
    /// Tells how the rest of the process is.
    pub health: Arc<dyn Health>,
    /// Counters of all shells.
    pub counters: Arc<Counters>,
    /// One permit per connection, over all listeners (`limits.connections`).
    pub connections: Arc<Semaphore>,
    /// The wall clock, for playlists.
    pub clock: WallClock,
}

impl Parts {
    /// Nothing but streams: no media sink, everybody may watch, no keys (loopback only), no push targets,
    /// no recordings, at most 100 000 connections.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        struct Nothing;
        impl PushTargets for Nothing {
            fn of(&self, _stream: &StreamName) -> Vec<PushTarget> {
                Vec::new()
            }
        }
        impl Recordings for Nothing {
            fn of(&self, _stream: &StreamName) -> Vec<Recording> {
                Vec::new()
            }
        }
        impl Health for Nothing {}
        Self {
            hub,
            media: None,
            authorizer: Arc::new(AllowAll),
            keys: Arc::new(OpenMode),
            control: None,
            play_tokens: None,
            reload: None,
            callbacks: None,
            recordings_root: None,
            targets: Arc::new(Nothing),
            recordings: Arc::new(Nothing),
            mirror: Arc::new(NoMirror),
            health: Arc::new(Nothing),
            counters: Arc::default(),
            connections: Arc::new(Semaphore::new(100_000)),
            clock: system_clock(),
        }
    }
}

/// Shared by everything in this crate.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) hub: Hub,
    pub(crate) media: Option<Arc<dyn MediaSink>>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) control: Option<Control>,
    pub(crate) play_tokens: Option<Arc<dyn PlayTokens>>,
    pub(crate) reload: Option<Arc<dyn Reload>>,
    pub(crate) callbacks: Option<Callbacks>,
    pub(crate) recordings_root: Option<PathBuf>,
    pub(crate) targets: Arc<dyn PushTargets>,
    pub(crate) recordings: Arc<dyn Recordings>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) clock: WallClock,
    pub(crate) hls: Hls,
    pub(crate) cors: Cors,
    pub(crate) assets: Assets,
    pub(crate) metrics: Metrics,
    pub(crate) table: Table,
    pub(crate) rates: Rates,
    pub(crate) tracker: TaskTracker,
    /// Cancelled: listeners stop, connections finish what they are at.
    pub(crate) stop: CancellationToken,
    /// Cancelled: connections are cut.
    pub(crate) kill: CancellationToken,
    pub(crate) draining: AtomicBool,
    request_ids: AtomicU64,
    /// When it was made, in Unix milliseconds: also tells the request ids of two processes apart.
    boot: i64,
}

impl Shared {
    pub(crate) fn new(config: Config, parts: Parts) -> Self {
        let tracker = TaskTracker::new();
        let hls = Hls::new(
            config.hls.clone(),
            &config.limits,
            parts.hub.clone(),
            Arc::clone(&parts.clock),
            tracker.clone(),
            parts.counters.bytes_out("hls"),
            Arc::clone(&parts.mirror),
        );
        let metrics = Metrics::new(
            &parts.hub,
            &parts.counters,
            &hls,
            (&parts.health, &parts.recordings),
            config.metrics.per_stream,
            config.version,
        );
        Self {
            cors: Cors::new(&config.cors),
            assets: Assets::new(),
            table: api::table(),
            rates: Rates::new(config.limits.api_rate),
            boot: (parts.clock)().0,
            config,
            hub: parts.hub,
            media: parts.media,
            authorizer: parts.authorizer,
            keys: parts.keys,
            control: parts.control,
            play_tokens: parts.play_tokens,
            reload: parts.reload,
            callbacks: parts.callbacks,
            recordings_root: parts.recordings_root,
            targets: parts.targets,
            recordings: parts.recordings,
            health: parts.health,
            counters: parts.counters,
            connections: parts.connections,
            clock: parts.clock,
            hls,
            metrics,
            tracker,
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            draining: AtomicBool::new(false),
            request_ids: AtomicU64::new(1),
        }
    }

    /// Asks whether somebody may watch; gives what the links of playlists must carry, if anything.
    pub(crate) async fn admit(
        &self,
        name: &StreamName,
        protocol: &'static str,
        peer: Option<SocketAddr>,
        query: Option<&str>,
    ) -> Result<Option<Arc<str>>, Problem> {
        let mut ask = Ask::new(Action::Play, name.clone(), protocol);
        ask.peer = peer;
        ask.query = query.map(Into::into);
        match self.authorizer.authorize(ask).await {
            Verdict::Allow | Verdict::AllowAs(_) => Ok(None),
            Verdict::AllowLinks(query) => Ok(Some(query)),
            Verdict::Deny(reason) => Err(Problem::new(Reason::PERMISSION_DENIED, reason)),
            Verdict::Absent => {
                let detail = format!("no stream {name}");
                Err(Problem::new(Reason::StreamNotFound, detail))
            }
        }
    }

    pub(crate) fn next_request_id(&self) -> String {
        let count = self.request_ids.fetch_add(1, Ordering::Relaxed);
        format!("req_{:x}-{count:x}", self.boot)
    }

    /// The reading of a path that is meant: the first whose stream is known.
    pub(crate) fn known<'a>(&self, targets: &'a [Target]) -> Option<&'a Target> {
        targets.iter().find(|target| match target {
            Target::Flv(name) | Target::Ts(name) => self.hub.stream(name).is_some(),
            Target::Multivariant(name, _) => self.hls.knows(name) || self.hls.is_ladder(name),
            Target::Playlist(name, _) | Target::Resource(name, _) => {
                self.hls.knows(name) || self.hls.through_ladder(name).is_some()
            }
        })
    }

    /// The answer for a stream that is not there: never a list of others.
    pub(crate) fn no_stream(&self, name: &StreamName, request: &Request<'_>) -> Problem {
        let mut detail = format!("no stream {name}");
        if let Some(port) = self.config.rtmp_port {
            let host = self.host(request);
            let port = if port == 1935 {
                String::new()
            } else {
                format!(":{port}")
            };
            detail.push_str(&format!("; publish it to rtmp://{host}{port}/{name}"));
        }
        Problem::new(Reason::StreamNotFound, detail)
    }

    /// The host under which this server is reached, without a port.
    fn host(&self, request: &Request<'_>) -> String {
        let public = authority_of_url(&self.config.public_url);
        public
            .or_else(|| request.authority())
            .map(|authority| without_port(authority).to_owned())
            .filter(|host| is_plain_host(host))
            .unwrap_or_else(|| "HOST".to_owned())
    }

    /// Scheme and authority for URLs that are printed.
    pub(crate) fn base_url(&self, request: &Request<'_>) -> String {
        if !self.config.public_url.is_empty() {
            return self.config.public_url.trim_end_matches('/').to_owned();
        }
        let scheme = if request.is_tls { "https" } else { "http" };
        let authority = request
            .authority()
            .filter(|a| is_plain_host(without_port(a)))
            .unwrap_or("HOST");
        format!("{scheme}://{authority}")
    }

    /// Scheme and authority of RTMP, if there is any.
    pub(crate) fn rtmp_base(&self, request: &Request<'_>) -> Option<String> {
        let host = self.host(request);
        Some(match self.config.rtmp_port? {
            1935 => format!("rtmp://{host}"),
            port => format!("rtmp://{host}:{port}"),
        })
    }

    /// The publish URL of a stream.
    pub(crate) fn publish_url(&self, name: &StreamName, request: &Request<'_>) -> Option<String> {
        Some(format!("{}/{name}", self.rtmp_base(request)?))
    }

    /// When the server was made, in Unix milliseconds.
    pub(crate) fn started(&self) -> i64 {
        self.boot
    }

    pub(crate) fn is_own_authority(&self, authority: &str, request: &Request<'_>) -> bool {
        let own = |known: Option<&str>| known.is_some_and(|k| k.eq_ignore_ascii_case(authority));
        own(request.authority()) || own(authority_of_url(&self.config.public_url))
    }

    pub(crate) fn is_public_host(&self, host: &str) -> bool {
        authority_of_url(&self.config.public_url)
            .is_some_and(|public| without_port(public).eq_ignore_ascii_case(host))
    }
}

/// What is known of a connection; an extension of each of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) addr: std::net::SocketAddr,
    pub(crate) is_tls: bool,
    /// Held by tasks that outlive the connection's own: upgraded ones.
    pub(crate) guard: Arc<ConnectionGuard>,
}

/// The socket's peer: from our own listener, or from that of whoever serves our router.
pub(crate) fn peer_addr(extensions: &http::Extensions) -> Option<std::net::SocketAddr> {
    use axum::extract::ConnectInfo;
    let ours = extensions.get::<Peer>().map(|peer| peer.addr);
    let theirs = || extensions.get::<ConnectInfo<_>>().map(|info| info.0);
    ours.or_else(theirs)
}

/// The parts of a request that decide about hosts.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a http::Uri,
    pub(crate) is_tls: bool,
}

impl<'a> Request<'a> {
    pub(crate) fn of(request: &'a axum::extract::Request) -> Self {
        let peer = request.extensions().get::<Peer>();
        Self {
            headers: request.headers(),
            uri: request.uri(),
            is_tls: peer.is_some_and(|peer| peer.is_tls),
        }
    }

    /// Host and port as the client wrote them (`:authority` or `Host`).
    pub(crate) fn authority(&self) -> Option<&'a str> {
        let of_uri = self.uri.authority().map(http::uri::Authority::as_str);
        of_uri.or_else(|| self.headers.get(HOST)?.to_str().ok())
    }
}

pub(crate) fn authority_of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next().filter(|a| !a.is_empty())
}

/// The host of an authority, with the brackets of IPv6.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty() => {
            if host.contains(':') && !host.ends_with(']') {
                authority
            } else {
                host
            }
        }
        _ => authority,
    }
}

/// Whether a host can be repeated in an answer: it is the client's text.
fn is_plain_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_only() {
        for (authority, host) in [
            ("a.example:8080", "a.example"),
            ("a.example", "a.example"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(without_port(authority), host);
        }
        assert!(!is_plain_host("a<script>"));
        assert_eq!(authority_of_url("https://a:1/x"), Some("a:1"));
        assert_eq!(authority_of_url(""), None);
    }
}
