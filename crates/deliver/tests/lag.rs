//! Viewers that are slow, dead or hostile: they cost themselves, nobody else.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use support::*;
use tokio::io::AsyncReadExt;

/// Checks that `got` is whole: pictures 100 ms apart, and where some are missing the next is a key
/// frame behind headers. Gives the number of such places (the beginning not counted).
fn check(got: &[Got], gop: u32, len: usize) -> usize {
    let mut time = None;
    let mut places = 0;
    let mut got = got.iter().peekable();
    while let Some(one) = got.next() {
        match one {
            Got::Data(ms, name, _) => {
                assert_eq!(name, "onMetaData");
                let next: Vec<_> = got.by_ref().take(3).map(Got::word).collect();
                assert_eq!(
                    next,
                    [format!("VH{ms}"), format!("AH{ms}"), format!("K{ms}")]
                );
                assert!(time.is_none_or(|time| *ms > time), "{ms} after {time:?}");
                places += usize::from(time.is_some());
                time = Some(*ms);
            }
            Got::Video(ms, body) => {
                assert_eq!(
                    Some(*ms),
                    time.map(|time| time + 100),
                    "a gap without headers"
                );
                assert_eq!(*body, video(*ms, ms % gop == 0, len));
                time = Some(*ms);
            }
            other => panic!("{other:?}"),
        }
    }
    places
}

/// Reads up to the picture of this time.
async fn up_to(http: &mut Http, last: u32) -> Vec<Got> {
    let mut got = Vec::new();
    loop {
        let one = http.next().await.expect("closed too early");
        let done = one.word() == format!("K{last}") || one.word() == format!("v{last}");
        got.push(one);
        if done {
            return got;
        }
    }
}

#[tokio::test]
async fn viewer_that_does_not_read_is_moved_on_and_the_others_get_everything() {
    for by_time in [true, false] {
        let hub = hub_with(|config| {
            config.gop_cache_bytes = 64 << 20;
            config.gop_cache_time = Duration::from_secs(600);
        });
        let mut feed = Feed::with_headers(&hub, "cam1");
        feed.video(0, true, 20_000);
        let stream = Arc::clone(feed.publisher.stream());
        let deliver = deliver(|config| {
            if by_time {
                config.max_lag = Duration::from_secs(3);
                config.max_lag_bytes = 1 << 30;
            } else {
                config.max_lag = Duration::from_secs(3_600);
                config.max_lag_bytes = 600_000;
            }
        });
        let mut slow = flv(&deliver, &stream, Body::Chunked, true).await;
        let mut fast = flv(&deliver, &stream, Body::Chunked, false).await;
        let mut witness = Vec::new();
        witness.extend(up_to(&mut fast, 0).await);
        for ms in (100..20_000).step_by(100) {
            feed.video(ms, ms % 1_000 == 0, 20_000);
            witness.extend(up_to(&mut fast, ms).await);
        }
        assert_eq!(
            check(&witness, 1_000, 20_000),
            0,
            "the fast one missed nothing"
        );
        assert_eq!(witness.len(), 203);
        let viewer = stream.viewers().list().remove(0);
        let got = up_to(&mut slow, 19_900).await;
        let places = check(&got, 1_000, 20_000);
        assert!(places >= 1, "by time: {by_time}");
        assert_eq!(viewer.skips.load(Ordering::Relaxed), places as u64);
        let missed = viewer.frames_missed.load(Ordering::Relaxed);
        let pictures = got
            .iter()
            .filter(|one| one.word().starts_with(['K', 'v']))
            .count();
        assert_eq!(missed + pictures as u64, 200);
        // Bounded: 3 s, or 600 KB, are 30 pictures; behind the kernel's buffers come not many more.
        assert!(pictures < 120, "{pictures}");
        assert_eq!(stream.viewers().skips(), places as u64);
        let counted = deliver.counters().skips();
        assert_eq!(counted, [(viewer.info.protocol, places as u64)]);
    }
}

