//! What is known of each track: its header, and when its units may be told of.

use bytes::Bytes;
use media::config::vp9;
use media::{
    AccessUnit, Codec, CodecConfig, Dts, FrameRole, Ticks, Timescale, Track, TrackId, Unconfigured,
};

use super::{Parser, Part};
use crate::flv::Error;
use crate::flv::event::{Event, Events};

/// What is remembered of a track.
#[derive(Debug)]
pub(super) struct Slot {
    id: TrackId,
    codec: Codec,
    progress: Progress,
    /// The last codec configuration record, a copy; a slice of `flv_body` when that is there.
    record: Bytes,
    flv_body: Option<Bytes>,
}

/// How far a track is with its codec configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// New: no event has told of it, or not of its latest header.
    Waiting,
    /// Told of, without configuration, or without the picture size that VP9 has in its key frames:
    /// units flow, a header or a good frame may still come.
    Announced,
    /// A record came (good or not), or a frame told all, or there is nothing to wait for.
    Settled,
}

impl Parser {
    /// A sequence header: nothing when it repeats the last one.
    #[cold]
    pub(super) fn header(&mut self, part: Part<'_>) -> Result<Events, Error> {
        let record = part.payload.rest();
        let len = part.flv_body.map_or(record.len(), Bytes::len);
        if len > self.limits.header_bytes {
            return Err(Error::HeaderTooLong {
                track: part.track,
                len,
                max: self.limits.header_bytes,
            });
        }
        let by_frames = is_configured_by_frames(part.codec);
        if record.is_empty() && !by_frames {
            // ffmpeg sends one when it does not know the configuration yet.
            return Ok(Events::default());
        }
        let slot = self.slot(part.track, part.codec)?;
        let is_known = slot.codec == part.codec
            && slot.record == record
            && match slot.progress {
                Progress::Settled => true,
                Progress::Announced if !record.is_empty() => true,
                _ => slot.flv_body.is_some(),
            };
        if is_known {
            return Ok(Events::default());
        }
        // Copies: a slice would hold the publisher's read buffer for the life of the stream.
        slot.flv_body = part.flv_body.map(|body| Bytes::copy_from_slice(body));
        slot.record = match &slot.flv_body {
            Some(body) => body.slice(body.len() - record.len()..),
            None => Bytes::copy_from_slice(&record),
        };
        slot.codec = part.codec;
        if by_frames {
            // The header says nothing that we read, but is kept for clients; the next frame
            // announces the track with it.
            slot.progress = Progress::Waiting;
            return Ok(Events::default());
        }
        // A key frame says what the record does not. Clients of FLV want the header before that:
        // FFmpeg 9 reads an empty frame of Opus when the sound comes first.
        slot.progress = match part.codec {
            Codec::Vp9 => Progress::Announced,
            _ => Progress::Settled,
        };
        let config = if is_relay_only(part.codec) {
            Err(Unconfigured::RelayOnly(part.codec))
        } else {
            CodecConfig::parse(part.codec, &record).map_err(Unconfigured::from)
        };
        Ok(slot.track(config).into())
    }

    /// An access unit, behind its track when that is news.
    pub(super) fn unit(
        &mut self,
        part: &Part<'_>,
        role: FrameRole,
        offset: i32,
    ) -> Result<Events, Error> {
        if part.payload.remaining() == 0 {
            return Ok(Events::default());
        }
        let unit = Event::Unit(AccessUnit {
            track: part.track,
            dts: Dts(0),
            composition_offset: Ticks(i64::from(offset)),
            role,
            payload: part.payload.rest(),
            flv_body: part.flv_body.cloned(),
        });
        let settled = self.slots.iter().any(|slot| {
            slot.id == part.track && slot.codec == part.codec && slot.progress == Progress::Settled
        });
        if settled {
            return Ok(unit.into());
        }
        let track = self.unsettled(part)?;
        Ok(match track {
            Some(track) => Events::from_vec(vec![track, unit]),
            None => unit.into(),
        })
    }

