//! What players ask for, in the order and with the header fields in which they ask: Safari
//! (AVPlayer), hls.js and ExoPlayer. Every answer is compared exactly, and what was assembled of
//! the bytes is what was published.
//!
//! Sources: AVPlayer's requests as seen by servers (its fields, its probe of the first two bytes), RFC 8216bis
//! §6.3.7 for requests that are sent ahead; hls.js 1.7 `level-controller`, `fragment-loader`;
//! Media3's `DefaultHlsPlaylistTracker` and `DefaultHttpDataSource`.

use std::collections::BTreeMap;

use e2e::client::{Answer, Client, Pending, Protocol};
use e2e::ffmpeg::{self, Version};
use e2e::frames::{Coverage, Framing, Kind, Media};
use e2e::low_latency::{Part, Playlist};
use e2e::media::testdata;
use e2e::process::{Process, run_ok};
use e2e::server::{Options, SHORT_LIFE, Server, established};
use e2e::wait::{secs, until};

const MEDIA: &str = "/live/cam/fmp4.m3u8";
const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const KEPT: &str = "public, max-age=31536000, immutable";

/// A stream that has run for longer than playlists skip, and goes on, four times as fast as real time.
struct Live {
    server: Server,
    publisher: Process,
    folder: tempfile::TempDir,
}

