//! Date ranges: what playlists say of cues (RFC 8216 §4.3.2.7).
//!
//! A cue's line stands before the first segment that ends after it came, and with that segment it
//! goes, unless its range is not over yet: then it stands before the first segment. Lines never
//! change: the end of a break is a second line with the id of the first (§4.3.2.7.1).
//!
//! A delta update that leaves out date ranges, too (RFC 8216bis §6.2.5.1), has the lines that were
//! added within the skip boundary, and the ids of those that were removed within it. When that was
//! is told by the end of the playlist then.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use media::DataMessage;
use remux::timed::scte35::{Kind, Splice};

use super::cue::{self, Cue};
use super::range::DateRange;
use crate::date::rfc3339;
use crate::playlist::Seconds;

/// Lines at most, and their bytes. Threat: they are in every playlist.
const MAX_LINES: usize = 64;
const MAX_BYTES: usize = 16 << 10;
/// Ids of removed ranges that are remembered. Threat: a flood of cues, told of in every delta update.
const MAX_REMOVED: usize = 256;
/// Cues that wait for the clock.
const MAX_WAITING: usize = 16;

/// The date ranges of a stream. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    epoch: u64,
    /// Number of the next range.
    next: u64,
    /// How many lines there were.
    count: u64,
    lines: VecDeque<Line>,
    bytes: usize,
    /// The lines as they are shared; none since one came or went.
    shared: Option<Told>,
    /// Ids of lines that playlists had, and when they were removed; none yet: since the last ones.
    removed: VecDeque<(String, Option<i64>)>,
    /// When the newest of those was removed that are no longer remembered.
    forgot_ms: Option<i64>,
    /// Cues that came before the clock was known, with their media time in milliseconds.
    waiting: Vec<(i64, Cue)>,
}

/// Lines at one moment, each with its number, counted from the first of the run.
pub(crate) type Told = Arc<[(u64, DateRange)]>;

#[derive(Debug)]
struct Line {
    number: u64,
    range: DateRange,
    /// Where playlists ended that had it first.
    added_ms: Option<i64>,
    id: String,
    /// When its range began.
    start_ms: i64,
    /// The break that it opened and that no line has ended: its event and its section.
    open: Option<(u32, Vec<u8>)>,
    repeats: Option<String>,
}

impl Dates {
    /// Ids are different in every run of a stream.
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// Takes a message that may be a cue; `wall_ms` is its time, once the clock is known.
    pub(crate) fn message(&mut self, message: &DataMessage, wall_ms: Option<i64>) {
        match (cue::of_message(message), wall_ms) {
            (Some(cue), Some(wall_ms)) => self.cue(cue, wall_ms),
            (Some(cue), None) if self.waiting.len() < MAX_WAITING => {
                self.waiting.push((message.dts.0, cue));
            }
            _ => {}
        }
    }

    /// Whether there are cues that wait for the clock.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The clock is known.
    pub(crate) fn place(&mut self, wall_at: impl Fn(i64) -> i64) {
        for (media_ms, cue) in std::mem::take(&mut self.waiting) {
            self.cue(cue, wall_at(media_ms));
        }
    }

    /// Takes a splice information section.
    pub(crate) fn splice(&mut self, splice: Splice, section: &[u8], at_ms: i64) {
        let section = section.to_vec();
        self.cue(Cue::Splice { splice, section }, at_ms);
    }