    /// A unit of a track that is new, changed its codec, or still waits for its configuration:
    /// the track, when that is news.
    #[cold]
    fn unsettled(&mut self, part: &Part<'_>) -> Result<Option<Event>, Error> {
        let slot = self.slot(part.track, part.codec)?;
        if slot.codec != part.codec {
            slot.codec = part.codec;
            slot.record = Bytes::new();
            slot.flv_body = None;
            slot.progress = Progress::Waiting;
        }
        let config = if is_relay_only(part.codec) {
            Err(Unconfigured::RelayOnly(part.codec))
        } else if is_configured_by_frames(part.codec) {
            CodecConfig::from_frame(part.codec, &part.payload.rest()).map_err(Unconfigured::from)
        } else if part.codec == Codec::Vp9 {
            vp9_configuration(&slot.record, &part.payload.rest())
        } else {
            Err(Unconfigured::Missing)
        };
        let is_final = match &config {
            Ok(config) => is_sized(config),
            Err(why) => matches!(why, Unconfigured::RelayOnly(_)),
        };
        if is_final {
            slot.progress = Progress::Settled;
        } else if slot.progress == Progress::Announced {
            return Ok(None);
        } else {
            slot.progress = Progress::Announced;
        }
        Ok(Some(slot.track(config)))
    }

    /// The slot of a track, a new one within the limit.
    fn slot(&mut self, id: TrackId, codec: Codec) -> Result<&mut Slot, Error> {
        let index = match self.slots.iter().position(|slot| slot.id == id) {
            Some(index) => index,
            None if self.slots.len() >= self.limits.tracks => {
                return Err(Error::TooManyTracks {
                    track: id,
                    max: self.limits.tracks,
                });
            }
            None => {
                self.slots.push(Slot {
                    id,
                    codec,
                    progress: Progress::Waiting,
                    record: Bytes::new(),
                    flv_body: None,
                });
                self.slots.len() - 1
            }
        };
        self.slots.get_mut(index).ok_or(Error::TooManyTracks {
            track: id,
            max: self.limits.tracks,
        })
    }
}

impl Slot {
    fn track(&self, config: Result<CodecConfig, Unconfigured>) -> Event {
        Event::Track(Box::new(Track {
            id: self.id,
            codec: self.codec,
            timescale: Timescale::MILLIS,
            config,
            flv_body: self.flv_body.clone(),
        }))
    }
}

/// The codecs that no output but RTMP and FLV carries.
fn is_relay_only(codec: Codec) -> bool {
    matches!(
        codec,
        Codec::H266
            | Codec::Vp8
            | Codec::FlvVideo(_)
            | Codec::FlvAudio(_)
            | Codec::OtherVideo(_)
            | Codec::OtherAudio(_)
    )
}

/// The codecs whose every frame says all.
fn is_configured_by_frames(codec: Codec) -> bool {
    matches!(codec, Codec::Mp3 | Codec::Ac3 | Codec::Eac3)
}

/// Whether nothing is to be added by frames. AV1 may also lack its size, but its record is all there
/// is.
fn is_sized(config: &CodecConfig) -> bool {
    !matches!(config, CodecConfig::Vp9(config) if config.params.width == 0)
}

/// A record with the picture size that a key frame has; without a good record all that the key
/// frame says, without a key frame the record alone.
fn vp9_configuration(record: &[u8], frame: &[u8]) -> Result<CodecConfig, Unconfigured> {
    let of_frame = vp9::Config::from_key_frame(frame);
    let config = match vp9::Config::parse(record) {
        Ok(config) => config.sized_by(frame).unwrap_or(config),
        Err(_) if record.is_empty() => of_frame.ok_or(Unconfigured::Missing)?,
        Err(why) => of_frame.ok_or(why)?,
    };
    Ok(CodecConfig::Vp9(config))
}
