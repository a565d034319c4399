//! Frames as FFmpeg sees them, and their comparison with the source.
//!
//! A reader (or a file) is turned into one line per frame by `ffmpeg -c copy -f framemd5`: stream,
//! DTS, PTS, size and MD5 of the payload. Two such lists are compared frame by frame. Only what a
//! container changes by its nature is normalised before:
//! - the time base: everything is counted in 1/90000 s, into which 1/1000 s converts exactly;
//! - the start: one shift for **all** tracks of a reader, so that their sync is compared as well;
//! - MPEG-TS framing (Annex B, ADTS) and its repeated parameter sets, by FFmpeg's bitstream filters
//!   on both sides ([`Framing`]).

use std::collections::HashMap;
use std::fmt::Write as _;

/// Ticks per millisecond of the common clock.
pub const TICKS_PER_MS: i64 = 90;

/// Video or audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// How payloads are framed in the container that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// FLV and MP4: length-prefixed NAL units, raw AAC frames: bytes are compared as they are.
    Native,
    /// MPEG-TS: Annex B and ADTS. Delimiters and parameter sets, which the muxer adds, are removed on both
    /// sides; all other NAL units and the AAC payload are compared.
    Ts,
}

/// One frame. Times in 1/90000 s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Decode time.
    pub dts: i64,
    /// Presentation time.
    pub pts: i64,
    /// Payload bytes.
    pub size: u32,
    /// MD5 of the payload, in hex.
    pub md5: String,
    /// Random access point; known for sources only.
    pub key: bool,
}

/// One track with its frames in decode order.
#[derive(Clone, Debug)]
pub struct Track {
    /// FFmpeg's index of the stream.
    pub stream: usize,
    /// Video or audio.
    pub kind: Kind,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// `true` when the time base converts to 1/90000 s without rounding.
    pub exact: bool,
    /// The frames.
    pub frames: Vec<Frame>,
}

/// All tracks of a file or of what a reader received, in FFmpeg's stream order.
#[derive(Clone, Debug, Default)]
pub struct Media {
    /// The tracks.
    pub tracks: Vec<Track>,
}

/// Reads the text of FFmpeg's framemd5 muxer line by line.
#[derive(Debug, Default)]
pub struct Parser {
    bases: HashMap<usize, (i64, i64)>,
    kinds: HashMap<usize, Kind>,
    codecs: HashMap<usize, String>,
    tracks: HashMap<usize, usize>,
    /// What was read so far.
    pub media: Media,
}

impl Parser {
    /// Takes one line; the frame's track and MD5 are returned when it was one.
    ///
    /// # Panics
    /// When the line is neither a header nor a frame.
    pub fn line(&mut self, line: &str) -> Option<(Kind, &Frame)> {
        if let Some(header) = line.strip_prefix('#') {
            self.header(header);
            return None;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        assert!(fields.len() >= 6, "not a framemd5 line: {line}");
        let stream: usize = fields[0].parse().unwrap();
        let (num, den) = self.bases[&stream];
        let ticks = |text: &str| -> i64 {
            let value: i64 = text.parse().unwrap();
            let scaled = i128::from(value) * i128::from(num) * 90_000;
            let den = i128::from(den);
            i64::try_from((scaled + den / 2).div_euclid(den)).unwrap()
        };
        let frame = Frame {
            dts: ticks(fields[1]),
            pts: ticks(fields[2]),
            size: fields[4].parse().unwrap(),
            md5: fields[5].to_owned(),
            key: false,
        };
        let track = self.track(stream);
        track.frames.push(frame);
        Some((track.kind, track.frames.last().unwrap()))
    }

    fn header(&mut self, header: &str) {
        let Some((name, value)) = header.split_once(": ") else {
            return;
        };
        let Some((name, stream)) = name.split_once(' ') else {
            return;
        };
        let Ok(stream) = stream.parse::<usize>() else {
            return;
        };
        match name {
            "tb" => {
                let (num, den) = value.split_once('/').unwrap();
                self.bases
                    .insert(stream, (num.parse().unwrap(), den.parse().unwrap()));
            }
            "media_type" => {
                let kind = match value {
                    "video" => Kind::Video,
                    "audio" => Kind::Audio,
                    other => panic!("media type {other} was not mapped"),
                };
                self.kinds.insert(stream, kind);
            }
            "codec_id" => {
                self.codecs.insert(stream, value.to_owned());
            }
            _ => {}
        }
    }

    fn track(&mut self, stream: usize) -> &mut Track {
        let tracks = &mut self.media.tracks;
        let at = *self.tracks.entry(stream).or_insert_with(|| {
            let (num, den) = self.bases[&stream];
            tracks.push(Track {
                stream,
                kind: self.kinds[&stream],
                codec: self.codecs[&stream].clone(),
                exact: (90_000 * num) % den == 0,
                frames: Vec::new(),
            });
            tracks.len() - 1
        });
        &mut tracks[at]
    }
}

/// Which part of the source a reader must have received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Everything, from the first frame to the last of every track.
    Whole,
    /// From a key frame on (audio from the same moment) to the last frame of every track.
    FromKeyFrame,
    /// As [`Coverage::FromKeyFrame`], but the end may miss: the reader or the publisher was cut off.
    /// Each track must hold at least this many frames.
    Part(usize),
}

