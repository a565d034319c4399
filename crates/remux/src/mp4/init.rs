//! The init segment: `ftyp` and a `moov` without samples.
//!
//! ```text
//! ftyp  iso6
//! moov  mvhd
//!       trak  tkhd | mdia  mdhd | hdlr | minf  vmhd or smhd | dinf | stbl  stsd, empty tables
//!       mvex  trex…                        (ISO/IEC 14496-12 §8.8.1: fragments follow)
//! ```

use bytes::{Bytes, BytesMut};
use media::config::VideoParams;
use media::{Codec, TrackKind};
use mp4_atom as mp4;
use mp4_atom::{BufMut as _, Encode as _};

use super::moov::TrackHead;
use super::track::OutTrack;

/// Sample flags (§8.8.3.1) of one that decoding can start at: depends on no other.
pub(super) const SYNC: u32 = 0x0200_0000;
/// Sample flags of one that depends on others.
pub(super) const NON_SYNC: u32 = 0x0101_0000;
/// Sample flags of one that depends on others and no other depends on.
pub(super) const DISPOSABLE: u32 = 0x0181_0000;

/// The init segment of these tracks.
pub(super) fn init_segment(tracks: &[OutTrack]) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    out.extend_from_slice(&ftyp(tracks, &[]));
    out.extend_from_slice(&moov(tracks));
    out.freeze()
}

/// A `moov` without samples.
pub(super) fn moov(tracks: &[OutTrack]) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    // By hand, because `mp4::Moov` puts `mvex` before the tracks; readers expect it last.
    let written = out.encode_atom(mp4::FourCC::new(b"moov"), |out| {
        let next_track_id = tracks.iter().map(|track| track.head.number).max();
        mp4::Mvhd {
            timescale: 1_000,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: next_track_id.unwrap_or(0) + 1,
            ..Default::default()
        }
        .encode(out)?;
        for track in tracks {
            put_trak(&track.head, out)?;
        }
        mp4::Mvex {
            mehd: None,
            trex: tracks.iter().map(trex).collect(),
        }
        .encode(out)
    });
    debug_assert!(
        written.is_ok(),
        "numbers and zeros have no errors: {written:?}"
    );
    out.freeze()
}

/// `ftyp` with `more` brands than those of fragmented files.
pub(super) fn ftyp(tracks: &[OutTrack], more: &[&[u8; 4]]) -> Bytes {
    let mut brands = vec![mp4::FourCC::new(b"iso6"), mp4::FourCC::new(b"mp41")];
    brands.extend(more.iter().map(|brand| mp4::FourCC::new(brand)));
    // CMAF files have one track (ISO/IEC 23000-19 §7.3.1).
    if tracks.len() == 1 && more.is_empty() {
        brands.push(mp4::FourCC::new(b"cmfc"));
    }
    if tracks.iter().any(|track| track.codec == Codec::Av1) {
        brands.push(mp4::FourCC::new(b"av01"));
    }
    let mut out = Vec::new();
    let written = mp4::Ftyp {
        major_brand: mp4::FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands: brands,
    }
    .encode(&mut out);
    debug_assert!(written.is_ok(), "brands have no errors: {written:?}");
    out.into()
}

/// By hand like `moov`, in the order of the standard's examples: media headers first.
fn put_trak(track: &TrackHead, out: &mut BytesMut) -> Result<(), mp4::Error> {
    let video = track.kind == TrackKind::Video;
    let VideoParams { width, height, .. } = track.video;
    out.encode_atom(mp4::FourCC::new(b"trak"), |out| {
        mp4::Tkhd {
            track_id: track.number,
            enabled: true,
            in_movie: true,
            volume: u8::from(!video).into(),
            width: u16::try_from(width).unwrap_or(u16::MAX).into(),
            height: u16::try_from(height).unwrap_or(u16::MAX).into(),
            ..Default::default()
        }
        .encode(out)?;
        out.encode_atom(mp4::FourCC::new(b"mdia"), |out| {
            mp4::Mdhd {
                timescale: track.timescale.hz(),
                language: "und".to_owned(),
                ..Default::default()
            }
            .encode(out)?;
            mp4::Hdlr {
                handler: mp4::FourCC::new(if video { b"vide" } else { b"soun" }),
                name: String::new(),
            }
            .encode(out)?;
            out.encode_atom(mp4::FourCC::new(b"minf"), |out| {
                if video {
                    mp4::Vmhd::default().encode(out)?;
                } else {
                    mp4::Smhd::default().encode(out)?;
                }
                dinf().encode(out)?;
                put_stbl(track, out)
            })
        })
    })
}

/// The samples are in this file.
fn dinf() -> mp4::Dinf {
    mp4::Dinf {
        dref: mp4::Dref {
            entries: vec![mp4::Url::default().into()],
        },
    }
}

/// The sample entries, and tables without samples.
fn put_stbl(track: &TrackHead, out: &mut BytesMut) -> Result<(), mp4::Error> {
    out.encode_atom(mp4::FourCC::new(b"stbl"), |out| {
        out.encode_atom(mp4::FourCC::new(b"stsd"), |out| {
            0_u32.encode(out)?;
            u32::try_from(track.entries.len())
                .unwrap_or(u32::MAX)
                .encode(out)?;
            track
                .entries
                .iter()
                .for_each(|entry| out.extend_from_slice(entry));
            Ok(())
        })?;
        mp4::Stts::default().encode(out)?;
        mp4::Stsc::default().encode(out)?;
        mp4::Stsz::default().encode(out)?;
        mp4::Stco::default().encode(out)
    })
}

fn trex(track: &OutTrack) -> mp4::Trex {
    mp4::Trex {
        track_id: track.head.number,
        default_sample_description_index: 1,
        ..Default::default()
    }
}
