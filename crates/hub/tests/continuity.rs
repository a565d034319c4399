//! A stream's life: who may publish, what subscribers see over reconnects, when it ends.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{
    CloseCause, Config, Discontinuity, Event, Frame, Hub, Item, JoinAt, OnConflict, Phase,
    PublishError, Publisher, PublisherInfo, Received, Revoked, Stream, Subscriber, TrackError,
};
use media::timeline::Jump;
use media::{AccessUnit, Codec, Dts, Ticks, Timescale, Track, TrackId, Unconfigured};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

fn name() -> media::StreamName {
    media::StreamName::parse("live", "a").unwrap()
}

fn hub() -> Hub {
    Hub::new(Config::default())
}

fn hub_with(change: impl FnOnce(&mut Config)) -> Hub {
    let mut config = Config::default();
    change(&mut config);
    Hub::new(config)
}

fn publish(hub: &Hub, now: Instant) -> Publisher {
    hub.publish(&name(), PublisherInfo::library(), now).unwrap()
}

fn track(id: TrackId, codec: Codec, config: &'static [u8]) -> Track {
    Track {
        id,
        codec,
        timescale: Timescale::MILLIS,
        config: Err(Unconfigured::Missing),
        flv_body: Some(Bytes::from_static(config)),
    }
}

fn add_tracks(publisher: &mut Publisher) {
    publisher.track(track(VIDEO, Codec::H264, b"v1")).unwrap();
    publisher.track(track(AUDIO, Codec::Aac, b"a1")).unwrap();
}

fn key(payload: &'static [u8]) -> AccessUnit {
    AccessUnit::new(VIDEO, Dts(0), Bytes::from_static(payload)).random_access()
}

fn inter() -> AccessUnit {
    AccessUnit::new(VIDEO, Dts(0), Bytes::from_static(b"p"))
}

fn sound() -> AccessUnit {
    AccessUnit::new(AUDIO, Dts(0), Bytes::from_static(b"s")).random_access()
}

/// What a subscriber saw, as text: one word an item.
fn seen(subscriber: &mut Subscriber) -> String {
    let mut words = Vec::new();
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    while let Some(received) = subscriber.try_read(&mut frames) {
        match received {
            Received::Join { headers, missed } => {
                words.push(format!(
                    "join({} tracks, {missed} missed)",
                    headers.tracks.len()
                ));
            }
            Received::Ended => {
                words.push("end".to_owned());
                break;
            }
            _ => {}
        }
        words.extend(frames.drain(..).map(|frame| match &frame.item {
            Item::Unit(unit) => {
                let kind = if unit.track == VIDEO { "v" } else { "a" };
                format!("{kind}{}", unit.dts.0)
            }
            Item::Tracks(tracks) => format!("tracks({})", tracks.len()),
            Item::Data(data) => format!("data({})", data.name),
            Item::Extra(extra) => format!("extra({})", extra.track),
            Item::Discontinuity(Discontinuity::NewSession) => "new-session".to_owned(),
            Item::Discontinuity(Discontinuity::Clock(_)) => "clock".to_owned(),
            _ => "?".to_owned(),
        }));
    }
    words.join(" ")
}

fn stream(publisher: &Publisher) -> Arc<Stream> {
    Arc::clone(publisher.stream())
}

#[test]
fn late_joiner_gets_headers_and_the_current_gop() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher
        .data_at(0, "onMetaData", Bytes::from_static(b"m"), now)
        .unwrap();
    for (ms, unit) in [
        (0, key(b"k")),
        (5, sound()),
        (40, inter()),
        (2_000, key(b"k")),
        (2_040, inter()),
    ] {
        publisher.unit_at(ms, unit, now).unwrap();
    }
    let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
    assert_eq!(
        seen(&mut subscriber),
        "join(2 tracks, 0 missed) v2000 v2040"
    );
    let headers = publisher.stream().headers();
    assert_eq!(headers.metadata.as_ref().unwrap().amf0, "m");
}

