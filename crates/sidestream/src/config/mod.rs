//! What the relay can be told: plain structs with defaults, read from TOML, the environment and
//! flags.
//!
//! `docs/sidestream.toml` is the reference of every key; a test proves that it equals
//! [`Config::default`]. A flag wins over the environment, the environment over the file, the file
//! over the default. Unknown keys are errors with the nearest known name.

mod api_key;
mod auth;
mod callbacks;
mod control_plane;
mod dvr;
mod hls_encryption;
mod inspect;
mod load;
mod mirror;
mod problem;
mod push;
pub mod quantity;
mod record;
mod rules;
mod schema;
mod setting;
mod value;
mod words;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use api_key::{ApiKey, ApiScope};
pub use auth::{Auth, AuthGate, GateMode};
pub use callbacks::{CallbackEndpoint, Callbacks};
pub use control::admission::OnError;
pub use control::credential::Secret;
pub use control_plane::{Control, PolicyPatch, StateIn};
pub use dvr::DvrRule;
pub use hls_encryption::HlsEncryption;
pub(crate) use load::unreadable;
pub use load::{Loaded, Loader, Origin, in_reading_order};
pub use mirror::Mirror;
pub use problem::{ConfigError, Place, Problem};
use quantity::{Bitrate, Size};
pub use record::{Record, RecordRule};
pub(crate) use words::container_word;
pub use words::{Batch, LogFormat, OnConflict, UnknownPublish};

/// Everything the relay can be told. `Config::default()` is what runs without a file.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// RTMP listener.
    pub rtmp: Rtmp,
    /// RTMP over TLS.
    pub rtmps: Rtmps,
    /// HTTP listener: playback, API, metrics, watch page.
    pub http: Http,
    /// The same over TLS.
    pub https: Https,
    /// A stream's name and life.
    pub streams: Streams,
    /// How viewers are served.
    pub fanout: Fanout,
    /// HLS output.
    pub hls: Hls,
    /// Where HLS is also written to.
    pub mirror: Mirror,
    /// Remote RTMP servers that streams are sent on to.
    pub push: Vec<Push>,
    /// Recordings, and which streams are recorded.
    pub record: Record,
    /// Who may publish, who may watch, who may use the API.
    pub auth: Auth,
    /// Rooms, channels and what happens by itself.
    pub control: Control,
    /// Who is told what happens.
    pub callbacks: Callbacks,
    /// What is bounded, and against which threat.
    pub limits: Limits,
    /// Logging; read by the binary only.
    pub log: Log,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// Where state is kept.
    pub storage: Storage,
}

/// `[rtmp]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rtmp {
    /// Where to listen; `None` turns RTMP off.
    pub listen: Option<SocketAddr>,
    /// How long a viewer may wait for a publisher; zero refuses at once.
    pub play_wait: Duration,
    /// Chunk size we announce and send with, in bytes: 128 to 16 777 215.
    pub chunk_size: u32,
    /// How long what a publisher sends may lie unread while nobody wants its frames at once.
    pub gather: Duration,
}

impl Default for Rtmp {
    fn default() -> Self {
        Self {
            listen: Some((Ipv4Addr::UNSPECIFIED, 1935).into()),
            play_wait: Duration::from_secs(30),
            chunk_size: 60_000,
            gather: Duration::from_millis(40),
        }
    }
}

/// `[rtmps]`
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rtmps {
    /// Where to listen; `None`: no RTMPS.
    pub listen: Option<SocketAddr>,
    /// Certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Private key, PEM.
    pub key: Option<PathBuf>,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Http {
    /// Where to listen; `None` turns HTTP off.
    pub listen: Option<SocketAddr>,
    /// Base of every URL we print, when a proxy stands before us; empty: made of `listen`.
    pub public_url: String,
    /// Origins that may read media in a browser; `*` is any.
    pub cors: Vec<String>,
    /// Origins that may embed the watch page in a frame.
    pub embed_from: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Some((Ipv4Addr::UNSPECIFIED, 8080).into()),
            public_url: String::new(),
            cors: vec!["*".to_owned()],
            embed_from: Vec::new(),
        }
    }
}

/// `[https]`
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Https {
    /// Where to listen; `None`: no HTTPS.
    pub listen: Option<SocketAddr>,
    /// Certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Private key, PEM.
    pub key: Option<PathBuf>,
}

