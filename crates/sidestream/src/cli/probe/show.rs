//! What `probe` prints: a few lines for people, one object for machines.

use std::fmt::Write;
use std::time::Duration;

use media::TrackKind;
use serde_json::{Value, json};
use sidestream::describe::{self, bitrate, traffic};

use super::analysis::{Counted, Found};

/// Lines for people.
pub(super) fn text(found: &Found) -> String {
    let duration = Duration::from_millis(found.duration_ms.unsigned_abs());
    let mut text = format!(
        "{}: {} FLV, {}, {}, {}\n",
        found.input,
        if found.is_live { "live" } else { "file" },
        precise(duration),
        traffic(found.bytes),
        bitrate(total_bps(found)),
    );
    for track in &found.tracks {
        let _ = writeln!(text, "  {}", line(track));
    }
    if let Some(offset) = start_offset(found) {
        let _ = writeln!(text, "  start  video {offset:+} ms against audio");
    }
    if found.refused > 0 {
        let why = found.refused_why.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  unreadable  {} tags: {why}", found.refused);
    }
    match found.fault_count {
        0 => text.push_str("  timing  no faults\n"),
        count => {
            let _ = writeln!(text, "  timing  {count} faults");
            for fault in &found.faults {
                let at = Duration::from_millis(fault.at_ms.unsigned_abs());
                let _ = writeln!(
                    text,
                    "    {}  track {}: {}",
                    precise(at),
                    fault.track,
                    fault.what
                );
            }
        }
    }
    text
}

fn line(counted: &Counted) -> String {
    let track = &counted.track;
    let mut words = vec![format!("{} {}", track.kind().as_str(), track.id)];
    words.push(describe::track(track));
    if let Ok(config) = &track.config {
        words.push(config.codec_string());
    }
    words.push(bitrate(counted.bitrate_bps()));
    words.push(format!("{} units", counted.units));
    if track.kind() == TrackKind::Video {
        if let Some(milli) = counted.rate_milli() {
            words.push(format!("{:.2} fps", milli as f64 / 1_000.0));
        }
        words.push(gops(counted));
        if counted.max_composition_offset_ms > 0 || counted.min_composition_offset_ms < 0 {
            words.push(format!(
                "composition {}..{} ms",
                counted.min_composition_offset_ms, counted.max_composition_offset_ms
            ));
        }
    }
    if let Err(why) = &track.config {
        words.push(why.to_string());
    }
    words.retain(|word| !word.is_empty());
    words.join("   ")
}

fn gops(counted: &Counted) -> String {
    let Some(gops) = Gops::of(counted) else {
        return format!("{} random access points", counted.random_access);
    };
    let seconds = |ms: i64| format!("{:.2}", ms as f64 / 1_000.0);
    match gops.min == gops.max {
        true => format!("GOP {} s", seconds(gops.min)),
        false => format!("GOP {}..{} s", seconds(gops.min), seconds(gops.max)),
    }
}

/// Lengths of the whole GOPs, in milliseconds.
struct Gops {
    min: i64,
    max: i64,
    average: i64,
}

impl Gops {
    fn of(counted: &Counted) -> Option<Self> {
        let gops = &counted.gops_ms;
        let count = i64::try_from(gops.len()).ok().filter(|&count| count > 0)?;
        Some(Self {
            min: *gops.iter().min()?,
            max: *gops.iter().max()?,
            average: gops.iter().sum::<i64>() / count,
        })
    }
}

/// First video minus first audio decode time, in milliseconds.
fn start_offset(found: &Found) -> Option<i64> {
    let first = |kind| {
        let of_kind = found
            .tracks
            .iter()
            .find(|t| t.track.kind() == kind && t.units > 0);
        of_kind.map(|track| track.first_ms)
    };
    Some(first(TrackKind::Video)? - first(TrackKind::Audio)?)
}

fn total_bps(found: &Found) -> u64 {
    found.tracks.iter().map(Counted::bitrate_bps).sum()
}

/// `0:00:06.040`
fn precise(duration: Duration) -> String {
    format!(
        "{}.{:03}",
        describe::clock(duration),
        duration.subsec_millis()
    )
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// One object for machines. Keys are stable; base units stand in their names.
pub(super) fn json(found: &Found) -> Value {
    json!({
        "input": found.input,
        "format": "flv",
        "live": found.is_live,
        "bytes": found.bytes,
        "duration_s": seconds(found.duration_ms),
        "bitrate_bps": total_bps(found),
        "tracks": found.tracks.iter().map(track).collect::<Vec<_>>(),
        "data_messages": found.data_messages,
        "av_start_offset_s": start_offset(found).map(seconds),
        "unreadable_tags": found.refused,
        "unreadable_reason": found.refused_why,
        "timing_faults": found.fault_count,
        "timing": found.faults.iter().map(|fault| json!({
            "at_s": seconds(fault.at_ms),
            "track": fault.track,
            "detail": fault.what,
        })).collect::<Vec<_>>(),
        "damage": found.damage,
    })
}

fn track(counted: &Counted) -> Value {
    let track = &counted.track;
    let config = track.config.as_ref().ok();
    let video = config.and_then(|config| config.video());
    let audio = config.and_then(|config| config.audio());
    let gops = Gops::of(counted);
    json!({
        "id": track.id.0,
        "kind": track.kind().as_str(),
        "codec": track.codec.to_string(),
        "codec_string": config.map(media::CodecConfig::codec_string),
        "description": describe::track(track),
        "problem": track.config.as_ref().err().map(ToString::to_string),
        "width": video.map(|video| video.width),
        "height": video.map(|video| video.height),
        "frame_rate": video.and(counted.rate_milli()).map(|milli| milli as f64 / 1_000.0),
        "sample_rate_hz": audio.map(|audio| audio.sample_rate),
        "channels": audio.map(|audio| audio.channels),
        "units": counted.units,
        "bytes": counted.bytes,
        "bitrate_bps": counted.bitrate_bps(),
        "first_dts_s": seconds(counted.first_ms),
        "last_dts_s": seconds(counted.last_ms),
        "random_access_points": video.map(|_| counted.random_access),
        "gop_min_s": gops.as_ref().map(|gops| seconds(gops.min)),
        "gop_max_s": gops.as_ref().map(|gops| seconds(gops.max)),
        "gop_average_s": gops.as_ref().map(|gops| seconds(gops.average)),
        "max_composition_offset_s": video.map(|_| seconds(counted.max_composition_offset_ms)),
        "configurations": counted.configurations,
    })
}
