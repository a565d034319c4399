//! FFmpeg as publisher and as reader: Debian's 5.1, the "old client", and FFmpeg 9 with enhanced RTMP.

use crate::frames::{Coverage, Framing, Media, Parser, Placed, has_last_frames};
use crate::media::repository;
use crate::process::{Process, command, run, run_ok};
use crate::wait::secs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Which FFmpeg runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian's `ffmpeg` 5.1: classic FLV only.
    V5,
    /// FFmpeg 9 of the Python package imageio-ffmpeg, below `.tools/`: enhanced RTMP.
    V9,
}

impl Version {
    /// The program.
    ///
    /// # Panics
    /// When FFmpeg 9 is not installed below `.tools/` (`./test` does it).
    pub fn program(self) -> PathBuf {
        static NINE: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Self::V5 => PathBuf::from("ffmpeg"),
            Self::V9 => NINE
                .get_or_init(|| {
                    let python = repository().join(".tools/py/bin/python");
                    let mut ask = Command::new(&python);
                    ask.args([
                        "-c",
                        "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())",
                    ]);
                    let output = run_ok("imageio-ffmpeg (run ./test to install it)", ask, secs(60));
                    PathBuf::from(output.text().trim())
                })
                .clone(),
        }
    }

    fn command(self) -> Command {
        let mut ffmpeg = command(self.program());
        ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "warning"]);
        ffmpeg
    }
}

/// Starts publishing a file in real time, codecs copied.
pub fn publish(version: Version, file: &Path, url: &str) -> Process {
    publish_with(version, &["-re"], file, &[], url)
}

/// Starts publishing with options before the input (pace, loop) and before the output.
pub fn publish_with(
    version: Version,
    input_options: &[&str],
    file: &Path,
    output_options: &[&str],
    url: &str,
) -> Process {
    let mut ffmpeg = version.command();
    ffmpeg.args(input_options).arg("-i").arg(file);
    ffmpeg.args(["-map", "0:v?", "-map", "0:a?", "-c", "copy"]);
    ffmpeg.args(output_options).args(["-f", "flv", url]);
    ffmpeg.stdout(Stdio::null());
    Process::start(&format!("ffmpeg {version:?} publishing {url}"), ffmpeg)
}

/// The tags that this FFmpeg sends when it publishes the file: it writes sequence headers of its
/// own, which may differ from the file's.
///
/// # Panics
/// When FFmpeg fails.
pub fn as_published(version: Version, file: &Path) -> Vec<crate::flv::Tag> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sent.flv");
    let done = std::process::Command::new(version.program())
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-c", "copy", "-f", "flv"])
        .arg(&out)
        .status()
        .unwrap();
    assert!(done.success(), "ffmpeg -c copy of {}", file.display());
    crate::flv::read_file(&out)
}

/// The frames of a source file, with key frames marked.
///
/// # Panics
/// When FFmpeg cannot read it.
pub fn source(version: Version, file: &Path, framing: Framing) -> Media {
    let mut media = file_frames(version, file, framing, true);
    // framemd5 has no flags, framecrc has: "F=0x0" where a frame is no key frame.
    let mut ffmpeg = version.command();
    ffmpeg.arg("-i").arg(file);
    ffmpeg.args([
        "-map",
        "0:v?",
        "-map",
        "0:a?",
        "-c",
        "copy",
        "-copyts",
        "-copyinkf",
    ]);
    ffmpeg.args(["-f", "framecrc", "-"]);
    let text = run_ok("ffmpeg framecrc", ffmpeg, secs(30)).text();
    let mut keys: Vec<Vec<bool>> = vec![Vec::new(); media.tracks.len()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let stream: usize = line.split(',').next().unwrap().trim().parse().unwrap();
        let key = !line.split(',').any(|field| field.trim() == "F=0x0");
        keys[stream].push(key);
    }
    for track in &mut media.tracks {
        let keys = &keys[track.stream];
        assert_eq!(
            track.frames.len(),
            keys.len(),
            "framecrc and framemd5 agree"
        );
        for (frame, key) in track.frames.iter_mut().zip(keys) {
            frame.key = *key;
        }
    }
    media
}

