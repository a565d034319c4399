//! How each codec's access units are framed in an elementary stream.
//!
//! ```text
//! H.264, HEVC   00 00 00 01 AUD | 00 00 00 01 parameter sets… | 00 00 00 01 NAL unit | …
//!               (ITU-T H.264 annex B; AUD and sets only where the unit lacks them, and a
//!               trailing zero byte, §B.1.1, behind each that is the unit's own: so a reader that
//!               takes ours out again, as `demux` does, has the unit as it was)
//! AAC           ADTS header, 7 bytes (ISO/IEC 13818-7 §6.2.1) | raw frame
//! Opus          control header: 0x3ff 11, start trim 1, end trim 1, extension 1, reserved 2 |
//!               size as 0xff… and a last byte below | packet (Opus in MPEG-TS §4.1)
//! MP3, AC-3     frames as they are
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use media::nal::{self, LengthPrefixed};
use media::{AccessUnit, Codec, CodecConfig, Track};
use mpeg2ts::es::StreamType;
use mpeg2ts::ts::Descriptor;

use super::packet::Packetiser;
use super::{Error, pes, psi};
use crate::left_out::configuration;

/// Start code before every NAL unit: with zero_byte, which the first of an access unit and
/// parameter sets need (H.264 §B.1.2); as long as the usual length prefix.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// H.264 access unit delimiter, any slice types (§7.3.2.4).
const AUD_H264: [u8; 6] = [0, 0, 0, 1, 0x09, 0xf0];
/// HEVC access unit delimiter, any slice types (§7.3.2.5).
const AUD_H265: [u8; 7] = [0, 0, 0, 1, 0x46, 0x01, 0x50];
/// Bytes of an ADTS header without CRC.
const ADTS_LEN: usize = 7;
/// Bits behind `aac_frame_length` in it.
const ADTS_FRAME_SHIFT: u32 = 13;
/// Largest `aac_frame_length`: 13 bits.
const ADTS_MAX_FRAME: usize = 0x1fff;

/// How a stream is written, and how the PMT announces it.
#[derive(Clone, Debug)]
pub(super) struct Carriage {
    pub(super) stream_type: StreamType,
    pub(super) descriptors: Vec<Descriptor>,
    /// First `stream_id` of its kind.
    pub(super) stream_id: u8,
    pub(super) framing: Framing,
}

/// The framing of one track.
#[derive(Clone, Debug)]
pub(super) enum Framing {
    /// NAL units.
    Nal(NalFraming),
    /// AAC: the header of a frame of no bytes at all.
    Adts(u64),
    /// Opus.
    Opus,
    /// Self-framed audio.
    Raw,
}

/// H.264 or HEVC.
#[derive(Clone, Debug)]
pub(super) struct NalFraming {
    length_size: u8,
    hevc: bool,
    /// The parameter sets of the codec configuration with their start codes.
    sets: Bytes,
}