impl Live {
    fn start(more: &str) -> Self {
        let server = Server::with(&Options {
            config: format!(
                "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\nsegments = 20\n{more}"
            ),
            ..Options::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source.flv");
        let mut join = std::process::Command::new(Version::V5.program());
        join.args(["-v", "error", "-nostdin", "-stream_loop", "25", "-i"]);
        join.arg(testdata("bframes.flv"));
        join.args(["-c", "copy"]).arg(&source);
        run_ok("ffmpeg -stream_loop", join, secs(30));
        let publisher = ffmpeg::publish_with(
            Version::V5,
            &["-readrate", "4"],
            &source,
            &[],
            &server.rtmp_url("live/cam"),
        );
        let live = Self {
            server,
            publisher,
            folder,
        };
        until("more segments than are listed in full", secs(30), || {
            let answer = live.server.get(MEDIA);
            let count = answer.text().matches("#EXTINF").count();
            (answer.status == 200 && count >= 14).then_some(())
        });
        live
    }

    /// What was assembled is frames of the source, in order; pictures at their times, and sound at its own
    /// where the container says the time of each frame.
    fn assert_frames(&self, player: &str, bytes: &[u8], framing: Framing) {
        let source = self.folder.path().join("source.flv");
        let got = self.folder.path().join(format!("{player}.media"));
        std::fs::write(&got, bytes).unwrap();
        let got = ffmpeg::file_frames(Version::V5, &got, framing, false);
        let source = ffmpeg::source(Version::V5, &source, framing);
        if framing == Framing::Native {
            source.assert_received(player, &got, Coverage::Part(50));
            return;
        }
        // Several frames of sound share a PES packet and its time.
        let sound = |media: &Media| -> Vec<String> {
            let frames = media.audio().unwrap().frames.iter();
            frames.map(|frame| frame.md5.clone()).collect()
        };
        let (sent, received) = (sound(&source), sound(&got));
        let is_run = sent.windows(received.len()).any(|run| run == &received[..]);
        assert!(received.len() >= 90 && is_run, "{player}: other sound");
        let (source, got) = (source.without(Kind::Audio), got.without(Kind::Audio));
        source.assert_received(player, &got, Coverage::Part(50));
    }
}

#[track_caller]
fn assert_header(answer: &Answer, name: &str, value: Option<&str>) {
    assert_eq!(answer.header(name), value, "{name}: {answer:?}");
}

/// What every answer of 200 or 206 with a playlist has.
#[track_caller]
fn assert_playlist(answer: &Answer, cache_control: &str, coding: Option<&str>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_header(answer, "content-type", Some(PLAYLIST_TYPE));
    assert_header(answer, "cache-control", Some(cache_control));
    assert_header(answer, "content-encoding", coding);
    assert_header(answer, "vary", Some("Accept-Encoding"));
    assert_header(answer, "access-control-allow-origin", Some("*"));
    assert_header(
        answer,
        "content-length",
        Some(&answer.body.len().to_string()),
    );
    assert!(answer.header("etag").is_some());
}

/// What every whole answer with media has.
#[track_caller]
fn assert_media(answer: &Answer, kind: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_header(answer, "content-type", Some(kind));
    assert_header(answer, "cache-control", Some(KEPT));
    assert_header(answer, "content-encoding", None);
    assert_header(answer, "content-range", None);
    assert_header(answer, "accept-ranges", Some("bytes"));
    assert_header(answer, "access-control-allow-origin", Some("*"));
    assert_header(
        answer,
        "content-length",
        Some(&answer.body.len().to_string()),
    );
    assert!(!answer.body.is_empty() && answer.header("etag").is_some());
}

/// `first..=last` of a resource of `whole` bytes.
#[track_caller]
fn assert_range(answer: &Answer, first: usize, last: usize, whole: &[u8]) {
    assert_eq!(answer.status, 206, "{}", answer.text());
    let range = format!("bytes {first}-{last}/{}", whole.len());
    assert_header(answer, "content-range", Some(&range));
    assert_header(
        answer,
        "content-length",
        Some(&(last + 1 - first).to_string()),
    );
    assert_header(answer, "cache-control", Some(KEPT));
    assert!(answer.body == whole[first..=last]);
}

/// A client of HTTP/1.1 may open a second one when the first is not given back yet; no more.
#[track_caller]
fn assert_kept(address: &str) {
    assert!(connections(address) <= 2, "{}", connections(address));
}

fn connections(address: &str) -> usize {
    let (_, port) = address.rsplit_once(':').unwrap();
    established(port.parse().unwrap())
}

/// The next request of a player that waits: for the part after those of `list`.
fn reload(list: &Playlist, skip: bool) -> (u64, usize, String) {
    let (number, index) = (list.next(), list.open.len());
    let skip = if skip { "&_HLS_skip=YES" } else { "" };
    let path = format!("{MEDIA}?_HLS_msn={number}&_HLS_part={index}{skip}");
    (number, index, path)
}

/// The parts that `list` has from `number` on, in order, with their segments' numbers.
fn parts_from(list: &Playlist, number: u64) -> impl Iterator<Item = (u64, &Part)> {
    let closed = list.segments.range(number..);
    let closed = closed.flat_map(|(number, s)| s.parts.iter().map(|part| (*number, part)));
    let next = list.next();
    closed.chain(list.open.iter().map(move |part| (next, part)))
}

/// AVPlayer keeps one HTTP/2 connection, asks for the next playlist as a delta and, at the same time, for the
/// part that is announced; it probes ranges with the first two bytes.
#[test]
fn safari_waits_for_playlist_and_part_at_once_on_one_connection() {
    let certificates = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificates.path().join(name));
    e2e::tls::self_signed("localhost", &cert, &key);
    let live = Live::start(&format!(
        "[https]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}\n"
    ));
    let address = live.server.listener("https listening on ");
    let client = Client::new(Protocol::Http2OverTls, &address);
    let common = [
        ("accept", "*/*"),
        ("accept-language", "en-GB,en;q=0.9"),
        (
            "user-agent",
            "AppleCoreMedia/1.0.0.21G93 (iPhone; U; CPU OS 17_6_1 like Mac OS X; en_gb)",
        ),
        (
            "x-playback-session-id",
            "5D1C5DF2-64F1-4C3A-93C9-1C5B8C6A0B71",
        ),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&common[..], more].concat();
    let for_lists = with(&[("accept-encoding", "gzip")]);
    let for_media = with(&[("accept-encoding", "identity")]);
    let probe = with(&[("accept-encoding", "identity"), ("range", "bytes=0-1")]);
    let from_start = with(&[("accept-encoding", "identity"), ("range", "bytes=0-")]);

    let top = client.get("/live/cam.m3u8", &for_lists);
    assert_playlist(&top, "no-cache", Some("gzip"));
    assert!(top.is_http2 && top.plain().contains("\ncam/fmp4.m3u8\n"));
    let first = client.get(MEDIA, &for_lists);
    assert_playlist(&first, "no-cache", Some("gzip"));
    let mut list = Playlist::parse(MEDIA, &first.plain());
    assert!(list.can_block && list.skipped == 0);
    assert_eq!(list.skip_until_ms, Some(12_000));

    let start = list.next();
    let init = list.segments[&(start - 1)].init.clone().unwrap();
    let path = list.segments[&(start - 1)].path.clone();
    for path in [&init, &path] {
        let whole = client.get(path, &for_media);
        assert_media(&whole, "video/mp4");
        assert_range(&client.get(path, &probe), 0, 1, &whole.body);
        let last = whole.body.len() - 1;
        assert_range(&client.get(path, &from_start), 0, last, &whole.body);
    }
    let init = client.get(&init, &for_media);

    let mut hinted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut ranged = 0;
    while list.next() < start + 3 {
        let (number, index, path) = reload(&list, true);
        let hint = list.hint.clone().unwrap();
        assert!(!list.has(number, index) && !list.lists(&hint));
        // Three streams of one connection wait: the update, the part, and the list as a whole.
        let (_, _, whole) = reload(&list, false);
        let ask_for_range = hinted.len() % 2 == 1;
        let for_hint = if ask_for_range {
            &from_start
        } else {
            &for_media
        };
        let part: Pending = client.send("GET", &hint, for_hint);
        let whole = client.send("GET", &whole, &for_lists);
        let update = client.get(&path, &for_lists);
        assert_playlist(&update, "max-age=12", Some("gzip"));
        let delta = Playlist::parse(MEDIA, &update.plain());
        assert!(delta.skipped >= 2, "{}", update.plain());
        let updated = list.updated(delta);
        assert!(
            updated.has(number, index),
            "answered before {number}.{index} was there: {updated:?}"
        );
        let whole = whole.wait();
        assert_playlist(&whole, "max-age=12", Some("gzip"));
        let whole = Playlist::parse(MEDIA, &whole.plain());
        // The two may lie a part apart.
        if whole.next() == updated.next() && whole.open.len() == updated.open.len() {
            assert_eq!(whole, updated, "the update does not add up");
        } else {
            assert!(whole.has(number, index), "{whole:?}");
        }
        let part = part.wait();
        assert!(part.is_http2 && update.is_http2);
        if updated.lists(&hint) {
            if ask_for_range {
                assert_range(&part, 0, part.body.len() - 1, &part.body.clone());
                ranged += 1;
            } else {
                assert_media(&part, "video/mp4");
            }
            hinted.insert(hint, part.body.clone());
        } else {
            // The segment ended with the part before.
            assert_eq!(part.status, 404, "{hint}");
        }
        list = updated;
    }
    assert!(ranged >= 2 && hinted.len() >= 8, "{}", hinted.len());
    assert_eq!(connections(&address), 1);

    // What was announced is what is listed, and all of it together what was published.
    let mut assembled = init.body.clone();
    for (number, part) in parts_from(&list, start) {
        let listed = client.get(&part.path, &for_media);
        assert_media(&listed, "video/mp4");
        if let Some(early) = hinted.get(&part.path) {
            assert!(early == &listed.body, "{} changed ({number})", part.path);
        }
        assembled.extend_from_slice(&listed.body);
    }
    live.assert_frames("safari", &assembled, Framing::Native);
    assert_eq!(connections(&address), 1);
}

/// hls.js asks by fetch from a page of another origin, the playlist and then each part, on a connection that is
/// kept; it falls back to whole segments, and the browser asks again about what it holds.
#[test]
fn hls_js_reads_part_by_part_from_another_origin_on_a_kept_connection() {
    let live = Live::start("");
    let http = &live.server.http;
    let client = Client::new(Protocol::Http1, http);
    let fetch = [
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("origin", "https://player.example"),
        ("referer", "https://player.example/"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "cross-site"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        ),
    ];
    // It asks first where a request has a Range.
    let preflight = [
        &fetch[2..],
        &[
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "range"),
        ],
    ]
    .concat();
    let allowed = client.send("OPTIONS", MEDIA, &preflight).wait();
    assert_eq!((allowed.status, allowed.body.len()), (204, 0));
    assert_header(&allowed, "access-control-allow-origin", Some("*"));
    assert_header(
        &allowed,
        "access-control-allow-methods",
        Some("GET, HEAD, OPTIONS"),
    );
    let fields = allowed.header("access-control-allow-headers").unwrap();
    assert!(fields.split(", ").any(|field| field == "Range"), "{fields}");
    assert_header(&allowed, "access-control-max-age", Some("86400"));

