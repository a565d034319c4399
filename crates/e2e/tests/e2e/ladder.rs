//! Several streams of one encoder served as one ladder; sound alone; key frames alone.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing};
use e2e::hls::{Collector, FIRST_SEGMENT, Playlist, multivariant};
use e2e::media::{repository, testdata};
use e2e::process::{Process, command, run, run_ok};
use e2e::server::{SHORT_LIFE, Server, sidestream};
use e2e::wait::{secs, until};
use std::path::{Path, PathBuf};

const LADDER: &str = "[hls]\nsegment = \"1s\"\nalways = true\n\
    [[hls.ladder]]\nname = \"live/{name}\"\nrungs = [\"live/{name}_hd\", \"live/{name}_sd\"]\n";

/// The clip at half its size, with a key frame every `group` pictures.
fn smaller(folder: &Path, group: &str) -> PathBuf {
    let file = folder.join(format!("sd{group}.flv"));
    let mut encode = command(Version::V5.program());
    encode.args(["-nostdin", "-loglevel", "error", "-i"]);
    encode.arg(testdata("bframes.flv"));
    encode.args(["-vf", "scale=160:90", "-c:v", "libx264", "-threads", "1"]);
    encode.args(["-bf", "3", "-g", group, "-keyint_min", group]);
    encode.args(["-sc_threshold", "0", "-b:v", "80k", "-c:a", "copy"]);
    encode.arg(&file);
    run_ok("ffmpeg encodes the lower rung", encode, secs(60));
    file
}

/// One process that sends both files, as an encoder of two qualities does.
fn publish(server: &Server, hd: &Path, sd: &Path, rounds: &str) -> Process {
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-loglevel", "warning"]);
    for file in [hd, sd] {
        ffmpeg.args(["-re", "-stream_loop", rounds, "-i"]).arg(file);
    }
    for (input, name) in [("0", "live/cam_hd"), ("1", "live/cam_sd")] {
        ffmpeg.args(["-map", input, "-c", "copy", "-f", "flv"]);
        ffmpeg.arg(server.rtmp_url(name));
    }
    ffmpeg.stdout(std::process::Stdio::null());
    Process::start("ffmpeg publishing a ladder", ffmpeg)
}

/// One encoder that sends two qualities for a minute and a half.
fn encode(server: &Server) -> Process {
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-loglevel", "warning", "-re"]);
    ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=90"]);
    ffmpeg.args([
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000:duration=90",
    ]);
    let split = "[0:v]split[a][b];[b]scale=160:90[c]";
    ffmpeg.args(["-filter_complex", split]);
    for (picture, rate, name) in [
        ("[a]", "300k", "live/cam_hd"),
        ("[c]", "80k", "live/cam_sd"),
    ] {
        ffmpeg.args(["-map", picture, "-map", "1:a", "-pix_fmt", "yuv420p"]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]);
        ffmpeg.args(["-b:v", rate, "-g", "25", "-keyint_min", "25"]);
        ffmpeg.args(["-sc_threshold", "0", "-c:a", "aac", "-f", "flv"]);
        ffmpeg.arg(server.rtmp_url(name));
    }
    ffmpeg.stdout(std::process::Stdio::null());
    Process::start("ffmpeg encoding a ladder", ffmpeg)
}

/// Paths of the variants of a multivariant playlist.
fn variants(text: &str) -> Vec<&str> {
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("#EXT-X-STREAM-INF") {
            found.extend(lines.next());
        }
    }
    found
}

/// Collects both rungs to the end of their stream.
fn until_end(rungs: &mut [Collector; 2]) {
    until("the end", secs(30), || {
        let ended = rungs
            .iter_mut()
            .all(|rung| rung.poll().is_some_and(|list| list.ended));
        ended.then_some(())
    });
}

/// What was collected of each rung is its source, frame by frame.
fn assert_every_frame(rungs: &[Collector; 2], files: [&Path; 2]) {
    let folder = tempfile::tempdir().unwrap();
    for (rung, file) in rungs.iter().zip(files) {
        let source = ffmpeg::source(Version::V5, file, Framing::Native);
        let whole = folder.path().join("whole.mp4");
        std::fs::write(&whole, rung.concatenated()).unwrap();
        let got = ffmpeg::file_frames(Version::V5, &whole, Framing::Native, false);
        source.assert_received("HLS rung", &got, Coverage::FromKeyFrame);
    }
}

