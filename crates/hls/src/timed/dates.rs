//! Date ranges: what playlists say of cues (RFC 8216 §4.3.2.7).
//!
//! A cue's line stands before the first segment that ends after it came, and with that segment it
//! goes, unless its range is not over yet: then it stands before the first segment. Lines never
//! change: the end of a break is a second line with the id of the first (§4.3.2.7.1).

use std::collections::VecDeque;
use std::fmt::Write as _;

use media::DataMessage;
use remux::timed::scte35::Kind;

use super::cue::{self, Cue};
use crate::date::rfc3339;
use crate::playlist::Seconds;

/// Lines at most, and their bytes. Threat: they are in every playlist.
const MAX_LINES: usize = 64;
const MAX_BYTES: usize = 16 << 10;
/// A break that nobody ends is over after this many milliseconds: a day.
const LONGEST_BREAK: i64 = 86_400_000;
/// Cues that wait for the clock.
const MAX_WAITING: usize = 16;

/// The date ranges of a stream. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    epoch: u64,
    /// Number of the next range.
    next: u64,
    lines: VecDeque<Line>,
    bytes: usize,
    /// Cues that came before the clock was known, with their media time in milliseconds.
    waiting: Vec<(i64, Cue)>,
}

#[derive(Debug)]
pub(crate) struct Line {
    /// When it came.
    pub(crate) at_ms: i64,
    /// When its range is over.
    until_ms: i64,
    id: String,
    /// When its range began.
    start_ms: i64,
    /// The break that it opened and that no line has ended: its event and its section.
    open: Option<(u32, Vec<u8>)>,
    repeats: Option<String>,
    /// The attribute list.
    pub(crate) text: String,
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
                let length = i64::try_from(duration_ms.unwrap_or(0)).unwrap_or(0);
                let line = self.line(at_ms, at_ms.saturating_add(length), &text);
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
                        line.until_ms = at_ms + 1;
                        let (id, start_ms) = (line.id.clone(), line.start_ms);
                        let length = u64::try_from(at_ms - start_ms).unwrap_or(0);
                        let text = format!(
                            "ID=\"{id}\",START-DATE=\"{}\",END-DATE=\"{}\",DURATION={},SCTE35-IN={hex}",
                            rfc3339(start_ms),
                            rfc3339(at_ms.max(start_ms)),
                            Seconds(length)
                        );
                        self.push(Line {
                            at_ms,
                            until_ms: at_ms,
                            id,
                            start_ms,
                            open: None,
                            repeats: None,
                            text,
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
                        let length = length.and_then(|ms| i64::try_from(ms).ok());
                        let length = length.unwrap_or(LONGEST_BREAK).min(LONGEST_BREAK);
                        let line = self.line(at_ms, at_ms.saturating_add(length), &text);
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

    /// A line with an id of its own.
    fn line(&mut self, at_ms: i64, until_ms: i64, text: &str) -> Line {
        let id = format!("{:x}-{}", self.epoch, self.next);
        self.next += 1;
        Line {
            at_ms,
            until_ms,
            text: format!("ID=\"{id}\",{text}"),
            id,
            start_ms: at_ms,
            open: None,
            repeats: None,
        }
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            self.drop_where(0);
        }
    }

    /// Drops what no playlist that begins at `first_ms` or later says any more.
    pub(crate) fn prune(&mut self, first_ms: i64) {
        let is_over = |line: &Line| !line.is_shown_from(first_ms);
        while let Some(index) = self.lines.iter().position(is_over) {
            self.drop_where(index);
        }
    }

    fn drop_where(&mut self, index: usize) {
        if let Some(line) = self.lines.remove(index) {
            self.bytes -= line.text.len();
        }
    }

    /// What a playlist says that begins at `first_ms`, segment by segment.
    pub(crate) fn lines_from(&self, first_ms: i64) -> Lines<'_> {
        Lines {
            dates: self,
            first_ms,
            next: 0,
        }
    }
}

impl Line {
    fn is_shown_from(&self, first_ms: i64) -> bool {
        self.at_ms >= first_ms || self.until_ms > first_ms
    }
}

/// The lines of one playlist, in order.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    dates: &'a Dates,
    first_ms: i64,
    next: usize,
}

impl<'a> Lines<'a> {
    /// Those that belong before a segment that ends at `end_ms`, and were not given yet.
    pub(crate) fn before(&mut self, end_ms: i64) -> impl Iterator<Item = &'a str> + use<'a> {
        let (dates, first_ms, from) = (self.dates, self.first_ms, self.next);
        let rest = dates.lines.iter().skip(from);
        self.next += rest.clone().take_while(|line| line.at_ms < end_ms).count();
        rest.take(self.next - from)
            .filter(move |line| line.is_shown_from(first_ms))
            .map(|line| line.text.as_str())
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
