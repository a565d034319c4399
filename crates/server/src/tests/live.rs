//! Endless media inside HTTP: the way for HTTP/2 and later requests.

use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request, StatusCode};
use hub::CloseCause;
use media::TrackKind;
use tower::ServiceExt;

use super::{Bench, now};

/// Reads endless media while its stream ends.
async fn read(bench: &Bench, uri: &str, publisher: hub::Publisher) -> (http::HeaderMap, Vec<u8>) {
    let request = Request::get(uri)
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap();
    let response = bench.server.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    publisher.close(now(), CloseCause::Finished);
    bench.hub.drain(now());
    let headers = response.headers().clone();
    let mut body = response.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    (headers, bytes)
}

#[tokio::test(start_paused = true)]
async fn flv_begins_with_headers_and_a_key_frame_and_holds_every_unit_after() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let (headers, bytes) = read(&bench, "/live/cam1.flv", publisher).await;
    assert_eq!(headers["content-type"], "video/x-flv");
    assert_eq!(headers["access-control-allow-origin"], "*");
    let mut demuxer = remux::flv::Demuxer::new(remux::flv::Limits::default());
    demuxer.push(bytes.into());
    let mut sent = super::Clip::open("bframes.flv").tags;
    let tags: Vec<_> = std::iter::from_fn(|| demuxer.poll().unwrap()).collect();
    // Metadata, two configurations, then what the clip has from its last key frame on.
    let configurations = tags.iter().filter(|tag| is_configuration(tag)).count();
    assert_eq!(configurations, 2);
    let media: Vec<_> = tags.iter().skip(3).collect();
    assert_eq!((media[0].timestamp, media[0].body[0]), (5_000, 0x17));
    let last_key = sent
        .iter()
        .rposition(|tag| tag.body[..2] == [0x17, 1])
        .unwrap();
    let mut expected = sent.split_off(last_key);
    // The end of sequence is no unit.
    expected.retain(|tag| tag.body[..2] != [0x17, 2]);
    assert_eq!(media.len(), expected.len());
    for (got, want) in media.iter().zip(&expected) {
        assert_eq!((got.timestamp, &got.body), (want.timestamp, &want.body));
    }
}

fn is_configuration(tag: &remux::flv::Tag) -> bool {
    matches!(tag.body[..2], [0x17 | 0xaf, 0])
}

#[tokio::test(start_paused = true)]
async fn flv_says_what_the_publisher_says_about_tracks_to_those_who_come_and_those_who_are_there() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let video = publisher.stream().tracks().video().unwrap().id;
    let say = |publisher: &mut hub::Publisher, at, flv_body: &'static [u8]| {
        let extra = media::Extra {
            track: video,
            flv_body: flv_body.into(),
        };
        publisher.extra_at(at, extra, now()).unwrap();
    };
    say(&mut publisher, 5_990, b"\xd4avc1colorInfo1");
    super::Clip::open("bframes.flv")
        .media_only()
        .send(&mut publisher, 6_000);
    say(&mut publisher, 12_000, b"\xd4avc1colorInfo2");
    let (_, bytes) = read(&bench, "/live/cam1.flv", publisher).await;
    let mut demuxer = remux::flv::Demuxer::new(remux::flv::Limits::default());
    demuxer.push(bytes.into());
    let tags: Vec<_> = std::iter::from_fn(|| demuxer.poll().unwrap()).collect();
    let begins: Vec<_> = tags
        .iter()
        .take(5)
        .map(|tag| (tag.timestamp, tag.kind, &tag.body[..2]))
        .collect();
    use remux::flv::TagKind::{Audio, Script, Video};
    assert_eq!(
        begins,
        [
            (11_000, Script, &[2, 0][..]),
            (11_000, Video, &[0x17, 0]),
            (11_000, Audio, &[0xaf, 0]),
            (11_000, Video, b"\xd4a"),
            (11_000, Video, &[0x17, 1]),
        ]
    );
    assert_eq!(&tags[3].body[..], b"\xd4avc1colorInfo1");
    let last = tags.last().unwrap();
    assert_eq!(
        (last.timestamp, &last.body[..]),
        (12_000, &b"\xd4avc1colorInfo2"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn transport_stream_begins_with_its_tables() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let (headers, bytes) = read(&bench, "/live/cam1.ts", publisher).await;
    assert_eq!(headers["content-type"], "video/mp2t");
    assert_eq!(bytes.len() % 188, 0);
    let packets: Vec<_> = bytes.chunks(188).collect();
    assert!(packets.iter().all(|packet| packet[0] == 0x47));
    let pid = |packet: &[u8]| u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
    assert_eq!(
        pid(packets[0]),
        0,
        "the first packet is the program association"
    );
    // One second of media: tables at least ten times.
    let tables = packets.iter().filter(|packet| pid(packet) == 0).count();
    assert!((9..=14).contains(&tables), "{tables} tables");
}

#[tokio::test(start_paused = true)]
async fn head_does_not_make_a_viewer() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let answer = bench.ask(Method::HEAD, "/live/cam1.flv", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "video/x-flv");
    assert_eq!(publisher.stream().viewers().most(), 0);
}

