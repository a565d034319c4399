//! What the hub can be told.

use std::time::Duration;

/// Settings of a [`crate::Hub`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long a stream waits for a publisher that was lost.
    pub reconnect_window: Duration,
    /// How long a stream waits after its publisher said that it ends.
    pub end_grace: Duration,
    /// What happens when a second publisher comes for a live stream.
    pub on_conflict: OnConflict,
    /// An owner that has sent nothing for this long gives way at once: its connection is dead,
    /// and "busy" for a dead connection is the most reported fault of media servers.
    pub owner_silence: Duration,
    /// Most bytes a stream's ring keeps (the current GOP, and what slow readers still want).
    pub gop_cache_bytes: usize,
    /// Most media time a stream's ring keeps.
    pub gop_cache_time: Duration,
    /// How long a stream's ring keeps all that came since its start, as far as its bytes allow: for
    /// recordings and segments, which hear of the start and subscribe while a publisher may send at
    /// once what it has gathered. Zero, the default, where nothing begins by itself.
    pub beginning: Duration,
    /// Live and interrupted streams at once. Bounds: a flood of publishers with new names.
    pub max_streams: usize,
    /// Streams that viewers wait for at once. Bounds: a flood of plays of unknown names.
    pub max_awaited: usize,
    /// Tracks per stream. Bounds: a multitrack publisher that invents track ids.
    pub max_tracks: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reconnect_window: Duration::from_secs(60),
            end_grace: Duration::from_secs(7),
            on_conflict: OnConflict::Refuse,
            owner_silence: Duration::from_secs(2),
            gop_cache_bytes: 8 << 20,
            gop_cache_time: Duration::from_secs(10),
            beginning: Duration::ZERO,
            max_streams: 2_000,
            max_awaited: 10_000,
            max_tracks: 16,
        }
    }
}

/// What happens when a second publisher comes for a stream whose owner is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The owner stays, the newcomer is told.
    #[default]
    Refuse,
    /// The newcomer takes over, the owner is told.
    Replace,
}
