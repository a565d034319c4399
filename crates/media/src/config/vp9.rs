//! VPCodecConfigurationRecord (vpcC).
//!
//! Spec: VP9-ISOBMFF §2.2. The record does not say the picture's size: key frames do
//! (VP9 §6.2, §7.2).
//!
//! ```text
//! | marker 2: 10 | profile 2 [reserved] | show existing 1 | not key 1 | show 1 | resilient 1 |
//! | sync 49 83 42 | [12 bit 1] colour space 3 | range 1 [subsampling 2, reserved 1] |
//! | width - 1, 16 | height - 1, 16 | …
//! ```

use bytes::Bytes;

use super::bits::Bits;
use super::{Error, VideoParams};

/// What stands before the colours of a key frame.
const SYNC_CODE: u32 = 0x49_83_42;
/// `color_space` of RGB.
const RGB: u8 = 7;

/// A parsed VPCodecConfigurationRecord.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy; with the box's version and flags in front when they came.
    pub raw: Bytes,
    /// All zero from the record, which does not say; see [`Config::sized_by`].
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

    /// This configuration with the size that a key frame states; `None` when `frame` is none, or
    /// cannot be read.
    #[must_use]
    pub fn sized_by(&self, frame: &[u8]) -> Option<Self> {
        let header = KeyFrame::read(frame)?;
        Some(Self {
            params: header.params(),
            ..self.clone()
        })
    }

    /// The configuration of a publisher that sends no record, from its key frame; `None` when
    /// `frame` is none, or cannot be read. The level is the lowest that has room for such pictures,
    /// as the bitstream does not say it; of the colours only the matrix is known.
    #[must_use]
    pub fn from_key_frame(frame: &[u8]) -> Option<Self> {
        let header = KeyFrame::read(frame)?;
        let mut config = Self::parse(&header.record()).ok()?;
        config.params = header.params();
        Some(config)
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

/// What the uncompressed header of a key frame says.
#[derive(Debug, PartialEq, Eq)]
struct KeyFrame {
    profile: u8,
    bit_depth: u8,
    color_space: u8,
    is_full_range: bool,
    /// Halved horizontally, vertically.
    subsampling: (bool, bool),
    width: u32,
    height: u32,
}

impl KeyFrame {
    fn read(frame: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(frame);
        let marker = bits.small(2)?;
        let profile = bits.small(1)? | bits.small(1)? << 1;
        if profile == 3 {
            bits.skip(1)?;
        }
        let (shows_existing, is_inter) = (bits.flag()?, bits.flag()?);
        if marker != 2 || shows_existing || is_inter {
            return None;
        }
        bits.skip(2)?;
        if bits.read(24)? != SYNC_CODE {
            return None;
        }
        let bit_depth = match profile {
            0 | 1 => 8,
            _ if bits.flag()? => 12,
            _ => 10,
        };
        let has_subsampling = profile & 1 == 1;
        let color_space = bits.small(3)?;
        let is_full_range = color_space == RGB || bits.flag()?;
        let subsampling = match (color_space, has_subsampling) {
            (RGB, _) => (false, false),
            (_, true) => (bits.flag()?, bits.flag()?),
            _ => (true, true),
        };
        if has_subsampling {
            bits.skip(1)?;
        }
        Some(Self {
            profile,
            bit_depth,
            color_space,
            is_full_range,
            subsampling,
            width: bits.read(16)? + 1,
            height: bits.read(16)? + 1,
        })
    }

    fn params(&self) -> VideoParams {
        VideoParams {
            width: self.width,
            height: self.height,
            ..VideoParams::default()
        }
    }

    /// The record that describes it, with the version and flags of its box.
    fn record(&self) -> [u8; 12] {
        // VP9-ISOBMFF §2.2; 4:4:0 has no value of its own there.
        let chroma = match self.subsampling {
            (true, true) => 1,
            (true, false) => 2,
            (false, _) => 3,
        };
        // VP9 §7.2.2 to ITU-T H.273 table 4.
        let matrix = match self.color_space {
            1 => 5,
            2 => 1,
            3 => 6,
            4 => 7,
            5 => 9,
            RGB => 0,
            _ => UNSPECIFIED,
        };
        let depth = self.bit_depth << 4 | chroma << 1 | u8::from(self.is_full_range);
        let colours = [UNSPECIFIED, UNSPECIFIED, matrix];
        let [primaries, transfer, matrix] = colours;
        let (profile, level) = (self.profile, self.level());
        [
            1, 0, 0, 0, profile, level, depth, primaries, transfer, matrix, 0, 0,
        ]
    }

    /// Lowest level with room for pictures of this size (VP9 levels: luma samples, longest side).
    fn level(&self) -> u8 {
        let samples = u64::from(self.width) * u64::from(self.height);
        let side = self.width.max(self.height);
        let fits = |&&(_, max_samples, max_side): &&(u8, u64, u32)| {
            samples <= max_samples && side <= max_side
        };
        LEVELS
            .iter()
            .find(fits)
            .map_or(HIGHEST_LEVEL, |level| level.0)
    }
}

/// Level, most luma samples of a picture, longest side. Levels that differ in their rates only are
/// left out: the header does not state a rate.
const LEVELS: [(u8, u64, u32); 9] = [
    (10, 36_864, 512),
    (11, 73_728, 768),
    (20, 122_880, 960),
    (21, 245_760, 1_344),
    (30, 552_960, 2_048),
    (31, 983_040, 2_752),
    (40, 2_228_224, 4_160),
    (50, 8_912_896, 8_384),
    (60, 35_651_584, 16_832),
];
const HIGHEST_LEVEL: u8 = 62;
/// Colours that are not known (ITU-T H.273).
const UNSPECIFIED: u8 = 2;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Bits as text to bytes.
    fn bytes(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
        let chunks = digits.chunks(8);
        let byte = |chunk: &[u8]| {
            chunk
                .iter()
                .fold(0, |byte, digit| byte << 1 | (digit - b'0'))
        };
        chunks.map(byte).collect()
    }

    #[test]
    fn key_frames_of_every_profile_state_their_size() {
        let sync = "010010011000001101000010";
        // 319 and 179: a picture of 320x180.
        let size = "0000000100111111 0000000010110011 0000000";
        for (head, colours) in [
            ("10 00 0 0 1 0", "010 0"),
            ("10 10 0 0 1 0", "010 0 000"),
            ("10 10 0 0 1 0", "111 0"),
            ("10 01 0 0 1 0", "1 010 0"),
            ("10 11 0 0 0 1 1", "0 010 0 110"),
        ] {
            let frame = bytes(&format!("{head}{sync}{colours}{size}"));
            let size = KeyFrame::read(&frame).map(|read| (read.width, read.height));
            assert_eq!(size, Some((320, 180)), "{head} {colours}");
            for cut in 0..9 {
                assert_eq!(KeyFrame::read(&frame[..cut]), None);
            }
        }
        // Inter frame, shown again, other marker, no sync code.
        for head in [
            "10 00 0 1 1 0",
            "10 00 1 0 1 0",
            "01 00 0 0 1 0",
            "10 00 0 0 1 0 1",
        ] {
            let frame = bytes(&format!("{head}{sync}0100{size}"));
            assert_eq!(KeyFrame::read(&frame), None, "{head}");
        }
    }

    #[test]
    fn a_record_is_sized_by_its_frames() {
        let config = Config::parse(&[1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0]).unwrap();
        assert_eq!(config.params, VideoParams::default());
        let frame = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0b, 0x30, 0];
        let sized = config.sized_by(&frame).unwrap();
        assert_eq!((sized.params.width, sized.params.height), (320, 180));
        assert_eq!(sized.raw, config.raw);
        assert!(config.sized_by(&frame[1..]).is_none());
    }

    #[test]
    fn a_key_frame_makes_a_record() {
        let frame = |head: &str, colours: &str, width: u32, height: u32| {
            let sync = "010010011000001101000010";
            let size = format!("{:016b}{:016b}0000000", width - 1, height - 1);
            Config::from_key_frame(&bytes(&format!("{head}{sync}{colours}{size}"))).unwrap()
        };
        for (head, colours, (width, height), want) in [
            // Profile 0, BT.709, limited range.
            ("10 00 0 0 1 0", "010 0", (320, 180), "vp09.00.11.08 82 1"),
            // Unknown colours, full range.
            ("10 00 0 0 1 0", "000 1", (1280, 720), "vp09.00.31.08 83 2"),
            ("10 00 0 0 1 0", "000 0", (1920, 1088), "vp09.00.40.08 82 2"),
            // A narrow picture has the level of its longest side.
            ("10 00 0 0 1 0", "000 0", (16, 4_000), "vp09.00.40.08 82 2"),
            (
                "10 00 0 0 1 0",
                "000 0",
                (60_000, 60_000),
                "vp09.00.62.08 82 2",
            ),
            // 4:4:4, 4:2:2 and RGB.
            (
                "10 10 0 0 1 0",
                "001 0 000",
                (160, 90),
                "vp09.01.10.08 86 5",
            ),
            (
                "10 10 0 0 1 0",
                "011 0 100",
                (160, 90),
                "vp09.01.10.08 84 6",
            ),
            ("10 10 0 0 1 0", "111 0", (160, 90), "vp09.01.10.08 87 0"),
            // 10 and 12 bit, BT.2020.
            (
                "10 01 0 0 1 0",
                "0 101 0",
                (3840, 2160),
                "vp09.02.50.10 a2 9",
            ),
            (
                "10 11 0 0 0 1 1",
                "1 101 0 000",
                (160, 90),
                "vp09.03.10.12 c6 9",
            ),
        ] {
            let config = frame(head, colours, width, height);
            let (depth, matrix) = (config.raw[6], config.raw[9]);
            let got = format!("{} {depth:x} {matrix}", config.codec_string());
            assert_eq!(got, want);
            let size = (config.params.width, config.params.height);
            assert_eq!(size, (width, height));
        }
        assert!(Config::from_key_frame(&[0x86, 0]).is_none());
    }
}
