//! Every tag body of every file, read by scuffle-flv.

use std::io::Cursor;

use bytes::Bytes;
use media::{AccessUnit, Track, TrackId, TrackKind};
use remux::flv::{Event, Parser, TagKind, unit_body};
use scuffle_flv::audio::AudioData;
use scuffle_flv::audio::body::AudioTagBody;
use scuffle_flv::audio::body::enhanced::{AudioPacket, ExAudioTagBody};
use scuffle_flv::audio::body::legacy::LegacyAudioTagBody;
use scuffle_flv::audio::body::legacy::aac::AacAudioData;
use scuffle_flv::video::VideoData;
use scuffle_flv::video::body::VideoTagBody;
use scuffle_flv::video::body::enhanced::{ExVideoTagBody, VideoPacket, VideoPacketCodedFrames};
use scuffle_flv::video::body::legacy::LegacyVideoTagBody;
use scuffle_flv::video::header::VideoTagHeaderData;
use scuffle_flv::video::header::legacy::{LegacyVideoTagHeader, LegacyVideoTagHeaderAvcPacket};

use crate::files::{SOUND, files, read, tags};

/// Track, composition offset, key frame, payload.
type Unit = (u16, i64, bool, Bytes);

#[test]
fn bodies_hold_the_units_that_scuffle_flv_reads() {
    let mut compared = 0;
    let files = files(&SOUND);
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut parser = Parser::default();
        for tag in tags(&read(path)) {
            let theirs = match tag.kind {
                TagKind::Audio => audio(&tag.body),
                TagKind::Video => video(&tag.body),
                TagKind::Script => continue,
            };
            let events = match tag.kind {
                TagKind::Audio => parser.audio(&tag.body),
                _ => parser.video(&tag.body),
            };
            let Some(theirs) = theirs else {
                continue;
            };
            let ours: Vec<Unit> = events
                .into_iter()
                .flatten()
                .filter_map(|event| match event {
                    Event::Unit(unit) => Some((
                        unit.track.0,
                        unit.composition_offset.0,
                        unit.is_random_access(),
                        unit.payload,
                    )),
                    _ => None,
                })
                .collect();
            assert_eq!(ours, theirs, "{name}: {tag:?}");
            compared += 1;
        }
    }
    assert!(files.is_empty() || compared > 8_000, "{compared} bodies");
}

#[test]
fn scuffle_flv_reads_the_bodies_that_we_build() {
    let mut compared = 0;
    let files = files(&SOUND);
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let parsed = crate::files::parse(&tags(&read(path)));
        for track in &parsed.announced {
            for (index, unit) in parsed.units[&track.id].iter().enumerate().take(50) {
                let unit = unit.access_unit(track.id);
                assert_eq!(
                    rebuilt(track, unit.clone()),
                    [as_read(&unit)],
                    "{name}, {index}"
                );
                // The same as another track of a multitrack body.
                let mut moved = track.clone();
                moved.id = TrackId(track.id.0 + 6);
                let mut unit = unit;
                unit.track = moved.id;
                if !matches!(track.codec, media::Codec::FlvAudio(_)) {
                    assert_eq!(
                        rebuilt(&moved, unit.clone()),
                        [as_read(&unit)],
                        "{name}, {index}"
                    );
                }
                compared += 1;
            }
        }
    }
    assert!(files.is_empty() || compared > 3_000, "{compared} bodies");
}

/// What scuffle-flv reads of the body that we build of a unit.
fn rebuilt(track: &Track, unit: AccessUnit) -> Vec<Unit> {
    let (header, payload) = unit_body(track, &unit);
    let body = Bytes::from([&header[..], &payload[..]].concat());
    match track.kind() {
        TrackKind::Video => video(&body).unwrap(),
        TrackKind::Audio => audio(&body).unwrap(),
    }
}

