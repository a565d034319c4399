//! HLS folders: a playlist of the type EVENT that grows, and is VOD at the end (RFC 8216 §4.3.3.5).
//!
//! ```text
//! index.m3u8
//! init.mp4             fMP4 only
//! 00000.m4s  00001.m4s …        00000.ts  00001.ts …
//! ```
//!
//! A segment is written as its units come, in fragments of half a second or in TS packets: a crash
//! costs no more of it than of any other file. Unlike `hls::Segmenter`, which serves viewers from
//! memory, nothing is held here but the open fragment.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hls::folder::text::{self, Head, Kind};
use media::{AccessUnit, Dts, TrackId, TrackKind, TrackList};
use remux::{LeftOut, mp4, ts};

use super::mp4::Pending;
use super::{Mux, Step, Steps};
use crate::format::Format;

/// The playlist's name in its folder.
pub(crate) const PLAYLIST: &str = "index.m3u8";
/// The init segment's name in its folder.
const INIT: &str = "init.mp4";
/// Wanted length of a segment, in milliseconds.
const SEGMENT_MS: i64 = 6_000;
/// The target duration that a playlist begins with, in seconds; it grows when a segment is longer.
const MIN_TARGET_S: u64 = 8;

/// One segment as the playlist lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) duration_ms: i64,
    /// It does not continue the one before.
    pub(crate) discontinuity: bool,
}

pub(super) struct Hls {
    container: Container,
    pending: Pending,
    /// The track that decides where segments begin.
    cutting: Option<TrackId>,
    segments: Vec<Segment>,
    target_s: u64,
    open: Option<Open>,
    discontinuity: bool,
}

struct Open {
    name: String,
    start_ms: i64,
    discontinuity: bool,
}

enum Container {
    Fmp4(mp4::FragmentMuxer),
    Ts(Box<ts::Muxer>, BytesMut),
}

impl Hls {
    pub(super) fn new(format: Format, tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let defaults: Vec<_> = tracks
            .iter()
            .filter(|t| tracks.is_default(t.id))
            .cloned()
            .collect();
        let others = tracks.iter().filter(|t| !tracks.is_default(t.id));
        let mut left_out: Vec<LeftOut> = others
            .map(|track| LeftOut {
                track: track.id,
                codec: track.codec,
                reason: "HLS holds the default video and audio".to_owned(),
            })
            .collect();
        let defaults = TrackList::new(defaults);
        let (container, more) = match format {
            Format::HlsTs => {
                let (muxer, left_out) = ts::Muxer::new(&defaults);
                (Container::Ts(Box::new(muxer), BytesMut::new()), left_out)
            }
            _ => {
                let (muxer, left_out) = mp4::FragmentMuxer::new(&defaults);
                (Container::Fmp4(muxer), left_out)
            }
        };
        left_out.extend(more);
        let carried = |kind| {
            let mut tracks = defaults.iter().filter(|track| track.kind() == kind);
            let track = tracks.find(|track| container.carries(track.id));
            track.map(|track| track.id)
        };
        let cutting = carried(TrackKind::Video).or(carried(TrackKind::Audio));
        let this = Self {
            container,
            pending: Pending::new(&defaults),
            cutting,
            segments: Vec::new(),
            target_s: MIN_TARGET_S,
            open: None,
            discontinuity: false,
        };
        (this, left_out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cutting.is_none()
    }

    /// Ends the open segment at `end_ms`.
    fn close(&mut self, end_ms: i64, next: Option<&AccessUnit>, out: &mut Steps) {
        self.fragment(next, out);
        let Some(open) = self.open.take() else { return };
        let segment = Segment {
            name: open.name,
            duration_ms: (end_ms - open.start_ms).max(1),
            discontinuity: open.discontinuity,
        };
        let seconds = segment.rounded_s();
        self.segments.push(segment);
        // §4.3.3.1: no segment may be longer than the target says, and an EVENT playlist only
        // grows; a long group of pictures is worth an exception.
        let fits = seconds <= self.target_s;
        self.target_s = self.target_s.max(seconds);
        if fits {
            let mut text = String::new();
            if let Some(last) = self.segments.last() {
                last.write(&mut text);
            }
            out.push(Step::List(text.into()));
        } else {
            let text = playlist(self.container.init(), &self.segments, false);
            out.push(Step::Relist(text));
        }
    }

    /// Hands on what waits.
    fn fragment(&mut self, next: Option<&AccessUnit>, out: &mut Steps) {
        match &mut self.container {
            Container::Fmp4(muxer) => {
                let end: Option<(TrackId, Dts)> = next.map(|unit| (unit.track, unit.dts));
                if let Ok(fragment) = muxer.fragment(&self.pending.units, end.as_slice()) {
                    out.append(fragment);
                }
                self.pending.clear();
            }
            Container::Ts(_, pending) => out.append(pending.split().freeze()),
        }
    }
}

impl Container {
    fn carries(&self, id: TrackId) -> bool {
        match self {
            Self::Fmp4(muxer) => muxer.carries(id),
            Self::Ts(muxer, _) => muxer.carries(id),
        }
    }

