//! AC-3 and E-AC-3 frame headers.
//!
//! Spec: ETSI TS 102 366 §4.3 (AC-3 syncinfo, bsi), §E.1.2 (E-AC-3 bsi), §F.4 and §F.6 (the boxes
//! dac3 and dec3, whose payload is the record that is kept).

use bytes::Bytes;

use super::bits::Bits;
use super::{AudioParams, Error};

/// fscod to Hz.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// kbit/s by half of frmsizecod.
const BIT_RATES: [u32; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];
/// Channels by acmod, without the low frequency one.
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// A parsed AC-3 or E-AC-3 frame header.
#[derive(Clone, Debug)]
pub struct Config {
    /// The payload of an MP4 dac3 or dec3 box: what the codec's record would be if it had one.
    pub raw: Bytes,
    /// Parameters; E-AC-3: of the independent substream.
    pub params: AudioParams,
    /// Length of the frame it was read from, in bytes with the header.
    pub frame_bytes: u32,
    /// Sample rate code; 3 for the half rates of E-AC-3.
    pub fscod: u8,
    /// Bit stream identification: 8 AC-3, 16 E-AC-3.
    pub bsid: u8,
    /// Bit stream mode: 0 main.
    pub bsmod: u8,
    /// Audio coding mode: channels without the low frequency one.
    pub acmod: u8,
    /// Whether there is a low frequency channel.
    pub lfe: bool,
}

impl Config {
    /// Parses the header at the beginning of an AC-3 frame.
    ///
    /// # Errors
    /// [`Error`] when there is no sync word, it is E-AC-3, or a value is reserved.
    pub fn from_ac3_frame(frame: &[u8]) -> Result<Self, Error> {
        let mut bits = sync(frame, "AC-3 frame header")?;
        let parsed = (|| {
            bits.skip(16)?;
            let (fscod, size_code) = (bits.small(2)?, bits.small(6)?);
            let (bsid, bsmod, acmod) = (bits.small(5)?, bits.small(3)?, bits.small(3)?);
            // Mix levels: centre with three front channels, surround, Dolby Surround with two.
            let mix = [acmod & 1 == 1 && acmod != 1, acmod & 4 != 0, acmod == 2];
            for present in mix {
                bits.skip(if present { 2 } else { 0 })?;
            }
            Some((fscod, size_code, bsid, bsmod, acmod, bits.flag()?))
        })();
        let fail = |offset, why: &str| Error::new("AC-3 frame header", offset, why);
        let Some((fscod, size_code, bsid, bsmod, acmod, lfe)) = parsed else {
            return Err(fail(frame.len(), "cut off"));
        };
        if bsid > 10 {
            return Err(fail(5, "not AC-3"));
        }
        let Some(&full_rate) = RATES.get(usize::from(fscod)) else {
            return Err(fail(4, "reserved sample rate"));
        };
        let Some(&kilobits) = BIT_RATES.get(usize::from(size_code / 2)) else {
            return Err(fail(4, "reserved frame size"));
        };
        // bsid 9 and 10: half and quarter rates, of no standard.
        let sample_rate = full_rate >> bsid.saturating_sub(8);
        // 16-bit words of 1536 samples; at 44.1 kHz the odd codes have one more (table 4.13).
        let words = kilobits * 96_000 / full_rate
            + if fscod == 1 {
                u32::from(size_code & 1)
            } else {
                0
            };
        let record = u32::from(fscod) << 22
            | u32::from(bsid) << 17
            | u32::from(bsmod) << 14
            | u32::from(acmod) << 11
            | u32::from(lfe) << 10
            | u32::from(size_code / 2) << 5;
        let [_, raw @ ..] = record.to_be_bytes();
        Ok(Self {
            raw: Bytes::copy_from_slice(&raw),
            params: params(sample_rate, acmod, lfe, 1_536),
            frame_bytes: words * 2,
            fscod,
            bsid,
            bsmod,
            acmod,
            lfe,
        })
    }

