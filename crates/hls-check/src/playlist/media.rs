//! Media playlists (RFC 8216 §4.3.1 to §4.3.3, RFC 8216bis §4.4.3 to §4.4.5).

use std::sync::Arc;

use url::Url;

use super::{Attributes, MAX_ENTRIES, Micros, Problems, micros, quoted, resolve};
use crate::rule;

/// A media playlist.
#[derive(Debug, Default)]
pub(crate) struct Media {
    pub(crate) version: Option<u64>,
    /// Seconds.
    pub(crate) target: Option<u64>,
    pub(crate) target_line: usize,
    pub(crate) sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) ended: bool,
    pub(crate) kind: Option<Kind>,
    pub(crate) independent: bool,
    /// Its ranges hold a picture each, and are no segments.
    pub(crate) i_frames_only: bool,
    pub(crate) control: Option<ServerControl>,
    /// Part target, and its line.
    pub(crate) part_target: Option<(Micros, usize)>,
    pub(crate) skip: Option<Skip>,
    /// `EXT-X-DATERANGE`, each attribute list, with how many written segments stand before it.
    pub(crate) ranges: Vec<(Arc<str>, usize)>,
    pub(crate) segments: Vec<Segment>,
    /// What is there of the segment that is being made.
    pub(crate) open: Segment,
    /// URI of the part that comes next, and its line; its start when it is a range.
    pub(crate) hint: Option<(Arc<Url>, Option<u64>, usize)>,
    /// URIs of other renditions that are reported on.
    pub(crate) reports: Vec<Arc<Url>>,
    pub(crate) problems: Problems,
}

/// `EXT-X-PLAYLIST-TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vod,
    Event,
}

/// `EXT-X-SERVER-CONTROL`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerControl {
    pub(crate) line: usize,
    pub(crate) can_block: bool,
    pub(crate) can_skip_until: Option<Micros>,
    pub(crate) can_skip_ranges: bool,
    pub(crate) part_hold_back: Option<Micros>,
}

/// `EXT-X-SKIP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) line: usize,
    pub(crate) segments: u64,
    /// Ids of date ranges, tabs between.
    pub(crate) removed_ranges: Option<Box<str>>,
}

/// Bytes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// `EXT-X-MAP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) url: Arc<Url>,
    pub(crate) range: Option<Range>,
}

/// A segment with what its tags say; of the open one only what is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    /// Of the URI.
    pub(crate) line: usize,
    /// `None`: of the open segment.
    pub(crate) url: Option<Arc<Url>>,
    /// Of EXTINF.
    pub(crate) duration_line: usize,
    pub(crate) duration: Micros,
    pub(crate) range: Option<Range>,
    pub(crate) discontinuity: bool,
    pub(crate) is_gap: bool,
    pub(crate) map: Option<Arc<Map>>,
    /// Milliseconds since 1970, with the line.
    pub(crate) date: Option<(i64, usize)>,
    /// How it is encrypted.
    pub(crate) encryption: Option<Arc<str>>,
    pub(crate) parts: Vec<Part>,
}

/// `EXT-X-PART`.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) line: usize,
    pub(crate) url: Arc<Url>,
    pub(crate) duration: Micros,
    pub(crate) range: Option<Range>,
    pub(crate) independent: bool,
    pub(crate) is_gap: bool,
}

impl Part {
    /// Whether both say the same, wherever they stand.
    pub(crate) fn says_what(&self, other: &Self) -> bool {
        (
            &self.url,
            self.duration,
            self.range,
            self.independent,
            self.is_gap,
        ) == (
            &other.url,
            other.duration,
            other.range,
            other.independent,
            other.is_gap,
        )
    }
}

impl Media {
    /// The number behind that of the last listed segment.
    pub(crate) fn end(&self) -> u64 {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.segments);
        self.sequence
            .saturating_add(skipped)
            .saturating_add(self.segments.len() as u64)
    }

    /// Number and segment of those that are written.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, &Segment)> {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.segments);
        (self.sequence.saturating_add(skipped)..).zip(&self.segments)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Segment> {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.segments);
        let index = number.checked_sub(self.sequence.saturating_add(skipped))?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    /// All that is listed, with the open segment's parts.
    pub(crate) fn duration(&self) -> Micros {
        let whole: Micros = self.segments.iter().map(|segment| segment.duration).sum();
        whole + self.open.parts_duration()
    }

    pub(crate) fn target_us(&self) -> Micros {
        let seconds = i64::try_from(self.target.unwrap_or(10)).unwrap_or(i64::MAX);
        seconds.saturating_mul(1_000_000)
    }

    pub(crate) fn has_parts(&self) -> bool {
        !self.open.parts.is_empty()
            || self
                .segments
                .iter()
                .any(|segment| !segment.parts.is_empty())
    }

    pub(crate) fn can_block(&self) -> bool {
        self.control
            .as_ref()
            .is_some_and(|control| control.can_block)
    }
}

