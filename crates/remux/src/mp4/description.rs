//! Sample descriptions: the entries of `stsd` as codec configurations.
//!
//! ```text
//! stsd  entry: | 6 reserved | data reference u16 | video 70 or audio 20 bytes | boxes |
//!       avc1 avc3 { avcC }   hvc1 hev1 { hvcC }   av01 { av1C }   vp09 { vpcC }
//!       mp4a { esds }        Opus { dOps }        fLaC { dfLa }   ac-3 { dac3 }   ec-3 { dec3 }
//!       .mp3 (QuickTime)     mp4a of QuickTime: more audio fields, { wave { esds } }
//! ```
//!
//! Spec: ISO/IEC 14496-12 §8.5.2, §12.1.3, §12.2.3; 14496-14 §6.7; 14496-1 §7.2.6; QuickTime File
//! Format, "Sound Sample Description".

use bytes::Bytes;
use media::config::{AudioParams, VideoParams, ac3};
use media::{Codec, CodecConfig, FourCc, Unconfigured};

use super::boxes::{Fields, Kind, child, children};

/// Where the configuration of a track comes from when its sample entry does not have it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The sample entry.
    Entry,
    /// Parameter sets within the samples (avc3, hev1).
    ParameterSets,
    /// The header of the first frame: MP3, AC-3, E-AC-3.
    Frame,
}

/// A sample entry that can be carried.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) codec: Codec,
    pub(super) config: Result<CodecConfig, Unconfigured>,
    pub(super) source: Source,
}

/// An entry that cannot be carried: its codec and why.
#[derive(Clone, Debug)]
pub(super) struct Unsupported {
    pub(super) codec: Codec,
    pub(super) reason: String,
}

/// The entries of the body of `stsd`, for a track of this `handler`.
pub(super) fn descriptions(stsd: &Bytes, handler: Kind) -> Vec<Result<Description, Unsupported>> {
    let Some(entries) = stsd.get(8..).map(|entries| stsd.slice_ref(entries)) else {
        return Vec::new();
    };
    // Their number is bounded by the bytes: each has a header of 8.
    children(&entries)
        .map(|(kind, body)| describe(kind, &body, handler))
        .collect()
}

fn describe(kind: Kind, body: &Bytes, handler: Kind) -> Result<Description, Unsupported> {
    let format = FourCc(kind);
    let unsupported = |codec, reason: &str| Unsupported {
        codec,
        reason: reason.to_owned(),
    };
    match (&handler, &kind) {
        (b"vide" | b"soun", b"encv" | b"enca") => Err(unsupported(
            Codec::OtherVideo(format),
            "it is encrypted; decrypt it first",
        )),
        (b"vide", _) => video(kind, body)
            .ok_or_else(|| unsupported(Codec::OtherVideo(format), "its codec is not known")),
        (b"soun", _) => audio(kind, body)
            .ok_or_else(|| unsupported(Codec::OtherAudio(format), "its codec is not known")),
        _ => {
            let handler = handler.escape_ascii();
            let reason = format!("it is neither audio nor video (handler {handler})");
            Err(unsupported(Codec::OtherVideo(format), &reason))
        }
    }
}

fn video(kind: Kind, body: &Bytes) -> Option<Description> {
    let (codec, config_kind) = match &kind {
        b"avc1" | b"avc3" => (Codec::H264, b"avcC"),
        b"hvc1" | b"hev1" => (Codec::H265, b"hvcC"),
        b"av01" => (Codec::Av1, b"av1C"),
        b"vp09" => (Codec::Vp9, b"vpcC"),
        _ => return None,
    };
    let (fixed, boxes) = body.split_at_checked(78)?;
    let mut size = Fields(fixed.get(24..)?);
    let stated = VideoParams {
        width: size.u16()?.into(),
        height: size.u16()?.into(),
        frame_rate: None,
    };
    let record = child(&body.slice_ref(boxes), config_kind);
    let mut config = match &record {
        Some(record) => CodecConfig::parse(codec, record).map_err(Unconfigured::Malformed),
        None => Err(Unconfigured::Missing),
    };
    // The record of VP9 never says the size, that of AV1 need not.
    let params = match &mut config {
        Ok(CodecConfig::Vp9(config)) => Some(&mut config.params),
        Ok(CodecConfig::Av1(config)) => Some(&mut config.params),
        _ => None,
    };
    if let Some(params) = params.filter(|params| params.width == 0) {
        *params = stated;
    }
    let in_band = config.is_err() && matches!(codec, Codec::H264 | Codec::H265);
    Some(Description {
        codec,
        source: if in_band {
            Source::ParameterSets
        } else {
            Source::Entry
        },
        config: match config {
            // The record has no sets: they are in the samples.
            Err(_) if in_band => Err(Unconfigured::Missing),
            config => config,
        },
    })
}

