//! MPEG-TS.

use bytes::{Bytes, BytesMut};
use media::{
    AccessUnit, Codec, CodecConfig, Dts, Headers, Ticks, Timescale, Track, TrackId, TrackList,
};
use remux::mp4::Write;
use remux::ts::{Demuxer, Muxer};
use remux::{Event, flv};

use crate::flv_file::check_damage;

/// avcC: High 640x360, lengths of 4 bytes (x264).
const AVCC: [u8; 46] = *b"\x01\x64\x00\x1e\xff\xe1\x00\x1a\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\
    \x70\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2d\x96\x01\x00\x05\x68\xeb\xec\xb2\x2c\
    \xfd\xf8\xf8\x00";
/// Its sets.
const SPS: &[u8] = AVCC.split_at(8).1.split_at(26).0;
const PPS: &[u8] = AVCC.split_at(37).1.split_at(5).0;
/// AudioSpecificConfig: LC, 48 kHz, stereo.
const ASC: [u8; 2] = *b"\x11\x90";
/// OpusHead: stereo, no pre-skip.
const OPUS: [u8; 19] = *b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";

/// Reads the data as packets, whole and in pieces; the first byte is their size.
///
/// # Panics
/// When the pieces give other events than the whole, or damage lies outside of the data.
pub fn ts_demux(data: &[u8]) {
    let [step, data @ ..] = data else { return };
    let (whole, events) = demux(data, data.len());
    let (pieces, _) = demux(data, usize::from(*step).max(1));
    assert_eq!(pieces, whole, "in pieces of {step}");
    check_damage(&events, data.len());
}

/// All events as text and as they are.
fn demux(data: &[u8], step: usize) -> (Vec<String>, Vec<Event>) {
    let mut demuxer = Demuxer::default();
    let mut events = Vec::new();
    let mut log = Vec::new();
    let mut drain = |demuxer: &mut Demuxer| {
        loop {
            match demuxer.poll() {
                Ok(Some(event)) => {
                    log.push(format!("{event:?}"));
                    events.push(event);
                }
                Ok(None) => return,
                Err(error) => {
                    log.push(error.to_string());
                    return;
                }
            }
        }
    };
    for chunk in data.chunks(step.max(1)) {
        demuxer.push(Bytes::copy_from_slice(chunk));
        drain(&mut demuxer);
    }
    demuxer.finish();
    drain(&mut demuxer);
    // An error stays: it is told at each push.
    log.dedup();
    (log, events)
}

/// Makes H.264 and AAC or Opus units as the data says, writes them as FLV, reads that, writes it as
/// MPEG-TS, reads that, and writes and reads FLV again: every unit must be what it was.
///
/// # Panics
/// When it is not.
pub fn flv_ts_flv(data: &[u8]) {
    let [kind, data @ ..] = data else { return };
    let audio = match kind % 2 {
        0 => CodecConfig::parse(Codec::Aac, &ASC),
        _ => CodecConfig::parse(Codec::Opus, &OPUS),
    };
    let video = CodecConfig::parse(Codec::H264, &AVCC);
    let track = |id, config: Result<CodecConfig, _>| {
        let config = config.expect("a record that is sound");
        Track::new(TrackId(id), Timescale::MILLIS, config).into()
    };
    let tracks = TrackList::new(vec![track(0, video), track(1, audio)]);
    let units = units(data);
    let first = flv_of(&tracks, &units);
    assert_eq!(rows(&first), rows_of(&units, 1), "FLV");
    let Some(tracks) = tracks_of(&first) else {
        return;
    };
    let (mut muxer, left_out) = Muxer::new(&tracks);
    assert!(left_out.is_empty());
    let mut out = BytesMut::new();
    for event in &first {
        if let Event::Unit(unit) = event {
            if unit.is_random_access() {
                muxer.tables(&mut out);
            }
            muxer.unit(unit, &mut out).expect("a sound unit");
        }
    }
    let (_, second) = demux(&out, out.len());
    assert_eq!(rows(&second), rows_of(&units, 90), "MPEG-TS");
    let (Some(tracks), read) = (tracks_of(&second), units_of(&second)) else {
        return;
    };
    assert_eq!(
        rows(&flv_of(&tracks, &read)),
        rows_of(&units, 1),
        "FLV again"
    );
}

