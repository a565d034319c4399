//! HLS: on demand, over its whole life. Time is paused, so waits are exact and cost nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, StatusCode};
use hub::CloseCause;
use media::{Codec, Timescale, Track, TrackId, Unconfigured};
use tokio::time::{Instant, sleep};

use super::{Answer, Bench, Clip, now};

async fn playlist(bench: &Bench, name: &str) -> Answer {
    let answer = bench.get(name).await;
    assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
    answer
}

fn sequence(answer: &Answer) -> u64 {
    answer.tag("EXT-X-MEDIA-SEQUENCE").parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn first_request_is_answered_at_once_from_what_the_ring_holds() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let began = Instant::now();
    let multivariant = playlist(&bench, "/live/cam1.m3u8").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(multivariant.text().contains("CODECS=\"avc1."));
    assert!(multivariant.text().contains("RESOLUTION=320x180"));
    assert_eq!(multivariant.first_uri(), "cam1/fmp4.m3u8");
    let media = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let segment = bench
        .get(&format!("/live/cam1/{}", media.first_uri()))
        .await;
    assert_eq!(segment.header("content-type"), "video/mp4");
    assert!(segment.body.windows(4).any(|bytes| bytes == b"moof"));
    let map = media.tag("EXT-X-MAP").split('"').nth(1).unwrap().to_owned();
    let init = bench.get(&format!("/live/cam1/{map}")).await;
    assert_eq!(&init.body[4..8], b"ftyp");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn transport_stream_is_made_when_it_is_asked_for() {
    let bench = Bench::new();
    let _publisher = bench.publish("a/b/cam1", "bframes.flv");
    let multivariant = playlist(&bench, "/a/b/cam1.ts.m3u8").await;
    assert_eq!(multivariant.first_uri(), "cam1/ts.m3u8");
    let media = playlist(&bench, "/a/b/cam1/ts.m3u8").await;
    let segment = bench.get(&format!("/a/b/cam1/{}", media.first_uri())).await;
    assert_eq!(segment.header("content-type"), "video/mp2t");
    assert_eq!((segment.body[0], segment.body.len() % 188), (0x47, 0));
}

#[tokio::test(start_paused = true)]
async fn playlist_without_a_segment_is_waited_for_and_then_refused() {
    let bench = Bench::new();
    let _publisher = bench.publisher("live/cam1");
    let began = Instant::now();
    let answer = bench.get("/live/cam1.m3u8").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(
        answer
            .text()
            .starts_with("HLS of live/cam1 has no segment yet")
    );
}

#[tokio::test(start_paused = true)]
async fn request_that_waits_is_answered_by_the_first_segment() {
    let bench = Bench::new();
    let mut publisher = bench.publisher("live/cam1");
    let (answer, ()) = tokio::join!(bench.get("/live/cam1/fmp4.m3u8"), async {
        sleep(Duration::from_secs(1)).await;
        Clip::open("bframes.flv").send(&mut publisher, 0);
    });
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_bounded() {
    let mut config = crate::Config::default();
    config.limits.waiting = 2;
    let bench = Bench::with(config, |_| {});
    let _publisher = bench.publisher("live/cam1");
    let ask = || async { bench.get("/live/cam1.m3u8").await.text().to_owned() };
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    let all = [a, b, c];
    let turned_away = all
        .iter()
        .filter(|text| text.starts_with("too many requests wait"));
    assert_eq!(turned_away.count(), 1, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn stream_that_no_container_carries_is_refused_with_the_reason() {
    let bench = Bench::new();
    let mut publisher = bench.publisher("live/cam1");
    let track = Track {
        id: TrackId(0),
        codec: Codec::FlvVideo(4),
        timescale: Timescale::MILLIS,
        config: Err(Unconfigured::RelayOnly(Codec::FlvVideo(4))),
        flv_body: None,
    };
    publisher.track(track).unwrap();
    for ms in 0..50 {
        let unit = media::AccessUnit::new(TrackId(0), media::Dts(0), "x".into()).random_access();
        publisher.unit_at(ms * 100, unit, now()).unwrap();
    }
    let answer = bench.get("/live/cam1.m3u8").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(
        answer.text().contains("HLS (fMP4) cannot carry live/cam1"),
        "{}",
        answer.text()
    );
    let detail = bench.get("/v1/streams/live/cam1").await.json();
    assert_eq!(detail["hls"]["left_out"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn task_stops_when_nobody_asks_and_goes_on_with_new_urls_and_higher_numbers() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let before = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let entry = bench
        .server
        .shared()
        .hls
        .get(&super::named("live/cam1"))
        .unwrap();
    sleep(Duration::from_secs(59)).await;
    assert!(entry.is_running());
    sleep(Duration::from_secs(2)).await;
    assert!(!entry.is_running());
    Clip::open("bframes.flv").send(&mut publisher, 61_000);
    let after = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let segments = before.text().matches("#EXTINF").count() as u64;
    // Parts of one more have been seen.
    assert!(before.text().contains("#EXT-X-PART:"));
    assert_eq!(sequence(&after), sequence(&before) + segments + 1);
    assert_ne!(before.first_uri(), after.first_uri());
    let old = bench
        .get(&format!("/live/cam1/{}", before.first_uri()))
        .await;
    assert_eq!(old.status, StatusCode::NOT_FOUND);
    assert!(old.text().starts_with("live/cam1 has no segment"));
}

#[tokio::test(start_paused = true)]
async fn requests_keep_the_task_alive() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let first = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    for _ in 0..5 {
        sleep(Duration::from_secs(50)).await;
        let again = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
        assert_eq!(again.body, first.body);
    }
}

#[tokio::test(start_paused = true)]
async fn ended_stream_has_its_playlist_for_a_while_and_is_then_unknown() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let live = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert!(!live.text().contains("#EXT-X-ENDLIST"));
    publisher.close(now(), CloseCause::Finished);
    sleep(Duration::from_secs(8)).await;
    bench.tick();
    sleep(Duration::from_millis(10)).await;
    let ended = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert!(ended.text().contains("#EXT-X-ENDLIST"));
    assert_eq!(sequence(&ended), sequence(&live));
    // Its length and three target durations: (7 + 3) x 2 s.
    assert_eq!(ended.tag("EXT-X-TARGETDURATION"), "2");
    sleep(Duration::from_secs(18)).await;
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let late = format!("/live/cam1/{}", ended.first_uri());
    assert_eq!(bench.get(&late).await.status, StatusCode::OK);
    sleep(Duration::from_secs(4)).await;
    let gone = bench.get("/live/cam1/fmp4.m3u8").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().starts_with("no stream live/cam1; publish"));
}

#[tokio::test(start_paused = true)]
async fn stream_published_again_goes_on_with_other_urls_and_keeps_the_old_ones_a_while() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    publisher.close(now(), CloseCause::Finished);
    sleep(Duration::from_secs(8)).await;
    bench.tick();
    sleep(Duration::from_millis(10)).await;
    let ended = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let again = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert!(!again.text().contains("#EXT-X-ENDLIST"));
    let listed = ended.text().matches("#EXTINF").count() as u64;
    assert_eq!(sequence(&again), sequence(&ended) + listed);
    assert_ne!(again.first_uri(), ended.first_uri());
    let old = format!("/live/cam1/{}", ended.first_uri());
    assert_eq!(bench.get(&old).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn restarted_server_counts_on_and_repeats_no_url() {
    let mut uris = Vec::new();
    for restart in 0..2 {
        let bench = Bench::new();
        bench.wall_ms.fetch_add(restart * 10_000, Ordering::Relaxed);
        let _publisher = bench.publish("live/cam1", "bframes.flv");
        let media = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
        uris.push((sequence(&media), media.first_uri()));
    }
    assert!(uris[1].0 >= uris[0].0 + 10, "{uris:?}");
    assert_ne!(uris[0].1, uris[1].1);
}

#[tokio::test(start_paused = true)]
async fn viewers_are_counted_by_address_and_player_and_leave_when_they_go_quiet() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let media = playlist(&bench, "/live/cam1.m3u8").await;
    let stream = bench.hub.stream(&super::named("live/cam1")).unwrap();
    assert_eq!(
        stream.viewers().count(),
        0,
        "a look at {} is no viewer",
        media.first_uri()
    );
    for (peer, player) in [(1, "a"), (1, "a"), (1, "b"), (2, "a")] {
        let peer = ([10, 0, 0, peer], 1000).into();
        let headers = [("user-agent", player)];
        let uri = "/live/cam1/fmp4.m3u8";
        let answer = bench.ask_from(peer, Method::GET, uri, &headers).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let viewers = stream.viewers().list();
    assert_eq!(viewers.len(), 3);
    assert_eq!(viewers[0].info.protocol, "hls");
    assert!(viewers[0].bytes_out.load(Ordering::Relaxed) > 0);
    sleep(Duration::from_secs(8)).await;
    assert_eq!(stream.viewers().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn viewer_sent_away_stays_away_while_it_asks() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let stream = bench.hub.stream(&super::named("live/cam1")).unwrap();
    let id = stream.viewers().list()[0].id;
    let path = format!("/v1/streams/live/cam1/viewers/{id}");
    let deleted = bench.ask(Method::DELETE, &path, &[]).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    for _ in 0..3 {
        let answer = bench.get("/live/cam1/fmp4.m3u8").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        sleep(Duration::from_secs(4)).await;
    }
    sleep(Duration::from_secs(8)).await;
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
}

#[tokio::test(start_paused = true)]
async fn always_segments_from_the_start() {
    let mut config = crate::Config::default();
    config.hls.always = true;
    let bench = Bench::with(config, |_| {});
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    sleep(Duration::from_secs(200)).await;
    let entry = bench
        .server
        .shared()
        .hls
        .get(&super::named("live/cam1"))
        .unwrap();
    assert!(entry.is_running());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_playlists_and_waits_until_their_viewers_know() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let began = Instant::now();
    let server = bench.server.clone();
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_secs(10)).await });
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        bench.get("/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let told = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert!(told.text().contains("#EXT-X-ENDLIST"));
    stopping.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn publisher_that_comes_back_costs_one_discontinuity_and_no_number() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let before = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    publisher.close(now(), CloseCause::Lost("reset".into()));
    sleep(Duration::from_secs(5)).await;
    bench.tick();
    let waiting = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert_eq!(
        waiting.body, before.body,
        "an interrupted stream keeps its playlist"
    );
    let mut publisher = bench.publisher("live/cam1");
    Clip::open("bframes.flv")
        .media_only()
        .send(&mut publisher, 0);
    sleep(Duration::from_secs(1)).await;
    let after = playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    assert_eq!(sequence(&after), sequence(&before));
    assert_eq!(after.first_uri(), before.first_uri());
    let breaks = after
        .text()
        .lines()
        .filter(|line| *line == "#EXT-X-DISCONTINUITY");
    assert_eq!(breaks.count(), 1, "{}", after.text());
    assert!(!after.text().contains("#EXT-X-ENDLIST"));
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_free_their_places_among_the_waiting() {
    let bench = Bench::new();
    let _publisher = bench.publisher("live/cam1");
    let free = || bench.server.shared().hls.waiting_places();
    let all = free();
    let waiting = bench.get("/live/cam1.m3u8");
    let left = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(left.is_err());
    assert_eq!(free(), all);
}

#[tokio::test(start_paused = true)]
async fn hls_that_is_switched_off_says_so() {
    let mut config = crate::Config::default();
    config.hls.enabled = false;
    let bench = Bench::with(config, |_| {});
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let answer = bench.get("/live/cam1.m3u8").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().starts_with("HLS is switched off here"));
    assert!(
        bench
            .get("/live/x.m3u8")
            .await
            .text()
            .starts_with("no stream")
    );
}

/// The key stands in the first playlist's URL only; what the playlist names carries none.
#[tokio::test(start_paused = true)]
async fn viewer_is_asked_for_its_key_once_and_others_stay_out() {
    let bench = Bench::with(crate::Config::default(), |parts| {
        parts.authorizer = std::sync::Arc::new(|ask: hub::Ask| async move {
            match (ask.protocol, ask.key()) {
                ("hls", Some("s3cret")) => hub::Verdict::Allow,
                _ => hub::Verdict::deny("wrong stream key"),
            }
        });
    });
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let refused = bench.get("/live/cam1.m3u8?key=guess").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("wrong stream key"),
        "{}",
        refused.text()
    );
    assert_eq!(bench.get("/live/cam1/fmp4.m3u8").await.status, 403);
    assert_eq!(bench.get("/live/cam1.flv").await.status, 403);

    let multivariant = bench.get("/live/cam1.m3u8?key=s3cret").await;
    assert_eq!(multivariant.status, 200);
    let media = format!("/live/{}", multivariant.first_uri());
    let playlist = bench.get(&media).await;
    assert_eq!(playlist.status, 200);
    let segment = format!("/live/cam1/{}", playlist.first_uri());
    assert_eq!(bench.get(&segment).await.status, 200);
    let as_other = [("user-agent", "another player")];
    let other = bench.ask(Method::GET, &segment, &as_other).await;
    assert_eq!(other.status, 403, "another player has not shown the key");
}

/// A protected stream: what lets in stands on every link, every request is asked about, and no
/// shared cache keeps an answer.
#[tokio::test(start_paused = true)]
async fn links_of_protected_playlists_carry_what_lets_their_viewer_in() {
    let bench = Bench::with(crate::Config::default(), |parts| {
        parts.authorizer = std::sync::Arc::new(|ask: hub::Ask| async move {
            match (ask.parameter("pwd"), ask.parameter("token")) {
                (Some("s3cret"), _) | (_, Some("t1")) => {
                    hub::Verdict::AllowLinks("token=t1".into())
                }
                (None, None) => hub::Verdict::deny("needs a password"),
                _ => hub::Verdict::Absent,
            }
        });
    });
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    assert_eq!(bench.get("/live/cam1.m3u8").await.status, 403);
    assert_eq!(bench.get("/live/cam1.m3u8?pwd=guess").await.status, 404);
    for extension in ["m3u8", "ts.m3u8"] {
        let multivariant = bench
            .get(&format!("/live/cam1.{extension}?pwd=s3cret"))
            .await;
        let uri = multivariant.first_uri();
        assert!(uri.ends_with("?token=t1"), "{uri}");
        let playlist = bench.get(&format!("/live/{uri}")).await;
        for answer in [&multivariant, &playlist] {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("cache-control"), "private, no-cache");
            assert!(!answer.text().contains("s3cret"), "{}", answer.text());
        }
        let text = playlist.text();
        let uris = text.lines().filter(|line| !line.starts_with('#'));
        assert!(uris.clone().count() > 0 && uris.clone().all(|uri| uri.ends_with("?token=t1")));
        assert_eq!(text.contains("URI="), extension == "m3u8");
        assert_eq!(text.contains(".mp4?token=t1\""), extension == "m3u8");
        let segment = format!("/live/cam1/{}", playlist.first_uri());
        let answer = bench.get(&segment).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("cache-control").starts_with("private, "));
        let (bare, _) = segment.split_once('?').unwrap();
        // The same viewer, which was let in before: every request is asked about.
        assert_eq!(bench.get(bare).await.status, 403);
    }
    let packed = [("accept-encoding", "gzip")];
    let packed = bench
        .ask(Method::GET, "/live/cam1.m3u8?pwd=s3cret", &packed)
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
}

