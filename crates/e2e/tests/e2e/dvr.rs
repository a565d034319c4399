//! DVR of a real publisher: the past compared frame by frame, over a kill, on a full disk, and in a browser's
//! player.

use crate::browser::watch;
use e2e::disk::SmallDisk;
use e2e::ffmpeg::{self, Version};
use e2e::frames::{Coverage, Framing};
use e2e::hls::Playlist;
use e2e::media::testdata;
use e2e::process::Process;
use e2e::server::{Options, SHORT_LIFE, Server};
use e2e::wait::{secs, until};

const MEDIA: &str = "/live/cam/fmp4.m3u8";

/// A server that keeps its streams in this folder.
fn server(folder: &std::path::Path, wrapper: Vec<String>) -> Server {
    Server::with(&Options {
        config: format!(
            "{SHORT_LIFE}[hls]\nsegment = \"1s\"\ndvr = \"2h\"\ndvr_dir = {folder:?}\ndvr_min_free = \"0B\"\n"
        ),
        wrapper,
        ..Options::default()
    })
}

fn publish(server: &Server, loops: &str) -> Process {
    ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", loops],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    )
}

/// The playlist of what is kept, as soon as it has so many segments.
fn kept(server: &Server, query: &str, segments: usize) -> Playlist {
    until("segments of the past", secs(30), || {
        let answer = server.get(&format!("{MEDIA}?{query}"));
        let list = (answer.status == 200).then(|| Playlist::parse(MEDIA, &answer.text()))?;
        (list.segments.len() >= segments).then_some(list)
    })
}

/// The media of a playlist as one file.
fn media(server: &Server, list: &Playlist) -> Vec<u8> {
    let mut all = Vec::new();
    let mut init = None;
    let mut get = |path: &str| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        all.extend_from_slice(&answer.body);
    };
    for segment in &list.segments {
        if segment.init != init {
            init.clone_from(&segment.init);
            get(init.as_deref().unwrap());
        }
        get(&segment.path);
    }
    all
}

/// What `?from=&to=` needs of a segment's date.
fn date(list: &Playlist, index: usize) -> String {
    // One date stands at the beginning of a timeline: the others follow from the durations.
    let first = list.segments[0].date_time.as_deref().unwrap();
    let (day, time) = first.trim_end_matches('Z').split_once('T').unwrap();
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    let before: f64 = list.segments[..index].iter().map(|s| s.duration_s).sum();
    let seconds = parts[0] * 3_600.0 + parts[1] * 60.0 + parts[2] + before;
    let (hours, rest) = ((seconds / 3_600.0).floor(), seconds % 3_600.0);
    let (minutes, seconds) = ((rest / 60.0).floor(), rest % 60.0);
    // A test that runs over midnight asks for the next day as the 24th hour does not exist.
    assert!(hours < 24.0, "midnight");
    format!("{day}T{hours:02}:{minutes:02}:{seconds:06.3}Z")
}

