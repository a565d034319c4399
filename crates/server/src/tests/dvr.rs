//! DVR: what is kept on the disk, over a restart, and what may be asked of it. The writer is a real thread; the
//! clock on the wall is the tests'.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, StatusCode};
use hub::{Ask, CloseCause, Publisher, Verdict};
use tokio::time::sleep;

use super::{Answer, Bench, Clip, encryption, named, now};
use crate::config::{DvrConfig, DvrWindow};
use crate::state::Parts;
use crate::{Config, KeyOrigin};

const HOUR: Duration = Duration::from_secs(3_600);
const START: &str = "/live/cam1/fmp4.m3u8?start=-600";

/// A server that keeps `live/…` for two hours below this folder.
fn keeping(folder: &Path) -> Bench {
    changed(folder, |_| {}, |_| {})
}

fn changed(
    folder: &Path,
    config: impl FnOnce(&mut DvrConfig),
    parts: impl FnOnce(&mut Parts),
) -> Bench {
    let mut dvr = settings(folder);
    config(&mut dvr);
    let mut config = Config::default();
    config.hls.dvr = Some(dvr);
    Bench::with(config, parts)
}

fn settings(folder: &Path) -> DvrConfig {
    let window = DvrWindow::new(|name| match name.app() {
        "live" => 2 * HOUR,
        _ => Duration::ZERO,
    });
    let mut dvr = DvrConfig::new(folder.join("dvr"), window);
    dvr.min_free = 0;
    dvr
}

/// Publishes six seconds; nobody watches. Gives the publisher when all that is complete of it is written:
/// five segments of a second.
async fn published(bench: &Bench, name: &str) -> Publisher {
    let mut publisher = bench.publisher(name);
    // The run has begun before the first frame comes: what a ring holds already may be cut otherwise.
    written(bench).await;
    Clip::open("bframes.flv").send(&mut publisher, 0);
    written(bench).await;
    publisher
}