fn audio(kind: Kind, body: &Bytes) -> Option<Description> {
    let (params, boxes) = audio_fields(body)?;
    let parsed = |codec, record: Option<Bytes>| Description {
        codec,
        config: match record {
            Some(record) => CodecConfig::parse(codec, &record).map_err(Unconfigured::Malformed),
            None => Err(Unconfigured::Missing),
        },
        source: Source::Entry,
    };
    let framed = |codec, config: Option<CodecConfig>| Description {
        codec,
        config: config.ok_or(Unconfigured::Missing),
        source: Source::Frame,
    };
    Some(match &kind {
        b"mp4a" => {
            let wave = child(&boxes, b"wave");
            let esds = child(&boxes, b"esds").or_else(|| child(&wave?, b"esds"));
            match esds.as_deref().and_then(decoder_config) {
                Some((0x40 | 0x66..=0x68, record)) => {
                    parsed(Codec::Aac, record.map(Bytes::copy_from_slice))
                }
                Some((0x69 | 0x6b, _)) => framed(Codec::Mp3, mp3(params)),
                Some((0xa5, _)) => framed(Codec::Ac3, None),
                Some((0xa6, _)) => framed(Codec::Eac3, None),
                _ => return None,
            }
        }
        b".mp3" => framed(Codec::Mp3, mp3(params)),
        b"Opus" => parsed(Codec::Opus, child(&boxes, b"dOps")),
        b"fLaC" => {
            let record = child(&boxes, b"dfLa");
            // Version and flags are the box's, not the codec's.
            parsed(
                Codec::Flac,
                record.and_then(|mut r| (r.len() >= 4).then(|| r.split_off(4))),
            )
        }
        b"ac-3" => framed(Codec::Ac3, child(&boxes, b"dac3").and_then(|r| dac3(&r))),
        b"ec-3" => framed(Codec::Eac3, child(&boxes, b"dec3").and_then(|r| dec3(&r))),
        _ => return None,
    })
}

/// What an audio sample entry says, and its boxes.
fn audio_fields(body: &Bytes) -> Option<(AudioParams, Bytes)> {
    let mut fields = Fields(body);
    fields.skip(8)?;
    // Versions 1 and 2 are QuickTime's.
    let version = fields.u16()?;
    fields.skip(6)?;
    let channels = fields.u16()?;
    fields.skip(6)?;
    let sample_rate = fields.u32()? >> 16;
    fields.skip(match version {
        0 => 0,
        1 => 16,
        _ => 36,
    })?;
    let params = AudioParams {
        sample_rate,
        channels: u8::try_from(channels).unwrap_or(u8::MAX),
        frame_samples: None,
    };
    Some((params, body.slice_ref(fields.0)))
}

/// Object type and decoder specific info of an `esds`.
fn decoder_config(esds: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    let mut fields = Fields(esds);
    fields.version()?;
    let mut es = Fields(descriptor(&mut fields, 3)?);
    es.u16()?;
    let flags = es.u8()?;
    if flags & 0x80 != 0 {
        es.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let len = es.u8()?;
        es.skip(len.into())?;
    }
    if flags & 0x20 != 0 {
        es.skip(2)?;
    }
    let mut config = Fields(descriptor(&mut es, 4)?);
    let object_type = config.u8()?;
    config.skip(12)?;
    Some((object_type, descriptor(&mut config, 5)))
}

