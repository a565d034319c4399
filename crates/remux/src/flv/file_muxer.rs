//! FLV files that players can seek in: duration, size and key frames in front, filled in at the end.
//!
//! ```text
//! FLV header | onMetaData: … duration, filesize, keyframes {filepositions [], times []}, padding |
//! sequence headers | tag | tag | …
//! ```
//!
//! The script tag is written at the start with room for a number of key frames, and overwritten in
//! place at the end; what the index does not need stays a string of blanks. A file that was never
//! finished is a sound FLV file without an index. When there are more key frames than room, every
//! second is left out, as often as needed, so the index stays even over the file.
//!
//! Names and units of the properties are those that Adobe's own tools and nginx, ffmpeg, `flvmeta`
//! write: seconds, bytes from the start of the file.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Dts, Extra, Headers, Rounding, Timescale, TrackKind};

use super::script::Script;
use super::{Muxer, metadata};
use crate::mp4::Write;

/// Writes one FLV file. [`FileMuxer::start`] comes first, [`FileMuxer::finish`] last; each gives what
/// is to be written, in order.
#[derive(Debug)]
pub struct FileMuxer {
    muxer: Muxer,
    /// Bytes appended so far.
    position: u64,
    headers: Headers,
    script: Script,
}

impl FileMuxer {
    /// A muxer of a file with room for so many key frames: 18 bytes each, in the file and in memory.
    /// 3600 hold two hours of 2 s.
    #[must_use]
    pub fn new(key_frames: usize) -> Self {
        Self {
            muxer: Muxer::new(),
            position: 0,
            headers: Headers::default(),
            script: Script::new(key_frames),
        }
    }

    /// The file's beginning; `dts` in milliseconds.
    pub fn start(&mut self, headers: &Headers, dts: Dts) -> Write {
        let own = headers.metadata.as_ref().map(|message| &message.amf0);
        self.script.begin(own, || metadata(&headers.tracks));
        // At any other time FFmpeg takes metadata for a track of subtitles.
        let script = DataMessage {
            name: "onMetaData".into(),
            dts: Dts(0),
            amf0: self.script.body(0),
        };
        let headers = Headers {
            metadata: Some(Arc::new(script)),
            ..headers.clone()
        };
        self.script.kinds = kinds(&headers);
        let mut out = Vec::new();
        self.muxer.start(&headers, dts, &mut out);
        self.headers = headers;
        self.append(out)
    }

    /// Tracks that changed, at `dts` (milliseconds).
    pub fn headers(&mut self, headers: &Headers, dts: Dts) -> Write {
        let mut out = Vec::new();
        self.muxer.headers(headers, dts, &mut out);
        self.script.kinds |= kinds(headers);
        self.headers = headers.clone();
        self.append(out)
    }

    /// What the publisher says about a track besides its configuration, at `dts` (milliseconds);
    /// nothing for tracks that no headers named.
    pub fn extra(&mut self, extra: &Extra, dts: Dts) -> Write {
        let mut out = Vec::new();
        self.muxer.extra(extra, dts, &mut out);
        self.append(out)
    }

    /// An access unit; nothing for tracks that no headers named.
    pub fn unit(&mut self, unit: &AccessUnit) -> Write {
        let mut out = Vec::new();
        self.muxer.unit(unit, &mut out);
        let tracks = &self.headers.tracks;
        if let Some(track) = tracks.get(unit.track).filter(|_| !out.is_empty()) {
            let scale = track.timescale;
            let ms = scale.convert(unit.dts.0, Timescale::MILLIS, Rounding::Floor);
            let is_video = tracks.video().is_some_and(|video| video.id == unit.track);
            let is_key_frame = is_video && unit.is_random_access();
            self.script
                .unit(unit.track.0.into(), ms, self.position, is_key_frame);
        }
        self.append(out)
    }

    /// A data message.
    pub fn data(&mut self, message: &DataMessage) -> Write {
        let mut out = Vec::new();
        self.muxer.data(message, &mut out);
        self.append(out)
    }

    /// Bytes of the file so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Fills in what is known at the end; the file does not grow.
    #[must_use]
    pub fn finish(self) -> Vec<Write> {
        self.script.finish(self.position)
    }

    fn append(&mut self, parts: Vec<Bytes>) -> Write {
        let write = Write::Append(parts);
        self.position += write.len();
        write
    }
}

/// The kinds of tags as the file header says them.
fn kinds(headers: &Headers) -> u8 {
    let has = |kind| headers.tracks.iter().any(|track| track.kind() == kind);
    u8::from(has(TrackKind::Audio)) << 2 | u8::from(has(TrackKind::Video))
}