#[test]
fn subscriber_before_the_publisher_sees_everything_from_the_first_join_point() {
    let (hub, now) = (hub(), Instant::now());
    let awaited = hub.await_stream(&name()).unwrap();
    let mut subscriber = awaited.subscribe(JoinAt::Newest);
    assert!(hub.stream(&name()).is_none(), "awaited is not live");
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher.unit_at(0, inter(), now).unwrap();
    publisher.unit_at(40, key(b"k"), now).unwrap();
    assert_eq!(seen(&mut subscriber), "join(2 tracks, 0 missed) v40");
}

#[test]
fn subscriber_before_the_publisher_gets_the_sound_before_the_first_picture() {
    let (hub, now) = (hub(), Instant::now());
    let awaited = hub.await_stream(&name()).unwrap();
    let mut subscriber = awaited.subscribe(JoinAt::Newest);
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    for (ms, unit) in [(0, sound()), (23, sound()), (40, key(b"k")), (46, sound())] {
        publisher.unit_at(ms, unit, now).unwrap();
    }
    let early = "join(2 tracks, 0 missed) a0 a23 v40 a46";
    assert_eq!(seen(&mut subscriber), early);
    let mut late = publisher.stream().subscribe(JoinAt::Newest);
    assert_eq!(seen(&mut late), "join(2 tracks, 0 missed) v40 a46");
}

#[test]
fn reconnect_keeps_subscribers_and_tells_one_discontinuity() {
    let (hub, now) = (hub(), Instant::now());
    let mut first = publish(&hub, now);
    add_tracks(&mut first);
    first.unit_at(10_000, key(b"k"), now).unwrap();
    let mut subscriber = first.stream().subscribe(JoinAt::Newest);
    let before = stream(&first);
    first.close(now, CloseCause::Lost("reset".into()));
    assert!(matches!(before.phase(), Phase::Interrupted { .. }));

    let back = now + Duration::from_secs(4);
    let mut second = publish(&hub, back);
    assert!(Arc::ptr_eq(&before, second.stream()));
    add_tracks(&mut second);
    second.unit_at(0, key(b"k"), back).unwrap();
    second.unit_at(3, sound(), back).unwrap();
    assert_eq!(
        seen(&mut subscriber),
        "join(2 tracks, 0 missed) v10000 new-session v14000 a14003",
        "same configuration: no track change is told"
    );
}

#[test]
fn metadata_of_a_new_session_is_placed_where_the_stream_is() {
    let (hub, now) = (hub(), Instant::now());
    let mut first = publish(&hub, now);
    add_tracks(&mut first);
    first.unit_at(100_000, key(b"k"), now).unwrap();
    let mut subscriber = first.stream().subscribe(JoinAt::Newest);
    drop(first);
    let mut second = publish(&hub, now);
    second
        .data_at(0, "onMetaData", Bytes::from_static(b"m"), now)
        .unwrap();
    let mut frames = Vec::new();
    while subscriber.try_read(&mut frames).is_some() {}
    let times: Vec<_> = frames.iter().map(|frame| frame.time_ms).collect();
    assert_eq!(
        times,
        [100_000, 100_000],
        "a time of the old clock would count as ten seconds of lag"
    );
}

#[test]
fn other_configuration_after_a_reconnect_is_told_once() {
    let (hub, now) = (hub(), Instant::now());
    let mut first = publish(&hub, now);
    add_tracks(&mut first);
    first.unit_at(0, key(b"k"), now).unwrap();
    let mut subscriber = first.stream().subscribe(JoinAt::Newest);
    drop(first);
    let mut second = publish(&hub, now);
    second.track(track(VIDEO, Codec::H264, b"v2")).unwrap();
    second.unit_at(0, key(b"k"), now).unwrap();
    assert_eq!(
        seen(&mut subscriber),
        "join(2 tracks, 0 missed) v0 new-session tracks(1) v40",
        "the audio of the first session is gone"
    );
}

#[test]
fn clock_restart_is_told_before_the_unit_that_shows_it() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher.unit_at(60_000, key(b"k"), now).unwrap();
    let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
    publisher.unit_at(0, key(b"k"), now).unwrap();
    assert_eq!(
        seen(&mut subscriber),
        "join(2 tracks, 0 missed) v60000 clock v60040"
    );
    assert_eq!(publisher.stream().stats().timing.restarts, 1);
}

