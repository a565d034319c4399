//! The time of a publish: goes on over turns of a file and reconnects of a stream.

use std::time::{Duration, Instant};

use remux::flv::{Tag, TagKind};

use super::headers::is_header;

/// A pause between two tags that is longer than this is a jump of the clock: not waited for.
const JUMP: Duration = Duration::from_secs(10);

/// Places tags on one clock that goes on over turns of a file and reconnects of a stream.
#[derive(Default)]
pub(in crate::cli) struct Clock {
    is_live: bool,
    /// Added to the raw timestamps of this turn, in milliseconds.
    offset: i64,
    /// The last raw timestamp of this turn, and what it stands for without wrap.
    last: Option<(u32, i64)>,
    /// Units of this turn, audio and video apart.
    seen: [Option<Seen>; 2],
    turn_began: i64,
    began: Option<Instant>,
    /// How far it is.
    pub(super) media: Duration,
}

/// Units of one kind within a turn; times on the clock of the publish.
#[derive(Clone, Copy)]
struct Seen {
    first: i64,
    last: i64,
    count: i64,
}

impl Seen {
    /// From the first unit to the end of the last, which lasts as long as the others on average.
    fn length(self) -> i64 {
        let span = self.last - self.first;
        let steps = (self.count - 1).max(1);
        span + (span + steps / 2) / steps
    }
}

impl Clock {
    /// A turn of a file, or a connection of a live input, begins.
    pub(in crate::cli) fn turn(&mut self, is_live: bool) {
        self.is_live = is_live;
        let lengths = self.seen.iter().flatten().map(|seen| seen.length());
        self.turn_began += lengths.max().unwrap_or(0);
        self.last = None;
        self.seen = [None; 2];
    }

    /// The tag's timestamp on the clock of this publish.
    pub(in crate::cli) fn place(&mut self, tag: &Tag) -> u32 {
        if tag.kind == TagKind::Script {
            // Metadata comes in front, often at another time than the media.
            return wire(
                self.last
                    .map_or(self.turn_began, |(_, time)| time + self.offset),
            );
        }
        let raw = match self.last {
            // Forward and back on the ring of 2^32 milliseconds, whichever is shorter.
            Some((last, time)) => time + i64::from(tag.timestamp.wrapping_sub(last).cast_signed()),
            None => {
                let first = i64::from(tag.timestamp);
                self.offset = self.turn_began - first;
                first
            }
        };
        if let Some((_, last)) = self.last
            && (raw - last).unsigned_abs() > JUMP.as_millis() as u64
        {
            // The pause is left out; the time itself goes to the server as it is.
            self.began = self.began.map(|began| shifted(began, last - raw));
        }
        self.last = Some((tag.timestamp, raw));
        let time = raw + self.offset;
        // Sequence headers take no time.
        if !is_header(tag) {
            let kind = usize::from(tag.kind == TagKind::Video);
            let seen = self.seen[kind].get_or_insert(Seen {
                first: time,
                last: time,
                count: 0,
            });
            seen.last = seen.last.max(time);
            seen.count += 1;
        }
        let passed = u64::try_from(time).unwrap_or(0);
        self.media = Duration::from_millis(passed);
        if self.began.is_none() {
            self.began = Some(shifted(Instant::now(), -time));
        }
        wire(time)
    }

    /// When the last placed tag is due; `None`: at once.
    pub(in crate::cli) fn due(&self) -> Option<Instant> {
        if self.is_live {
            return None;
        }
        let (_, raw) = self.last?;
        Some(shifted(self.began?, raw + self.offset))
    }
}

fn shifted(at: Instant, millis: i64) -> Instant {
    let by = Duration::from_millis(millis.unsigned_abs());
    let moved = if millis < 0 {
        at.checked_sub(by)
    } else {
        at.checked_add(by)
    };
    moved.unwrap_or(at)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "modulo 2^32 is meant"
)]
fn wire(time: i64) -> u32 {
    time as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Headers, is_end};
    use super::*;
    use bytes::Bytes;
    use sidestream::pull::Source;

    fn tag(kind: TagKind, timestamp: u32) -> Tag {
        Tag {
            kind,
            timestamp,
            body: Bytes::from_static(&[0x27, 1]),
            offset: 0,
        }
    }

    #[test]
    fn times_go_on_over_turns_and_wraps() {
        let mut clock = Clock::default();
        clock.turn(false);
        assert_eq!(clock.place(&tag(TagKind::Video, 1_000)), 0);
        assert_eq!(clock.place(&tag(TagKind::Video, 1_040)), 40);
        clock.turn(false);
        assert_eq!(clock.place(&tag(TagKind::Video, 1_000)), 80);
        let mut clock = Clock::default();
        clock.turn(false);
        clock.place(&tag(TagKind::Audio, u32::MAX));
        assert_eq!(clock.place(&tag(TagKind::Audio, 22)), 23);
        assert_eq!(clock.place(&tag(TagKind::Video, 10)), 11);
    }

    #[tokio::test]
    async fn the_demo_clip_loops_without_a_seam() {
        let clip = include_bytes!("../../../../../testdata/demo.flv");
        let mut clock = Clock::default();
        let mut headers = Headers::default();
        for turn in 0..3 {
            clock.turn(false);
            let mut source = Source::from_bytes("demo.flv", Bytes::from_static(clip));
            while let Some(tag) = source.next().await.unwrap() {
                if is_end(&tag) || headers.is_known(&tag) {
                    continue;
                }
                // As testdata/README.md says: each turn is 8000 ms.
                assert_eq!(clock.place(&tag), tag.timestamp + turn * 8_000);
            }
        }
    }

    #[test]
    fn a_long_gap_is_not_waited_for() {
        let mut clock = Clock::default();
        clock.turn(false);
        clock.place(&tag(TagKind::Video, 0));
        let first = clock.due().unwrap();
        assert_eq!(clock.place(&tag(TagKind::Video, 3_600_000)), 3_600_000);
        assert_eq!(clock.due().unwrap(), first);
    }
}
