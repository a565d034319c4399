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

use amf0::Value;
use bytes::{Bytes, BytesMut};
use media::{
    AccessUnit, DataMessage, Dts, Extra, Headers, Rounding, Timescale, TrackId, TrackKind,
};

use super::{Muxer, metadata};
use crate::mp4::Write;

/// What is said of the whole file, and therefore not taken over from the publisher.
const OURS: [&str; 11] = [
    "duration",
    "filesize",
    "lasttimestamp",
    "lastkeyframetimestamp",
    "lastkeyframelocation",
    "hasKeyframes",
    "hasMetadata",
    "canSeekToEnd",
    "keyframes",
    PADDING,
    "starttime",
];
/// Bytes of a publisher's metadata that are taken over; more is replaced by our own. Threat: it is
/// kept for as long as the file is open.
const MAX_METADATA: usize = 32 << 10;
/// The property of blanks, and what it takes beside them: its name's length, its type, its length.
const PADDING: &str = "padding";
const PADDING_OVERHEAD: usize = 2 + PADDING.len() + 1 + 2;
/// Longest string that FFmpeg reads, and blanks of one property where several are needed.
const MAX_STRING: usize = 1_023;
const PADDING_PIECE: usize = 1_000;
/// Where the file header says which kinds of tags there are (FLV 10.1 §E.2).
const FLAGS_AT: u64 = 4;
/// File header with its size behind it, then the script tag's header.
const SCRIPT_AT: u64 = 13 + 11;

/// Writes one FLV file. [`FileMuxer::start`] comes first, [`FileMuxer::finish`] last; each gives what
/// is to be written, in order.
#[derive(Debug)]
pub struct FileMuxer {
    muxer: Muxer,
    /// Bytes appended so far.
    position: u64,
    /// The publisher's properties.
    properties: Vec<(String, Value)>,
    /// Bytes of the script tag's body.
    script_len: usize,
    headers: Headers,
    index: Index,
    clocks: Vec<TrackClock>,
    first_ms: Option<i64>,
    last_ms: i64,
    end_ms: i64,
    kinds: u8,
}

/// Key frames, thinned out evenly.
#[derive(Debug)]
struct Index {
    /// Time in milliseconds, place of the tag.
    entries: Vec<(i64, u64)>,
    room: usize,
    /// Every so many key frames one is kept.
    stride: u64,
    seen: u64,
    last: Option<(i64, u64)>,
}

/// The last time of a track, for how long its last unit lasts.
#[derive(Clone, Copy, Debug)]
struct TrackClock {
    track: TrackId,
    last_ms: i64,
}

impl FileMuxer {
    /// A muxer of a file with room for so many key frames: 18 bytes each, in the file and in memory.
    /// 3600 hold two hours of 2 s.
    #[must_use]
    pub fn new(key_frames: usize) -> Self {
        Self {
            muxer: Muxer::new(),
            position: 0,
            properties: Vec::new(),
            script_len: 0,
            headers: Headers::default(),
            index: Index {
                entries: Vec::new(),
                room: key_frames.max(2),
                stride: 1,
                seen: 0,
                last: None,
            },
            clocks: Vec::new(),
            first_ms: None,
            last_ms: 0,
            end_ms: 0,
            kinds: 0,
        }
    }

    /// The file's beginning; `dts` in milliseconds.
    pub fn start(&mut self, headers: &Headers, dts: Dts) -> Write {
        self.properties = match &headers.metadata {
            Some(message) if message.amf0.len() <= MAX_METADATA => properties(&message.amf0),
            _ => Vec::new(),
        };
        if self.properties.is_empty() {
            self.properties = properties(&metadata(&headers.tracks));
        }
        self.script_len = self.script_with_room().len();
        // At any other time FFmpeg takes metadata for a track of subtitles.
        let script = DataMessage {
            name: "onMetaData".into(),
            dts: Dts(0),
            amf0: self.script(),
        };
        let headers = Headers {
            metadata: Some(Arc::new(script)),
            ..headers.clone()
        };
        self.kinds = kinds(&headers);
        let mut out = Vec::new();
        self.muxer.start(&headers, dts, &mut out);
        self.headers = headers;
        self.append(out)
    }