#[test]
fn rungs_are_cut_at_the_same_pictures_and_every_frame_arrives() {
    let kept = LADDER.replacen(
        "always = true\n",
        "dvr = \"1h\"\ndvr_min_free = \"0B\"\n",
        1,
    );
    let server = Server::with_config(&format!("{SHORT_LIFE}{kept}"));
    let folder = tempfile::tempdir().unwrap();
    let (hd, sd) = (testdata("bframes.flv"), smaller(folder.path(), "25"));
    let mut publisher = publish(&server, &hd, &sd, "0");
    let text = until("both rungs", secs(20), || {
        let text = server.get("/live/cam.m3u8").text();
        (variants(&text).len() == 3).then_some(text)
    });
    assert_eq!(
        variants(&text),
        [
            "cam/cam_hd/fmp4.m3u8",
            "cam/cam_sd/fmp4.m3u8",
            "cam/cam_sd/audio.m3u8"
        ],
        "{text}"
    );
    assert!(text.contains("RESOLUTION=320x180") && text.contains("RESOLUTION=160x90"));
    let mut rungs = ["cam_hd", "cam_sd"]
        .map(|rung| Collector::new(&server.http, &format!("/live/cam/{rung}/fmp4.m3u8")));
    until_end(&mut rungs);
    publisher.finish(secs(10));
    assert_every_frame(&rungs, [&hd, &sd]);
    let [hd, sd] = &rungs;
    let both: Vec<_> = hd
        .segments
        .keys()
        .filter(|n| sd.segments.contains_key(n))
        .collect();
    assert!(both.len() >= 4, "{both:?}");
    // The last segment ends where the publisher left it.
    for number in &both[..both.len() - 1] {
        let (a, b) = (&hd.segments[number].0, &sd.segments[number].0);
        assert_eq!(a.duration_s, b.duration_s, "segment {number}");
        assert_eq!(a.date_time, b.date_time, "segment {number}");
    }

    // The same again from the disk: from the second segment that both have, by its date, to the fourth.
    let [from, to] = [1, 3].map(|index| hd.segments[both[index]].0.date_time.clone().unwrap());
    let query = format!("from={from}&to={to}");
    let path = format!("/live/cam.m3u8?{query}");
    let text = until("what was live", secs(10), || {
        let answer = server.get(&path);
        (answer.status == 200).then(|| answer.text())
    });
    let rungs = ["cam_hd", "cam_sd"].map(|rung| format!("cam/{rung}/fmp4.m3u8?{query}"));
    assert_eq!(variants(&text), rungs, "{text}");
    assert_eq!(probed_heights(&server, &path), ["180", "90"]);
    for (rung, live) in rungs.iter().zip([hd, sd]) {
        let mut past = Collector::new(&server.http, &format!("/live/{rung}"));
        past.until_end(secs(10));
        let bytes = past.segments.values().map(|(_, bytes)| bytes);
        let then = both[1..3].iter().map(|number| &live.segments[number].1);
        assert!(bytes.eq(then), "{rung}: {:?}", past.last);
    }
}

/// Sends a request to the API with curl, which must answer with this status.
fn curl(server: &Server, method: &str, path: &str, body: &str, status: &str) {
    let mut curl = command("curl");
    curl.args(["-sgm", "20", "-w", "%{http_code}", "-o", "/dev/stderr"]);
    curl.args(["-X", method, "-d", body])
        .arg(server.http_url(path));
    let output = run_ok("curl", curl, secs(30));
    assert_eq!(output.text(), status, "{method} {path}: {}", output.stderr);
}

/// Heights of the pictures that ffprobe finds in a ladder, in its order.
fn probed_heights(server: &Server, path: &str) -> Vec<String> {
    let mut ffprobe = command("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", "v"]);
    ffprobe.args(["-show_entries", "stream=height", "-of", "csv=p=0"]);
    ffprobe.arg(server.http_url(path));
    let output = run_ok("ffprobe", ffprobe, secs(30)).text();
    // Programs first, then all streams again.
    let mut heights: Vec<String> = Vec::new();
    for line in output.lines().map(|line| line.trim_matches(',')) {
        if !line.is_empty() && !heights.iter().any(|known| known == line) {
            heights.push(line.to_owned());
        }
    }
    heights
}

