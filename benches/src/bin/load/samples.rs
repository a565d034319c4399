//! Exact quantiles: every sample is kept.

use std::cell::RefCell;

/// Times in microseconds.
#[derive(Default)]
pub(crate) struct Samples(RefCell<Vec<u32>>);

/// What is reported of samples, in milliseconds; zeros when there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quantiles {
    pub(crate) count: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Samples {
    pub(crate) fn add(&self, micros: u32) {
        self.0.borrow_mut().push(micros);
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let mut all = self.0.borrow_mut();
        all.sort_unstable();
        // The smallest sample that at least this share is not above.
        let at = |share: f64| {
            let rank = (share * all.len() as f64).ceil() as usize;
            let micros = all.get(rank.saturating_sub(1)).copied().unwrap_or(0);
            f64::from(micros) / 1_000.0
        };
        Quantiles {
            count: all.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples = Samples::default();
        assert_eq!(samples.quantiles().max, 0.0);
        (1..=200).rev().for_each(|n| samples.add(n * 1_000));
        let q = samples.quantiles();
        assert_eq!((q.count, q.p50, q.p99, q.max), (200, 100.0, 198.0, 200.0));
    }
}
