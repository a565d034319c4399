//! `BANDWIDTH` and `AVERAGE-BANDWIDTH`, measured.
//!
//! The peak is RFC 8216 §4.1's: the largest bit rate of any contiguous run of segments whose total
//! duration is between half and one and a half target durations. The declared value stands 25 %
//! above the peak that asked for it (what Apple's specification allows a live stream to differ),
//! never falls, and grows only when the measured peak passes it: players read it once (H8).

use std::collections::VecDeque;

/// Measures one rendition.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Newest last; together at most one and a half target durations, and one segment.
    recent: VecDeque<Sample>,
    peak: u64,
    declared: u64,
    declared_average: u64,
    total_bits: u64,
    total_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    ms: u64,
    bits: u64,
}

/// What a multivariant playlist declares, in bit/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) peak: u64,
    pub(crate) average: u64,
}

impl Meter {
    /// Adds a complete segment.
    pub(crate) fn add(&mut self, ms: u64, bytes: usize, target_ms: u64) {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        self.total_bits = self.total_bits.saturating_add(bits);
        self.total_ms = self.total_ms.saturating_add(ms);
        self.recent.push_back(Sample { ms, bits });
        let (shortest, longest) = (target_ms / 2, target_ms + target_ms / 2);
        let (mut run_ms, mut run_bits) = (0_u64, 0_u64);
        let mut used = 0;
        for sample in self.recent.iter().rev() {
            run_ms = run_ms.saturating_add(sample.ms);
            run_bits = run_bits.saturating_add(sample.bits);
            used += 1;
            if run_ms > longest {
                break;
            }
            if run_ms >= shortest {
                self.peak = self.peak.max(rate(run_bits, run_ms));
            }
        }
        self.recent.drain(..self.recent.len() - used);
        self.declare();
    }

    pub(crate) fn declared(&self) -> Declared {
        Declared {
            peak: self.declared,
            average: self.declared_average.min(self.declared),
        }
    }

    fn declare(&mut self) {
        // Half a second at least: one key frame alone is no bit rate.
        let average = rate(self.total_bits, self.total_ms.max(500));
        let peak = if self.peak == 0 { average } else { self.peak };
        if peak > self.declared {
            self.declared = (peak.saturating_add(peak / 4) / 1_000 + 1) * 1_000;
        }
        if average.abs_diff(self.declared_average) > self.declared_average / 10 {
            self.declared_average = (average / 1_000 + 1) * 1_000;
        }
    }
}

fn rate(bits: u64, ms: u64) -> u64 {
    bits.saturating_mul(1_000) / ms.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_runs_between_half_and_one_and_a_half_targets() {
        let mut meter = Meter::default();
        // 100 kB in 2 s = 400 kbit/s, in a target of 4 s: a run by itself.
        meter.add(2_000, 100_000, 4_000);
        assert_eq!(meter.peak, 400_000);
        // A short segment is no run by itself; with the one before it is.
        meter.add(40, 50_000, 4_000);
        assert_eq!(meter.peak, (800_000 + 400_000) * 1_000 / 2_040);
        let peak = meter.peak;
        meter.add(2_000, 10_000, 4_000);
        assert_eq!(meter.peak, peak);
    }

    #[test]
    fn the_declared_value_covers_the_peak_and_does_not_follow_small_changes() {
        let mut meter = Meter::default();
        meter.add(2_000, 100_000, 4_000);
        let declared = meter.declared();
        assert_eq!(declared.peak, 501_000);
        assert_eq!(declared.average, 401_000);
        meter.add(2_000, 120_000, 4_000);
        assert_eq!(meter.declared().peak, declared.peak);
        meter.add(2_000, 200_000, 4_000);
        assert_eq!(meter.peak, 800_000);
        assert_eq!(meter.declared().peak, 1_001_000);
    }

    #[test]
    fn the_window_of_samples_stays_small() {
        let mut meter = Meter::default();
        for _ in 0..1_000 {
            meter.add(2_000, 1_000, 4_000);
        }
        assert!(meter.recent.len() <= 4, "{}", meter.recent.len());
    }
}
