//! Fragmented MP4 writer (ISO/IEC 14496-12 §8.8): init segment and fragments for live outputs.
//!
//! ```text
//! init_segment()  ─▶ ftyp | moov
//! fragment()      ─▶ moof | mdat     one allocation; a segment, or a part of one
//! ```
//!
//! A track's number in the file is its id + 1. Its media timescale is the track's own, except that
//! millisecond clocks are scaled to 90 kHz: exact, and the same ticks as in MPEG-TS. There are no
//! edit lists; decode times are the units' own, and composition offsets are signed.
//!
//! Deliberately absent: sample tables in `moov`, `sidx`, encryption, `styp` (a fragment may be part
//! of a segment).

mod fragment;
mod init;
mod sample_entry;
#[cfg(test)]
mod tests;

use bytes::{BufMut as _, Bytes, BytesMut};
use media::config::VideoParams;
use media::nal::LengthPrefixed;
use media::{AccessUnit, CodecConfig, Dts, Rounding, Timescale, TrackId, TrackKind, TrackList};
use mp4_atom::{Encode as _, Mfhd, Moof};

use self::fragment::{Run, Sample};
use crate::LeftOut;

/// Bytes of the `mdat` header.
const MDAT_HEADER_LEN: usize = 8;

/// Why a fragment was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the units belongs to a carried track, or all of them are empty or damaged.
    #[error("no access unit to write in the fragment")]
    Empty,
    /// The fragment has more bytes than its 31-bit data offsets can say.
    #[error("fragment of {bytes} bytes is too large")]
    TooLarge {
        /// Media bytes.
        bytes: u64,
    },
}

/// Writes init segment and fragments of one set of tracks.
///
/// Contract: one muxer per set of codec configurations; [`FragmentMuxer::fragment`] with all units
/// since the last call, in arrival order. After an error the next fragment can follow.
///
/// Decode times in MP4 are unsigned: when the first fragment has a negative one, all times of all
/// tracks are moved by the same whole number of seconds, for the life of the muxer. A decode time
/// that is still negative later is written as 0, with the presentation time exact.
#[derive(Debug)]
pub struct FragmentMuxer {
    tracks: Vec<Track>,
    init: Bytes,
    /// Of the next fragment.
    sequence_number: u32,
    /// Seconds added to all times; set by the first fragment.
    shift: Option<i64>,
    damaged: u64,
}

/// A carried track.
#[derive(Debug)]
struct Track {
    id: TrackId,
    kind: TrackKind,
    /// `track_ID` in the file.
    number: u32,
    /// Clock of its access units.
    source: Timescale,
    /// Clock in the file.
    timescale: Timescale,
    video: VideoParams,
    codec_string: String,
    /// Bytes of NAL unit lengths, where the payload has such.
    nal_length_size: Option<u8>,
    /// Ticks of the last sample written; at first what the configuration says of a frame.
    last_duration: u32,
}

impl FragmentMuxer {
    /// A muxer of the tracks that MP4 can carry; the others come back with the reason.
    #[must_use]
    pub fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let mut left_out = Vec::new();
        let mut carried = Vec::new();
        for track in tracks.iter() {
            let entry = Track::of(track)
                .and_then(|carried| Ok((carried, sample_entry::sample_entry(track)?)))
                .and_then(|pair| {
                    // Alone first, so that a configuration that cannot be written costs no other.
                    match init::init_segment(std::slice::from_ref(&pair)) {
                        Ok(_) => Ok(pair),
                        Err(error) => Err(format!("MP4 cannot carry it: {error}")),
                    }
                });
            match entry {
                Ok(pair) => carried.push(pair),
                Err(reason) => left_out.push(LeftOut {
                    track: track.id,
                    codec: track.codec,
                    reason,
                }),
            }
        }
        let muxer = Self {
            init: init::init_segment(&carried).unwrap_or_default(),
            tracks: carried.into_iter().map(|(track, _)| track).collect(),
            sequence_number: 1,
            shift: None,
            damaged: 0,
        };
        (muxer, left_out)
    }

    /// Whether no track is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Whether units of this track are written.
    #[must_use]
    pub fn carries(&self, id: TrackId) -> bool {
        self.tracks.iter().any(|track| track.id == id)
    }

    /// `ftyp` and `moov`; built once, shared.
    #[must_use]
    pub fn init_segment(&self) -> Bytes {
        self.init.clone()
    }

    /// RFC 6381 names of the carried tracks, in the order of the init segment.
    #[must_use]
    pub fn codec_strings(&self) -> Vec<String> {
        let names = self.tracks.iter().map(|track| track.codec_string.clone());
        names.collect()
    }

    /// Units left out of fragments so far because their NAL unit lengths do not add up.
    #[must_use]
    pub fn damaged_units(&self) -> u64 {
        self.damaged
    }

    /// One `moof` and `mdat` of `units` in arrival order; `ends` gives, per track, the decode time
    /// of the unit that follows, when known: without it the last sample is as long as the one
    /// before. Empty units, damaged ones and units of tracks not carried are left out.
    ///
    /// Media bytes are copied once, into one allocation of exactly the fragment's size.
    ///
    /// # Errors
    /// [`Error::Empty`] without a unit to write; [`Error::TooLarge`].
    pub fn fragment(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
    ) -> Result<Bytes, Error> {
        let shift = self.shift.unwrap_or_else(|| self.shift_of(units));
        let mut runs = Vec::with_capacity(self.tracks.len());
        let mut bytes = 0;
        for track in &self.tracks {
            let mut damaged = 0;
            let samples: Vec<Sample<'_>> = units
                .iter()
                .filter(|unit| unit.track == track.id && !unit.payload.is_empty())
                .filter(|unit| {
                    let sound = track.is_sound(unit);
                    damaged += u64::from(!sound);
                    sound
                })
                .map(|unit| track.sample(unit, shift))
                .collect();
            self.damaged += damaged;
            if samples.is_empty() {
                continue;
            }
            let end = ends.iter().find(|(id, _)| *id == track.id);
            let end = end.map(|(_, dts)| track.ticks(dts.0, shift));
            let run = Run::new(&samples, end, track.last_duration);
            bytes += run.bytes;
            runs.push((track.number, run, samples));
        }
        if runs.is_empty() {
            return Err(Error::Empty);
        }
        let fragment = write(self.sequence_number, &runs, bytes)?;
        self.shift = Some(shift);
        self.sequence_number = self.sequence_number.wrapping_add(1);
        for (number, run, _) in &runs {
            let track = self.tracks.iter_mut().find(|track| track.number == *number);
            if let Some(track) = track {
                track.last_duration = run.last_duration;
            }
        }
        Ok(fragment)
    }

    /// Whole seconds that make every decode time of `units` positive.
    fn shift_of(&self, units: &[AccessUnit]) -> i64 {
        let seconds = units.iter().filter_map(|unit| {
            let track = self.tracks.iter().find(|track| track.id == unit.track)?;
            Some(unit.dts.0.div_euclid(track.source.hz().into()))
        });
        seconds.min().unwrap_or(0).min(0).saturating_neg()
    }
}