#[tokio::test(start_paused = true)]
async fn playlists_are_rendered_and_packed_once_a_change_however_many_ask() {
    const MEDIA: &str = "/live/cam1/fmp4.m3u8";
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let renders = || {
        let entry = bench.server.shared().hls.get(&super::named("live/cam1"));
        entry.unwrap().stats().renders
    };
    playlist(&bench, MEDIA).await;
    let before = renders();
    for round in 1..=2 {
        // All at once, as when a segment has appeared.
        let ask = |number: usize| {
            let coding = if number.is_multiple_of(2) {
                "gzip"
            } else {
                "identity"
            };
            let headers = [("accept-encoding", coding)];
            let bench = &bench;
            async move { bench.ask(Method::GET, MEDIA, &headers).await }
        };
        let answers = futures_util::future::join_all((0..500).map(ask)).await;
        // The very same bytes for all, of either form.
        for parity in 0..2 {
            let mut bodies = answers.iter().skip(parity).step_by(2).map(|a| &a.body);
            let first = bodies.next().unwrap();
            assert!(first.len() > 100);
            assert!(
                bodies.all(|body| (body.as_ptr(), body.len()) == (first.as_ptr(), first.len()))
            );
        }
        assert_eq!(renders(), before + round - 1, "asking renders nothing");
        Clip::open("bframes.flv").send(&mut publisher, 6_000 * u32::try_from(round).unwrap());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(renders(), before + round, "what came at once is one change");
    }
}