#[tokio::test(start_paused = true)]
async fn viewer_is_listed_counted_and_can_be_sent_away() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let request = Request::get("/live/cam1.flv").header("host", "localhost");
    let request = request.body(Body::empty()).unwrap();
    let response = bench.server.router().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(&first[..3], b"FLV");
    let viewers = publisher.stream().viewers().list();
    assert_eq!(viewers[0].info.protocol, "http-flv");
    viewers[0].drop_with("test");
    let rest: Vec<_> = body.collect().await;
    assert!(rest.len() <= 1, "{} pieces after the drop", rest.len());
    assert_eq!(publisher.stream().viewers().count(), 0);
    let counted = bench.server.shared().counters.bytes_out("http-flv");
    assert!(counted.load(std::sync::atomic::Ordering::Relaxed) >= first.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn sound_alone_plays_too() {
    let bench = Bench::new();
    let publisher = bench.publish("live/radio", "audio-only.flv");
    let tracks = publisher.stream().tracks();
    assert!(tracks.iter().all(|track| track.kind() == TrackKind::Audio));
    let (_, bytes) = read(&bench, "/live/radio.flv", publisher).await;
    assert_eq!(&bytes[..5], b"FLV\x01\x04");
    assert!(bytes.len() > 1000);
}

#[tokio::test(start_paused = true)]
async fn viewer_that_lags_is_moved_on_and_counted() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let request = Request::get("/live/cam1.flv").header("host", "localhost");
    let request = request.body(Body::empty()).unwrap();
    let response = bench.server.router().oneshot(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    assert_eq!(&body.next().await.unwrap().unwrap()[..3], b"FLV");
    // Far more than the ring holds, while nothing is read.
    for round in 1..=20 {
        super::Clip::open("bframes.flv").send(&mut publisher, round * 6_000);
    }
    let skips = bench.server.shared().counters.viewer_skips("http-flv");
    while skips.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        body.next().await.unwrap().unwrap();
    }
    let json = bench.get("/v1/streams/live/cam1").await.json();
    let viewer = &json["viewers"]["list"][0];
    assert_eq!(viewer["skips"], 1);
    assert!(
        viewer["frames_missed"].as_u64().unwrap() > 1_000,
        "{viewer}"
    );
    assert_eq!(json["drops"]["frames_missed"], viewer["frames_missed"]);
    let metrics = bench.get("/metrics").await;
    let line = "sidestream_viewer_skips_total{protocol=\"http-flv\"} 1";
    assert!(
        metrics.text().lines().any(|l| l == line),
        "{}",
        metrics.text()
    );
}
