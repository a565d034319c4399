//! Low latency HLS of a real publisher, as a client sees it that asks for each part in turn.

use std::collections::BTreeMap;

use e2e::ffmpeg::{self, Version};
use e2e::hls::{FIRST_SEGMENT, multivariant};
use e2e::low_latency::Playlist;
use e2e::media::testdata;
use e2e::process::{Process, command, run_ok};
use e2e::server::{Options, SHORT_LIFE, Server};
use e2e::tls;
use e2e::wait::secs;

fn publish(server: &Server) -> Process {
    ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "5"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    )
}

#[test]
fn a_client_that_asks_for_each_part_gets_it_and_the_segments_are_their_parts() {
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let publisher = publish(&server);
    let media = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT).media;
    let fetch = |query: &str| {
        let answer = server.get(&format!("{media}{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        Playlist::parse(&media, &answer.text())
    };
    let mut list = fetch("");
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut whole = 0;
    let first = list.next();
    while list.next() < first + 4 {
        // The part that comes next, by its name and by the playlist that lists it.
        let (sequence, index) = (list.next(), list.open.len());
        if let Some(hint) = &list.hint {
            let part = server.get(hint);
            // A segment may end with the part before the one announced.
            assert!(
                part.status == 200 || part.status == 404,
                "{hint}: {}",
                part.status
            );
            if part.status == 200 {
                seen.insert(hint.clone(), part.body);
            }
        }
        let before = list;
        list = fetch(&format!("?_HLS_msn={sequence}&_HLS_part={index}"));
        assert!(
            list.next() > sequence || list.open.len() > index,
            "answered before the part was there"
        );
        assert_eq!(list.target_ms, before.target_ms);
        for (number, segment) in list.segments.range(sequence..) {
            let parts = &segment.parts;
            let bodies: Vec<Vec<u8>> = parts
                .iter()
                .map(|part| server.get(&part.path).body)
                .collect();
            let sum: u64 = parts.iter().map(|part| part.duration_ms).sum();
            assert_eq!(sum, segment.duration_ms, "segment {number}");
            assert_eq!(
                bodies.concat(),
                server.get(&segment.path).body,
                "segment {number}"
            );
            for part in &parts[..parts.len() - 1] {
                let shortest = list.target_ms * 85 / 100;
                assert!(
                    (shortest..=list.target_ms).contains(&part.duration_ms),
                    "{part:?}"
                );
            }
            assert!(parts[0].independent, "segments begin with key frames");
            for (part, body) in parts.iter().zip(&bodies) {
                if let Some(hinted) = seen.get(&part.path) {
                    assert_eq!(hinted, body, "{}", part.path);
                    whole += 1;
                }
            }
        }
    }
    assert!(whole >= 4, "{whole} parts were fetched by their hints");
    // Whoever waits when the stream ends is told at once that it has.
    publisher.signal("INT");
    let next = list.next() + 1;
    let ended = fetch(&format!("?_HLS_msn={next}"));
    assert!(ended.ended && ended.hint.is_none());
}

#[test]
fn curl_waits_for_parts_over_http2_with_and_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("localhost", &cert, &key);
    let server = Server::with(&Options {
        config: format!(
            "{SHORT_LIFE}[hls]\nsegment = \"1s\"\n[https]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}\n"
        ),
        ..Options::default()
    });
    let _publisher = publish(&server);
    let media = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT).media;
    let https = server.listener("https listening on ");
    for (base, option) in [
        (format!("http://{}", server.http), "--http2-prior-knowledge"),
        (format!("https://{https}"), "--http2"),
    ] {
        let list = Playlist::parse(&media, &server.get(&media).text());
        let mut curl = command("curl");
        curl.args([
            "-sk",
            option,
            "--max-time",
            "20",
            "-w",
            "\n%{http_version} %{http_code}",
        ]);
        curl.arg(format!("{base}{media}?_HLS_msn={}", list.next()));
        let text = run_ok("curl", curl, secs(30)).text();
        assert!(text.ends_with("\n2 200"), "{option}: {text}");
        assert!(
            Playlist::parse(&media, &text).next() > list.next(),
            "{option}: {text}"
        );
    }
}