/// Where the reader's frames lie in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Reader's clock minus source's clock, in 1/90000 s.
    pub shift: i64,
    /// Index of the source's first video frame (or audio, without video) that the reader has.
    pub first: usize,
}

impl Media {
    /// The `n`-th track of a kind.
    pub fn track(&self, kind: Kind, n: usize) -> Option<&Track> {
        self.tracks.iter().filter(|t| t.kind == kind).nth(n)
    }

    /// The only video track, or the first.
    pub fn video(&self) -> Option<&Track> {
        self.track(Kind::Video, 0)
    }

    /// The only audio track, or the first.
    pub fn audio(&self) -> Option<&Track> {
        self.track(Kind::Audio, 0)
    }

    /// Number of frames of all tracks.
    pub fn frame_count(&self) -> usize {
        self.tracks.iter().map(|track| track.frames.len()).sum()
    }

    /// The same media without the tracks of one kind.
    #[must_use]
    pub fn without(mut self, kind: Kind) -> Self {
        self.tracks.retain(|track| track.kind != kind);
        self
    }

    /// Compares what a reader received with this source.
    ///
    /// # Errors
    /// One line that names the first difference: track, frame, and both values.
    pub fn compare(&self, received: &Self, coverage: Coverage) -> Result<Placed, String> {
        let described = |media: &Self| -> String {
            let tracks = media.tracks.iter();
            let texts = tracks.map(|t| format!("{:?} {} x{}", t.kind, t.codec, t.frames.len()));
            texts.collect::<Vec<_>>().join(", ")
        };
        let shapes = format!(
            "source {}; received {}",
            described(self),
            described(received)
        );
        if self.tracks.len() != received.tracks.len() {
            return Err(format!("the number of tracks differs: {shapes}"));
        }
        // Video first: its first frame decides the shift and where audio has to start.
        let mut shift = None;
        let mut start = None;
        for kind in [Kind::Video, Kind::Audio] {
            let count = self.tracks.iter().filter(|t| t.kind == kind).count();
            for n in 0..count {
                let source = self.track(kind, n).expect("counted above");
                let Some(track) = received.track(kind, n) else {
                    return Err(format!("no {kind:?} track {n}: {shapes}"));
                };
                let (first, found) = compare_track(source, track, shift, coverage)
                    .map_err(|error| format!("{kind:?} track {n}: {error} ({shapes})"))?;
                check_start(source, first, start, coverage)
                    .map_err(|error| format!("{kind:?} track {n}: {error} ({shapes})"))?;
                shift.get_or_insert(found);
                start.get_or_insert((first, source.frames[first].dts));
            }
        }
        let (first, _) = start.ok_or("the source has no track")?;
        Ok(Placed {
            shift: shift.unwrap_or_default(),
            first,
        })
    }

    /// As [`Media::compare`].
    ///
    /// # Panics
    /// With the name of the reader and the first difference.
    pub fn assert_received(&self, reader: &str, received: &Self, coverage: Coverage) -> Placed {
        match self.compare(received, coverage) {
            Ok(placed) => placed,
            Err(difference) => panic!("{reader}: {difference}"),
        }
    }
}