#[tokio::test(start_paused = true)]
async fn segments_are_shared_by_all_who_ask() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    // Of one piece; a segment in parts is several, which these tests would join.
    let uri = playlist(&bench, "/live/cam1/ts.m3u8").await.first_uri();
    let uri = format!("/live/cam1/{uri}");
    let whole = bench.get(&uri).await;
    let part = bench
        .ask(Method::GET, &uri, &[("range", "bytes=100-")])
        .await;
    assert_eq!(bench.get(&uri).await.body.as_ptr(), whole.body.as_ptr());
    assert_eq!(part.body.as_ptr(), whole.body[100..].as_ptr());
}

#[tokio::test(start_paused = true)]
async fn counters_of_the_segmenter_are_told_over_all_runs() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let told = || async {
        let mut json = bench.get("/v1/streams/live/cam1").await.json();
        json["hls"].take()
    };
    let first = told().await;
    let segments = first["segments"].as_u64().unwrap();
    assert!(
        segments > 0 && first["bytes"].as_u64().unwrap() > 1_000,
        "{first}"
    );
    assert_eq!(
        (&first["forced_cuts"], &first["renders"]),
        (&0.into(), &1.into())
    );
    assert!(first["target_duration_s"].as_f64().unwrap() >= 1.0);
    sleep(Duration::from_secs(62)).await;
    let idle = told().await;
    assert_eq!(
        (&idle["running"], &idle["bytes"]),
        (&false.into(), &0.into())
    );
    assert_eq!(idle["segments"], segments);
    Clip::open("bframes.flv").send(&mut publisher, 61_000);
    playlist(&bench, "/live/cam1/fmp4.m3u8").await;
    let again = told().await;
    assert!(again["segments"].as_u64().unwrap() > segments, "{again}");
    assert_eq!(again["renders"], 2);
    let metrics = bench.get("/metrics").await;
    let series = format!(
        "sidestream_stream_hls_segments_total{{app=\"live\",stream=\"cam1\"}} {}",
        again["segments"]
    );
    let text = metrics.text();
    assert!(
        text.lines().any(|line| line == series),
        "{series} is not in\n{text}"
    );
}
