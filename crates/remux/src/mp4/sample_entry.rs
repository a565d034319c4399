//! Sample entries: codec configuration as MP4 stores it (ISO/IEC 14496-12 §8.5.2).
//!
//! ```text
//! H.264  avc1 { avcC }     AAC    mp4a { esds: object type 0x40, AudioSpecificConfig }
//! HEVC   hvc1 { hvcC }     MP3    mp4a { esds: object type 0x6b or 0x69 }
//! AV1    av01 { av1C }     Opus   Opus { dOps }
//! VP9    vp09 { vpcC }     FLAC   fLaC { dfLa }
//!                          AC-3   ac-3 { dac3 }    E-AC-3  ec-3 { dec3 }
//! ```
//!
//! Configuration records go through the structures of `mp4-atom`, which write them back as they
//! were; only hvcC is changed, because `hvc1` promises complete arrays (Apple players take no
//! other HEVC entry).

use media::config::{AudioParams, VideoParams, h264, mp3, opus};
use media::{CodecConfig, Track};
use mp4_atom as mp4;

use crate::left_out::configuration;

/// `objectTypeIndication` of ISO/IEC 14496-3 audio (AAC).
const OBJECT_AAC: u8 = 0x40;
/// `objectTypeIndication` of ISO/IEC 11172-3 audio: MPEG-1.
const OBJECT_MPEG1_AUDIO: u8 = 0x6b;
/// `objectTypeIndication` of ISO/IEC 13818-3 audio: MPEG-2, lower sample rates.
const OBJECT_MPEG2_AUDIO: u8 = 0x69;
/// `streamType` of audio (ISO/IEC 14496-1 table 6).
const STREAM_AUDIO: u8 = 5;

/// `matrixCoefficients` of RGB and of what is not known (ITU-T H.273 table 4).
const MATRIX_RGB: u8 = 0;
const MATRIX_UNSPECIFIED: u8 = 2;
/// `chromaSubsampling` of pictures that RGB can have (VP9-ISOBMFF §2.2).
const CHROMA_444: u8 = 3;
/// Shortest vpcC record: without initialisation data.
const VPCC_LEN: usize = 8;

/// The sample entry of `track`, or why it has none.
pub(super) fn sample_entry(track: &Track) -> Result<mp4::Codec, String> {
    let config = configuration(track)?;
    if config.video().is_some_and(|video| video.width == 0) {
        // Browsers refuse the whole file over a video track without a size.
        return Err("its picture size is not known yet; RTMP and FLV still have it".to_owned());
    }
    entry(config)
        .map_err(|error| format!("its codec configuration cannot be written to MP4: {error}"))
}

fn entry(config: &CodecConfig) -> Result<mp4::Codec, mp4::Error> {
    Ok(match config {
        CodecConfig::H264(c) => mp4::Avc1 {
            visual: visual(c.params),
            avcc: avcc(c)?,
            ..Default::default()
        }
        .into(),
        CodecConfig::H265(c) => mp4::Hvc1 {
            visual: visual(c.params),
            hvcc: complete(decode(&c.raw)?),
            ..Default::default()
        }
        .into(),
        CodecConfig::Av1(c) => mp4::Av01 {
            visual: visual(c.params),
            av1c: decode(&c.raw)?,
            ..Default::default()
        }
        .into(),
        CodecConfig::Vp9(c) => mp4::Vp09 {
            visual: visual(c.params),
            vpcc: vpcc(&c.raw)?,
            ..Default::default()
        }
        .into(),
        CodecConfig::Aac(c) => mp4a(
            c.params,
            OBJECT_AAC,
            Some(mp4::esds::DecoderSpecific {
                profile: c.object_type,
                freq_index: c.frequency_index,
                chan_conf: c.channel_configuration,
                raw: c.raw.to_vec(),
            }),
        ),
        CodecConfig::Mp3(c) => mp4a(c.params, mp3_object_type(c), None),
        CodecConfig::Opus(c) => mp4::Opus {
            audio: mp4::Audio {
                // Always 48 kHz (Opus in ISOBMFF §4.3.1).
                sample_rate: 48_000.into(),
                ..audio(c.params)
            },
            dops: dops(c)?,
            btrt: None,
        }
        .into(),
        CodecConfig::Flac(c) => mp4::Flac {
            audio: audio(c.params),
            // One metadata block, the last: type 0, 34 bytes (FLAC in ISOBMFF §3.3.2).
            dfla: decode_full(0, &[&[0x80, 0, 0, 34], c.stream_info.as_ref()].concat())?,
        }
        .into(),
        CodecConfig::Ac3(c) => mp4::Ac3 {
            audio: audio(c.params),
            dac3: decode(&c.raw)?,
        }
        .into(),
        CodecConfig::Eac3(c) => mp4::Eac3 {
            audio: audio(c.params),
            dec3: decode(&c.raw)?,
        }
        .into(),
        _ => return Err(mp4::Error::UnknownCodec),
    })
}

