//! A track that is written: its clock in the file, its sample entry, what is checked of its units.

use bytes::Bytes;
use media::config::opus;
use media::nal::LengthPrefixed;
use media::{AccessUnit, Codec, CodecConfig, Rounding, Timescale, TrackId, TrackList};
use mp4_atom::Encode as _;

use super::fragment::Sample;
use super::moov::TrackHead;
use super::sample_entry;
use crate::LeftOut;

/// A carried track.
#[derive(Clone, Debug)]
pub(super) struct OutTrack {
    pub(super) id: TrackId,
    pub(super) codec: Codec,
    /// Clock of its access units.
    pub(super) source: Timescale,
    pub(super) head: TrackHead,
    pub(super) codec_string: String,
    /// Bytes of NAL unit lengths, where the payload has such.
    pub(super) nal_length_size: Option<u8>,
    /// Ticks of one frame, as the configuration says.
    pub(super) frame_duration: u32,
    /// Whether that holds for each frame: of sound whose frames are all alike.
    is_even_sound: bool,
}

impl OutTrack {
    /// How MP4 carries `track`, or why it does not.
    pub(super) fn of(track: &media::Track) -> Result<Self, String> {
        let config = crate::left_out::configuration(track)?;
        let entry = sample_entry::sample_entry(track)?;
        let mut bytes = Vec::new();
        entry
            .encode(&mut bytes)
            .map_err(|error| format!("MP4 cannot carry it: {error}"))?;
        let timescale = if track.timescale == Timescale::MILLIS {
            Timescale::NINETY_KHZ
        } else {
            track.timescale
        };
        Ok(Self {
            id: track.id,
            codec: track.codec,
            source: track.timescale,
            head: TrackHead {
                number: u32::from(track.id.0) + 1,
                kind: track.kind(),
                timescale,
                video: config.video().unwrap_or_default(),
                entries: vec![Bytes::from(bytes)],
            },
            codec_string: config.codec_string(),
            nal_length_size: match config {
                CodecConfig::H264(c) => Some(c.nal_length_size),
                CodecConfig::H265(c) => Some(c.nal_length_size),
                _ => None,
            },
            frame_duration: frame_duration(config, timescale),
            is_even_sound: config.audio().is_some_and(|a| a.frame_samples.is_some()),
        })
    }

    /// Whether the lengths in the unit add up.
    pub(super) fn is_sound(&self, unit: &AccessUnit) -> bool {
        self.nal_length_size
            .is_none_or(|size| LengthPrefixed::is_sound(&unit.payload, size))
    }

    /// Ticks for which a frame of sound plays, where it or the configuration says so.
    pub(super) fn plays(&self, payload: &[u8]) -> Option<u32> {
        match self.codec {
            Codec::Opus => {
                let samples = u64::from(opus::packet_samples(payload));
                let ticks = samples * u64::from(self.head.timescale.hz()) / 48_000;
                u32::try_from(ticks).ok().filter(|ticks| *ticks > 0)
            }
            _ => self.is_even_sound.then_some(self.frame_duration),
        }
    }

    /// The unit on the file's timeline.
    pub(super) fn sample<'a>(&self, unit: &'a AccessUnit, shift: i64) -> Sample<'a> {
        Sample {
            payload: &unit.payload,
            dts: self.ticks(unit.dts.0, shift),
            pts: self.ticks(unit.pts().0, shift),
            role: unit.role,
        }
    }

    /// A time of the track in ticks of the file, moved by `shift` seconds.
    pub(super) fn ticks(&self, ticks: i64, shift: i64) -> i64 {
        let shifted = ticks.saturating_add(shift.saturating_mul(self.source.hz().into()));
        if self.source == Timescale::MILLIS && self.head.timescale == Timescale::NINETY_KHZ {
            return shifted.saturating_mul(90);
        }
        self.source
            .convert(shifted, self.head.timescale, Rounding::Floor)
    }
}

/// The tracks that MP4 can carry; the others come back with the reason.
pub(super) fn carried(tracks: &TrackList) -> (Vec<OutTrack>, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    let mut carried = Vec::with_capacity(tracks.len());
    for track in tracks.iter() {
        match OutTrack::of(track) {
            Ok(track) => carried.push(track),
            Err(reason) => left_out.push(LeftOut {
                track: track.id,
                codec: track.codec,
                reason,
            }),
        }
    }
    (carried, left_out)
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
