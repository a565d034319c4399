//! Splice information (SCTE 35) of a transport stream through `remux`, as FFmpeg and a parser of playlists read it.
//! FFmpeg makes no such stream: its own is given one here, packet by packet.

use std::path::{Path, PathBuf};

use e2e::flv;
use e2e::media::{repository, testdata};
use e2e::process::{command, run_ok};
use e2e::wait::secs;

use crate::remux::remux;
use crate::timed::{IN, OUT, ad_cue, cue, with_messages};

/// PIDs of FFmpeg's muxer, and of the splice information.
const PMT: u16 = 0x1000;
const VIDEO: u16 = 0x100;
const SPLICES: u16 = 0x123;
const PACKET: usize = 188;
/// Half of where times of 90 kHz wrap.
const HALF_TURN: i64 = 1 << 32;

/// SCTE 35 §9.7.3: a splice insert of event 7 at this time, out for so many ticks, or in.
fn section(pts: u64, out: Option<u64>) -> Vec<u8> {
    let mut command = vec![0, 0, 0, 7, 0x7f];
    // Program splice, not at once; out of the network and with a duration, or back.
    command.push(if out.is_some() { 0xef } else { 0x4f });
    let time = |flags: u64, ticks: u64| (flags << 33 | ticks).to_be_bytes()[3..].to_vec();
    command.extend(time(0x7f, pts));
    command.extend(out.map(|ticks| time(0x7f, ticks)).unwrap_or_default());
    command.extend([0, 1, 0, 0]);
    let mut section = vec![0xfc, 0x30, 0, 0, 0, 0, 0, 0, 0, 0];
    let len = u8::try_from(command.len()).unwrap();
    section.extend([0xff, 0xf0, len, 5]);
    section.extend(command);
    section.extend([0, 0]);
    section[2] = u8::try_from(section.len() + 1).unwrap();
    with_crc(section)
}

/// CRC_32 of ISO/IEC 13818-1 annex A behind what it is of.
fn with_crc(mut section: Vec<u8>) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in &section {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
        }
    }
    section.extend(crc.to_be_bytes());
    section
}

fn packet(pid: u16, counter: u8, section: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let mut packet = vec![0x47, 0x40 | high, low, 0x10 | counter, 0];
    packet.extend_from_slice(section);
    packet.resize(PACKET, 0xff);
    packet
}

/// The program map with a stream of splice information more.
fn with_splices(packet: &[u8]) -> Vec<u8> {
    let section = &packet[5..];
    let len = 3 + usize::from(u16::from_be_bytes([section[1], section[2]]) & 0xfff);
    let mut map = section[..len - 4].to_vec();
    assert_eq!(map[10..12], [0xf0, 0], "no descriptor of the program");
    map.splice(10..12, *b"\xf0\x06\x05\x04CUEI");
    let [high, low] = SPLICES.to_be_bytes();
    map.extend([0x86, 0xe0 | high, low, 0xf0, 0]);
    map[2] = u8::try_from(map.len() + 1).unwrap();
    crate::splices::packet(PMT, packet[3] & 0xf, &with_crc(map))
}

/// Six seconds as FFmpeg muxes them, with these sections, each in front of the picture of this number.
fn source(folder: &Path, sections: &[(usize, Vec<u8>)]) -> PathBuf {
    let plain = folder.join("plain.ts");
    let mut ffmpeg = command("ffmpeg");
    ffmpeg
        .args(["-v", "error", "-i"])
        .arg(testdata("bframes.flv"));
    ffmpeg.args(["-c", "copy", "-f", "mpegts"]).arg(&plain);
    run_ok("ffmpeg", ffmpeg, secs(30));
    let (mut out, mut pictures, mut counter) = (Vec::new(), 0, 0);
    for packet in std::fs::read(&plain).unwrap().chunks(PACKET) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let starts = packet[1] & 0x40 != 0;
        if pid == VIDEO && starts {
            for (_, section) in sections.iter().filter(|(at, _)| *at == pictures) {
                out.extend(crate::splices::packet(SPLICES, counter, section));
                counter = (counter + 1) % 16;
            }
            pictures += 1;
        }
        match pid {
            PMT => out.extend(with_splices(packet)),
            _ => out.extend_from_slice(packet),
        }
    }
    let path = folder.join("source.ts");
    std::fs::write(&path, out).unwrap();
    path
}

