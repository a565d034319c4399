//! The end of an FLV file that was cut off: duration, size and key frames, from its tags' headers.

use bytes::Bytes;

use super::TagKind;
use super::script::Script;
use super::wire::{self, frame_type, packet};
use crate::mp4::Write;

/// Finds out what the script tag of a file is to say that [`super::FileMuxer`] began and nobody
/// finished. Nothing is read but the head of each tag.
///
/// Contract: [`tag`](Self::tag) for each whole tag in the file's order, then
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct Rebuild {
    script: Script,
}

impl Rebuild {
    /// `script` is the body of the file's first tag, when that is script data. One that left no
    /// room for an index stays as it is.
    #[must_use]
    pub fn new(script: Option<&Bytes>) -> Self {
        let script = script.and_then(Script::of);
        Self {
            script: script.unwrap_or_else(|| Script::new(0)),
        }
    }

    /// A tag at `position` of the file, `timestamp` in milliseconds, whose body begins with `head`:
    /// two bytes are enough.
    pub fn tag(&mut self, kind: TagKind, timestamp: u32, position: u64, head: &[u8]) {
        let byte = |index: usize| head.get(index).copied().unwrap_or_default();
        let (first, second) = (byte(0), byte(1));
        let (is_media, is_key_frame, is_first_track) = match kind {
            TagKind::Script => return,
            TagKind::Audio => {
                let packet = match first >> 4 {
                    wire::AAC => second,
                    wire::EX_AUDIO => first & 0x0f,
                    _ => packet::CODED_FRAMES,
                };
                let is_other = first >> 4 == wire::EX_AUDIO && packet == packet::AUDIO_MULTITRACK;
                let is_media = packet != packet::SEQUENCE_START && packet != packet::SEQUENCE_END;
                (is_media, false, !is_other)
            }
            TagKind::Video => {
                let is_ex = first & wire::EX_VIDEO != 0;
                let packet = match first & 0x0f {
                    packet if is_ex => packet,
                    wire::AVC | wire::LEGACY_HEVC => second,
                    _ => packet::CODED_FRAMES,
                };
                let frame = first >> 4 & 7;
                let is_media = match packet {
                    packet::SEQUENCE_START | packet::SEQUENCE_END => false,
                    packet::METADATA if is_ex => false,
                    _ => frame != frame_type::COMMAND,
                };
                let is_other = is_ex && packet == packet::VIDEO_MULTITRACK;
                let is_key = matches!(frame, frame_type::KEY | frame_type::GENERATED_KEY);
                (is_media, is_key && !is_other, !is_other)
            }
        };
        self.script.kinds |= match kind {
            TagKind::Audio => 4,
            _ => 1,
        };
        if is_media {
            // Tracks beside the first of their kind share a clock: it only tells a unit's length.
            let track = u32::from(kind.wire()) << 1 | u32::from(is_first_track);
            let ms = i64::from(timestamp);
            self.script.unit(track, ms, position, is_key_frame);
        }
    }

    /// Whether there was any media.
    #[must_use]
    pub fn has_media(&self) -> bool {
        self.script.has_media()
    }

    /// Where the last unit ends, in milliseconds.
    #[must_use]
    pub fn end_ms(&self) -> i64 {
        self.script.end_ms()
    }

    /// What is to be overwritten in the file, which has `size` bytes; it does not grow.
    #[must_use]
    pub fn finish(self, size: u64) -> Vec<Write> {
        self.script.finish(size)
    }
}