    fn cue(&mut self, cue: Cue, at_ms: i64) {
        match cue {
            Cue::Plain {
                class,
                attributes,
                duration_ms,
                repeats,
            } => {
                let told = |line: &Line| line.repeats.is_some() && line.repeats == repeats;
                if self.lines.iter().any(told) {
                    return;
                }
                let mut text = format!("CLASS=\"{class}\",START-DATE=\"{}\"", rfc3339(at_ms));
                if let Some(ms) = duration_ms {
                    let _ = write!(text, ",DURATION={}", Seconds(ms));
                }
                text.push_str(&attributes);
                let line = self.line(at_ms, Some(duration_ms.unwrap_or(0)), &text);
                self.push(Line { repeats, ..line });
            }
            Cue::Splice { splice, section } => {
                let hex = hex(&section);
                let open = |line: &&mut Line| match (&line.open, splice.event) {
                    (Some((event, _)), Some(this)) => *event == this,
                    _ => false,
                };
                let opened = self.lines.iter_mut().find(open);
                match (splice.kind, opened) {
                    // Sections are sent more than once.
                    (Kind::Out, Some(line))
                        if line
                            .open
                            .as_ref()
                            .is_some_and(|(_, first)| *first == section) => {}
                    (Kind::In, Some(line)) => {
                        line.open = None;
                        // It stands for as long as the line of its end.
                        line.range.until_ms = Some(at_ms + 1);
                        let (id, start_ms) = (line.id.clone(), line.start_ms);
                        let length = u64::try_from(at_ms - start_ms).unwrap_or(0);
                        let text = format!(
                            "ID=\"{id}\",START-DATE=\"{}\",END-DATE=\"{}\",DURATION={},SCTE35-IN={hex}",
                            rfc3339(start_ms),
                            rfc3339(at_ms.max(start_ms)),
                            Seconds(length)
                        );
                        self.push(Line {
                            number: 0,
                            added_ms: None,
                            range: range(at_ms, Some(0), text),
                            id,
                            start_ms,
                            open: None,
                            repeats: None,
                        });
                    }
                    (kind, _) => {
                        let planned_ms = splice.duration.map(|ticks| ticks / 90);
                        let mut text = format!("START-DATE=\"{}\"", rfc3339(at_ms));
                        let (name, length) = match kind {
                            Kind::Out => ("SCTE35-OUT", planned_ms),
                            Kind::In => ("SCTE35-IN", Some(0)),
                            Kind::Other => ("SCTE35-CMD", Some(0)),
                        };
                        if let Some(ms) = planned_ms.filter(|_| kind == Kind::Out) {
                            let _ = write!(text, ",PLANNED-DURATION={}", Seconds(ms));
                        }
                        let _ = write!(text, ",{name}={hex}");
                        let line = self.line(at_ms, length, &text);
                        let open = splice.event.filter(|_| kind == Kind::Out);
                        self.push(Line {
                            open: open.map(|event| (event, section)),
                            ..line
                        });
                    }
                }
            }
        }
    }