#[test]
fn the_past_is_the_source_frame_by_frame_and_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = server(folder.path(), Vec::new());
    let mut publisher = publish(&first, "0");
    // The clip is six segments; nobody watches. The last one ends with the stream.
    let list = kept(&first, "start=-600", 6);
    publisher.finish(secs(10));
    let source = ffmpeg::source(Version::V5, &testdata("bframes.flv"), Framing::Native);
    let frames = |server: &Server, list: &Playlist| {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("all.mp4");
        std::fs::write(&file, media(server, list)).unwrap();
        ffmpeg::file_frames(Version::V9, &file, Framing::Native, false)
    };
    source.assert_received("the whole past", &frames(&first, &list), Coverage::Whole);
    // Two segments from its middle, as ffmpeg's own HLS client reads them.
    let (from, to) = (date(&list, 2), date(&list, 4));
    let range = kept(&first, &format!("from={from}&to={to}"), 1);
    assert_eq!(range.segments.len(), 2);
    assert!(range.ended);
    assert_eq!(range.segments[0].path, list.segments[2].path);
    let url = first.http_url(&format!("/live/cam.m3u8?from={from}&to={to}"));
    let played = ffmpeg::file_frames(Version::V9, url.as_ref(), Framing::Native, false);
    source.assert_received("two seconds of it", &played, Coverage::Part(40));
    assert_eq!(played.video().unwrap().frames.len(), 50);

    // It is killed in the middle of a publish, and another one takes up what there is.
    let _publisher = publish(&first, "3");
    let before = kept(&first, "start=-600", 9);
    first.process_mut().kill();
    let second = server(folder.path(), Vec::new());
    second.wait_for_log("dvr: taken up", secs(5));
    let after = kept(&second, "start=-600", before.segments.len());
    assert!(after.ended, "nobody publishes");
    assert_eq!(after.sequence, before.sequence);
    let names =
        |list: &Playlist| -> Vec<String> { list.segments.iter().map(|s| s.path.clone()).collect() };
    assert!(names(&after).starts_with(&names(&before)));
    let again = kept(&second, &format!("from={from}&to={to}"), 1);
    assert_eq!(names(&again), names(&range));
    source.assert_received(
        "the past after a kill",
        &frames(&second, &again),
        Coverage::Part(40),
    );
    // The next publish follows: one discontinuity for it, and the numbers go on.
    let _publisher = publish(&second, "30");
    let both = kept(&second, "start=-600", after.segments.len() + 2);
    assert_eq!(both.sequence, before.sequence);
    let known = after.segments.len();
    assert_eq!(names(&both)[..known], names(&after));
    let breaks: Vec<usize> = (0..both.segments.len())
        .filter(|index| both.segments[*index].discontinuity)
        .collect();
    assert_eq!(breaks, [6, known], "where a publisher came");
    let live = Playlist::parse(MEDIA, &second.get(MEDIA).text());
    assert!(live.sequence > before.sequence + before.segments.len() as u64);
    assert_eq!(live.discontinuity_sequence, 2);
    let mut unique = names(&both);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), both.segments.len());
    // hls.js enters the past: it plays, and asks for no part, which only the live playlist has.
    let seen = watch(&second, "live/cam?start=-8", "hls", &[]);
    assert_eq!(seen["lowLatency"]["parts"], 0, "{seen:#}");
}

#[test]
fn a_full_disk_leaves_gaps_and_live_goes_on() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let filler = disk.outside().join("filler");
    std::fs::write(&filler, vec![0; 900_000]).unwrap();
    let folder = disk.inside().join("dvr");
    let server = server(&folder, disk.wrapper());
    let _publisher = publish(&server, "5");
    server.wait_for_log("a segment could not be stored", secs(30));
    let state = || server.stream("live/cam").unwrap()["hls"]["dvr"].clone();
    until("gaps are listed", secs(30), || {
        (state()["gaps"].as_u64()? >= 2).then_some(())
    });
    assert!(state()["lost_segments"].as_u64() >= state()["gaps"].as_u64());
    let text = server.get(&format!("{MEDIA}?start=-600")).text();
    assert!(text.contains("#EXT-X-GAP\n#EXTINF:"), "{text}");
    // Live has what the disk has not.
    let live = Playlist::parse(MEDIA, &server.get(MEDIA).text());
    let newest = live.segments.last().unwrap();
    assert_eq!(server.get(&newest.path).status, 200);

    std::fs::remove_file(&filler).unwrap();
    server.wait_for_log("dvr goes on", secs(30));
    let after = until("a segment after the gaps", secs(30), || {
        let text = server.get(&format!("{MEDIA}?start=-600")).text();
        (text.rsplit_once("#EXT-X-GAP")?.1.matches("#EXTINF").count() > 2).then_some(text)
    });
    assert_eq!(
        after.matches("#EXT-X-DISCONTINUITY\n").count(),
        0,
        "the timeline went on"
    );
    let list = Playlist::parse(MEDIA, &after);
    let gaps = state()["gaps"].as_u64().unwrap();
    let missing = list
        .segments
        .iter()
        .filter(|s| server.get(&s.path).status != 200);
    // Those that live has no more, and the disk never had.
    assert!(missing.count() as u64 <= gaps);
}
