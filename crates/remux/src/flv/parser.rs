//! Tag bodies to media events.

use bytes::Bytes;
use media::config::vp9;
use media::{
    AccessUnit, Codec, CodecConfig, Dts, FourCc, FrameRole, Ticks, Timescale, Track, TrackId,
    TrackKind, Unconfigured,
};

use super::event::{ChannelConfig, Event, Events, VideoMetadata};
use super::reader::{Reader, i24};
use super::wire::{self, frame_type, multitrack, packet};
use super::{Error, Limits};

/// Reads the tag bodies (RTMP message payloads) of one publisher session.
///
/// Each call is complete in itself: there is nothing to drain. After an error the parser goes on
/// with the next body; only the tracks and their last sequence headers are kept.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    /// At most `limits.tracks`; usually two, so a walk beats a map.
    slots: Vec<Slot>,
}

/// What is remembered of a track.
#[derive(Debug)]
struct Slot {
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

/// Which bytes a unit or header consists of.
struct Part<'a> {
    track: TrackId,
    codec: Codec,
    payload: Reader<'a>,
    /// The whole body when it may be relayed as it is.
    flv_body: Option<&'a Bytes>,
}

impl Parser {
    /// A parser that knows no track yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
        }
    }

    /// Reads the body of an audio message or tag. An empty body gives no event.
    ///
    /// # Errors
    /// [`Error`] costs this body only.
    pub fn audio(&mut self, body: &Bytes) -> Result<Events, Error> {
        let Some(&first) = body.first() else {
            return Ok(Events::default());
        };
        let track = wire::audio_track(0);
        let (codec, at) = match first >> 4 {
            wire::AAC => {
                let kind = *body.get(1).ok_or(cut_off("AAC packet type", body))?;
                match kind {
                    packet::SEQUENCE_START => {
                        return self.single_header(track, Codec::Aac, body, 2);
                    }
                    packet::CODED_FRAMES => (Codec::Aac, 2),
                    _ => return Err(undefined("AAC packet type", kind, 1)),
                }
            }
            wire::EX_AUDIO => return self.ex_audio(body, first & 0x0f),
            wire::MP3 | wire::MP3_8_KHZ => (Codec::Mp3, 1),
            format => (Codec::FlvAudio(format), 1),
        };
        let part = Part {
            track,
            codec,
            payload: Reader::new(body, at),
            flv_body: Some(body),
        };
        self.unit(&part, FrameRole::RandomAccess, 0)
    }

    /// Reads the body of a video message or tag. Command frames and empty bodies give no event.
    ///
    /// # Errors
    /// [`Error`] costs this body only.
    pub fn video(&mut self, body: &Bytes) -> Result<Events, Error> {
        let Some(&first) = body.first() else {
            return Ok(Events::default());
        };
        if first & wire::EX_VIDEO != 0 {
            return self.ex_video(body, first);
        }
        let frame = first >> 4;
        if frame == frame_type::COMMAND {
            return Ok(Events::default());
        }
        let track = wire::video_track(0);
        let (codec, at, offset) = match first & 0x0f {
            id @ (wire::AVC | wire::LEGACY_HEVC) => {
                let codec = if id == wire::AVC {
                    Codec::H264
                } else {
                    Codec::H265
                };
                let &[_, kind, a, b, c] = body
                    .first_chunk::<5>()
                    .ok_or(cut_off("AVC packet header", body))?;
                match kind {
                    packet::SEQUENCE_START => return self.single_header(track, codec, body, 5),
                    packet::CODED_FRAMES => (codec, 5, i24([a, b, c])),
                    packet::SEQUENCE_END => return Ok(Event::EndOfSequence(track).into()),
                    _ => return Err(undefined("AVC packet type", kind, 1)),
                }
            }
            id => (Codec::FlvVideo(id), 1, 0),
        };
        let role = role(frame)?;
        let part = Part {
            track,
            codec,
            payload: Reader::new(body, at),
            flv_body: Some(body),
        };
        self.unit(&part, role, offset)
    }

    /// Enhanced audio (E-RTMP v2 §"ExAudioTagHeader").
    fn ex_audio(&mut self, body: &Bytes, kind: u8) -> Result<Events, Error> {
        let mut reader = Reader::new(body, 1);
        let kind = mod_ex(&mut reader, kind)?;
        if kind == packet::AUDIO_MULTITRACK {
            return self.multitrack(reader, body, TrackKind::Audio, 0);
        }
        let part = Part {
            track: wire::audio_track(0),
            codec: wire::audio_codec(reader.four_cc("audio FourCC")?),
            payload: reader,
            flv_body: Some(body),
        };
        self.audio_packet(part, kind)
    }

    /// Enhanced video (E-RTMP v2 §"ExVideoTagHeader").
    fn ex_video(&mut self, body: &Bytes, first: u8) -> Result<Events, Error> {
        let frame = first >> 4 & 0x07;
        let mut reader = Reader::new(body, 1);
        let kind = mod_ex(&mut reader, first & 0x0f)?;
        // A Metadata packet's frame type means nothing.
        if frame == frame_type::COMMAND && kind != packet::METADATA {
            return Ok(Events::default());
        }
        if kind == packet::VIDEO_MULTITRACK {
            return self.multitrack(reader, body, TrackKind::Video, frame);
        }
        let part = Part {
            track: wire::video_track(0),
            codec: wire::video_codec(reader.four_cc("video FourCC")?),
            payload: reader,
            flv_body: Some(body),
        };
        self.video_packet(part, kind, frame)
    }

    /// The tracks of a multitrack body, behind the packet type that announced them.
    fn multitrack(
        &mut self,
        mut reader: Reader<'_>,
        body: &Bytes,
        media: TrackKind,
        frame: u8,
    ) -> Result<Events, Error> {
        let types = reader.u8("multitrack type")?;
        let (layout, kind) = (types >> 4, types & 0x0f);
        let shared = match layout {
            multitrack::ONE_TRACK | multitrack::MANY_TRACKS => Some(reader.four_cc("FourCC")?),
            multitrack::MANY_TRACKS_MANY_CODECS => None,
            _ => return Err(undefined("multitrack type", layout, reader.offset() - 1)),
        };
        if layout == multitrack::ONE_TRACK {
            let (id, payload) = (reader.u8("trackId")?, reader);
            let cc = shared.unwrap_or(FourCc([0; 4]));
            // Track 0 is built anew in the plain form, which more clients read.
            let flv_body = (id != 0).then_some(body);
            return self.track_packet(media, cc, id, payload, flv_body, (kind, frame));
        }
        let mut events = Vec::new();
        // An error here must not lose the tracks that were already told of.
        while reader.remaining() > 0 {
            let part = next_track(&mut reader, shared);
            let result = part.and_then(|(cc, id, payload)| {
                if events.len() > 4 * self.limits.tracks {
                    return Err(Error::TooManyPackets {
                        max: 4 * self.limits.tracks,
                    });
                }
                Ok(self.track_packet(media, cc, id, payload, None, (kind, frame)))
            });
            match result {
                Ok(Ok(more)) => events.extend(more),
                Ok(Err(error)) => events.push(Event::Refused(error)),
                Err(error) if events.is_empty() => return Err(error),
                Err(error) => {
                    events.push(Event::Refused(error));
                    break;
                }
            }
        }
        Ok(Events::from_vec(events))
    }

    /// A track's packet within a multitrack body; `types` are packet and frame type.
    fn track_packet(
        &mut self,
        media: TrackKind,
        cc: FourCc,
        id: u8,
        payload: Reader<'_>,
        flv_body: Option<&Bytes>,
        (kind, frame): (u8, u8),
    ) -> Result<Events, Error> {
        match media {
            TrackKind::Video => {
                let part = Part {
                    track: wire::video_track(id),
                    codec: wire::video_codec(cc),
                    payload,
                    flv_body,
                };
                self.video_packet(part, kind, frame)
            }
            TrackKind::Audio => {
                let part = Part {
                    track: wire::audio_track(id),
                    codec: wire::audio_codec(cc),
                    payload,
                    flv_body,
                };
                self.audio_packet(part, kind)
            }
        }
    }

    /// One track's packet of an enhanced audio body (E-RTMP v2 §"ExAudioTagBody").
    fn audio_packet(&mut self, part: Part<'_>, kind: u8) -> Result<Events, Error> {
        match kind {
            packet::SEQUENCE_START => self.header(part),
            packet::CODED_FRAMES => self.unit(&part, FrameRole::RandomAccess, 0),
            packet::SEQUENCE_END => Ok(Event::EndOfSequence(part.track).into()),
            packet::MULTICHANNEL_CONFIG => {
                let mut reader = part.payload;
                let order = reader.u8("channel order")?;
                let channels = reader.u8("channel count")?;
                let len = match order {
                    0 => 0,
                    1 => 4,
                    2 => usize::from(channels),
                    _ => return Err(undefined("channel order", order, reader.offset() - 2)),
                };
                Ok(Event::Channels(ChannelConfig {
                    track: part.track,
                    order,
                    channels,
                    layout: reader.split(len, "channel layout")?.rest(),
                    flv_body: part.flv_body.cloned(),
                })
                .into())
            }
            _ => Err(undefined("audio packet type", kind, part.payload.offset())),
        }
    }

    /// One track's packet of an enhanced video body (E-RTMP v2 §"ExVideoTagBody").
    fn video_packet(&mut self, mut part: Part<'_>, kind: u8, frame: u8) -> Result<Events, Error> {
        match kind {
            packet::SEQUENCE_START => self.header(part),
            packet::CODED_FRAMES => {
                let offset = if wire::has_composition_offset(part.codec) {
                    part.payload.i24("composition offset")?
                } else {
                    0
                };
                self.unit(&part, role(frame)?, offset)
            }
            packet::CODED_FRAMES_X => self.unit(&part, role(frame)?, 0),
            packet::SEQUENCE_END => Ok(Event::EndOfSequence(part.track).into()),
            packet::METADATA => Ok(Event::Metadata(VideoMetadata {
                track: part.track,
                amf0: part.payload.rest(),
                flv_body: part.flv_body.cloned(),
            })
            .into()),
            packet::MPEG2_TS_SEQUENCE_START => {
                if part.codec == Codec::Av1 {
                    // An AV1 video descriptor: tag, length, then the fixed part of av1C
                    // (AV1 in MPEG-2 TS §2.2).
                    part.payload.split(2, "AV1 video descriptor")?;
                }
                self.header(part)
            }
            _ => Err(undefined("video packet type", kind, part.payload.offset())),
        }
    }

    /// A sequence header that fills its body.
    fn single_header(
        &mut self,
        track: TrackId,
        codec: Codec,
        body: &Bytes,
        at: usize,
    ) -> Result<Events, Error> {
        self.header(Part {
            track,
            codec,
            payload: Reader::new(body, at),
            flv_body: Some(body),
        })
    }

    /// A sequence header: nothing when it repeats the last one.
    #[cold]
    fn header(&mut self, part: Part<'_>) -> Result<Events, Error> {
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
    fn unit(&mut self, part: &Part<'_>, role: FrameRole, offset: i32) -> Result<Events, Error> {
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

impl Default for Parser {
    fn default() -> Self {
        Self::new(Limits::default())
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

/// The next of many tracks: FourCC, unless all share one, number, and as many bytes as it says.
fn next_track<'a>(
    reader: &mut Reader<'a>,
    shared: Option<FourCc>,
) -> Result<(FourCc, u8, Reader<'a>), Error> {
    let cc = match shared {
        Some(cc) => cc,
        None => reader.four_cc("track's FourCC")?,
    };
    let id = reader.u8("trackId")?;
    let len = reader.u24("size of track")?;
    Ok((cc, id, reader.split(len as usize, "track")?))
}

/// Reads `ModEx` prefixes up to the packet type they modify; their only defined content, an offset
/// in nanoseconds within the message's millisecond, travels in the body to those who know it.
fn mod_ex(reader: &mut Reader<'_>, mut kind: u8) -> Result<u8, Error> {
    while kind == packet::MOD_EX {
        let mut len = usize::from(reader.u8("ModEx size")?) + 1;
        if len == 256 {
            len = usize::from(reader.u16("ModEx size")?) + 1;
        }
        reader.split(len, "ModEx data")?;
        kind = reader.u8("ModEx type")? & 0x0f;
    }
    Ok(kind)
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

fn role(frame: u8) -> Result<FrameRole, Error> {
    match frame {
        frame_type::KEY | frame_type::GENERATED_KEY => Ok(FrameRole::RandomAccess),
        frame_type::INTER => Ok(FrameRole::Inter),
        frame_type::DISPOSABLE => Ok(FrameRole::Disposable),
        _ => Err(undefined("frame type", frame, 0)),
    }
}

#[cold]
fn undefined(what: &'static str, value: u8, offset: u64) -> Error {
    Error::Undefined {
        what,
        value: value.into(),
        offset,
    }
}

fn cut_off(what: &'static str, body: &Bytes) -> Error {
    Error::Truncated {
        what,
        offset: body.len() as u64,
    }
}

#[cfg(test)]
mod tests;
