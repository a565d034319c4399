//! Low latency HLS: requests that wait, what they wait for, and what they may not ask for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, StatusCode};
use hub::{CloseCause, Publisher};
use tokio::time::{Instant, sleep};

use super::{Answer, Bench, now};

pub(super) const MEDIA: &str = "/live/cam1/fmp4.m3u8";
/// Distance of two frames; every 25th is a key frame.
const FRAME: Duration = Duration::from_millis(40);

/// Publishes pictures as an encoder would: the clock goes on with them.
pub(super) struct Encoder {
    publisher: Publisher,
    next: usize,
    at_ms: u32,
}

impl Encoder {
    /// A publisher whose first two seconds are there already.
    pub(super) async fn begin(bench: &Bench) -> Self {
        let mut encoder = Self::silent(bench, "live/cam1");
        encoder.run(Duration::from_secs(2)).await;
        encoder
    }

    pub(super) fn silent(bench: &Bench, name: &str) -> Self {
        let mut publisher = bench.publisher(name);
        let config =
            "0142c01effe100196742c01ed890280bfe5c0440000003004000000c83c58b898001000568c888cb20";
        let config: Vec<u8> = (0..config.len() / 2)
            .map(|i| u8::from_str_radix(&config[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let config = media::CodecConfig::parse(media::Codec::H264, &config).unwrap();
        let track = media::Track::new(media::TrackId(0), media::Timescale::MILLIS, config);
        publisher.track(track).unwrap();
        Self {
            publisher,
            next: 0,
            at_ms: 0,
        }
    }

    fn frame(&mut self) {
        let key = self.next.is_multiple_of(25);
        let mut payload = vec![0, 0, 3, 0, if key { 0x65 } else { 0x41 }];
        payload.resize(4 + 768, 0xa5);
        let unit = media::AccessUnit::new(media::TrackId(0), media::Dts(0), payload.into());
        let unit = if key { unit.random_access() } else { unit };
        self.publisher.unit_at(self.at_ms, unit, now()).unwrap();
        self.next += 1;
        self.at_ms += 40;
    }

    /// Sends this many frames at once.
    pub(super) fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.frame());
    }

    /// Sends for this long.
    pub(super) async fn run(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.frame();
            sleep(FRAME).await;
        }
    }
}