/// Whether each track's last source frame has arrived.
pub fn has_last_frames(source: &Media, received: &Media) -> bool {
    [Kind::Video, Kind::Audio].into_iter().all(|kind| {
        let count = source.tracks.iter().filter(|t| t.kind == kind).count();
        (0..count).all(|n| {
            let last = source.track(kind, n).and_then(|t| t.frames.last());
            let got = received.track(kind, n).and_then(|t| t.frames.last());
            match (last, got) {
                (None, _) => true,
                (Some(last), Some(got)) => last.md5 == got.md5,
                (Some(_), None) => false,
            }
        })
    })
}

/// Finds the received frames in the source and compares each; gives the index of the first and the shift.
fn compare_track(
    source: &Track,
    received: &Track,
    shift: Option<i64>,
    coverage: Coverage,
) -> Result<(usize, i64), String> {
    let Some(head) = received.frames.first() else {
        return Err("nothing received".to_owned());
    };
    let tolerance = if received.exact && source.exact {
        0
    } else {
        TICKS_PER_MS / 2 + 1
    };
    // The same payload may occur more than once (silence): every place is tried.
    let mut first_error = None;
    for (first, frame) in source.frames.iter().enumerate() {
        if frame.md5 != head.md5 {
            continue;
        }
        let shift = shift.unwrap_or(head.dts - frame.dts);
        match compare_run(source, received, first, shift, tolerance) {
            Ok(()) => {
                let end = first + received.frames.len();
                match coverage {
                    Coverage::Whole | Coverage::FromKeyFrame if end != source.frames.len() => {
                        return Err(format!(
                            "ends early: {end} of {} frames",
                            source.frames.len()
                        ));
                    }
                    Coverage::Part(least) if received.frames.len() < least => {
                        return Err(format!(
                            "{} frames received, {least} expected at least",
                            received.frames.len()
                        ));
                    }
                    _ => return Ok((first, shift)),
                }
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| {
        format!(
            "the first received frame ({} bytes, dts {} ticks) is not in the source (whose first is {} bytes)",
            head.size,
            head.dts,
            source.frames.first().map_or(0, |frame| frame.size)
        )
    }))
}

fn compare_run(
    source: &Track,
    received: &Track,
    first: usize,
    shift: i64,
    tolerance: i64,
) -> Result<(), String> {
    for (n, got) in received.frames.iter().enumerate() {
        let Some(want) = source.frames.get(first + n) else {
            return Err(format!(
                "frame {} is past the source's end: {got:?}",
                first + n
            ));
        };
        let mut text = String::new();
        if got.md5 != want.md5 {
            let _ = write!(
                text,
                " bytes differ ({} sent, {} received);",
                want.size, got.size
            );
        }
        for (name, want, got) in [("dts", want.dts, got.dts), ("pts", want.pts, got.pts)] {
            if (got - shift - want).abs() > tolerance {
                let _ = write!(
                    text,
                    " {name} {} ms sent, {} ms received;",
                    ms(want),
                    ms(got - shift)
                );
            }
        }
        if !text.is_empty() {
            return Err(format!(
                "frame {} of the source:{text} shift {} ms",
                first + n,
                ms(shift)
            ));
        }
    }
    Ok(())
}

/// The start of a track: at 0, or at a key frame and with all tracks from the same moment.
fn check_start(
    source: &Track,
    first: usize,
    start: Option<(usize, i64)>,
    coverage: Coverage,
) -> Result<(), String> {
    if first == 0 {
        return Ok(());
    }
    if coverage == Coverage::Whole {
        return Err(format!("starts at frame {first}, not at the first"));
    }
    let frame = &source.frames[first];
    if source.kind == Kind::Video && !frame.key {
        return Err(format!("starts at frame {first}, which is not a key frame"));
    }
    if let Some((_, video_dts)) = start {
        let apart = frame.dts - video_dts;
        if apart.abs() > 250 * TICKS_PER_MS {
            return Err(format!("starts {} ms from the video", ms(apart)));
        }
    }
    Ok(())
}

/// Milliseconds for messages.
fn ms(ticks: i64) -> String {
    if ticks % TICKS_PER_MS == 0 {
        (ticks / TICKS_PER_MS).to_string()
    } else {
        format!("{ticks}/90")
    }
}