fn as_read(unit: &AccessUnit) -> Unit {
    (
        unit.track.0,
        unit.composition_offset.0,
        unit.is_random_access(),
        unit.payload.clone(),
    )
}

/// The units of an audio body; `None` when scuffle-flv cannot read it.
fn audio(body: &Bytes) -> Option<Vec<Unit>> {
    let data = AudioData::demux(&mut Cursor::new(body.clone())).ok()?;
    let one = |id: u8, packet: AudioPacket| match packet {
        AudioPacket::CodedFrames { data } => Some((u16::from(id) * 2 + 1, 0, true, data)),
        _ => None,
    };
    let units: Vec<Unit> = match data.body {
        AudioTagBody::Legacy(LegacyAudioTagBody::Aac(AacAudioData::Raw(data))) => {
            vec![(1, 0, true, data)]
        }
        AudioTagBody::Legacy(LegacyAudioTagBody::Aac(_)) => Vec::new(),
        AudioTagBody::Legacy(LegacyAudioTagBody::Other { sound_data }) => {
            vec![(1, 0, true, sound_data)]
        }
        AudioTagBody::Enhanced(ExAudioTagBody::NoMultitrack { packet, .. }) => {
            one(0, packet).into_iter().collect()
        }
        AudioTagBody::Enhanced(ExAudioTagBody::ManyTracks(tracks)) => tracks
            .into_iter()
            .filter_map(|track| one(track.audio_track_id, track.packet))
            .collect(),
    };
    Some(not_empty(units))
}

/// The units of a video body; `None` when scuffle-flv cannot read it.
fn video(body: &Bytes) -> Option<Vec<Unit>> {
    let data = VideoData::demux(&mut Cursor::new(body.clone())).ok()?;
    let key = matches!(data.header.frame_type.0, 1 | 4);
    let one = |id: u8, packet: VideoPacket<'_>| {
        let (offset, payload) = match packet {
            VideoPacket::CodedFrames(
                VideoPacketCodedFrames::Avc {
                    composition_time_offset,
                    data,
                }
                | VideoPacketCodedFrames::Hevc {
                    composition_time_offset,
                    data,
                },
            ) => (composition_time_offset, data),
            VideoPacket::CodedFrames(VideoPacketCodedFrames::Other(data))
            | VideoPacket::CodedFramesX { data } => (0, data),
            _ => return None,
        };
        Some((u16::from(id) * 2, i64::from(offset), key, payload))
    };
    let units: Vec<Unit> = match data.body {
        VideoTagBody::Legacy(LegacyVideoTagBody::Other { data: payload }) => {
            let offset = match data.header.data {
                VideoTagHeaderData::Legacy(LegacyVideoTagHeader::AvcPacket(
                    LegacyVideoTagHeaderAvcPacket::Nalu {
                        composition_time_offset,
                    },
                )) => composition_time_offset,
                VideoTagHeaderData::Legacy(LegacyVideoTagHeader::Other { .. }) => 0,
                _ => return Some(Vec::new()),
            };
            // scuffle-flv does not extend the sign.
            let signed = i64::from(offset << 8) << 32 >> 40;
            vec![(TrackId(0).0, signed, key, payload)]
        }
        VideoTagBody::Legacy(_) => Vec::new(),
        VideoTagBody::Enhanced(ExVideoTagBody::Command) => Vec::new(),
        VideoTagBody::Enhanced(ExVideoTagBody::NoMultitrack { packet, .. }) => {
            one(0, packet).into_iter().collect()
        }
        VideoTagBody::Enhanced(ExVideoTagBody::ManyTracks(tracks)) => tracks
            .into_iter()
            .filter_map(|track| one(track.video_track_id, track.packet))
            .collect(),
    };
    Some(not_empty(units))
}

/// We give no event for a unit without payload.
fn not_empty(mut units: Vec<Unit>) -> Vec<Unit> {
    units.retain(|(.., payload)| !payload.is_empty());
    units
}
