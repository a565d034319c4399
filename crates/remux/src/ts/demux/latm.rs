//! AAC in LATM (ISO/IEC 14496-3 §1.7): frames whose bits begin anywhere in a byte.
//!
//! ```text
//! AudioSyncStream     0x2b7 11 | length 13 | AudioMuxElement
//! AudioMuxElement     same configuration 1 | [StreamMuxConfig] | payload length 8… | payload
//! StreamMuxConfig     version 1 [A 1] | [fullness…] | same framing 1 | subframes 6 | programs 4 |
//!                     layers 3 | AudioSpecificConfig | frame length type 3 | fullness 8 |
//!                     other data 1 […] | CRC 1 [8]
//! ```
//!
//! One program of one layer with frames of explicit length is read: all that broadcasters send.

use bytes::Bytes;
use media::CodecConfig;
use media::config::{self, aac};

use super::audio::{Frame, Step};

/// Longest AudioSpecificConfig that is looked at, in bits. Threat: it is copied bit by bit.
const MAX_CONFIG_BITS: usize = 8 * 64;

/// Reads the multiplex of one stream.
#[derive(Debug, Default)]
pub(super) struct Latm {
    mux: Option<Mux>,
    /// The record that was told last.
    told: Bytes,
}

/// A StreamMuxConfig.
#[derive(Clone, Debug)]
struct Mux {
    subframes: usize,
    other_data_bits: usize,
    record: Bytes,
    config: Result<aac::Config, config::Error>,
}

impl Latm {
    /// The AudioSyncStream at the beginning of `data`.
    pub(super) fn next(&mut self, data: &[u8]) -> Step {
        let Some(&[a, b, c]) = data.first_chunk() else {
            return Step::More;
        };
        if a != 0x56 || b & 0xe0 != 0xe0 {
            return Step::Skip(1, "no LATM sync word");
        }
        let len = 3 + usize::from(u16::from_be_bytes([b & 0x1f, c]));
        let Some(element) = data.get(3..len) else {
            return Step::More;
        };
        let mut bits = Bits {
            bytes: element,
            at: 0,
        };
        let payloads = match self.element(&mut bits) {
            Some(payloads) => payloads,
            // Before the first configuration there is nothing to read with.
            None if self.mux.is_none() => Vec::new(),
            None => return Step::Skip(len, "a LATM element that cannot be read"),
        };
        let Some(mux) = &self.mux else {
            return Step::Frame(Frame {
                header: len,
                len,
                samples: 0,
                rate: 1,
                config: None,
                owned: Some(Vec::new()),
            });
        };
        let told = mux.record == self.told;
        self.told = mux.record.clone();
        let (samples, rate) = match &mux.config {
            Ok(config) => (config_samples(config), config.core_sample_rate),
            Err(_) => (1_024, 48_000),
        };
        Step::Frame(Frame {
            header: 0,
            len,
            samples,
            rate,
            config: (!told).then(|| mux.config.clone().map(CodecConfig::Aac)),
            owned: Some(payloads),
        })
    }

    /// AudioMuxElement(1), §1.7.3.
    fn element(&mut self, bits: &mut Bits<'_>) -> Option<Vec<Bytes>> {
        if bits.read(1)? == 0 {
            self.mux = Some(Mux::read(bits)?);
        }
        let mux = self.mux.as_ref()?;
        let mut payloads = Vec::new();
        for _ in 0..mux.subframes {
            let mut len = 0;
            loop {
                let byte = bits.read(8)? as usize;
                len += byte;
                if byte != 255 {
                    break;
                }
            }
            payloads.push(bits.bytes(8 * len)?);
        }
        bits.skip(mux.other_data_bits)?;
        payloads.retain(|payload| !payload.is_empty());
        Some(payloads)
    }
}

/// Samples of a frame before SBR.
fn config_samples(config: &aac::Config) -> u32 {
    let samples = config.params.frame_samples.unwrap_or(1_024);
    match config.params.sample_rate / config.core_sample_rate.max(1) {
        2 => samples / 2,
        _ => samples,
    }
}

impl Mux {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let version = bits.read(1)?;
        if version == 1 && bits.read(1)? == 1 {
            return None;
        }
        if version == 1 {
            bits.latm_value()?;
        }
        let same_framing = bits.read(1)?;
        let subframes = bits.read(6)? as usize + 1;
        let (programs, layers) = (bits.read(4)?, bits.read(3)?);
        if same_framing == 0 || programs != 0 || layers != 0 {
            return None;
        }
        let record = if version == 0 {
            let mut end = bits.clone();
            skip_config(&mut end)?;
            bits.bytes(end.at - bits.at)?
        } else {
            let len = bits.latm_value()?;
            bits.bytes(len)?
        };
        // frameLengthType 0: lengths are explicit.
        if bits.read(3)? != 0 {
            return None;
        }
        bits.skip(8)?;
        let mut other_data_bits = 0;
        if bits.read(1)? == 1 {
            if version == 1 {
                other_data_bits = bits.latm_value()?;
            } else {
                loop {
                    let more = bits.read(1)?;
                    other_data_bits = other_data_bits << 8 | bits.read(8)? as usize;
                    if more == 0 {
                        break;
                    }
                    if other_data_bits > 1 << 20 {
                        return None;
                    }
                }
            }
        }
        if bits.read(1)? == 1 {
            bits.skip(8)?;
        }
        Some(Self {
            subframes,
            other_data_bits,
            config: aac::Config::parse(&record),
            record,
        })
    }
}

