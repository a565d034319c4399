//! A second FLV reader, written for the tests only (Adobe FLV 10.1 annex E).

use crate::frames::{Frame, Kind, Media, TICKS_PER_MS, Track};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One FLV tag, or one RTMP message of type 8, 9 or 18.
#[derive(Clone, PartialEq, Eq)]
pub struct Tag {
    /// 8 audio, 9 video, 18 data.
    pub kind: u8,
    /// Milliseconds, the 32 bits as they are in the tag.
    pub timestamp_ms: u32,
    /// The body, untouched.
    pub body: Vec<u8>,
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.body.get(..8).unwrap_or(&self.body);
        write!(
            f,
            "tag type {} at {} ms, {} bytes {head:02x?}",
            self.kind,
            self.timestamp_ms,
            self.body.len()
        )
    }
}

impl Tag {
    /// Codec configuration: AVC/AAC sequence headers and the enhanced sequence starts.
    pub fn is_configuration(&self) -> bool {
        match (self.kind, self.body.as_slice()) {
            (9, [head, rest @ ..]) if head & 0x80 != 0 => !rest.is_empty() && head & 0x0f == 0,
            (9, [head, packet, ..]) if matches!(head & 0x0f, 7 | 12) => *packet == 0,
            (8, [head, ..]) if head >> 4 == 9 => head & 0x0f == 0,
            (8, [head, packet, ..]) if head >> 4 == 10 => *packet == 0,
            _ => false,
        }
    }

    /// A video tag marked as key frame that carries a picture.
    pub fn is_key_frame(&self) -> bool {
        self.kind == 9
            && !self.is_configuration()
            && self
                .body
                .first()
                .is_some_and(|head| (head >> 4) & 0x07 == 1)
    }

    /// The end-of-sequence tags of AVC and of enhanced video.
    pub fn is_end_of_sequence(&self) -> bool {
        match (self.kind, self.body.as_slice()) {
            (9, [head, ..]) if head & 0x80 != 0 => head & 0x0f == 2,
            (9, [head, packet, ..]) if matches!(head & 0x0f, 7 | 12) => *packet == 2,
            (8, [head, ..]) if head >> 4 == 9 => head & 0x0f == 2,
            _ => false,
        }
    }

    /// Signed composition time of an AVC or HEVC picture, in milliseconds; 0 for all else.
    pub fn composition_offset_ms(&self) -> i32 {
        let at = match (self.kind, self.body.as_slice()) {
            (9, [head, b'a' | b'h', b'v', b'c', b'1', ..]) if head & 0x8f == 0x81 => 5,
            (9, [head, 1, ..]) if head & 0x80 == 0 && matches!(head & 0x0f, 7 | 12) => 2,
            _ => return 0,
        };
        match self.body.get(at..at + 3) {
            Some(&[a, b, c]) => i32::from_be_bytes([a, b, c, 0]) >> 8,
            _ => 0,
        }
    }

    /// Enhanced packets that describe instead of carrying frames: HDR metadata, channel layout.
    pub fn is_description(&self) -> bool {
        match (self.kind, self.body.first()) {
            (9, Some(head)) => head & 0x8f == 0x84,
            (8, Some(head)) => *head == 0x94,
            _ => false,
        }
    }

    /// Audio or video that carries frames.
    pub fn is_media(&self) -> bool {
        matches!(self.kind, 8 | 9)
            && !self.is_configuration()
            && !self.is_description()
            && !self.is_end_of_sequence()
            && !self.is_empty_frame()
    }

    /// An enhanced audio frame without a payload, which FFmpeg writes at the end of FLAC.
    fn is_empty_frame(&self) -> bool {
        self.kind == 8 && self.body.len() <= 5 && self.body.first() == Some(&0x91)
    }
}

/// Takes FLV bytes in any split and gives whole tags.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    header_seen: bool,
    /// Type flags of the file header: 4 audio, 1 video.
    pub header_flags: u8,
}

