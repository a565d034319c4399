//! VPCodecConfigurationRecord (vpcC).
//!
//! Spec: VP9-ISOBMFF §2.2. The record does not say the picture's size: key frames do.

use bytes::Bytes;

use super::{Error, VideoParams};

/// A parsed VPCodecConfigurationRecord.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy; with the box's version and flags in front when they came.
    pub raw: Bytes,
    /// All zero: the record does not say.
    pub params: VideoParams,
    /// 0–3.
    pub profile: u8,
    /// Ten times the level: 31 is 3.1.
    pub level: u8,
    /// 8, 10 or 12.
    pub bit_depth: u8,
    /// 0 and 1: 4:2:0 (vertical, collocated), 2: 4:2:2, 3: 4:4:4.
    pub chroma_subsampling: u8,
}

impl Config {
    /// Parses a VPCodecConfigurationRecord, also with the version and flags of its box in front,
    /// as ffmpeg writes it to FLV.
    ///
    /// # Errors
    /// [`Error`] when it is cut off or a value is out of its range.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let (start, fields) = match record {
            [1, 0, 0, 0, fields @ ..] if fields.len() >= 8 => (4, fields),
            fields => (0, fields),
        };
        let Some(&[profile, level, depth]) = fields.first_chunk() else {
            return Err(Error::new("vpcC", raw.len(), "cut off"));
        };
        if profile > 3 {
            return Err(Error::new("vpcC", start, format!("profile {profile}")));
        }
        let bit_depth = depth >> 4;
        if !matches!(bit_depth, 8 | 10 | 12) {
            return Err(Error::new(
                "vpcC",
                start + 2,
                format!("bit depth {bit_depth}"),
            ));
        }
        Ok(Self {
            raw,
            params: VideoParams::default(),
            profile,
            level,
            bit_depth,
            chroma_subsampling: depth >> 1 & 7,
        })
    }

    /// `vp09.00.31.08` (VP9-ISOBMFF §4).
    #[must_use]
    pub fn codec_string(&self) -> String {
        format!(
            "vp09.{:02}.{:02}.{:02}",
            self.profile, self.level, self.bit_depth
        )
    }
}
