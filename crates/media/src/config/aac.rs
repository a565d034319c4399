//! AudioSpecificConfig, with both ways to signal SBR and PS, and the ADTS header made of it.
//!
//! ```text
//! | object type 5 | frequency index 4 [rate 24] | channels 4 |
//! [ object type 5 or 29: SBR index 4 [rate 24] | core object type 5 ]      hierarchical
//! | frame length 1 | core coder 1 [delay 14] | extension 1 | [program config] |
//! [ 0x2b7 11 | 5 | SBR 1 | index 4 [rate 24] | 0x548 11 | PS 1 ]           backward compatible
//! ```
//!
//! Spec: ISO/IEC 14496-3 §1.6.2.1, §1.6.5, §4.4.1; ADTS: §1.A.3.2.

use bytes::Bytes;

use super::bits::Bits;
use super::{AudioParams, Error};

/// samplingFrequencyIndex to Hz (ISO/IEC 14496-3 table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Bytes of an ADTS header without CRC.
const ADTS_LEN: usize = 7;

/// A parsed AudioSpecificConfig.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// What a decoder gives out: rate after SBR, channels after PS.
    pub params: AudioParams,
    /// Core object type (ISO/IEC 14496-3 table 1.17): 2 is LC, also for HE-AAC.
    pub object_type: u8,
    /// Whether SBR is signalled explicitly (HE-AAC).
    pub sbr: bool,
    /// Whether PS is signalled explicitly (HE-AAC v2).
    pub ps: bool,
    /// samplingFrequencyIndex of the core; 15 when its rate is none of the table's.
    pub frequency_index: u8,
    /// Core sample rate in Hz.
    pub core_sample_rate: u32,
    /// channelConfiguration; 0 when a program config element says it.
    pub channel_configuration: u8,
}

impl Config {
    /// Parses an AudioSpecificConfig; bytes behind it are ignored.
    ///
    /// # Errors
    /// [`Error`] when it is cut off, or states a reserved rate or channel configuration.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let mut bits = Bits::new(record);
        let fields = Fields::read(&mut bits)
            .map_err(|why| Error::new("AudioSpecificConfig", bits.byte_offset(), why))?;
        let rate = fields.sbr_rate.unwrap_or(fields.core_rate);
        let channels = if fields.ps { 2 } else { fields.channels };
        // SBR doubles the samples of a frame where it doubles the rate.
        let frame_samples = fields
            .frame_samples
            .map(|samples| samples * (rate / fields.core_rate.max(1)).clamp(1, 2));
        Ok(Self {
            raw: Bytes::copy_from_slice(record),
            params: AudioParams {
                sample_rate: rate,
                channels,
                frame_samples,
            },
            object_type: fields.object_type,
            sbr: fields.sbr_rate.is_some(),
            ps: fields.ps,
            frequency_index: rate_index(fields.core_rate),
            core_sample_rate: fields.core_rate,
            channel_configuration: fields.channel_configuration,
        })
    }

    /// `mp4a.40.2` LC, `.5` HE-AAC, `.29` HE-AAC v2 (RFC 6381 §3.3).
    #[must_use]
    pub fn codec_string(&self) -> String {
        let object_type = match (self.sbr, self.ps) {
            (_, true) => 29,
            (true, false) => 5,
            (false, false) => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }

    /// `AAC-LC`, `HE-AAC`, `HE-AACv2`.
    #[must_use]
    pub fn profile_name(&self) -> &'static str {
        match (self.object_type, self.sbr, self.ps) {
            (_, _, true) => "HE-AACv2",
            (_, true, false) => "HE-AAC",
            (1, ..) => "AAC Main",
            (2, ..) => "AAC-LC",
            (3, ..) => "AAC SSR",
            (4, ..) => "AAC-LTP",
            (23, ..) => "AAC-LD",
            (39, ..) => "AAC-ELD",
            (42, ..) => "xHE-AAC",
            _ => "AAC",
        }
    }

    /// The ADTS header of a raw frame of `payload_len` bytes; SBR and PS stay implicit in it.
    ///
    /// # Errors
    /// [`Error`] when ADTS cannot say it: an object type beyond 4, a rate that is none of the
    /// table's, channels by program config element, a frame of more than 8184 bytes.
    pub fn adts_header(&self, payload_len: usize) -> Result<[u8; ADTS_LEN], Error> {
        let fail = |why: &str| Error::new("ADTS header", 0, why);
        if !(1..=4).contains(&self.object_type) {
            return Err(fail("object type beyond 4"));
        }
        if usize::from(self.frequency_index) >= RATES.len() {
            return Err(fail("sample rate without an index"));
        }
        if !(1..=7).contains(&self.channel_configuration) {
            return Err(fail("channel configuration beyond 7, or none"));
        }
        let len = payload_len.saturating_add(ADTS_LEN);
        let len = u16::try_from(len)
            .ok()
            .filter(|&len| len < 1 << 13)
            .ok_or_else(|| fail("frame of more than 8184 bytes"))?;
        let [high, low] = (len << 5).to_be_bytes();
        let first = (self.object_type - 1) << 6
            | self.frequency_index << 2
            | self.channel_configuration >> 2;
        let second = self.channel_configuration << 6 | u8::try_from(len >> 11).unwrap_or(0);
        // `len << 5` lost the two bits that `second` holds. Buffer fullness is 0x7ff: variable
        // rate; one raw data block.
        Ok([0xff, 0xf1, first, second, high, low | 0x1f, 0xfc])
    }
}