pub(super) async fn playlist(bench: &Bench, query: &str) -> Answer {
    let answer = bench.get(&format!("{MEDIA}{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
    answer
}

/// Sequence number of the newest complete segment, and parts after it.
pub(super) fn edge(answer: &Answer) -> (u64, u64) {
    let first: u64 = answer.tag("EXT-X-MEDIA-SEQUENCE").parse().unwrap();
    let segments = answer.text().matches("#EXTINF").count() as u64;
    let tail = answer.text().rsplit("#EXTINF").next().unwrap();
    (
        first + segments - 1,
        tail.matches("#EXT-X-PART:").count() as u64,
    )
}

pub(super) fn hint(answer: &Answer) -> String {
    let uri = answer.tag("EXT-X-PRELOAD-HINT").split('"').nth(1);
    format!("/live/cam1/{}", uri.unwrap())
}

pub(super) fn blocked(bench: &Bench) -> usize {
    let limits = crate::config::Limits::default();
    limits.hls_blocked - bench.server.shared().hls.blocked_places()
}

#[tokio::test(start_paused = true)]
async fn playlist_and_hinted_part_come_together_as_soon_as_the_part_is_whole() {
    let bench = Bench::new();
    let mut encoder = Encoder::begin(&bench).await;
    encoder.run(Duration::from_millis(200)).await;
    let first = playlist(&bench, "").await;
    assert_eq!(first.header("cache-control"), "no-cache");
    let (last, parts) = edge(&first);
    let (query, hint) = (
        format!("?_HLS_msn={}&_HLS_part={parts}", last + 1),
        hint(&first),
    );
    let began = Instant::now();
    let (waited, part, frames) = tokio::join!(
        async { (playlist(&bench, &query).await, Instant::now()) },
        async { (bench.get(&hint).await, Instant::now()) },
        async {
            let before = encoder.next;
            while blocked(&bench) < 2 {
                sleep(Duration::from_millis(1)).await;
            }
            while blocked(&bench) > 0 {
                encoder.frame();
                sleep(Duration::from_millis(1)).await;
            }
            encoder.next - before
        }
    );
    // Not before the eighth frame of the part, and with it.
    assert!(frames <= 8, "{frames}");
    assert!(waited.1 - began < Duration::from_millis(20) && part.1 == waited.1);
    assert_eq!(edge(&waited.0), (last, parts + 1));
    assert_eq!(waited.0.header("cache-control"), "max-age=12");
    assert_eq!(part.0.header("content-type"), "video/mp4");
    assert!(part.0.header("cache-control").ends_with("immutable"));
    let name = hint.rsplit('/').next().unwrap();
    assert!(waited.0.text().contains(&format!("URI=\"{name}\"")));
    assert!(part.0.body.windows(4).any(|bytes| bytes == b"moof"));
}

#[tokio::test(start_paused = true)]
async fn a_whole_segment_is_waited_for_where_no_part_is_named() {
    let bench = Bench::new();
    let mut encoder = Encoder::begin(&bench).await;
    let (last, _) = edge(&playlist(&bench, "").await);
    let query = format!("?_HLS_msn={}", last + 1);
    let (waited, ()) = tokio::join!(
        playlist(&bench, &query),
        encoder.run(Duration::from_secs(3))
    );
    assert_eq!(edge(&waited).0, last + 1);
    // What is there already is answered at once.
    let began = Instant::now();
    playlist(&bench, &query).await;
    playlist(&bench, &format!("?_HLS_msn={last}&_HLS_part=1000000")).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_waited_for_is_refused_at_once() {
    let bench = Bench::new();
    let _encoder = Encoder::begin(&bench).await;
    let first = playlist(&bench, "").await;
    let (last, parts) = edge(&first);
    let began = Instant::now();
    let part = last + 1;
    for (query, says) in [
        (format!("_HLS_msn={}", last + 3), "too far ahead"),
        ("_HLS_msn=18446744073709551615".to_owned(), "too far ahead"),
        (
            format!("_HLS_msn={part}&_HLS_part={}", parts + 40),
            "too far ahead",
        ),
        ("_HLS_part=0".to_owned(), "_HLS_part without _HLS_msn"),
        (
            "_HLS_msn=-1".to_owned(),
            "_HLS_msn is not one decimal number",
        ),
        (
            format!("_HLS_msn={part}&_HLS_part=x"),
            "_HLS_part is not one decimal number",
        ),
        (
            format!("_HLS_msn={part}&_HLS_msn={part}"),
            "_HLS_msn is not one",
        ),
    ] {
        let answer = bench.get(&format!("{MEDIA}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    // Names outside the playlist.
    let epoch = hint(&first)
        .rsplit('/')
        .next()
        .unwrap()
        .split('-')
        .next()
        .unwrap()
        .to_owned();
    for name in [
        format!("{epoch}-{part}.{}.m4s", parts + 1),
        format!("{epoch}-{}.0.m4s", part + 1),
        format!("{epoch}-{part}.00.m4s"),
        format!("0-{part}.{parts}.m4s"),
        format!("{epoch}-{part}.m4s"),
        format!("{epoch}-{part}.99999999999999999999.m4s"),
    ] {
        let answer = bench.get(&format!("/live/cam1/{name}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    // The transport stream offers nothing of this, and answers at once.
    let ts = bench
        .get(&format!("/live/cam1/ts.m3u8?_HLS_msn={}", last + 100))
        .await;
    assert_eq!(ts.status, StatusCode::OK);
    assert!(!ts.text().contains("SERVER-CONTROL"));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_three_target_durations() {
    let bench = Bench::new();
    let _encoder = Encoder::begin(&bench).await;
    let first = playlist(&bench, "").await;
    let target: u64 = first.tag("EXT-X-TARGETDURATION").parse().unwrap();
    let (last, _) = edge(&first);
    let began = Instant::now();
    let query = format!("{MEDIA}?_HLS_msn={}", last + 1);
    let hinted = hint(&first);
    let (playlist, part) = tokio::join!(bench.get(&query), bench.get(&hinted));
    assert_eq!(began.elapsed(), Duration::from_secs(3 * target));
    for answer in [playlist, part] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(blocked(&bench), 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_bounded_and_do_not_disturb_other_streams() {
    let mut config = crate::Config::default();
    config.limits.hls_blocked_per_stream = 100;
    let bench = Bench::with(config, |_| {});
    let mut encoder = Encoder::begin(&bench).await;
    let mut other = Encoder::silent(&bench, "live/cam2");
    other.run(Duration::from_secs(2)).await;
    let of_other = "/live/cam2/fmp4.m3u8";
    let other_edge = edge(&bench.get(of_other).await);
    let (last, parts) = edge(&playlist(&bench, "").await);
    let query = format!("{MEDIA}?_HLS_msn={}&_HLS_part={parts}", last + 1);
    let flood = futures_util::future::join_all((0..10_000).map(|_| bench.get(&query)));
    let other_query = format!("{of_other}?_HLS_msn={}", other_edge.0 + 1);
    let (answers, innocent, ()) = tokio::join!(flood, bench.get(&other_query), async {
        other.run(Duration::from_millis(1_500)).await;
        encoder.run(Duration::from_millis(500)).await;
    });
    let served: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(served.len(), 100);
    // The very same bytes for all.
    assert!(
        served
            .iter()
            .all(|a| a.body.as_ptr() == served[0].body.as_ptr())
    );
    let refused = answers.iter().filter(|a| a.status == 503);
    assert_eq!(refused.count(), 9_900);
    assert_eq!(innocent.status, StatusCode::OK);
    assert_eq!(edge(&innocent).0, other_edge.0 + 1);
    assert_eq!(bench.server.shared().hls.blocked_places(), 32_768);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_its_place_back() {
    let bench = Bench::new();
    let _encoder = Encoder::begin(&bench).await;
    let (last, _) = edge(&playlist(&bench, "").await);
    let query = format!("{MEDIA}?_HLS_msn={}", last + 1);
    let waited = tokio::time::timeout(Duration::from_millis(5), bench.get(&query)).await;
    assert!(waited.is_err());
    assert_eq!(blocked(&bench), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_releases_those_who_wait() {
    let bench = Bench::new();
    let encoder = Encoder::begin(&bench).await;
    let first = playlist(&bench, "").await;
    let (last, _) = edge(&first);
    let (query, hinted) = (format!("?_HLS_msn={}", last + 2), hint(&first));
    let ended_at = async {
        encoder.publisher.close(now(), CloseCause::Finished);
        sleep(Duration::from_millis(5_100)).await;
        bench.hub.drain(now());
        Instant::now()
    };
    let ((waited, at), part, ended_at) = tokio::join!(
        async { (playlist(&bench, &query).await, Instant::now()) },
        bench.get(&hinted),
        ended_at
    );
    assert!(
        at - ended_at <= Duration::from_millis(2),
        "{:?}",
        at - ended_at
    );
    assert!(waited.text().ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(waited.header("cache-control"), "no-cache");
    // The open part is the last one; had it been empty, it would be none.
    assert!(part.status == 200 || part.status == 404, "{}", part.status);
    let began = Instant::now();
    playlist(&bench, "?_HLS_msn=18446744073709551615").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_comes_back_serves_those_who_wait() {
    let bench = Bench::new();
    let encoder = Encoder::begin(&bench).await;
    let (last, _) = edge(&playlist(&bench, "").await);
    encoder
        .publisher
        .close(now(), CloseCause::Lost("gone".into()));
    let query = format!("?_HLS_msn={}&_HLS_part=0", last + 2);
    let (waited, ()) = tokio::join!(playlist(&bench, &query), async {
        sleep(Duration::from_secs(3)).await;
        let mut encoder = Encoder::silent(&bench, "live/cam1");
        encoder.run(Duration::from_secs(2)).await;
    });
    let text = waited.text();
    let after = text.split("#EXT-X-DISCONTINUITY\n").nth(1).unwrap();
    assert!(after.starts_with("#EXT-X-PROGRAM-DATE-TIME"), "{text}");
    assert!(after.contains("#EXT-X-PART:"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_delta_update_is_sent_to_those_who_ask() {
    let mut config = crate::Config::default();
    config.hls.segments = 30;
    let bench = Bench::with(config, |_| {});
    let mut encoder = Encoder::begin(&bench).await;
    playlist(&bench, "").await;
    encoder.run(Duration::from_secs(20)).await;
    let full = playlist(&bench, "").await;
    let delta = playlist(&bench, "?_HLS_skip=YES").await;
    assert!(!full.text().contains("#EXT-X-SKIP"));
    let skipped: u64 = delta
        .tag("EXT-X-SKIP")
        .split('=')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let segments = |answer: &Answer| answer.text().matches("#EXTINF").count() as u64;
    assert_eq!(segments(&full), segments(&delta) + skipped);
    assert!(skipped > 5 && delta.body.len() < full.body.len());
    assert_eq!(playlist(&bench, "?_HLS_skip=v2").await.body, delta.body);
    let packed = bench
        .ask(
            Method::GET,
            &format!("{MEDIA}?_HLS_skip=YES"),
            &[("accept-encoding", "gzip")],
        )
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), full.header("etag"));
    // Waiting and skipping go together.
    let (last, parts) = edge(&full);
    let query = format!("?_HLS_msn={}&_HLS_part={parts}&_HLS_skip=YES", last + 1);
    let (both, ()) = tokio::join!(
        playlist(&bench, &query),
        encoder.run(Duration::from_secs(1))
    );
    assert!(both.text().contains("#EXT-X-SKIP"));
}

#[tokio::test(start_paused = true)]
async fn a_segment_is_its_parts_and_any_range_of_it_can_be_had() {
    let bench = Bench::new();
    let _encoder = Encoder::begin(&bench).await;
    let first = playlist(&bench, "").await;
    let uri = format!("/live/cam1/{}", first.first_uri());
    let whole = bench.get(&uri).await;
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let stem = uri.strip_suffix("m4s").unwrap();
    let mut joined = Vec::new();
    for index in 0.. {
        let part = bench.get(&format!("{stem}{index}.m4s")).await;
        if part.status == StatusCode::NOT_FOUND {
            break;
        }
        joined.extend_from_slice(&part.body);
        let len = joined.len();
        // A range over the seam of two parts.
        let range = format!("bytes=10-{}", len + 5);
        let part = bench.ask(Method::GET, &uri, &[("range", &range)]).await;
        let end = whole.body.len().min(len + 6);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.body, whole.body[10..end]);
    }
    assert_eq!(joined, whole.body);
    let head = bench.ask(Method::HEAD, &uri, &[]).await;
    assert_eq!(head.header("content-length"), joined.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn low_latency_can_be_switched_off() {
    let mut config = crate::Config::default();
    config.hls.low_latency = false;
    let bench = Bench::with(config, |_| {});
    let encoder = Encoder::begin(&bench).await;
    let classic = playlist(&bench, "?_HLS_msn=1&_HLS_part=1").await;
    assert!(!classic.text().contains("PART") && !classic.text().contains("CONTROL"));
    assert!(!encoder.publisher.stream().is_hurried());
    assert_eq!(bench.wall_ms.load(Ordering::Relaxed), super::WALL_MS);
}

#[tokio::test(start_paused = true)]
async fn frames_are_wanted_at_once_only_where_there_are_parts() {
    let bench = Bench::new();
    let encoder = Encoder::begin(&bench).await;
    let stream = encoder.publisher.stream().clone();
    bench.get("/live/cam1/ts.m3u8").await;
    sleep(Duration::from_millis(1)).await;
    assert!(!stream.is_hurried());
    playlist(&bench, "").await;
    assert!(stream.is_hurried());
    sleep(Duration::from_secs(62)).await;
    assert!(!stream.is_hurried(), "nobody asks any more");
}