/// Lets the housekeeping start a run, and waits for the disk.
async fn written(bench: &Bench) {
    for _ in 0..3_000 {
        sleep(Duration::from_millis(1_100)).await;
        if bench.server.shared().hls.is_written() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the disk takes 30 s");
}

fn uris(answer: &Answer) -> Vec<String> {
    let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

async fn ok(bench: &Bench, uri: &str) -> Answer {
    let answer = bench.get(uri).await;
    assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
    answer
}

fn pass(bench: &Bench, time: Duration) {
    let ms = i64::try_from(time.as_millis()).unwrap();
    bench.wall_ms.fetch_add(ms, Ordering::Relaxed);
}

/// As [`keeping`], with two streams joined to a ladder, also some that are not kept.
fn keeping_ladders(folder: &Path) -> Bench {
    let mut config = Config::default();
    config.hls.dvr = Some(settings(folder));
    let rule = |app: &str| {
        let rungs = ["hd", "sd"].map(|rung| format!("{app}/{{name}}_{rung}"));
        ::hls::LadderRule::new(&format!("{app}/{{name}}"), &rungs).unwrap()
    };
    config.hls.ladders = vec![rule("live"), rule("other")];
    Bench::with(config, |_| {})
}

#[tokio::test(start_paused = true)]
async fn the_past_of_a_ladder_is_that_of_its_rungs() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping_ladders(folder.path());
    let early = bench.get("/live/cam.m3u8?start=-600").await;
    assert_eq!(early.status, StatusCode::NOT_FOUND, "{}", early.text());
    let hd = published(&bench, "live/cam_hd").await;
    // One rung alone is a ladder, too.
    let one = ok(&bench, "/live/cam.m3u8?start=-600").await;
    assert_eq!(uris(&one), ["cam/cam_hd/fmp4.m3u8?start=-600"]);
    let sd = published(&bench, "live/cam_sd").await;
    let both = ok(&bench, "/live/cam.m3u8?start=-600").await;
    let expected = ["hd", "sd"].map(|rung| format!("cam/cam_{rung}/fmp4.m3u8?start=-600"));
    assert_eq!(uris(&both), expected);
    assert_eq!(both.text().matches("RESOLUTION=320x180").count(), 2);
    assert_eq!(both.header("cache-control"), "no-cache");
    // Each is the past of its stream, below the ladder's name, cut and dated alike.
    let mut dates = Vec::new();
    for rung in &expected {
        let past = ok(&bench, &format!("/live/{rung}")).await;
        let folder = rung.rsplit_once('/').unwrap().0;
        let alone = rung.strip_prefix("cam/").unwrap();
        assert_eq!(past.body, ok(&bench, &format!("/live/{alone}")).await.body);
        assert_eq!(uris(&past).len(), 5);
        for uri in uris(&past) {
            ok(&bench, &format!("/live/{folder}/{uri}")).await;
        }
        let lines = past.text().lines();
        let dated =
            lines.filter(|l| l.starts_with("#EXT-X-PROGRAM-DATE") || l.starts_with("#EXTINF"));
        dates.push(dated.map(str::to_owned).collect::<Vec<_>>());
    }
    assert_eq!(dates[0], dates[1]);
    assert!(!dates[0].is_empty());

    // What is not there is said of each; what cannot be asked, as of any stream.
    let none = bench
        .get("/live/cam.m3u8?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    for part in [
        "live/cam is a ladder; ",
        "nothing of live/cam_hd is kept there; there is ",
        "; nothing of live/cam_sd is kept there",
    ] {
        assert!(none.text().contains(part), "{}", none.text());
    }
    let wrong = bench.get("/live/cam.m3u8?start=600").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let _other = bench.publish("other/cam_hd", "bframes.flv");
    let other = bench.get("/other/cam.m3u8?start=-600").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let why = "nothing of other/cam is kept beyond the live playlist (hls.dvr)";
    assert!(other.text().contains(why), "{}", other.text());
    let ts = bench.get("/live/cam.ts.m3u8?start=-600").await;
    let why = "live/cam_sd is not kept as MPEG-TS (hls.dvr_formats)";
    assert!(ts.text().contains(why), "{}", ts.text());

    // Another process: nobody publishes, and the ladder is what was kept.
    drop((hd, sd, bench));
    let bench = keeping_ladders(folder.path());
    assert_eq!(
        bench.get("/live/cam.m3u8").await.status,
        StatusCode::NOT_FOUND
    );
    let after = ok(&bench, "/live/cam.m3u8?start=-600").await;
    assert_eq!(after.text(), both.text());
    let past = ok(&bench, &format!("/live/{}", uris(&after)[1])).await;
    assert!(past.text().ends_with("#EXT-X-ENDLIST\n"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_kept_without_viewers_and_its_names_stay_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let publisher = published(&bench, "live/cam1").await;
    let multivariant = ok(&bench, "/live/cam1.m3u8?start=-600").await;
    assert!(multivariant.text().contains("CODECS=\"avc1."));
    assert!(multivariant.text().contains("RESOLUTION=320x180"));
    assert_eq!(multivariant.first_uri(), "cam1/fmp4.m3u8?start=-600");
    let before = ok(&bench, START).await;
    let live = ok(&bench, "/live/cam1/fmp4.m3u8").await;
    assert_eq!(uris(&before), uris(&live), "no part, and no other segment");
    assert_eq!(uris(&before).len(), 5);
    assert_eq!(
        before.tag("EXT-X-MEDIA-SEQUENCE"),
        live.tag("EXT-X-MEDIA-SEQUENCE")
    );
    let mut bodies = Vec::new();
    for uri in uris(&live) {
        bodies.push(ok(&bench, &format!("/live/cam1/{uri}")).await.body);
    }
    let json = ok(&bench, "/v1/streams/live/cam1").await.json();
    let kept = &json["hls"]["dvr"];
    assert_eq!(
        (&kept["window_s"], &kept["segments"]),
        (&7_200.0.into(), &5.into())
    );
    let bytes: usize = bodies.iter().map(bytes::Bytes::len).sum();
    assert_eq!((&kept["bytes"], &kept["gaps"]), (&bytes.into(), &0.into()));
    // The process goes without a word, and another one comes.
    drop((publisher, bench));
    let bench = keeping(folder.path());
    pass(&bench, Duration::from_secs(20));
    let after = ok(&bench, START).await;
    let ended = format!("{}#EXT-X-ENDLIST\n", before.text());
    assert_eq!(after.text(), ended, "nobody publishes");
    for (uri, body) in uris(&after).iter().zip(&bodies) {
        let segment = ok(&bench, &format!("/live/cam1/{uri}")).await;
        assert_eq!(segment.body, body);
        assert_eq!(segment.header("content-type"), "video/mp4");
        assert_eq!(
            segment.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
    }
    let map = after.tag("EXT-X-MAP").split('"').nth(1).unwrap().to_owned();
    assert_eq!(
        &ok(&bench, &format!("/live/cam1/{map}")).await.body[4..8],
        b"ftyp"
    );
    // The plain playlist is the live one, and there is none.
    assert_eq!(bench.get("/live/cam1.m3u8").await.status, 404);
    // The next publisher's segments follow one discontinuity, and no name is used twice.
    let _publisher = published(&bench, "live/cam1").await;
    let both = ok(&bench, START).await;
    let (old, new) = both.text().split_once("#EXT-X-DISCONTINUITY\n").unwrap();
    assert_eq!(format!("{old}#EXT-X-ENDLIST\n"), ended);
    assert!(!new.contains("#EXT-X-DISCONTINUITY\n") && !new.contains("ENDLIST"));
    let mut names = uris(&both);
    assert_eq!(names.len(), 10);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 10);
    // The live playlist went on with the numbers too.
    let again = ok(&bench, "/live/cam1/fmp4.m3u8").await;
    let number = |answer: &Answer| answer.tag("EXT-X-MEDIA-SEQUENCE").parse::<u64>().unwrap();
    let since = number(&again) - number(&live);
    assert!((6..=40).contains(&since), "{since}");
    assert_eq!(again.tag("EXT-X-DISCONTINUITY-SEQUENCE"), "1");
}

#[tokio::test(start_paused = true)]
async fn ranges_are_cut_at_segments_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let _publisher = published(&bench, "live/cam1").await;
    // The clip ends at 19:28:55 by the wall clock.
    pass(&bench, Duration::from_secs(600));
    let all = uris(&ok(&bench, START).await);
    let query = "from=2026-11-20T19:28:50.500Z&to=2026-11-20T19:28:52.200Z";
    let multivariant = ok(&bench, &format!("/live/cam1.m3u8?{query}")).await;
    let link = "cam1/fmp4.m3u8?from=2026-11-20T19:28:50.500Z&to=2026-11-20T19:28:52.200Z";
    assert_eq!(multivariant.first_uri(), link);
    let range = ok(&bench, &format!("/live/{link}")).await;
    assert!(
        range.text().contains("#EXT-X-PLAYLIST-TYPE:VOD\n"),
        "{}",
        range.text()
    );
    assert!(range.text().ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(uris(&range), all[1..4]);
    assert!(range.tag("EXT-X-START").starts_with("TIME-OFFSET=0."));
    // The same with a zone of its own, encoded.
    let zone = "from=2026-11-20T20%3A28%3A50.5%2B01%3A00&to=2026-11-20T19:28:52.200Z";
    let same = ok(&bench, &format!("/live/cam1/fmp4.m3u8?{zone}")).await;
    assert_eq!(same.text(), range.text());
    assert_eq!(same.header("etag"), range.header("etag"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let publisher = bench.publisher("live/empty");
    let _other = published(&bench, "live/cam1").await;
    let _not_kept = published(&bench, "other/cam").await;
    for (uri, status, detail) in [
        (
            "/live/cam1.m3u8?start=600",
            400,
            "start is seconds before the live edge",
        ),
        (
            "/live/cam1/fmp4.m3u8?start=-1e300",
            400,
            "start is seconds before the live edge",
        ),
        (
            "/live/cam1/fmp4.m3u8?start=-99999999999999999999",
            400,
            "more than ten years back",
        ),
        (
            "/live/cam1/fmp4.m3u8?from=now",
            400,
            "from is a date as 2026-11-20T19:30:00Z",
        ),
        (
            "/live/cam1/fmp4.m3u8?from=2026-11-20T19:30:00Z&to=2026-11-20T19:00:00Z",
            400,
            "to is not after from",
        ),
        (
            "/live/cam1/fmp4.m3u8?start=-1&from=2026-11-20T19:30:00Z",
            400,
            "exclude each other",
        ),
        (
            "/live/cam1/fmp4.m3u8?from=2026-11-19T19:30:00Z&to=2026-11-19T19:40:00Z",
            404,
            "there is 2026-11-20T19:28:48.925Z to 2026-11-20T19:28:53.925Z",
        ),
        (
            "/live/cam1.m3u8?from=2027-11-19T19:30:00Z",
            404,
            "nothing of live/cam1 is kept there",
        ),
        (
            "/live/cam1/ts.m3u8?start=-60",
            404,
            "live/cam1 is not kept as MPEG-TS (hls.dvr_formats)",
        ),
        (
            "/live/empty/fmp4.m3u8?start=-60",
            503,
            "nothing of live/empty is kept yet",
        ),
        (
            "/other/cam/fmp4.m3u8?start=-60",
            404,
            "nothing of other/cam is kept beyond the live playlist (hls.dvr)",
        ),
        ("/live/none/fmp4.m3u8?start=-60", 404, "no stream live/none"),
        ("/live/cam1/0-1.m4s", 404, "has no segment 0-1.m4s"),
    ] {
        let answer = bench.get(uri).await;
        assert_eq!(answer.status, status, "{uri}: {}", answer.text());
        assert!(answer.text().contains(detail), "{uri}: {}", answer.text());
    }
    // Where nothing is kept, other people's parameters are their own.
    assert_eq!(
        bench.get("/other/cam/fmp4.m3u8?from=share").await.status,
        200
    );
    drop(publisher);
}

#[tokio::test(start_paused = true)]
async fn segments_from_the_disk_are_sent_as_those_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let publisher = published(&bench, "live/cam1").await;
    let uri = uris(&ok(&bench, START).await).remove(2);
    let uri = format!("/live/cam1/{uri}");
    let memory = ok(&bench, &uri).await;
    drop((publisher, bench));
    let bench = keeping(folder.path());
    let disk = ok(&bench, &uri).await;
    assert_eq!(disk.body, memory.body);
    for header in [
        "etag",
        "content-length",
        "content-type",
        "cache-control",
        "accept-ranges",
    ] {
        assert_eq!(disk.header(header), memory.header(header), "{header}");
    }
    let len = memory.body.len();
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-", 100, len - 1),
        ("bytes=-5", len - 5, len - 1),
    ] {
        let part = bench.ask(Method::GET, &uri, &[("range", range)]).await;
        assert_eq!(part.status, 206);
        assert_eq!(part.body, memory.body[first..=last]);
        assert_eq!(
            part.header("content-range"),
            format!("bytes {first}-{last}/{len}")
        );
    }
    let beyond = format!("bytes={len}-");
    assert_eq!(
        bench
            .ask(Method::GET, &uri, &[("range", &beyond)])
            .await
            .status,
        416
    );
    let head = bench.ask(Method::HEAD, &uri, &[]).await;
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        (len.to_string().as_str(), 0)
    );
    let known = [("if-none-match", memory.header("etag"))];
    assert_eq!(bench.ask(Method::GET, &uri, &known).await.status, 304);
}

#[tokio::test(start_paused = true)]
async fn playlists_are_rendered_and_packed_once_a_change() {
    use std::io::Read as _;
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let mut publisher = published(&bench, "live/cam1").await;
    let shelf = bench
        .server
        .shared()
        .hls
        .shelf(&named("live/cam1"))
        .unwrap();
    let packed = [("accept-encoding", "gzip")];
    for round in 0..2 {
        let renders = shelf.renders();
        let plain = ok(&bench, START).await;
        for _ in 0..200 {
            let answer = bench.ask(Method::GET, START, &packed).await;
            assert_eq!(answer.header("content-encoding"), "gzip");
            let mut text = String::new();
            flate2::read::GzDecoder::new(&answer.body[..])
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, plain.text());
        }
        assert!(shelf.renders() <= renders + 1, "round {round}");
        let known = [("if-none-match", plain.header("etag"))];
        assert_eq!(bench.ask(Method::GET, START, &known).await.status, 304);
        Clip::open("bframes.flv").send(&mut publisher, 6_000 * (round + 1));
        written(&bench).await;
        assert_eq!(bench.ask(Method::GET, START, &known).await.status, 200);
    }
    let whole = ok(&bench, START).await;
    let delta = ok(&bench, &format!("{START}&_HLS_skip=YES")).await;
    assert_eq!(delta.tag("EXT-X-SKIP"), "SKIPPED-SEGMENTS=5");
    assert_eq!(uris(&delta), uris(&whole)[5..]);
}

#[tokio::test(start_paused = true)]
async fn who_is_let_in_by_a_link_is_let_into_the_past_by_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let by_link = |ask: Ask| async move {
        match ask.query.as_deref() {
            Some(query) if query.contains("pwd=s3cret") || query.contains("token=t0k") => {
                Verdict::AllowLinks("token=t0k".into())
            }
            _ => Verdict::deny("not for you"),
        }
    };
    let bench = changed(
        folder.path(),
        |_| {},
        |parts| parts.authorizer = Arc::new(by_link),
    );
    let _publisher = published(&bench, "live/cam1").await;
    assert_eq!(bench.get("/live/cam1.m3u8?start=-600").await.status, 403);
    let multivariant = ok(&bench, "/live/cam1.m3u8?start=-600&pwd=s3cret").await;
    let link = multivariant.first_uri();
    assert_eq!(link, "cam1/fmp4.m3u8?start=-600&token=t0k");
    let media = ok(&bench, &format!("/live/{link}")).await;
    assert!(media.header("cache-control").starts_with("private, "));
    assert!(media.tag("EXT-X-MAP").ends_with("-init-1.mp4?token=t0k\""));
    for uri in uris(&media) {
        let (bare, query) = uri.split_once('?').unwrap();
        assert_eq!(query, "token=t0k");
        assert_eq!(bench.get(&format!("/live/cam1/{bare}")).await.status, 403);
        ok(&bench, &format!("/live/cam1/{uri}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_nothing_costs_nothing_but_the_past() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    std::fs::write(folder.path().join("dvr"), "x").unwrap();
    let bench = keeping(folder.path());
    let _publisher = published(&bench, "live/cam1").await;
    assert_eq!(uris(&ok(&bench, "/live/cam1/fmp4.m3u8").await).len(), 5);
    let json = ok(&bench, "/v1/streams/live/cam1").await.json();
    let kept = &json["hls"]["dvr"];
    assert_eq!(
        (&kept["lost_segments"], &kept["segments"]),
        (&5.into(), &0.into())
    );
    assert_eq!(bench.get(START).await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_room_leaves_gaps_and_live_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // The clip's segments have 10 to 30 kB; the first ones are smaller than the others.
    let bench = changed(folder.path(), |dvr| dvr.queue_bytes = 0, |_| {});
    let _publisher = published(&bench, "live/cam1").await;
    let json = ok(&bench, "/v1/streams/live/cam1").await.json();
    assert_eq!(json["hls"]["dvr"]["lost_segments"], 5);
    assert_eq!(uris(&ok(&bench, "/live/cam1/fmp4.m3u8").await).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_leaves_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let bench = keeping(folder.path());
    let publisher = published(&bench, "live/cam1").await;
    let stored = folder.path().join("dvr/live/cam1");
    assert_eq!(
        std::fs::read_dir(&stored).unwrap().count(),
        2,
        "one block: media and log"
    );
    let uri = format!("/live/cam1/{}", uris(&ok(&bench, START).await)[0]);
    publisher.close(now(), CloseCause::Finished);
    // Beyond the reconnect window and the life of the finished playlist.
    for _ in 0..120 {
        sleep(Duration::from_secs(1)).await;
        bench.tick();
    }
    pass(&bench, 2 * HOUR - Duration::from_secs(5));
    written(&bench).await;
    assert_eq!(bench.get(&uri).await.status, 200, "still within the window");
    pass(&bench, Duration::from_secs(10));
    written(&bench).await;
    assert!(!stored.exists(), "its folder goes with it");
    assert!(folder.path().join("dvr").exists());
    assert_eq!(bench.get(&uri).await.status, 404);
    assert_eq!(bench.get("/live/cam1.m3u8?start=-60").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn strange_files_are_left_or_removed_and_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let stored = folder.path().join("dvr/live/cam1");
    std::fs::create_dir_all(&stored).unwrap();
    std::fs::create_dir_all(folder.path().join("dvr/v1/streams")).unwrap();
    for (name, text) in [
        ("fmp4-a-1.log", "nonsense"),
        ("fmp4-a-1.media", "media"),
        ("fmp4-b-1.media", "media without a log"),
        (
            "fmp4-c-9.log",
            "sidestream-dvr 1 fmp4 d 1 1 0 4\ntracks - - - - - -\nsegment 1 1795202930000 2000 0 0 i\n",
        ),
        ("notes.txt", "mine"),
    ] {
        std::fs::write(stored.join(name), text).unwrap();
    }
    std::fs::write(folder.path().join("dvr/v1/streams/fmp4-a-1.log"), "x").unwrap();
    let bench = keeping(folder.path());
    let names: Vec<String> = std::fs::read_dir(&stored)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["notes.txt"]);
    assert!(folder.path().join("dvr/v1/streams/fmp4-a-1.log").exists());
    assert_eq!(bench.get(START).await.status, 404);
    let _publisher = published(&bench, "live/cam1").await;
    assert_eq!(uris(&ok(&bench, START).await).len(), 5);
    assert_eq!(bench.get("/live/cam1/..%2Fnotes.m4s").await.status, 404);
}

/// Lines of keys with a URI, in order.
fn key_lines(playlist: &Answer) -> Vec<String> {
    let lines = playlist.text().lines();
    let keys = lines.filter(|line| line.starts_with("#EXT-X-KEY:") && line.contains("URI"));
    keys.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_encrypted_is_kept_so_and_its_keys_are_made_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let mut config = encryption::generated(hls::Method::Aes128);
        config.hls.dvr = Some(settings(folder.path()));
        Bench::with(config, |_| {})
    };
    let bench = open();
    let publisher = published(&bench, "live/cam1").await;
    let live = ok(&bench, "/live/cam1/fmp4.m3u8").await;
    let before = ok(&bench, START).await;
    assert_eq!(uris(&before), uris(&live));
    assert_eq!(key_lines(&before), key_lines(&live));
    let all = encryption::keys(&live);
    assert_eq!(all.len(), uris(&live).len(), "a vector each");
    let mut bodies = Vec::new();
    for key in &all {
        bodies.push(ok(&bench, &format!("/live/cam1/{key}")).await.body);
    }
    assert_ne!(bodies.first(), bodies.last(), "a key for two segments");
    drop((publisher, bench));
    let bench = open();
    pass(&bench, Duration::from_secs(20));
    let after = ok(&bench, START).await;
    assert_eq!(key_lines(&after), key_lines(&before));
    for (key, body) in all.iter().zip(&bodies) {
        let again = ok(&bench, &format!("/live/cam1/{key}")).await;
        assert_eq!(&again.body, body);
        assert_eq!(again.header("cache-control"), "no-store");
    }
    let unused = all[0].replace("-0.bin", "-9.bin");
    for wrong in [
        format!("/live/cam1/{unused}"),
        format!("/live/cam2/{}", all[0]),
    ] {
        assert_eq!(bench.get(&wrong).await.status, 404, "{wrong}");
    }
    // A relay that encrypts no more has no secret to make them of.
    drop(bench);
    let bench = keeping(folder.path());
    let gone = bench.get(&format!("/live/cam1/{}", all[0])).await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("hls.encryption"), "{}", gone.text());
}

#[tokio::test(start_paused = true)]
async fn a_key_server_is_asked_again_for_keys_of_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(encryption::Switched::default());
    server.on.store(true, Ordering::Relaxed);
    let open = || {
        let keys = KeyOrigin::Server(Arc::clone(&server) as _);
        let mut config = encryption::settings(hls::Method::Cbcs, keys);
        config.hls.dvr = Some(settings(folder.path()));
        Bench::with(config, |_| {})
    };
    let bench = open();
    let publisher = published(&bench, "live/cam1").await;
    let before = ok(&bench, START).await;
    assert!(before.text().contains("METHOD=SAMPLE-AES"));
    let key = encryption::keys(&before).remove(0);
    drop((publisher, bench));
    let bench = open();
    pass(&bench, Duration::from_secs(20));
    let uri = format!("/live/cam1/{key}");
    let again = ok(&bench, &uri).await;
    assert_eq!(&again.body[..], [0; 16]);
    // Another key would make noise of it.
    let names = std::mem::take(&mut *server.names.lock().unwrap());
    server.names.lock().unwrap().push("another".to_owned());
    let other = bench.get(&uri).await;
    assert_eq!(other.status, 404);
    assert!(other.text().contains("another key-"), "{}", other.text());
    *server.names.lock().unwrap() = names;
    server.on.store(false, Ordering::Relaxed);
    let refused = bench.get(&uri).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        refused.text().contains("it is switched off"),
        "{}",
        refused.text()
    );
}
