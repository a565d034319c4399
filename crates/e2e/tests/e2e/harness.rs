//! The harness itself, tried on a peer that is known to be good: were the comparison wrong, these
//! tests would fail although sidestream is right.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Frame, Framing, Kind, Media, Placed, TICKS_PER_MS, Track};
use e2e::gst::FlvReader;
use e2e::media::testdata;
use e2e::nginx::Nginx;
use e2e::server::address_after;
use e2e::wait::secs;

#[test]
fn every_frame_of_the_test_clip_is_unique() {
    let source = ffmpeg::source(Version::V5, &testdata("bframes.flv"), Framing::Native);
    assert_eq!(source.video().unwrap().frames.len(), 150);
    assert_eq!(source.audio().unwrap().frames.len(), 283);
    for track in &source.tracks {
        let mut md5s: Vec<_> = track.frames.iter().map(|frame| &frame.md5).collect();
        md5s.sort();
        md5s.dedup();
        assert_eq!(md5s.len(), track.frames.len(), "{:?}", track.kind);
    }
    let keys = source.video().unwrap().frames.iter().filter(|f| f.key);
    assert_eq!(keys.count(), 6);
}

#[test]
fn both_ffmpegs_read_the_same_frames_from_a_file() {
    let file = testdata("bframes.flv");
    for framing in [Framing::Native, Framing::Ts] {
        let five = ffmpeg::source(Version::V5, &file, framing);
        let nine = ffmpeg::source(Version::V9, &file, framing);
        let placed = five.assert_received("FFmpeg 9", &nine, Coverage::Whole);
        assert_eq!(placed.shift, 0);
    }
}

#[test]
fn a_known_good_server_passes_the_comparison() {
    let nginx = Nginx::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = nginx.url("live/cam");
    // nginx-rtmp lets players wait for their publisher. It does not close them when it goes, so
    // rtmpsrc, which fills blocks of 4 KiB, is not among them.
    let five = Reader::start(&ReadOptions::native(Version::V5), &url);
    let nine = Reader::start(&ReadOptions::native(Version::V9), &url);
    let mut dump = FlvReader::rtmpdump(&url);
    let mut gst = FlvReader::rtmp2src(&url);
    std::thread::sleep(secs(1));
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    five.expect_all_but_last(&source, secs(20));
    nine.expect_all_but_last(&source, secs(20));
    let tags = flv::media(&flv::read_file(&file));
    dump.expect(&tags, Coverage::Whole, secs(20));
    // nginx-rtmp says at once that the stream ended, and rtmp2src then drops what it has not passed on yet.
    gst.expect(&tags, Coverage::Part(140), secs(20));
}

fn media(frames: &[(i64, i64, &str)]) -> Media {
    let frames = frames.iter().enumerate().map(|(n, (dts, pts, md5))| Frame {
        dts: dts * TICKS_PER_MS,
        pts: pts * TICKS_PER_MS,
        size: 5,
        md5: (*md5).to_owned(),
        key: n % 2 == 0,
    });
    Media {
        tracks: vec![Track {
            stream: 0,
            kind: Kind::Video,
            codec: "h264".to_owned(),
            exact: true,
            frames: frames.collect(),
        }],
    }
}

const SOURCE: [(i64, i64, &str); 4] =
    [(0, 80, "a"), (40, 40, "b"), (80, 160, "c"), (120, 120, "d")];

#[test]
fn equal_media_with_a_shift_is_equal() {
    let later: Vec<_> = SOURCE.iter().map(|(d, p, m)| (d + 7, p + 7, *m)).collect();
    let placed = media(&SOURCE).compare(&media(&later), Coverage::Whole);
    assert_eq!(
        placed,
        Ok(Placed {
            shift: 630,
            first: 0
        })
    );
}

#[test]
fn a_suffix_from_a_key_frame_is_no_whole() {
    let source = media(&SOURCE);
    let late = media(&SOURCE[2..]);
    assert!(source.compare(&late, Coverage::FromKeyFrame).is_ok());
    assert!(source.compare(&late, Coverage::Whole).is_err());
    assert!(
        source
            .compare(&media(&SOURCE[1..]), Coverage::FromKeyFrame)
            .is_err()
    );
}

#[test]
fn a_missing_end_one_wrong_byte_or_one_millisecond_is_seen() {
    let source = media(&SOURCE);
    assert!(
        source
            .compare(&media(&SOURCE[..3]), Coverage::Whole)
            .is_err()
    );
    assert!(
        source
            .compare(&media(&SOURCE[..3]), Coverage::Part(3))
            .is_ok()
    );
    let mut other = SOURCE;
    other[3].2 = "x";
    assert!(source.compare(&media(&other), Coverage::Whole).is_err());
    let mut other = SOURCE;
    other[2].1 += 1;
    let error = source.compare(&media(&other), Coverage::Whole).unwrap_err();
    assert!(
        error.contains("pts 160 ms sent, 161 ms received"),
        "{error}"
    );
    let mut lost = SOURCE.to_vec();
    lost.remove(1);
    assert!(source.compare(&media(&lost), Coverage::Whole).is_err());
}

#[test]
fn the_address_is_found_in_text_and_in_json() {
    let sentence = "rtmp listening on ";
    let json = r#"{"level":"INFO","fields":{"message":"rtmp listening on 127.0.0.1:40123"}}"#;
    let found = address_after(json, sentence);
    assert_eq!(found.as_deref(), Some("127.0.0.1:40123"));
    let text = "10:15:02.421 INFO  rtmp listening on [::1]:1935 tls=no";
    assert_eq!(address_after(text, sentence).as_deref(), Some("[::1]:1935"));
    assert_eq!(
        address_after("http listening on 0.0.0.0:8080", sentence),
        None
    );
}