/// The body of the next descriptor, which must have this tag; cut to what is there.
fn descriptor<'a>(fields: &mut Fields<'a>, tag: u8) -> Option<&'a [u8]> {
    if fields.u8()? != tag {
        return None;
    }
    let mut len = 0usize;
    for _ in 0..4 {
        let byte = fields.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (body, rest) = fields.0.split_at(len.min(fields.0.len()));
    fields.0 = rest;
    Some(body)
}

/// The configuration of MP3 at this rate: a frame header made up of it, which the first frame's
/// own replaces.
fn mp3(params: AudioParams) -> Option<CodecConfig> {
    let rates: [[u32; 3]; 3] = [
        [44_100, 48_000, 32_000],
        [22_050, 24_000, 16_000],
        [11_025, 12_000, 8_000],
    ];
    // Layer III without CRC; 128 or 80 kbit/s.
    let versions = [0xfb, 0xf3, 0xe3];
    let (version, index) = rates.iter().zip(versions).find_map(|(rates, version)| {
        let index = rates.iter().position(|&rate| rate == params.sample_rate)?;
        Some((version, u8::try_from(index).ok()?))
    })?;
    let mode = if params.channels == 1 { 0xc0 } else { 0 };
    CodecConfig::from_frame(Codec::Mp3, &[0xff, version, 0x90 | index << 2, mode]).ok()
}

/// Sample rates by `fscod` (ETSI TS 102 366 table 4.1).
const AC3_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Channels by `acmod`, without the low frequency one (table 4.3).
const AC3_CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// The configuration that a `dac3` states (ETSI TS 102 366 §F.4).
fn dac3(record: &[u8]) -> Option<CodecConfig> {
    let [a, b, c] = *record.first_chunk()?;
    let bits = u32::from_be_bytes([0, a, b, c]);
    let field = |shift: u32, width: u32| (bits >> shift & ((1 << width) - 1)) as u8;
    ac3_config(
        record.get(..3)?,
        field(22, 2),
        field(17, 5),
        field(14, 3),
        field(11, 3),
        field(10, 1),
    )
    .map(CodecConfig::Ac3)
}

/// The configuration that a `dec3` states of its first independent substream (§F.6).
fn dec3(record: &[u8]) -> Option<CodecConfig> {
    let [_, _, a, b, c] = *record.first_chunk()?;
    let bits = u32::from_be_bytes([0, a, b, c]);
    let field = |shift: u32, width: u32| (bits >> shift & ((1 << width) - 1)) as u8;
    ac3_config(
        record,
        field(22, 2),
        field(17, 5),
        field(12, 3),
        field(9, 3),
        field(8, 1),
    )
    .map(CodecConfig::Eac3)
}