    assert_playlist(
        &client.get("/live/cam.m3u8", &fetch),
        "no-cache",
        Some("gzip"),
    );
    let first = client.get(MEDIA, &fetch);
    assert_playlist(&first, "no-cache", Some("gzip"));
    assert_header(
        &first,
        "access-control-expose-headers",
        Some("Content-Length, Content-Range, Date, ETag"),
    );
    assert!(first.header("date").is_some(), "hls.js takes its time");
    let mut list = Playlist::parse(MEDIA, &first.plain());
    let start = list.next();
    let init = list.segments[&(start - 1)].init.clone().unwrap();
    let init_answer = client.get(&init, &fetch);
    assert_media(&init_answer, "video/mp4");
    let mut assembled = init_answer.body.clone();

    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    while list.next() < start + 3 {
        let (number, index, path) = reload(&list, true);
        let update = client.get(&path, &fetch);
        assert_playlist(&update, "max-age=12", Some("gzip"));
        let delta = Playlist::parse(MEDIA, &update.plain());
        assert!(delta.skipped >= 2, "{}", update.plain());
        list = list.updated(delta);
        assert!(list.has(number, index), "{number}.{index}: {list:?}");
        for (_, part) in parts_from(&list, start) {
            if parts.contains_key(&part.path) {
                continue;
            }
            let answer = client.get(&part.path, &fetch);
            assert_media(&answer, "video/mp4");
            assert!(!answer.is_http2);
            assembled.extend_from_slice(&answer.body);
            parts.insert(part.path.clone(), answer.body.clone());
        }
    }
    // It falls back to the segments, which are their parts.
    for (number, segment) in list.segments.range(start..) {
        let whole = client.get(&segment.path, &fetch);
        assert_media(&whole, "video/mp4");
        let joined: Vec<u8> = segment
            .parts
            .iter()
            .flat_map(|part| parts[&part.path].clone())
            .collect();
        assert!(whole.body == joined, "segment {number} is not its parts");
    }
    live.assert_frames("hls.js", &assembled, Framing::Native);

