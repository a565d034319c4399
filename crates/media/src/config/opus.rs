//! Opus identification header, in its Ogg (`OpusHead`) and MP4 (`dOps`) forms.
//!
//! ```text
//! Ogg  | "OpusHead" | version 1 | channels | pre-skip u16 le | rate u32 le | gain i16 le | family | … |
//! MP4  |              version 0 | channels | pre-skip u16 be | rate u32 be | gain i16 be | family | … |
//! ```
//!
//! Spec: RFC 7845 §5.1, Opus in ISOBMFF §4.3.2.

use bytes::Bytes;

use super::{AudioParams, Error};

/// A parsed Opus identification header.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// 48 kHz always: that is what decoders give out. Frames have no fixed length.
    pub params: AudioParams,
    /// Samples to skip at the start, at 48 kHz.
    pub pre_skip: u16,
    /// Rate of the encoder's input in Hz; informative, 0 when unknown.
    pub input_sample_rate: u32,
    /// Gain to apply, in 1/256 dB.
    pub output_gain: i16,
    /// Channel mapping family: 0 for mono and stereo, 1 for surround.
    pub mapping_family: u8,
    /// With another family than 0: stream count, coupled count, and a stream per channel.
    pub mapping: Bytes,
}

impl Config {
    /// Parses an OpusHead with or without its magic, or a dOps payload (told by its version 0).
    ///
    /// # Errors
    /// [`Error`] when it is cut off, of an unknown version, or without channels.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let start = if record.starts_with(b"OpusHead") {
            8
        } else {
            0
        };
        let fields = record.get(start..).unwrap_or_default();
        let Some(&[version, channels, s0, s1, r0, r1, r2, r3, g0, g1, family]) =
            fields.first_chunk()
        else {
            return Err(Error::new("OpusHead", raw.len(), "cut off"));
        };
        let (pre_skip, rate, gain) = match version {
            0 => (
                u16::from_be_bytes([s0, s1]),
                u32::from_be_bytes([r0, r1, r2, r3]),
                i16::from_be_bytes([g0, g1]),
            ),
            1..=15 => (
                u16::from_le_bytes([s0, s1]),
                u32::from_le_bytes([r0, r1, r2, r3]),
                i16::from_le_bytes([g0, g1]),
            ),
            _ => return Err(Error::new("OpusHead", start, format!("version {version}"))),
        };
        if channels == 0 || family == 0 && channels > 2 {
            return Err(Error::new(
                "OpusHead",
                start + 1,
                format!("{channels} channels"),
            ));
        }
        let mapping = if family == 0 {
            Bytes::new()
        } else {
            let (from, len) = (start + 11, 2 + usize::from(channels));
            if raw.len() < from + len {
                return Err(Error::new("OpusHead", raw.len(), "cut off"));
            }
            raw.slice(from..from + len)
        };
        Ok(Self {
            params: AudioParams {
                sample_rate: 48_000,
                channels,
                frame_samples: None,
            },
            pre_skip,
            input_sample_rate: rate,
            output_gain: gain,
            mapping_family: family,
            mapping,
            raw,
        })
    }
}

/// Samples of an Opus packet at 48 kHz (RFC 6716 §3.1, §3.2); an empty one counts as one of 10 ms.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> u32 {
    let toc = packet.first().copied().unwrap_or_default();
    let frame = match (toc >> 3, toc >> 3 & 3) {
        (16.., 0) => 120,
        (16.., 1) => 240,
        (16.., 2) => 480,
        (16.., _) => 960,
        // Hybrid: 10 and 20 ms. SILK: 10, 20, 40 and 60 ms.
        (12.., 0 | 2) | (_, 0) => 480,
        (12.., _) | (_, 1) => 960,
        (_, 2) => 1_920,
        (_, _) => 2_880,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(1, |count| u32::from(count & 0x3f)),
    };
    frame * frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_say_their_length_in_samples() {
        for (packet, samples) in [
            (&[0x78u8][..], 960),
            (&[0x08], 960),
            (&[0x18], 2_880),
            (&[0x83, 3], 360),
            (&[0xfd], 1_920),
            (&[0x60], 480),
        ] {
            assert_eq!(packet_samples(packet), samples, "{packet:x?}");
        }
    }
}