#[test]
fn a_ladder_by_the_api_joins_what_is_played_and_outlives_a_kill() {
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\nalways = true\n[control]\nstate = \"disk\"\n"
    ));
    let folder = tempfile::tempdir().unwrap();
    let (hd, sd) = (testdata("bframes.flv"), smaller(folder.path(), "25"));
    let mut publisher = publish(&server, &hd, &sd, "0");
    // Each is played by itself, from its first segment to its last.
    let mut rungs = ["cam_hd", "cam_sd"]
        .map(|rung| Collector::new(&server.http, &format!("/live/{rung}/fmp4.m3u8")));
    for rung in &mut rungs {
        rung.until("a segment", secs(20), |list| !list.segments.is_empty());
    }
    assert_eq!(server.get("/live/cam.m3u8").status, 404);
    let body = r#"{"rungs": ["live/{name}_hd", "live/{name}_sd"]}"#;
    let path = "/v1/ladders/live/{name}";
    curl(&server, "PUT", path, body, "200");
    let text = until("both rungs", secs(20), || {
        for rung in &mut rungs {
            rung.poll();
        }
        let text = server.get("/live/cam.m3u8").text();
        (variants(&text).len() == 3).then_some(text)
    });
    let expected = ["cam/cam_hd/fmp4.m3u8", "cam/cam_sd/fmp4.m3u8"];
    assert_eq!(variants(&text)[..2], expected, "{text}");
    let shown = server.get(path).json();
    let states = |shown: &serde_json::Value| -> Vec<String> {
        let rungs = shown["joined"][0]["rungs"].as_array().unwrap();
        rungs.iter().map(|rung| rung["state"].to_string()).collect()
    };
    assert_eq!(states(&shown), ["\"aligned\"", "\"aligned\""], "{shown:#}");
    until_end(&mut rungs);
    publisher.finish(secs(10));
    // Nobody who played one of them lost a frame when they were joined.
    assert_every_frame(&rungs, [&hd, &sd]);
    assert!(rungs.iter().all(|rung| rung.discontinuities() == 0));
    let [a, b] = rungs.each_ref().map(|rung| &rung.segments);
    let mut pairs = a.keys().zip(a.keys().skip(1));
    let jump = pairs.rfind(|(number, next)| *number + 1 < **next);
    let (_, first) = jump.expect("numbers of the ladder, behind those of both");
    let common: Vec<u64> = a.range(first..).map(|(number, _)| *number).collect();
    let other: Vec<u64> = b.range(first..).map(|(number, _)| *number).collect();
    assert_eq!(common, other);
    assert!(common.len() >= 3, "{common:?}");
    // The first one began before they were joined, the last one ends where the publisher left it.
    for number in &common[1..common.len() - 1] {
        let (a, b) = (&a[number].0, &b[number].0);
        assert_eq!(
            (a.duration_s, &a.date_time),
            (b.duration_s, &b.date_time),
            "{number}"
        );
    }

    server.kill_and_start();
    assert_eq!(server.get(path).json()["origin"], "api");
    let mut publisher = publish(&server, &hd, &sd, "30");
    until("both rungs", secs(20), || {
        let text = server.get("/live/cam.m3u8").text();
        (variants(&text).len() == 3).then_some(())
    });
    assert_eq!(probed_heights(&server, "/live/cam.m3u8"), ["180", "90"]);
    let [hd, sd] = ["cam_hd", "cam_sd"].map(|rung| {
        let path = format!("/live/cam/{rung}/fmp4.m3u8");
        Playlist::parse(&path, &server.get(&path).text())
    });
    assert!(hd.sequence.abs_diff(sd.sequence) <= 1, "{hd:?} {sd:?}");
    curl(&server, "DELETE", path, "", "204");
    for path in ["/live/cam.m3u8", "/live/cam/cam_hd/fmp4.m3u8", path] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for rung in ["cam_hd", "cam_sd"] {
        let mut alone = Collector::new(&server.http, &format!("/live/{rung}/fmp4.m3u8"));
        alone.poll();
        let last = *alone.segments.keys().next_back().unwrap();
        alone.until("more of it", secs(20), |list| {
            list.sequence + list.segments.len() as u64 > last + 2
        });
    }
    publisher.kill();
}