/// Reads a box body.
fn decode<A: mp4::Atom>(body: &[u8]) -> Result<A, mp4::Error> {
    A::decode_body(&mut { body })
}

/// Reads the body of a full box, version and flags 0, put before `body`.
fn decode_full<A: mp4::Atom>(version: u8, body: &[u8]) -> Result<A, mp4::Error> {
    decode(&[&[version, 0, 0, 0], body].concat())
}

fn visual(params: VideoParams) -> mp4::Visual {
    mp4::Visual {
        data_reference_index: 1,
        width: u16::try_from(params.width).unwrap_or(u16::MAX),
        height: u16::try_from(params.height).unwrap_or(u16::MAX),
        ..Default::default()
    }
}

fn audio(params: AudioParams) -> mp4::Audio {
    mp4::Audio {
        data_reference_index: 1,
        channel_count: params.channels.into(),
        sample_size: 16,
        // 16 bits of integer: a higher rate is 0 here and true in the codec's own box.
        sample_rate: u16::try_from(params.sample_rate).unwrap_or(0).into(),
    }
}

/// The record as it came; its parameter sets alone when the part behind them is damaged, which
/// decoders do not need.
fn avcc(config: &h264::Config) -> Result<mp4::Avcc, mp4::Error> {
    decode(&config.raw).or_else(|error| match (config.sps.first(), config.pps.first()) {
        (Some(sps), Some(pps)) => Ok(mp4::Avcc {
            length_size: config.nal_length_size,
            sequence_parameter_sets: config.sps.iter().map(|set| set.to_vec()).collect(),
            picture_parameter_sets: config.pps.iter().map(|set| set.to_vec()).collect(),
            ..mp4::Avcc::new(sps, pps)?
        }),
        _ => Err(error),
    })
}

/// `hvc1`: parameter sets are in the sample entry only (ISO/IEC 14496-15 §8.4.1).
fn complete(mut hvcc: mp4::Hvcc) -> mp4::Hvcc {
    for array in &mut hvcc.arrays {
        array.completeness |= (32..=34).contains(&array.nal_unit_type);
    }
    hvcc
}

/// The record comes with version and flags (from FLV, as in the box) or without.
fn vpcc(raw: &[u8]) -> Result<mp4::VpcC, mp4::Error> {
    let mut vpcc: mp4::VpcC = match raw {
        [1, 0, 0, 0, record @ ..] if record.len() >= VPCC_LEN => decode_full(1, record)?,
        record => decode_full(1, record)?,
    };
    // Colours that a publisher does not know: FFmpeg 9 says RGB when it relays FLV.
    let is_rgb = vpcc.matrix_coefficients == MATRIX_RGB;
    if is_rgb && vpcc.chroma_subsampling != CHROMA_444 {
        vpcc.matrix_coefficients = MATRIX_UNSPECIFIED;
    }
    Ok(vpcc)
}

fn mp4a(
    params: AudioParams,
    object_type_indication: u8,
    dec_specific: Option<mp4::esds::DecoderSpecific>,
) -> mp4::Codec {
    mp4::Mp4a {
        audio: audio(params),
        esds: mp4::Esds {
            es_desc: mp4::esds::EsDescriptor {
                dec_config: mp4::esds::DecoderConfig {
                    object_type_indication,
                    stream_type: STREAM_AUDIO,
                    dec_specific,
                    ..Default::default()
                },
                ..Default::default()
            },
        },
        btrt: None,
        taic: None,
    }
    .into()
}

fn mp3_object_type(config: &mp3::Config) -> u8 {
    // MPEG-1 has 32 kHz and above, MPEG-2 and 2.5 the lower rates.
    if config.params.sample_rate >= 32_000 {
        OBJECT_MPEG1_AUDIO
    } else {
        OBJECT_MPEG2_AUDIO
    }
}

/// dOps: the fields of OpusHead, big endian here (Opus in ISOBMFF §4.3.2).
fn dops(config: &opus::Config) -> Result<mp4::Dops, mp4::Error> {
    let channel_mapping = match (config.mapping_family, config.mapping.as_ref()) {
        (0, _) => None,
        (family, &[stream_count, coupled_count, ref mapping @ ..]) => {
            Some(mp4::OpusChannelMapping {
                family,
                stream_count,
                coupled_count,
                channel_mapping: mapping.to_vec(),
            })
        }
        _ => return Err(mp4::Error::OutOfBounds),
    };
    Ok(mp4::Dops {
        output_channel_count: config.params.channels,
        pre_skip: config.pre_skip,
        input_sample_rate: config.input_sample_rate,
        output_gain: config.output_gain,
        channel_mapping,
    })
}
