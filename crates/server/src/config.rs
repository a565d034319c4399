//! What the HTTP shell can be told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hls::LadderRule;
use media::StreamName;

use crate::hls::EncryptionRules;

/// Settings of a [`crate::Server`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Scheme and authority under which viewers reach this server (`https://live.example.org`),
    /// without a trailing slash; used in every URL that is printed. Empty: the `Host` header.
    pub public_url: String,
    /// Port of the RTMP listener, for the publish URL in "no stream" answers; `None` when RTMP is
    /// off.
    pub rtmp_port: Option<u16>,
    /// Origins that browsers may play media from; `*` is any. Never applies to `/v1`.
    pub cors: Vec<String>,
    /// Origins whose pages may embed `/watch` (`frame-ancestors`); empty: none.
    pub embed_from: Vec<String>,
    /// The key of `sign=MD5(key+t)` on `/common_access`; empty: API keys only.
    pub common_access_key: String,
    /// Settings of HLS.
    pub hls: HlsConfig,
    /// Settings of `/metrics`.
    pub metrics: MetricsConfig,
    /// What bounds peers.
    pub limits: Limits,
    /// What [`crate::Server`] calls itself in `build_info` and on its index page.
    pub version: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            rtmp_port: Some(1935),
            cors: vec!["*".to_owned()],
            embed_from: Vec::new(),
            common_access_key: String::new(),
            hls: HlsConfig::default(),
            metrics: MetricsConfig::default(),
            limits: Limits::default(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Settings of HLS (`[hls]`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HlsConfig {
    /// Whether HLS is served at all.
    pub enabled: bool,
    /// Whether every stream is segmented from its start, asked for or not.
    pub always: bool,
    /// Least length of a segment.
    pub segment: Duration,
    /// Whether the fMP4 playlist is one of low latency.
    pub low_latency: bool,
    /// About how long a part is, where there are parts; 200 ms to 1 s.
    pub part: Duration,
    /// Parts are byte ranges of their segments, which grow while they are made.
    pub part_ranges: bool,
    /// Segments listed in a playlist.
    pub segments: usize,
    /// After this time without a request a stream is no longer segmented, unless `always`.
    pub idle: Duration,
    /// Whether data messages of publishers go into segments as timed metadata.
    pub timed_metadata: bool,
    /// What is kept on the disk, and for how long; `None`: nothing.
    pub dvr: Option<DvrConfig>,
    /// Which streams are encrypted; `None`: no stream is.
    pub encryption: Option<Arc<dyn EncryptionRules>>,
    /// Streams that are served as one.
    pub ladders: Vec<LadderRule>,
    /// What bounds one stream's segmenter.
    pub limits: hls::Limits,
}

/// Settings of the DVR (`hls.dvr`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DvrConfig {
    /// The folder below which streams have theirs.
    pub dir: PathBuf,
    /// How far back a stream is kept.
    pub window: DvrWindow,
    /// Containers that are kept.
    pub containers: Vec<hls::Container>,
    /// Space that is left free: with less, segments are left out.
    pub min_free: u64,
    /// Bytes of segments that wait for a slow disk, over all streams; beyond it segments are left out. They
    /// are in memory for live viewers anyway, for as long as those need them.
    pub queue_bytes: usize,
}

impl DvrConfig {
    /// fMP4 of streams with a window, below this folder.
    #[must_use]
    pub fn new(dir: PathBuf, window: DvrWindow) -> Self {
        Self {
            dir,
            window,
            containers: vec![hls::Container::Fmp4],
            min_free: 1 << 30,
            queue_bytes: 64 << 20,
        }
    }
}

/// How far back a stream is kept, by its name.
#[derive(Clone)]
pub struct DvrWindow(Arc<dyn Fn(&StreamName) -> Duration + Send + Sync>);

impl DvrWindow {
    /// Decided by a function; zero is not at all.
    pub fn new(of: impl Fn(&StreamName) -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    pub(crate) fn of(&self, name: &StreamName) -> Duration {
        (self.0)(name)
    }
}

impl std::fmt::Debug for DvrWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DvrWindow(..)")
    }
}

impl Default for HlsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            always: false,
            segment: Duration::from_secs(2),
            low_latency: true,
            part_ranges: false,
            part: Duration::from_millis(333),
            segments: 7,
            idle: Duration::from_secs(60),
            timed_metadata: true,
            dvr: None,
            encryption: None,
            ladders: Vec::new(),
            limits: hls::Limits::default(),
        }
    }
}

impl HlsConfig {
    /// How long the first request for a playlist waits for its first segment.
    pub(crate) fn first_wait(&self) -> Duration {
        self.segment.max(Duration::from_millis(500)) * 3
    }
}

/// Settings of `/metrics` (`[metrics]`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Whether `/metrics` answers.
    pub enabled: bool,
    /// Streams that get series of their own. Bounds: a scrape that grows with the streams.
    pub per_stream: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            per_stream: 1_000,
        }
    }
}

/// What bounds a peer of the HTTP shell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// From the connection (with TLS: from the end of its handshake) to the end of the first
    /// request's head. Threat: slowloris.
    pub first_head: Duration,
    /// Longest TLS handshake. Threat: the same, one layer below.
    pub tls_handshake: Duration,
    /// Between two requests of a connection, and for each later head. Longer than the interval at
    /// which players reload playlists of 12 s segments.
    pub idle: Duration,
    /// A peer that takes not one byte for this long is cut off. Threat: connections that pin
    /// segments by not reading them.
    pub stall: Duration,
    /// Bytes of a request's head. Threat: header bombs.
    pub head_bytes: usize,
    /// Bytes of a request target. Threat: huge URLs; two names of 255 bytes, percent-encoded,
    /// have 1530.
    pub target_bytes: usize,
    /// Header fields of a request. Threat: header bombs.
    pub headers: usize,
    /// Bytes of a request body. Threat: bodies that fill memory.
    pub body_bytes: u64,
    /// From a request's head to the end of its body. Threat: slowloris.
    pub body_time: Duration,
    /// Requests to `/v1` a second, each API key (without keys: this machine as a whole); 0 is no
    /// limit. Threat: one client's loop that leaves the others none of the store.
    pub api_rate: u32,
    /// HTTP/2 streams of a connection. Threat: rapid reset, many requests at the price of one.
    pub h2_streams: u32,
    /// Requests that wait for a first segment at once. Threat: waiters by the thousand.
    pub waiting: usize,
    /// Requests that wait for a part of one stream at once; each viewer of low latency has one or
    /// two. Threat: waiters by the thousand.
    pub hls_blocked_per_stream: usize,
    /// The same over all streams.
    pub hls_blocked: usize,
    /// HLS sessions counted per stream. Threat: invented user agents that fill the list.
    pub hls_sessions: usize,
    /// Viewers listed in one API answer. Threat: an answer that grows with the audience.
    pub listed_viewers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_head: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            head_bytes: 16 << 10,
            target_bytes: 4 << 10,
            headers: 64,
            body_bytes: 256 << 10,
            body_time: Duration::from_secs(10),
            api_rate: 5_000,
            h2_streams: 100,
            waiting: 4_096,
            hls_blocked_per_stream: 8_192,
            hls_blocked: 32_768,
            hls_sessions: 20_000,
            listed_viewers: 1_000,
        }
    }
}