/// Encodes `moof` and `mdat`; `bytes` is the media in all runs.
fn write(
    sequence_number: u32,
    runs: &[(u32, Run, Vec<Sample<'_>>)],
    bytes: u64,
) -> Result<Bytes, Error> {
    let too_large = || Error::TooLarge { bytes };
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number },
        traf: runs.iter().map(|(n, run, _)| run.traf(*n, 0)).collect(),
    };
    // Offsets count from the start of the moof, whose size does not depend on them: encoded once
    // to measure, and once into place.
    let mut measured = Vec::new();
    moof.encode(&mut measured).map_err(|_| too_large())?;
    let mut offset = measured.len() + MDAT_HEADER_LEN;
    for (traf, (_, run, _)) in moof.traf.iter_mut().zip(runs) {
        let data_offset = i32::try_from(offset).map_err(|_| too_large())?;
        traf.trun
            .iter_mut()
            .for_each(|t| t.data_offset = Some(data_offset));
        offset += usize::try_from(run.bytes).map_err(|_| too_large())?;
    }
    let mdat_len = u32::try_from(offset - measured.len()).map_err(|_| too_large())?;
    let mut out = BytesMut::with_capacity(offset);
    moof.encode(&mut out).map_err(|_| too_large())?;
    out.put_u32(mdat_len);
    out.put_slice(b"mdat");
    for sample in runs.iter().flat_map(|(_, _, samples)| samples) {
        out.put_slice(sample.payload);
    }
    debug_assert_eq!(out.len(), offset, "reserved exactly");
    Ok(out.freeze())
}

impl Track {
    fn of(track: &media::Track) -> Result<Self, String> {
        let config = crate::left_out::configuration(track)?;
        let timescale = if track.timescale == Timescale::MILLIS {
            Timescale::NINETY_KHZ
        } else {
            track.timescale
        };
        Ok(Self {
            id: track.id,
            kind: track.kind(),
            number: u32::from(track.id.0) + 1,
            source: track.timescale,
            timescale,
            video: config.video().unwrap_or_default(),
            codec_string: config.codec_string(),
            nal_length_size: match config {
                CodecConfig::H264(c) => Some(c.nal_length_size),
                CodecConfig::H265(c) => Some(c.nal_length_size),
                _ => None,
            },
            last_duration: frame_duration(config, timescale),
        })
    }

    fn is_sound(&self, unit: &AccessUnit) -> bool {
        self.nal_length_size
            .is_none_or(|size| LengthPrefixed::is_sound(&unit.payload, size))
    }

    fn sample<'a>(&self, unit: &'a AccessUnit, shift: i64) -> Sample<'a> {
        Sample {
            payload: &unit.payload,
            dts: self.ticks(unit.dts.0, shift),
            pts: self.ticks(unit.pts().0, shift),
            role: unit.role,
        }
    }

    /// A time of the track in ticks of the file, moved by `shift` seconds.
    fn ticks(&self, ticks: i64, shift: i64) -> i64 {
        let shifted = ticks.saturating_add(shift.saturating_mul(self.source.hz().into()));
        self.source
            .convert(shifted, self.timescale, Rounding::Floor)
    }
}

/// Ticks of one frame, as the configuration says, or of 40 ms.
fn frame_duration(config: &CodecConfig, timescale: Timescale) -> u32 {
    let hz = u64::from(timescale.hz());
    let (num, den) = match (config.audio(), config.video()) {
        (Some(audio), _) if audio.sample_rate > 0 => match audio.frame_samples {
            Some(samples) => (u64::from(samples), u64::from(audio.sample_rate)),
            None => (1, 25),
        },
        (_, Some(video)) => match video.frame_rate {
            Some((num, den)) if num > 0 => (u64::from(den), u64::from(num)),
            _ => (1, 25),
        },
        _ => (1, 25),
    };
    u32::try_from(hz * num / den).unwrap_or(u32::MAX).max(1)
}