/// Passes over an AudioSpecificConfig (§1.6.2.1), whose length nothing says; object types with a
/// GASpecificConfig (§4.4.1) and channels by number.
fn skip_config(bits: &mut Bits<'_>) -> Option<()> {
    fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
        match bits.read(5)? {
            31 => Some(32 + bits.read(6)?),
            object_type => Some(object_type),
        }
    }
    fn rate(bits: &mut Bits<'_>) -> Option<()> {
        match bits.read(4)? {
            15 => bits.skip(24),
            _ => Some(()),
        }
    }
    let mut kind = object_type(bits)?;
    rate(bits)?;
    let channels = bits.read(4)?;
    if matches!(kind, 5 | 29) {
        rate(bits)?;
        kind = object_type(bits)?;
    }
    if !matches!(kind, 1..=4) || channels == 0 {
        return None;
    }
    bits.skip(1)?;
    if bits.read(1)? == 1 {
        bits.skip(14)?;
    }
    // extensionFlag has nothing behind it for these object types.
    bits.skip(1)
}

/// A place in a byte slice, in bits.
#[derive(Clone, Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// At most 25 bits.
    fn read(&mut self, count: usize) -> Option<u32> {
        let first = self.at / 8;
        let end = (self.at + count).div_ceil(8);
        let word = self
            .bytes
            .get(first..end)?
            .iter()
            .fold(0u64, |word, &byte| word << 8 | u64::from(byte));
        let value = word >> (8 * end - self.at - count) & ((1 << count) - 1);
        self.at += count;
        u32::try_from(value).ok()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        let end = self.at.checked_add(count)?;
        (end <= 8 * self.bytes.len()).then(|| self.at = end)
    }

    /// Bits as bytes of their own, zeros behind the last; the shift is the same for all of them.
    fn bytes(&mut self, count: usize) -> Option<Bytes> {
        let from = self.bytes.get(self.at / 8..)?;
        let shift = self.at % 8;
        self.skip(count)?;
        let mut out: Vec<u8> = (0..count.div_ceil(8))
            .map(|n| {
                let [high, low] = [n, n + 1].map(|n| from.get(n).copied().unwrap_or_default());
                let [byte, _] = (u16::from_be_bytes([high, low]) << shift).to_be_bytes();
                byte
            })
            .collect();
        if let (Some(last), rest @ 1..) = (out.last_mut(), count % 8) {
            *last &= 0xff << (8 - rest);
        }
        Some(out.into())
    }

    /// LatmGetValue (§1.7.3.1), bounded as a length of bits.
    fn latm_value(&mut self) -> Option<usize> {
        let count = self.read(2)? + 1;
        let mut value = 0;
        for _ in 0..count {
            value = value << 8 | self.read(8)? as usize;
        }
        (value <= MAX_CONFIG_BITS).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes bits, most significant first.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn put(&mut self, value: u32, count: usize) -> &mut Self {
            self.0
                .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn sync_stream(&self) -> Vec<u8> {
            let bytes: Vec<u8> = self
                .0
                .chunks(8)
                .map(|bits| {
                    (0..8).fold(0, |byte, n| {
                        byte << 1 | u8::from(bits.get(n) == Some(&true))
                    })
                })
                .collect();
            let [high, low] = u16::try_from(bytes.len()).expect("short").to_be_bytes();
            [&[0x56, 0xe0 | high, low][..], &bytes].concat()
        }
    }

    fn frame(step: Step) -> Frame {
        match step {
            Step::Frame(frame) => frame,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn payload_is_shifted_into_place_and_configuration_told_once() {
        let mut bits = Writer::default();
        // With configuration, version 0, same framing, 1 subframe, 1 program, 1 layer.
        bits.put(0, 1)
            .put(0, 1)
            .put(1, 1)
            .put(0, 6)
            .put(0, 4)
            .put(0, 3);
        // LC, 48 kHz, stereo; explicit lengths, fullness, no other data, no CRC.
        bits.put(0x1190, 16)
            .put(0, 3)
            .put(0xff, 8)
            .put(0, 1)
            .put(0, 1);
        bits.put(255, 8).put(2, 8);
        for n in 0..257u32 {
            bits.put(n & 0xff, 8);
        }
        let first = bits.sync_stream();
        let mut next = Writer::default();
        next.put(1, 1).put(3, 8).put(0xabcdef, 24);
        let second = next.sync_stream();

        let mut latm = Latm::default();
        let data = [&first[..], &second].concat();
        // Nothing can be read before the configuration.
        let early = frame(latm.next(&second));
        assert_eq!((early.len, early.owned), (second.len(), Some(Vec::new())));
        let told = frame(latm.next(&data));
        let want: Bytes = (0..257u32).map(|n| (n & 0xff) as u8).collect();
        assert_eq!((told.len, told.owned), (first.len(), Some(vec![want])));
        assert_eq!((told.samples, told.rate), (1_024, 48_000));
        let config = told.config.expect("new").expect("sound");
        assert_eq!(config.raw()[..], [0x11, 0x90]);
        let again = frame(latm.next(&data[first.len()..]));
        assert_eq!(
            again.owned,
            Some(vec![Bytes::from_static(&[0xab, 0xcd, 0xef])])
        );
        assert!(again.config.is_none());
        for end in 0..first.len() {
            assert!(
                matches!(Latm::default().next(&data[..end]), Step::More),
                "{end}"
            );
        }
    }

    #[test]
    fn other_sync_words_and_short_elements_are_skipped() {
        assert!(matches!(
            Latm::default().next(&[0x56, 0, 0]),
            Step::Skip(1, _)
        ));
        let mut latm = Latm::default();
        let cut = frame(latm.next(&[0x56, 0xe0, 1, 0x20]));
        assert_eq!((cut.len, cut.owned), (4, Some(Vec::new())));
    }
}
