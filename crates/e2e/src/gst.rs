//! GStreamer and rtmpdump: RTMP implementations that are not FFmpeg's.

use crate::flv::{self, Reader, Tag};
use crate::frames::{Coverage, Media, Placed, has_last_frames};
use crate::process::{Process, command, run_ok};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Pushes an FLV file with its tags unchanged and unpaced, through librtmp (`rtmpsink`).
pub fn push_raw(file: &Path, url: &str) -> Process {
    let mut gst = command("gst-launch-1.0");
    gst.args(["-q", "filesrc"]);
    gst.arg(format!("location={}", file.display()));
    gst.args(["!", "rtmpsink"])
        .arg(format!("location={url} live=1"));
    gst.stdout(Stdio::null());
    Process::start(&format!("rtmpsink to {url}"), gst)
}

/// Publishes through GStreamer's own demuxer, muxer and RTMP client (`rtmp2sink`), in real time.
pub fn publish_remuxed(file: &Path, url: &str) -> Process {
    let mut gst = command("gst-launch-1.0");
    gst.args(["-q", "filesrc"]);
    gst.arg(format!("location={}", file.display()));
    gst.args("! flvdemux name=d flvmux name=m streamable=true".split(' '));
    gst.args("d.video ! queue ! h264parse ! identity sync=true ! m.video".split(' '));
    gst.args("d.audio ! queue ! aacparse ! identity sync=true ! m.audio".split(' '));
    gst.args(["m.", "!", "rtmp2sink"])
        .arg(format!("location={url}"));
    gst.stdout(Stdio::null());
    Process::start(&format!("rtmp2sink to {url}"), gst)
}

/// Starts playing a URL as fast as it comes (playbin3); the pictures it decodes are lines of
/// [`picture`] on its standard output.
pub fn play(url: &str) -> Process {
    let mut play = command("gst-launch-1.0");
    play.args(["-q", "playbin3"]).arg(format!("uri={url}"));
    play.args([
        "video-sink=checksumsink hash=md5 sync=false",
        "audio-sink=fakesink sync=false",
    ]);
    play.stdout(Stdio::piped());
    Process::start(&format!("playbin3 {url}"), play)
}

/// Checksums of the pictures of an FLV file with H.264, as GStreamer decodes them.
///
/// # Panics
/// When GStreamer fails.
pub fn pictures_of_file(file: &Path) -> Vec<String> {
    let mut decode = command("gst-launch-1.0");
    decode.args(["-q", "filesrc"]);
    decode.arg(format!("location={}", file.display()));
    let chain = "! flvdemux ! h264parse ! avdec_h264 ! checksumsink hash=md5 sync=false";
    decode.args(chain.split(' '));
    let text = run_ok("gst-launch", decode, Duration::from_secs(30)).text();
    text.lines().filter_map(picture).collect()
}

/// The checksum of a line of checksumsink: time and MD5.
pub fn picture(line: &str) -> Option<String> {
    let (_, md5) = line.split_once(' ')?;
    (md5.len() == 32).then(|| md5.to_owned())
}

/// A program that writes FLV to its standard output.
#[derive(Debug)]
pub struct FlvReader {
    process: Process,
    chunks: Receiver<Vec<u8>>,
    reader: Reader,
    /// Tags so far.
    pub tags: Vec<Tag>,
}

impl FlvReader {
    /// `rtmpdump`, the strict old client.
    pub fn rtmpdump(url: &str) -> Self {
        // stdbuf: without it the last tags wait in rtmpdump's buffer until the server closes.
        let mut dump = command("stdbuf");
        dump.args([
            "-o0", "rtmpdump", "--quiet", "--live", "--rtmp", url, "--flv", "-",
        ]);
        Self::start(&format!("rtmpdump {url}"), dump)
    }

    /// GStreamer's own RTMP client, `rtmp2src`.
    pub fn rtmp2src(url: &str) -> Self {
        let mut gst = command("gst-launch-1.0");
        gst.args(["-q", "rtmp2src"]).arg(format!("location={url}"));
        gst.args(["!", "fdsink", "fd=1", "sync=false"]);
        Self::start(&format!("rtmp2src {url}"), gst)
    }

    /// GStreamer over librtmp, `rtmpsrc`.
    pub fn rtmpsrc(url: &str) -> Self {
        let mut gst = command("gst-launch-1.0");
        gst.args(["-q", "rtmpsrc"])
            .arg(format!("location={url} live=1"));
        gst.args(["!", "fdsink", "fd=1", "sync=false"]);
        Self::start(&format!("rtmpsrc {url}"), gst)
    }

    fn start(name: &str, mut program: std::process::Command) -> Self {
        program.stdout(Stdio::piped());
        let mut process = Process::start(name, program);
        let mut stdout = process.stdout();
        let (send, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 32 * 1024];
            while let Ok(n) = stdout.read(&mut buffer) {
                if n == 0 || send.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            chunks,
            reader: Reader::default(),
            tags: Vec::new(),
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

    /// Reads until the last frame of `source` (tags as frames, see [`crate::flv::media`]) has come, and compares.
    ///
    /// # Panics
    /// When `limit` passes first or a tag differs.
    pub fn expect(&mut self, source: &Media, coverage: Coverage, limit: Duration) -> Placed {
        self.read_until(limit, |tags| has_last_frames(source, &flv::media(tags)));
        match source.compare(&flv::media(&self.tags), coverage) {
            Ok(placed) => placed,
            Err(difference) => panic!(
                "{}: {difference}\n{}",
                self.process.name(),
                self.process.log()
            ),
        }
    }

    /// Reads until `done` says so; `false` when the output ended first.
    ///
    /// # Panics
    /// When `limit` passes first.
    pub fn read_until(&mut self, limit: Duration, done: impl Fn(&[Tag]) -> bool) -> bool {
        let end = Instant::now() + limit;
        while !done(&self.tags) {
            let left = end.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(bytes) => self.tags.extend(self.reader.push(&bytes)),
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{}: not there after {limit:?}, {} tags so far\n{}",
                    self.process.name(),
                    self.tags.len(),
                    self.process.log()
                ),
            }
        }
        true
    }
}
