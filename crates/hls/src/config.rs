//! Settings and limits of one stream's HLS.

use std::time::Duration;

use media::StreamName;

use crate::encryption::Encryption;
use crate::ladder::Rung;

/// A moment on the wall clock, in milliseconds since 1970-01-01 UTC; given by the shell, since a
/// core reads no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub i64);

/// Settings of a [`crate::Segmenter`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The stream's part of its name, for the relative URIs in the multivariant playlist.
    pub stream: Box<str>,
    /// A number that no earlier segmenter of this stream had: it is part of every media URL, so
    /// that a URL never names other content (H18). The shell's start time in seconds will do.
    pub epoch: u64,
    /// Length that segments have at least, before the next random access unit ends them; values
    /// below 100 ms count as 100 ms. Default 2 s.
    pub segment: Duration,
    /// Length that parts have about, between 200 ms and 1 s; `None`: no low latency. What the
    /// playlist says (`PART-TARGET`) is fixed by the frames of the first segment. Default `None`.
    pub part: Option<Duration>,
    /// Parts are byte ranges of their segment, which grows while it is made, in place of resources
    /// of their own (RFC 8216bis §4.4.4.9, `BYTERANGE`): a cache keeps each byte once. Default false.
    pub part_ranges: bool,
    /// Segments listed in a playlist, at least 1; more are listed while they hold less than three
    /// target durations (H4). Default 7.
    pub segments: usize,
    /// Media sequence number of the first segment: greater than any number that a playlist of
    /// this stream had before ([`crate::Segmenter::next_media_sequence`]). Default 0.
    pub first_media_sequence: u64,
    /// Discontinuity sequence number of the first segment; after an earlier segmenter of the same
    /// stream [`crate::Segmenter::next_discontinuity_sequence`]. Default 0.
    pub first_discontinuity_sequence: u64,
    /// The target duration is at least this, whole seconds: that of an earlier playlist which goes
    /// on with these segments (H1). Default 0.
    pub least_target: Duration,
    /// How media is encrypted; `None`: not at all. With [`Method::Aes128`](crate::Method) there are
    /// no parts. Default `None`.
    pub encryption: Option<Encryption>,
    /// The stream's place in a ladder, if it has one. Default none.
    pub rung: Option<Rung>,
    /// No number below this is given by a ladder, as an earlier segmenter of the stream has used them;
    /// not more than [`Config::first_media_sequence`]. Default 0.
    pub least_media_sequence: u64,
    /// Whether data messages go into segments as timed metadata. Default true.
    pub timed_metadata: bool,
    /// What bounds memory and work.
    pub limits: Limits,
}

impl Config {
    /// The default settings for this stream and epoch.
    #[must_use]
    pub fn new(name: &StreamName, epoch: u64) -> Self {
        Self {
            stream: name.stream().into(),
            epoch,
            segment: Duration::from_secs(2),
            part: None,
            part_ranges: false,
            segments: 7,
            first_media_sequence: 0,
            first_discontinuity_sequence: 0,
            least_target: Duration::ZERO,
            encryption: None,
            rung: None,
            least_media_sequence: 0,
            timed_metadata: true,
            limits: Limits::default(),
        }
    }
}

/// What bounds the memory and work of one stream's HLS.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Longest target duration. A group of pictures longer than this is cut in its middle, so
    /// that a stream without key frames for minutes neither delays its playlist nor grows its
    /// open segment. 12 s holds the 10 s groups that encoders make when left to themselves.
    pub max_target: Duration,
    /// Bytes of segments, init segments and the open segment, over both containers. Beyond it
    /// removed segments go before their time (H3), then windows shorten (H4) down to one segment;
    /// and the open segment is cut when its units have a quarter of it, which leaves room for that
    /// segment in both containers. A 100 Mbit/s publisher costs quality, never the process.
    /// 256 MiB is 30 s of 60 Mbit/s.
    pub max_bytes: usize,
    /// Segments listed at most, whatever their length: a publisher that changes its configuration
    /// at every frame would otherwise make us render thousands of lines for each.
    pub max_listed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_target: Duration::from_secs(12),
            max_bytes: 256 << 20,
            max_listed: 128,
        }
    }
}
