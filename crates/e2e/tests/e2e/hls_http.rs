//! What HTTP clients and caches may expect of HLS resources.

use e2e::ffmpeg::{self, Version};
use e2e::gst;
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::http::{self, Response};
use e2e::media::testdata;
use e2e::process::{Process, run_ok};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::secs;

/// A server with a stream that has run into some segments and goes on.
fn live() -> (Server, Process) {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\n"
    ));
    let publisher = ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "5"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    );
    (server, publisher)
}

fn head(server: &Server, path: &str) -> Response {
    http::request("HEAD", &server.http, path, &[]).unwrap()
}

#[test]
fn types_caching_and_cors_are_right() {
    let (server, _publisher) = live();
    let fmp4 = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let ts = multivariant(&server.http, "/live/cam.ts.m3u8", FIRST_SEGMENT);
    for path in [
        "/live/cam.m3u8",
        "/live/cam.ts.m3u8",
        &fmp4.media,
        &ts.media,
    ] {
        let response = server.get(path);
        assert_eq!(
            response.header("content-type"),
            Some("application/vnd.apple.mpegurl"),
            "{path}"
        );
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
        let cache = response.header("cache-control").unwrap_or_default();
        let short = cache.contains("no-cache")
            || cache.contains("max-age=1")
            || cache.contains("max-age=0");
        assert!(short, "{path}: cache-control {cache:?}");
    }
    for (media, kind) in [(&fmp4.media, "video/mp4"), (&ts.media, "video/mp2t")] {
        let mut collector = Collector::new(&server.http, media);
        collector.until("a segment", secs(5), |list| !list.segments.is_empty());
        let (segment, _) = collector.segments.values().next().unwrap();
        for path in std::iter::once(&segment.path).chain(&segment.init) {
            let response = server.get(path);
            assert_eq!(response.header("content-type"), Some(kind), "{path}");
            assert_eq!(
                response.header("access-control-allow-origin"),
                Some("*"),
                "{path}"
            );
            let cache = response.header("cache-control").unwrap_or_default();
            assert!(
                cache.contains("max-age="),
                "{path}: cache-control {cache:?}"
            );
            assert!(
                !cache.contains("no-cache"),
                "{path}: cache-control {cache:?}"
            );
            let bare = head(&server, path);
            assert_eq!(bare.status, 200);
            assert_eq!(
                bare.header("content-length"),
                Some(response.body.len().to_string().as_str()),
                "HEAD {path}"
            );
        }
    }
    // A browser asks before it sends headers of its own.
    let preflight = [
        ("Origin", "https://player.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "range"),
    ];
    let response = http::request("OPTIONS", &server.http, "/live/cam.m3u8", &preflight).unwrap();
    assert!(matches!(response.status, 200 | 204), "{}", response.status);
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    // Errors too: without CORS a player cannot see that it was a 404.
    let response = http::get_with(
        &server.http,
        "/live/no.m3u8",
        &[("Origin", "https://p.example")],
    );
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn etags_ranges_and_gzip_work() {
    let (server, _publisher) = live();
    let list = multivariant(&server.http, "/live/cam.ts.m3u8", FIRST_SEGMENT);
    let mut collector = Collector::new(&server.http, &list.media);
    collector.until("a segment", secs(5), |list| !list.segments.is_empty());
    let (segment, bytes) = collector.segments.values().next().unwrap();
    let path = &segment.path;

    let response = server.get(path);
    let etag = response
        .header("etag")
        .expect("segments have an ETag")
        .to_owned();
    let get = |headers: &[(&str, &str)]| http::get_with(&server.http, path, headers);
    let same = get(&[("If-None-Match", &etag)]);
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_eq!(get(&[("If-None-Match", "\"other\"")]).status, 200);

    let part = get(&[("Range", "bytes=188-375")]);
    assert_eq!(part.status, 206);
    assert_eq!(part.body, bytes[188..376]);
    let total = bytes.len();
    let want = format!("bytes 188-375/{total}");
    assert_eq!(part.header("content-range"), Some(want.as_str()));
    let tail = get(&[("Range", "bytes=-188")]);
    assert_eq!((tail.status, &tail.body[..]), (206, &bytes[total - 188..]));
    let open = get(&[("Range", &format!("bytes={}-", total - 10))]);
    assert_eq!((open.status, &open.body[..]), (206, &bytes[total - 10..]));
    let past = get(&[("Range", &format!("bytes={total}-"))]);
    assert_eq!(past.status, 416);
    let want = format!("bytes */{total}");
    assert_eq!(past.header("content-range"), Some(want.as_str()));
    assert_eq!(
        get(&[("Range", "lines=1-2")]).status,
        200,
        "unknown unit is ignored"
    );
    let stale = get(&[("Range", "bytes=0-9"), ("If-Range", "\"other\"")]);
    assert_eq!(stale.status, 200);

    // Playlists are compressed for those who ask, segments never.
    let plain = server.get(&list.media);
    assert_eq!(plain.header("content-encoding"), None);
    let ask = [("Accept-Encoding", "gzip")];
    let packed = http::get_with(&server.http, &list.media, &ask);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(
        packed
            .header("vary")
            .is_some_and(|v| v.to_ascii_lowercase().contains("accept-encoding"))
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.gz");
    std::fs::write(&file, &packed.body).unwrap();
    let mut gzip = std::process::Command::new("gzip");
    gzip.arg("-dc").arg(&file);
    let text = run_ok("gzip -dc", gzip, secs(5)).text();
    assert!(text.starts_with("#EXTM3U\n"), "{text}");
    assert_eq!(get(&ask).header("content-encoding"), None);
    let etag = plain.header("etag").map(str::to_owned);
    if let Some(etag) = etag {
        // The playlist may have grown since; when it has not, it is 304.
        let again = http::get_with(&server.http, &list.media, &[("If-None-Match", &etag)]);
        assert!(matches!(again.status, 200 | 304));
    } else {
        panic!("playlists have an ETag");
    }
}

#[test]
fn removed_segments_stay_for_a_playlist_and_the_window_holds() {
    let (server, _publisher) = live();
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut collector = Collector::new(&server.http, &list.media);
    collector.until("a segment", secs(10), |list| !list.segments.is_empty());
    let first = collector.last.as_ref().unwrap().sequence;
    collector.until("three segments removed", secs(40), |list| {
        list.sequence >= first + 3
    });
    let list = collector.last.as_ref().unwrap();
    let gone = list.sequence - 1;
    assert!(list.segments.len() >= 6, "{} segments", list.segments.len());
    assert!(list.segments.len() <= 8, "{} segments", list.segments.len());
    let (segment, bytes) = &collector.segments[&gone];
    let response = server.get(&segment.path);
    assert_eq!(response.status, 200, "removed {} s ago", list.target_s);
    assert_eq!(&response.body, bytes, "a URL never changes its content");
}

#[test]
fn other_parsers_accept_the_playlists() {
    let (server, _publisher) = live();
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut collector = Collector::new(&server.http, &list.media);
    collector.until("two segments", secs(10), |list| list.segments.len() >= 2);
    // Python's m3u8 and ffprobe 8.1: neither shares a line with us or with FFmpeg 5.
    let script = "
import sys, m3u8
top = m3u8.load(sys.argv[1])
assert top.is_variant and len(top.playlists) == 2, top.dumps()
sound = top.playlists[1]
assert sound.uri == 'cam/audio.m3u8' and sound.stream_info.codecs == 'mp4a.40.2', top.dumps()
assert 60000 < sound.stream_info.average_bandwidth < 90000, top.dumps()
keys = top.iframe_playlists
assert len(keys) == 1 and keys[0].uri == 'cam/iframes.m3u8', top.dumps()
info = top.playlists[0].stream_info
assert info.resolution == (320, 180), info.resolution
assert abs(info.frame_rate - 25) < 0.01, info.frame_rate
assert info.bandwidth >= info.average_bandwidth > 100000, (info.bandwidth, info.average_bandwidth)
media = m3u8.load(top.playlists[0].absolute_uri)
# Parts of a segment that is being made are a segment without an address there.
whole = [s for s in media.segments if s.uri]
assert media.target_duration >= 1 and len(whole) >= 2
assert all(s.init_section for s in whole)
assert 0.2 <= media.part_inf.part_target <= 1.1 and media.server_control.can_block_reload == 'YES'
assert all(0 < p.duration <= media.part_inf.part_target for s in media.segments for p in s.parts)
assert sum(len(s.parts) for s in whole) > 2 and media.preload_hint.hint_type == 'PART'
assert media.segments[0].program_date_time is not None
assert not media.is_endlist
";
    let python = e2e::media::repository().join(".tools/py/bin/python");
    let mut command = std::process::Command::new(python);
    command.args(["-c", script, &server.http_url("/live/cam.m3u8")]);
    run_ok("python m3u8", command, secs(30));
}

#[test]
fn gstreamer_plays_both_containers_through_hlsdemux2() {
    let (server, _publisher) = live();
    multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let source = gst::pictures_of_file(&testdata("bframes.flv"));
    assert_eq!(source.len(), 150);
    for path in ["/live/cam.m3u8", "/live/cam.ts.m3u8"] {
        let mut play = gst::play(&server.http_url(path));
        let lines = play.stdout_lines();
        let (mut place, mut row, mut jumps): (Option<usize>, _, _) = (None, 0, 0);
        // 75 decoded pictures in a row, each the one that follows in the (looping) source. It knows
        // no parts: with low latency it moves once, now and then, to where it thinks the live edge
        // is, after its first segment; what it then plays has no other jump.
        let may_jump = usize::from(!path.ends_with(".ts.m3u8"));
        while row < 75 {
            let line = lines.recv_timeout(secs(30));
            let line =
                line.unwrap_or_else(|error| panic!("{path}: {error} after {row}\n{}", play.log()));
            let Some(md5) = gst::picture(&line) else {
                continue;
            };
            let next = place.map(|last| (last + 1) % source.len());
            let found = match next.filter(|next| source[*next] == md5) {
                Some(next) => next,
                None => source
                    .iter()
                    .position(|m| *m == md5)
                    .unwrap_or_else(|| panic!("{path}: a picture that was never sent")),
            };
            if next.is_some_and(|next| next != found) {
                (row, jumps) = (0, jumps + 1);
                assert!(jumps <= may_jump, "{path}: picture {found} after {place:?}");
            }
            (place, row) = (Some(found), row + 1);
        }
    }
}
