//! The FLV file that is published.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use media::nal::LengthPrefixed;
use remux::flv::{Demuxer, Limits, Tag, TagKind};

use crate::stamp;

/// `CodecID` 7, as legacy FLV has it.
const AVC: u8 = 7;
/// Frame type and codec, packet type, composition offset.
pub(crate) const AVC_HEADER: usize = 5;

/// A file in memory, ready to be sent.
pub(crate) struct Source {
    /// `onMetaData`, AMF0, if there is one.
    pub(crate) metadata: Option<Bytes>,
    /// Sequence headers.
    pub(crate) headers: Vec<Tag>,
    pub(crate) messages: Vec<Message>,
    /// Milliseconds after which it begins again.
    pub(crate) period_ms: u32,
}

/// One audio or video message.
pub(crate) struct Message {
    pub(crate) kind: TagKind,
    /// Milliseconds since the first message.
    pub(crate) time_ms: u32,
    pub(crate) body: Bytes,
    /// Where in the body the stamp goes; `None` for audio.
    pub(crate) stamp_at: Option<usize>,
}

impl Source {
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.push(std::fs::read(path)?.into());
        let mut source = Self {
            metadata: None,
            headers: Vec::new(),
            messages: Vec::new(),
            period_ms: 0,
        };
        let mut first_ms = None;
        while let Some(tag) = demuxer.poll()? {
            if tag.kind == TagKind::Script {
                source.metadata.get_or_insert(tag.body);
            } else if is_header(&tag)? {
                source.headers.push(tag);
            } else {
                let first_ms = *first_ms.get_or_insert(tag.timestamp);
                source.messages.push(Message {
                    kind: tag.kind,
                    time_ms: tag.timestamp.wrapping_sub(first_ms),
                    stamp_at: stamp_at(&tag)?,
                    body: tag.body,
                });
            }
        }
        let frames = source.messages.iter().filter(|m| m.stamp_at.is_some());
        let (frames, last_ms) = frames.fold((0, 0), |(count, _), m| (count + 1, m.time_ms));
        ensure!(frames > 1, "it has no H.264 frames");
        source.period_ms = last_ms + last_ms / (frames - 1);
        Ok(source)
    }
}

fn is_header(tag: &Tag) -> anyhow::Result<bool> {
    let first = *tag.body.first().context("empty tag")?;
    let packet = *tag.body.get(1).context("tag of one byte")?;
    Ok(match tag.kind {
        TagKind::Video => {
            ensure!(
                first & 0x8f == AVC,
                "the video is not H.264 in legacy FLV; convert it with ffmpeg -c:v libx264"
            );
            packet == 0
        }
        // AAC alone has sequence headers.
        _ => first >> 4 == 10 && packet == 0,
    })
}

/// Before the first slice.
fn stamp_at(tag: &Tag) -> anyhow::Result<Option<usize>> {
    if tag.kind != TagKind::Video {
        return Ok(None);
    }
    let unit = tag.body.get(AVC_HEADER..).unwrap_or_default();
    if !LengthPrefixed::is_sound(unit, 4) {
        bail!("NAL lengths at byte {} are not of four bytes", tag.offset);
    }
    let before: usize = LengthPrefixed::new(unit, 4)
        .take_while(|nal| !stamp::is_slice(nal))
        .map(|nal| 4 + nal.len())
        .sum();
    Ok((before < unit.len()).then_some(AVC_HEADER + before))
}
