//! AV1CodecConfigurationRecord (av1C); the sequence header OBU in it: `sequence_header.rs`.
//!
//! ```text
//! | 1, version 1 (7) | profile 3, level 5 | tier, high depth, 12 bit, mono, x, y, position 2 | delay | OBUs |
//! ```
//!
//! Spec: AV1-ISOBMFF §2.3.3 and §5; OBUs: AV1 §5.3.

use bytes::Bytes;

use super::bits::Bits;
use super::{Error, VideoParams};

mod sequence_header;
use sequence_header::SequenceHeader;

/// A parsed AV1CodecConfigurationRecord.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// Size and rate of the sequence header; 0 when the record has none (it may be in the stream).
    pub params: VideoParams,
    /// `seq_profile`: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx[0]`: 8 is level 4.0.
    pub level: u8,
    /// `seq_tier[0]`: whether it is the high tier.
    pub high_tier: bool,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Whether there is no chroma.
    pub monochrome: bool,
    /// Horizontal and vertical chroma subsampling, sample position: the last four bits of byte 2.
    pub chroma: u8,
    /// Primaries, transfer, matrix and full range, when the sequence header states them
    /// (numbers of ITU-T H.273).
    pub color: Option<(u8, u8, u8, bool)>,
    /// The OBUs of the record: the sequence header, perhaps metadata. A slice of `raw`.
    pub obus: Bytes,
}

impl Config {
    /// Parses an AV1CodecConfigurationRecord.
    ///
    /// # Errors
    /// [`Error`] when it is cut off, of another version, or holds a sequence header that cannot be
    /// parsed.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let Some(&[version, profile, flags, _]) = raw.first_chunk() else {
            return Err(Error::new("av1C", raw.len(), "cut off"));
        };
        if version != 0x81 {
            return Err(Error::new("av1C", 0, "marker and version are not 1"));
        }
        let mut config = Self {
            params: VideoParams::default(),
            profile: profile >> 5,
            level: profile & 0x1f,
            high_tier: flags & 0x80 != 0,
            bit_depth: match flags >> 5 & 3 {
                0 | 1 => 8,
                2 => 10,
                _ => 12,
            },
            monochrome: flags & 0x10 != 0,
            chroma: flags & 0x0f,
            color: None,
            obus: raw.slice(4..),
            raw,
        };
        if let Some(header) = find_sequence_header(&config.obus)? {
            config.apply(&header);
        }
        Ok(config)
    }

    /// Takes over what the sequence header says: where the record contradicts it, decoders go by
    /// the header.
    fn apply(&mut self, header: &SequenceHeader) {
        let color = &header.color;
        self.params = header.params;
        self.profile = header.profile;
        self.level = header.level;
        self.high_tier = header.high_tier;
        self.bit_depth = color.bit_depth;
        self.monochrome = color.monochrome;
        self.chroma = color.chroma;
        self.color = color.description;
    }

    /// `av01.0.08M.08`, with the colour fields when they differ from their defaults
    /// (AV1-ISOBMFF §5).
    #[must_use]
    pub fn codec_string(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'M' };
        let mut text = format!(
            "av01.{}.{:02}{tier}.{:02}",
            self.profile, self.level, self.bit_depth
        );
        let (x, y) = (self.chroma >> 3, self.chroma >> 2 & 1);
        let position = if x & y == 1 { self.chroma & 3 } else { 0 };
        let mono = u8::from(self.monochrome);
        let (primaries, transfer, matrix, full) = self.color.unwrap_or((1, 1, 1, false));
        let optional = (mono, x, y, position, primaries, transfer, matrix, full);
        if optional != (0, 1, 1, 0, 1, 1, 1, false) {
            text.push_str(&format!(
                ".{mono}.{x}{y}{position}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
                u8::from(full)
            ));
        }
        text
    }
}

/// The first sequence header among OBUs; `None` when there is none.
fn find_sequence_header(obus: &[u8]) -> Result<Option<SequenceHeader>, Error> {
    let mut rest = obus;
    while !rest.is_empty() {
        let at = 4 + obus.len() - rest.len();
        let fail = |why: &str| Error::new("sequence header OBU", at, why);
        let obu = Obu::split_first(&mut rest).ok_or_else(|| fail("cut off"))?;
        if obu.kind == SEQUENCE_HEADER {
            return SequenceHeader::read(obu.payload).map(Some).map_err(fail);
        }
    }
    Ok(None)
}

/// `obu_type` of a sequence header (AV1 §6.2.2).
const SEQUENCE_HEADER: u8 = 1;

/// An open bitstream unit (AV1 §5.3).
struct Obu<'a> {
    kind: u8,
    payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// Takes the first OBU off `rest`; `None` when it is cut off. Without a size, it has all.
    fn split_first(rest: &mut &'a [u8]) -> Option<Self> {
        let mut bits = Bits::new(rest);
        bits.skip(1)?;
        let kind = bits.small(4)?;
        let has_extension = bits.flag()?;
        let has_size = bits.flag()?;
        bits.skip(if has_extension { 1 + 8 } else { 1 })?;
        let size = if has_size {
            leb128(&mut bits)?
        } else {
            bits.remaining() / 8
        };
        let (_, behind) = rest.split_at_checked(bits.byte_offset())?;
        let (payload, behind) = behind.split_at_checked(size)?;
        *rest = behind;
        Some(Self { kind, payload })
    }
}

/// A little-endian number in groups of 7 bits, at most 32 bits in all (AV1 §4.10.5).
fn leb128(bits: &mut Bits<'_>) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..8 * 7).step_by(7) {
        let more = bits.flag()?;
        value |= u64::from(bits.read(7)?) << shift;
        if !more {
            return u32::try_from(value).ok()?.try_into().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests;
