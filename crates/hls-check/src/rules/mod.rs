//! Rules: what is compared with what. Each function tells what it finds; none keeps anything.

pub(crate) mod change;
pub(crate) mod delta;
pub(crate) mod http;
pub(crate) mod low_latency;
pub(crate) mod media;
pub(crate) mod text;
pub(crate) mod variant;

use std::sync::Arc;

use crate::exchange::Seen;
use crate::finding::{Findings, Place};
use crate::playlist::Micros;
use crate::rule::Check;

/// Where findings of one answer go.
pub(crate) struct Scribe<'a> {
    pub(crate) findings: &'a mut Findings,
    /// The playlist that is looked at.
    pub(crate) playlist: &'a Arc<str>,
    /// What showed it.
    pub(crate) seen: &'a Arc<Seen>,
}

impl Scribe<'_> {
    /// Of the playlist as a whole.
    pub(crate) fn tell(&mut self, check: &'static Check, what: impl Into<String>) {
        self.at(check, Place::new(self.playlist), what);
    }

    /// Of a line of the playlist.
    pub(crate) fn line(&mut self, check: &'static Check, line: usize, what: impl Into<String>) {
        self.at(check, Place::new(self.playlist).line(line), what);
    }

    /// Of a segment or part, and the line that lists it.
    pub(crate) fn of(
        &mut self,
        check: &'static Check,
        line: usize,
        url: impl AsRef<str>,
        what: impl Into<String>,
    ) {
        self.at(check, Place::new(self.playlist).line(line).of(url), what);
    }

    fn at(&mut self, check: &'static Check, place: Place, what: impl Into<String>) {
        self.findings.tell(check, place, self.seen, what);
    }
}

/// Microseconds as seconds with as many decimals as they have, three at least where they have some.
pub(crate) fn seconds(us: Micros) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    let (whole, rest) = (us / 1_000_000, us % 1_000_000);
    match rest {
        0 => format!("{sign}{whole} s"),
        rest if rest % 1_000 == 0 => format!("{sign}{whole}.{:03} s", rest / 1_000),
        rest => format!("{sign}{whole}.{rest:06} s"),
    }
}

/// Ticks of 90 kHz as seconds, to the millisecond.
pub(crate) fn ticks(ticks: i64) -> String {
    seconds(ticks.saturating_mul(100) / 9 / 1_000 * 1_000)
}

/// Microseconds in ticks of 90 kHz.
pub(crate) fn in_ticks(us: Micros) -> i64 {
    us.saturating_mul(9) / 100
}
