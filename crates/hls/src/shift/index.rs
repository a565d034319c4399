//! What is kept of one container of a stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use remux::Key;

use crate::config::WallTime;
use crate::container::{self, Container, HasVideo, ResourceName};
use crate::encryption::Sealed;
use crate::feed::Feed;

use super::block::{Block, BlockId, Head, Replayed};
use super::line::{Segment, Tracks};
use super::list::{self, Cached};
use super::ranges::Said;

/// Blocks that a window is made of, about: what leaves at once is one of them.
const BLOCKS: u64 = 24;
/// A block is at least and at most this long.
const BLOCK_MS: (u64, u64) = (60_000, 3_600_000);
/// Bytes of a block at most: places in it are 32 bits wide.
const BLOCK_BYTES: u64 = 1 << 30;
/// Segments of a block at most: bounds a log's length and a text's rendering where they are very short.
const BLOCK_SEGMENTS: u64 = 16_384;

/// The segments of one container that are kept, and the playlists over them.
///
/// # Contract
/// [`Self::adopt`] what logs tell, once, at the start. Then for each segment that is stored:
/// [`Self::begin`] a block where [`Self::needs_block`] says so, and [`Self::say`] what [`Self::lasting`] gave
/// before; [`Self::tracks`] and [`Self::seal`] where that changes, [`Self::say`] for the date ranges that came
/// with the segment, [`Self::push`]. [`Self::expire`] from time to time; it says what is to be removed. Nothing
/// here fails or panics.
#[derive(Debug)]
pub struct Index {
    pub(super) container: Container,
    /// The stream's part of its name, for relative URIs.
    pub(super) stream: Box<str>,
    window_ms: u64,
    pub(super) blocks: VecDeque<Block>,
    /// The first block that is listed.
    pub(super) listed: usize,
    /// Playlists made since the last change.
    pub(super) answers: HashMap<list::Key, Cached>,
    pub(super) renders: u64,
}

/// What there is, for those who ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Segments listed.
    pub segments: u64,
    /// Segments listed that could not be stored.
    pub gaps: u64,
    /// Bytes of media in blocks, listed or not.
    pub bytes: u64,
    /// From when to when playlists reach.
    pub span: Option<(WallTime, WallTime)>,
    /// Times that playlists were rendered.
    pub renders: u64,
}

/// Where a later segmenter of the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The highest epoch used.
    pub epoch: u64,
    /// Sequence number of the last segment, as in its name.
    pub sequence: u64,
    /// The discontinuity sequence number of the last segment.
    pub discontinuity_sequence: u64,
    /// The target duration.
    pub target: Duration,
    /// When the last segment ends.
    pub ends: WallTime,
}

/// Where a resource is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// In the file of this block.
    pub block: BlockId,
    /// From this byte on.
    pub offset: u32,
    /// So many bytes.
    pub len: u32,
    /// MIME type.
    pub content_type: &'static str,
}

/// A key that a segment which is kept needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptKey {
    /// Epoch of the run that it is of.
    pub epoch: u64,
    /// Its number there.
    pub number: u64,
    container: Container,
    /// A segment that is encrypted with it, and how.
    sequence: u64,
    sealed: Sealed,
}

impl KeptKey {
    /// Whether it is this key; another one would make noise of what is kept.
    #[must_use]
    pub fn is(&self, key: &Key) -> bool {
        self.sealed
            .was_made_with(key, self.container, self.epoch, self.sequence)
    }
}

impl Index {
    /// Nothing kept yet; `stream` is the stream's part of its name.
    #[must_use]
    pub fn new(container: Container, stream: &str, window: Duration) -> Self {
        Self {
            container,
            stream: stream.into(),
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            blocks: VecDeque::new(),
            listed: 0,
            answers: HashMap::new(),
            renders: 0,
        }
    }

    /// Takes the blocks that were kept before a restart. Whoever read a playlist then has as long to
    /// play it as it can have been.
    pub fn adopt(&mut self, replayed: Vec<Replayed>, now: WallTime) {
        let mut blocks: Vec<Block> = replayed.into_iter().map(|one| one.block).collect();
        blocks.retain(|block| block.head.container == self.container);
        blocks.sort_by_key(|block| (block.head.number, block.head.id()));
        // Where a block is missing, the older ones move up: the newest keep their numbers.
        let mut next: Option<Head> = None;
        for block in blocks.iter_mut().rev() {
            if let Some(next) = next {
                block.head.number = next.number.saturating_sub(block.len());
                block.head.discontinuities = next.discontinuities.saturating_sub(block.tags);
            }
            block.leased_until_ms = now.0.saturating_add_unsigned(self.window_ms);
            block.shrink_to_fit();
            next = Some(block.head);
        }
        self.blocks = blocks.into();
        self.changed();
        self.list(now);
    }

