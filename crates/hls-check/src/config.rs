//! What a check is asked to do, and its bounds.

use std::time::Duration;

use crate::rule::Rule;

/// What to check, and for how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How long a live playlist is watched; of a VOD, when no new request is made any more.
    pub time: Duration,
    /// How long the playlist may not be there yet.
    pub wait: Duration,
    /// Read segments and parts. Otherwise the playlists alone are looked at, and how they are served.
    pub media: bool,
    /// The rules to check; all when there are none.
    pub rules: Vec<Rule>,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            wait: Duration::from_secs(5),
            media: true,
            rules: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Bounds on what a server may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a playlist, also when decompressed. Threat: it is held in memory, twice.
    pub playlist_bytes: usize,
    /// Bytes of a segment, part or init segment. Threat: it is held in memory; 12 s of 4K have some 40 MiB.
    pub segment_bytes: usize,
    /// Playlists that are watched. Threat: a multivariant playlist names thousands.
    pub playlists: usize,
    /// How long an answer may take where nothing is waited for.
    pub answer: Duration,
    /// Segments and parts that wait to be read, of a live playlist. Threat: a server lists more than can be fetched.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            playlist_bytes: 8 << 20,
            segment_bytes: 64 << 20,
            playlists: 32,
            answer: Duration::from_secs(10),
            queue: 256,
        }
    }
}