#[test]
fn a_rung_with_other_key_frames_is_left_out_with_the_reason_and_plays_alone() {
    let server = Server::with_config(&format!("{SHORT_LIFE}{LADDER}"));
    let folder = tempfile::tempdir().unwrap();
    let sd = smaller(folder.path(), "35");
    let _publisher = publish(&server, &testdata("bframes.flv"), &sd, "30");
    server.wait_for_log("HLS does not join it to its ladder: ", secs(30));
    let text = until("a ladder of one", secs(20), || {
        let text = server.get("/live/cam.m3u8").text();
        (variants(&text).len() == 2).then_some(text)
    });
    let rungs = text.matches("fmp4.m3u8").count();
    assert_eq!(rungs, 1, "{text}");
    let said = server.log().contains("key frame");
    assert!(said, "{}", server.log());
    // By itself each plays as ever.
    for name in ["cam_hd", "cam_sd"] {
        let list = multivariant(&server.http, &format!("/live/{name}.m3u8"), FIRST_SEGMENT);
        let mut collector = Collector::new(&server.http, &list.media);
        collector.until("three segments", secs(20), |list| list.segments.len() >= 3);
    }
}

#[test]
fn an_encrypted_ladder_plays_for_those_who_have_its_password() {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}{LADDER}[[hls.encryption]]\nmatch = \"live/*\"\nrotate_segments = 2\n\
         [auth]\nplay = \"key\"\nplay_key = \"for players\"\n"
    ));
    let folder = tempfile::tempdir().unwrap();
    let (hd, sd) = (testdata("bframes.flv"), smaller(folder.path(), "25"));
    let mut publisher = publish(&server, &hd, &sd, "0");
    server.wait_for_stream("live/cam_sd");
    let path = "/live/cam.m3u8?key=for%20players";
    let text = until("both rungs", secs(20), || {
        let text = server.get(path).text();
        (variants(&text).len() == 3).then_some(text)
    });
    assert!(!text.contains("I-FRAME"), "no part of a chain is any use");
    assert_eq!(server.get("/live/cam.m3u8").status, 403);
    let sound = format!("/live/{}", variants(&text)[2]);
    assert_eq!(server.get(&sound).status, 200, "{sound}");
    let (bare, _) = sound.split_once('?').expect("a token on the link");
    assert_eq!(server.get(bare).status, 403);
    let options = ReadOptions::native(Version::V9).with(&["-live_start_index", "0"]);
    let reader = Reader::start(&options, &server.http_url(path));
    let source = ffmpeg::source(Version::V5, &hd, Framing::Native);
    reader.expect(&source, Coverage::FromKeyFrame, secs(30));
    publisher.finish(secs(10));
    let heard = server.http_url(&sound);
    let heard = ffmpeg::file_frames(Version::V9, heard.as_ref(), Framing::Native, false);
    let (heard, sent) = (heard.audio().unwrap(), source.audio().unwrap());
    assert!(heard.frames.len() > 100, "{}", heard.frames.len());
    assert!(
        heard
            .frames
            .iter()
            .all(|a| sent.frames.iter().any(|b| a.md5 == b.md5))
    );
}

#[test]
fn sound_alone_and_each_key_frame_alone() {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\nalways = true\n"
    ));
    let file = testdata("bframes.flv");
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut sound = Collector::new(&server.http, "/live/cam/audio.m3u8");
    let mut whole = Collector::new(&server.http, "/live/cam/fmp4.m3u8");
    until("the end", secs(30), || {
        sound.poll();
        whole.poll().is_some_and(|list| list.ended).then_some(())
    });
    sound.until_end(secs(10));
    let key_frames = server.get("/live/cam/iframes.m3u8").text();
    let ts_key_frames = server.get("/live/cam/ts-iframes.m3u8").text();
    publisher.finish(secs(10));

    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("sound.mp4");
    std::fs::write(&all, sound.concatenated()).unwrap();
    let got = ffmpeg::file_frames(Version::V5, &all, Framing::Native, false);
    assert!(got.video().is_none(), "sound alone");
    let (heard, sent) = (
        &got.audio().unwrap().frames,
        &source.audio().unwrap().frames,
    );
    let tail = &sent[sent.len() - heard.len()..];
    assert!(heard.len() > 200, "{}", heard.len());
    assert!(heard.iter().zip(tail).all(|(a, b)| a.md5 == b.md5));
    for number in sound.segments.keys() {
        let (a, b) = (&sound.segments[number].0, &whole.segments[number].0);
        assert_eq!((a.duration_s, &a.date_time), (b.duration_s, &b.date_time));
    }

    let pictures = decoded_key_frames(&file);
    assert_eq!(pictures.len(), 6);
    for (path, text) in [
        ("/live/cam/iframes.m3u8", &key_frames),
        ("/live/cam/ts-iframes.m3u8", &ts_key_frames),
    ] {
        assert!(text.contains("#EXT-X-I-FRAMES-ONLY"), "{text}");
        let list = Playlist::parse(path, text);
        let ranges: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:"))
            .collect();
        assert_eq!(ranges.len(), list.segments.len(), "{text}");
        assert!(ranges.len() >= 5, "{text}");
        for (segment, range) in list.segments.iter().zip(ranges) {
            let (len, offset) = range.split_once('@').unwrap();
            let (len, offset): (usize, usize) = (len.parse().unwrap(), offset.parse().unwrap());
            let asked = format!("bytes={offset}-{}", offset + len - 1);
            let answer = e2e::http::get_with(&server.http, &segment.path, &[("range", &asked)]);
            assert_eq!(
                (answer.status, answer.body.len()),
                (206, len),
                "{}",
                segment.path
            );
            let mut bytes = Vec::new();
            if let Some(init) = &segment.init {
                bytes.extend(server.get(init).body);
            }
            bytes.extend(answer.body);
            let one = folder.path().join("picture");
            std::fs::write(&one, bytes).unwrap();
            let shown = framemd5(&one, &[]);
            assert_eq!(shown.len(), 1, "{path} {range}: {shown:?}");
            assert!(pictures.contains(&shown[0]), "{path} {range}");
        }
    }
}