/// The frames of a recorded file, as it is.
///
/// # Panics
/// When FFmpeg cannot read it.
pub fn file_frames(version: Version, file: &Path, framing: Framing, is_source: bool) -> Media {
    let mut ffmpeg = version.command();
    ffmpeg.arg("-i").arg(file);
    let codecs = if framing == Framing::Ts {
        probe_codecs(version, file)
    } else {
        Vec::new()
    };
    let is_hls = file.to_string_lossy().contains(".m3u8");
    let tracks = if is_hls { FIRST } else { ALL };
    frame_output(&mut ffmpeg, tracks, framing, is_source, &codecs);
    let output = run_ok("ffmpeg framemd5", ffmpeg, secs(30));
    let mut parser = Parser::default();
    for line in output.text().lines() {
        parser.line(line);
    }
    parser.media
}

/// FFmpeg's names of the codecs in a file or stream that is there already.
fn probe_codecs(version: Version, file: &Path) -> Vec<String> {
    let mut ffmpeg = command(version.program());
    ffmpeg.args(["-nostdin", "-hide_banner", "-i"]).arg(file);
    // Without an output FFmpeg lists the streams and ends with an error.
    let output = run("ffmpeg -i", ffmpeg, secs(30));
    let lines = output.stderr.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("Stream #"))
        .filter_map(|line| {
            let (_, rest) = line.split_once("Video: ").or(line.split_once("Audio: "))?;
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            Some(rest[..end].to_owned())
        })
        .collect()
}

/// All tracks.
const ALL: [&str; 2] = ["0:v?", "0:a?"];

/// The tracks of the first variant, where FFmpeg reads all variants of an HLS playlist.
const FIRST: [&str; 2] = ["0:v:0?", "0:a:0?"];

/// Options that print every frame as framemd5 on standard output. For [`Framing::Ts`] the bitstream filters
/// that undo what the container requires are chosen by codec. HEVC's prefix SEI go as well: FFmpeg
/// copies those of the hvcC record in front of each key frame of the source.
fn frame_output(
    ffmpeg: &mut Command,
    tracks: [&str; 2],
    framing: Framing,
    is_source: bool,
    codecs: &[String],
) {
    ffmpeg.args(tracks.into_iter().flat_map(|track| ["-map", track]));
    ffmpeg.args(["-c", "copy", "-copyts", "-copyinkf"]);
    if framing == Framing::Ts {
        for codec in codecs {
            let (kind, filter) = match (codec.as_str(), is_source) {
                ("h264", true) => ("v", "h264_mp4toannexb,filter_units=remove_types=7|8|9"),
                ("h264", false) => ("v", "filter_units=remove_types=7|8|9"),
                ("hevc", true) => ("v", "hevc_mp4toannexb,filter_units=remove_types=32-35|39"),
                ("hevc", false) => ("v", "filter_units=remove_types=32-35|39"),
                ("aac", false) => ("a", "aac_adtstoasc"),
                _ => continue,
            };
            ffmpeg.args([&format!("-bsf:{kind}"), filter]);
        }
    }
    // Without a delta of 1 us frames would wait for those of the other track.
    ffmpeg.args(["-max_interleave_delta", "1", "-flush_packets", "1"]);
    ffmpeg.args(["-f", "framemd5", "-"]);
    ffmpeg.stdout(Stdio::piped());
}

/// How an FFmpeg reader is set up.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Which FFmpeg.
    pub version: Version,
    /// Framing of the container.
    pub framing: Framing,
    /// Codecs to expect, for [`Framing::Ts`].
    pub codecs: Vec<String>,
    /// Options before `-i`.
    pub input: Vec<String>,
}

impl ReadOptions {
    /// FLV or MP4, with FFmpeg `version`.
    pub fn native(version: Version) -> Self {
        Self {
            version,
            framing: Framing::Native,
            codecs: Vec::new(),
            input: Vec::new(),
        }
    }

    /// MPEG-TS with these codecs.
    pub fn ts(version: Version, codecs: &[&str]) -> Self {
        Self {
            version,
            framing: Framing::Ts,
            codecs: codecs.iter().map(|codec| (*codec).to_owned()).collect(),
            input: Vec::new(),
        }
    }

