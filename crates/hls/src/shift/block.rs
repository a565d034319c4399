//! A run of segments in one file.

use crate::config::WallTime;
use crate::container::Container;
use crate::encryption::Sealed;

use super::line::{Flags, Line, Segment, Tracks};
use super::ranges::{Ranges, Said};
use super::text::Cached;

/// What a block begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The container of its segments.
    pub container: Container,
    /// What the names of its segments begin with.
    pub epoch: u64,
    /// Media sequence number of its first segment, as in that segment's name.
    pub sequence: u64,
    /// The same number as playlists count it.
    pub number: u64,
    /// Discontinuities before its first segment; one that stands right before it is not counted.
    pub discontinuities: u64,
    /// Target duration of its segments.
    pub target_s: u64,
}

/// Which block; no other of the same stream and container has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId {
    /// Epoch of its segments.
    pub epoch: u64,
    /// Sequence number of its first segment.
    pub sequence: u64,
}

impl Head {
    /// The block's identity.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }
}

/// A segment as it is held: 32 bytes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) wall_ms: i64,
    /// Distance to the block's first sequence number.
    pub(super) since: u32,
    pub(super) duration_ms: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
    /// Index of its tracks.
    pub(super) tracks: u16,
    /// How many keys the block had when it came: the last of them holds.
    pub(super) keys: u16,
    pub(super) flags: Flags,
}

impl Entry {
    pub(super) fn ends_ms(&self) -> i64 {
        self.wall_ms.saturating_add(self.duration_ms.into())
    }
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) head: Head,
    pub(super) tracks: Vec<Tracks>,
    /// What its segments are encrypted with, in turn.
    pub(super) keys: Vec<Option<Sealed>>,
    pub(super) entries: Vec<Entry>,
    pub(super) ranges: Ranges,
    pub(super) duration_ms: u64,
    /// Bytes of segments.
    pub(super) bytes: u64,
    /// Discontinuities that stand before its segments.
    pub(super) tags: u64,
    /// Segments at whose beginning no decoder can start.
    pub(super) dependent: u64,
    /// Segments that could not be stored.
    pub(super) gaps: u64,
    /// Latest end of a segment by the wall clock.
    pub(super) ends_ms: i64,
    /// Until then somebody may play what a playlist listed.
    pub(super) leased_until_ms: i64,
    pub(super) text: Cached,
}

impl Block {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            tracks: Vec::new(),
            keys: Vec::new(),
            entries: Vec::new(),
            ranges: Ranges::default(),
            duration_ms: 0,
            bytes: 0,
            tags: 0,
            dependent: 0,
            gaps: 0,
            ends_ms: i64::MIN,
            leased_until_ms: i64::MIN,
            text: Cached::default(),
        }
    }

    /// Takes a segment; false when it does not belong here: out of order, or of no tracks.
    pub(super) fn push(&mut self, segment: Segment) -> bool {
        let since = segment.sequence.checked_sub(self.head.sequence);
        let since = since.and_then(|since| u32::try_from(since).ok());
        let after = self
            .entries
            .last()
            .is_none_or(|last| Some(last.since) < since);
        let tracks = self.tracks.len().checked_sub(1);
        let tracks = tracks.and_then(|index| u16::try_from(index).ok());
        let keys = u16::try_from(self.keys.len()).ok();
        let (Some(since), Some(tracks), Some(keys), true) = (since, tracks, keys, after) else {
            return false;
        };
        let entry = Entry {
            wall_ms: segment.wall_ms,
            since,
            duration_ms: segment.duration_ms,
            offset: segment.offset,
            len: segment.len,
            tracks,
            keys,
            flags: segment.flags,
        };
        self.duration_ms += u64::from(entry.duration_ms);
        self.bytes += u64::from(entry.len);
        self.tags += u64::from(entry.flags.discontinuity);
        self.dependent += u64::from(!entry.flags.independent);
        self.gaps += u64::from(entry.flags.gap);
        self.ends_ms = self.ends_ms.max(entry.ends_ms());
        self.entries.push(entry);
        true
    }

    /// Takes a date range, which stands before the next segment; false where it is not taken.
    pub(super) fn say(&mut self, said: Said) -> bool {
        self.ranges.push(self.entries.len(), said)
    }

    /// Nothing is added any more.
    pub(super) fn shrink_to_fit(&mut self) {
        self.entries.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.ranges.shrink_to_fit();
    }

    pub(super) fn tracks_of(&self, entry: &Entry) -> Option<&Tracks> {
        self.tracks.get(usize::from(entry.tracks))
    }

    /// How a segment is encrypted, and the epoch of the key's name.
    pub(super) fn key_of(&self, entry: &Entry) -> Option<(u64, Sealed)> {
        let last = usize::from(entry.keys).checked_sub(1)?;
        let sealed = self.keys.get(last).copied().flatten()?;
        Some((self.head.epoch, sealed))
    }

    /// The name of its init segment without the container's part of it: epoch and version.
    pub(super) fn init_of(&self, entry: &Entry) -> Option<(u64, u32)> {
        let (version, _, _) = self.tracks_of(entry)?.init?;
        Some((self.head.epoch, version))
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }
}

/// A block as its log tells it.
#[derive(Debug)]
pub struct Replayed {
    pub(super) block: Block,
    /// Whether there was more, which could not be read: a crash, or damage.
    pub torn: bool,
}

impl Replayed {
    /// Reads a log whose file of media has `media_len` bytes: all up to the first line that is torn,
    /// unreadable, or tells of bytes that are not there. `None` when not even the first line is
    /// sound, or no segment is.
    #[must_use]
    pub fn read(log: &str, media_len: u64) -> Option<Self> {
        let mut lines = log.split_inclusive('\n');
        let whole = |line: &str| line.strip_suffix('\n')?.parse::<Line>().ok();
        let Some(Line::Head(head)) = lines.next().and_then(whole) else {
            return None;
        };
        let mut block = Block::new(head);
        let there = |offset: u32, len: u32| u64::from(offset) + u64::from(len) <= media_len;
        let mut torn = false;
        for line in lines {
            let taken = match whole(line) {
                Some(Line::Tracks(tracks)) => {
                    let stored = tracks
                        .init
                        .is_none_or(|(_, offset, len)| there(offset, len));
                    if stored {
                        block.tracks.push(tracks);
                    }
                    stored
                }
                Some(Line::Key(key)) => {
                    block.keys.push(key);
                    true
                }
                Some(Line::Range(said)) => {
                    block.say(said);
                    true
                }
                Some(Line::Segment(segment)) => {
                    there(segment.offset, segment.len) && block.push(segment)
                }
                Some(Line::Head(_)) | None => false,
            };
            if !taken {
                torn = true;
                break;
            }
        }
        (!block.entries.is_empty()).then_some(Self { block, torn })
    }

    /// Which block it is.
    #[must_use]
    pub fn head(&self) -> Head {
        self.block.head
    }

    /// When its last segment ends.
    #[must_use]
    pub fn ends(&self) -> WallTime {
        WallTime(self.block.ends_ms)
    }
}
