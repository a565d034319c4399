//! FLAC STREAMINFO, bare or in the metadata blocks that stand before a FLAC stream.
//!
//! ```text
//! | "fLaC" | last 1, type 7, length u24 | STREAMINFO 34 | further blocks … |
//! STREAMINFO | min block u16 | max block u16 | frame sizes 48 | rate 20, channels 3, bits 5, samples 36 | MD5 |
//! ```
//!
//! Spec: RFC 9639 §8.1, §8.2.

use bytes::Bytes;

use super::bits::Bits;
use super::{AudioParams, Error};

/// Bytes of a STREAMINFO block without its header.
const STREAM_INFO: usize = 34;

/// A parsed FLAC STREAMINFO.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// Parameters; `frame_samples` when all blocks have the same size.
    pub params: AudioParams,
    /// Bits of a sample: 4–32.
    pub bits_per_sample: u8,
    /// The 34 bytes of STREAMINFO. A slice of `raw`.
    pub stream_info: Bytes,
}

impl Config {
    /// Parses "fLaC" and its metadata blocks, the STREAMINFO block with its header, or its 34
    /// bytes alone. Blocks behind it are kept in `raw` only.
    ///
    /// # Errors
    /// [`Error`] when it is cut off, does not begin with STREAMINFO, or states a rate of 0.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let magic = if record.starts_with(b"fLaC") { 4 } else { 0 };
        let start = match record.get(magic..).unwrap_or_default() {
            [first, 0, 0, 34, ..] if first & 0x7f == 0 => magic + 4,
            bare if magic == 0 && bare.len() == STREAM_INFO => 0,
            _ => return Err(Error::new("STREAMINFO", magic, "no STREAMINFO block")),
        };
        let Some(info) = record.get(start..start + STREAM_INFO) else {
            return Err(Error::new("STREAMINFO", raw.len(), "cut off"));
        };
        let mut bits = Bits::new(info);
        let fields = (|| {
            let blocks = (bits.read(16)?, bits.read(16)?);
            bits.skip(48)?;
            Some((
                blocks,
                bits.read(20)?,
                bits.small(3)? + 1,
                bits.small(5)? + 1,
            ))
        })();
        let Some(((min_block, max_block), sample_rate, channels, bits_per_sample)) = fields else {
            return Err(Error::new("STREAMINFO", raw.len(), "cut off"));
        };
        if sample_rate == 0 {
            return Err(Error::new("STREAMINFO", start + 10, "sample rate 0"));
        }
        Ok(Self {
            params: AudioParams {
                sample_rate,
                channels,
                frame_samples: (min_block == max_block && min_block > 0).then_some(min_block),
            },
            bits_per_sample,
            stream_info: raw.slice(start..start + STREAM_INFO),
            raw,
        })
    }
}
