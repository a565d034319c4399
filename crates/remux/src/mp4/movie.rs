//! The `moov` of a file that is read: its tracks and what they need.
//!
//! ```text
//! moov  mvhd  movie timescale
//!       trak  tkhd  track_ID | edts { elst } | mdia  mdhd  timescale | hdlr | minf { stbl }
//!       mvex  trex…  fragments follow
//! ```
//!
//! Spec: ISO/IEC 14496-12 §8.2 to §8.4, §8.8.1.

use bytes::Bytes;
use media::config::VideoParams;
use media::{Codec, Timescale, Track, TrackId, TrackKind, Unconfigured};

use super::boxes::{Fields, Kind, child, children};
use super::description::{Description, Source, descriptions};
use super::edits::Edits;
use super::moov::TrackHead;
use super::runs::Defaults;
use super::tables::SampleTable;
use crate::LeftOut;

/// Most tracks of a file. Threat: a `trak` of a few bytes each, and every track is looked at for
/// every sample; real files have a handful.
const MAX_TRACKS: usize = 64;

/// What a `moov` says.
#[derive(Debug)]
pub(super) struct Movie {
    pub(super) tracks: Vec<MovieTrack>,
    pub(super) left_out: Vec<LeftOut>,
    /// Whether fragments follow.
    pub(super) is_fragmented: bool,
    /// Whether there are samples in `moov` itself.
    pub(super) has_samples: bool,
}

/// A carried track.
#[derive(Debug)]
pub(super) struct MovieTrack {
    pub(super) id: TrackId,
    /// `track_ID`.
    pub(super) number: u32,
    pub(super) timescale: Timescale,
    pub(super) kind: TrackKind,
    /// The boxes of `stsd`, as they came.
    entries: Bytes,
    /// Picture size in `tkhd`.
    size: VideoParams,
    descriptions: Vec<Option<Description>>,
    /// Which of them is in force; the first is 1.
    pub(super) description: u32,
    /// Added to media times.
    pub(super) shift: i64,
    /// Media edits that are not followed.
    pub(super) edits_not_followed: usize,
    pub(super) defaults: Defaults,
    pub(super) table: Option<SampleTable>,
    /// Decode time behind the last sample, on the media timeline.
    pub(super) end: i64,
}

impl MovieTrack {
    /// The description of this number, when it is carried.
    pub(super) fn described(&self, description: u32) -> Option<&Description> {
        let index = usize::try_from(description).ok()?.checked_sub(1)?;
        self.descriptions.get(index)?.as_ref()
    }

    /// The description in force.
    pub(super) fn current(&mut self) -> Option<&mut Description> {
        let index = usize::try_from(self.description).ok()?.checked_sub(1)?;
        self.descriptions.get_mut(index)?.as_mut()
    }

    /// What the track's boxes say besides its samples, to write them again.
    pub(super) fn head(&self) -> TrackHead {
        let mut rest = self.entries.clone();
        let entries = children(&self.entries).map(|(_, body)| {
            // Header and body: entries have headers of 8 bytes.
            rest.split_to((body.len() + 8).min(rest.len()))
        });
        TrackHead {
            number: self.number,
            kind: self.kind,
            timescale: self.timescale,
            video: self.size,
            entries: entries.collect(),
        }
    }

    /// The track as the description in force describes it.
    pub(super) fn track(&self) -> Track {
        let described = self.described(self.description);
        let codec = described.map_or(Codec::OtherVideo(media::FourCc(*b"????")), |d| d.codec);
        let config = described.map_or(Err(Unconfigured::Missing), |d| d.config.clone());
        Track {
            id: self.id,
            codec,
            timescale: self.timescale,
            config,
            flv_body: None,
        }
    }
}

impl Movie {
    /// Reads the body of `moov`. What is damaged in it costs the track that it belongs to.
    pub(super) fn read(moov: &Bytes) -> Self {
        let movie_timescale = child(moov, b"mvhd")
            .and_then(|body| timescale(&body))
            .unwrap_or(Timescale::MILLIS);
        let mvex = child(moov, b"mvex");
        let trex: Vec<(u32, Defaults)> = mvex
            .iter()
            .flat_map(children)
            .filter(|(kind, _)| kind == b"trex")
            .filter_map(|(_, body)| Defaults::read(&body))
            .take(MAX_TRACKS)
            .collect();
        let mut movie = Self {
            tracks: Vec::new(),
            left_out: Vec::new(),
            is_fragmented: mvex.is_some(),
            has_samples: false,
        };
        let traks = children(moov).filter(|(kind, _)| kind == b"trak");
        for (n, (_, trak)) in traks.take(MAX_TRACKS).enumerate() {
            movie.add(n, &trak, movie_timescale, &trex);
        }
        movie
    }

