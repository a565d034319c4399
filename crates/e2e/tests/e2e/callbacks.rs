//! Callbacks to servers that misbehave, and over `kill -9`.

use e2e::ffmpeg::{self, Version};
use e2e::hook::{Act, Hook, Told};
use e2e::media::testdata;
use e2e::process::Process;
use e2e::server::Server;
use e2e::wait::{secs, until};
use serde_json::{Value, json};
use std::path::Path;

/// What the schedule waits after the first failures, in seconds (control API §4.10).
const SCHEDULE: [i64; 4] = [5, 15, 30, 60];

/// `[callbacks]` with endpoints, each a URL and a profile; the secret stands in a folder.
pub(crate) fn endpoints(folder: &Path, endpoints: &[(&Hook, &str)]) -> String {
    let secret = folder.join("hook.secret");
    std::fs::write(&secret, "a-secret-of-24-letters-or-more\n").unwrap();
    let mut text = "[callbacks]\nallow_private = true\ntimeout = \"3s\"\n".to_owned();
    for (hook, profile) in endpoints {
        text.push_str(&format!(
            "[[callbacks.endpoint]]\nurl = {:?}\nprofile = {profile:?}\nsecret_file = {:?}\n",
            hook.url,
            secret.display().to_string()
        ));
    }
    text
}

pub(crate) fn publish(server: &Server, stream: &str) -> Process {
    let publisher = ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "30"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url(stream),
    );
    server.wait_for_stream(stream);
    publisher
}

fn items(server: &Server, path: &str) -> Vec<Value> {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["items"].as_array().unwrap().clone()
}

/// An endpoint's deliveries, the oldest first.
fn deliveries(server: &Server, hook: &Hook) -> Vec<Value> {
    let all = items(server, "/v1/webhooks");
    let own = all.iter().find(|it| it["url"] == hook.url).unwrap();
    let id = own["webhook_id"].as_str().unwrap();
    let mut found = items(server, &format!("/v1/webhooks/{id}/deliveries?limit=1000"));
    found.reverse();
    found
}

/// What the schedule put off goes out now.
fn hurry(server: &Server, hook: &Hook) {
    for it in deliveries(server, hook) {
        if it["state"] == "waiting" && it["due_at"].is_string() && it["attempts"] != 0 {
            let id = it["delivery_id"].as_str().unwrap();
            let answer = server.post(&format!("/v1/deliveries/{id}:retry"), &json!({}));
            assert!(answer.status < 300, "{}", answer.text());
        }
    }
}

/// Milliseconds from one moment to a later one of less than a day after.
pub(crate) fn between(from: &Value, to: &Value) -> i64 {
    let of_day = |time: &Value| -> i64 {
        let time = time.as_str().unwrap();
        let number = |range| {
            time.get::<std::ops::Range<usize>>(range)
                .unwrap()
                .parse::<i64>()
        };
        let [h, m, s, ms] = [11..13, 14..16, 17..19, 20..23].map(|range| number(range).unwrap());
        ((h * 60 + m) * 60 + s) * 1_000 + ms
    };
    (of_day(to) - of_day(from)).rem_euclid(86_400_000)
}

/// The types of events that an endpoint has received about a stream.
fn types(hook: &Hook, stream: &str) -> Vec<String> {
    let mut told = hook.received();
    told.retain(|it| it.stream() == stream);
    let kind = |it: &Told| it.body["type"].as_str().unwrap().to_owned();
    told.iter().map(kind).collect()
}

fn has(hook: &Hook, stream: &str, kind: &str) -> bool {
    types(hook, stream).iter().any(|it| it == kind)
}

/// How many events about streams an endpoint has still to receive; what it received is the beginning of
/// the log, in its order, for each stream.
fn missing(server: &Server, hook: &Hook, streams: &[&str]) -> usize {
    // First what was told: the log may grow meanwhile.
    let told = hook.received();
    let events = server.events();
    let mut missing = 0;
    for stream in streams {
        let told = told.iter().filter(|it| it.stream() == *stream);
        let told: Vec<_> = told.map(|it| it.id.as_str()).collect();
        let written = events.iter().filter(|event| event["stream_id"] == *stream);
        let written: Vec<_> = written.map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(told, written[..told.len()], "{stream}");
        missing += written.len() - told.len();
    }
    missing
}