    /// Whether a segment of this epoch begins another block.
    #[must_use]
    pub fn needs_block(&self, epoch: u64, len: u64) -> bool {
        let (least, most) = BLOCK_MS;
        let enough_ms = (self.window_ms / BLOCKS).clamp(least, most);
        self.blocks.back().is_none_or(|block| {
            block.head.epoch != epoch
                || block.duration_ms >= enough_ms
                || block.bytes + len > BLOCK_BYTES
                || block.len() >= BLOCK_SEGMENTS
        })
    }

    /// The head of the block that begins with this segment. The target duration never falls: it
    /// must not change in the life of a playlist (H1).
    #[must_use]
    pub fn next_head(&self, epoch: u64, sequence: u64, target: Duration) -> Head {
        let last = self.blocks.back();
        Head {
            container: self.container,
            epoch,
            sequence,
            number: last.map_or(sequence, |last| last.head.number + last.len()),
            discontinuities: last.map_or(0, |last| last.head.discontinuities + last.tags),
            target_s: last
                .map_or(0, |last| last.head.target_s)
                .max(target.as_secs()),
        }
    }

    /// Whether this segment stands right behind the last one; if not, a discontinuity is before it,
    /// unless nothing is.
    #[must_use]
    pub fn follows(&self, epoch: u64, sequence: u64) -> bool {
        // A block that has begun and holds nothing yet says nothing.
        let Some(last) = self.blocks.iter().rev().find(|b| !b.entries.is_empty()) else {
            return true;
        };
        let since = last
            .entries
            .last()
            .map_or(0, |entry| u64::from(entry.since));
        last.head.epoch == epoch && last.head.sequence + since + 1 == sequence
    }

    /// A block begins.
    pub fn begin(&mut self, head: Head) {
        if let Some(last) = self.blocks.back_mut() {
            last.shrink_to_fit();
        }
        self.blocks.push_back(Block::new(head));
        self.changed();
    }

    /// The date ranges that go on when a block of this epoch begins: what the block's log repeats. A
    /// break that another run opened is over with it.
    #[must_use]
    pub fn lasting(&self, epoch: u64, begins: WallTime) -> Vec<Said> {
        let Some(last) = self.blocks.back() else {
            return Vec::new();
        };
        let lasting = last.ranges.lasting(last.entries.len(), begins.0);
        let said = lasting.filter(|range| last.head.epoch == epoch || range.until_ms.is_some());
        said.map(|range| Said {
            range: range.clone(),
            carried: true,
        })
        .collect()
    }

    /// A date range stands before the next segment; false where it stands already, or where the block has
    /// enough of them: then it is not to be written.
    pub fn say(&mut self, said: Said) -> bool {
        self.blocks.back_mut().is_some_and(|last| last.say(said))
    }

    /// The segments after this are made of these tracks.
    pub fn tracks(&mut self, tracks: Tracks) {
        if let Some(last) = self.blocks.back_mut() {
            last.tracks.push(tracks);
        }
    }

    /// The segments after this are encrypted so; those of a new block, until this is called, not at
    /// all.
    pub fn seal(&mut self, sealed: Option<Sealed>) {
        if let Some(last) = self.blocks.back_mut() {
            last.keys.push(sealed);
        }
    }

    /// How the newest block's segments are encrypted.
    #[must_use]
    pub fn last_sealed(&self) -> Option<Sealed> {
        self.blocks.back()?.keys.last().copied().flatten()
    }

    /// What the newest block's segments are made of.
    #[must_use]
    pub fn last_tracks(&self) -> Option<&Tracks> {
        self.blocks.back()?.tracks.last()
    }

    /// The newest block.
    #[must_use]
    pub fn last_block(&self) -> Option<BlockId> {
        self.blocks.back().map(|block| block.head.id())
    }

    /// Lists a segment; false when it belongs to no block, or is not newer than the last one.
    pub fn push(&mut self, segment: Segment) -> bool {
        let taken = self
            .blocks
            .back_mut()
            .is_some_and(|last| last.push(segment));
        if taken {
            self.changed();
        }
        taken
    }

    /// Takes what is older than the window out of the playlists, and gives the blocks that nobody
    /// can be playing any more: they are forgotten here, and to be removed from the disk.
    pub fn expire(&mut self, now: WallTime) -> Vec<BlockId> {
        self.list(now);
        let mut gone = Vec::new();
        while self.listed > 0
            && let Some(first) = self.blocks.front()
            && first.leased_until_ms <= now.0
        {
            gone.push(first.head.id());
            self.blocks.pop_front();
            self.listed -= 1;
            // Playlists made before know blocks by their places.
            self.changed();
        }
        gone
    }

