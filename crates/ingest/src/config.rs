//! What the ingest can be told, and what it counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Settings of [`crate::Ingest`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What sessions announce and how long they wait.
    pub session: Arc<rtmp::ServerConfig>,
    /// What one connection may ask for.
    pub limits: rtmp::Limits,
    /// What one publisher's tag bodies may hold.
    pub flv: remux::flv::Limits,
    /// How long a player may wait for a publisher; zero refuses at once.
    pub play_wait: Duration,
    /// How long an answer may take to leave. Bounds: a peer that asks and does not read.
    pub answer_time: Duration,
    /// Most bits per second of a publisher, over five seconds. Bounds: a publisher that
    /// fills the machine's network or memory bandwidth.
    pub publish_bitrate_bps: u64,
    /// How long what a publisher sends may lie in its socket while nobody wants its frames at
    /// once (see [`hub::Stream::is_hurried`]); zero reads all at once, always.
    pub gather: Duration,
}

/// Over how long the bitrate of a publisher is judged: a key frame burst is no offence.
pub(crate) const BITRATE_WINDOW: Duration = Duration::from_secs(5);

impl Default for Config {
    fn default() -> Self {
        Self {
            session: Arc::default(),
            limits: rtmp::Limits::default(),
            flv: remux::flv::Limits::default(),
            play_wait: Duration::from_secs(30),
            answer_time: Duration::from_secs(10),
            publish_bitrate_bps: 200_000_000,
            gather: Duration::from_millis(40),
        }
    }
}

/// What the ingest counts, for metrics; relaxed ordering.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections closed at once because of the limit of connections.
    pub refused_connections: AtomicU64,
    /// Connections ended because the peer broke the protocol or reached a limit.
    pub violations: AtomicU64,
    /// Publishes refused: name, conflict, authorisation.
    pub refused_publishes: AtomicU64,
    /// Plays refused: name, nobody publishes, authorisation.
    pub refused_plays: AtomicU64,
    /// Audio and video messages that could not be read and were dropped.
    pub bad_messages: AtomicU64,
}