    /// Adds options before `-i`.
    #[must_use]
    pub fn with(mut self, input: &[&str]) -> Self {
        self.input.extend(input.iter().map(|&s| s.to_owned()));
        self
    }
}

/// A running FFmpeg that reads a URL and reports every frame.
#[derive(Debug)]
pub struct Reader {
    process: Process,
    lines: Receiver<String>,
    parser: Parser,
}

impl Reader {
    /// Starts reading `url`.
    pub fn start(options: &ReadOptions, url: &str) -> Self {
        let mut ffmpeg = options.version.command();
        ffmpeg.args(&options.input).args(["-i", url]);
        let tracks = if url.contains(".m3u8") { FIRST } else { ALL };
        frame_output(&mut ffmpeg, tracks, options.framing, false, &options.codecs);
        let name = format!("ffmpeg {:?} reading {url}", options.version);
        let mut process = Process::start(&name, ffmpeg);
        let lines = process.stdout_lines();
        Self {
            process,
            lines,
            parser: Parser::default(),
        }
    }

    /// The process, to look at or to signal.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to wait for or to end.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What was received so far.
    pub fn received(&mut self) -> &Media {
        while let Ok(line) = self.lines.try_recv() {
            self.parser.line(&line);
        }
        &self.parser.media
    }

    /// Takes what was received so far.
    pub fn take(&mut self) -> Media {
        self.received();
        std::mem::take(&mut self.parser.media)
    }

    /// Reads until `done` says so; `false` when the output ended first.
    ///
    /// # Panics
    /// When `limit` passes first.
    pub fn read_until(&mut self, limit: Duration, done: impl Fn(&Media) -> bool) -> bool {
        let end = Instant::now() + limit;
        while !done(&self.parser.media) {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.parser.line(&line);
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{}: not there after {limit:?}, {} frames so far\n{}",
                    self.process.name(),
                    self.parser.media.frame_count(),
                    self.process.log()
                ),
            }
        }
        true
    }

    /// Reads until the last frame of every track of `source` has come or the output ends, then stops the
    /// reader and compares.
    ///
    /// # Panics
    /// When `limit` passes first, or a frame differs; the message holds FFmpeg's own words.
    pub fn expect(mut self, source: &Media, coverage: Coverage, limit: Duration) -> Placed {
        let media = self.read_to_end_of(source, limit);
        match source.compare(&media, coverage) {
            Ok(placed) => placed,
            Err(difference) => panic!(
                "{}: {difference}\n{}",
                self.process.name(),
                self.process.log()
            ),
        }
    }

    /// As [`Reader::expect`] for servers that leave players connected when the publisher goes: FFmpeg holds
    /// the very last packet back until its input ends, so one frame of each track may miss.
    ///
    /// # Panics
    /// As [`Reader::expect`].
    pub fn expect_all_but_last(mut self, source: &Media, limit: Duration) -> Placed {
        let least = |media: &Media| {
            source.tracks.iter().all(|track| {
                let got = media.track(track.kind, 0);
                got.is_some_and(|got| got.frames.len() + 1 >= track.frames.len())
            })
        };
        self.read_until(limit, least);
        let media = std::mem::take(&mut self.parser.media);
        source.assert_received(self.process.name(), &media, Coverage::Part(1))
    }

    /// Reads until the last frame of every track of `source` has come or the output ends; gives all of it.
    ///
    /// # Panics
    /// When `limit` passes first.
    pub fn read_to_end_of(&mut self, source: &Media, limit: Duration) -> Media {
        self.read_until(limit, |media| has_last_frames(source, media));
        std::mem::take(&mut self.parser.media)
    }

    /// Reads until at least `frames` frames of every track of `source` have come.
    ///
    /// # Panics
    /// When `limit` passes first or the output ends.
    pub fn wait_for_frames(&mut self, source: &Media, frames: usize, limit: Duration) {
        let tracks = source.tracks.len();
        let there = self.read_until(limit, |media| {
            media.tracks.len() == tracks && media.tracks.iter().all(|t| t.frames.len() >= frames)
        });
        assert!(
            there,
            "{} ended early\n{}",
            self.process.name(),
            self.process.log()
        );
    }
}
