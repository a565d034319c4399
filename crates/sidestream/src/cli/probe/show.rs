//! What `probe` prints: a few lines for people, one object for machines.

use std::fmt::Write;
use std::time::Duration;

use media::{Codec, TrackKind};
use remux::ts::{Content, Program, ProgramStream};
use serde_json::{Value, json};
use sidestream::describe::{self, bitrate, precise, traffic};

use super::analysis::{Counted, Found, Gops};

/// Ends of audio and video that lie this far apart are told, in ticks of 90 kHz: 500 ms.
const TOLD_END: i64 = 45_000;
/// Audio and video that lie this far apart in the file are told: 1 s.
const TOLD_APART: i64 = 90_000;

/// Lines for people.
pub(super) fn text(found: &Found) -> String {
    let mut text = format!(
        "{}: {} {}, {}, {}, {}\n",
        found.input,
        if found.is_live { "live" } else { "file" },
        found.format.0,
        precise(duration(found.duration)),
        traffic(found.bytes),
        bitrate(total_bps(found)),
    );
    for track in &found.tracks {
        let _ = writeln!(text, "  {}", line(track));
    }
    for left_out in &found.left_out {
        let (kind, track) = (left_out.codec.kind().as_str(), left_out.track);
        let _ = writeln!(text, "  {kind} {track}   not read: {}", left_out.reason);
    }
    for program in &found.programs {
        let is_read = found.program == Some(program.number);
        let _ = writeln!(text, "  {}", program_line(program, is_read));
    }
    if let Some(offset) = found.starts_apart {
        let _ = writeln!(text, "  start  video {:+} ms against audio", offset / 90);
    }
    if let Some(offset) = found.ends_apart.filter(|offset| offset.abs() >= TOLD_END) {
        let _ = writeln!(text, "  end  video {:+} ms against audio", offset / 90);
    }
    if found.apart >= TOLD_APART {
        let apart = found.apart / 90;
        let _ = writeln!(text, "  order  audio and video lie up to {apart} ms apart");
    }
    if found.refused > 0 {
        let why = found.refused_why.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  unreadable  {} tags: {why}", found.refused);
    }
    match found.fault_count {
        0 => text.push_str("  timing  no faults\n"),
        count => {
            let plural = if count == 1 { "" } else { "s" };
            let _ = writeln!(text, "  timing  {count} fault{plural}");
            for fault in &found.faults {
                let at = precise(duration(fault.at));
                let _ = match fault.track {
                    Some(track) => writeln!(text, "    {at}  track {track}: {}", fault.what),
                    None => writeln!(text, "    {at}  {}", fault.what),
                };
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
        let (min, max) = (
            counted.min_composition_offset / 90,
            counted.max_composition_offset / 90,
        );
        if max > 0 || min < 0 {
            words.push(format!("composition {min}..{max} ms"));
        }
    }
    if let Err(why) = &track.config {
        words.push(why.to_string());
    }
    words.retain(|word| !word.is_empty());
    words.join("   ")
}

/// `program 1   map 0x1000   clock 0x100   0x100 H.264, 0x101 AAC   read`
fn program_line(program: &Program, is_read: bool) -> String {
    let pid = |pid: u16| format!("{pid:#x}");
    let streams = program.streams.iter().map(|stream| {
        let (pid, content) = (pid(stream.pid), content(stream));
        format!("{pid} {content}")
    });
    let mut words = vec![
        format!("program {}", program.number),
        format!("map {}", pid(program.map_pid)),
        program
            .pcr_pid
            .map(|pcr| format!("clock {}", pid(pcr)))
            .unwrap_or_default(),
        streams.collect::<Vec<_>>().join(", "),
        if is_read { "read" } else { "" }.to_owned(),
    ];
    words.retain(|word| !word.is_empty());
    words.join("   ")
}

/// What a stream carries, as the map says.
fn content(stream: &ProgramStream) -> String {
    match stream.content {
        // The map does not tell the layer.
        Content::Media(Codec::Mp3) => "MPEG audio".to_owned(),
        Content::Media(codec) => codec.to_string(),
        Content::Latm => "AAC in LATM".to_owned(),
        Content::Id3 => "ID3".to_owned(),
        Content::Scte35 => "SCTE 35".to_owned(),
        Content::Encrypted => format!("encrypted (type {:#04x})", stream.stream_type),
        _ => format!("other (type {:#04x})", stream.stream_type),
    }
}

fn gops(counted: &Counted) -> String {
    let gops = &counted.gops;
    let seconds = |ticks: i64| format!("{:.2}", seconds(ticks));
    match gops.count {
        0 => format!("{} random access points", counted.random_access),
        _ if gops.min == gops.max => format!("GOP {} s", seconds(gops.min)),
        _ => format!(
            "GOP {}..{} s, mean {} s",
            seconds(gops.min),
            seconds(gops.max),
            seconds(gops.average().unwrap_or_default())
        ),
    }
}

fn total_bps(found: &Found) -> u64 {
    found.tracks.iter().map(Counted::bitrate_bps).sum()
}

fn duration(ticks: i64) -> Duration {
    Duration::from_millis(ticks.unsigned_abs() / 90)
}

/// To the microsecond.
fn seconds(ticks: i64) -> f64 {
    (ticks as f64 / 0.09).round() / 1_000_000.0
}

/// One object for machines. Keys are stable; base units stand in their names.
pub(super) fn json(found: &Found) -> Value {
    json!({
        "input": found.input,
        "format": found.format.1,
        "live": found.is_live,
        "bytes": found.bytes,
        "duration_s": seconds(found.duration),
        "bitrate_bps": total_bps(found),
        "tracks": found.tracks.iter().map(track).collect::<Vec<_>>(),
        "left_out": found.left_out.iter().map(|left_out| json!({
            "id": left_out.track.0,
            "kind": left_out.codec.kind().as_str(),
            "codec": left_out.codec.to_string(),
            "reason": left_out.reason,
        })).collect::<Vec<_>>(),
        "programs": found.programs.iter().map(|program| json!({
            "number": program.number,
            "map_pid": program.map_pid,
            "pcr_pid": program.pcr_pid,
            "read": found.program == Some(program.number),
            "streams": program.streams.iter().map(|stream| json!({
                "pid": stream.pid,
                "stream_type": stream.stream_type,
                "content": content(stream),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "data_messages": found.data_messages,
        "timed_metadata": found.timed_metadata,
        "av_start_offset_s": found.starts_apart.map(seconds),
        "av_end_offset_s": found.ends_apart.map(seconds),
        "av_apart_max_s": seconds(found.apart),
        "unreadable_tags": found.refused,
        "unreadable_reason": found.refused_why,
        "timing_faults": found.fault_count,
        "timing": found.faults.iter().map(|fault| json!({
            "at_s": seconds(fault.at),
            "track": fault.track.map(|track| track.0),
            "kind": fault.kind.as_str(),
            "detail": fault.what,
        })).collect::<Vec<_>>(),
        "damages": found.losses.count(),
        "bytes_lost": found.losses.bytes(),
        "damage": found.damage,
    })
}

fn track(counted: &Counted) -> Value {
    let track = &counted.track;
    let config = track.config.as_ref().ok();
    let video = config.and_then(|config| config.video());
    let audio = config.and_then(|config| config.audio());
    let gops = Some(&counted.gops).filter(|gops| gops.count > 0);
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
        "first_dts_s": seconds(counted.first),
        "last_dts_s": seconds(counted.last),
        "random_access_points": video.map(|_| counted.random_access),
        "gop_min_s": gops.map(|gops| seconds(gops.min)),
        "gop_max_s": gops.map(|gops| seconds(gops.max)),
        "gop_average_s": gops.and_then(Gops::average).map(seconds),
        "gops_s": gops.map(|gops| gops.lengths.iter().map(|&gop| seconds(gop)).collect::<Vec<_>>()),
        "max_composition_offset_s": video.map(|_| seconds(counted.max_composition_offset)),
        "min_composition_offset_s": video.map(|_| seconds(counted.min_composition_offset)),
        "configurations": counted.configurations,
    })
}
