//! `sidestream hls-check` before a server that misbehaves in one way each time: a real stream, behind a gateway that
//! answers otherwise. Each fault is named, by its check and no other; and how it asks.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use e2e::ffmpeg::{self, Version};
use e2e::gateway::{Asked, Gateway, Upstream};
use e2e::http::Response;
use e2e::media::testdata;
use e2e::process::{Output, Process};
use e2e::server::{Options, SHORT_LIFE, Server, sidestream};
use e2e::wait::{secs, until};

/// A stream that has run for longer than delta updates skip, and goes on.
fn live(more: &str) -> (Server, Process) {
    let server = Server::with(&Options {
        config: format!(
            "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\nsegments = 20\n{more}"
        ),
        ..Options::default()
    });
    let publisher = ffmpeg::publish_with(
        Version::V5,
        &["-readrate", "3", "-stream_loop", "60"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    );
    until("more segments than are listed in full", secs(30), || {
        let answer = server.get("/live/cam/fmp4.m3u8");
        let count = answer.text().matches("#EXTINF").count();
        (answer.status == 200 && count >= 15).then_some(())
    });
    (server, publisher)
}

/// What it finds: names of checks.
#[track_caller]
fn found(output: &Output) -> BTreeSet<String> {
    let text = output.text();
    let report: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}\n{}", output.stderr));
    let findings = report["findings"].as_array().unwrap();
    let is_broken = findings.iter().any(|finding| finding["severity"] == "must");
    assert_eq!(output.code, Some(i32::from(is_broken)), "{report:#}");
    let names = findings.iter().map(|f| f["check"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

fn check(url: &str, time: &str, more: &[&str]) -> Output {
    let arguments = ["hls-check", url, "--json", "--time", time];
    sidestream(&[&arguments, more].concat(), secs(60))
}

/// Puts a field in place of another, or of none.
fn set(response: &mut Response, name: &str, value: Option<&str>) {
    response.headers.retain(|(n, _)| n != name);
    let value = value.map(|value| (name.to_owned(), value.to_owned()));
    response.headers.extend(value);
}

/// The answer, with a field changed where `applies` says so.
fn with_field(
    name: &'static str,
    value: Option<&'static str>,
    applies: fn(&Asked, &Response) -> bool,
) -> Spoil {
    Box::new(move |asked, upstream| {
        let mut response = upstream.ask(&asked);
        if applies(&asked, &response) {
            set(&mut response, name, value);
        }
        response
    })
}

/// The answer to a request without a field, where `applies` says so.
fn deaf_to(name: &'static str, applies: fn(&Asked) -> bool) -> Spoil {
    Box::new(move |asked, upstream| {
        let is_spoiled = applies(&asked);
        let asked = if is_spoiled {
            asked.without_header(name)
        } else {
            asked
        };
        upstream.ask(&asked)
    })
}

/// The plain playlist for those who are refused another, where `applies` says so.
fn never_refuses(applies: fn(&Asked) -> bool) -> Spoil {
    Box::new(move |asked, upstream| {
        let response = upstream.ask(&asked);
        if response.status == 400 && applies(&asked) {
            return upstream.ask(&asked.with_query(None));
        }
        response
    })
}

/// Number of the segment that is being made, by the playlist as it is.
fn next(asked: &Asked, upstream: &Upstream) -> Option<u64> {
    let plain = asked
        .clone()
        .with_query(None)
        .without_header("accept-encoding");
    let text = upstream.ask(&plain).text();
    let (_, rest) = text.split_once("#EXT-X-MEDIA-SEQUENCE:")?;
    let first: u64 = rest.lines().next()?.parse().ok()?;
    Some(first + text.matches("#EXTINF").count() as u64)
}

/// Number of the segment that a request waits for.
fn wanted(asked: &Asked) -> Option<u64> {
    asked.parameter("_HLS_msn")?.parse().ok()
}

type Spoil = Box<dyn Fn(Asked, &Upstream) -> Response + Send + Sync>;

fn is_media(asked: &Asked) -> bool {
    asked.path.ends_with(".m4s")
}

/// A part that is not a segment's first.
fn is_second_part(asked: &Asked) -> bool {
    asked.path.ends_with(".1.m4s")
}

/// Each fault, with what must be found, and nothing else.
fn faults() -> Vec<(&'static str, Spoil, &'static [&'static str])> {
    let seen = Mutex::new(BTreeSet::new());
    let counted = AtomicU64::new(0);
    let tags = AtomicU64::new(0);
    let skipped = AtomicBool::new(false);
    vec![
        (
            "none",
            Box::new(|asked, upstream: &Upstream| upstream.ask(&asked)),
            &[],
        ),
        (
            "a request that should wait is answered early",
            Box::new(|asked, upstream: &Upstream| {
                let is_of_part = asked.parameter("_HLS_part").is_some();
                let near = next(&asked, upstream).zip(wanted(&asked));
                match is_of_part && near.is_some_and(|(next, wanted)| wanted <= next + 2) {
                    true => upstream.ask(&asked.with_query(None)),
                    false => upstream.ask(&asked),
                }
            }),
            &["answered-early"],
        ),
        (
            "a request for a segment is answered with its first part",
            Box::new(|asked, upstream: &Upstream| {
                let query = asked.query.clone().unwrap_or_default();
                let is_whole = query.contains("_HLS_msn=") && !query.contains("_HLS_part=");
                let query = format!("{query}&_HLS_part=0");
                match is_whole {
                    true => upstream.ask(&asked.with_query(Some(&query))),
                    false => upstream.ask(&asked),
                }
            }),
            &["segment-not-held"],
        ),
        (
            "an absurd number is answered",
            never_refuses(|asked| asked.parameter("_HLS_msn").is_some()),
            &["far-ahead-not-refused"],
        ),
        (
            "a part without a segment is answered",
            never_refuses(|asked| asked.parameter("_HLS_msn").is_none()),
            &["part-without-msn"],
        ),
        (
            "parts that are listed are 404",
            Box::new(|asked: Asked, upstream: &Upstream| {
                let missing = is_second_part(&asked).then(|| format!("{}x", asked.path));
                let path = missing.unwrap_or_else(|| asked.path.clone());
                upstream.ask(&Asked { path, ..asked })
            }),
            &["listed-not-served"],
        ),
        (
            "a delta update skips one too few",
            Box::new(move |asked: Asked, upstream: &Upstream| {
                if asked.parameter("_HLS_skip").is_none() {
                    // It is compared with the whole playlist before it: until it was asked for, no newer one comes.
                    let next = next(&asked, upstream);
                    let response = upstream.ask(&asked);
                    let is_newer = response.status == 200 && wanted(&asked) >= next;
                    let turns = if is_newer && next.is_some() { 150 } else { 0 };
                    for _ in 0..turns {
                        let was_asked = skipped.load(Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                        if was_asked {
                            break;
                        }
                    }
                    return response;
                }
                let mut response = upstream.ask(&asked.without_header("accept-encoding"));
                let text = response.text();
                if let Some((begin, rest)) = text.split_once("SKIPPED-SEGMENTS=") {
                    let (count, rest) = rest.split_once('\n').unwrap();
                    let count = count.parse::<u64>().unwrap() - 1;
                    response.body = format!("{begin}SKIPPED-SEGMENTS={count}\n{rest}").into_bytes();
                }
                skipped.store(true, Ordering::Relaxed);
                response
            }),
            &["delta-differs"],
        ),
        (
            "a delta update for all",
            Box::new(|asked: Asked, upstream: &Upstream| {
                if !asked.path.ends_with("/fmp4.m3u8") || asked.parameter("_HLS_skip").is_some() {
                    return upstream.ask(&asked);
                }
                let query = asked.query.clone().unwrap_or_default();
                upstream.ask(&asked.with_query(Some(&format!("{query}&_HLS_skip=YES"))))
            }),
            &["skip-unasked"],
        ),
        (
            "no CORS",
            with_field("access-control-allow-origin", None, |_, _| true),
            &["cors"],
        ),
        (
            "no CORS on errors",
            with_field("access-control-allow-origin", None, |_, response| {
                response.status >= 400
            }),
            &["cors-error"],
        ),
        (
            "caches keep playlists",
            with_field("cache-control", Some("max-age=3600"), |asked, _| {
                asked.is_playlist()
            }),
            &["playlist-cache"],
        ),
        (
            "caches keep no media",
            with_field("cache-control", Some("no-store"), |asked, _| {
                is_media(asked)
            }),
            &["segment-cache"],
        ),
        (
            "playlists are text",
            with_field("content-type", Some("text/plain"), |asked, _| {
                asked.is_playlist()
            }),
            &["playlist-mime-type"],
        ),
        (
            "nothing is compressed",
            deaf_to("accept-encoding", Asked::is_playlist),
            &["gzip"],
        ),
        (
            "what is said to be compressed is not",
            Box::new(|asked, upstream: &Upstream| {
                let takes = asked.is_playlist()
                    && asked
                        .header("accept-encoding")
                        .is_some_and(|v| v.contains("gzip"));
                let mut response = upstream.ask(&asked.without_header("accept-encoding"));
                if takes {
                    set(&mut response, "content-encoding", Some("gzip"));
                }
                response
            }),
            &["gzip-wrong"],
        ),
        ("no ranges", deaf_to("range", is_media), &["range"]),
        (
            "ranges of other bytes",
            Box::new(|asked, upstream: &Upstream| {
                let mut response = upstream.ask(&asked);
                if response.status == 206 {
                    response.body.reverse();
                }
                response
            }),
            &["range-wrong"],
        ),
        (
            "no conditions",
            deaf_to("if-none-match", is_media),
            &["not-modified"],
        ),
        (
            "an ETag for each answer",
            Box::new(move |asked, upstream: &Upstream| {
                let is_media = is_media(&asked);
                let mut response = upstream.ask(&asked.without_header("if-none-match"));
                let etag = format!("\"{}\"", tags.fetch_add(1, Ordering::Relaxed));
                if is_media && response.status == 200 {
                    set(&mut response, "etag", Some(&etag));
                }
                response
            }),
            &["etag-changed", "not-modified"],
        ),
        (
            "segments change",
            Box::new(move |asked, upstream: &Upstream| {
                let mut response = upstream.ask(&asked);
                let is_new =
                    asked.method != "GET" || seen.lock().unwrap().insert(asked.path.clone());
                let is_segment = is_media(&asked) && asked.path.matches('.').count() == 1;
                let is_whole = is_segment && response.status == 200;
                if let Some(last) = response.body.last_mut().filter(|_| is_whole && !is_new) {
                    *last ^= 1;
                }
                response
            }),
            &["body-changed"],
        ),
        (
            "HEAD is refused",
            Box::new(|asked, upstream: &Upstream| {
                let mut response = upstream.ask(&asked);
                if asked.method == "HEAD" {
                    response.status = 405;
                }
                response
            }),
            &["head"],
        ),
        (
            "what is not there is empty",
            Box::new(|asked, upstream: &Upstream| {
                let mut response = upstream.ask(&asked);
                if response.status == 404 {
                    response.status = 200;
                    response.body.clear();
                }
                response
            }),
            &["missing-status"],
        ),
        (
            "the playlist vanishes",
            Box::new(move |asked, upstream: &Upstream| {
                let count = counted.fetch_add(u64::from(asked.is_playlist()), Ordering::Relaxed);
                let path = match asked.is_playlist() && count > 12 {
                    true => "/live/gone.m3u8".to_owned(),
                    false => asked.path.clone(),
                };
                upstream.ask(&Asked { path, ..asked })
            }),
            &["vanished"],
        ),
    ]
}

#[test]
fn each_misbehaviour_of_a_server_is_named_and_nothing_else() {
    let (server, _publisher) = live("");
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = faults()
            .into_iter()
            .map(|(fault, spoil, wanted)| {
                let gateway = Gateway::start(&server.http, spoil);
                scope.spawn(move || {
                    let output = check(&gateway.url("/live/cam/fmp4.m3u8"), "5s", &[]);
                    let found = found(&output);
                    let wanted: BTreeSet<String> = wanted.iter().map(|&s| s.to_owned()).collect();
                    (found != wanted)
                        .then(|| format!("{fault}: {found:?}, not {wanted:?}\n{}", output.text()))
                })
            })
            .collect();
        let wrong = runs.into_iter().filter_map(|run| run.join().unwrap());
        wrong.collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn certificates_are_asked_for_unless_told_otherwise_and_http2_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    e2e::tls::self_signed("localhost", &cert, &key);
    let (server, _publisher) = live(&format!(
        "[https]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}\n"
    ));
    let https = server.listener("https listening on ");
    let url = format!("https://{https}/live/cam.m3u8");
    let refused = check(&url, "2s", &["--wait", "0s"]);
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.text().is_empty(), "{}", refused.text());
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    // Low latency over TLS is looked at over HTTP/2 by itself; else a check of its own would say so.
    let clean = found(&check(&url, "2s", &["--insecure"]));
    assert_eq!(clean, BTreeSet::new());

    // HTTP/2 without TLS from the first byte: our server speaks it, the gateway does not.
    let url = server.http_url("/live/cam.m3u8");
    assert_eq!(found(&check(&url, "2s", &["--http2"])), BTreeSet::new());
    let gateway = Gateway::start(&server.http, |asked, upstream| upstream.ask(&asked));
    let url = gateway.url("/live/cam.m3u8");
    let refused = check(&url, "2s", &["--http2", "--wait", "0s"]);
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(
        refused.stderr.contains("connection error"),
        "{}",
        refused.stderr
    );
    assert_eq!(found(&check(&url, "2s", &[])), BTreeSet::new());
}

#[test]
fn fields_are_sent_to_the_server_of_the_url_and_to_no_other() {
    let (server, _publisher) = live("");
    static TOLD: AtomicBool = AtomicBool::new(false);
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let elsewhere = Gateway::start(&server.http, |asked, upstream| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        let is_told = ["authorization", "x-room"].map(|name| asked.header(name).is_some());
        TOLD.fetch_or(is_told.contains(&true), Ordering::Relaxed);
        upstream.ask(&asked)
    });
    let media = elsewhere.url("");
    // Playlists for those who show both fields; media lies elsewhere.
    let gateway = Gateway::start(&server.http, move |asked, upstream| {
        let is_known = asked.header("authorization") == Some("Bearer viewer:1")
            && asked.header("x-room") == Some("7");
        if !is_known {
            let text = b"not for you".to_vec();
            let (headers, status) = (Vec::new(), 401);
            return Response {
                status,
                headers,
                body: text,
            };
        }
        let mut response = upstream.ask(&asked);
        if !asked.is_playlist() {
            response.status = 302;
            set(
                &mut response,
                "location",
                Some(&format!("{media}{}", asked.path)),
            );
        }
        response
    });
    let url = gateway.url("/live/cam.m3u8");
    let fields = [
        "-H",
        "Authorization: Bearer viewer:1",
        "--header",
        "X-Room:7",
    ];
    assert_eq!(found(&check(&url, "3s", &fields)), BTreeSet::new());
    assert!(ASKED.load(Ordering::Relaxed) >= 10);
    assert!(!TOLD.load(Ordering::Relaxed), "another server was told");
    let refused = check(&url, "2s", &["--wait", "0s", "-H", "X-Room: 7"]);
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    let refused = check(&url, "2s", &["-H", "no field"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("\"no field\" is no field; write"),
        "{}",
        refused.stderr
    );
}
