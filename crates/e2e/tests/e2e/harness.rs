//! The harness itself, tried on a peer that is known to be good: were the comparison wrong, these
//! tests would fail although sidestream is right.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing};
use e2e::gst::FlvReader;
use e2e::media::testdata;
use e2e::nginx::Nginx;
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
