//! Data messages of a publisher beside the media of a real encoder: ID3 and emsg in HLS, as ffprobe
//! and hls.js read them.

use e2e::ffmpeg::{Version, as_published};
use e2e::flv::Tag;
use e2e::hls::{FIRST_SEGMENT, multivariant};
use e2e::media::{repository, testdata};
use e2e::process::{command, run, run_ok};
use e2e::rtmp::{Client, Pace, Value, push_tags};
use e2e::server::{Server, sidestream};
use e2e::wait::{secs, until};

/// Segments of a second, all of them listed, and kept for long after the end.
const CONFIG: &str = "[log]\nlevel = \"debug\"\n[streams]\nreconnect_window = \"1s\"\n\
    [hls]\nalways = true\nsegment = \"1s\"\nsegments = 100\n";

/// Times of the cues in milliseconds, each between two frames of its own.
const CUES: [u32; 4] = [310, 1_990, 2_810, 4_333];

/// A message of AMF0 values as a tag.
fn message(ms: u32, values: &[Value]) -> Tag {
    let mut body = Vec::new();
    values.iter().for_each(|value| value.encode(&mut body));
    Tag {
        kind: 18,
        timestamp_ms: ms,
        body,
    }
}

fn object(properties: &[(&str, Value)]) -> Value {
    let named = properties.iter().cloned();
    Value::Object(
        named
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

pub(crate) fn cue(ms: u32) -> Tag {
    let about = [
        ("name", Value::from("goal")),
        ("at", Value::Number(ms.into())),
    ];
    message(ms, &[Value::from("onCuePoint"), object(&about)])
}

/// What the cue at this time is called in JSON.
fn text(ms: u32) -> String {
    format!(r#"{{"name":"goal","at":{ms}}}"#)
}

/// The ID3 tag of the cue at this time.
fn id3(ms: u32) -> Vec<u8> {
    let text = text(ms);
    let size = |len: usize| [0, 0, 0, u8::try_from(len).unwrap()];
    let content = [&b"\x03onCuePoint\0"[..], text.as_bytes()].concat();
    let frame = [&b"TXXX"[..], &size(content.len()), &[0, 0], &content].concat();
    [&b"ID3\x04\0\0"[..], &size(frame.len()), &frame].concat()
}

/// The tags that FFmpeg sends of six seconds, with these messages among them by their times.
pub(crate) fn with_messages(messages: Vec<Tag>) -> Vec<Tag> {
    let mut tags = as_published(Version::V5, &testdata("bframes.flv"));
    for message in messages {
        let later = |tag: &Tag| tag.is_media() && tag.timestamp_ms > message.timestamp_ms;
        let at = tags.iter().position(later).unwrap_or(tags.len());
        tags.insert(at, message);
    }
    tags
}

/// Publishes to the end, and waits until the playlists have one.
fn publish(server: &Server, tags: &[Tag]) {
    let mut client = Client::publish(&server.rtmp, "live", "cues").unwrap();
    // Segmenting begins while there are a few frames: nothing of the stream is missing.
    let (begin, rest) = tags.split_at(10);
    push_tags(&mut client, begin, Pace::Unpaced).unwrap();
    server.wait_for_log("hls started", secs(30));
    push_tags(&mut client, rest, Pace::Unpaced).unwrap();
    for path in ["/live/cues.m3u8", "/live/cues.ts.m3u8"] {
        multivariant(&server.http, path, FIRST_SEGMENT);
    }
    drop(client);
    until("the end of the playlists", secs(30), || {
        let ended = |path| server.get(path).text().contains("#EXT-X-ENDLIST");
        (ended("/live/cues/fmp4.m3u8") && ended("/live/cues/ts.m3u8")).then_some(())
    });
}

#[test]
fn ffprobe_reads_the_cues_in_the_transport_stream_with_their_times() {
    let server = Server::with_config(CONFIG);
    publish(&server, &with_messages(CUES.map(cue).to_vec()));
    let url = server.http_url("/live/cues.ts.m3u8");
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", "d"]);
    ffprobe.args([
        "-show_entries",
        "stream=codec_name:packet=pts",
        "-of",
        "csv=p=0",
    ]);
    ffprobe.arg(&url);
    let seen = run_ok("ffprobe", ffprobe, secs(30)).text();
    let mut want: Vec<String> = CUES.map(|ms| (i64::from(ms) * 90).to_string()).to_vec();
    want.push("timed_id3".to_owned());
    let mut lines: Vec<&str> = seen.lines().map(|line| line.trim_matches(',')).collect();
    lines.retain(|line| !line.is_empty());
    // The stream is told of once for the program and once by itself.
    lines.dedup();
    assert_eq!(lines, want, "{seen}");
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args([
        "-v", "error", "-i", &url, "-map", "0:d", "-c", "copy", "-f", "data", "-",
    ]);
    let data = run_ok("ffmpeg", ffmpeg, secs(30)).stdout;
    // FFmpeg 5.1 takes five bytes off each packet of this stream type, later ones do not.
    let without =
        |cut: usize| -> Vec<u8> { CUES.iter().flat_map(|&ms| id3(ms).split_off(cut)).collect() };
    assert!(data == without(0) || data == without(5), "{data:?}");
    for path in ["/live/cues.m3u8", "/live/cues.ts.m3u8"] {
        let checked = sidestream(
            &["hls-check", &server.http_url(path), "--json", "--strict"],
            secs(60),
        );
        let found: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(
            found["findings"].as_array().map(Vec::len),
            Some(0),
            "{found:#}"
        );
    }
}

/// What hls.js finds at this playlist.
fn in_browser(server: &Server, path: &str, count: usize, more: &[&str]) -> Vec<serde_json::Value> {
    let mut node = command("node");
    node.arg(repository().join("crates/server/ui/e2e/timed.mjs"));
    node.args([&server.http_url(path), &count.to_string()])
        .args(more);
    let output = run("timed.mjs", node, secs(60));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn hls_js_fires_the_cues_of_both_containers_at_their_times() {
    let server = Server::with_config(CONFIG);
    let tags = with_messages(CUES.map(cue).to_vec());
    publish(&server, &tags);
    let first = tags
        .iter()
        .find(|tag| tag.is_media() && !tag.is_configuration());
    let first_ms = f64::from(first.unwrap().timestamp_ms);
    for (path, media) in [
        ("/live/cues.m3u8", "fmp4.m3u8"),
        ("/live/cues.ts.m3u8", "ts.m3u8"),
    ] {
        let found = in_browser(&server, path, CUES.len(), &[]);
        let texts: Vec<_> = found
            .iter()
            .map(|one| one["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, CUES.map(text), "{path}");
        let playlist = server.get(&format!("/live/cues/{media}")).text();
        let began = date_ms(&playlist);
        for (one, ms) in found.iter().zip(CUES) {
            assert_eq!(
                (&one["name"], &one["type"]),
                (&"onCuePoint".into(), &"https://aomedia.org/emsg/ID3".into())
            );
            let off = one["ms"].as_f64().unwrap() - began - (f64::from(ms) - first_ms);
            // hls.js places a fragment by its first picture, which is shown 80 ms after it is decoded.
            assert!(off.abs() < 100.0, "{path}: {ms} ms is {off} ms off");
        }
    }
}

/// The first date of a playlist, in milliseconds since 1970.
fn date_ms(playlist: &str) -> f64 {
    let date = playlist
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"));
    let ms = evaluated(&format!("Date.parse('{}')", date.unwrap()));
    ms.parse().unwrap()
}

/// Milliseconds since 1970 as a date.
fn iso(ms: f64) -> String {
    evaluated(&format!("new Date({ms}).toISOString()"))
}

/// What this expression is in JavaScript.
fn evaluated(expression: &str) -> String {
    let mut node = command("node");
    node.args(["-p", expression]);
    run_ok("node", node, secs(10)).text().trim().to_owned()
}

/// SCTE 35 §14.2, a splice out of event 0x4800008f; and the splice in that ends it.
pub(crate) const OUT: &str = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=";
pub(crate) const IN: &str = "/DAlAAAAAAAA///wCgVIAACPf18AAAAAAAoACENVRUkAAAE1RoLqWg==";

pub(crate) fn ad_cue(ms: u32, section: &str) -> Tag {
    let about = [
        ("type", Value::from("scte35")),
        ("cue", Value::from(section)),
    ];
    message(ms, &[Value::from("onAdCue"), object(&about)])
}

/// What `m3u8` of PyPI reads: the break as two ranges of one id, the goal between them.
const PARSED: &str = "
import sys, m3u8
media = m3u8.load(sys.argv[1])
# What stands before the first part is the part's there.
ranges = [r for s in media.segments for one in s.parts + [s] for r in one.dateranges]
assert [bool(r.scte35_out) for r in ranges] == [True, False, False], media.dumps()
assert [bool(r.scte35_in) for r in ranges] == [False, False, True], media.dumps()
assert ranges[0].id == ranges[2].id != ranges[1].id
assert ranges[0].start_date == ranges[2].start_date and ranges[2].duration == 3.233
assert ranges[1].class_ == 'onCuePoint' and ('x_name', '\"goal\"') in ranges[1].x_client_attrs, ranges[1].x_client_attrs
assert media.segments[0].program_date_time
";

/// Whether hls.js and another parser find the break and the goal; the time 0 of the stream was at `began`.
fn assert_ranges(server: &Server, path: &str, media: &str, began: f64) {
    let found = in_browser(server, path, 2, &["--ranges"]);
    let [break_of_ads, goal] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(break_of_ads["startMs"].as_f64(), Some(began + 1_100.0));
    assert_eq!(break_of_ads["duration"], 3.233);
    let attributes = &break_of_ads["attributes"];
    let of = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
    assert!(of("SCTE35-OUT").starts_with("0xFC302F"), "{attributes:#}");
    assert!(of("SCTE35-IN").starts_with("0xFC3025"), "{attributes:#}");
    assert_eq!(of("PLANNED-DURATION"), "60.293");
    let cues = break_of_ads["cues"].as_array().unwrap();
    for cue in ["SCTE35-OUT", "SCTE35-IN"] {
        assert!(cues.contains(&cue.into()), "{cues:?}");
    }
    assert_eq!(goal["class"], "onCuePoint");
    assert_eq!(goal["startMs"].as_f64(), Some(began + 2_810.0));
    assert_eq!(goal["attributes"]["X-NAME"], "goal");
    assert!(goal["cues"].as_array().unwrap().contains(&"X-NAME".into()));
    let mut python = command(repository().join(".tools/py/bin/python"));
    python.args(["-c", PARSED, &server.http_url(media)]);
    run_ok("python m3u8", python, secs(30));
}

fn ranges(server: &Server, media: &str) -> Vec<String> {
    let text = server.get(media).text();
    let lines = text.lines().filter(|l| l.starts_with("#EXT-X-DATERANGE:"));
    lines.map(str::to_owned).collect()
}

#[test]
fn hls_js_and_another_parser_read_the_date_ranges_also_of_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{CONFIG}dvr = \"2h\"\ndvr_dir = {:?}\ndvr_min_free = \"0B\"\n",
        folder.path()
    );
    let mut server = Server::with_config(&config);
    let tags = with_messages(vec![ad_cue(1_100, OUT), cue(2_810), ad_cue(4_333, IN)]);
    publish(&server, &tags);
    let mut media = tags.iter().filter(|tag| tag.is_media());
    let first = media.find(|tag| !tag.is_configuration()).unwrap();
    let mut live = Vec::new();
    let mut began = 0.0;
    for (path, media) in [
        ("/live/cues.m3u8", "/live/cues/fmp4.m3u8"),
        ("/live/cues.ts.m3u8", "/live/cues/ts.m3u8"),
    ] {
        began = date_ms(&server.get(media).text()) - f64::from(first.timestamp_ms);
        assert_ranges(&server, path, media, began);
        live = ranges(&server, media);
    }
    // All of it is on the disk when another process takes it up.
    until("the whole past", secs(30), || {
        let past = ranges(&server, "/live/cues/fmp4.m3u8?start=-600");
        (past == live).then_some(())
    });
    server.kill_and_start();
    server.wait_for_log("dvr: taken up", secs(5));
    let (path, media) = (
        "/live/cues.m3u8?start=-600",
        "/live/cues/fmp4.m3u8?start=-600",
    );
    assert_ranges(&server, path, media, began);
    assert_eq!(ranges(&server, media), live);
    // From within the break to before its end: what opened it, and the goal.
    let query = format!("from={}&to={}", iso(began + 2_500.0), iso(began + 3_500.0));
    assert_eq!(
        ranges(&server, &format!("/live/cues/fmp4.m3u8?{query}")),
        live[..2]
    );
    let query = format!("from={}", iso(began + 5_200.0));
    let none = ranges(&server, &format!("/live/cues/fmp4.m3u8?{query}"));
    assert_eq!(none, Vec::<String>::new());
}
