//! Times by their quantiles, in bounded memory.

use hdrhistogram::Histogram as Hdr;

/// Longest time that is told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;

/// Times in microseconds, each kept to three significant digits.
#[derive(Clone, Debug)]
pub(crate) struct Histogram(Hdr<u64>);

/// What is reported of times, in seconds; zeros when there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// How many times were taken.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The shortest.
    pub min: f64,
    /// Half were not above.
    pub p50: f64,
    /// 90 % were not above.
    pub p90: f64,
    /// 99 % were not above.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Hdr::new_with_bounds(1, LONGEST_US, 3).expect("1 < the longest, and 3 digits are few"))
    }
}

impl Histogram {
    /// Takes a time; what is longer than ten minutes counts as ten minutes.
    pub(crate) fn add(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("all histograms have the same bounds");
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        if self.0.is_empty() {
            return Quantiles::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e6;
        Quantiles {
            count: self.0.len(),
            mean: self.0.mean() / 1e6,
            min: self.0.min() as f64 / 1e6,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: self.0.max() as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_a_thousandth() {
        let mut all = Histogram::default();
        assert_eq!(all.quantiles(), Quantiles::default());
        let mut odd = Histogram::default();
        for micros in (1..=200u64).map(|n| n * 1_000) {
            if micros % 2_000 == 0 {
                &mut all
            } else {
                &mut odd
            }
            .add(micros);
        }
        all.merge(&odd);
        let q = all.quantiles();
        assert_eq!(q.count, 200);
        for (got, want) in [
            (q.min, 0.001),
            (q.p50, 0.1),
            (q.p90, 0.18),
            (q.p99, 0.198),
            (q.max, 0.2),
            (q.mean, 0.1005),
        ] {
            assert!((got / want - 1.0).abs() < 0.001, "{got} for {want}");
        }
    }

    #[test]
    fn longer_than_the_longest_is_the_longest() {
        let mut all = Histogram::default();
        all.add(u64::MAX);
        all.add(0);
        assert!(all.quantiles().max >= 599.0);
        assert_eq!(all.quantiles().count, 2);
    }
}
