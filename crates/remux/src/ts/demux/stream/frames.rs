//! Audio frames of what a stream gathered, and their times.

use bytes::{Bytes, BytesMut};
use media::{AccessUnit, Dts, Rounding, Timescale};

use super::{Mark, Reader, Stream};
use crate::ts::demux::audio::Step;
use crate::ts::demux::shared::Shared;
use crate::{Event, LeftOut};

/// Time of audio frames: samples since the last PES time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SampleClock {
    base: Option<i64>,
    samples: u64,
    rate: u32,
}

impl Stream {
    /// The frames that are complete; `whole`: a PES packet ends here.
    pub(super) fn frames(&mut self, whole: bool, shared: &mut Shared) {
        let (Reader::Audio(framer, clock), Some((track, codec))) = (&mut self.reader, self.track)
        else {
            return;
        };
        let mut skipped = None;
        while !self.gathered.is_empty() {
            let mut frame = match framer.next(&self.gathered, whole) {
                Step::Frame(frame) => frame,
                Step::More => break,
                Step::Skip(bytes, why) => {
                    skipped = Some(why);
                    advance(&mut self.gathered, &mut self.marks, bytes);
                    continue;
                }
                Step::Unsupported(what) => {
                    let reason = format!("PID {:#x} has {what}, which is not read", self.pid);
                    shared.leave_out(LeftOut {
                        track,
                        codec,
                        reason,
                    });
                    self.reader = Reader::Nothing;
                    self.clear();
                    return;
                }
            };
            let begun = self.marks.iter().take_while(|mark| mark.at == 0).count();
            let begins = self.marks.drain(..begun).rev().find_map(|mark| mark.times);
            if let Some((pts, _)) = begins {
                *clock = SampleClock {
                    base: Some(pts),
                    samples: 0,
                    rate: frame.rate,
                };
            }
            if let Some(config) = frame.config.take() {
                shared.configure(track, codec, config);
            }
            let bytes = advance(&mut self.gathered, &mut self.marks, frame.len);
            let payloads = frame.owned.take().unwrap_or_default();
            let slice = bytes.slice(frame.header.min(bytes.len())..);
            for payload in std::iter::once(slice)
                .filter(|slice| !slice.is_empty() && payloads.is_empty())
                .chain(payloads.iter().cloned())
            {
                let Some(dts) = clock.next(frame.samples, frame.rate) else {
                    skipped = Some("a frame before the first time");
                    continue;
                };
                let unit = AccessUnit::new(track, Dts(dts), payload);
                shared.events.push_back(Event::Unit(unit.random_access()));
            }
        }
        if let Some(why) = skipped {
            shared.damage(self.from..self.seen, Some(track), why);
        }
        if self.gathered.is_empty() {
            self.marks.clear();
        }
    }
}

impl SampleClock {
    /// The time of the next frame of so many samples; `None` before any PES time.
    fn next(&mut self, samples: u32, rate: u32) -> Option<i64> {
        let scale = Timescale::new(self.rate)?;
        let ticks = |samples: u64| {
            let samples = i64::try_from(samples).unwrap_or(i64::MAX);
            scale.convert(samples, Timescale::NINETY_KHZ, Rounding::Floor)
        };
        let at = self.base?.saturating_add(ticks(self.samples));
        self.samples += u64::from(samples);
        if rate != self.rate {
            *self = Self {
                base: Some(at),
                samples: u64::from(samples),
                rate,
            };
        }
        Some(at)
    }
}

/// Takes bytes from the front; marks keep their places.
fn advance(gathered: &mut BytesMut, marks: &mut [Mark], bytes: usize) -> Bytes {
    for mark in marks {
        mark.at = mark.at.saturating_sub(bytes);
    }
    gathered.split_to(bytes.min(gathered.len())).freeze()
}
