//! FLV to units to FLV: bytes and times are the source's, with and without the bodies that arrived.

use std::sync::Arc;

use bytes::Bytes;
use media::{Dts, Headers, TrackList};
use remux::flv::{Event, Muxer, Parser, TagKind, data_message};

use crate::files::{Parsed, SOUND, files, parse, read, tags};

#[test]
fn muxed_file_holds_the_units_of_its_source() {
    for path in files(&SOUND) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = read(&path);
        let want = parse(&tags(&source));
        for keep_bodies in [true, false] {
            let got = parse(&tags(&remux(&source, keep_bodies)));
            assert_eq!(got.units, want.units, "{name}, bodies kept: {keep_bodies}");
            assert_eq!(
                configs(&got),
                configs(&want),
                "{name}, bodies kept: {keep_bodies}"
            );
        }
    }
}

/// Each track's latest configuration record.
fn configs(parsed: &Parsed) -> Vec<(u16, Bytes)> {
    let mut last = std::collections::BTreeMap::new();
    for track in &parsed.announced {
        if let Ok(config) = &track.config {
            last.insert(track.id.0, config.raw().clone());
        }
    }
    last.into_iter().collect()
}

/// Reads a file and writes it again, tag by tag.
fn remux(source: &Bytes, keep_bodies: bool) -> Bytes {
    let mut parser = Parser::default();
    let mut muxer = Muxer::new();
    let mut headers = Headers::default();
    let mut out = Vec::new();
    muxer.start(&headers, Dts(0), &mut out);
    for tag in tags(source) {
        let dts = Dts(tag.timestamp.into());
        let events = match tag.kind {
            TagKind::Audio => parser.audio(&tag.body),
            TagKind::Video => parser.video(&tag.body),
            TagKind::Script => {
                muxer.data(&data_message(dts, &tag.body).unwrap(), &mut out);
                continue;
            }
        };
        for event in events.into_iter().flatten() {
            match event {
                Event::Track(mut track) => {
                    if !keep_bodies {
                        track.flv_body = None;
                    }
                    headers.tracks = Arc::new(headers.tracks.with(*track));
                    muxer.headers(&headers, dts, &mut out);
                }
                Event::Unit(mut unit) => {
                    unit.dts = dts;
                    if !keep_bodies {
                        unit.flv_body = None;
                    }
                    muxer.unit(&unit, &mut out);
                }
                _ => {}
            }
        }
    }
    out.concat().into()
}

#[test]
fn start_of_a_file_has_metadata_and_headers() {
    let Some(path) = files(&["flv"])
        .into_iter()
        .find(|path| path.ends_with("avc_aac.flv"))
    else {
        return;
    };
    let announced = parse(&tags(&read(&path))).announced;
    let tracks = announced.into_iter().map(Arc::new).collect();
    let headers = Headers {
        tracks: Arc::new(TrackList::new(tracks)),
        ..Headers::default()
    };
    let mut out = Vec::new();
    Muxer::new().start(&headers, Dts(-1), &mut out);
    let tags = tags(&out.concat().into());
    let kinds: Vec<_> = tags.iter().map(|tag| (tag.kind, tag.timestamp)).collect();
    assert_eq!(
        kinds,
        [
            (TagKind::Script, 0),
            (TagKind::Video, u32::MAX),
            (TagKind::Audio, u32::MAX)
        ]
    );
    let message = data_message(Dts(0), &tags[0].body).unwrap();
    assert!(message.is_metadata());
    let (_, name) = amf0::decode(&message.amf0, &amf0::Limits::default()).unwrap();
    let (value, _) = amf0::decode(&message.amf0[name..], &amf0::Limits::default()).unwrap();
    let number = |key: &str| value.get(key).and_then(amf0::Value::as_f64);
    assert_eq!(
        (number("width"), number("height")),
        (Some(3840.0), Some(2160.0))
    );
    assert_eq!(
        (number("framerate"), number("videocodecid")),
        (Some(60.0), Some(7.0))
    );
    assert_eq!(
        (number("audiosamplerate"), number("audiocodecid")),
        (Some(48_000.0), Some(10.0))
    );
}
