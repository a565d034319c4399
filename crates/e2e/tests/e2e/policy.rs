//! What happens by itself and what is asked for: the four ways of bypass and recording, with real publishers.
//! Without API keys everything plays, bypassed or not; who may play with keys is tested in the binary's crate.

use crate::callbacks::{between, endpoints, publish};
use crate::record::complaints;
use e2e::ffmpeg::{ReadOptions, Reader, Version};
use e2e::hook::Hook;
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::{secs, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

/// A row of the table of the four ways.
#[derive(Clone, Copy)]
struct Row {
    auto_bypass: bool,
    auto_record: bool,
    matrix: bool,
}

/// What is under test: a server with a policy, and who is told.
struct Bench {
    server: Server,
    hook: Hook,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hook = Hook::start();
        let endpoints = endpoints(folder.path(), &[(&hook, "native")]);
        let server = Server::with_config(&format!(
            "{SHORT_LIFE}[record]\nmin_free = \"0B\"\n[control.policy]\n{policy}\n{endpoints}"
        ));
        Self {
            server,
            hook,
            _folder: folder,
        }
    }

    /// Events of a type that the hook was told, in order.
    fn told(&self, kind: &str) -> Vec<Value> {
        let mut told = self.hook.received();
        told.retain(|it| it.body["type"] == kind);
        told.into_iter().map(|it| it.body).collect()
    }

    /// Events of a type in the log, told or not.
    fn logged(&self, kind: &str) -> usize {
        let events = self.server.events();
        events.iter().filter(|event| event["type"] == kind).count()
    }

    /// Waits until the hook was told so many events of a type.
    fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} × {kind}"), secs(30), || {
            let told = self.told(kind);
            (told.len() >= count).then_some(told)
        })
    }

    fn post(&self, path: &str, json: Value) -> Value {
        let answer = self.server.post(path, &json);
        assert!(answer.status < 300, "{path}: {}", answer.text());
        answer.json()
    }

    fn start_channel(&self) -> Value {
        self.post("/v1/rooms/live/channels", json!({"user_id": "cam"}))
    }

    fn stop_channel(&self) -> String {
        let stopped = self.post("/v1/rooms/live/channels:stop", json!({"user_id": "cam"}));
        stopped["results"][0]["effect"].as_str().unwrap().to_owned()
    }

    /// Waits until the stream can be played; gives the reader after 30 frames.
    fn plays(&self) -> Reader {
        let url = self.server.http_url("/live/cam.flv");
        let mut reader = Reader::start(&ReadOptions::native(Version::V5), &url);
        let played = reader.read_until(secs(30), |media| media.frame_count() >= 30);
        assert!(played, "{}", reader.process().log());
        reader
    }

    /// Waits until all recording tasks write.
    fn recording(&self, tasks: usize) {
        until("recordings with media", secs(30), || {
            let metrics = self.server.get("/metrics").text();
            let bytes = metrics
                .lines()
                .find_map(|line| line.strip_prefix("sidestream_recorded_bytes_total "))?;
            let written = bytes.parse::<u64>().unwrap() > 50_000;
            (written && self.logged("recording.started") == tasks).then_some(())
        });
    }

    /// The finished files; each is read whole by FFmpeg.
    fn files(&self, count: usize) -> Vec<Value> {
        let files = until(&format!("{count} files"), secs(30), || {
            let files = self.server.get("/v1/files").json();
            let files = files["items"].as_array().unwrap().clone();
            (files.len() >= count).then_some(files)
        });
        let mut media = Vec::new();
        collect(&self.server.folder().join("data/recordings"), &mut media);
        assert_eq!(media.len(), files.len(), "{media:?}");
        for path in &media {
            assert_eq!(complaints(Version::V5, path), "", "{}", path.display());
        }
        files
    }
}

/// Media files below a folder; of an HLS recording its playlist.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().unwrap_or_default().to_owned();
        match path.is_dir() {
            true if extension == "hls" => found.push(path.join("index.m3u8")),
            true => collect(&path, found),
            false if extension == "flv" || extension == "mp4" => found.push(path),
            false => {}
        }
    }
}

fn formats(items: &[Value], place: &str) -> BTreeSet<String> {
    let format = |item: &Value| item.pointer(place).unwrap().as_str().unwrap().to_owned();
    items.iter().map(format).collect()
}

