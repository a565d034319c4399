//! AV1CodecConfigurationRecord (av1C) and the sequence header OBU in it.
//!
//! ```text
//! | 1, version 1 (7) | profile 3, level 5 | tier, high depth, 12 bit, mono, x, y, position 2 | delay | OBUs |
//! ```
//!
//! Spec: AV1-ISOBMFF §2.3.3 and §5, AV1 §5.5.

use std::io::Cursor;

use bytes::Bytes;
use scuffle_av1::seq::SequenceHeaderObu;
use scuffle_av1::{ObuHeader, ObuType};

use super::{Error, VideoParams, contain, plausible_rate};

/// Longest OBU part of the record that is looked at. Threat: it goes to another's parser; a
/// sequence header has less than 100 bytes.
const MAX_OBU_BYTES: usize = 4 << 10;

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
    /// 8, 10 or 12.
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
        let bit_depth = match flags >> 5 & 3 {
            0 | 1 => 8,
            2 => 10,
            _ => 12,
        };
        let obus = raw.slice(4..);
        let (params, color) = sequence_header(&obus)?;
        Ok(Self {
            params,
            profile: profile >> 5,
            level: profile & 0x1f,
            high_tier: flags & 0x80 != 0,
            bit_depth,
            monochrome: flags & 0x10 != 0,
            chroma: flags & 0x0f,
            color,
            obus,
            raw,
        })
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

type Color = Option<(u8, u8, u8, bool)>;

/// Size, rate and colour of the first sequence header among OBUs; nothing when there is none.
fn sequence_header(obus: &Bytes) -> Result<(VideoParams, Color), Error> {
    let mut cursor = Cursor::new(
        obus.get(..obus.len().min(MAX_OBU_BYTES))
            .unwrap_or_default(),
    );
    let fail = |at: u64, why: &str| {
        Error::new(
            "sequence header OBU",
            4 + usize::try_from(at).unwrap_or(0),
            why,
        )
    };
    while cursor.position() < cursor.get_ref().len() as u64 {
        let at = cursor.position();
        let header = ObuHeader::parse(&mut cursor).map_err(|error| fail(at, &error.to_string()))?;
        let rest =
            cursor.get_ref().len() as u64 - cursor.position().min(cursor.get_ref().len() as u64);
        let size = header.size.unwrap_or(rest);
        if size > rest {
            return Err(fail(at, "cut off"));
        }
        if header.obu_type != ObuType::SequenceHeader {
            cursor.set_position(cursor.position() + size);
            continue;
        }
        let sequence = contain(|| SequenceHeaderObu::parse(header, &mut cursor))
            .ok_or_else(|| fail(at, "out of range"))?
            .map_err(|error| fail(at, &error.to_string()))?;
        let size = |pixels: u64| u32::try_from(pixels).map_err(|_| fail(at, "size out of range"));
        let params = VideoParams {
            width: size(sequence.max_frame_width)?,
            height: size(sequence.max_frame_height)?,
            frame_rate: sequence.timing_info.and_then(|timing| {
                let ticks = timing.num_ticks_per_picture?;
                let units = u64::from(timing.num_units_in_display_tick);
                plausible_rate(timing.time_scale.into(), units.checked_mul(ticks)?)
            }),
        };
        let color = &sequence.color_config;
        // 2 in all three: unspecified.
        let parts = (
            color.color_primaries,
            color.transfer_characteristics,
            color.matrix_coefficients,
            color.full_color_range,
        );
        return Ok((params, (parts != (2, 2, 2, false)).then_some(parts)));
    }
    Ok((VideoParams::default(), None))
}
