//! Tag bodies to media events.

mod enhanced;
mod slots;

use bytes::Bytes;
use media::{Codec, FrameRole, TrackId};

use super::event::{Event, Events};
use super::reader::{Reader, i24};
use super::wire::{self, frame_type, packet};
use super::{Error, Limits};
use slots::Slot;

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
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(Limits::default())
    }
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
