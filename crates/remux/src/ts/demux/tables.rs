//! PAT and PMT: which programs there are, and of which streams they consist.
//!
//! ```text
//! PAT (ISO/IEC 13818-1 §2.4.4.3), behind the section header:
//!   transport stream 16 | 2 bits, version 5, current 1 | section 8 | last 8 | [program 16 | PID 13]…
//! PMT (§2.4.4.8):
//!   program 16 | 2 bits, version 5, current 1 | section 8 | last 8 | PCR PID 13 | info length 12 |
//!   descriptors | [type 8 | PID 13 | info length 12 | descriptors]…
//! ```

use media::{Codec, FourCc};

/// A program of the stream, as its map says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `program_number`.
    pub number: u16,
    /// PID of its map.
    pub map_pid: u16,
    /// PID of its clock; 0x1fff: none. `None` until its map was read.
    pub pcr_pid: Option<u16>,
    /// Its elementary streams, in the order of the map.
    pub streams: Vec<ProgramStream>,
}

/// An elementary stream of a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramStream {
    /// Its PID.
    pub pid: u16,
    /// `stream_type` (ISO/IEC 13818-1 table 2-34).
    pub stream_type: u8,
    /// What it carries, as far as the map says.
    pub content: Content,
}

/// What an elementary stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Video or audio that is read. (MPEG audio says only in its frames whether it is layer III.)
    Media(Codec),
    /// AAC in LATM, read.
    Latm,
    /// ID3 tags: timed metadata.
    Id3,
    /// Splice information (SCTE 35): timed metadata.
    Scte35,
    /// A codec that no crate of ours reads, or private data.
    Other,
    /// Encrypted samples (Apple's SAMPLE-AES): not read.
    Encrypted,
}

impl Content {
    /// The codec of a track.
    pub(super) fn codec(self) -> Option<Codec> {
        match self {
            Self::Media(codec) => Some(codec),
            Self::Latm => Some(Codec::Aac),
            _ => None,
        }
    }
}

impl ProgramStream {
    /// Audio or video that is not read, and what it is called; `None`: it is read, or neither.
    pub(super) fn unread(&self) -> Option<(Codec, &'static str)> {
        let video = |cc| Codec::OtherVideo(FourCc(cc));
        Some(match (self.content, self.stream_type) {
            (Content::Encrypted, 0xdb) => (Codec::H264, "encrypted samples"),
            (Content::Encrypted, 0xcf) => (Codec::Aac, "encrypted samples"),
            (Content::Encrypted, 0xc1) => (Codec::Ac3, "encrypted samples"),
            (Content::Encrypted, 0xc2) => (Codec::Eac3, "encrypted samples"),
            (Content::Other, 0x01) => (video(*b"mp1v"), "MPEG-1 video"),
            (Content::Other, 0x02) => (video(*b"mp2v"), "MPEG-2 video"),
            (Content::Other, 0x10) => (video(*b"mp4v"), "MPEG-4 Visual"),
            (Content::Other, 0x33) => (Codec::H266, "VVC"),
            (Content::Other, 0xea) => (video(*b"vc-1"), "VC-1"),
            _ => return None,
        })
    }
}

/// A map with what is needed to read its streams.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) number: u16,
    pub(super) pcr_pid: u16,
    pub(super) streams: Vec<MapStream>,
}

/// A stream of a [`Map`].
#[derive(Clone, Copy, Debug)]
pub(super) struct MapStream {
    pub(super) stream: ProgramStream,
    /// `channel_config_code` of Opus (Opus in MPEG-TS §3.2).
    pub(super) opus_channels: Option<u8>,
}

/// The programs of a PAT section: its number among the sections, then program and PID of the map.
/// `None` for other tables and for what is not valid yet.
pub(super) fn associations(section: &[u8], body: &[u8]) -> Option<(u8, Vec<(u16, u16)>)> {
    let (&[_, _, flags, number, _], rest) = body.split_first_chunk()?;
    if section.first() != Some(&0) || flags & 1 == 0 {
        return None;
    }
    let programs = rest.chunks_exact(4).filter_map(|entry| {
        let &[n0, n1, p0, p1] = entry.first_chunk()?;
        let program = u16::from_be_bytes([n0, n1]);
        // Program 0 is the network information.
        (program != 0).then_some((program, pid(p0, p1)))
    });
    Some((number, programs.collect()))
}