    // What the browser keeps, it asks about by the validator of what it got, packed or not.
    let again = |path: &str, answer: &Answer| {
        let etag = answer.header("etag").unwrap().to_owned();
        let headers = [&fetch[..], &[("if-none-match", &etag)]].concat();
        (client.get(path, &headers), etag)
    };
    let (same, _) = again(&init, &init_answer);
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_header(&same, "access-control-allow-origin", Some("*"));
    let (new, old_etag) = again(MEDIA, &first);
    assert_playlist(&new, "no-cache", Some("gzip"));
    assert!(new.header("etag") != Some(&old_etag) && new.plain() != first.plain());
    assert_kept(http);

    // Whoever waits when the stream ends is told; from then on nothing changes.
    list = Playlist::parse(MEDIA, &new.plain());
    let path = format!("{MEDIA}?_HLS_msn={}", list.next() + 1);
    let waiting = client.send("GET", &path, &fetch);
    live.publisher.signal("INT");
    let told = waiting.wait();
    assert_playlist(&told, "no-cache", Some("gzip"));
    assert!(Playlist::parse(MEDIA, &told.plain()).ended);
    let ended = client.get(MEDIA, &fetch);
    assert_eq!(ended.plain(), told.plain());
    let (same, _) = again(MEDIA, &ended);
    assert_eq!((same.status, same.body.len()), (304, 0));
    let late = client.get(&path, &fetch);
    assert_playlist(&late, "no-cache", Some("gzip"));
    assert_eq!(late.plain(), told.plain());
}

const EXO: (&str, &str) = (
    "user-agent",
    "ExoPlayerDemo/1.8.0 (Linux;Android 14) AndroidXMedia3/1.8.0",
);