#[test]
fn healthy_owner_stays_and_the_newcomer_is_told_who() {
    let (hub, now) = (hub(), Instant::now());
    let mut owner = publish(&hub, now);
    let later = now + Duration::from_millis(1_900);
    let refused = hub
        .publish(&name(), PublisherInfo::library(), later)
        .unwrap_err();
    assert!(matches!(refused, PublishError::Busy { .. }), "{refused}");
    owner.received(later);
    let later = later + Duration::from_millis(1_900);
    assert!(
        hub.publish(&name(), PublisherInfo::library(), later)
            .is_err()
    );
}

#[test]
fn silent_owner_gives_way_at_once() {
    let (hub, now) = (hub(), Instant::now());
    let mut owner = publish(&hub, now);
    add_tracks(&mut owner);
    owner.unit_at(0, key(b"k"), now).unwrap();
    let mut second = publish(&hub, now + Duration::from_secs(2));
    assert_eq!(owner.unit_at(40, inter(), now), Err(Revoked::Replaced));
    owner.close(now, CloseCause::Lost("late".into()));
    add_tracks(&mut second);
    second.unit_at(0, key(b"k"), now).unwrap();
    assert_eq!(
        second.stream().phase(),
        Phase::Live,
        "the old owner's end does not touch the new one"
    );
}

#[test]
fn replace_takes_over_from_a_healthy_owner() {
    let hub = hub_with(|config| config.on_conflict = OnConflict::Replace);
    let now = Instant::now();
    let owner = publish(&hub, now);
    let _second = publish(&hub, now);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(
        owner.poll_revoked(&mut cx),
        std::task::Poll::Ready(Revoked::Replaced)
    );
}

#[test]
fn lost_publisher_has_the_window_and_a_finished_one_the_grace() {
    for (cause, seconds) in [
        (CloseCause::Lost("reset".into()), 60),
        (CloseCause::Finished, 7),
    ] {
        let (hub, now) = (hub(), Instant::now());
        let mut publisher = publish(&hub, now);
        add_tracks(&mut publisher);
        publisher.unit_at(0, key(b"k"), now).unwrap();
        let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
        publisher.close(now, cause);
        hub.tick(now + Duration::from_secs(seconds) - Duration::from_millis(1));
        assert!(hub.stream(&name()).is_some());
        hub.tick(now + Duration::from_secs(seconds));
        assert!(hub.stream(&name()).is_none());
        assert_eq!(seen(&mut subscriber), "join(2 tracks, 0 missed) v0 end");
    }
}

#[test]
fn dropped_publisher_counts_as_lost_from_the_next_tick_on() {
    let (hub, now) = (hub(), Instant::now());
    drop(publish(&hub, now));
    hub.tick(now + Duration::from_secs(100));
    assert!(
        hub.stream(&name()).is_some(),
        "nobody knows when it was dropped: the window starts now"
    );
    hub.tick(now + Duration::from_secs(160));
    assert!(hub.stream(&name()).is_none());
}

#[test]
fn awaited_streams_are_bounded_and_forgotten() {
    let hub = hub_with(|config| config.max_awaited = 1);
    let awaited = hub.await_stream(&name()).unwrap();
    assert!(
        hub.await_stream(&media::StreamName::parse("live", "b").unwrap())
            .is_none()
    );
    drop(awaited);
    hub.tick(Instant::now());
    assert!(
        hub.await_stream(&media::StreamName::parse("live", "b").unwrap())
            .is_some()
    );
}

#[test]
fn limits_of_streams_and_tracks_hold() {
    let hub = hub_with(|config| {
        config.max_streams = 1;
        config.max_tracks = 2;
    });
    let now = Instant::now();
    let mut publisher = publish(&hub, now);
    let other = media::StreamName::parse("live", "b").unwrap();
    let refused = hub
        .publish(&other, PublisherInfo::library(), now)
        .unwrap_err();
    assert!(
        matches!(refused, PublishError::TooManyStreams { max: 1 }),
        "{refused}"
    );
    add_tracks(&mut publisher);
    let third = publisher.track(track(TrackId(3), Codec::Aac, b"a2"));
    assert_eq!(
        third,
        Err(TrackError::TooMany {
            id: TrackId(3),
            max: 2
        })
    );
}

