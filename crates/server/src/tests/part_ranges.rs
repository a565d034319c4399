//! Parts that are byte ranges of a segment which grows: what is there of it, and what is waited for.

use std::time::Duration;

use http::{Method, StatusCode};

use super::low_latency::{Encoder, blocked, hint, playlist};
use super::{Answer, Bench};
use crate::Config;

const GROWS: &str = "public, max-age=31536000, immutable";

fn bench() -> Bench {
    let mut config = Config::default();
    config.hls.part_ranges = true;
    Bench::with(config, |_| {})
}

async fn range(bench: &Bench, uri: &str, range: &str) -> Answer {
    bench.ask(Method::GET, uri, &[("range", range)]).await
}

/// Where the hinted part begins in its segment.
fn hinted_at(answer: &Answer) -> usize {
    let (_, start) = answer
        .tag("EXT-X-PRELOAD-HINT")
        .split_once("BYTERANGE-START=")
        .unwrap();
    start.parse().unwrap()
}

/// The ranges of the parts behind the last complete segment: length and first byte.
fn open_parts(answer: &Answer) -> Vec<(usize, usize)> {
    let tail = answer.text().rsplit("#EXTINF").next().unwrap();
    let ranges = tail.split("BYTERANGE=\"").skip(1);
    let range = |text: &str| {
        let (range, _) = text.split_once('"').unwrap();
        let (len, begins) = range.split_once('@').unwrap();
        (len.parse().unwrap(), begins.parse().unwrap())
    };
    ranges.map(range).collect()
}

#[tokio::test(start_paused = true)]
async fn a_part_is_a_range_of_its_segment_before_and_after_it_is_complete() {
    let bench = bench();
    let mut encoder = Encoder::begin(&bench).await;
    encoder.run(Duration::from_millis(400)).await;
    let first = playlist(&bench, "").await;
    let segment = hint(&first);
    let (len, begins) = *open_parts(&first).last().unwrap();
    let asked = format!("bytes={begins}-{}", begins + len - 1);
    let part = range(&bench, &segment, &asked).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body.len(), len);
    let content_range = format!("bytes {begins}-{}/*", begins + len - 1);
    assert_eq!(part.header("content-range"), content_range);
    assert_eq!(part.header("content-type"), "video/mp4");
    assert_eq!(part.header("cache-control"), GROWS);
    assert_eq!(begins + len, hinted_at(&first));
    // More than there is: what there is, and no cache keeps that for an answer.
    let more = range(&bench, &segment, "bytes=0-9007199254740991").await;
    assert_eq!(more.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(more.body.len(), begins + len);
    assert_eq!(more.header("cache-control"), "no-store");

    let (whole, ()) = tokio::join!(bench.get(&segment), encoder.run(Duration::from_secs(1)));
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body.starts_with(&more.body));
    let again = range(&bench, &segment, &asked).await;
    assert_eq!(again.body, part.body);
    assert_eq!(again.header("etag"), part.header("etag"));
    let size = whole.body.len();
    assert_eq!(
        again.header("content-range"),
        format!("bytes {begins}-{}/{size}", begins + len - 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_hinted_range_comes_as_soon_as_the_part_is_whole() {
    let bench = bench();
    let mut encoder = Encoder::begin(&bench).await;
    encoder.run(Duration::from_millis(200)).await;
    let first = playlist(&bench, "").await;
    let (segment, begins) = (hint(&first), hinted_at(&first));
    let open = format!("bytes={begins}-");
    let (part, ()) = tokio::join!(range(&bench, &segment, &open), async {
        while blocked(&bench) < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        encoder.run(Duration::from_millis(400)).await;
    });
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.body.windows(4).any(|bytes| bytes == b"moof"));
    let listed = open_parts(&playlist(&bench, "").await);
    assert!(
        listed.contains(&(part.body.len(), begins)),
        "{} bytes at {begins}: {listed:?}",
        part.body.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_segment_will_have_is_refused() {
    let bench = bench();
    let mut encoder = Encoder::begin(&bench).await;
    encoder.run(Duration::from_millis(400)).await;
    let segment = hint(&playlist(&bench, "").await);
    // Beyond its end: known when it is complete.
    let (beyond, ()) = tokio::join!(
        range(&bench, &segment, "bytes=99999999-"),
        encoder.run(Duration::from_secs(1))
    );
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let number: u64 = segment
        .rsplit_once('-')
        .and_then(|(_, rest)| rest.split_once('.')?.0.parse().ok())
        .unwrap();
    let far = segment.replace(&format!("-{number}."), &format!("-{}.", number + 100));
    let part = segment.replace(".m4s", ".0.m4s");
    for missing in [
        far,
        part.replace(&format!("-{number}."), &format!("-{}.", number + 100)),
    ] {
        let answer = range(&bench, &missing, "bytes=0-").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
    }
    assert_eq!(blocked(&bench), 0);
}