impl Carriage {
    /// How to carry `track`, or why not.
    pub(super) fn of(track: &Track) -> Result<Self, String> {
        let config = configuration(track)?;
        let audio = |stream_type, framing| Self {
            stream_type,
            descriptors: Vec::new(),
            stream_id: pes::AUDIO,
            framing,
        };
        Ok(match config {
            CodecConfig::H264(c) => Self {
                stream_type: StreamType::H264,
                descriptors: Vec::new(),
                stream_id: pes::VIDEO,
                framing: Framing::Nal(NalFraming {
                    length_size: c.nal_length_size.clamp(1, 4),
                    hevc: false,
                    sets: annex_b(c.sps.iter().chain(&c.pps)),
                }),
            },
            CodecConfig::H265(c) => Self {
                stream_type: StreamType::H265,
                descriptors: vec![psi::registration(*b"HEVC")],
                stream_id: pes::VIDEO,
                framing: Framing::Nal(NalFraming {
                    length_size: c.nal_length_size.clamp(1, 4),
                    hevc: true,
                    sets: annex_b(c.vps.iter().chain(&c.sps).chain(&c.pps)),
                }),
            },
            CodecConfig::Aac(c) => {
                // Refuses what no header can say, whatever the frame.
                let [a, b, c, d, e, f, g] = c.adts_header(0).map_err(|error| {
                    let why = error.why;
                    format!("MPEG-TS carries AAC as ADTS ({why}); fMP4 carries it")
                })?;
                let header = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
                let no_length = header & !((ADTS_MAX_FRAME as u64) << ADTS_FRAME_SHIFT);
                audio(StreamType::AdtsAac, Framing::Adts(no_length))
            }
            // MPEG-1 has 32 kHz and above, MPEG-2 and 2.5 the lower rates.
            CodecConfig::Mp3(c) if c.params.sample_rate >= 32_000 => {
                audio(StreamType::Mpeg1Audio, Framing::Raw)
            }
            CodecConfig::Mp3(_) => audio(StreamType::Mpeg2HalvedSampleRateAudio, Framing::Raw),
            // ATSC A/52 annexes A and G: stream type and registration descriptor.
            CodecConfig::Ac3(_) => Self {
                descriptors: vec![psi::registration(*b"AC-3")],
                stream_id: pes::PRIVATE_1,
                ..audio(StreamType::DolbyDigitalUpToSixChannelAudio, Framing::Raw)
            },
            CodecConfig::Eac3(_) => Self {
                descriptors: vec![psi::registration(*b"EAC3")],
                stream_id: pes::PRIVATE_1,
                ..audio(
                    StreamType::DolbyDigitalPlusUpTo16ChannelAudioForAtsc,
                    Framing::Raw,
                )
            },
            // Channel configuration codes 1 to 8: that many channels in Vorbis order (Opus in
            // MPEG-TS §3.2); other layouts need a mapping table that no reader was seen to take.
            CodecConfig::Opus(c) if (1..=8).contains(&c.params.channels) => Self {
                descriptors: vec![
                    psi::registration(*b"Opus"),
                    psi::opus_channels(c.params.channels),
                ],
                stream_id: pes::PRIVATE_1,
                ..audio(StreamType::Mpeg2PacketizedData, Framing::Opus)
            },
            CodecConfig::Opus(c) => {
                return Err(format!(
                    "MPEG-TS carries Opus of 1 to 8 channels, not {}",
                    c.params.channels
                ));
            }
            CodecConfig::Av1(_) => {
                return Err("no HLS player reads AV1 in MPEG-TS; they read it in fMP4".to_owned());
            }
            other => return Err(not_in_ts(other.codec())),
        })
    }
}

fn not_in_ts(codec: Codec) -> String {
    format!("MPEG-TS does not carry {codec}; fMP4 does")
}

/// The sets one after the other, each behind a start code.
fn annex_b<'a>(sets: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    for set in sets.filter(|set| !set.is_empty()) {
        out.put_slice(&START_CODE);
        out.put_slice(set);
    }
    out.freeze()
}

/// What is added to an access unit, and the length of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Length of the framed unit in bytes; 0: nothing to write.
    pub(super) len: usize,
    aud: bool,
    sets: bool,
}

impl Framing {
    /// Measures `unit` and decides what has to be added to it.
    #[inline]
    pub(super) fn plan(&self, unit: &AccessUnit) -> Result<Plan, Error> {
        let payload = unit.payload.len();
        let plan = |len| Plan {
            len,
            aud: false,
            sets: false,
        };
        if payload == 0 {
            return Ok(plan(0));
        }
        let framed = match self {
            Self::Nal(nal) => return nal.plan(unit),
            Self::Adts(_) => payload + ADTS_LEN,
            Self::Opus => payload + 2 + payload / 255 + 1,
            Self::Raw => payload,
        };
        let max = match self {
            Self::Adts(_) => ADTS_MAX_FRAME,
            _ => pes::MAX_BOUNDED,
        };
        if framed > max {
            return Err(Error::FrameTooLong {
                track: unit.track,
                len: payload,
                max: max - (framed - payload),
            });
        }
        Ok(plan(framed))
    }

