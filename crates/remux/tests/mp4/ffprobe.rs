//! ffmpeg makes files, ffprobe lists their packets.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A packet as ffprobe lists it; times in the track's timescale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) size: usize,
    pub(crate) adler32: u32,
    pub(crate) key: bool,
}

/// Whether both tools can be run.
pub(crate) fn is_here() -> bool {
    let runs = |tool| Command::new(tool).arg("-version").output().is_ok();
    let here = runs("ffmpeg") && runs("ffprobe");
    if !here {
        eprintln!("skipped: no ffmpeg");
    }
    here
}

/// The streams of a file: number in the file (`track_ID`), timescale, packets; in its order.
pub(crate) fn streams(path: &Path) -> Vec<(u32, u32, Vec<Packet>)> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_data_hash",
            "adler32",
            "-of",
            "compact=nk=0",
        ])
        .args([
            "-show_entries",
            "stream=index,id,time_base:packet=stream_index,pts,dts,size,flags,data_hash",
        ])
        .arg(path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{}: {errors}",
        path.display()
    );
    // Side data is in lines of its own, within that of its packet.
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace("side_data|\n", "");
    let mut streams: Vec<(u32, u32, Vec<Packet>)> = Vec::new();
    let field = |line: &str, key: &str| -> Option<String> {
        let fields = line.split('|').filter_map(|field| field.split_once('='));
        let mut found = fields.filter(|(name, _)| *name == key);
        found.next().map(|(_, value)| value.to_owned())
    };
    // Packets come first: their streams are known afterwards.
    let mut packets: Vec<(usize, Packet)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("packet|") {
            let hash = field(line, "data_hash").unwrap();
            let number = |key| field(line, key).and_then(|value| value.parse::<i64>().ok());
            packets.push((
                usize::try_from(number("stream_index").unwrap()).unwrap(),
                Packet {
                    pts: number("pts").unwrap(),
                    dts: number("dts").unwrap(),
                    size: usize::try_from(number("size").unwrap()).unwrap(),
                    adler32: u32::from_str_radix(hash.rsplit(':').next().unwrap(), 16).unwrap(),
                    key: field(line, "flags").unwrap().starts_with('K'),
                },
            ));
        } else if line.starts_with("stream|") {
            let id = field(line, "id").unwrap();
            let id = u32::from_str_radix(id.trim_start_matches("0x"), 16).unwrap();
            let base = field(line, "time_base").unwrap();
            let scale = base.strip_prefix("1/").unwrap().parse().unwrap();
            streams.push((id, scale, Vec::new()));
        }
    }
    for (index, packet) in packets {
        streams[index].2.push(packet);
    }
    streams
}

/// A file of this name made by ffmpeg with these options; `None`: an encoder is missing.
pub(crate) fn make(name: &str, options: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(options.split_whitespace())
        .arg(&path)
        .status()
        .unwrap();
    if !status.success() {
        eprintln!("skipped: ffmpeg cannot make {name}");
    }
    status.success().then_some(path)
}

/// ffmpeg reads the whole file and has nothing to say; how many packets it found.
pub(crate) fn assert_sound(path: &Path) -> usize {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0", "-c", "copy", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{}: {errors}",
        path.display()
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).count()
}

pub(crate) fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}