#[tokio::test]
async fn viewer_that_takes_nothing_is_closed_in_time() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 2_000_000);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|config| config.stall_timeout = Duration::from_secs(1));
    let mut dead = Vec::new();
    for _ in 0..3 {
        dead.push(flv(&deliver, &stream, Body::Chunked, true).await);
    }
    let rtmp = player(&deliver, &stream, true).await;
    let mut alive = flv(&deliver, &stream, Body::Chunked, false).await;
    up_to(&mut alive, 0).await;
    until("the dead to be closed", || stream.viewers().count() == 1).await;
    feed.audio(20);
    assert_eq!(words(&alive.take(1).await), "a20");
    assert_eq!(deliver.counters().cut(), [("stalled", 4)]);
    drop((dead, rtmp));
}

#[tokio::test]
async fn changed_settings_reach_viewers_that_are_there() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 2_000_000);
    let stream = Arc::clone(feed.publisher.stream());
    let patient = |config: &mut deliver::Config| config.stall_timeout = Duration::from_secs(600);
    let deliver = deliver(patient);
    let dead = flv(&deliver, &stream, Body::Chunked, true).await;
    let mut alive = flv(&deliver, &stream, Body::Chunked, false).await;
    up_to(&mut alive, 0).await;
    assert_eq!(stream.viewers().count(), 2);
    let mut config = deliver::Config::default();
    config.stall_timeout = Duration::from_millis(1);
    deliver.configure(&config);
    until("the dead to be closed", || stream.viewers().count() == 1).await;
    feed.audio(20);
    assert_eq!(words(&alive.take(1).await), "a20");
    drop(dead);
}

#[tokio::test]
async fn hundreds_of_viewers_that_never_read_share_one_window() {
    let hub = hub_with(|config| config.gop_cache_bytes = 4 << 20);
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 50_000);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|config| {
        config.max_lag_bytes = 1 << 20;
        config.stall_timeout = Duration::from_secs(600);
    });
    // Files are scarce in some environments: a viewer costs two here.
    let count = 300;
    let mut dead = Vec::new();
    for _ in 0..count {
        dead.push(flv(&deliver, &stream, Body::Chunked, true).await);
    }
    let mut alive = flv(&deliver, &stream, Body::Chunked, false).await;
    let mut got = up_to(&mut alive, 0).await;
    // What outlives the ring and the window is freed: its owner counts it.
    let (body, held) = counted(50_000);
    feed.video_body(100, &body);
    drop(body);
    got.extend(up_to(&mut alive, 100).await);
    for ms in (200..10_000).step_by(100) {
        feed.video(ms, ms % 1_000 == 0, 50_000);
        got.extend(up_to(&mut alive, ms).await);
    }
    assert_eq!(check(&got, 1_000, 50_000), 0);
    // The viewers are in the middle of the first picture still, at most; the second is not held.
    until("the old picture to be freed", || held.upgrade().is_none()).await;
    assert_eq!(stream.viewers().count(), count + 1);
    let most = stream
        .viewers()
        .list()
        .iter()
        .map(|viewer| viewer.bytes_out.load(Ordering::Relaxed))
        .min();
    assert!(most.unwrap() < 50_000, "they read nothing: {most:?}");
    // One of them wakes up: it finishes its message and goes on at a key frame.
    let mut woken = dead.remove(7);
    feed.video(10_000, true, 50_000);
    let got = up_to(&mut woken, 10_000).await;
    assert_eq!(check(&got, 1_000, 50_000), 1);
}

/// A picture whose memory tells when it is freed.
fn counted(len: usize) -> (bytes::Bytes, std::sync::Weak<Vec<u8>>) {
    struct Shared(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let owner = Arc::new(video(100, false, len).to_vec());
    let weak = Arc::downgrade(&owner);
    (bytes::Bytes::from_owner(Shared(owner)), weak)
}

#[tokio::test]
async fn answers_go_between_messages_even_when_the_socket_is_full() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 3_000_000);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, true).await;
    until("the player", || stream.viewers().count() == 1).await;
    let viewer = stream.viewers().list().remove(0);
    // In the middle of the picture now; pings, and a pause that is taken back.
    until("the socket to be full", || {
        viewer.bytes_out.load(Ordering::Relaxed) > 5_000
    })
    .await;
    for n in 0..5_u32 {
        let ping = [&[0, 6][..], &n.to_be_bytes()].concat();
        rtmp.message(4, 0, &ping).await;
    }
    rtmp.command("pause", true.into()).await;
    rtmp.command("pause", false.into()).await;
    let got = rtmp.take(4).await;
    assert_eq!(got[3], Got::Video(0, video(0, true, 3_000_000)));
    feed.video(100, true, 5);
    // After the pause it joins anew, with the picture it had or the next one.
    let mut last = rtmp.take(1).await;
    while last[0].word() != "K100" {
        last = rtmp.take(1).await;
    }
}