/// The first time of video, and the times and bytes of all splice information, as FFmpeg reads them.
fn read(file: &Path) -> (i64, Vec<i64>, Vec<u8>) {
    let times = |streams: &str| -> Vec<i64> {
        let mut ffprobe = command("ffprobe");
        ffprobe.args(["-v", "error", "-select_streams", streams]);
        ffprobe
            .args(["-show_entries", "packet=dts", "-of", "csv=p=0"])
            .arg(file);
        let text = run_ok("ffprobe", ffprobe, secs(30)).text();
        let lines = text.lines().map(|line| line.trim_matches(','));
        lines.filter_map(|line| line.parse().ok()).collect()
    };
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream=codec_name"]);
    ffprobe.args(["-of", "csv=p=0"]).arg(file);
    let codecs = run_ok("ffprobe", ffprobe, secs(30)).text();
    assert!(codecs.lines().any(|line| line == "scte_35"), "{codecs}");
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(file);
    ffmpeg.args(["-map", "0:d", "-c", "copy", "-f", "data", "-"]);
    let data = run_ok("ffmpeg", ffmpeg, secs(30)).stdout;
    (times("v")[0], times("d"), data)
}

/// Runs `remux`, which has nothing to complain of.
fn clean(input: &Path, output: &Path, options: &[&str]) {
    let done = remux(input, output, options);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("no warnings"), "{}", done.stderr);
}

/// The section with its times this much later.
fn moved(section: &[u8], ticks: i64) -> Vec<u8> {
    let mut out = section[..section.len() - 4].to_vec();
    let ticks = u64::try_from(ticks.rem_euclid(1 << 33)).unwrap();
    // It had none: the lowest bit of the first byte is the highest of 33.
    out[4] |= (ticks >> 32) as u8;
    out[5..9].copy_from_slice(&ticks.to_be_bytes()[4..]);
    with_crc(out)
}

/// FFmpeg begins at 1.4 s; key frames are a second apart. The break is from 3 s to 5 s of the clip.
fn break_of_two_seconds() -> [(usize, Vec<u8>); 3] {
    let at = |seconds: u64| 126_000 + 7_200 + seconds * 90_000;
    let out = section(at(3), Some(180_000));
    [(30, out.clone()), (55, out), (120, section(at(5), None))]
}

#[test]
fn splice_information_stays_in_a_transport_stream_with_its_times() {
    let folder = tempfile::tempdir().unwrap();
    let sections = break_of_two_seconds();
    let source = source(folder.path(), &sections);
    let (first, times, data) = read(&source);
    let concat = |sections: &[Vec<u8>]| sections.concat();
    let all: Vec<Vec<u8>> = sections.into_iter().map(|(_, section)| section).collect();
    assert_eq!(data, concat(&all), "the source is what it should be");

    // The whole, and from 2 s on, where times begin anew: what came before is not there.
    for (options, from) in [(&[][..], 0), (&["--start", "2s"], 2)] {
        let copy = folder.path().join(format!("copy{from}.ts"));
        clean(&source, &copy, options);
        let (new_first, new_times, new_data) = read(&copy);
        let shift = new_first - first - from * 90_000;
        let left = usize::from(from > 0);
        let want: Vec<Vec<u8>> = all[left..].iter().map(|s| moved(s, shift)).collect();
        assert_eq!(new_data, concat(&want), "moved by {shift}");
        assert_eq!(new_times.len(), want.len());
        // FFmpeg dates a section by the newest clock reference: so far apart they are, and so far before the
        // pictures each muxer sets them.
        // They wrap: what is cut begins at 0, and its clock references before.
        let off = |index: usize| {
            let off = new_times[index] - times[left + index] - shift;
            (off + HALF_TURN).rem_euclid(2 * HALF_TURN) - HALF_TURN
        };
        for index in 0..want.len() {
            let drift = off(index) - off(0);
            assert!(
                drift.abs() < 9_000 && off(index).abs() < 45_000,
                "{new_times:?} {times:?} {shift}"
            );
        }
    }
}

