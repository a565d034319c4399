//! ffmpeg as an independent reader: each packet's times, key flag, size and checksum.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A packet as `-f framecrc` prints it; times in 90 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) size: usize,
    pub(crate) adler32: u32,
    pub(crate) key: bool,
}

impl Packet {
    pub(crate) fn new(dts: i64, pts: i64, key: bool, data: &[u8]) -> Self {
        Self {
            dts,
            pts,
            size: data.len(),
            adler32: adler32(data),
            key,
        }
    }
}

impl Packet {
    /// The times as 33 bits hold them; all packets key packets.
    pub(crate) fn in_33_bits(self) -> Self {
        Self {
            dts: self.dts.rem_euclid(1 << 33),
            pts: self.pts.rem_euclid(1 << 33),
            key: true,
            ..self
        }
    }
}

/// Whether ffmpeg can be run.
pub(crate) fn is_here() -> bool {
    let here = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !here {
        eprintln!("skipped: no ffmpeg");
    }
    here
}

/// Keeps `bytes` in a file for ffmpeg to read.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The packets of all streams of `path`, by stream index, video streams first; `filters` are
/// options before the output. (All streams always: ffmpeg 5 moves the times of MPEG-TS to those of
/// the streams it was asked for.)
pub(crate) fn packets(path: &Path, filters: &[&str]) -> BTreeMap<usize, Vec<Packet>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-copyts"])
        // Some files begin with more audio than the default probes.
        .args(["-probesize", "20M", "-analyzeduration", "20M", "-i"])
        .arg(path)
        .args(["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyinkf"])
        .args(filters)
        .args(["-avoid_negative_ts", "disabled", "-f", "framecrc", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut scales: BTreeMap<usize, i64> = BTreeMap::new();
    let mut packets: BTreeMap<usize, Vec<Packet>> = BTreeMap::new();
    for line in text.lines() {
        if let Some(scale) = line.strip_prefix("#tb ") {
            let (index, scale) = scale.split_once(": 1/").unwrap();
            scales.insert(index.parse().unwrap(), scale.parse().unwrap());
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let index: usize = fields[0].parse().unwrap();
        let at_90_khz = |ticks: &str| ticks.parse::<i64>().unwrap() * 90_000 / scales[&index];
        packets.entry(index).or_default().push(Packet {
            dts: at_90_khz(fields[1]),
            pts: at_90_khz(fields[2]),
            size: fields[4].parse().unwrap(),
            adler32: u32::from_str_radix(fields[5].trim_start_matches("0x"), 16).unwrap(),
            // Flags are printed when they are not "key" alone.
            key: !fields.iter().any(|field| field.starts_with("F=")),
        });
    }
    packets
}

/// What ffmpeg calls a CRC here: Adler-32 that starts at 0.
fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((0u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// Compares packet by packet, so that a difference is readable.
pub(crate) fn assert_same(name: &str, ours: &[Packet], theirs: &[Packet]) {
    for (n, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(our, their, "{name}: packet {n}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: packets");
}
