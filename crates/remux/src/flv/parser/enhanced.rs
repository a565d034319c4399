//! Bodies of Enhanced RTMP, of one track and of many.

use bytes::Bytes;
use media::{Codec, FourCc, FrameRole, TrackKind};

use super::{Parser, Part, role, undefined};
use crate::flv::Error;
use crate::flv::event::{ChannelConfig, Event, Events, VideoMetadata};
use crate::flv::reader::Reader;
use crate::flv::wire::{self, frame_type, multitrack, packet};

impl Parser {
    /// Enhanced audio (E-RTMP v2 §"ExAudioTagHeader").
    pub(super) fn ex_audio(&mut self, body: &Bytes, kind: u8) -> Result<Events, Error> {
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
    pub(super) fn ex_video(&mut self, body: &Bytes, first: u8) -> Result<Events, Error> {
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