    /// Writes the framed unit: `plan.len` bytes.
    #[inline]
    pub(super) fn put(&self, plan: Plan, payload: &[u8], packets: &mut Packetiser<'_>) {
        match self {
            Self::Nal(nal) => nal.put(plan, payload, packets),
            Self::Adts(header) => {
                let header = header | (plan.len as u64) << ADTS_FRAME_SHIFT;
                let [_, header @ ..] = header.to_be_bytes();
                packets.put(&header);
                packets.put(payload);
            }
            Self::Opus => {
                packets.put(&[0x7f, 0xe0]);
                let mut size = payload.len();
                while size >= 255 {
                    packets.put(&[255]);
                    size -= 255;
                }
                packets.put(&[u8::try_from(size).unwrap_or(u8::MAX)]);
                packets.put(payload);
            }
            Self::Raw => packets.put(payload),
        }
    }
}

impl NalFraming {
    #[inline]
    fn plan(&self, unit: &AccessUnit) -> Result<Plan, Error> {
        let mut offset = 0;
        let mut len = 0;
        let mut aud = false;
        let mut kinds = 0u64;
        for nal in LengthPrefixed::new(&unit.payload, self.length_size) {
            offset += usize::from(self.length_size) + nal.len();
            let Some(kind) = self.kind(nal) else {
                continue;
            };
            aud |= kind == self.aud_kind();
            kinds |= 1 << kind;
            len += START_CODE.len() + nal.len() + usize::from(self.is_marked(kind));
        }
        if offset != unit.payload.len() {
            return Err(Error::NalLength {
                track: unit.track,
                offset,
            });
        }
        if len == 0 {
            return Ok(Plan {
                len,
                aud: false,
                sets: false,
            });
        }
        let sets = unit.is_random_access() && !self.has_sets(kinds);
        Ok(Plan {
            len: len
                + if aud { 0 } else { self.aud().len() }
                + if sets { self.sets.len() } else { 0 },
            aud: !aud,
            sets,
        })
    }

    fn kind(&self, nal: &[u8]) -> Option<u8> {
        if self.hevc {
            nal::h265::kind(nal)
        } else {
            nal::h264::kind(nal)
        }
    }

    fn aud_kind(&self) -> u8 {
        if self.hevc {
            nal::h265::AUD
        } else {
            nal::h264::AUD
        }
    }

    fn aud(&self) -> &'static [u8] {
        if self.hevc { &AUD_H265 } else { &AUD_H264 }
    }

    /// Whether every kind of parameter set is among `kinds`, a bit per `nal_unit_type`. When one is
    /// missing all are added: they come first, so those in the unit override them.
    fn has_sets(&self, kinds: u64) -> bool {
        use nal::{h264, h265};
        let all = if self.hevc {
            1 << h265::VPS | 1 << h265::SPS | 1 << h265::PPS
        } else {
            1 << h264::SPS | 1 << h264::PPS
        };
        kinds & all == all
    }

    /// Whether a NAL unit of the publisher's is of a kind that we add too.
    fn is_marked(&self, kind: u8) -> bool {
        use nal::{h264, h265};
        if self.hevc {
            (h265::VPS..=h265::AUD).contains(&kind)
        } else {
            (h264::SPS..=h264::AUD).contains(&kind)
        }
    }

    #[inline]
    fn put(&self, plan: Plan, payload: &[u8], packets: &mut Packetiser<'_>) {
        if plan.aud {
            packets.put(self.aud());
        }
        let mut sets = plan.sets;
        let mut put_sets = |packets: &mut Packetiser<'_>| {
            if std::mem::take(&mut sets) {
                packets.put(&self.sets);
            }
        };
        if plan.aud {
            put_sets(packets);
        }
        for nal in LengthPrefixed::new(payload, self.length_size) {
            let Some(kind) = self.kind(nal) else {
                continue;
            };
            // The unit's own delimiter stays first.
            if kind != self.aud_kind() {
                put_sets(packets);
            }
            packets.put(&START_CODE);
            packets.put(nal);
            if self.is_marked(kind) {
                packets.put(&[0]);
            }
        }
        put_sets(packets);
    }
}