/// `[streams]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Streams {
    /// How long a stream waits for a publisher that was lost.
    pub reconnect_window: Duration,
    /// What happens to a second publisher on a live name.
    pub on_conflict: OnConflict,
    /// What happens to a publish that nobody announced.
    pub unknown_publish: UnknownPublish,
    /// Most bytes a stream keeps for late joiners and slow readers.
    pub gop_cache: Size,
    /// Most media time a stream keeps.
    pub gop_cache_time: Duration,
    /// How long viewers stay connected after the publisher said goodbye.
    pub viewer_end_grace: Duration,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            reconnect_window: Duration::from_secs(60),
            on_conflict: OnConflict::Refuse,
            unknown_publish: UnknownPublish::Auto,
            gop_cache: Size(8 << 20),
            gop_cache_time: Duration::from_secs(10),
            viewer_end_grace: Duration::from_secs(7),
        }
    }
}

/// `[fanout]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fanout {
    /// Threads that serve viewers; 0: one per core.
    pub workers: usize,
    /// How long frames are merged into one write.
    pub batch: Batch,
    /// A viewer further behind than this is moved to the newest random access point.
    pub max_lag: Duration,
    /// The same, in bytes.
    pub max_lag_bytes: Size,
    /// A viewer whose socket took nothing for this long is disconnected; so is one that fell behind
    /// and has not even finished the message it is in for this long.
    pub stall_timeout: Duration,
}

impl Default for Fanout {
    fn default() -> Self {
        Self {
            workers: 0,
            batch: Batch::Auto,
            max_lag: Duration::from_secs(10),
            max_lag_bytes: Size(8 << 20),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// `[hls]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hls {
    /// Whether HLS is served at all.
    pub enabled: bool,
    /// Segment every stream from its start, instead of from the first request.
    pub always: bool,
    /// Wanted length of a segment; cut at the next random access point.
    pub segment: Duration,
    /// Whether the fMP4 playlist is one of low latency (LL-HLS), with segments in parts.
    pub low_latency: bool,
    /// About how long a part is; rounded to whole frames.
    pub part: Duration,
    /// Parts are byte ranges of their segments, which grow while they are made.
    pub part_ranges: bool,
    /// Segments in a playlist.
    pub segments: usize,
    /// Segmenting stops when nobody asked for this long.
    pub idle: Duration,
    /// Whether data messages of publishers go into segments as timed metadata.
    pub timed_metadata: bool,
    /// How far back streams are kept on the disk; zero: not at all.
    pub dvr: Duration,
    /// Folder below the data folder, or an absolute one.
    pub dvr_dir: PathBuf,
    /// Containers that are kept.
    pub dvr_formats: Vec<hls::Container>,
    /// Space that is left free.
    pub dvr_min_free: Size,
    /// `[[hls.dvr_rule]]`: other windows for some streams.
    pub dvr_rule: Vec<DvrRule>,
    /// `[[hls.encryption]]`: which streams are encrypted.
    pub encryption: Vec<HlsEncryption>,
    /// `[[hls.ladder]]`: streams that are served as one.
    pub ladder: Vec<LadderRule>,
}

impl Default for Hls {
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
            dvr: Duration::ZERO,
            dvr_dir: PathBuf::from("dvr"),
            dvr_formats: vec![hls::Container::Fmp4],
            dvr_min_free: dvr::MIN_FREE,
            dvr_rule: Vec::new(),
            encryption: Vec::new(),
            ladder: Vec::new(),
        }
    }
}

/// `[[hls.ladder]]`: several published streams, of one picture in several qualities, served as one.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LadderRule {
    /// Name of the ladder; `{name}` stands for the same text here and in the rungs.
    pub name: String,
    /// Names of the streams, the one that players begin with first.
    pub rungs: Vec<String>,
}

/// `[[push]]`: a remote RTMP server that streams are sent on to.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Push {
    /// Pattern of stream names, `*` stands for anything: `live/*`. Empty when `stream` is set.
    pub matches: String,
    /// One stream's name. Empty when `matches` is set.
    pub stream: String,
    /// Where to: `rtmp://` or `rtmps://`; `{app}` and `{stream}` are filled in.
    pub url: String,
    /// File whose first line is the stream key, put behind `url` as its last part.
    pub key_file: Option<PathBuf>,
    /// Most media time that waits for a slow target; then it skips to a random access point.
    pub queue: Duration,
    /// Longest pause between two attempts to connect.
    pub retry_max: Duration,
}

