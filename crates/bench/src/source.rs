//! The FLV file that is published, ready to be sent over and over.

use bytes::Bytes;
use media::nal::{LengthPrefixed, h264, h265};
use remux::flv::{Demuxer, Limits, Tag, TagKind};

use crate::Error;
use crate::stamp::Stamp;
use crate::video_tag::{Codec, VideoTag, is_audio_header};

/// An FLV file in memory, with H.264 or HEVC video whose NAL lengths have four bytes.
#[derive(Debug)]
pub struct Source {
    pub(crate) codec: Codec,
    /// `onMetaData`, AMF0, if there is one.
    pub(crate) metadata: Option<Bytes>,
    /// Codec configurations.
    pub(crate) headers: Vec<Tag>,
    pub(crate) messages: Vec<Message>,
    /// Milliseconds after which it begins again.
    pub(crate) period_ms: u32,
    /// Milliseconds from one audio message to the next; `None` without audio.
    pub(crate) audio_step_ms: Option<f64>,
}

/// One audio or video message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: TagKind,
    /// Milliseconds since the first message.
    pub(crate) time_ms: u32,
    pub(crate) body: Bytes,
    /// Where in the body the stamp goes; `None` for audio.
    pub(crate) stamp_at: Option<usize>,
}

impl Source {
    /// Takes a whole FLV file.
    ///
    /// # Errors
    /// When it is damaged, has no video, or video that cannot be stamped.
    pub fn parse(file: Bytes) -> Result<Self, Error> {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.push(file);
        let mut codec = None;
        let mut metadata = None;
        let (mut headers, mut messages) = (Vec::new(), Vec::new());
        let mut first_ms = None;
        let damaged = |error: remux::flv::Error| Error::Source(error.to_string());
        while let Some(tag) = demuxer.poll().map_err(damaged)? {
            let stamp_at = match tag.kind {
                TagKind::Video => match VideoTag::parse(&tag.body) {
                    Some(VideoTag::Header(_)) => {
                        headers.push(tag);
                        continue;
                    }
                    Some(VideoTag::Frame {
                        codec: found,
                        unit_at,
                        ..
                    }) => {
                        codec = Some(found);
                        Some(stamp_at(&tag, found, unit_at)?)
                    }
                    Some(VideoTag::Foreign(name)) => return Err(unstampable(name)),
                    // An end of sequence in the middle of a loop would end it at the viewers.
                    Some(VideoTag::Other) | None => continue,
                },
                TagKind::Audio if is_audio_header(&tag.body) => {
                    headers.push(tag);
                    continue;
                }
                TagKind::Audio => None,
                _ => {
                    metadata.get_or_insert(tag.body);
                    continue;
                }
            };
            let first_ms = *first_ms.get_or_insert(tag.timestamp);
            messages.push(Message {
                kind: tag.kind,
                time_ms: tag.timestamp.saturating_sub(first_ms),
                body: tag.body,
                stamp_at,
            });
        }
        let codec = codec.ok_or_else(|| Error::Source("it has no video".to_owned()))?;
        let video = Span::of(&messages, TagKind::Video)
            .ok_or_else(|| Error::Source("it has less than two video frames".to_owned()))?;
        let audio = Span::of(&messages, TagKind::Audio);
        // Audio goes on without a gap over the seam, so that a gap at a viewer is a loss.
        let audio_end = audio.map_or(0, |audio| audio.end_ms());
        let period_ms = match audio_end > video.last_ms {
            true => audio_end,
            false => video.end_ms(),
        };
        Ok(Self {
            codec,
            metadata,
            headers,
            messages,
            period_ms,
            audio_step_ms: audio.map(Span::step_ms),
        })
    }

    /// Bits per second of the media, without the stamps.
    #[must_use]
    pub fn bitrate_bps(&self) -> u64 {
        let bytes: u64 = self.messages.iter().map(|m| m.body.len() as u64).sum();
        bytes * 8_000 / u64::from(self.period_ms.max(1))
    }

    /// `H.264` or `HEVC`.
    #[must_use]
    pub fn codec_name(&self) -> &'static str {
        self.codec.name()
    }
}

/// Where the messages of one kind lie.
#[derive(Clone, Copy)]
struct Span {
    count: u32,
    first_ms: u32,
    last_ms: u32,
}

impl Span {
    /// `None` when there are less than two.
    fn of(messages: &[Message], kind: TagKind) -> Option<Self> {
        let mut times = messages
            .iter()
            .filter(|m| m.kind == kind)
            .map(|m| m.time_ms);
        let first_ms = times.next()?;
        let (count, last_ms) = times.fold((1, first_ms), |(count, _), time| (count + 1, time));
        (count > 1 && last_ms > first_ms).then_some(Self {
            count,
            first_ms,
            last_ms,
        })
    }

    fn step_ms(self) -> f64 {
        f64::from(self.last_ms - self.first_ms) / f64::from(self.count - 1)
    }

    /// When a next one would be due, after a loop that begins like this one.
    fn end_ms(self) -> u32 {
        self.last_ms - self.first_ms + self.step_ms().round() as u32
    }
}

/// Before the first slice: SEI belongs before the picture, and behind parameter sets.
fn stamp_at(tag: &Tag, codec: Codec, unit_at: usize) -> Result<usize, Error> {
    let unit = tag.body.get(unit_at..).unwrap_or_default();
    if !LengthPrefixed::is_sound(unit, 4) {
        let offset = tag.offset;
        return Err(Error::Source(format!(
            "the NAL lengths of the tag at byte {offset} are not of four bytes"
        )));
    }
    let before: usize = LengthPrefixed::new(unit, 4)
        .take_while(|nal| !is_slice(codec, nal))
        .map(|nal| 4 + nal.len())
        .sum();
    Ok(unit_at + before)
}

/// Whether a NAL unit is a part of a coded picture (H.264 types 1 to 5, HEVC types 0 to 31).
fn is_slice(codec: Codec, nal: &[u8]) -> bool {
    match codec {
        Codec::H264 => matches!(h264::kind(nal), Some(1..=5)),
        Codec::Hevc => matches!(h265::kind(nal), Some(0..=31)),
    }
}

fn unstampable(name: &str) -> Error {
    Error::Source(format!(
        "its video is {name}; frames are stamped in H.264 and HEVC only: convert it with ffmpeg -c:v libx264"
    ))
}

impl Message {
    /// Writes the body with a stamp in it; as it is when it has no place for one.
    pub(crate) fn write(&self, codec: Codec, stamp: Stamp, out: &mut Vec<u8>) {
        let at = self.stamp_at.unwrap_or(self.body.len());
        let (before, behind) = self.body.split_at(at.min(self.body.len()));
        out.reserve(self.body.len() + Stamp::len(codec));
        out.extend_from_slice(before);
        if self.stamp_at.is_some() {
            stamp.write(codec, out);
        }
        out.extend_from_slice(behind);
    }
}
