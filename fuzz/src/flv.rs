//! FLV files and tag bodies.

use bytes::Bytes;
use media::{AccessUnit, Track, TrackId, TrackKind};
use remux::flv::{
    Demuxer, Error, Event, Events, Parser, Tag, TagKind, data_message, header_body, unit_body,
};

/// Reads the data as a file, whole and in pieces, and as a single audio, video and script body.
/// Every unit must come back when its body is built anew.
///
/// # Panics
/// When the pieces give other tags than the whole, or a built body another unit.
pub fn flv_demux(data: &[u8]) {
    let whole = demux(data, data.len());
    for step in [1, 5, 4_096] {
        assert_eq!(demux(data, step), whole, "in pieces of {step}");
    }
    let mut session = Session::default();
    for tag in &whole.0 {
        session.body(tag.kind, &tag.body);
    }
    let body = Bytes::copy_from_slice(data);
    for kind in [TagKind::Audio, TagKind::Video, TagKind::Script] {
        session.body(kind, &body);
    }
}

/// The tags of `data`, pushed `step` bytes at a time, and how it ended.
fn demux(data: &[u8], step: usize) -> (Vec<Tag>, Result<(), Error>) {
    let mut demuxer = Demuxer::default();
    let mut tags = Vec::new();
    for chunk in data.chunks(step.max(1)) {
        demuxer.push(Bytes::copy_from_slice(chunk));
        loop {
            match demuxer.poll() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Err(error)),
            }
        }
    }
    let end = demuxer.finish();
    (tags, end)
}

/// A parser and the tracks it told of.
#[derive(Default)]
struct Session {
    parser: Parser,
    tracks: Vec<Track>,
}

impl Session {
    fn body(&mut self, kind: TagKind, body: &Bytes) {
        let events = match kind {
            TagKind::Audio => self.parser.audio(body),
            TagKind::Video => self.parser.video(body),
            TagKind::Script => {
                let _ = data_message(media::Dts(0), body);
                return;
            }
        };
        for event in events.into_iter().flatten() {
            match event {
                Event::Track(track) => {
                    let _ = header_body(&track);
                    self.tracks.retain(|known| known.id != track.id);
                    self.tracks.push(*track);
                    assert!(self.tracks.len() <= 16, "tracks are limited");
                }
                Event::Unit(unit) => self.unit(unit),
                _ => {}
            }
        }
    }

    fn unit(&self, mut unit: AccessUnit) {
        let track = self.track(unit.track);
        unit.flv_body = None;
        let (header, payload) = unit_body(track, &unit);
        let body = Bytes::from([&header[..], &payload[..]].concat());
        let mut fresh = Parser::default();
        let events: Result<Events, Error> = match track.kind() {
            TrackKind::Video => fresh.video(&body),
            TrackKind::Audio => fresh.audio(&body),
        };
        let again = events
            .expect("what was built can be read")
            .find_map(|event| match event {
                Event::Unit(unit) => Some(unit),
                _ => None,
            });
        let again = again.expect("the unit comes back");
        assert_eq!(again.track, unit.track);
        assert_eq!(again.role, unit.role);
        assert_eq!(again.composition_offset, unit.composition_offset);
        assert_eq!(again.payload, unit.payload);
    }

    fn track(&self, id: TrackId) -> &Track {
        let track = self.tracks.iter().find(|track| track.id == id);
        track.expect("a track is told of before its units")
    }
}