#[test]
fn audio_only_is_joined_each_second_and_video_that_never_comes_is_not_waited_for() {
    for announced_video in [false, true] {
        let (hub, now) = (hub(), Instant::now());
        let mut publisher = publish(&hub, now);
        if announced_video {
            publisher.track(track(VIDEO, Codec::H264, b"v1")).unwrap();
        }
        publisher.track(track(AUDIO, Codec::Aac, b"a1")).unwrap();
        for step in 0..300u32 {
            let now = now + Duration::from_millis(u64::from(step) * 20);
            publisher.unit_at(step * 20, sound(), now).unwrap();
        }
        let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
        let words = seen(&mut subscriber);
        assert!(
            words.starts_with("join("),
            "video announced: {announced_video}: {words}"
        );
        assert!(words.matches(" a").count() <= 51, "{words}");
    }
}

#[test]
fn library_times_are_kept_in_their_timescale() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    let mut video = track(VIDEO, Codec::H264, b"v1");
    video.timescale = Timescale::NINETY_KHZ;
    publisher.track(video).unwrap();
    let mut subscriber = publisher.stream().subscribe(JoinAt::Next);
    for dts in [900_001, 903_004] {
        let unit = AccessUnit::new(VIDEO, Dts(dts), Bytes::from_static(b"k")).random_access();
        publisher.unit(unit, now).unwrap();
    }
    assert_eq!(
        seen(&mut subscriber),
        "join(1 tracks, 0 missed) v900001 v903004"
    );
}

#[test]
fn gap_that_the_wall_confirms_keeps_its_length() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher.unit_at(0, key(b"k"), now).unwrap();
    let mut frames = Vec::new();
    let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
    assert_eq!(seen(&mut subscriber), "join(2 tracks, 0 missed) v0");
    publisher
        .unit_at(30_000, key(b"k"), now + Duration::from_secs(30))
        .unwrap();
    while subscriber.try_read(&mut frames).is_some() {}
    let jump = frames.iter().find_map(|frame| match frame.item {
        Item::Discontinuity(Discontinuity::Clock(jump)) => Some(jump),
        _ => None,
    });
    assert_eq!(
        jump,
        Some(Jump::Gap {
            length: Ticks(30_000)
        })
    );
}

#[test]
fn viewers_are_listed_counted_and_sent_away() {
    let (hub, now) = (hub(), Instant::now());
    let publisher = publish(&hub, now);
    let viewers = Arc::clone(publisher.stream().viewers());
    let info = hub::ViewerInfo {
        protocol: "rtmp",
        peer: None,
        client: "".into(),
        since: now,
    };
    let one = viewers.add(info.clone());
    let two = viewers.add(info);
    one.bytes_out
        .fetch_add(5, std::sync::atomic::Ordering::Relaxed);
    viewers.get(two.id).unwrap().drop_with("operator");
    assert_eq!(two.drop_reason().as_deref(), Some("operator"));
    drop(one);
    assert_eq!(
        (viewers.count(), viewers.most(), viewers.bytes_out()),
        (1, 2, 5)
    );
}

#[test]
fn drain_ends_everything_and_lets_nobody_in() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
    hub.drain(now);
    assert_eq!(publisher.unit_at(0, key(b"k"), now), Err(Revoked::Draining));
    assert_eq!(seen(&mut subscriber), "end");
    assert!(matches!(
        hub.publish(&name(), PublisherInfo::library(), now),
        Err(PublishError::Draining)
    ));
}

