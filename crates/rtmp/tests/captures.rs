//! Recorded sessions of real clients, replayed into our server session. The expected numbers come
//! from a separate parser (a few lines of Python over the same files) and from the FLV file that the
//! client was sending.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use rtmp::{ServerEvent, UnpublishReason};
use support::{Server, testmedia};

/// Kind (8 or 9), timestamp and payload of each audio and video event.
fn media(events: &[ServerEvent]) -> Vec<(u8, u32, Bytes)> {
    let media = |event: &ServerEvent| match event {
        ServerEvent::Video {
            timestamp, payload, ..
        } => Some((9, *timestamp, payload.clone())),
        ServerEvent::Audio {
            timestamp, payload, ..
        } => Some((8, *timestamp, payload.clone())),
        _ => None,
    };
    events.iter().filter_map(media).collect()
}

fn replay(name: &str, piece: usize) -> Option<Vec<ServerEvent>> {
    let path = testmedia("rtmp-sessions")?.join(name);
    let bytes = std::fs::read(path).unwrap();
    let mut server = Server::new();
    for piece in bytes.chunks(piece) {
        server
            .input(piece)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(server.session.bytes_received(), bytes.len() as u64);
    Some(server.events)
}

struct Expected {
    file: &'static str,
    key: &'static str,
    query: Option<&'static str>,
    flash_ver: &'static str,
    video: (usize, usize),
    audio: (usize, usize),
    data: usize,
}

const PUBLISHERS: [Expected; 4] = [
    Expected {
        file: "ffmpeg5.1-publish-h264-aac.c2s.bin",
        key: "cam1",
        query: None,
        flash_ver: "FMLE/3.0 (compatible; Lavf59.27",
        video: (200, 87_464),
        audio: (347, 33_352),
        data: 1,
    },
    Expected {
        file: "ffmpeg9.0-publish-h264-aac.c2s.bin",
        key: "cam1",
        query: Some("token=abc123"),
        flash_ver: "FMLE/3.0 (compatible; Lavf63.1.",
        video: (200, 87_464),
        audio: (347, 33_352),
        data: 1,
    },
    Expected {
        file: "ffmpeg9.0-publish-hevc-aac-ertmp.c2s.bin",
        key: "hevc",
        query: None,
        flash_ver: "FMLE/3.0 (compatible; Lavf63.1.",
        video: (122, 100_763),
        audio: (96, 34_398),
        data: 1,
    },
    Expected {
        file: "gst1.22-rtmp2sink-publish.c2s.bin",
        key: "gst",
        query: None,
        flash_ver: "LNX 10,0,32,18",
        video: (200, 87_460),
        audio: (347, 33_352),
        data: 62,
    },
];

#[test]
fn recorded_publishers_give_exact_messages_for_any_split() {
    for expected in &PUBLISHERS {
        let mut first: Option<Vec<ServerEvent>> = None;
        for piece in [1 << 20, 16_384, 1460, 7, 1] {
            let Some(events) = replay(expected.file, piece) else {
                return;
            };
            if let Some(first) = &first {
                assert!(*first == events, "{}: pieces of {piece}", expected.file);
                continue;
            }
            let ServerEvent::Connect(connect) = &events[0] else {
                panic!("no connect")
            };
            assert_eq!(
                (connect.app.as_str(), connect.tc_url.as_str()),
                ("live", "rtmp://127.0.0.1:21936/live")
            );
            assert!(
                connect.flash_ver.starts_with(expected.flash_ver),
                "{}",
                connect.flash_ver
            );
            let ServerEvent::Publish(publish) = &events[1] else {
                panic!("no publish")
            };
            assert_eq!(
                (publish.key.as_str(), publish.query.as_deref()),
                (expected.key, expected.query)
            );
            let media = media(&events);
            let count = |kind| {
                let of_kind = media.iter().filter(|(other, ..)| *other == kind);
                (
                    of_kind.clone().count(),
                    of_kind.map(|(.., payload)| payload.len()).sum(),
                )
            };
            assert_eq!(count(9), expected.video, "{}", expected.file);
            assert_eq!(count(8), expected.audio, "{}", expected.file);
            let data = events.iter().filter(|event| {
                matches!(event, ServerEvent::Data { name, payload, .. }
                    if name == "onMetaData" && payload[0] == 0x08)
            });
            assert_eq!(data.count(), expected.data, "{}", expected.file);
            let (message_stream_id, reason) = (1, UnpublishReason::FcUnpublish);
            assert_eq!(
                events.last(),
                Some(&ServerEvent::Unpublish {
                    message_stream_id,
                    reason
                })
            );
            first = Some(events);
        }
    }
}

#[test]
fn captured_hevc_session_carries_the_flv_file_byte_for_byte() {
    let Some(events) = replay("ffmpeg9.0-publish-hevc-aac-ertmp.c2s.bin", 4096) else {
        return;
    };
    let flv = std::fs::read(testmedia("flv/hevc_aac.flv").unwrap()).unwrap();
    let mut tags = Vec::new();
    let mut rest = &flv[13..];
    while let Some(&[kind, l0, l1, l2, t0, t1, t2, t3, _, _, _]) = rest.first_chunk::<11>() {
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        if kind == 8 || kind == 9 {
            let body = Bytes::copy_from_slice(&rest[11..11 + len]);
            tags.push((kind, u32::from_be_bytes([t3, t0, t1, t2]), body));
        }
        rest = &rest[11 + len + 4..];
    }
    // FFmpeg orders audio and video anew and rewrites its own sequence headers; bodies stay.
    let bodies = |list: &[(u8, u32, Bytes)], kind| {
        let of_kind = list.iter().filter(|(other, ..)| *other == kind);
        of_kind
            .map(|(_, time, body)| (*time, body.clone()))
            .collect::<Vec<_>>()
    };
    let messages = media(&events);
    for kind in [8, 9] {
        assert!(
            bodies(&messages, kind) == bodies(&tags, kind),
            "kind {kind}"
        );
    }
}

#[test]
fn three_clients_sending_the_same_clip_give_the_same_media() {
    let frames = |name| {
        let events = replay(name, 4096)?;
        let is_frame = |body: &Bytes| body.len() > 7 && body[1] == 1;
        let audio = media(&events)
            .into_iter()
            .filter(|(kind, _, body)| *kind == 8 && is_frame(body));
        let audio: Vec<_> = audio.collect();
        let video = media(&events)
            .into_iter()
            .filter(|(kind, _, body)| *kind == 9 && is_frame(body));
        Some((audio, video.collect::<Vec<_>>()))
    };
    let Some(old) = frames("ffmpeg5.1-publish-h264-aac.c2s.bin") else {
        return;
    };
    assert!(Some(&old) == frames("ffmpeg9.0-publish-h264-aac.c2s.bin").as_ref());
    assert!(Some(&old) == frames("gst1.22-rtmp2sink-publish.c2s.bin").as_ref());
}

#[test]
fn recorded_players_play_and_stop() {
    for (file, flash_ver) in [
        ("ffmpeg5.1-play.c2s.bin", "LNX 9,0,124,2"),
        ("rtmpdump2.4-play.c2s.bin", "LNX 10,0,32,18"),
    ] {
        for piece in [1 << 20, 19, 1] {
            let Some(events) = replay(file, piece) else {
                return;
            };
            let [
                ServerEvent::Connect(connect),
                ServerEvent::Play(play),
                ServerEvent::StopPlay {
                    message_stream_id: 1,
                },
            ] = &events[..]
            else {
                panic!("{file}: {events:?}")
            };
            assert_eq!(connect.flash_ver, flash_ver);
            assert_eq!((play.name.as_str(), play.message_stream_id), ("src", 1));
            assert!(play.start < 0.0);
        }
    }
}