    fn add(&mut self, n: usize, trak: &Bytes, movie: Timescale, trex: &[(u32, Defaults)]) {
        let number = child(trak, b"tkhd").and_then(|body| track_number(&body));
        let number = number.unwrap_or_else(|| u32::try_from(n + 1).unwrap_or(u32::MAX));
        let mut leave_out = |codec: Codec, reason: String| {
            self.left_out.push(LeftOut {
                track: TrackId(u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX)),
                codec,
                reason,
            });
        };
        let unknown = Codec::OtherVideo(media::FourCc(*b"????"));
        let Some(parts) = Parts::of(trak) else {
            return leave_out(unknown, "its description is damaged".to_owned());
        };
        let mut entries = descriptions(&parts.stsd, parts.handler);
        let codec = match entries.first() {
            Some(Ok(description)) => description.codec,
            Some(Err(why)) => return leave_out(why.codec, why.reason.clone()),
            None => return leave_out(unknown, "it has no sample description".to_owned()),
        };
        let defaults = trex.iter().find(|(track, _)| *track == number);
        let edits = Edits::of(trak, movie, parts.timescale);
        let table = SampleTable::of(&parts.stbl);
        // A look at the first sample: empty tables announce fragments.
        let table = table.filter(|table| table.clone().next().is_some());
        self.has_samples |= table.is_some();
        let id = self.free_id(number, codec.kind());
        self.tracks.push(MovieTrack {
            id,
            number,
            timescale: parts.timescale,
            kind: codec.kind(),
            entries: parts
                .stsd
                .get(8..)
                .map_or_else(Bytes::new, |e| parts.stsd.slice_ref(e)),
            size: child(trak, b"tkhd")
                .map_or_else(VideoParams::default, |body| picture_size(&body)),
            descriptions: entries.drain(..).map(Result::ok).collect(),
            description: 1,
            shift: edits.shift,
            edits_not_followed: edits.not_followed,
            defaults: defaults.map_or_else(Defaults::default, |(_, defaults)| *defaults),
            table,
            end: 0,
        });
    }

    /// `track_ID` - 1, when that is free and of the parity that FLV gives to its kind: even video,
    /// odd audio; else the lowest that is.
    fn free_id(&self, number: u32, kind: TrackKind) -> TrackId {
        let parity = u16::from(kind == TrackKind::Audio);
        let is_free =
            |id: &u16| id % 2 == parity && self.tracks.iter().all(|track| track.id != TrackId(*id));
        let own = number.checked_sub(1).and_then(|n| u16::try_from(n).ok());
        let id = own.filter(is_free).or_else(|| (0..u16::MAX).find(is_free));
        // There are fewer tracks than ids of either parity.
        TrackId(id.unwrap_or(u16::MAX))
    }
}

/// What of a `trak` must be there.
struct Parts {
    timescale: Timescale,
    handler: Kind,
    stbl: Bytes,
    stsd: Bytes,
}

impl Parts {
    fn of(trak: &Bytes) -> Option<Self> {
        let mdia = child(trak, b"mdia")?;
        let hdlr = child(&mdia, b"hdlr")?;
        let stbl = child(&child(&mdia, b"minf")?, b"stbl")?;
        let mut fields = Fields(&hdlr);
        fields.skip(8)?;
        Some(Self {
            timescale: timescale(&child(&mdia, b"mdhd")?)?,
            handler: fields.array()?,
            stsd: child(&stbl, b"stsd")?,
            stbl,
        })
    }
}

/// The timescale of `mvhd` or `mdhd`, which begin alike.
fn timescale(body: &[u8]) -> Option<Timescale> {
    let mut fields = Fields(body);
    let (version, _) = fields.version()?;
    fields.time(version)?;
    fields.time(version)?;
    Timescale::new(fields.u32()?)
}

fn track_number(tkhd: &[u8]) -> Option<u32> {
    let mut fields = Fields(tkhd);
    let (version, _) = fields.version()?;
    fields.time(version)?;
    fields.time(version)?;
    fields.u32()
}

/// Width and height: the last two fields, 16.16 fixed point.
fn picture_size(tkhd: &[u8]) -> VideoParams {
    let mut fields = Fields(tkhd.last_chunk::<8>().map_or(&[], |last| last));
    let mut pixels = || fields.u32().map_or(0, |fixed| fixed >> 16);
    VideoParams {
        width: pixels(),
        height: pixels(),
        frame_rate: None,
    }
}

/// Whether this description needs a look into its samples.
pub(super) fn wants_samples(description: &Description) -> bool {
    match description.source {
        Source::Entry => false,
        Source::ParameterSets => description.config.is_err(),
        Source::Frame => true,
    }
}