#[test]
fn events_tell_a_streams_life_in_order() {
    let (hub, now) = (hub(), Instant::now());
    let mut events = hub.events();
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher
        .unit_at(0, key(b"k"), now + Duration::from_millis(212))
        .unwrap();
    publisher.close(
        now + Duration::from_secs(9),
        CloseCause::Lost("reset".into()),
    );
    let again = publish(&hub, now + Duration::from_secs(13));
    drop(again);
    hub.drain(now + Duration::from_secs(20));
    let mut words = Vec::new();
    let mut future = Box::pin(async {
        while let Some(event) = events.next().await {
            words.push(match event {
                Event::PublishStarted { .. } => "started".to_owned(),
                Event::Tracks {
                    first_unit_after, ..
                } => format!("tracks {first_unit_after:?}"),
                Event::PublisherLost { after, window, .. } => format!("lost {after:?} {window:?}"),
                Event::PublisherBack { away, .. } => format!("back {away:?}"),
                Event::StreamEnded(ended) => {
                    format!("ended {:?} gaps {}", ended.duration, ended.gaps)
                }
                _ => "?".to_owned(),
            });
        }
    });
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_ready());
    drop(future);
    assert_eq!(
        words,
        [
            "started",
            "tracks 212ms",
            "lost 9s 60s",
            "back 4s",
            "lost 0ns 60s",
            "ended 20s gaps 1"
        ]
    );
}

fn extra(track: TrackId, body: &'static [u8]) -> media::Extra {
    media::Extra {
        track,
        flv_body: Bytes::from_static(body),
    }
}

fn kept(stream: &Stream) -> Vec<Bytes> {
    let headers = stream.headers();
    let bodies = headers.extras.iter().map(|extra| extra.flv_body.clone());
    bodies.collect()
}

#[test]
fn extra_comes_behind_its_configuration_and_is_kept_as_long_as_that() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    let stream = stream(&publisher);
    let mut subscriber = stream.subscribe(JoinAt::Newest);
    publisher
        .extra_at(0, extra(VIDEO, b"unknown"), now)
        .unwrap();
    add_tracks(&mut publisher);
    publisher.extra_at(0, extra(VIDEO, b"hdr1"), now).unwrap();
    publisher.extra_at(0, extra(VIDEO, b"hdr2"), now).unwrap();
    publisher.unit_at(0, key(b"k"), now).unwrap();
    assert_eq!(seen(&mut subscriber), "join(2 tracks, 0 missed) v0");
    assert_eq!(kept(&stream), [&b"hdr2"[..]]);
    publisher.extra_at(40, extra(VIDEO, b"hdr3"), now).unwrap();
    publisher.extra_at(40, extra(AUDIO, b"5.1"), now).unwrap();
    assert_eq!(seen(&mut subscriber), "extra(0) extra(1)");
    assert_eq!(kept(&stream), [&b"hdr3"[..], b"5.1"]);
    // A repeated configuration changes nothing, another one does.
    add_tracks(&mut publisher);
    assert_eq!(kept(&stream), [&b"hdr3"[..], b"5.1"]);
    publisher.track(track(VIDEO, Codec::H264, b"v2")).unwrap();
    publisher.extra_at(80, extra(VIDEO, b"hdr4"), now).unwrap();
    publisher.unit_at(80, key(b"k"), now).unwrap();
    assert_eq!(seen(&mut subscriber), "tracks(2) extra(0) v80");
    assert_eq!(kept(&stream), [&b"5.1"[..], b"hdr4"]);
    publisher.track(track(VIDEO, Codec::H264, b"v3")).unwrap();
    publisher.unit_at(120, key(b"k"), now).unwrap();
    assert_eq!(kept(&stream), [&b"5.1"[..]]);
    // What is long is passed on and not kept.
    static LONG: [u8; 20_000] = [0; 20_000];
    publisher.extra_at(160, extra(AUDIO, &LONG), now).unwrap();
    assert_eq!(kept(&stream), [&b""[..]; 0]);
    assert_eq!(seen(&mut subscriber), "tracks(2) v120 extra(1)");
    drop(publisher);
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher.unit_at(0, key(b"k"), now).unwrap();
    assert!(kept(&stream).is_empty());
}

/// Audio a minute ahead of the video is relayed as it is: the bounds in time follow the video.
#[test]
fn track_far_ahead_of_another_makes_nobody_fall_out() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    publisher.unit_at(0, key(b"k"), now).unwrap();
    let mut subscriber = publisher.stream().subscribe(JoinAt::Newest);
    for step in 1..100u32 {
        publisher.unit_at(60_000 + step * 40, sound(), now).unwrap();
        publisher.unit_at(step * 40, inter(), now).unwrap();
    }
    let words = seen(&mut subscriber);
    assert!(
        words.starts_with("join(2 tracks, 0 missed) v0 a60040 v40"),
        "{words}"
    );
    assert_eq!(words.matches(" a").count(), 99, "{words}");
}