    /// A line with an id of its own, whose range is so long.
    fn line(&mut self, at_ms: i64, length_ms: Option<u64>, text: &str) -> Line {
        let id = format!("{:x}-{}", self.epoch, self.next);
        self.next += 1;
        Line {
            number: 0,
            added_ms: None,
            range: range(at_ms, length_ms, format!("ID=\"{id}\",{text}")),
            id,
            start_ms: at_ms,
            open: None,
            repeats: None,
        }
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.range.text.len();
        let number = self.count;
        self.count += 1;
        self.lines.push_back(Line { number, ..line });
        self.shared = None;
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            self.drop_where(0);
        }
    }

    /// Drops what no playlist says any more: none begins before `first_ms`, or ends after `end_ms`;
    /// what was removed so long ago that nobody asks is forgotten.
    pub(crate) fn settle(&mut self, first_ms: i64, end_ms: i64, skip_ms: i64) {
        let is_over = |line: &Line| !line.is_shown_from(first_ms);
        while let Some(index) = self.lines.iter().position(is_over) {
            self.drop_where(index);
        }
        for line in &mut self.lines {
            if line.range.at_ms < end_ms {
                line.added_ms.get_or_insert(end_ms);
            }
        }
        for (_, at) in &mut self.removed {
            at.get_or_insert(end_ms);
        }
        let is_old = |at: i64| at < end_ms.saturating_sub(skip_ms);
        self.removed.retain(|(_, at)| !at.is_some_and(is_old));
        while self.removed.len() > MAX_REMOVED {
            self.forgot_ms = self.removed.pop_front().and_then(|(_, at)| at);
        }
        self.forgot_ms = self.forgot_ms.filter(|at| !is_old(*at));
    }

    fn drop_where(&mut self, index: usize) {
        if let Some(line) = self.lines.remove(index) {
            self.bytes -= line.range.text.len();
            self.shared = None;
            if line.added_ms.is_some() {
                self.removed.push_back((line.id, None));
            }
        }
    }

    /// Whether there ever was one.
    pub(crate) fn has_begun(&self) -> bool {
        self.count > 0
    }

    /// The ids of lines that were removed from a playlist which now begins at `first_ms`, with tabs
    /// between; `None` where they are too many.
    pub(crate) fn removed(&self, first_ms: i64) -> Option<String> {
        if self.forgot_ms.is_some() {
            return None;
        }
        let (shown, rest): (Vec<&Line>, Vec<&Line>) = self
            .lines
            .iter()
            .partition(|line| line.is_shown_from(first_ms));
        // Those that another playlist still has may have been in this one.
        let rest = rest.iter().map(|line| &line.id);
        let mut ids: Vec<&str> = Vec::new();
        for id in self.removed.iter().map(|(id, _)| id).chain(rest) {
            // A break is still there when only its begin is gone.
            if !ids.contains(&id.as_str()) && shown.iter().all(|line| line.id != *id) {
                ids.push(id);
            }
        }
        Some(ids.join("\t"))
    }

    /// All lines, for those who keep them longer than the live playlists list them.
    pub(crate) fn told(&mut self) -> Told {
        let lines = &self.lines;
        let all = || lines.iter().map(|line| (line.number, line.range.clone()));
        Arc::clone(self.shared.get_or_insert_with(|| all().collect()))
    }

    /// What a playlist says that begins at `first_ms`, segment by segment.
    pub(crate) fn lines_from(&self, first_ms: i64) -> Lines<'_> {
        Lines {
            dates: self,
            first_ms,
            since_ms: i64::MIN,
            next: 0,
        }
    }
}

impl Line {
    fn is_shown_from(&self, first_ms: i64) -> bool {
        self.range.at_ms >= first_ms || self.range.lasts_beyond(first_ms)
    }
}

/// The lines of one playlist, in order.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    dates: &'a Dates,
    first_ms: i64,
    /// Those that were added before are left out.
    since_ms: i64,
    next: usize,
}

impl<'a> Lines<'a> {
    /// Only those that were added when the playlist ended there, or later.
    pub(crate) fn since(self, since_ms: i64) -> Self {
        Self { since_ms, ..self }
    }

    /// Those that belong before a segment that ends at `end_ms`, and were not given yet.
    pub(crate) fn before(&mut self, end_ms: i64) -> impl Iterator<Item = &'a str> + use<'a> {
        let (dates, first_ms, from) = (self.dates, self.first_ms, self.next);
        let since_ms = self.since_ms;
        let rest = dates.lines.iter().skip(from);
        self.next += rest
            .clone()
            .take_while(|line| line.range.at_ms < end_ms)
            .count();
        rest.take(self.next - from)
            .filter(move |line| line.is_shown_from(first_ms))
            .filter(move |line| line.added_ms.is_none_or(|added| added >= since_ms))
            .map(|line| &*line.range.text)
    }
}

/// A range that begins when it comes, or is over then.
fn range(at_ms: i64, length_ms: Option<u64>, text: String) -> DateRange {
    let until_ms = length_ms.map(|ms| at_ms.saturating_add_unsigned(ms));
    DateRange {
        at_ms,
        until_ms,
        text: text.into(),
    }
}

/// A hexadecimal sequence (RFC 8216 §4.2).
fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 + 2 * bytes.len());
    out.push_str("0x");
    for byte in bytes {
        let _ = write!(out, "{byte:02X}");
    }
    out
}