    /// Lists what ends within the window.
    fn list(&mut self, now: WallTime) {
        let oldest_ms = now.0.saturating_sub_unsigned(self.window_ms);
        let blocks = self.blocks.len();
        while let Some(block) = self.blocks.get_mut(self.listed) {
            let is_new = block.entries.is_empty() && self.listed + 1 == blocks;
            if block.ends_ms >= oldest_ms || is_new {
                break;
            }
            block.text.forget();
            self.listed += 1;
            self.changed();
        }
    }

    /// The segment or init segment of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Found> {
        let epoch = u64::from_str_radix(name.split_once('-')?.0, 16).ok()?;
        let blocks = self.blocks.iter().filter(|block| block.head.epoch == epoch);
        match container::parse_name(epoch, name)? {
            ResourceName::Segment { feed, sequence } if feed == Feed::Main(self.container) => {
                let block = blocks.take_while(|b| b.head.sequence <= sequence).last()?;
                let since = u32::try_from(sequence - block.head.sequence).ok()?;
                let entries = &block.entries;
                let index = entries.binary_search_by_key(&since, |entry| entry.since);
                let entry = entries.get(index.ok()?).filter(|entry| !entry.flags.gap)?;
                Some(Found {
                    block: block.head.id(),
                    offset: entry.offset,
                    len: entry.len,
                    content_type: self.content_type(block.tracks_of(entry)?),
                })
            }
            ResourceName::Init { feed, version } if feed == Feed::Main(self.container) => {
                let mut all = blocks.flat_map(|b| b.tracks.iter().map(move |t| (b, t)));
                all.find_map(|(block, tracks)| {
                    let (_, offset, len) = tracks.init.filter(|(v, _, _)| *v == version)?;
                    Some(Found {
                        block: block.head.id(),
                        offset,
                        len,
                        content_type: self.content_type(tracks),
                    })
                })
            }
            _ => None,
        }
    }

    /// The key of this name, as long as a segment that can be fetched needs it.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<KeptKey> {
        let epoch = container::epoch_of_key(name)?;
        let number = container::parse_key_name(epoch, name)?;
        let mut blocks = self.blocks.iter().filter(|b| b.head.epoch == epoch);
        blocks.find_map(|block| {
            // A gap has no vector of its own.
            let mut stored = block.entries.iter().filter(|entry| !entry.flags.gap);
            stored.find_map(|entry| {
                let (_, sealed) = block.key_of(entry)?;
                (sealed.key == number).then_some(KeptKey {
                    epoch,
                    number,
                    container: self.container,
                    sequence: block.head.sequence + u64::from(entry.since),
                    sealed,
                })
            })
        })
    }

    /// Whether a segment of any block may be encrypted.
    pub(super) fn has_keys(&self) -> bool {
        self.blocks.iter().any(|block| !block.keys.is_empty())
    }

    fn content_type(&self, tracks: &Tracks) -> &'static str {
        self.container.media_type(match tracks.about.resolution {
            Some(_) => HasVideo::Yes,
            None => HasVideo::No,
        })
    }

    /// Where a later segmenter goes on; `None` when nothing is kept.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let last = self.blocks.back()?;
        let since = last
            .entries
            .last()
            .map_or(0, |entry| u64::from(entry.since));
        let ends = self.blocks.iter().rev().find(|b| !b.entries.is_empty());
        Some(Progress {
            epoch: self.blocks.iter().map(|b| b.head.epoch).max().unwrap_or(0),
            sequence: last.head.sequence + since,
            discontinuity_sequence: last.head.discontinuities + last.tags,
            target: Duration::from_secs(last.head.target_s),
            ends: WallTime(ends.map_or(0, |block| block.ends_ms)),
        })
    }

    /// What there is.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let listed = || self.blocks.iter().skip(self.listed);
        Kept {
            segments: listed().map(Block::len).sum(),
            gaps: listed().map(|block| block.gaps).sum(),
            bytes: self.blocks.iter().map(|block| block.bytes).sum(),
            span: self.span(),
            renders: self.renders,
        }
    }

    /// From when to when playlists reach.
    pub(super) fn span(&self) -> Option<(WallTime, WallTime)> {
        let mut entries = self
            .blocks
            .iter()
            .skip(self.listed)
            .flat_map(|b| &b.entries);
        let begins = entries.next()?.wall_ms;
        let ends = self.blocks.iter().map(|block| block.ends_ms).max()?;
        Some((WallTime(begins), WallTime(ends)))
    }

    /// Bytes held in memory, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| {
            let entries = block.entries.capacity() * size_of::<super::block::Entry>();
            let tracks = block.tracks.len() * (size_of::<Tracks>() + 64);
            let keys = block.keys.capacity() * size_of::<Option<Sealed>>();
            let ranges = block.ranges.memory();
            size_of::<Block>() + entries + tracks + keys + ranges + block.text.bytes()
        });
        blocks.sum()
    }

    fn changed(&mut self) {
        self.answers.clear();
    }
}

/// Shared by those who make playlists.
pub(super) type Shared = Arc<super::answer::Answer>;
