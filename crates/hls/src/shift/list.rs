//! The playlists over what is kept.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use crate::bandwidth::Meter;
use crate::config::WallTime;
use crate::container::Container;
use crate::encryption::NO_KEY;
use crate::playlist::{self, FrameRate, Multivariant, Seconds};
use crate::presentation::Text;

use super::answer::{Answer, Piece};
use super::ask::Ask;
use super::index::{Index, Shared};
use super::text::{Before, BlockText, key_line, preface, range_lines};

/// Playlists kept until the next change; more are made anew. Bounds: memory under requests that all ask for
/// another moment.
const MAX_ANSWERS: usize = 64;
/// What is listed beyond the point of entry at least, so that a viewer may pause.
const ROOM_MS: u64 = 600_000;
/// Target durations from the end within which a delta update leaves nothing out
/// (`CAN-SKIP-UNTIL`, at least six: RFC 8216bis §4.4.3.8).
const TARGETS_NOT_SKIPPED: u64 = 6;
/// Target durations from the end within which no viewer enters (§4.4.2.2).
const TARGETS_BEHIND: u64 = 3;
/// So long after the end of a range nobody reloads its playlist any more: it is VOD.
const SETTLED_MS: i64 = 60_000;

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    /// The stream is being segmented.
    Running,
    /// It is not: playlists end.
    Ended,
}

/// Nothing of what was asked for is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// From when to when there is something.
    pub kept: Option<(WallTime, WallTime)>,
}

/// What a multivariant playlist says of a part of what is kept.
#[derive(Clone, Debug)]
pub struct Past(Multivariant);

/// The multivariant playlist of a ladder of this name (its stream part) over what is kept of its rungs, whose
/// media playlists are below the folders of the ladder and of their own names; links have no query.
#[must_use]
pub fn ladder(container: Container, name: &str, rungs: &[Past]) -> Text {
    let says: Vec<&Multivariant> = rungs.iter().map(|Past(says)| says).collect();
    playlist::ladder(container, name, &says)
}

/// What a playlist depends on, besides the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    ask: Ask,
    live: Live,
    skip: bool,
    settled: bool,
}

/// A playlist, and what it lists.
#[derive(Debug)]
pub(super) struct Cached {
    answer: Shared,
    blocks: Range<usize>,
    lasts_ms: u64,
}

/// Entries of consecutive blocks.
struct Span {
    /// Indexes of blocks, and of entries in each.
    parts: Vec<(usize, Range<usize>)>,
    /// Duration of them all.
    ms: u64,
}