impl Segment {
    pub(crate) fn parts_duration(&self) -> Micros {
        self.parts.iter().map(|part| part.duration).sum()
    }
}

/// What holds until the next of its kind.
#[derive(Default)]
struct Reader {
    media: Media,
    next: Segment,
    has_duration: bool,
    /// Length and offset as written.
    range: Option<(u64, Option<u64>)>,
    map: Option<Arc<Map>>,
    encryption: Option<Arc<str>>,
    /// URL and end of the range before, of segments and of parts.
    before: Option<(Arc<Url>, u64)>,
    before_part: Option<(Arc<Url>, u64)>,
    entries: usize,
}

/// # Errors
/// A sentence: it has more entries than are read.
pub(super) fn parse<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    base: &Url,
) -> Result<Media, String> {
    let mut reader = Reader::default();
    for (line, text) in lines {
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        let read = match text.strip_prefix("#EXT") {
            Some(_) => {
                let (tag, value) = text.split_once(':').unwrap_or((text, ""));
                reader.tag(tag, value, line, base)
            }
            None if text.starts_with('#') => Ok(()),
            None => reader.segment(text, line, base),
        };
        if let Err(what) = read {
            reader
                .media
                .problems
                .tell(&rule::LINE_MALFORMED, line, what);
        }
        if reader.entries > MAX_ENTRIES {
            return Err(format!(
                "more than {MAX_ENTRIES} segments and parts; it is not read"
            ));
        }
    }
    let mut media = reader.media;
    reader.next.map = reader.map;
    reader.next.encryption = reader.encryption;
    media.open = reader.next;
    if media.target.is_none() {
        media
            .problems
            .tell(&rule::TARGET_MISSING, 1, "no EXT-X-TARGETDURATION");
    }
    Ok(media)
}