    /// Parses the header at the beginning of an E-AC-3 frame, and counts the dependent substreams
    /// behind it in the same access unit.
    ///
    /// # Errors
    /// [`Error`] when there is no sync word, it is AC-3 or a dependent substream, or a value is
    /// reserved.
    pub fn from_eac3_frame(frame: &[u8]) -> Result<Self, Error> {
        let fail = |offset, why: &str| Error::new("E-AC-3 frame header", offset, why);
        let bsi = Bsi::read(frame)?;
        if bsi.kind == 1 {
            return Err(fail(2, "dependent substream first"));
        }
        let data_rate = u64::from(bsi.frame_bytes) * 8 * u64::from(bsi.sample_rate)
            / u64::from(bsi.samples)
            / 1_000;
        let dependents = dependents(frame, bsi.frame_bytes);
        let record = data_rate.min(0x1fff) << 27
            | u64::from(bsi.fscod) << 22
            | u64::from(bsi.bsid) << 17
            | u64::from(bsi.acmod) << 9
            | u64::from(bsi.lfe) << 8
            | dependents << 1;
        // Without dependents there is one reserved bit, with them nine bits of their places, which
        // only parsing all of the dependent header would tell: left zero.
        let bytes = record.to_be_bytes();
        let raw = bytes.get(3..).unwrap_or_default();
        let mut raw = raw.to_vec();
        if dependents > 0 {
            raw.push(0);
        }
        Ok(Self {
            raw: raw.into(),
            params: params(bsi.sample_rate, bsi.acmod, bsi.lfe, bsi.samples),
            frame_bytes: bsi.frame_bytes,
            fscod: bsi.fscod,
            bsid: bsi.bsid,
            bsmod: 0,
            acmod: bsi.acmod,
            lfe: bsi.lfe,
        })
    }
}

/// The beginning of an E-AC-3 bsi (ETSI TS 102 366 §E.1.2.2).
struct Bsi {
    /// strmtyp: 0 independent, 1 dependent, 2 transcoded from AC-3.
    kind: u8,
    frame_bytes: u32,
    fscod: u8,
    sample_rate: u32,
    samples: u32,
    acmod: u8,
    lfe: bool,
    bsid: u8,
}

impl Bsi {
    fn read(frame: &[u8]) -> Result<Self, Error> {
        let fail = |offset, why: &str| Error::new("E-AC-3 frame header", offset, why);
        let mut bits = sync(frame, "E-AC-3 frame header")?;
        let parsed = (|| {
            let kind = bits.small(2)?;
            bits.skip(3)?;
            let size = bits.read(11)?;
            let (fscod, code) = (bits.small(2)?, bits.small(2)?);
            Some((
                kind,
                size,
                fscod,
                code,
                bits.small(3)?,
                bits.flag()?,
                bits.small(5)?,
            ))
        })();
        let Some((kind, size, fscod, code, acmod, lfe, bsid)) = parsed else {
            return Err(fail(frame.len(), "cut off"));
        };
        if !(11..=16).contains(&bsid) {
            return Err(fail(5, "not E-AC-3"));
        }
        if kind == 3 {
            return Err(fail(2, "reserved stream type"));
        }
        // With fscod 3 the code is a half rate, and there are six blocks.
        let (rate_code, half, blocks) = match fscod {
            3 => (code, 1, 6),
            _ => (
                fscod,
                0,
                [1, 2, 3, 6].get(usize::from(code)).copied().unwrap_or(6),
            ),
        };
        let Some(&rate) = RATES.get(usize::from(rate_code)) else {
            return Err(fail(4, "reserved sample rate"));
        };
        Ok(Self {
            kind,
            frame_bytes: (size + 1) * 2,
            fscod,
            sample_rate: rate >> half,
            samples: blocks * 256,
            acmod,
            lfe,
            bsid,
        })
    }
}

/// Dependent substreams that follow the first frame of an access unit; at most 8 exist.
fn dependents(unit: &[u8], first: u32) -> u64 {
    let mut at = first as usize;
    let mut count = 0;
    while count < 8 {
        let Some(Ok(bsi)) = unit.get(at..).map(Bsi::read) else {
            break;
        };
        if bsi.kind != 1 {
            break;
        }
        count += 1;
        at += bsi.frame_bytes as usize;
    }
    count
}

fn sync<'a>(frame: &'a [u8], what: &'static str) -> Result<Bits<'a>, Error> {
    let mut bits = Bits::new(frame);
    match bits.read(16) {
        Some(0x0b77) => Ok(bits),
        Some(_) => Err(Error::new(what, 0, "no sync word")),
        None => Err(Error::new(what, frame.len(), "cut off")),
    }
}

fn params(sample_rate: u32, acmod: u8, lfe: bool, samples: u32) -> AudioParams {
    let channels = CHANNELS.get(usize::from(acmod)).copied().unwrap_or(2);
    AudioParams {
        sample_rate,
        channels: channels + u8::from(lfe),
        frame_samples: Some(samples),
    }
}
