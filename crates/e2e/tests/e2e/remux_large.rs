//! `sidestream remux` beyond 4 GiB: 64-bit offsets and sizes, FLV times beyond 24 bits, little memory.
//!
//! The FLV file has holes for what fills it; the MP4 file takes 4.1 GiB for the length of the test.

use e2e::ffmpeg::Version;
use e2e::flv::{self, Tag};
use e2e::media::testdata;
use e2e::process::{Process, command, run_ok};
use e2e::server::binary;
use e2e::wait::{secs, until};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Pictures that fill the file, and bytes of each.
const FILLERS: u32 = 4_200;
const FILLER: usize = 1 << 20;
/// When they begin, behind the clip, and how far they are apart, in milliseconds: the last lie beyond
/// 24 bits.
const BEGIN_MS: u32 = 7_000;
const STEP_MS: u32 = 4_000;
/// Memory that the work may take, besides 24 bytes a sample: there are some 9 000.
const MOST: u64 = 64 << 20;

/// The clip, then fillers, then the clip again.
struct Sequence {
    clip: Vec<Tag>,
    sound: Tag,
}

impl Sequence {
    fn new() -> Self {
        let clip = flv::read_file(&testdata("bframes.flv"));
        let sound = clip.iter().find(|tag| tag.is_media() && tag.kind == 8);
        Self {
            sound: sound.unwrap().clone(),
            clip,
        }
    }

    /// Tags of one kind in their order, each filler made when it is asked for.
    fn tags(&self, kind: u8) -> impl Iterator<Item = Tag> + '_ {
        let media = move || {
            let tags = self.clip.iter();
            tags.filter(move |tag| tag.is_media() && tag.kind == kind)
        };
        let later = |tag: &Tag, ms: u32| Tag {
            timestamp_ms: ms + tag.timestamp_ms,
            ..tag.clone()
        };
        let end = BEGIN_MS + FILLERS * STEP_MS;
        media()
            .cloned()
            .chain((0..FILLERS).map(move |n| self.filler(kind, n)))
            .chain(media().map(move |tag| later(tag, end)))
    }

    fn filler(&self, kind: u8, n: u32) -> Tag {
        let timestamp_ms = BEGIN_MS + n * STEP_MS;
        let body = match kind {
            8 => self.sound.body.clone(),
            _ => {
                let mut body = vec![0; FILLER];
                body[..5].copy_from_slice(&[0x17, 1, 0, 0, 0]);
                // One NAL unit of an IDR picture, with a number of its own.
                body[5..9].copy_from_slice(&(FILLER as u32 - 9).to_be_bytes());
                body[9] = 0x65;
                body[10..14].copy_from_slice(&n.to_be_bytes());
                body
            }
        };
        Tag {
            kind,
            timestamp_ms,
            body,
        }
    }

    /// Audio and video in the order of time.
    fn interleaved(&self) -> impl Iterator<Item = Tag> + '_ {
        let (mut video, mut audio) = (self.tags(9).peekable(), self.tags(8).peekable());
        std::iter::from_fn(move || match (video.peek(), audio.peek()) {
            (Some(picture), Some(sound)) if sound.timestamp_ms < picture.timestamp_ms => {
                audio.next()
            }
            (None, _) => audio.next(),
            _ => video.next(),
        })
    }

    /// Writes them as FLV, with holes for zeros.
    fn save(&self, path: &Path) -> u64 {
        let mut file = std::io::BufWriter::new(File::create(path).unwrap());
        let headers = self.clip.iter().filter(|tag| tag.is_configuration());
        file.write_all(&flv::write(&headers.cloned().collect::<Vec<_>>()))
            .unwrap();
        for tag in self.interleaved() {
            let len = u32::try_from(tag.body.len()).unwrap();
            let [_, l0, l1, l2] = len.to_be_bytes();
            let [t3, t0, t1, t2] = tag.timestamp_ms.to_be_bytes();
            let head = [tag.kind, l0, l1, l2, t0, t1, t2, t3, 0, 0, 0];
            file.write_all(&head).unwrap();
            let written = if tag.body.len() == FILLER {
                16
            } else {
                tag.body.len()
            };
            file.write_all(&tag.body[..written]).unwrap();
            let hole = tag.body.len() - written;
            if hole > 0 {
                file.seek(SeekFrom::Current(hole.try_into().unwrap()))
                    .unwrap();
            }
            file.write_all(&(len + 11).to_be_bytes()).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().unwrap().metadata().unwrap().len()
    }
}