impl Default for Push {
    fn default() -> Self {
        Self {
            matches: String::new(),
            stream: String::new(),
            url: String::new(),
            key_file: None,
            queue: Duration::from_secs(10),
            retry_max: Duration::from_secs(60),
        }
    }
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL holds the stream key.
        let (pattern, key_file) = (&self.matches, &self.key_file);
        write!(
            f,
            "Push(match {pattern:?}, stream {:?}, key_file {key_file:?})",
            self.stream
        )
    }
}

/// `[limits]`; 0 means no limit where it says so.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once. Bounds: file descriptors.
    pub connections: usize,
    /// Live streams at once. Bounds: a flood of publishers with new names.
    pub publishers: usize,
    /// Viewers of one stream, 0 is no limit. Bounds: one stream that takes all upload.
    pub viewers_per_stream: usize,
    /// Connections of one address, 0 is no limit. Bounds: one host that takes all places.
    pub per_ip: usize,
    /// Largest RTMP message of a publisher. Bounds: memory of a declared length.
    pub message: Size,
    /// Highest bitrate of a publisher. Bounds: one publisher that fills disk and network.
    pub publish_bitrate: Bitrate,
    /// Tracks of a stream. Bounds: a multitrack publisher that invents track ids.
    pub tracks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            publishers: 2_000,
            viewers_per_stream: 0,
            per_ip: 0,
            message: Size(8 << 20),
            publish_bitrate: Bitrate(200_000_000),
            tracks: 16,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Log {
    /// A level, or directives as `tracing` writes them: `info,sidestream_rtmp=debug`.
    pub level: String,
    /// Text for people or JSON for machines.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Whether `/metrics` is served.
    pub enabled: bool,
    /// Streams that get series of their own. Bounds: what the metrics database has to store.
    pub per_stream: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            per_stream: 1_000,
        }
    }
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Storage {
    /// The data folder.
    pub data: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./sidestream-data"),
        }
    }
}

impl Config {
    /// Reads a file; the environment is not looked at.
    ///
    /// # Errors
    /// [`ConfigError`] holds every problem with its line and column.
    pub fn from_file(path: impl AsRef<std::path::Path>) -> Result<Self, ConfigError> {
        Loader::new()
            .file(path.as_ref())
            .load()
            .map(|loaded| loaded.config)
    }

    /// Reads TOML; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`ConfigError`] holds every problem with its line and column.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ConfigError> {
        Loader::new()
            .text(name, text)
            .load()
            .map(|loaded| loaded.config)
    }

    /// `open` until an API key is configured, then `keyed`.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if self.auth.keys.is_empty() && self.auth.keys_file.is_none() {
            "open"
        } else {
            "keyed"
        }
    }
}

impl Config {
    /// What the mode means, in one sentence.
    #[must_use]
    pub fn mode_explained(&self) -> String {
        let state = if crate::relay::control::on_disk(self) {
            format!("kept in {}", self.storage.data.join("control.db").display())
        } else {
            "in memory".to_owned()
        };
        let settings = crate::relay::control::settings(self);
        let policy = settings.map(|settings| settings.policy).unwrap_or_default();
        let adopts = policy.unknown_publish == ::control::model::UnknownPublish::Adopt;
        if self.mode() == "open" {
            let publishes = match adopts {
                true => "so every publish is adopted and served at once",
                false => "publishes that nobody announced are refused, others are served at once",
            };
            return format!(
                "mode open: no API key is set, {publishes}, and /v1 answers this machine only; \
                 state {state}"
            );
        }
        let unknown = match adopts {
            true => "publishes that nobody announced are adopted",
            false => "publishes that nobody announced are refused",
        };
        let bypass = match policy.auto_bypass.enabled {
            true => "publishes become channels by themselves",
            false => "a stream is served once a channel is started for it",
        };
        let keys = match self.api_keys() {
            Ok(keys) if !keys.is_empty() => format!("an API key: {}", api_key::explained(&keys)),
            _ => "an API key, and there is none".to_owned(),
        };
        format!("mode keyed: /v1 asks for {keys}; {unknown}; {bypass}; state {state}")
    }
}

#[cfg(test)]
mod tests;