impl Reader {
    fn tag(&mut self, tag: &str, value: &str, line: usize, base: &Url) -> Result<(), String> {
        let list = Attributes(value);
        let media = &mut self.media;
        match tag {
            "#EXT-X-VERSION" => media.version = Some(number(tag, value)?),
            "#EXT-X-TARGETDURATION" => {
                media.target = Some(number(tag, value)?);
                media.target_line = line;
            }
            "#EXT-X-MEDIA-SEQUENCE" => media.sequence = number(tag, value)?,
            "#EXT-X-DISCONTINUITY-SEQUENCE" => media.discontinuity_sequence = number(tag, value)?,
            "#EXT-X-ENDLIST" => media.ended = true,
            "#EXT-X-INDEPENDENT-SEGMENTS" => media.independent = true,
            "#EXT-X-I-FRAMES-ONLY" => media.i_frames_only = true,
            "#EXT-X-PLAYLIST-TYPE" => {
                media.kind = Some(match value {
                    "VOD" => Kind::Vod,
                    "EVENT" => Kind::Event,
                    _ => return Err(wrong(tag, value)),
                });
            }
            "#EXT-X-SERVER-CONTROL" => {
                media.control = Some(ServerControl {
                    line,
                    can_block: list.is_yes("CAN-BLOCK-RELOAD"),
                    can_skip_until: seconds(list, "CAN-SKIP-UNTIL")?,
                    can_skip_ranges: list.is_yes("CAN-SKIP-DATERANGES"),
                    part_hold_back: seconds(list, "PART-HOLD-BACK")?,
                });
            }
            "#EXT-X-PART-INF" => {
                let target = seconds(list, "PART-TARGET")?;
                media.part_target =
                    Some((target.ok_or("EXT-X-PART-INF has no PART-TARGET")?, line));
            }
            "#EXT-X-SKIP" => {
                let segments = list
                    .get("SKIPPED-SEGMENTS")
                    .ok_or("EXT-X-SKIP has no SKIPPED-SEGMENTS")?;
                let segments = number(tag, segments)?;
                media.skip = Some(Skip {
                    line,
                    segments,
                    removed_ranges: list.get("RECENTLY-REMOVED-DATERANGES").map(Into::into),
                });
            }
            "#EXT-X-DATERANGE" => media.ranges.push((value.into(), media.segments.len())),
            "#EXTINF" => {
                self.has_duration = true;
                let text = value.split(',').next().unwrap_or_default();
                self.next.duration = micros(text).ok_or_else(|| wrong(tag, value))?;
                self.next.duration_line = line;
            }
            "#EXT-X-BYTERANGE" => {
                self.range = Some(byte_range(value).ok_or_else(|| wrong(tag, value))?)
            }
            "#EXT-X-DISCONTINUITY" => self.next.discontinuity = true,
            "#EXT-X-GAP" => self.next.is_gap = true,
            "#EXT-X-PROGRAM-DATE-TIME" => {
                let date: jiff::Timestamp = value.parse().map_err(|_| wrong(tag, value))?;
                self.next.date = Some((date.as_millisecond(), line));
            }
            "#EXT-X-KEY" => {
                let method = list.get("METHOD").ok_or("EXT-X-KEY has no METHOD")?;
                self.encryption = (method != "NONE").then(|| method.into());
            }
            "#EXT-X-MAP" => {
                let uri = list.get("URI").ok_or("EXT-X-MAP has no URI")?;
                let range = match list.get("BYTERANGE") {
                    Some(text) => {
                        let (len, start) = byte_range(text).ok_or_else(|| wrong(tag, text))?;
                        Some(Range {
                            start: start.unwrap_or(0),
                            len,
                        })
                    }
                    None => None,
                };
                self.map = Some(Arc::new(Map {
                    url: resolve(base, uri)?,
                    range,
                }));
            }
            "#EXT-X-PART" => self.part(list, line, base)?,
            "#EXT-X-PRELOAD-HINT" if list.get("TYPE") == Some("PART") => {
                let uri = list.get("URI").ok_or("EXT-X-PRELOAD-HINT has no URI")?;
                let start = list
                    .get("BYTERANGE-START")
                    .map(|value| number(tag, value))
                    .transpose()?;
                media.hint = Some((resolve(base, uri)?, start, line));
            }
            "#EXT-X-RENDITION-REPORT" => {
                let uri = list.get("URI").ok_or("EXT-X-RENDITION-REPORT has no URI")?;
                if media.reports.len() < 64 {
                    media.reports.push(resolve(base, uri)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn part(&mut self, list: Attributes<'_>, line: usize, base: &Url) -> Result<(), String> {
        let uri = list.get("URI").ok_or("EXT-X-PART has no URI")?;
        let url = resolve(base, uri)?;
        let range = match list.get("BYTERANGE") {
            Some(text) => {
                let range = byte_range(text).ok_or_else(|| wrong("BYTERANGE", text))?;
                Some(placed(range, &url, &mut self.before_part)?)
            }
            None => None,
        };
        self.entries += 1;
        self.next.parts.push(Part {
            line,
            url,
            duration: seconds(list, "DURATION")?.ok_or("EXT-X-PART has no DURATION")?,
            range,
            independent: list.is_yes("INDEPENDENT"),
            is_gap: list.is_yes("GAP"),
        });
        Ok(())
    }

    fn segment(&mut self, uri: &str, line: usize, base: &Url) -> Result<(), String> {
        let url = resolve(base, uri)?;
        let range = match self.range.take() {
            Some(range) => Some(placed(range, &url, &mut self.before)?),
            None => None,
        };
        let mut segment = std::mem::take(&mut self.next);
        segment.line = line;
        segment.url = Some(url);
        segment.range = range;
        segment.map = self.map.clone();
        segment.encryption = self.encryption.clone();
        if !std::mem::take(&mut self.has_duration) {
            self.media
                .problems
                .tell(&rule::EXTINF_MISSING, line, "a segment without EXTINF");
        }
        self.entries += 1;
        self.media.segments.push(segment);
        Ok(())
    }
}

/// A range; without an offset it follows the one before of the same resource (RFC 8216 §4.3.2.2).
fn placed(
    (len, start): (u64, Option<u64>),
    url: &Arc<Url>,
    before: &mut Option<(Arc<Url>, u64)>,
) -> Result<Range, String> {
    let follows = before
        .as_ref()
        .filter(|(of, _)| of == url)
        .map(|(_, end)| *end);
    let start = start
        .or(follows)
        .ok_or("a range without an offset, and none of that resource before it")?;
    let end = start
        .checked_add(len)
        .ok_or("a range that ends beyond 2^64")?;
    *before = Some((Arc::clone(url), end));
    Ok(Range { start, len })
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    match text.trim().split_once('@') {
        Some((len, start)) => Some((len.parse().ok()?, Some(start.parse().ok()?))),
        None => Some((text.trim().parse().ok()?, None)),
    }
}

fn number(tag: &str, value: &str) -> Result<u64, String> {
    value.trim().parse().map_err(|_| wrong(tag, value))
}

fn seconds(list: Attributes<'_>, name: &str) -> Result<Option<Micros>, String> {
    let value = list.get(name);
    value
        .map(|value| micros(value).ok_or_else(|| wrong(name, value)))
        .transpose()
}

fn wrong(tag: &str, value: &str) -> String {
    let tag = tag.trim_start_matches('#');
    format!("{tag} has {:?}", quoted(value))
}