/// Checksums of decoded pictures.
fn framemd5(file: &Path, input: &[&str]) -> Vec<String> {
    let mut decode = command(Version::V5.program());
    decode.args(["-nostdin", "-loglevel", "quiet"]).args(input);
    decode.arg("-i").arg(file);
    decode.args([
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    let output = run("ffmpeg decodes", decode, secs(30)).text();
    let lines = output.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| Some(line.rsplit_once(", ")?.1.trim().to_owned()))
        .collect()
}

fn decoded_key_frames(file: &Path) -> Vec<String> {
    framemd5(file, &["-skip_frame", "nokey"])
}

#[test]
fn hls_check_finds_nothing_in_a_ladder_nor_in_its_playlists_by_themselves() {
    let server = Server::with_config(LADDER);
    let _publisher = encode(&server);
    // Both rungs, and in fMP4 the sound.
    for (path, count) in [("/live/cam.m3u8", 3), ("/live/cam.ts.m3u8", 2)] {
        until("both rungs", secs(20), || {
            let text = server.get(path).text();
            (variants(&text).len() >= count).then_some(())
        });
    }
    // A rung's playlist says how far the other one is with its first change after that one began.
    for (rung, other) in [("cam_hd", "cam_sd"), ("cam_sd", "cam_hd")] {
        until("a report of the other rung", secs(20), || {
            let text = server.get(&format!("/live/cam/{rung}/fmp4.m3u8")).text();
            let mut lines = text.lines();
            let said =
                |line: &str| line.starts_with("#EXT-X-RENDITION-REPORT") && line.contains(other);
            lines.any(said).then_some(())
        });
    }
    let check = |path: &str| {
        let url = server.http_url(path);
        sidestream(&["hls-check", &url, "--strict", "--time", "6s"], secs(60))
    };
    std::thread::scope(|scope| {
        let paths = [
            "/live/cam.m3u8",
            "/live/cam.ts.m3u8",
            "/live/cam_hd/audio.m3u8",
            "/live/cam_hd/iframes.m3u8",
            "/live/cam/cam_sd/ts-iframes.m3u8",
        ];
        let checks = paths.map(|path| (path, scope.spawn(move || check(path))));
        for (path, check) in checks {
            let output = check.join().unwrap();
            assert_eq!(
                output.code,
                Some(0),
                "{path}: {}{}",
                output.text(),
                output.stderr
            );
        }
    });
}

#[test]
fn hls_js_sees_all_levels_and_changes_between_them_without_a_gap() {
    let server = Server::with_config(LADDER);
    let _publisher = encode(&server);
    until("both rungs", secs(20), || {
        let text = server.get("/live/cam.m3u8").text();
        (variants(&text).len() == 3).then_some(())
    });
    let script = repository().join("crates/server/ui/e2e/levels.mjs");
    let mut node = command("node");
    node.arg(script).arg(server.http_url("/live/cam.m3u8"));
    let output = run("levels.mjs", node, secs(100));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["heights"], serde_json::json!([90, 180]), "{seen:#}");
    assert!(seen["switched"].as_array().unwrap().len() >= 3, "{seen:#}");
    assert_eq!(seen["holes"], 0, "{seen:#}");
}