/// A folder with room for 5 GiB: in memory, where that is large enough.
fn roomy() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let mut df = command("df");
    df.args(["--output=avail", "-B1"]).arg(shared);
    let free: Option<u64> = std::process::Command::output(&mut df).ok().and_then(|df| {
        String::from_utf8_lossy(&df.stdout)
            .lines()
            .nth(1)?
            .trim()
            .parse()
            .ok()
    });
    match free.is_some_and(|free| free > 6 << 30) {
        true => tempfile::tempdir_in(shared).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// Most memory that the process had so far; `None` when it has ended.
fn peak(process: &Process) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn remux(input: &Path, output: &str, stdout: Stdio) -> Process {
    let mut command = command(binary());
    command.arg("remux").arg(input).args([output, "--to"]);
    command.arg(if output == "-" { "flv" } else { "mp4" });
    command.stdout(stdout);
    Process::start(&format!("sidestream remux to {output}"), command)
}

#[test]
fn files_beyond_4_gib_go_there_and_back() {
    let sequence = Sequence::new();
    let folder = roomy();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let (input, mp4) = (at("in.flv"), at("x.mp4"));
    let len = sequence.save(&input);
    assert!(len > 1 << 32, "{len} bytes");

    let mut there = remux(&input, mp4.to_str().unwrap(), Stdio::null());
    let mut most = 0;
    let status = until("the MP4 file", secs(120), || {
        most = most.max(peak(&there).unwrap_or(0));
        there.status()
    });
    assert!(status.success(), "{}", there.log());
    assert!((1..MOST).contains(&most), "FLV to MP4 took {most} bytes");
    std::fs::remove_file(&input).unwrap();
    wide(&mp4);
    ends_like_the_clip(&mp4);

    let mut back = remux(&mp4, "-", Stdio::piped());
    let mut stdout = back.stdout();
    let (mut reader, mut buffer) = (flv::Reader::default(), vec![0; 8 << 20]);
    let mut wanted: HashMap<u8, Box<dyn Iterator<Item = Tag>>> = HashMap::new();
    for kind in [8, 9] {
        wanted.insert(kind, Box::new(sequence.tags(kind)));
    }
    let (mut most, mut compared) = (0, 0);
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        most = most.max(peak(&back).unwrap_or(0));
        for tag in reader
            .push(&buffer[..count])
            .into_iter()
            .filter(Tag::is_media)
        {
            let want = wanted.get_mut(&tag.kind).unwrap().next().unwrap();
            assert!(tag == want, "tag {compared}: {tag:?}, not {want:?}");
            compared += 1;
        }
    }
    back.finish(secs(30));
    assert!(wanted.values_mut().all(|tags| tags.next().is_none()));
    assert!(compared > 2 * FILLERS, "{compared} tags");
    assert!((1..MOST).contains(&most), "MP4 to FLV took {most} bytes");
}

/// One `mdat` with a size of 64 bits, and chunk offsets of 64 bits.
fn wide(mp4: &Path) {
    let mut file = File::open(mp4).unwrap();
    let mut head = vec![0; 4_096];
    file.read_exact(&mut head).unwrap();
    let mdat = head.windows(4).position(|name| name == b"mdat").unwrap();
    assert_eq!(head[mdat - 4..mdat], [0, 0, 0, 1]);
    let size = u64::from_be_bytes(head[mdat + 4..mdat + 12].try_into().unwrap());
    assert!(size > 1 << 32, "mdat of {size} bytes");
    file.seek(SeekFrom::Start(mdat as u64 - 4 + size)).unwrap();
    let mut moov = Vec::new();
    file.read_to_end(&mut moov).unwrap();
    assert_eq!(&moov[4..8], b"moov");
    let count = |name: &[u8]| moov.windows(4).filter(|window| *window == name).count();
    assert_eq!((count(b"co64"), count(b"stco")), (2, 0));
}

/// FFmpeg decodes the last seconds, and their packets are those of the clip.
fn ends_like_the_clip(mp4: &Path) {
    let packets = |options: &[&str], file: &Path| -> Vec<String> {
        let mut ffmpeg = command(Version::V5.program());
        ffmpeg.args(["-nostdin", "-v", "error", "-xerror"]);
        ffmpeg.args(options).arg("-i").arg(file);
        ffmpeg.args(["-map", "0:v", "-c", "copy", "-f", "framemd5", "-"]);
        let text = run_ok("ffmpeg", ffmpeg, secs(60)).text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let md5 = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
        lines.map(md5).collect()
    };
    let clip = packets(&[], &testdata("bframes.flv"));
    let end = packets(&["-sseof", "-3.5"], mp4);
    assert!(end.len() >= 75, "{} pictures", end.len());
    assert!(clip.ends_with(&end), "other packets at the end");
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-sseof", "-3.5", "-i"]);
    ffmpeg.arg(mp4).args(["-map", "0", "-f", "null", "-"]);
    assert_eq!(run_ok("ffmpeg", ffmpeg, secs(60)).stderr, "");
}
