//! Audio frames out of an elementary stream: each codec's way to say where the next one begins.
//!
//! ```text
//! AAC      ADTS: fff 12 | … | frame length 13 | … (ISO/IEC 13818-7 §6.2.1), or LATM
//! MP3      header of 4 bytes says the length (ISO/IEC 11172-3 §2.4.1.3)
//! AC-3     0b77 | … (ETSI TS 102 366 §4.3.1); E-AC-3: a frame, and the dependent ones behind it
//! Opus     control header with the length (Opus in MPEG-TS §4.1)
//! ```

use bytes::Bytes;
use media::config::{self, aac, ac3, mp3, opus};
use media::{Codec, CodecConfig};

use super::latm::Latm;

/// What an AAC, AC-3 or E-AC-3 frame has at most: 13 bits, 12 bits of 16-bit words; and how far
/// Opus packets are believed.
const MAX_FRAME: usize = 64 << 10;

/// Splits one audio stream.
#[derive(Debug)]
pub(super) enum Framer {
    /// The header bits that a configuration is made of.
    Adts(Option<[u8; 2]>),
    /// AAC in LATM.
    Latm(Box<Latm>),
    /// Layer III, and the parameters of its last frame.
    Mpeg(Option<Bytes>),
    /// AC-3.
    Ac3(Option<Bytes>),
    /// E-AC-3.
    Eac3(Option<Bytes>),
    /// Channels, as the program map says; whether told.
    Opus { channels: Option<u8>, told: bool },
}

/// What is next in the stream.
#[derive(Debug)]
pub(super) enum Step {
    /// A frame.
    Frame(Frame),
    /// More bytes are needed.
    More,
    /// So many bytes are no frame, and why.
    Skip(usize, &'static str),
    /// A codec that is not read.
    Unsupported(&'static str),
}

/// A frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// Bytes before its payload.
    pub(super) header: usize,
    /// Bytes in all.
    pub(super) len: usize,
    /// Samples, and their rate in Hz.
    pub(super) samples: u32,
    pub(super) rate: u32,
    /// The configuration, when it is new.
    pub(super) config: Option<Result<CodecConfig, config::Error>>,
    /// The payloads, when they are no slice of the stream.
    pub(super) owned: Option<Vec<Bytes>>,
}

impl Framer {
    pub(super) fn new(codec: Codec, opus_channels: Option<u8>) -> Option<Self> {
        Some(match codec {
            Codec::Aac => Self::Adts(None),
            Codec::Mp3 => Self::Mpeg(None),
            Codec::Ac3 => Self::Ac3(None),
            Codec::Eac3 => Self::Eac3(None),
            Codec::Opus => Self::Opus {
                channels: opus_channels,
                told: false,
            },
            _ => return None,
        })
    }

    /// The frame at the beginning of `data`, which is not empty. `whole`: a PES packet ends where
    /// `data` does.
    pub(super) fn next(&mut self, data: &[u8], whole: bool) -> Step {
        let step = match self {
            Self::Adts(known) => adts(data, known),
            Self::Latm(latm) => latm.next(data),
            Self::Mpeg(known) => mpeg(data, known),
            Self::Ac3(known) => ac3(data, known),
            Self::Eac3(known) => eac3(data, known, whole),
            Self::Opus { channels, told } => opus(data, *channels, told),
        };
        match step {
            Step::More if data.len() > MAX_FRAME => Step::Skip(1, "a frame without an end"),
            Step::Frame(frame) if frame.len > data.len() => Step::More,
            Step::Skip(..) => Step::Skip(self.skip(data), "no frame where one should begin"),
            step => step,
        }
    }