    /// Name of the init segment, where there is one.
    fn init(&self) -> Option<&'static str> {
        matches!(self, Self::Fmp4(_)).then_some(INIT)
    }

    fn extension(&self) -> &'static str {
        match self {
            Self::Fmp4(_) => "m4s",
            Self::Ts(..) => "ts",
        }
    }
}

impl Mux for Hls {
    fn start(&mut self, out: &mut Steps) {
        out.push(Step::List(playlist(self.container.init(), &[], false)));
        if let Container::Fmp4(muxer) = &self.container {
            out.push(Step::Next {
                name: INIT.to_owned(),
            });
            out.append(muxer.init_segment());
        }
    }

    fn unit(&mut self, unit: &AccessUnit, join: bool, out: &mut Steps) {
        if !self.container.carries(unit.track) {
            return;
        }
        let ms = self.pending.ms(unit);
        let cuts = self.cutting == Some(unit.track) && (join || unit.is_random_access());
        let is_over = self.open.as_ref().is_none_or(|open| {
            cuts && (ms - open.start_ms >= SEGMENT_MS || self.discontinuity && ms > open.start_ms)
        });
        if is_over {
            self.close(ms, Some(unit), out);
            let name = format!("{:05}.{}", self.segments.len(), self.container.extension());
            out.push(Step::Next { name: name.clone() });
            self.open = Some(Open {
                name,
                start_ms: ms.max(0),
                discontinuity: std::mem::take(&mut self.discontinuity) && !self.segments.is_empty(),
            });
            if let Container::Ts(muxer, pending) = &mut self.container {
                muxer.tables(pending);
            }
        } else if matches!(self.container, Container::Fmp4(_)) && self.pending.is_due(unit, join) {
            self.fragment(Some(unit), out);
        }
        match &mut self.container {
            Container::Fmp4(_) => self.pending.push(unit),
            // A unit that is damaged is left out; the rest goes on.
            Container::Ts(muxer, pending) => drop(muxer.unit(unit, pending)),
        }
    }

    fn discontinuity(&mut self, _out: &mut Steps) {
        if let Container::Ts(muxer, _) = &mut self.container {
            muxer.discontinuity();
        }
        self.discontinuity = true;
    }

    fn flush(&mut self, out: &mut Steps) {
        if let Container::Ts(_, pending) = &mut self.container {
            out.append(pending.split().freeze());
        }
    }

    fn finish(&mut self, end_ms: i64, out: &mut Steps) {
        self.close(end_ms, None, out);
        out.push(Step::Relist(playlist(
            self.container.init(),
            &self.segments,
            true,
        )));
    }

    fn held_from(&self, end_ms: i64) -> i64 {
        self.pending.from(end_ms)
    }

    fn segment_ms(&self) -> i64 {
        self.open.as_ref().map_or(0, |open| open.start_ms)
    }
}

/// The whole playlist; `vod` when nothing follows.
pub(crate) fn playlist(init: Option<&str>, segments: &[Segment], vod: bool) -> Bytes {
    let longest = segments.iter().map(Segment::rounded_s).max().unwrap_or(0);
    let (kind, target_s) = match vod {
        true => (Kind::Vod, longest),
        false => (Kind::Event, longest.max(MIN_TARGET_S)),
    };
    let mut out = String::new();
    text::head(
        &mut out,
        &Head {
            kind,
            is_fmp4: init.is_some(),
            is_independent: true,
            target_s,
        },
    );
    if let Some(init) = init {
        text::map(&mut out, init);
    }
    for segment in segments {
        segment.write(&mut out);
    }
    if vod {
        out.push_str(text::END);
    }
    out.into()
}

impl Segment {
    fn duration(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.duration_ms).unwrap_or(0))
    }

    fn rounded_s(&self) -> u64 {
        text::rounded_s(self.duration())
    }

    fn write(&self, out: &mut String) {
        if self.discontinuity {
            text::discontinuity(out);
        }
        text::segment(out, &self.name, self.duration());
    }
}
