//! MPEG audio layer III frame header.
//!
//! ```text
//! | sync 11 | version 2 | layer 2 | no CRC 1 | bit rate 4 | rate 2 | padding 1 | private 1 | mode 2 | … 6 |
//! ```
//!
//! Spec: ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3 §2.4.2.3 (half rates), MPEG 2.5 (quarter
//! rates, of no standard, but everywhere).

use bytes::Bytes;

use super::{AudioParams, Error};

/// kbit/s of MPEG-1 layer III.
const BIT_RATES_1: [u32; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
/// kbit/s of MPEG-2 and 2.5 layer III.
const BIT_RATES_2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// A parsed MPEG audio layer III frame header.
#[derive(Clone, Debug)]
pub struct Config {
    /// The first three header bytes without what changes from frame to frame (bit rate, padding,
    /// CRC), then the number of channels: equal when the parameters are.
    pub raw: Bytes,
    /// Parameters.
    pub params: AudioParams,
    /// Length of the frame it was read from, in bytes with the header; `None` for free format.
    pub frame_bytes: Option<u32>,
}

impl Config {
    /// Parses the header at the beginning of a frame.
    ///
    /// # Errors
    /// [`Error`] when there is no sync word, it is another layer, or a value is reserved.
    pub fn from_frame(frame: &[u8]) -> Result<Self, Error> {
        let fail = |offset: usize, why: &str| Error::new("MP3 frame header", offset, why);
        let Some(&[sync, a, b, c]) = frame.first_chunk() else {
            return Err(fail(frame.len(), "cut off"));
        };
        if sync != 0xff || a & 0xe0 != 0xe0 {
            return Err(fail(0, "no sync word"));
        }
        if a >> 1 & 3 != 1 {
            return Err(fail(1, "not layer III"));
        }
        let (shift, bit_rates, samples) = match a >> 3 & 3 {
            3 => (0, &BIT_RATES_1, 1_152),
            2 => (1, &BIT_RATES_2, 576),
            0 => (2, &BIT_RATES_2, 576),
            _ => return Err(fail(1, "reserved version")),
        };
        let sample_rate = match b >> 2 & 3 {
            0 => 44_100 >> shift,
            1 => 48_000 >> shift,
            2 => 32_000 >> shift,
            _ => return Err(fail(2, "reserved sample rate")),
        };
        let frame_bytes = match b >> 4 {
            0 => None,
            15 => return Err(fail(2, "reserved bit rate")),
            index => bit_rates.get(usize::from(index) - 1).map(|kilobits| {
                samples / 8 * kilobits * 1_000 / sample_rate + u32::from(b >> 1 & 1)
            }),
        };
        let channels = if c >> 6 == 3 { 1 } else { 2 };
        Ok(Self {
            raw: Bytes::copy_from_slice(&[0xff, a | 1, b & 0x0c, channels]),
            params: AudioParams {
                sample_rate,
                channels,
                frame_samples: Some(samples),
            },
            frame_bytes,
        })
    }
}