#[test]
fn c5_a_misbehaving_endpoint_gets_all_in_the_end_and_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (well, mut bad) = (Hook::start(), Hook::closed());
    let config = endpoints(folder.path(), &[(&well, "native"), (&bad, "tencent_lvb")]);
    let server = Server::with_config(&format!("{}{config}", e2e::server::SHORT_LIFE));
    let mut publishers = ["a", "b"].map(|stream| publish(&server, &format!("live/{stream}")));
    until("both starts at the healthy one", secs(20), || {
        let there = |stream| has(&well, stream, "channel.started");
        (there("a") && there("b")).then_some(())
    });
    publishers.iter_mut().for_each(Process::kill);
    until("both ends at the healthy one", secs(20), || {
        let there = |stream| has(&well, stream, "channel.ended");
        (there("a") && there("b")).then_some(())
    });
    // While the other refused every connection, this one was told everything, in order.
    assert_eq!(bad.told().len(), 0);
    assert_eq!(missing(&server, &well, &["a", "b"]), 0);

    // The schedule itself, until each stream's first callback failed twice.
    let waiting = until("two attempts for each stream", secs(30), || {
        let all = deliveries(&server, &bad);
        assert_eq!(all.len(), 4, "a start and an end of both: {all:#?}");
        let tried = all
            .iter()
            .filter(|it| it["attempts"].as_u64().unwrap() >= 2);
        (tried.count() == 2).then_some(all)
    });
    let mut refused = 0;
    for delivery in waiting.iter().filter(|it| it["attempts"] != 0) {
        let id = delivery["delivery_id"].as_str().unwrap();
        let detail = server.get(&format!("/v1/deliveries/{id}")).json();
        let log = detail["log"].as_array().unwrap();
        refused += log.len();
        let next = |n: usize| log.get(n + 1).map_or(&detail["due_at"], |next| &next["at"]);
        for (n, attempt) in log.iter().enumerate() {
            let took = i64::try_from(attempt["took_ms"].as_u64().unwrap()).unwrap();
            let wait = between(&attempt["at"], next(n)) - took;
            let stated = SCHEDULE[n] * 1_000;
            // When the last one is due is stored; the others were sent then, or as soon as there was time.
            let exact = n + 1 < log.len() || wait <= stated + 2;
            assert!(wait >= stated - 2 && exact, "{detail:#}");
            let error = attempt["error"].as_str().unwrap();
            assert!(error.to_lowercase().contains("refused"), "{error}");
        }
    }

    let acts = [
        Act::Answer(500),
        Act::Answer(201),
        Act::Hang,
        Act::Drip,
        Act::Redirect,
        Act::Close,
    ];
    bad.script("a", &acts);
    bad.script("b", &acts[..1]);
    bad.open();
    until("everything at the misbehaving one", secs(60), || {
        hurry(&server, &bad);
        (bad.received().len() == 4).then_some(())
    });
    let told = bad.told();
    for (stream, acts) in [("a", &acts[..]), ("b", &acts[..1])] {
        let told: Vec<_> = told.iter().filter(|it| it.stream() == stream).collect();
        let done: Vec<_> = told.iter().map(|it| it.act).collect();
        assert_eq!(done, [acts, &[Act::Answer(200); 2]].concat(), "{stream}");
        let (starts, end) = told.split_at(acts.len() + 1);
        for start in starts {
            assert_eq!(
                (&start.id, &start.body["event_type"]),
                (&starts[0].id, &json!(1))
            );
        }
        assert_eq!(end[0].body["event_type"], 0);
        assert_eq!(end[0].body["sequence"], starts[0].body["sequence"]);
    }
    let strayed = told.iter().find(|it| it.path != "/hook");
    assert!(strayed.is_none(), "a redirect was followed: {strayed:?}");
    let metrics = until("nothing waits", secs(10), || {
        let text = server.get("/metrics").text();
        text.contains("\nsidestream_callbacks_waiting 0.0\n")
            .then_some(text)
    });
    let acknowledged = well.received().len() + 4;
    for line in [
        "endpoints{state=\"well\"} 2.0".to_owned(),
        "endpoints{state=\"failing\"} 0.0".to_owned(),
        format!("attempts_total{{result=\"acknowledged\"}} {acknowledged}"),
        // 500 twice, 201, 302
        "attempts_total{result=\"refused\"} 4".to_owned(),
        // hangs, drips, closes
        format!("attempts_total{{result=\"unanswered\"}} {}", refused + 3),
    ] {
        let line = format!("\nsidestream_callback_{line}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[test]
fn c5_kill_9_in_the_middle_of_the_schedule_loses_no_event_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (well, bad) = (Hook::start(), Hook::start());
    bad.usually(Act::Answer(500));
    let config = endpoints(folder.path(), &[(&well, "native"), (&bad, "native")]);
    let mut server = Server::with_config(&format!(
        "[streams]\nreconnect_window = \"60s\"\n[record]\nmin_free = \"0B\"\n\
         [control.policy]\nauto_record = {{ enabled = true, formats = [\"mp4\"] }}\n{config}"
    ));
    let _a = publish(&server, "live/a");
    let mut b = publish(&server, "live/b");
    let recordings = server.folder().join("data/recordings/live");
    until(
        "both are recorded, with media on the disk",
        secs(20),
        || {
            let there = |stream| {
                let files = std::fs::read_dir(recordings.join(stream)).into_iter();
                let sizes = files
                    .flatten()
                    .map(|file| file.unwrap().metadata().unwrap().len());
                has(&well, stream, "recording.started") && sizes.max() > Some(30_000)
            };
            (there("a") && there("b")).then_some(())
        },
    );
    b.kill();
    until(
        "the end of one, and a failed attempt for each",
        secs(20),
        || {
            let tried = |stream| bad.told().iter().any(|it| it.stream() == stream);
            (has(&well, "b", "channel.interrupted") && tried("a") && tried("b")).then_some(())
        },
    );
    let before = server.events();
    server.kill_and_start();
    let after = server.events();
    assert_eq!(after[..before.len()], before, "the log has lost something");
    bad.usually(Act::Answer(200));
    let _a = publish(&server, "live/a");
    until(
        "the stream goes on, and its cut file is told",
        secs(30),
        || {
            let there = |kind| has(&well, "a", kind);
            (there("channel.resumed") && there("recording.file.completed")).then_some(())
        },
    );
    let recovered = well.received();
    let file = recovered
        .iter()
        .find(|it| it.body["type"] == "recording.file.completed" && it.stream() == "a");
    assert_eq!(file.unwrap().body["data"]["recovered"], true);
    until("all that was written, at both", secs(60), || {
        hurry(&server, &bad);
        let left = [&well, &bad].map(|hook| missing(&server, hook, &["a", "b"]));
        (left == [0, 0]).then_some(())
    });
    server.assert_alive();
}
