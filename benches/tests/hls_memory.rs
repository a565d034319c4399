//! What a stream of HLS holds besides the bytes of its window.
//!
//! The window's bytes are what `Stats::bytes` says: segments that are listed, those that were and
//! can still be fetched, and the units of the open segment. Every allocation of the process is
//! counted, so the figure is exact.
#![allow(clippy::unwrap_used)]

#[path = "support/counting.rs"]
mod counting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hls::{Config, Container, Segmenter, WallTime};
use media::{AccessUnit, Dts, StreamName};
use sidestream_benches::Clip;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What a stream may hold besides its window.
const BESIDE: i64 = 1 << 20;

/// The unit in allocations of its own, as the ring has it: it is freed with whoever held it last.
fn copied(unit: &AccessUnit, dts: i64) -> AccessUnit {
    let mut unit = unit.clone();
    unit.dts = Dts(dts);
    unit.payload = Bytes::copy_from_slice(&unit.payload);
    unit.flv_body = None;
    unit
}

#[test]
fn a_stream_holds_its_window_and_little_more() {
    let clip = Clip::load("demo.flv");
    let period = clip.units.last().unwrap().dts.0 + 40;
    let base = counting::live_bytes();
    let mut config = Config::new(&StreamName::parse("live", "cam").unwrap(), 1);
    config.part = Some(Duration::from_millis(333));
    let mut segmenter = Segmenter::new(config);
    segmenter.enable(Container::Fmp4);
    segmenter.enable(Container::Ts);
    segmenter.tracks(&Arc::new(clip.tracks.clone()));
    let (mut most, mut window, mut served) = (0, 0, None);
    // Two minutes: the window is full after 40 s.
    for turn in 0..120_000 / period {
        for unit in &clip.units {
            let unit = copied(unit, unit.dts.0 + turn * period);
            segmenter.unit(&unit, WallTime(1_800_000_000_000 + unit.dts.0));
            drop(unit);
            // A viewer holds the newest snapshot.
            served = segmenter.changed().or(served);
            let held = i64::try_from(segmenter.stats().bytes).unwrap();
            window = window.max(held);
            most = most.max(counting::live_bytes() - base - held);
        }
    }
    assert!(served.is_some_and(|of| of.media(Container::Fmp4).is_some()));
    eprintln!("window {window} bytes, besides it at most {most}");
    assert!(window > 4_000_000, "the window was not full: {window}");
    assert!(most <= BESIDE, "{most} bytes besides {window}");
}