fn ac3_config(
    raw: &[u8],
    fscod: u8,
    bsid: u8,
    bsmod: u8,
    acmod: u8,
    lfe: u8,
) -> Option<ac3::Config> {
    let channels = AC3_CHANNELS.get(usize::from(acmod))? + lfe;
    Some(ac3::Config {
        raw: Bytes::copy_from_slice(raw),
        params: AudioParams {
            sample_rate: *AC3_RATES.get(usize::from(fscod))?,
            channels,
            frame_samples: Some(1_536),
        },
        // The record does not say; the first frame does.
        frame_bytes: 0,
        fscod,
        bsid,
        bsmod,
        acmod,
        lfe: lfe == 1,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::boxes::put_box;
    use super::*;
    use crate::mp4::sample_entry::sample_entry;
    use crate::test_media::{AUDIO, AV1C, HVCC, OPUS_HEAD, STREAMINFO, VIDEO, VPCC};
    use crate::test_media::{aac, ac3 as ac3_track, h264, h265, mp3 as mp3_track, track};
    use mp4_atom::Encode as _;

    /// The description that is read of what the muxer writes of `track`.
    fn read_back(track: &media::Track) -> Description {
        let mut stsd = vec![0; 8];
        sample_entry(track).unwrap().encode(&mut stsd).unwrap();
        let handler = match track.kind() {
            media::TrackKind::Video => *b"vide",
            media::TrackKind::Audio => *b"soun",
        };
        let mut read = descriptions(&stsd.into(), handler);
        assert_eq!(read.len(), 1);
        read.pop().unwrap().unwrap()
    }

    #[test]
    fn what_the_muxer_writes_is_read_back() {
        let flac = track(AUDIO, Codec::Flac, STREAMINFO);
        let opus = track(AUDIO, Codec::Opus, OPUS_HEAD);
        let av1 = track(VIDEO, Codec::Av1, AV1C);
        let tracks = [
            h264(),
            h265(),
            av1,
            aac(),
            mp3_track(44_100),
            mp3_track(22_050),
            ac3_track(),
            flac,
            opus,
        ];
        for track in tracks {
            let read = read_back(&track);
            assert_eq!(read.codec, track.codec);
            let (ours, theirs) = (track.config.unwrap(), read.config.unwrap());
            assert_eq!(
                (ours.video(), ours.audio()),
                (theirs.video(), theirs.audio())
            );
            let is_same = match track.codec {
                // The form of MP4, and a complete `hvc1`: same content.
                Codec::Opus | Codec::H265 | Codec::Flac => true,
                _ => ours.raw() == theirs.raw(),
            };
            assert!(is_same, "{ours:?} {theirs:?}");
        }
        assert!(HVCC.len() > 100);
    }

    #[test]
    fn size_comes_from_the_entry_where_the_record_has_none() {
        let mut vp9 = track(VIDEO, Codec::Vp9, VPCC);
        if let Ok(CodecConfig::Vp9(config)) = &mut vp9.config {
            (config.params.width, config.params.height) = (320, 180);
        }
        let params = read_back(&vp9).config.unwrap().video().unwrap();
        assert_eq!((params.width, params.height), (320, 180));
    }

    #[test]
    fn records_without_parameter_sets_point_to_the_samples() {
        let mut stsd = vec![0; 8];
        put_box(&mut stsd, b"avc3", |out| {
            out.extend([0; 78]);
            put_box(out, b"avcC", |out| {
                out.extend([1, 100, 0, 30, 0xff, 0xe0, 0])
            });
        });
        let read = descriptions(&stsd.into(), *b"vide").pop().unwrap().unwrap();
        assert_eq!(read.source, Source::ParameterSets);
        assert!(matches!(read.config, Err(Unconfigured::Missing)));
    }

    #[test]
    fn quicktime_sound_has_its_esds_in_wave() {
        let esds = {
            let mut stsd = vec![0; 8];
            sample_entry(&aac()).unwrap().encode(&mut stsd).unwrap();
            child(&Bytes::from(stsd).slice(8 + 8 + 28..), b"esds").unwrap()
        };
        for (version, more) in [(1, 16), (2, 36)] {
            let mut stsd = vec![0; 8];
            put_box(&mut stsd, b"mp4a", |out| {
                out.extend([0; 9]);
                out.push(version);
                out.extend(vec![0; 18 + more]);
                put_box(out, b"wave", |out| {
                    put_box(out, b"esds", |out| out.extend(&esds))
                });
            });
            let read = descriptions(&stsd.into(), *b"soun").pop().unwrap().unwrap();
            assert_eq!(read.config.unwrap().audio().unwrap().sample_rate, 48_000);
        }
    }

    #[test]
    fn others_come_with_a_reason() {
        let mut stsd = vec![0; 8];
        for kind in [b"encv", b"tx3g", b"mp4v"] {
            put_box(&mut stsd, kind, |out| out.extend([0; 78]));
        }
        let stsd = Bytes::from(stsd);
        let reasons = |handler| -> Vec<String> {
            let read = descriptions(&stsd, handler).into_iter();
            read.map(|entry| entry.unwrap_err().reason).collect()
        };
        assert!(reasons(*b"vide")[0].contains("encrypted"));
        assert_eq!(
            reasons(*b"sbtl")[1],
            "it is neither audio nor video (handler sbtl)"
        );
        assert_eq!(reasons(*b"vide")[2], "its codec is not known");
    }
}
