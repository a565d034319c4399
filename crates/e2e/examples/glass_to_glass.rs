//! How old are pictures when a browser shows them, over low latency HLS?
//!
//! ```sh
//! cargo build -p sidestream && cargo run -p sidestream-e2e --example glass_to_glass -- 600
//! ```
//!
//! Publishes for so many seconds (60 without a number) pictures that carry the wall clock, plays them in headless
//! Chromium, and prints latency, stalls and dropped frames as JSON, with how busy the machine was:
//! cores used in all, by encoder, relay, browser and everything else.
#![allow(clippy::unwrap_used, reason = "a measurement")]

use std::time::{Duration, Instant};

use e2e::glass::{Course, measure};

fn main() {
    let length = std::env::args().nth(1).map_or(60, |text| {
        text.parse()
            .expect("the only argument is a number of seconds")
    });
    let (begun, before) = (Instant::now(), busy_seconds());
    let mut seen = measure(Duration::from_secs(length), Course::Steady);
    let cores = (busy_seconds() - before) / begun.elapsed().as_secs_f64();
    seen["coresBusy"] = format!("{cores:.2}").parse::<f64>().unwrap().into();
    println!("{seen:#}");
}

/// CPU seconds that the machine has spent, idle time and waiting for disks left out.
fn busy_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    let fields = text.lines().next().unwrap().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.map(|field| field.parse().unwrap()).collect();
    // user nice system idle iowait irq softirq steal; a tick is 10 ms on every Linux that we know.
    [0, 1, 2, 5, 6].iter().map(|at| ticks[*at]).sum::<f64>() / 100.0
}