#[test]
fn rates_are_of_the_time_between_two_ticks() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    add_tracks(&mut publisher);
    for step in 0..50u32 {
        publisher.unit_at(step * 40, inter(), now).unwrap();
    }
    hub.tick(now);
    for step in 50..75u32 {
        publisher.unit_at(step * 40, inter(), now).unwrap();
    }
    hub.tick(now + Duration::from_secs(1));
    let stats = publisher.stream().stats();
    assert_eq!(stats.tracks[0].rate_milli, 25_000);
    assert_eq!(stats.bitrate_bps, 25 * 8);
}

#[test]
fn description_of_an_earlier_session_is_not_given_to_late_joiners() {
    let (hub, now) = (hub(), Instant::now());
    let mut first = publish(&hub, now);
    add_tracks(&mut first);
    first
        .data_at(0, "onMetaData", Bytes::from_static(b"m"), now)
        .unwrap();
    first.unit_at(0, key(b"k"), now).unwrap();
    drop(first);
    let mut second = publish(&hub, now);
    add_tracks(&mut second);
    second.unit_at(0, key(b"k"), now).unwrap();
    assert!(second.stream().headers().metadata.is_none());
}

#[test]
fn nothing_is_awaited_once_the_hub_drains() {
    let hub = hub();
    hub.drain(Instant::now());
    assert!(
        hub.await_stream(&name()).is_none(),
        "its end would never come"
    );
}

/// VP9 has its picture size in its key frames, not in its record.
#[test]
fn a_picture_size_that_follows_is_a_change_and_stays() {
    let vp9 = |width| {
        let record = [1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0];
        let mut config = media::CodecConfig::parse(Codec::Vp9, &record).unwrap();
        if let media::CodecConfig::Vp9(config) = &mut config {
            (config.params.width, config.params.height) = (width, width / 2);
        }
        Track::new(VIDEO, Timescale::MILLIS, config)
    };
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    let mut subscriber = stream(&publisher).subscribe(JoinAt::Newest);
    publisher.track(vp9(0)).unwrap();
    publisher.track(track(AUDIO, Codec::Aac, b"a1")).unwrap();
    publisher.unit_at(0, sound(), now).unwrap();
    publisher.track(vp9(320)).unwrap();
    publisher.unit_at(10, key(b"k"), now).unwrap();
    let lists = |seen: &str| seen.matches("tracks(2)").count();
    let first = seen(&mut subscriber);
    assert!(first.starts_with("join(2 tracks"), "{first}");
    assert_eq!(lists(&first), 1, "{first}");
    // A record without size again, as a publisher that comes back sends it.
    publisher.track(vp9(0)).unwrap();
    publisher.unit_at(20, sound(), now).unwrap();
    publisher.track(vp9(320)).unwrap();
    publisher.unit_at(30, key(b"k"), now).unwrap();
    let again = seen(&mut subscriber);
    assert_eq!(lists(&again), 0, "{again}");
    publisher.track(vp9(640)).unwrap();
    publisher.unit_at(40, key(b"k"), now).unwrap();
    assert_eq!(lists(&seen(&mut subscriber)), 1);
}

#[test]
fn a_publisher_that_was_sent_away_and_dropped_was_not_lost() {
    let (hub, now) = (hub(), Instant::now());
    let mut publisher = publish(&hub, now);
    publisher.unit_at(0, key(b"k"), now).unwrap();
    let stream = Arc::clone(publisher.stream());
    assert!(stream.drop_publisher("enough"));
    drop(publisher);
    let Phase::Interrupted { cause, .. } = stream.phase() else {
        panic!("{:?}", stream.phase());
    };
    assert_eq!(
        cause,
        CloseCause::Revoked(Revoked::Dropped("enough".into()))
    );
}

#[test]
fn what_followed_the_publish_url_is_not_shown() {
    let mut info = PublisherInfo::library();
    info.query = "txSecret=s3cret".into();
    let shown = format!("{info:?}");
    assert!(
        !shown.contains("s3cret") && shown.contains("****"),
        "{shown}"
    );
}