/// The index of a rate; 15 when it has none.
fn rate_index(rate: u32) -> u8 {
    let index = RATES.iter().position(|&known| known == rate);
    index
        .and_then(|index| u8::try_from(index).ok())
        .unwrap_or(15)
}

/// What the record says.
struct Fields {
    object_type: u8,
    core_rate: u32,
    channel_configuration: u8,
    channels: u8,
    frame_samples: Option<u32>,
    /// With SBR: the rate after it.
    sbr_rate: Option<u32>,
    ps: bool,
}

const CUT_OFF: &str = "cut off";

impl Fields {
    fn read(bits: &mut Bits<'_>) -> Result<Self, &'static str> {
        let mut object_type = object_type(bits).ok_or(CUT_OFF)?;
        let core_rate = sample_rate(bits)?;
        let channel_configuration = bits.small(4).ok_or(CUT_OFF)?;
        let mut sbr_rate = None;
        let ps = object_type == 29;
        if matches!(object_type, 5 | 29) {
            sbr_rate = Some(sample_rate(bits)?);
            object_type = self::object_type(bits).ok_or(CUT_OFF)?;
            if object_type == 22 {
                bits.skip(4).ok_or(CUT_OFF)?;
            }
        }
        let mut fields = Self {
            object_type,
            core_rate,
            channel_configuration,
            channels: channels(channel_configuration)?,
            frame_samples: None,
            sbr_rate,
            ps,
        };
        match object_type {
            1..=4 | 6 | 7 | 17 | 19..=23 => fields.ga_specific_config(bits)?,
            39 => {
                let short = bits.flag().ok_or(CUT_OFF)?;
                fields.frame_samples = Some(if short { 480 } else { 512 });
                return Ok(fields);
            }
            _ => return Ok(fields),
        }
        if object_type >= 17 && bits.skip(2).is_none() {
            return Ok(fields);
        }
        if fields.sbr_rate.is_none() {
            // Optional, and often followed by filler: what does not parse is not there.
            fields.sync_extension(&mut bits.clone());
        }
        Ok(fields)
    }

    /// ISO/IEC 14496-3 §4.4.1.
    fn ga_specific_config(&mut self, bits: &mut Bits<'_>) -> Result<(), &'static str> {
        let short = bits.flag().ok_or(CUT_OFF)?;
        self.frame_samples = Some(match (self.object_type, short) {
            (23, false) => 512,
            (23, true) => 480,
            (_, false) => 1024,
            (_, true) => 960,
        });
        if bits.flag().ok_or(CUT_OFF)? {
            bits.skip(14).ok_or(CUT_OFF)?;
        }
        let extension = bits.flag().ok_or(CUT_OFF)?;
        if self.channel_configuration == 0 {
            self.channels = program_config(bits).ok_or("program config element cut off")?;
            if self.channels == 0 {
                return Err("program config element without channels");
            }
        }
        if matches!(self.object_type, 6 | 20) {
            bits.skip(3).ok_or(CUT_OFF)?;
        }
        if extension {
            let more = match self.object_type {
                22 => 16,
                17 | 19 | 20 | 23 => 3,
                _ => 0,
            };
            bits.skip(more + 1).ok_or(CUT_OFF)?;
        }
        Ok(())
    }

    /// Backward compatible signalling (ISO/IEC 14496-3 §1.6.5.3).
    fn sync_extension(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.read(11)? != 0x2b7 || object_type(bits)? != 5 || !bits.flag()? {
            return None;
        }
        self.sbr_rate = Some(sample_rate(bits).ok()?);
        if bits.read(11)? == 0x548 {
            self.ps = bits.flag()?;
        }
        Some(())
    }
}

/// ISO/IEC 14496-3 §1.6.2.1, GetAudioObjectType.
fn object_type(bits: &mut Bits<'_>) -> Option<u8> {
    match bits.small(5)? {
        31 => Some(32 + bits.small(6)?),
        object_type => Some(object_type),
    }
}

fn sample_rate(bits: &mut Bits<'_>) -> Result<u32, &'static str> {
    let rate = match bits.small(4).ok_or(CUT_OFF)? {
        15 => bits.read(24).ok_or(CUT_OFF)?,
        index => RATES
            .get(usize::from(index))
            .copied()
            .ok_or("reserved sample rate index")?,
    };
    if rate == 0 {
        Err("sample rate 0")
    } else {
        Ok(rate)
    }
}

/// ISO/IEC 14496-3 table 1.19; 0: the program config element says.
fn channels(configuration: u8) -> Result<u8, &'static str> {
    match configuration {
        0..=6 => Ok(configuration),
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        13 => Ok(24),
        _ => Err("reserved channel configuration"),
    }
}

/// The channels of a program_config_element (ISO/IEC 14496-3 §4.4.1.1).
fn program_config(bits: &mut Bits<'_>) -> Option<u8> {
    bits.skip(4 + 2 + 4)?;
    let [front, side, back] = [bits.small(4)?, bits.small(4)?, bits.small(4)?];
    let lfe = bits.small(2)?;
    let associated = bits.small(3)?;
    let coupling = bits.small(4)?;
    for mixdown in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(mixdown)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += if bits.flag()? { 2 } else { 1 };
        bits.skip(4)?;
    }
    bits.skip(usize::from(lfe) * 4 + usize::from(associated) * 4 + usize::from(coupling) * 5)?;
    bits.align();
    let comment = bits.read(8)?;
    bits.skip(comment as usize * 8)?;
    Some(channels)
}
