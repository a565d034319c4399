//! Figures of callbacks: what waits, what was tried, how late it came.

use std::fmt::Error;
use std::time::Duration;

use control::callback::{Backlog, CallbackStats, Callbacks, DELAY_BOUNDS_S};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Series, Writer, by, float};

/// How long a scrape waits for the store. Without its answer the figures that need it are left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Callbacks at one moment.
#[derive(Debug)]
pub(crate) struct CallbackFigures {
    stats: CallbackStats,
    backlog: Option<Backlog>,
}

impl CallbackFigures {
    pub(super) async fn read(callbacks: &Callbacks) -> Self {
        let backlog = tokio::time::timeout(PATIENCE, callbacks.backlog()).await;
        Self {
            stats: callbacks.stats(),
            backlog: backlog.ok().and_then(Result::ok),
        }
    }
}

/// One value without labels.
fn total<V>(value: V) -> Series<V> {
    vec![(Vec::new(), value)]
}

impl Collector for CallbackFigures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer { encoder };
        let stats = &self.stats;
        if let Some(backlog) = self.backlog {
            writer.gauge(
                "callback_endpoints",
                "Endpoints of callbacks, by whether they acknowledge",
                None,
                &by(
                    "state",
                    &[
                        ("well", float(backlog.well)),
                        ("failing", float(backlog.failing)),
                        ("disabled", float(backlog.disabled)),
                    ],
                ),
            )?;
            writer.gauge(
                "callbacks_waiting",
                "Callbacks that are neither acknowledged nor given up",
                None,
                &total(float(backlog.waiting)),
            )?;
        }
        writer.gauge(
            "callbacks_sending",
            "Attempts under way",
            None,
            &total(float(stats.in_flight)),
        )?;
        writer.counter(
            "callback_attempts",
            "Attempts to deliver a callback, by what came of them",
            None,
            &by(
                "result",
                &[
                    ("acknowledged", stats.acknowledged),
                    ("refused", stats.refused),
                    ("unanswered", stats.unanswered),
                ],
            ),
        )?;
        writer.counter(
            "callbacks_dead",
            "Callbacks given up",
            None,
            &total(stats.dead),
        )?;
        let bounds = DELAY_BOUNDS_S.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(stats.delays.iter().copied()).collect();
        let count = stats.delays.iter().sum();
        let sum = stats.delay_sum.as_secs_f64();
        writer
            .encoder
            .encode_descriptor(
                "callback_delay",
                "Time from an event to its acknowledgement",
                Some(&Unit::Seconds),
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prometheus_client::encoding::text::encode_registry;
    use prometheus_client::registry::Registry;

    fn text(figures: CallbackFigures) -> String {
        let mut registry = Registry::with_prefix(super::super::PREFIX);
        registry.register_collector(Box::new(figures));
        let mut text = String::new();
        encode_registry(&mut text, &registry).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn every_figure_is_there_and_the_delays_add_up() {
        let mut stats = CallbackStats::default();
        (stats.acknowledged, stats.refused, stats.unanswered) = (4, 3, 2);
        (stats.dead, stats.in_flight) = (1, 5);
        stats.delays = vec![1, 0, 2, 0, 0, 0, 0, 0, 0, 1];
        stats.delay_sum = Duration::from_millis(90_001_500);
        let mut backlog = Backlog::default();
        (backlog.waiting, backlog.well, backlog.failing) = (6, 7, 8);
        let shown = text(CallbackFigures {
            stats,
            backlog: Some(backlog),
        });
        assert_eq!(
            shown,
            "sidestream_callback_endpoints{state=\"well\"} 7.0\n\
             sidestream_callback_endpoints{state=\"failing\"} 8.0\n\
             sidestream_callback_endpoints{state=\"disabled\"} 0.0\n\
             sidestream_callbacks_waiting 6.0\n\
             sidestream_callbacks_sending 5.0\n\
             sidestream_callback_attempts_total{result=\"acknowledged\"} 4\n\
             sidestream_callback_attempts_total{result=\"refused\"} 3\n\
             sidestream_callback_attempts_total{result=\"unanswered\"} 2\n\
             sidestream_callbacks_dead_total 1\n\
             sidestream_callback_delay_seconds_sum 90001.5\n\
             sidestream_callback_delay_seconds_count 4\n\
             sidestream_callback_delay_seconds_bucket{le=\"0.1\"} 1\n\
             sidestream_callback_delay_seconds_bucket{le=\"0.5\"} 1\n\
             sidestream_callback_delay_seconds_bucket{le=\"1.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"5.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"15.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"60.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"600.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"3600.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"86400.0\"} 3\n\
             sidestream_callback_delay_seconds_bucket{le=\"+Inf\"} 4\n"
        );
    }

    #[test]
    fn a_store_that_does_not_answer_hides_only_what_it_would_tell() {
        let shown = text(CallbackFigures {
            stats: CallbackStats::default(),
            backlog: None,
        });
        assert!(!shown.contains("waiting"), "{shown}");
        assert!(shown.contains("sidestream_callbacks_dead_total 0\n"));
    }
}
