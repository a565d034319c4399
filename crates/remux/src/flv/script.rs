//! The script tag in front of a file: what is known of the whole of it, in the room that was left.

use amf0::Value;
use bytes::{Bytes, BytesMut};

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
pub(super) const MAX_METADATA: usize = 32 << 10;
/// The property of blanks, and what it takes beside them: its name's length, its type, its length.
const PADDING: &str = "padding";
const PADDING_OVERHEAD: usize = 2 + PADDING.len() + 1 + 2;
/// Longest string that FFmpeg reads, and blanks of one property where several are needed.
const MAX_STRING: usize = 1_023;
const PADDING_PIECE: usize = 1_000;
/// Where the file header says which kinds of tags there are (FLV 10.1 §E.2).
const FLAGS_AT: u64 = 4;
/// File header with its size behind it, then the script tag's header.
pub(super) const SCRIPT_AT: u64 = 13 + 11;

/// Bytes of a key frame in the index: a place and a time, each a number of AMF0.
const ENTRY: usize = 18;

/// What a file's script tag says; filled in as its tags are written, or read.
#[derive(Debug)]
pub(super) struct Script {
    /// The publisher's properties.
    properties: Vec<(String, Value)>,
    /// Bytes of the script tag's body; 0 before it is known.
    len: usize,
    index: Index,
    clocks: Vec<TrackClock>,
    first_ms: Option<i64>,
    last_ms: i64,
    end_ms: i64,
    /// The kinds of tags as the file header says them.
    pub(super) kinds: u8,
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
    track: u32,
    last_ms: i64,
}

impl Script {
    /// One with room for so many key frames.
    pub(super) fn new(key_frames: usize) -> Self {
        Self {
            properties: Vec::new(),
            len: 0,
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

    /// One of a file whose script tag has this body; `None` when it has no room for an index, so
    /// that it is none of [`super::FileMuxer`].
    pub(super) fn of(body: &Bytes) -> Option<Self> {
        let mut this = Self::new(0);
        this.properties = properties(body);
        this.len = body.len();
        let room = this.len.checked_sub(this.encode(0, &[], 0).len())?;
        this.index.room = room / ENTRY;
        (this.index.room >= 2).then_some(this)
    }

    /// Takes over what the publisher says of the stream, or what is said for it, and settles the
    /// length.
    pub(super) fn begin(&mut self, metadata: Option<&Bytes>, made: impl FnOnce() -> Bytes) {
        self.properties = match metadata {
            Some(amf0) if amf0.len() <= MAX_METADATA => properties(amf0),
            _ => Vec::new(),
        };
        if self.properties.is_empty() {
            self.properties = properties(&made());
        }
        self.len = self.encode(0, &vec![(0, 0); self.index.room], 0).len();
    }

    /// A media tag at `position` of the file; `track` tells tracks apart.
    pub(super) fn unit(&mut self, track: u32, ms: i64, position: u64, is_key_frame: bool) {
        if is_key_frame {
            self.index.push(ms, position);
        }
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

    /// Where the last unit ends, in milliseconds.
    pub(super) fn end_ms(&self) -> i64 {
        self.end_ms
    }

    /// Whether there was any media.
    pub(super) fn has_media(&self) -> bool {
        self.first_ms.is_some()
    }

    /// The body as it is known now, of the length that was reserved; `size` is that of the file.
    pub(super) fn body(&self, size: u64) -> Bytes {
        let len = self.encode(size, &self.index.entries, 0).len();
        let blanks = self.len.saturating_sub(len);
        self.encode(size, &self.index.entries, blanks)
    }

    /// What is to be overwritten in a file of this size.
    pub(super) fn finish(&self, size: u64) -> Vec<Write> {
        if self.len == 0 {
            return Vec::new();
        }
        vec![
            Write::Overwrite {
                at: SCRIPT_AT,
                bytes: self.body(size),
            },
            Write::Overwrite {
                at: FLAGS_AT,
                bytes: Bytes::copy_from_slice(&[self.kinds]),
            },
        ]
    }

    fn encode(&self, size: u64, entries: &[(i64, u64)], blanks: usize) -> Bytes {
        let seconds = |ms: i64| Value::Number(ms as f64 / 1_000.0);
        let place = |at: u64| Value::Number(at as f64);
        let first = self.first_ms.unwrap_or(0);
        let (last_key, last_key_at) = self.index.last.unwrap_or_default();
        let mut all = vec![
            ("duration".to_owned(), seconds((self.end_ms - first).max(0))),
            ("filesize".to_owned(), place(size)),
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