/// Units of both tracks: an operation of four bytes each.
fn units(data: &[u8]) -> Vec<AccessUnit> {
    let mut times = [0_i64; 2];
    let mut units = Vec::new();
    for (&[what, step, size, offset], n) in data.as_chunks::<4>().0.iter().zip(0_u32..200) {
        let is_audio = what & 1 == 1;
        let time = &mut times[usize::from(is_audio)];
        *time += 1 + i64::from(step);
        let len = 2 + usize::from(size) * if what & 2 == 2 { 17 } else { 1 };
        let unit = if is_audio {
            let payload: Vec<u8> = (0..len).map(|at| (at as u8).wrapping_add(size)).collect();
            AccessUnit::new(TrackId(1), Dts(*time), payload.into()).random_access()
        } else {
            let is_key = what & 4 == 4 || n == 0;
            let payload = picture(what, is_key, len);
            let offset = i64::from(offset.cast_signed()) * 8;
            let unit = AccessUnit::new(TrackId(0), Dts(*time), payload);
            let unit = unit.composition_offset(Ticks(offset));
            if is_key { unit.random_access() } else { unit }
        };
        units.push(unit);
    }
    units
}

/// A picture of one or two slices, with delimiter, sets and messages before it as `what` says.
fn picture(what: u8, is_key: bool, len: usize) -> Bytes {
    let slice = |first: u8| {
        let head = [if is_key { 0x65 } else { 0x41 }, first];
        let body = (0..len).map(|at| (at % 250) as u8 + 5);
        head.into_iter().chain(body).collect::<Vec<u8>>()
    };
    let mut nals: Vec<Vec<u8>> = Vec::new();
    if what & 8 == 8 {
        nals.push(vec![0x09, 0xf0]);
    }
    if what & 16 == 16 {
        nals.push(SPS.to_vec());
    }
    if what & 32 == 32 {
        nals.push(PPS.to_vec());
    }
    if what & 64 == 64 {
        nals.push(vec![0x06, 0x05, 0x01, 0x55, 0x80]);
    }
    // first_mb_in_slice 0, then 1.
    nals.push(slice(0x88));
    if what & 128 == 128 {
        nals.push(slice(0x48));
    }
    let mut out = Vec::new();
    for nal in nals {
        out.extend_from_slice(&u32::try_from(nal.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&nal);
    }
    out.into()
}

/// The units as an FLV file, read.
fn flv_of(tracks: &TrackList, units: &[AccessUnit]) -> Vec<Event> {
    let mut muxer = flv::FileMuxer::new(10);
    let mut out = BytesMut::new();
    let mut put = |write: Write| {
        if let Write::Append(parts) = write {
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
    };
    let headers = Headers {
        tracks: tracks.clone().into(),
        ..Headers::default()
    };
    put(muxer.start(&headers, Dts(0)));
    units.iter().for_each(|unit| put(muxer.unit(unit)));
    let mut demuxer = flv::FileDemuxer::default();
    demuxer.push(out.freeze());
    demuxer.finish();
    std::iter::from_fn(|| demuxer.poll().expect("a sound file")).collect()
}

fn tracks_of(events: &[Event]) -> Option<TrackList> {
    events.iter().rev().find_map(|event| match event {
        Event::Tracks(tracks) => Some(tracks.as_ref().clone()),
        _ => None,
    })
}

fn units_of(events: &[Event]) -> Vec<AccessUnit> {
    let units = events.iter().filter_map(|event| match event {
        Event::Unit(unit) => Some(unit.clone()),
        _ => None,
    });
    units.collect()
}

/// Track, times, key flag and payload, track by track.
type Row = (TrackId, i64, i64, bool, Bytes);

fn rows(events: &[Event]) -> Vec<Row> {
    rows_of(&units_of(events), 1)
}

fn rows_of(units: &[AccessUnit], ticks: i64) -> Vec<Row> {
    let mut rows: Vec<Row> = units
        .iter()
        .map(|unit| {
            let (dts, offset) = (unit.dts.0 * ticks, unit.composition_offset.0 * ticks);
            let key = unit.is_random_access();
            (unit.track, dts, offset, key, unit.payload.clone())
        })
        .collect();
    rows.sort_by_key(|row| row.0);
    rows
}
