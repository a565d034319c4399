//! `/v1/streams/{app}/{stream}/poster.mp4`.

use http::{Method, StatusCode};
use media::{AccessUnit, Dts};
use remux::mp4::{Demuxer, Input, Step};

use super::{Answer, Bench, Clip};

/// The access units of an MP4, and how many tracks it has.
fn units(file: &Answer) -> (usize, Vec<AccessUnit>) {
    let len = file.body.len() as u64;
    let mut demuxer = Demuxer::new(Input::File { len });
    let (mut tracks, mut units) = (0, Vec::new());
    loop {
        match demuxer.poll().unwrap() {
            Step::Read { offset, .. } => {
                let offset = usize::try_from(offset).unwrap();
                demuxer.push(file.body.slice(offset..));
            }
            Step::Event(remux::Event::Tracks(list)) => tracks = list.len(),
            Step::Event(remux::Event::Unit(unit)) => units.push(unit),
            Step::Event(_) => {}
            Step::End => return (tracks, units),
        }
    }
}

/// The payload of a clip's last key frame.
fn last_key_frame(clip: &str) -> bytes::Bytes {
    use remux::flv::{Event, Limits, Parser, TagKind};
    let mut parser = Parser::new(Limits::default());
    let mut last = None;
    for tag in Clip::open(clip).tags {
        if tag.kind != TagKind::Video {
            continue;
        }
        for event in parser.video(&tag.body).unwrap() {
            if let Event::Unit(unit) = event
                && unit.is_random_access()
            {
                last = Some(unit.payload);
            }
        }
    }
    last.unwrap()
}

const POSTER: &str = "/v1/streams/live/cam1/poster.mp4";

#[tokio::test(start_paused = true)]
async fn the_poster_is_the_last_picture_that_stands_by_itself() {
    for clip in ["bframes.flv", "hevc-aac.flv", "av1-aac.flv", "vp9-opus.flv"] {
        let bench = Bench::new();
        let _publisher = bench.publish("live/cam1", clip);
        let answer = bench.get(POSTER).await;
        assert_eq!(answer.status, StatusCode::OK, "{clip} {}", answer.text());
        assert_eq!(answer.header("content-type"), "video/mp4");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        let (tracks, units) = units(&answer);
        assert_eq!((tracks, units.len()), (1, 1), "{clip}");
        let unit = &units[0];
        assert_eq!((unit.dts, unit.composition_offset.0), (Dts(0), 0));
        assert_eq!(unit.payload, last_key_frame(clip), "{clip}");
        assert!(bench.hub.list()[0].viewers().list().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_poster_is_not_sent_again() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let first = bench.get(POSTER).await;
    let etag = first.header("etag").to_owned();
    let ask = async |headers: &[(&str, &str)]| bench.ask(Method::GET, POSTER, headers).await;
    let same = ask(&[("if-none-match", &etag)]).await;
    assert_eq!(
        (same.status, same.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(same.header("etag"), etag);
    let part = ask(&[("range", "bytes=4-7")]).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(&part.body[..], b"ftyp");
    let head = bench.ask(Method::HEAD, POSTER, &[]).await;
    assert_eq!(head.header("content-length"), first.body.len().to_string());

    // Another picture has another tag; the publisher may be away meanwhile.
    Clip::open("video-only.flv").send(&mut publisher, 10_000);
    publisher.close(super::now(), hub::CloseCause::Lost("gone".into()));
    let other = ask(&[("if-none-match", &etag)]).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_ne!(other.header("etag"), etag);
    assert_eq!(units(&other).1[0].payload, last_key_frame("video-only.flv"));
}

#[tokio::test(start_paused = true)]
async fn without_a_picture_the_answer_says_why() {
    let bench = Bench::new();
    assert_eq!(bench.get(POSTER).await.json()["reason"], "STREAM_NOT_FOUND");
    let _publisher = bench.publish("live/cam1", "audio-only.flv");
    let answer = bench.get(POSTER).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let json = answer.json();
    assert_eq!(json["reason"], "PICTURE_NOT_FOUND");
    let detail = "no picture of live/cam1: no video is kept that can be decoded by itself";
    assert_eq!(json["detail"], detail);
    // A stream of that name is still itself, however it is written.
    let _other = bench.publish("live/cam2/poster.mp4", "audio-only.flv");
    for path in ["live/cam2/poster.mp4", "live%2Fcam2%2Fposter.mp4"] {
        let answer = bench.get(&format!("/v1/streams/{path}")).await;
        assert_eq!(answer.json()["name"], "live/cam2/poster.mp4", "{path}");
    }
    let answer = bench.get("/v1/streams/live/poster.mp4").await;
    assert_eq!(answer.json()["reason"], "STREAM_NOT_FOUND");
    let refused = bench.ask(Method::DELETE, POSTER, &[]).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// MD5s of the decoded pictures of a file, by FFmpeg.
fn pictures(options: &[&str], file: &std::path::Path) -> Vec<String> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(options)
        .arg("-i")
        .arg(file)
        .args([
            "-map",
            "0:v",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let md5 = |line: &str| {
        line.rsplit(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let frames = lines.lines().filter(|line| !line.starts_with('#'));
    frames.map(md5).collect()
}

#[tokio::test(start_paused = true)]
async fn ffmpeg_decodes_the_poster_to_the_one_picture() {
    if std::process::Command::new("ffmpeg")
        .arg("-version")
        .output()
        .is_err()
    {
        println!("skipped: ffmpeg is not installed; ./test does that");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for clip in ["bframes.flv", "h264-mp3.flv", "video-only.flv"] {
        let bench = Bench::new();
        let _publisher = bench.publish("live/cam1", clip);
        let file = folder.path().join("poster.mp4");
        std::fs::write(&file, bench.get(POSTER).await.body).unwrap();
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = source.join("../../testdata").join(clip);
        let keys = pictures(&["-skip_frame", "nokey"], &source);
        assert!(keys.len() > 1 && pictures(&[], &source).len() > keys.len());
        assert_eq!(pictures(&[], &file), keys[keys.len() - 1..], "{clip}");
    }
}