    /// Bytes up to where a frame may begin next.
    fn skip(&self, data: &[u8]) -> usize {
        let (first, mask, second) = match self {
            Self::Adts(_) => (0xff, 0xf6, 0xf0),
            Self::Latm(_) => (0x56, 0xe0, 0xe0),
            Self::Mpeg(_) => (0xff, 0xe0, 0xe0),
            Self::Ac3(_) | Self::Eac3(_) => (0x0b, 0xff, 0x77),
            Self::Opus { .. } => (0x7f, 0xe0, 0xe0),
        };
        let rest = data.get(1..).unwrap_or_default();
        let found = memchr::memchr_iter(first, rest)
            .find(|at| rest.get(at + 1).is_none_or(|byte| byte & mask == second));
        1 + found.unwrap_or(rest.len())
    }
}

/// A frame of these bytes; `config` is told when `key` is not the known one.
fn frame<K: PartialEq>(
    (header, len): (usize, usize),
    (samples, rate): (u32, u32),
    known: &mut Option<K>,
    key: K,
    config: impl FnOnce() -> Result<CodecConfig, config::Error>,
) -> Step {
    let config = (known.as_ref() != Some(&key)).then(|| {
        *known = Some(key);
        config()
    });
    Step::Frame(Frame {
        header,
        len,
        samples,
        rate,
        config,
        owned: None,
    })
}

fn adts(data: &[u8], known: &mut Option<[u8; 2]>) -> Step {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let Some(&[sync, flags, a, b, l0, l1, last]) = data.first_chunk() else {
        return Step::More;
    };
    let len = usize::from(b & 3) << 11 | usize::from(l0) << 3 | usize::from(l1 >> 5);
    let header = if flags & 1 == 1 { 7 } else { 9 };
    let index = a >> 2 & 0x0f;
    let rate = RATES.get(usize::from(index));
    let (true, Some(&rate), true) = (sync == 0xff && flags & 0xf6 == 0xf0, rate, len >= header)
    else {
        return Step::Skip(1, "no ADTS header");
    };
    if last & 3 != 0 {
        return Step::Unsupported("AAC with several raw data blocks in an ADTS frame");
    }
    if len > data.len() {
        return Step::More;
    }
    // Object type 5 bits, index 4, channels 4, then zeros: 1024 samples, no core, no extension.
    let (object_type, channels) = ((a >> 6) + 1, (a & 1) << 2 | b >> 6);
    let record = [object_type << 3 | index >> 1, index << 7 | channels << 3];
    frame((header, len), (1_024, rate), known, record, || {
        aac::Config::parse(&record).map(CodecConfig::Aac)
    })
}

fn mpeg(data: &[u8], known: &mut Option<Bytes>) -> Step {
    let Some(&[sync, flags, ..]) = data.first_chunk::<4>() else {
        return Step::More;
    };
    if sync == 0xff && flags & 0xe0 == 0xe0 && matches!(flags >> 1 & 3, 2 | 3) {
        return Step::Unsupported("MPEG audio of layer I or II");
    }
    let Ok(config) = mp3::Config::from_frame(data) else {
        return Step::Skip(1, "no MPEG audio header");
    };
    let Some(len) = config.frame_bytes else {
        return Step::Unsupported("MP3 of free format");
    };
    if len as usize > data.len() {
        return Step::More;
    }
    let timing = (
        config.params.frame_samples.unwrap_or(1_152),
        config.params.sample_rate,
    );
    let key = config.raw.clone();
    frame((0, len as usize), timing, known, key, || {
        Ok(CodecConfig::Mp3(config))
    })
}

/// Bytes that the header of an AC-3 or E-AC-3 frame is read from.
const AC3_HEADER: usize = 8;

fn ac3(data: &[u8], known: &mut Option<Bytes>) -> Step {
    if data.len() < AC3_HEADER {
        return Step::More;
    }
    // DVB has E-AC-3 under AC-3's descriptor, and ATSC's stream type of the one with the other.
    let Ok(config) = ac3::Config::from_ac3_frame(data) else {
        return Step::Skip(1, "no AC-3 header");
    };
    let len = config.frame_bytes as usize;
    if len > data.len() {
        return Step::More;
    }
    let timing = (1_536, config.params.sample_rate);
    let key = config.raw.clone();
    frame((0, len), timing, known, key, || {
        Ok(CodecConfig::Ac3(config))
    })
}

fn eac3(data: &[u8], known: &mut Option<Bytes>, whole: bool) -> Step {
    if data.len() < AC3_HEADER {
        return Step::More;
    }
    let Ok(config) = ac3::Config::from_eac3_frame(data) else {
        return Step::Skip(1, "no E-AC-3 header");
    };
    let mut len = config.frame_bytes as usize;
    loop {
        // Stream type 2 bits, substream 3, frame size 11 (ETSI TS 102 366 §E.1.2.2).
        let Some(&[s0, s1, a, b]) = data.get(len..).and_then(|rest| rest.first_chunk()) else {
            if data.len() == len && whole {
                break;
            }
            return Step::More;
        };
        let is_dependent = (s0, s1) == (0x0b, 0x77) && (a >> 6 == 1 || a >> 3 & 7 != 0);
        if !is_dependent || len > MAX_FRAME {
            break;
        }
        len += 2 * (usize::from(u16::from_be_bytes([a & 7, b])) + 1);
    }
    if len > data.len() {
        return Step::More;
    }
    // The record has the data rate too, which changes from frame to frame.
    let key = Bytes::copy_from_slice(&[
        config.fscod,
        config.bsid,
        config.acmod,
        u8::from(config.lfe),
        u8::from(len > config.frame_bytes as usize),
    ]);
    let samples = config.params.frame_samples.unwrap_or(1_536);
    let timing = (samples, config.params.sample_rate);
    let unit = data.get(..len).unwrap_or_default();
    frame((0, len), timing, known, key, || {
        ac3::Config::from_eac3_frame(unit).map(CodecConfig::Eac3)
    })
}

fn opus(data: &[u8], channels: Option<u8>, told: &mut bool) -> Step {
    let Some(&[sync, flags]) = data.first_chunk() else {
        return Step::More;
    };
    if sync != 0x7f || flags & 0xe0 != 0xe0 {
        return Step::Skip(1, "no Opus control header");
    }
    let mut at = 2;
    let mut size = 0;
    loop {
        let Some(&byte) = data.get(at) else {
            return Step::More;
        };
        at += 1;
        size += usize::from(byte);
        if byte != 255 {
            break;
        }
        if size > MAX_FRAME {
            return Step::Skip(1, "an Opus packet without an end");
        }
    }
    // Trims of 16 bits each; an extension with its length.
    at += 2 * (usize::from(flags >> 4 & 1) + usize::from(flags >> 3 & 1));
    if flags & 4 != 0 {
        let Some(&len) = data.get(at) else {
            return Step::More;
        };
        at += 1 + usize::from(len);
    }
    let Some(packet) = data.get(at..at + size) else {
        return Step::More;
    };
    let config = (!std::mem::replace(told, true)).then(|| {
        let channels = channels.unwrap_or(2);
        opus::Config::parse(&opus_head(channels)).map(CodecConfig::Opus)
    });
    Step::Frame(Frame {
        header: at,
        len: at + size,
        samples: opus::packet_samples(packet),
        rate: 48_000,
        config,
        owned: None,
    })
}

/// OpusHead of a channel configuration code (Opus in MPEG-TS §3.2, RFC 7845 §5.1): 1 and 2 channels
/// without a mapping, 3 to 8 in Vorbis order, 0 two independent ones. The pre-skip is not known.
fn opus_head(code: u8) -> Vec<u8> {
    // Streams, coupled streams, and the stream of each channel (RFC 7845 §5.1.1.2).
    const VORBIS: [(u8, u8, &[u8]); 6] = [
        (2, 1, &[0, 2, 1]),
        (2, 2, &[0, 1, 2, 3]),
        (3, 2, &[0, 4, 1, 2, 3]),
        (4, 2, &[0, 4, 1, 2, 3, 5]),
        (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
        (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
    ];
    let channels = if (1..=8).contains(&code) { code } else { 2 };
    let mut head = b"OpusHead".to_vec();
    head.extend([1, channels, 0, 0, 0x80, 0xbb, 0, 0, 0, 0]);
    match channels
        .checked_sub(3)
        .and_then(|n| VORBIS.get(usize::from(n)))
    {
        Some((streams, coupled, mapping)) => {
            head.extend([1, *streams, *coupled]);
            head.extend_from_slice(mapping);
        }
        None => head.push(0),
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_heads_are_read_for_every_channel_code() {
        for code in 0..=255 {
            let config = opus::Config::parse(&opus_head(code)).expect("sound");
            let want = if (1..=8).contains(&code) { code } else { 2 };
            assert_eq!(config.params.channels, want);
        }
    }
}