impl Row {
    fn check(self) {
        let bench = Bench::start(&format!(
            "auto_bypass = {{ enabled = {} }}\nauto_record = {{ enabled = {} }}\ncompat_matrix = {}",
            self.auto_bypass, self.auto_record, self.matrix
        ));
        let mut publisher = publish(&bench.server, "live/cam");
        let published = bench.wait_for("ingest.started", 1);
        if self.auto_bypass {
            // C2: a channel without any call; a start tells its URLs, a stop does nothing.
            let started = bench.wait_for("channel.started", 1);
            let after = between(&published[0]["timestamp"], &started[0]["timestamp"]);
            assert!(after <= 3_000, "{after} ms");
            let asked = bench.start_channel();
            assert_eq!(asked["effect"], "urls_only");
            assert_eq!(asked["channel_id"], started[0]["channel_id"]);
            let mut reader = bench.plays();
            assert_eq!(bench.stop_channel(), "ignored_auto");
            let before = reader.received().frame_count();
            let goes_on = reader.read_until(secs(30), |it| it.frame_count() >= before + 50);
            assert!(goes_on, "{}", reader.process().log());
        } else {
            assert_eq!(bench.start_channel()["effect"], "started");
            bench.wait_for("channel.started", 1);
            drop(bench.plays());
        }
        if !self.auto_record {
            let all = json!(["flv", "hls", "mp4"]);
            let ask = json!({"user_id": "cam", "file_name": "lesson", "formats": all});
            bench.post("/v1/rooms/live/recordings", ask);
        }
        bench.recording(1);
        if !self.auto_record {
            bench.post("/v1/rooms/live/recordings:stop", json!({"user_id": "cam"}));
        }
        publisher.kill();
        if !self.auto_bypass {
            assert_eq!(bench.stop_channel(), "stopped");
        }
        until("the end of the recording", secs(30), || {
            (bench.logged("recording.ended") == 1).then_some(())
        });
        let classic = self.matrix && !self.auto_record;
        let expected: &[&str] = if classic {
            &["mp4"]
        } else {
            &["flv", "hls", "mp4"]
        };
        let expected: BTreeSet<String> = expected.iter().map(|it| (*it).to_owned()).collect();
        let files = bench.files(expected.len());
        assert_eq!(formats(&files, "/format"), expected);
        // What is about one stream is told in order: after this, a file would have been told.
        let _again = publish(&bench.server, "live/cam");
        bench.wait_for("ingest.started", 2);
        let told = bench.told("recording.file.completed");
        let told_of = if classic { BTreeSet::new() } else { expected };
        assert_eq!(formats(&told, "/data/format"), told_of);
    }
}

/// All four ways side by side.
fn table(matrix: bool) {
    thread::scope(|scope| {
        for (auto_bypass, auto_record) in
            [(true, true), (false, true), (true, false), (false, false)]
        {
            let row = Row {
                auto_bypass,
                auto_record,
                matrix,
            };
            scope.spawn(move || row.check());
        }
    });
}

#[test]
fn c2_c3_every_way_records_every_format_and_tells_of_each_file() {
    table(false);
}

#[test]
fn c2_c3_with_the_classic_matrix_manual_recordings_are_one_silent_mp4() {
    table(true);
}

#[test]
fn c4_automatic_and_manual_recording_are_two_tasks_two_files_and_both_are_counted() {
    let bench = Bench::start("auto_record = { enabled = true, formats = [\"mp4\"] }");
    let mut publisher = publish(&bench.server, "live/cam");
    bench.recording(1);
    let ask = json!({"user_id": "cam", "file_name": "lesson", "formats": ["mp4"]});
    let second = bench.post("/v1/rooms/live/recordings", ask);
    assert!(second["warnings"].is_array(), "{second:#}");
    bench.recording(2);
    // Usage is sampled every ten seconds.
    until("two record channels", secs(30), || {
        let usage = bench.server.get("/v1/usage?group_by=channel").json();
        let rows = usage["items"].as_array().unwrap().clone();
        let most = rows
            .iter()
            .map(|row| row["record_channels"].as_u64().unwrap());
        (most.max() == Some(2)).then_some(())
    });
    bench.post("/v1/rooms/live/recordings:stop", json!({"user_id": "cam"}));
    publisher.kill();
    let files = bench.files(2);
    assert_eq!(files.len(), 2, "{files:#?}");
    let tasks: BTreeSet<String> = formats(&files, "/recording_id");
    assert_eq!(tasks.len(), 2);
    let told = bench.wait_for("recording.file.completed", 2);
    assert_eq!(formats(&told, "/data/recording_id"), tasks);
}