    /// Tracks that changed, at `dts` (milliseconds).
    pub fn headers(&mut self, headers: &Headers, dts: Dts) -> Write {
        let mut out = Vec::new();
        self.muxer.headers(headers, dts, &mut out);
        self.kinds |= kinds(headers);
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
        if let Some(track) = self
            .headers
            .tracks
            .get(unit.track)
            .filter(|_| !out.is_empty())
        {
            let scale = track.timescale;
            let ms = scale.convert(unit.dts.0, Timescale::MILLIS, Rounding::Floor);
            let is_video = self
                .headers
                .tracks
                .video()
                .is_some_and(|video| video.id == unit.track);
            if is_video && unit.is_random_access() {
                self.index.push(ms, self.position);
            }
            self.time(unit.track, ms);
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
        if self.script_len == 0 {
            return Vec::new();
        }
        let script = self.script();
        vec![
            Write::Overwrite {
                at: SCRIPT_AT,
                bytes: script,
            },
            Write::Overwrite {
                at: FLAGS_AT,
                bytes: Bytes::copy_from_slice(&[self.kinds]),
            },
        ]
    }

    fn append(&mut self, parts: Vec<Bytes>) -> Write {
        let write = Write::Append(parts);
        self.position += write.len();
        write
    }

    fn time(&mut self, track: TrackId, ms: i64) {
        let step = match self.clocks.iter_mut().find(|clock| clock.track == track) {
            Some(clock) => {
                let step = ms - clock.last_ms;
                clock.last_ms = ms;
                step
            }
            None => {
                self.clocks.push(TrackClock { track, last_ms: ms });
                0
            }
        };
        self.first_ms = Some(self.first_ms.map_or(ms, |first| first.min(ms)));
        self.last_ms = self.last_ms.max(ms);
        // A step of more than a second is a gap, not a unit's length.
        let length = if (0..1_000).contains(&step) { step } else { 0 };
        self.end_ms = self.end_ms.max(ms.saturating_add(length));
    }

    /// The script tag's body as it is known now, of the length that was reserved.
    fn script(&self) -> Bytes {
        let len = self.encode(&self.index.entries, 0).len();
        let blanks = self.script_len.saturating_sub(len);
        self.encode(&self.index.entries, blanks)
    }

    /// The body with all the room that the index may need.
    fn script_with_room(&self) -> Bytes {
        self.encode(&vec![(0, 0); self.index.room], 0)
    }

    fn encode(&self, entries: &[(i64, u64)], blanks: usize) -> Bytes {
        let seconds = |ms: i64| Value::Number(ms as f64 / 1_000.0);
        let place = |at: u64| Value::Number(at as f64);
        let first = self.first_ms.unwrap_or(0);
        let (last_key, last_key_at) = self.index.last.unwrap_or_default();
        let mut all = vec![
            ("duration".to_owned(), seconds((self.end_ms - first).max(0))),
            ("filesize".to_owned(), place(self.position)),
        ];
        all.extend(self.properties.iter().cloned());
        all.extend([
            ("lasttimestamp".to_owned(), seconds(self.last_ms)),
            ("lastkeyframetimestamp".to_owned(), seconds(last_key)),
            ("lastkeyframelocation".to_owned(), place(last_key_at)),
            ("hasMetadata".to_owned(), Value::Boolean(true)),
            (
                "hasKeyframes".to_owned(),
                Value::Boolean(self.index.last.is_some()),
            ),
            (
                "canSeekToEnd".to_owned(),
                Value::Boolean(last_key == self.last_ms),
            ),
        ]);
        let column = |values: Vec<Value>| Value::StrictArray(values);
        let positions = column(entries.iter().map(|&(_, at)| place(at)).collect());
        let times = column(entries.iter().map(|&(ms, _)| seconds(ms)).collect());
        let table = vec![
            ("filepositions".to_owned(), positions),
            ("times".to_owned(), times),
        ];
        all.push(("keyframes".to_owned(), Value::Object(table)));
        // FFmpeg 5.1 complains of long strings.
        let mut left = blanks;
        while left > MAX_STRING {
            all.push((PADDING.to_owned(), Value::String(" ".repeat(PADDING_PIECE))));
            left -= PADDING_PIECE + PADDING_OVERHEAD;
        }
        all.push((PADDING.to_owned(), Value::String(" ".repeat(left))));
        let mut out = BytesMut::new();
        amf0::encode_all(
            &[Value::from("onMetaData"), Value::EcmaArray(all)],
            &mut out,
        );
        out.freeze()
    }
}

impl Index {
    fn push(&mut self, ms: i64, at: u64) {
        self.last = Some((ms, at));
        if self.seen.is_multiple_of(self.stride) {
            if self.entries.len() >= self.room {
                let mut index = 0;
                self.entries.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
            if self.seen.is_multiple_of(self.stride) {
                self.entries.push((ms, at));
            }
        }
        self.seen += 1;
    }
}

/// The properties of an `onMetaData` message, without those that are ours; none when it cannot be
/// read.
fn properties(amf0: &[u8]) -> Vec<(String, Value)> {
    let limits = amf0::Limits::default();
    let value = || {
        let (_, name) = amf0::decode(amf0, &limits).ok()?;
        let (value, _) = amf0::decode(amf0.get(name..)?, &limits).ok()?;
        Some(value.properties()?.to_vec())
    };
    let mut properties = value().unwrap_or_default();
    properties.retain(|(name, _)| !OURS.contains(&name.as_str()));
    properties
}

/// The kinds of tags as the file header says them.
fn kinds(headers: &Headers) -> u8 {
    let has = |kind| headers.tracks.iter().any(|track| track.kind() == kind);
    u8::from(has(TrackKind::Audio)) << 2 | u8::from(has(TrackKind::Video))
}