#[test]
fn splice_information_is_date_ranges_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path(), &break_of_two_seconds());
    let plain = folder.path().join("plain.m3u8");
    let done = remux(&source, &plain, &["--segment", "1s"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.stderr
            .contains("2 cues left out of the playlist; say with --date"),
        "{}",
        done.stderr
    );
    let undated = std::fs::read_to_string(&plain).unwrap();
    for (name, to) in [("fmp4.m3u8", "hls"), ("ts.m3u8", "hls-ts")] {
        let list = folder.path().join(name);
        let options = [
            "--segment",
            "1s",
            "--to",
            to,
            "--date",
            "2026-11-20T19:30:00Z",
        ];
        clean(&source, &list, &options);
        let text = std::fs::read_to_string(&list).unwrap();
        // Nothing else is said than without a date.
        let others = |line: &&str| !line.contains("-DATE");
        let stem = name.trim_end_matches(".m3u8");
        if to == "hls" {
            let same = text.replace(&format!("{stem}-"), "plain-");
            let same: Vec<&str> = same.lines().filter(others).collect();
            assert_eq!(same, undated.lines().collect::<Vec<_>>());
        }
        let script = "
import sys, m3u8
from datetime import datetime, timedelta, timezone
media = m3u8.load(sys.argv[1])
begin = datetime(2026, 11, 20, 19, 30, tzinfo=timezone.utc)
at = timedelta()
for s in media.segments:
    assert s.program_date_time == begin + at, (s.program_date_time, at)
    at += timedelta(seconds=s.duration)
found = [(n, r) for n, s in enumerate(media.segments) for r in s.dateranges]
(n, out), (m, back) = found
assert (n, m) == (3, 5), found
assert out.id == back.id and out.start_date == back.start_date
start = datetime.fromisoformat(out.start_date.replace('Z', '+00:00'))
assert abs(start - begin - timedelta(seconds=3.08)) < timedelta(milliseconds=2), out.start_date
assert out.planned_duration == 2.0 and back.duration == 2.0, back.duration
assert out.scte35_out.startswith('0xFC30') and back.scte35_in.startswith('0xFC30')
";
        let mut python = command(repository().join(".tools/py/bin/python"));
        python.args(["-c", script]).arg(&list);
        run_ok("python m3u8", python, secs(30));
    }
}

#[test]
fn cue_points_of_flv_are_date_ranges_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.flv");
    let tags = with_messages(vec![ad_cue(1_100, OUT), cue(2_810), ad_cue(4_333, IN)]);
    std::fs::write(&source, flv::write(&tags)).unwrap();
    let list = folder.path().join("list.m3u8");
    let date = "2026-11-20T20:30:00+01:00";
    clean(&source, &list, &["--segment", "1s", "--date", date]);
    let text = std::fs::read_to_string(&list).unwrap();
    let mut media = tags.iter().filter(|tag| tag.is_media());
    let first = media.find(|tag| !tag.is_configuration()).unwrap();
    let at = |ms: u32| {
        let ms = ms - first.timestamp_ms;
        format!("2026-11-20T19:30:{:02}.{:03}Z", ms / 1_000, ms % 1_000)
    };
    let found: Vec<(&str, bool, bool)> = (text.lines())
        .filter_map(|line| line.strip_prefix("#EXT-X-DATERANGE:"))
        .map(|range| {
            let begin = range.split("START-DATE=\"").nth(1).unwrap();
            let has = |name: &str| range.contains(name);
            (&begin[..24], has("SCTE35-OUT=0xFC"), has("SCTE35-IN=0xFC"))
        })
        .collect();
    let (ads, goal) = (at(1_100), at(2_810));
    let want = [
        (&*ads, true, false),
        (&*goal, false, false),
        (&*ads, false, true),
    ];
    assert_eq!(found, want, "{text}");
}