#[tokio::test]
async fn pause_in_the_middle_of_a_message_holds_behind_it() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 3_000_000);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, true).await;
    until("the player", || stream.viewers().count() == 1).await;
    let viewer = stream.viewers().list().remove(0);
    until("the socket to be full", || {
        viewer.bytes_out.load(Ordering::Relaxed) > 5_000
    })
    .await;
    rtmp.command("pause", true.into()).await;
    let got = rtmp.take(4).await;
    assert_eq!(got[3], Got::Video(0, video(0, true, 3_000_000)));
    loop {
        let event = rtmp.event().await.unwrap();
        let paused = "NetStream.Pause.Notify";
        if matches!(event, rtmp::ClientEvent::Status { code, .. } if code == paused) {
            break;
        }
    }
    feed.video(100, false, 5);
    feed.video(200, true, 5);
    rtmp.command("pause", false.into()).await;
    assert_eq!(words(&rtmp.take(4).await), "onMetaData200 VH200 AH200 K200");
}

#[tokio::test]
async fn flood_of_pings_without_reading_ends_the_viewer_only() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 1_000_000);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut good = flv(&deliver, &stream, Body::WebSocket, false).await;
    up_to(&mut good, 0).await;
    let mut rtmp = player(&deliver, &stream, true).await;
    until("both", || deliver.viewers() == 2).await;
    within("the flood's end", async {
        while deliver.viewers() == 2 {
            for n in 0..100_u32 {
                let ping = [&[0, 6][..], &n.to_be_bytes()].concat();
                rtmp.message(4, 0, &ping).await;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    feed.audio(20);
    assert_eq!(words(&good.take(1).await), "a20");
}

#[tokio::test]
async fn rubbish_from_a_player_ends_it_alone() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut good = player(&deliver, &stream, false).await;
    good.take(4).await;
    let mut bad = player(&deliver, &stream, false).await;
    bad.take(4).await;
    use tokio::io::AsyncWriteExt;
    bad.socket.write_all(&[0xff; 64]).await.unwrap();
    let mut buf = [0; 1024];
    while !matches!(
        within("its end", bad.socket.read(&mut buf)).await,
        Ok(0) | Err(_)
    ) {}
    feed.audio(20);
    assert_eq!(words(&good.take(1).await), "a20");
}

#[tokio::test]
async fn worker_that_lags_goes_on_at_a_random_access_point_with_headers() {
    // A ring of half a second: the feed overruns the worker again and again.
    let hub = hub_with(|config| config.gop_cache_time = Duration::from_millis(500));
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut http = flv(&deliver, &stream, Body::UntilClose, false).await;
    let mut got = up_to(&mut http, 0).await;
    let mut ms = 100;
    let mut places = 0;
    within("a lag", async {
        while places == 0 {
            // Without a pause, so that the worker's thread comes late.
            for _ in 0..2_000 {
                feed.video(ms, ms % 500 == 0, 10);
                ms += 100;
            }
            // The end of the round reaches the viewer in any case: nothing overruns it.
            let last = ms - 100;
            got.extend(up_to(&mut http, last).await);
            places = check(&got, 500, 10);
        }
    })
    .await;
}

#[tokio::test]
async fn batches_gather_and_lose_nothing() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|config| config.batch = deliver::Batch::For(Duration::from_millis(30)));
    let mut http = flv(&deliver, &stream, Body::Chunked, false).await;
    let mut got = up_to(&mut http, 0).await;
    for ms in (100..3_000).step_by(100) {
        feed.video(ms, ms % 1_000 == 0, 10);
        if ms % 700 == 0 {
            got.extend(up_to(&mut http, ms).await);
        }
    }
    got.extend(up_to(&mut http, 2_900).await);
    assert_eq!(check(&got, 1_000, 10), 0);
}