impl Index {
    /// The media playlist that was asked for, as a delta update when `skip` is welcome.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn playlist(
        &mut self,
        ask: Ask,
        live: Live,
        skip: bool,
        now: WallTime,
    ) -> Result<Arc<Answer>, Missing> {
        let settled = match ask {
            Ask::Range { to: Some(to), .. } => now.0 >= to.0.saturating_add(SETTLED_MS),
            _ => false,
        };
        let key = Key {
            ask,
            live,
            skip,
            settled,
        };
        if let Some(known) = self.answers.get(&key) {
            let answer = Arc::clone(&known.answer);
            let (blocks, ms) = (known.blocks.clone(), known.lasts_ms);
            self.lease(blocks, ms, now);
            return Ok(answer);
        }
        let span = self.span_of(ask).ok_or_else(|| self.missing())?;
        let blocks = span.blocks();
        let lasts_ms = span.ms;
        let answer = Arc::new(self.render(key, span));
        self.renders += 1;
        if self.answers.len() < MAX_ANSWERS {
            let cached = Cached {
                answer: Arc::clone(&answer),
                blocks: blocks.clone(),
                lasts_ms,
            };
            self.answers.insert(key, cached);
        }
        self.lease(blocks, lasts_ms, now);
        Ok(answer)
    }

    /// The multivariant playlist over the same segments, with their true bit rates; its link has no
    /// query.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn multivariant(&self, ask: Ask) -> Result<Text, Missing> {
        Ok(playlist::multivariant(&self.past(ask)?.0))
    }

    /// What the multivariant playlist over the same segments says, to be joined with that of other
    /// streams ([`ladder`]).
    ///
    /// # Errors
    /// [`Missing`].
    pub fn past(&self, ask: Ask) -> Result<Past, Missing> {
        let span = self.span_of(ask).ok_or_else(|| self.missing())?;
        let target_ms = self.target_s() * 1_000;
        let mut meter = Meter::default();
        let mut codecs: Vec<String> = Vec::new();
        let (mut resolution, mut rate) = (None, None);
        let mut independent = true;
        for (index, range) in &span.parts {
            let Some(block) = self.blocks.get(*index) else {
                continue;
            };
            independent &= block.dependent == 0;
            for entry in block.entries.get(range.clone()).unwrap_or_default() {
                let len = usize::try_from(entry.len).unwrap_or(usize::MAX);
                meter.add(entry.duration_ms.into(), len, target_ms);
            }
            for tracks in &block.tracks {
                let about = &tracks.about;
                for codec in about.codecs.split(',').filter(|codec| !codec.is_empty()) {
                    if !codecs.iter().any(|known| known == codec) {
                        codecs.push(codec.to_owned());
                    }
                }
                resolution = larger(resolution, about.resolution);
                rate = rate.max(about.frame_rate_milli);
            }
        }
        let whole = playlist::Variant {
            uri: playlist::uri(&self.stream, self.container.playlist_name()),
            bandwidth: meter.declared(),
            codecs,
            resolution,
            frame_rate: rate.map(|milli| FrameRate {
                frames: milli,
                per: 1_000,
                hz: 1,
            }),
        };
        Ok(Past(Multivariant {
            container: self.container,
            independent,
            whole,
            sound: None,
            iframes: None,
            choice: None,
        }))
    }

    fn missing(&self) -> Missing {
        Missing { kept: self.span() }
    }

    /// What these blocks hold may be played for so long from now on (H3).
    fn lease(&mut self, blocks: Range<usize>, ms: u64, now: WallTime) {
        let longest_ms = self.target_s() * 1_000;
        let until = now.0.saturating_add_unsigned(ms + longest_ms);
        for block in self.blocks.range_mut(blocks) {
            block.leased_until_ms = block.leased_until_ms.max(until);
        }
    }

    fn target_s(&self) -> u64 {
        self.blocks.back().map_or(0, |last| last.head.target_s)
    }

    fn span_of(&self, ask: Ask) -> Option<Span> {
        let parts = match ask {
            Ask::Start { back_ms } => {
                let need_ms = (2 * back_ms).max(back_ms.saturating_add(ROOM_MS));
                let mut parts = Vec::new();
                let mut ms = 0;
                for (index, block) in self.blocks.iter().enumerate().skip(self.listed).rev() {
                    if ms >= need_ms {
                        break;
                    }
                    ms += block.duration_ms;
                    parts.push((index, 0..block.entries.len()));
                }
                parts.reverse();
                parts
            }
            Ask::Range { from, to } => self.between(from.0, to.map_or(i64::MAX, |to| to.0)),
        };
        let ms = parts
            .iter()
            .flat_map(|(index, range)| self.blocks.get(*index)?.entries.get(range.clone()))
            .flatten()
            .map(|entry| u64::from(entry.duration_ms))
            .sum();
        let span = Span {
            parts: parts.into_iter().filter(|(_, r)| !r.is_empty()).collect(),
            ms,
        };
        (!span.parts.is_empty()).then_some(span)
    }

    /// From the first segment that ends after `from` to the last one that begins before `to`.
    fn between(&self, from: i64, to: i64) -> Vec<(usize, Range<usize>)> {
        let listed = || self.blocks.iter().enumerate().skip(self.listed);
        let first = listed().find_map(|(index, block)| {
            let inside = block
                .entries
                .iter()
                .position(|entry| entry.ends_ms() > from)?;
            Some((index, inside))
        });
        let last = listed().rev().find_map(|(index, block)| {
            let inside = block.entries.iter().rposition(|entry| entry.wall_ms < to)?;
            Some((index, inside))
        });
        let (Some(first), Some(last)) = (first, last) else {
            return Vec::new();
        };
        if first > last {
            return Vec::new();
        }
        let indexes = first.0..=last.0;
        indexes
            .map(|index| {
                let len = self
                    .blocks
                    .get(index)
                    .map_or(0, |block| block.entries.len());
                let begin = if index == first.0 { first.1 } else { 0 };
                let end = if index == last.0 { last.1 + 1 } else { len };
                (index, begin..end)
            })
            .collect()
    }

    fn render(&mut self, key: Key, span: Span) -> Answer {
        let ended = self.is_over(key, &span);
        let (skipped, rest) = match key.skip && !ended {
            true => self.skip(&span),
            false => (0, span.parts.clone()),
        };
        let mut text = self.head(key, &span);
        if skipped > 0 {
            // Writing to memory does not fail.
            let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        }
        let mut pieces = Vec::new();
        let mut hash = Hash::new();
        let mut before = Before::default();
        for (index, range) in rest {
            let block_text = self.text(index);
            let Some(block) = self.blocks.get(index) else {
                continue;
            };
            let (Some(first), Some(last)) = (
                block.entries.get(range.start),
                block.entries.get(range.end - 1),
            ) else {
                continue;
            };
            let follows_skipped = skipped > 0 && pieces.is_empty();
            if follows_skipped && self.has_keys() && block.key_of(first).is_none() {
                // What is skipped may be encrypted.
                key_line(&mut text, NO_KEY);
            }
            preface(&mut text, before, block, first);
            before = Before::after(block, last);
            if pieces.is_empty() {
                self.earlier_ranges(&mut text, &span, (index, range.start));
            }
            hash.text(&text);
            hash.number(block.head.epoch);
            hash.number(block.head.sequence);
            hash.number(range.start as u64);
            hash.number(range.end as u64);
            pieces.push(Piece {
                text: std::mem::take(&mut text).into(),
                packed: None,
            });
            pieces.push(Piece {
                packed: block_text
                    .covers(&range)
                    .then(|| Arc::clone(&block_text.packed)),
                text: block_text.slice(range),
            });
        }
        if ended {
            hash.text("end");
            pieces.push(Piece {
                text: bytes::Bytes::from_static(b"#EXT-X-ENDLIST\n"),
                packed: None,
            });
        }
        Answer {
            pieces,
            etag: format!("\"{:016x}\"", hash.0),
            ended,
            gzip: std::sync::OnceLock::new(),
        }
    }

    /// Writes the date ranges that stand before the first segment that is written: those that go on when
    /// the playlist begins, and in a delta update those of what is skipped (RFC 8216bis §6.2.5.1: nothing
    /// but segments is left out).
    fn earlier_ranges(&self, out: &mut String, span: &Span, (until, entry): (usize, usize)) {
        for (part, (index, range)) in span.parts.iter().enumerate() {
            let Some(block) = self.blocks.get(*index).filter(|_| *index <= until) else {
                return;
            };
            if let Some(first) = block.entries.get(range.start).filter(|_| part == 0) {
                range_lines(out, block.ranges.lasting(range.start, first.wall_ms));
            }
            let end = if *index == until { entry } else { range.end };
            range_lines(out, block.ranges.of(range.start..end));
        }
    }

    /// Whether nothing will be added: the stream is over, or the range is complete.
    fn is_over(&self, key: Key, span: &Span) -> bool {
        let reached = match key.ask {
            Ask::Range { to: Some(to), .. } => {
                // Something follows what is listed, or it reaches to the end of the range.
                let last = span.parts.last();
                let more = last.is_some_and(|(index, range)| {
                    let block = self.blocks.get(*index);
                    *index + 1 < self.blocks.len()
                        || block.is_some_and(|block| range.end < block.entries.len())
                });
                more || self.ends_ms(span) >= to.0
            }
            _ => false,
        };
        reached || key.live == Live::Ended
    }

    fn ends_ms(&self, span: &Span) -> i64 {
        let last = span.parts.last().and_then(|(index, range)| {
            let block = self.blocks.get(*index)?;
            block.entries.get(range.end.checked_sub(1)?)
        });
        last.map_or(i64::MIN, super::block::Entry::ends_ms)
    }

    fn head(&self, key: Key, span: &Span) -> String {
        let mut out = String::with_capacity(512);
        let target = self.target_s();
        let blocks = || {
            span.parts
                .iter()
                .filter_map(|(index, _)| self.blocks.get(*index))
        };
        let gaps = blocks().any(|block| block.gaps > 0);
        // RFC 8216bis §8: EXT-X-SKIP needs 9, EXT-X-GAP 8, EXT-X-MAP 6.
        let version = match (key.settled, gaps, self.container) {
            (false, _, _) => 9,
            (true, true, _) => 8,
            (true, false, Container::Fmp4) => 6,
            (true, false, Container::Ts) => 3,
        };
        // Writing to memory does not fail.
        let _ = writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}");
        if blocks().all(|block| block.dependent == 0) {
            out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        let _ = writeln!(out, "#EXT-X-TARGETDURATION:{target}");
        if key.settled {
            out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
        } else {
            let until = TARGETS_NOT_SKIPPED * target;
            let _ = writeln!(out, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={until}");
        }
        let Some((first, range)) = span.parts.first() else {
            return out;
        };
        let Some((block, entry)) = self
            .blocks
            .get(*first)
            .and_then(|block| Some((block, block.entries.get(range.start)?)))
        else {
            return out;
        };
        let _ = match key.ask {
            Ask::Start { back_ms } => {
                let back = Seconds(back_ms.max(TARGETS_BEHIND * target * 1_000));
                writeln!(out, "#EXT-X-START:TIME-OFFSET=-{back}")
            }
            Ask::Range { from, .. } => {
                let into_ms = from.0.saturating_sub(entry.wall_ms);
                let into = Seconds(u64::try_from(into_ms).unwrap_or(0));
                writeln!(out, "#EXT-X-START:TIME-OFFSET={into},PRECISE=YES")
            }
        };
        let number = block.head.number + range.start as u64;
        let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{number}");
        let tags = block.entries.iter().take(range.start);
        let tags = tags.filter(|entry| entry.flags.discontinuity).count() as u64;
        let discontinuities = block.head.discontinuities + tags;
        if discontinuities > 0 {
            let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
        }
        out
    }

    /// How many segments lie before the skip boundary, and the others.
    fn skip(&self, span: &Span) -> (u64, Vec<(usize, Range<usize>)>) {
        let until_ms = TARGETS_NOT_SKIPPED * self.target_s() * 1_000;
        let mut rest = Vec::new();
        let mut skipped = 0;
        let mut ms = 0;
        for (index, range) in span.parts.iter().rev() {
            let entries = self.blocks.get(*index).map(|block| &block.entries[..]);
            let entries = entries.and_then(|entries| entries.get(range.clone()));
            let mut begin = range.end;
            for entry in entries.unwrap_or_default().iter().rev() {
                if ms >= until_ms {
                    break;
                }
                ms += u64::from(entry.duration_ms);
                begin -= 1;
            }
            skipped += (begin - range.start) as u64;
            if begin < range.end {
                rest.push((*index, begin..range.end));
            }
        }
        rest.reverse();
        (skipped, rest)
    }

    /// The text of a block, rendered when it has grown.
    fn text(&mut self, index: usize) -> Arc<BlockText> {
        let container = self.container;
        let Some(block) = self.blocks.get_mut(index) else {
            return Arc::new(BlockText::default());
        };
        if let Some(text) = block.text.get(block.entries.len()) {
            return text;
        }
        let text = Arc::new(BlockText::render(container, block));
        block.text.set(Arc::clone(&text));
        text
    }
}

impl Span {
    fn blocks(&self) -> Range<usize> {
        let first = self.parts.first().map_or(0, |(index, _)| *index);
        let last = self.parts.last().map_or(0, |(index, _)| *index + 1);
        first..last
    }
}

/// The one with more pixels.
fn larger(a: Option<(u32, u32)>, b: Option<(u32, u32)>) -> Option<(u32, u32)> {
    let pixels = |size: &(u32, u32)| u64::from(size.0) * u64::from(size.1);
    a.into_iter().chain(b).max_by_key(pixels)
}

/// 64-bit FNV-1a.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    fn number(&mut self, number: u64) {
        number.to_le_bytes().into_iter().for_each(|b| self.byte(b));
    }
}
