//! Dates of an HLS playlist: when its segments were, and the date ranges of cues.

use std::sync::Arc;

use ::hls::WallTime;
use ::hls::folder::cues::Cues;
use ::hls::folder::text;
use bytes::Bytes;
use media::DataMessage;
use remux::{Scheme, TimedMetadata};

/// Scheme of splice information in event messages (SCTE 214-3).
const SPLICES: &str = "urn:scte:scte35:2013:bin";
/// Cues before the first unit that wait for it.
const MAX_WAITING: usize = 64;

/// What is dated: segments and cues, in milliseconds, from 1970 on or from the first unit.
pub(super) struct Dated {
    cues: Cues,
    /// A time in ticks of 90 kHz and when that was, since the clock last broke.
    anchor: Option<(i64, i64)>,
    /// Where the newest segment ends.
    end_ms: i64,
    /// Where in the lines each segment begins; its begin and end.
    segments: Vec<(usize, i64, i64)>,
    /// Cues that came before the first unit behind a break.
    waiting: Vec<Waiting>,
}

enum Waiting {
    Message(Arc<DataMessage>),
    Section(Bytes, i64),
}

impl Dated {
    /// The first unit will have been then.
    pub(super) fn new(begins: Option<WallTime>) -> Self {
        let WallTime(begins_ms) = begins.unwrap_or(WallTime(0));
        Self {
            cues: Cues::new(begins_ms.unsigned_abs()),
            anchor: None,
            end_ms: begins_ms,
            segments: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// When a time on the present clock is.
    fn at_ms(&self, ticks: i64) -> Option<i64> {
        let (from, ms) = self.anchor?;
        Some(ms.saturating_add((ticks - from).div_euclid(90)))
    }

    /// A unit begins a segment: behind a break what is dated goes on where it ended.
    pub(super) fn begin(&mut self, ticks: i64) {
        self.anchor.get_or_insert((ticks, self.end_ms));
        for waiting in std::mem::take(&mut self.waiting) {
            self.cue(waiting);
        }
    }

    /// A segment whose line is at this place in all of them ends; `start` and `len` in ticks.
    pub(super) fn end(&mut self, place: usize, start: i64, len: i64) {
        let begins = self.at_ms(start).unwrap_or(self.end_ms);
        self.end_ms = self.at_ms(start + len).unwrap_or(begins);
        self.segments.push((place, begins, self.end_ms));
    }

    fn cue(&mut self, cue: Waiting) {
        let ticks = match &cue {
            Waiting::Message(message) => message.dts.0.saturating_mul(90),
            Waiting::Section(_, ticks) => *ticks,
        };
        match (self.at_ms(ticks), cue) {
            (Some(at_ms), Waiting::Message(message)) => self.cues.message(&message, at_ms),
            (Some(at_ms), Waiting::Section(bytes, ticks)) => {
                self.cues.section(&bytes, ticks, at_ms);
            }
            (None, cue) if self.waiting.len() < MAX_WAITING => self.waiting.push(cue),
            (None, _) => {}
        }
    }

    pub(super) fn message(&mut self, message: &Arc<DataMessage>) {
        self.cue(Waiting::Message(Arc::clone(message)));
    }

    /// Timed metadata, of which splice information is a cue.
    pub(super) fn timed(&mut self, metadata: &TimedMetadata) {
        let is_splice = match &metadata.scheme {
            Scheme::Scte35 => true,
            Scheme::Emsg { uri, .. } => **uri == *SPLICES,
            _ => false,
        };
        if is_splice {
            let section = Waiting::Section(metadata.bytes.clone(), metadata.pts);
            self.cue(section);
        }
    }

    /// The clock that follows does not continue the one before.
    pub(super) fn discontinuity(&mut self) {
        self.anchor = None;
    }

    /// How many date ranges there would be.
    pub(super) fn cues(&self) -> usize {
        self.cues.len()
    }

    /// The lines of segments with their dates, and those of the cues.
    pub(super) fn lines(self, plain: &str) -> String {
        let mut out = String::new();
        let mut ranges = self.cues.finish().into_iter().peekable();
        let mut from = 0;
        for (place, begins, ends) in self.segments {
            out.push_str(plain.get(from..place).unwrap_or_default());
            from = place;
            text::date(&mut out, WallTime(begins));
            while let Some(range) = ranges.next_if(|range| range.at_ms < ends) {
                text::range(&mut out, &range);
            }
        }
        out + plain.get(from..).unwrap_or_default()
    }
}
