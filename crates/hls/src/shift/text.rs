//! The lines of a block, rendered once.
//!
//! A segment's lines are its *preface* (discontinuity, map, key, date: what depends on the segment before
//! it) and its *body*, which begins with the date ranges that came with it. The first segment of a block has no preface in the block's text: it depends on
//! another block, or on where a playlist begins, and is rendered by whoever joins texts.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::container::{Container, init_name, segment_name};
use crate::date::rfc3339;
use crate::encryption::{Method, NO_KEY, Sealed};
use crate::feed::Feed;
use crate::playlist::Seconds;
use crate::timed::DateRange;

use super::answer::Packed;
use super::block::{Block, Entry};

/// The text of a block.
#[derive(Debug, Default)]
pub(super) struct BlockText {
    text: Bytes,
    /// Where each segment's preface and body begin.
    places: Vec<(u32, u32)>,
    /// The whole text, compressed by the shell.
    pub(super) packed: Arc<Packed>,
}

/// A block's text, while it is of use.
#[derive(Debug, Default)]
pub(super) struct Cached(Option<Arc<BlockText>>);

/// What stands before a segment in a playlist.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// Epoch and version of the init segment in force.
    pub(super) init: Option<(u64, u32)>,
    /// Epoch and number of the key in force, and how it is used.
    pub(super) key: Option<(u64, Sealed)>,
    /// When the segment before ends; `None` at the beginning.
    pub(super) ends_ms: Option<i64>,
}

impl Before {
    pub(super) fn after(block: &Block, entry: &Entry) -> Self {
        Self {
            init: block.init_of(entry),
            key: block.key_of(entry),
            ends_ms: Some(entry.ends_ms()),
        }
    }
}

/// Writes what precedes a segment's own lines.
pub(super) fn preface(out: &mut String, before: Before, block: &Block, entry: &Entry) {
    let init = block.init_of(entry);
    if entry.flags.discontinuity {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    let key = block.key_of(entry);
    let mut in_force = before.key;
    if let Some((epoch, version)) = init.filter(|_| init != before.init) {
        // An init segment is clear, and what holds for whole segments holds for it too. Said where it holds
        // only behind it, too: in a delta update what stands before is not seen here.
        let whole = |(_, sealed): &(u64, Sealed)| sealed.method == Method::Aes128;
        if [in_force, key].iter().flatten().any(whole) {
            key_line(out, NO_KEY);
            in_force = None;
        }
        out.push_str("#EXT-X-MAP:URI=\"");
        out.push_str(&init_name(epoch, Feed::Main(Container::Fmp4), version));
        out.push_str("\"\n");
    }
    if key != in_force {
        match key {
            Some((epoch, sealed)) => key_line(out, &sealed.tag(epoch)),
            None => key_line(out, NO_KEY),
        }
    }
    // Within a timeline the date follows from the durations (H11).
    if entry.flags.discontinuity || before.ends_ms != Some(entry.wall_ms) {
        out.push_str("#EXT-X-PROGRAM-DATE-TIME:");
        out.push_str(&rfc3339(entry.wall_ms));
        out.push('\n');
    }
}

pub(super) fn key_line(out: &mut String, attributes: &str) {
    out.push_str("#EXT-X-KEY:");
    out.push_str(attributes);
    out.push('\n');
}

pub(super) fn range_lines<'a>(out: &mut String, ranges: impl Iterator<Item = &'a DateRange>) {
    for range in ranges {
        out.push_str("#EXT-X-DATERANGE:");
        out.push_str(&range.text);
        out.push('\n');
    }
}

fn body(out: &mut String, container: Container, block: &Block, entry: &Entry) {
    if entry.flags.gap {
        out.push_str("#EXT-X-GAP\n");
    }
    let duration = Seconds(entry.duration_ms.into());
    let sequence = block.head.sequence + u64::from(entry.since);
    let name = segment_name(block.head.epoch, container.into(), sequence);
    // Writing to memory does not fail.
    let _ = writeln!(out, "#EXTINF:{duration},\n{name}");
}

impl Cached {
    /// The text of the block that this belongs to; rendered when it has grown.
    pub(super) fn get(&self, entries: usize) -> Option<Arc<BlockText>> {
        let text = self.0.as_ref()?;
        (text.places.len() == entries).then(|| Arc::clone(text))
    }

    pub(super) fn set(&mut self, text: Arc<BlockText>) {
        self.0 = Some(text);
    }

    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// Bytes held for it.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |text| {
            text.text.len() + text.places.len() * size_of::<(u32, u32)>() + text.packed.len()
        })
    }
}

impl BlockText {
    pub(super) fn render(container: Container, block: &Block) -> Self {
        let mut out = String::with_capacity(block.entries.len() * 40 + 64);
        let mut places = Vec::with_capacity(block.entries.len());
        let mut last: Option<&Entry> = None;
        for (index, entry) in block.entries.iter().enumerate() {
            let begins = place(&out);
            if let Some(last) = last {
                preface(&mut out, Before::after(block, last), block, entry);
            }
            places.push((begins, place(&out)));
            range_lines(&mut out, block.ranges.of(index..index + 1));
            body(&mut out, container, block, entry);
            last = Some(entry);
        }
        out.shrink_to_fit();
        Self {
            text: Bytes::from(out),
            places,
            packed: Arc::default(),
        }
    }

    /// The lines of these segments, the first one without its preface.
    pub(super) fn slice(&self, range: Range<usize>) -> Bytes {
        let begins = self.places.get(range.start).map(|(_, body)| *body as usize);
        let ends = match self.places.get(range.end) {
            Some((preface, _)) => *preface as usize,
            None => self.text.len(),
        };
        self.text.slice(begins.unwrap_or(ends).min(ends)..ends)
    }

    pub(super) fn covers(&self, range: &Range<usize>) -> bool {
        range.start == 0 && range.end == self.places.len()
    }
}

/// A block ends long before its text has 4 GiB.
fn place(out: &str) -> u32 {
    u32::try_from(out.len()).unwrap_or(u32::MAX)
}