/// A PMT section of at most `max_streams` streams, the rest is left out. `None` for other tables,
/// for what is not valid yet and for what is cut off.
pub(super) fn map(section: &[u8], body: &[u8], max_streams: usize) -> Option<Map> {
    let (&[n0, n1, flags, _, _, c0, c1, l0, l1], rest) = body.split_first_chunk()?;
    if section.first() != Some(&2) || flags & 1 == 0 {
        return None;
    }
    let (program_info, mut rest) = rest.split_at_checked(length(l0, l1))?;
    let program_registration = registration(program_info);
    let mut streams = Vec::new();
    while let Some((&[stream_type, p0, p1, l0, l1], behind)) = rest.split_first_chunk() {
        let (info, behind) = behind.split_at_checked(length(l0, l1))?;
        rest = behind;
        if streams.len() >= max_streams {
            break;
        }
        streams.push(MapStream {
            stream: ProgramStream {
                pid: pid(p0, p1),
                stream_type,
                content: content(stream_type, info, program_registration),
            },
            opus_channels: descriptors(info).find_map(|(tag, data)| match (tag, data) {
                (0x7f, &[0x80, code, ..]) => Some(code),
                _ => None,
            }),
        });
    }
    Some(Map {
        number: u16::from_be_bytes([n0, n1]),
        pcr_pid: pid(c0, c1),
        streams,
    })
}

fn content(stream_type: u8, info: &[u8], program: Option<[u8; 4]>) -> Content {
    let has = |wanted: u8| descriptors(info).any(|(tag, _)| tag == wanted);
    match stream_type {
        0x03 | 0x04 => Content::Media(Codec::Mp3),
        0x0f => Content::Media(Codec::Aac),
        0x11 => Content::Latm,
        0x1b => Content::Media(Codec::H264),
        0x24 => Content::Media(Codec::H265),
        // Others are KLV and private formats; without a descriptor nothing else was seen.
        0x15 if !has(0x26) || descriptors(info).any(|(tag, data)| is_id3_metadata(tag, data)) => {
            Content::Id3
        }
        // ATSC A/53 part 3 §6.7; other registries give these numbers other meanings.
        0x81 => Content::Media(Codec::Ac3),
        0x84 | 0x87 => Content::Media(Codec::Eac3),
        0x86 if program.is_none_or(|format| &format == b"CUEI") => Content::Scte35,
        0xc1 | 0xc2 | 0xcf | 0xdb => Content::Encrypted,
        // Private data: a registration, or a descriptor of DVB (ETSI EN 300 468 annex D).
        0x06 => match registration(info) {
            Some([b'O', b'p', b'u', b's']) => Content::Media(Codec::Opus),
            Some([b'A', b'C', b'-', b'3']) => Content::Media(Codec::Ac3),
            Some([b'E', b'A', b'C', b'3']) => Content::Media(Codec::Eac3),
            Some([b'H', b'E', b'V', b'C']) => Content::Media(Codec::H265),
            Some([b'I', b'D', b'3', b' ']) => Content::Id3,
            _ if has(0x6a) => Content::Media(Codec::Ac3),
            _ if has(0x7a) => Content::Media(Codec::Eac3),
            _ => Content::Other,
        },
        _ => Content::Other,
    }
}

/// Whether a metadata descriptor (§2.6.60) is of ID3: by the format's identifier.
fn is_id3_metadata(tag: u8, data: &[u8]) -> bool {
    // An application format of 0xffff has an identifier before it.
    let at = if data.starts_with(&[0xff, 0xff]) {
        6
    } else {
        2
    };
    tag == 0x26
        && data
            .get(at..)
            .is_some_and(|rest| rest.starts_with(b"\xffID3 "))
}

/// `format_identifier` of a registration descriptor (§2.6.8).
fn registration(info: &[u8]) -> Option<[u8; 4]> {
    descriptors(info).find_map(|(tag, data)| (tag == 0x05).then(|| data.first_chunk().copied())?)
}

/// Tag and data of each descriptor, up to one that is cut off.
fn descriptors(mut info: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, len], rest) = info.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(len.into())?;
        info = rest;
        Some((tag, data))
    })
}

fn pid(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high & 0x1f, low])
}

fn length(high: u8, low: u8) -> usize {
    u16::from_be_bytes([high & 0x0f, low]).into()
}