impl Reader {
    /// Adds bytes and returns the tags that are complete now.
    ///
    /// # Panics
    /// When the bytes are not FLV: a wrong signature or a wrong PreviousTagSize.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Tag> {
        self.buffer.extend_from_slice(bytes);
        let mut tags = Vec::new();
        let mut at = 0;
        if !self.header_seen {
            if self.buffer.len() < 13 {
                return tags;
            }
            assert_eq!(&self.buffer[..4], b"FLV\x01", "FLV signature");
            assert_eq!(self.buffer[5..9], [0, 0, 0, 9], "FLV header length");
            assert_eq!(self.buffer[9..13], [0; 4], "first PreviousTagSize");
            self.header_flags = self.buffer[4];
            self.header_seen = true;
            at = 13;
        }
        while self.buffer.len() >= at + 11 {
            let head = &self.buffer[at..at + 11];
            let len = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
            if self.buffer.len() < at + 11 + len + 4 {
                break;
            }
            let timestamp_ms = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
            let kind = head[0] & 0x1f;
            let body = self.buffer[at + 11..at + 11 + len].to_vec();
            let end = &self.buffer[at + 11 + len..at + 15 + len];
            let previous = u32::from_be_bytes(end.try_into().unwrap()) as usize;
            assert_eq!(previous, len + 11, "PreviousTagSize of {kind} tag");
            tags.push(Tag {
                kind,
                timestamp_ms,
                body,
            });
            at += 15 + len;
        }
        self.buffer.drain(..at);
        tags
    }
}

/// All whole tags of an FLV file. A cut last tag, and a wrong PreviousTagSize, are ignored:
/// the corpora hold such files.
pub fn read_file(path: &std::path::Path) -> Vec<Tag> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut tags = Vec::new();
    let mut at = 13;
    while let Some(head) = bytes.get(at..at + 11) {
        let len = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let Some(body) = bytes.get(at + 11..at + 11 + len) else {
            break;
        };
        tags.push(Tag {
            kind: head[0] & 0x1f,
            timestamp_ms: u32::from_be_bytes([head[7], head[4], head[5], head[6]]),
            body: body.to_vec(),
        });
        at += 15 + len;
    }
    tags
}

/// An FLV file of these tags.
///
/// # Panics
/// When a body is longer than 24 bits say.
pub fn write(tags: &[Tag]) -> Vec<u8> {
    let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for tag in tags {
        let len = u32::try_from(tag.body.len()).unwrap();
        assert!(len < 1 << 24, "body of {len} bytes");
        let [time3, time @ ..] = tag.timestamp_ms.to_be_bytes();
        file.push(tag.kind);
        file.extend_from_slice(&len.to_be_bytes()[1..]);
        file.extend_from_slice(&time);
        file.extend_from_slice(&[time3, 0, 0, 0]);
        file.extend_from_slice(&tag.body);
        file.extend_from_slice(&(len + 11).to_be_bytes());
    }
    file
}

/// Tags as frames, one video and one audio track of what is there: the body's hash stands for the bytes,
/// so everything inside a tag is compared, enhanced headers included. Configuration, data and
/// end-of-sequence tags are left out. 32-bit timestamps are unwrapped.
pub fn media(tags: &[Tag]) -> Media {
    let mut media = Media::default();
    for (kind, id) in [(Kind::Video, 9), (Kind::Audio, 8)] {
        let mut last = None;
        let mut frames = Vec::new();
        for tag in tags {
            if tag.kind != id || !tag.is_media() {
                continue;
            }
            let wire = i64::from(tag.timestamp_ms);
            let time = last.map_or(wire, |last: i64| {
                let step = tag.timestamp_ms.wrapping_sub(last as u32).cast_signed();
                last + i64::from(step)
            });
            last = Some(time);
            let mut hasher = DefaultHasher::new();
            tag.body.hash(&mut hasher);
            frames.push(Frame {
                dts: time * TICKS_PER_MS,
                pts: (time + i64::from(tag.composition_offset_ms())) * TICKS_PER_MS,
                size: u32::try_from(tag.body.len()).unwrap(),
                md5: format!("{:016x}", hasher.finish()),
                key: tag.is_key_frame() || id == 8,
            });
        }
        if !frames.is_empty() {
            media.tracks.push(Track {
                stream: media.tracks.len(),
                kind,
                codec: "tags".to_owned(),
                exact: true,
                frames,
            });
        }
    }
    media
}

/// The bodies of the configuration tags of a kind, each different one once, in order. What comes after the
/// last frame of that kind configures nothing (FFmpeg repeats FLAC's with the final checksum) and is left out.
pub fn configurations(tags: &[Tag], kind: u8) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let end = tags.iter().rposition(|t| t.kind == kind && t.is_media());
    let tags = &tags[..end.unwrap_or_default()];
    for tag in tags
        .iter()
        .filter(|t| t.kind == kind && t.is_configuration())
    {
        if found.last() != Some(&tag.body) {
            found.push(tag.body.clone());
        }
    }
    found
}