/// ExoPlayer waits where the playlist says that it can; media is asked for as it is, and, after a
/// load that broke off, from the byte where it stopped. Directives that are refused are left out.
#[test]
fn exo_player_waits_and_resumes_parts_by_range() {
    let live = Live::start("");
    let client = Client::new(Protocol::Http1, &live.server.http);
    let for_lists = [EXO, ("accept-encoding", "gzip")];
    let for_media = [EXO, ("accept-encoding", "identity")];

    let first = client.get(MEDIA, &for_lists);
    assert_playlist(&first, "no-cache", Some("gzip"));
    let mut list = Playlist::parse(MEDIA, &first.plain());
    let start = list.next();
    // A server that was set up anew: what it knows is not what we know.
    for absurd in [
        format!(
            "{MEDIA}?_HLS_msn={}&_HLS_part=0&_HLS_skip=YES",
            start + 1_000
        ),
        format!("{MEDIA}?_HLS_msn=18446744073709551615&_HLS_part=0"),
        format!("{MEDIA}?_HLS_part=3&_HLS_skip=YES"),
    ] {
        let refused = client.get(&absurd, &for_lists);
        assert_eq!(refused.status, 400, "{absurd}: {}", refused.text());
        assert_header(&refused, "access-control-allow-origin", Some("*"));
    }
    let plain = client.get(MEDIA, &for_lists);
    assert_playlist(&plain, "no-cache", Some("gzip"));

    let init = list.segments[&(start - 1)].init.clone().unwrap();
    let mut assembled = client.get(&init, &for_media).body.clone();
    let mut taken = 0;
    while list.next() < start + 2 {
        let (number, index, path) = reload(&list, true);
        let update = client.get(&path, &for_lists);
        assert_playlist(&update, "max-age=12", Some("gzip"));
        list = list.updated(Playlist::parse(MEDIA, &update.plain()));
        assert!(list.has(number, index), "{number}.{index}: {list:?}");
        let new: Vec<Part> = parts_from(&list, start)
            .skip(taken)
            .map(|(_, part)| part.clone())
            .collect();
        for part in new {
            let whole = client.get(&part.path, &for_media);
            assert_media(&whole, "video/mp4");
            let middle = whole.body.len() / 3;
            let range = format!("bytes={middle}-");
            let headers = [&for_media[..], &[("range", &range)]].concat();
            let rest = client.get(&part.path, &headers);
            assert_range(&rest, middle, whole.body.len() - 1, &whole.body);
            let range = format!("bytes=0-{}", middle - 1);
            let headers = [&for_media[..], &[("range", &range)]].concat();
            let begin = client.get(&part.path, &headers);
            assert_range(&begin, 0, middle - 1, &whole.body);
            assembled.extend_from_slice(&begin.body);
            assembled.extend_from_slice(&rest.body);
            taken += 1;
        }
    }
    assert_kept(&live.server.http);
    live.assert_frames("exoplayer", &assembled, Framing::Native);
}

/// Where the playlist does not say that it can wait, ExoPlayer comes back after a target duration,
/// or half of one when nothing was new; so it is never answered late.
#[test]
fn exo_player_comes_back_in_time_for_each_segment_of_transport_streams() {
    let live = Live::start("");
    let client = Client::new(Protocol::Http1, &live.server.http);
    let for_lists = [EXO, ("accept-encoding", "gzip")];
    let for_media = [EXO, ("accept-encoding", "identity")];
    let media = "/live/cam/ts.m3u8";
    let mut assembled = Vec::new();
    let mut known: Option<(String, u64)> = None;
    let mut wanted = 0;
    while wanted < 5 {
        let answer = client.get(media, &for_lists);
        assert_playlist(&answer, "no-cache", Some("gzip"));
        let text = answer.plain();
        let list = e2e::hls::Playlist::parse(media, &text);
        assert!(!text.contains("CAN-BLOCK-RELOAD") && !text.contains("#EXT-X-SKIP"));
        let end = list.sequence + list.segments.len() as u64;
        let half = secs(list.target_s) / 2;
        let from = match &known {
            None => end - 3,
            Some((etag, _)) if answer.header("etag") == Some(etag) => {
                std::thread::sleep(half);
                continue;
            }
            Some((_, next)) => *next,
        };
        assert!(list.sequence <= from && from < end, "{from}: {text}");
        for number in from..end {
            let segment = &list.segments[usize::try_from(number - list.sequence).unwrap()];
            let whole = client.get(&segment.path, &for_media);
            assert_media(&whole, "video/mp2t");
            let headers = [&for_media[..], &[("range", "bytes=188-")]].concat();
            let rest = client.get(&segment.path, &headers);
            assert_range(&rest, 188, whole.body.len() - 1, &whole.body);
            assembled.extend_from_slice(&whole.body);
            wanted += 1;
        }
        known = Some((answer.header("etag").unwrap().to_owned(), end));
    }
    // Directives mean nothing here: the answer does not wait for what they name.
    let (_, next) = known.unwrap();
    let unblocked = client.get(&format!("{media}?_HLS_msn={}", next + 2), &for_lists);
    assert_playlist(&unblocked, "no-cache", Some("gzip"));
    let list = e2e::hls::Playlist::parse(media, &unblocked.plain());
    assert!(list.sequence + (list.segments.len() as u64) < next + 3);
    assert_kept(&live.server.http);
    live.assert_frames("exoplayer-ts", &assembled, Framing::Ts);
}
