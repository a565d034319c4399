//! What does a day of DVR cost? Fills an index with 24 h of 2 s segments and measures what it holds and how soon
//! it answers; nothing is stored.
//!
//! `cargo run --release -p sidestream-hls --example day`
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "an example that measures"
)]

use std::time::{Duration, Instant};

use hls::shift::{Ask, Flags, Index, Line, Live, Replayed, Segment, Tracks};
use hls::{About, Container, WallTime};

/// 2026-11-20T19:30:00Z.
const BEGINS_MS: i64 = 1_795_203_000_000;
const SEGMENTS: u32 = 43_200;
const EPOCH: u64 = 0x19a_3f2c_4d5e;
const ROUNDS: u32 = 200;

fn main() {
    let before = resident();
    let window = Duration::from_secs(86_400);
    let mut index = Index::new(Container::Fmp4, "cam", window);
    let mut logs: Vec<String> = Vec::new();
    for number in 0..SEGMENTS {
        push(&mut index, &mut logs, number);
    }
    let end = WallTime(BEGINS_MS + i64::from(SEGMENTS) * 2_000);
    let ask = Ask::Start {
        back_ms: 86_400_000,
    };

    let began = Instant::now();
    let first = index.playlist(ask, Live::Running, false, end).unwrap();
    println!(
        "first playlist, all text rendered   {:>9.3?}",
        began.elapsed()
    );
    println!(
        "its text                            {:>9} bytes",
        first.body().len()
    );
    drop(first);
    let known = mean(|| drop(index.playlist(ask, Live::Running, false, end).unwrap()));
    println!("the same again                      {known:>9.3?}");
    let mut new = [Duration::ZERO; 2];
    for number in SEGMENTS..SEGMENTS + ROUNDS {
        push(&mut index, &mut logs, number);
        for (sum, skip) in new.iter_mut().zip([false, true]) {
            let began = Instant::now();
            drop(index.playlist(ask, Live::Running, skip, end).unwrap());
            *sum += began.elapsed();
        }
    }
    println!(
        "whole playlist after a new segment  {:>9.3?}",
        new[0] / ROUNDS
    );
    println!(
        "delta update after it               {:>9.3?}",
        new[1] / ROUNDS
    );
    let delta = index.playlist(ask, Live::Running, true, end).unwrap();
    println!(
        "its text                            {:>9} bytes",
        delta.body().len()
    );
    let began = Instant::now();
    drop(index.multivariant(ask).unwrap());
    println!(
        "multivariant, rates of all measured {:>9.3?}",
        began.elapsed()
    );
    println!(
        "index and texts                     {:>9} bytes",
        index.memory()
    );
    let logs_bytes: usize = logs.iter().map(String::len).sum();
    let held = resident().saturating_sub(before) - logs_bytes as u64;
    println!("process, grown by (without the logs){held:>9} bytes");

    let began = Instant::now();
    let read = |log: &String| Replayed::read(log, u64::MAX).unwrap();
    let replayed = logs.iter().map(read).collect();
    let mut again = Index::new(Container::Fmp4, "cam", window);
    again.adopt(replayed, end);
    println!(
        "restart: {} logs of {logs_bytes} bytes    {:>9.3?}",
        logs.len(),
        began.elapsed()
    );
}

fn push(index: &mut Index, logs: &mut Vec<String>, number: u32) {
    let sequence = 45_500_000 + u64::from(number);
    if index.needs_block(EPOCH, 1_250_000) {
        let head = index.next_head(EPOCH, sequence, Duration::from_secs(4));
        index.begin(head);
        let tracks = Tracks {
            init: Some((1, 0, 1_200)),
            about: About {
                codecs: "avc1.64001f,mp4a.40.2".into(),
                resolution: Some((1_280, 720)),
                frame_rate_milli: Some(25_000),
            },
        };
        logs.push(format!(
            "{}\n{}\n",
            Line::Head(head),
            Line::Tracks(tracks.clone())
        ));
        index.tracks(tracks);
    }
    let segment = Segment {
        sequence,
        wall_ms: BEGINS_MS + i64::from(number) * 2_000,
        duration_ms: 2_000,
        offset: 1_200 + number % 1_800 * 500_000,
        len: 500_000,
        flags: Flags {
            independent: true,
            ..Flags::default()
        },
    };
    if let Some(log) = logs.last_mut() {
        log.push_str(&format!("{}\n", Line::Segment(segment)));
    }
    index.push(segment);
}

fn mean(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    began.elapsed() / ROUNDS
}

/// Resident memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    kib << 10
}
