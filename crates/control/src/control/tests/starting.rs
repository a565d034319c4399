use super::*;
use crate::event::EventKind as Kind;

#[tokio::test]
async fn c1_a_second_start_is_refused_with_the_channel_and_a_later_one_has_its_id() {
    let bench = bench(|_| {}).await;
    let first = bench.start("anchor_7").await.unwrap();
    assert_eq!(
        (first.effect, first.channel.state),
        (StartEffect::Started, ChannelState::Pending)
    );
    assert_eq!(
        first.channel.stream,
        format!("live/8888_{}", code("anchor_7"))
    );

    let error = bench.start("anchor_7").await.unwrap_err();
    assert_eq!(error.reason.code(), 40000415);
    assert_eq!(error.existing.unwrap().id, first.channel.id);
    let again = Start {
        if_exists: IfExists::Return,
        ..start("anchor_7")
    };
    let again = bench.control.start(again).await.unwrap();
    assert_eq!(
        (again.effect, again.channel.id),
        (StartEffect::AlreadyLive, first.channel.id)
    );

    let stopped = bench
        .control
        .stop(stop(vec![first.channel.id]))
        .await
        .unwrap();
    assert_eq!(stopped[0].effect, StopEffect::Stopped);
    // Inside the hour: the same id and stream. After it: another id.
    bench.after(Duration::from_secs(3_500)).await;
    let second = bench.start("anchor_7").await.unwrap();
    assert_eq!(second.effect, StartEffect::Resumed);
    assert_eq!(
        (second.channel.id, &second.channel.stream),
        (first.channel.id, &first.channel.stream)
    );
    bench
        .control
        .stop(stop(vec![first.channel.id]))
        .await
        .unwrap();
    bench.after(Duration::from_secs(3_601)).await;
    let third = bench.start("anchor_7").await.unwrap();
    assert_eq!(third.effect, StartEffect::Started);
    assert_ne!(third.channel.id, first.channel.id);
    assert_eq!(third.channel.stream, first.channel.stream);
}

#[tokio::test]
async fn of_ten_identical_starts_at_once_one_makes_a_channel() {
    let bench = bench(|_| {}).await;
    let starts = (0..10).map(|_| {
        let control = bench.control.clone();
        tokio::spawn(async move { control.start(start("anchor_7")).await })
    });
    let mut ids = Vec::new();
    let mut made = 0;
    for one in starts.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(started) => {
                made += 1;
                ids.push(started.channel.id);
            }
            Err(error) => {
                assert_eq!(error.reason, Reason::ChannelExists);
                ids.push(error.existing.unwrap().id);
            }
        }
    }
    assert_eq!((made, ids.len()), (1, 10));
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_user_has_one_channel_or_one_for_each_source_as_the_policy_says() {
    let strict = bench(|_| {}).await;
    strict.start("anchor_7").await.unwrap();
    let aux = || Start {
        source: Source::Aux,
        ..start("anchor_7")
    };
    let error = strict.control.start(aux()).await.unwrap_err();
    assert_eq!(error.reason, Reason::ChannelExists);
    let wide = bench(|settings| settings.policy.uniqueness = Uniqueness::UserSource).await;
    let main = wide.start("anchor_7").await.unwrap();
    let aux = wide.control.start(aux()).await.unwrap();
    assert_ne!(main.channel.stream, aux.channel.stream);
}

#[tokio::test]
async fn a_channel_waits_is_served_is_interrupted_comes_back_and_ends() {
    let bench = bench(|_| {}).await;
    let id = bench.start("anchor_7").await.unwrap().channel.id;
    let stream = bench.publish("anchor_7").await;
    bench.until(id, ChannelState::Live).await;
    assert!(bench.plane.last(&stream).unwrap().serve);
    bench.lose(&stream, 3).await;
    bench.until(id, ChannelState::Interrupted).await;
    bench.after(Duration::from_secs(59)).await;
    bench.publish("anchor_7").await;
    bench.until(id, ChannelState::Live).await;
    bench.lose(&stream, 3).await;
    bench.after(Duration::from_secs(61)).await;
    bench.until(id, ChannelState::Ended).await;
    let of_channel: Vec<Kind> = bench
        .kinds()
        .await
        .into_iter()
        .filter(|kind| kind.matches("channel.*"))
        .collect();
    assert_eq!(
        of_channel,
        [
            Kind::ChannelPending,
            Kind::ChannelStarted,
            Kind::ChannelInterrupted,
            Kind::ChannelResumed,
            Kind::ChannelInterrupted,
            Kind::ChannelEnded,
        ]
    );
    let events = bench.events().await;
    let started = events
        .iter()
        .find(|event| event.kind == Kind::ChannelStarted)
        .unwrap();
    let lost = events
        .iter()
        .find(|event| event.kind == Kind::ChannelInterrupted)
        .unwrap();
    // The start and the end of one push carry the same number.
    assert_eq!(
        field(started, "push_sequence"),
        field(lost, "push_sequence")
    );
    assert_eq!(field(lost, "errcode"), 3);
    assert_eq!(field(lost, "peer"), "198.51.100.9");
    let ended = events
        .iter()
        .find(|event| event.kind == Kind::ChannelEnded)
        .unwrap();
    assert_eq!(field(ended, "publishing"), false);
    bench.until_not_served(&stream).await;
}

impl Bench {
    async fn until_not_served(&self, stream: &str) {
        let gone = async {
            while self.plane.last(stream).is_none_or(|told| told.serve) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone)
            .await
            .expect("it is no longer served");
    }
}

#[tokio::test]
async fn c2_under_automatic_bypass_a_publish_is_a_channel_start_finds_urls_and_stop_does_nothing() {
    let bench = bench(|settings| settings.policy.auto_bypass.enabled = true).await;
    let stream = bench.publish("anchor_7").await;
    let found = bench.start("anchor_7").await.unwrap();
    assert_eq!(
        (found.effect, found.channel.origin),
        (StartEffect::UrlsOnly, Origin::Auto)
    );
    let id = found.channel.id;
    bench.until(id, ChannelState::Live).await;
    let stopped = bench.control.stop(stop(vec![id])).await.unwrap();
    assert_eq!(stopped[0].effect, StopEffect::IgnoredAuto);
    assert_eq!(stopped[0].effect.reason().unwrap().code(), 40000456);
    assert_eq!(bench.state(id).await, ChannelState::Live);
    assert!(bench.plane.last(&stream).unwrap().serve);
    // Turning the policy off ends it.
    let patch = serde_json::json!({"auto_bypass": {"enabled": false}});
    bench
        .control
        .update_policy(None, patch, None)
        .await
        .unwrap();
    bench.until(id, ChannelState::Ended).await;
}

#[tokio::test]
async fn a_start_before_the_publish_finds_the_urls_of_automatic_bypass() {
    let bench = bench(|settings| settings.policy.auto_bypass.enabled = true).await;
    let found = bench.start("anchor_7").await.unwrap();
    assert_eq!(
        (found.effect, found.channel.state),
        (StartEffect::UrlsOnly, ChannelState::Pending)
    );
    bench.publish("anchor_7").await;
    bench.until(found.channel.id, ChannelState::Live).await;
}

#[tokio::test]
async fn what_a_batch_stop_did_is_said_of_each() {
    let bench = bench(|_| {}).await;
    let one = bench.start("anchor_1").await.unwrap().channel.id;
    let two = bench.start("anchor_2").await.unwrap().channel.id;
    bench.control.stop_channel(two).await.unwrap();
    let elsewhere = Start {
        place: Place {
            room_id: "9".to_owned(),
            ..Place::default()
        },
        ..start("anchor_3")
    };
    let three = bench.control.start(elsewhere).await.unwrap().channel.id;
    let unknown: ChannelId = "-2353318346053049378".parse().unwrap();
    let results = bench
        .control
        .stop(stop(vec![one, two, three, unknown]))
        .await
        .unwrap();
    let effects: Vec<_> = results
        .iter()
        .map(|one| (one.id, one.effect.as_str()))
        .collect();
    assert_eq!(
        effects,
        [
            (one, "stopped"),
            (two, "already_stopped"),
            (three, "not_in_room"),
            (unknown, "not_found")
        ]
    );
    assert!(results[2].channel.is_none());
    let by_user = Stop {
        user_id: Some("anchor_3".to_owned()),
        ..stop(vec![])
    };
    assert!(
        bench
            .control
            .stop(by_user.clone())
            .await
            .unwrap()
            .is_empty()
    );
    let there = Stop {
        place: Place {
            room_id: "9".to_owned(),
            ..Place::default()
        },
        ..by_user
    };
    assert_eq!(
        bench.control.stop(there).await.unwrap()[0].effect,
        StopEffect::Stopped
    );
}

#[tokio::test]
async fn c6_room_zero_is_refused_unless_its_group_leads_to_a_room() {
    let bench = bench(|_| {}).await;
    let of_group = |relation| Start {
        place: Place {
            room_id: "0".to_owned(),
            relation_id: relation,
            app_id: None,
        },
        ..start("anchor_7")
    };
    for relation in [None, Some(0), Some(15_000)] {
        let error = bench.control.start(of_group(relation)).await.unwrap_err();
        assert_eq!(error.reason.code(), 40000007, "{relation:?}");
    }
    let put = RoomPut {
        app_id: None,
        room_id: "8001".to_owned(),
        kind: RoomKind::Group,
        relation_id: Some(15_000),
    };
    bench.control.put_room(put, None).await.unwrap();
    let started = bench.control.start(of_group(Some(15_000))).await.unwrap();
    assert_eq!(started.channel.room_id, "8001");
}

#[tokio::test]
async fn starts_that_cannot_be_say_why() {
    let bench = bench(|settings| settings.policy.max_channels = 2).await;
    let refused = async |request: Start| bench.control.start(request).await.unwrap_err().reason;
    let immediate = Start {
        start_when: StartWhen::Immediate,
        ..start("a")
    };
    assert_eq!(refused(immediate).await, Reason::NotPublishing);
    let strict = Start {
        must_be_in_room: true,
        ..start("a")
    };
    assert_eq!(refused(strict).await, Reason::RoomNotFound);
    assert_eq!(refused(start("")).await, Reason::UserInvalid);
    assert_eq!(refused(start("a\0b")).await, Reason::UserInvalid);
    let other_app = Start {
        place: Place {
            app_id: Some("7".to_owned()),
            ..start("a").place
        },
        ..start("a")
    };
    assert_eq!(refused(other_app).await, Reason::AppUnknown);
    let mut long = start("a");
    long.spec.name = "x".repeat(257);
    assert_eq!(refused(long).await, Reason::FieldInvalid);
    let mut target = start("a");
    target.targets = vec![NewTarget {
        url: "http://h/x".to_owned(),
        name: String::new(),
        on_fail: OnFail::Retry,
    }];
    assert_eq!(refused(target).await, Reason::TargetUrlInvalid);

    let id = bench.start("a").await.unwrap().channel.id;
    bench.control.stop_channel(id).await.unwrap();
    assert_eq!(refused(start("a")).await, Reason::RateLimited);
    bench.start("b").await.unwrap();
    bench.start("c").await.unwrap();
    assert_eq!(refused(start("d")).await, Reason::QuotaChannels);
    // Told once a minute, however often it is asked for.
    assert_eq!(refused(start("d")).await, Reason::QuotaChannels);
    let told = async || {
        let events = bench.events().await.into_iter();
        let told = events.filter(|event| event.kind == EventKind::QuotaExceeded);
        told.collect::<Vec<_>>()
    };
    let [event] = &told().await[..] else {
        panic!("{:?}", told().await);
    };
    assert_eq!(event.subject.user_id.as_deref(), Some("d"));
    assert_eq!(event.data["limit"], "max_channels");
    bench.hands.advance(Duration::from_secs(60));
    assert_eq!(refused(start("d")).await, Reason::QuotaChannels);
    assert_eq!(told().await.len(), 2);

    let app = bench.control.settings().app_id.clone();
    bench
        .control
        .set_app(app.clone(), false, false)
        .await
        .unwrap();
    assert_eq!(refused(start("e")).await, Reason::ServiceNotEnabled);
    bench.control.set_app(app, true, true).await.unwrap();
    assert_eq!(refused(start("e")).await, Reason::AccountArrears);
}

#[tokio::test]
async fn who_left_the_room_has_no_channel_there() {
    let bench = bench(|_| {}).await;
    let id = bench.start("anchor_7").await.unwrap().channel.id;
    let (room, user) = ("8001".to_owned(), "anchor_7".to_owned());
    bench
        .control
        .leave(None, room.clone(), user.clone())
        .await
        .unwrap();
    assert_eq!(bench.state(id).await, ChannelState::Ended);
    bench.hands.advance(Duration::from_secs(10));
    assert_eq!(
        bench.start("anchor_7").await.unwrap_err().reason,
        Reason::UserNotInRoom
    );
    bench.control.join(None, room.clone(), user).await.unwrap();
    bench.start("anchor_7").await.unwrap();
    bench.control.close_room(None, room).await.unwrap();
    assert_eq!(
        bench.start("anchor_7").await.unwrap_err().reason,
        Reason::RoomClosed
    );
}

#[tokio::test]
async fn a_forbidden_stream_is_not_served_not_started_and_shown_as_such() {
    let bench = bench(|_| {}).await;
    let id = bench.start("anchor_7").await.unwrap().channel.id;
    let stream = bench.publish("anchor_7").await;
    bench.until(id, ChannelState::Live).await;
    let code = stream.trim_start_matches("live/").to_owned();
    let day = Duration::from_hours(24);
    let too_long = bench.control.now().plus(91 * day);
    let error = bench
        .control
        .forbid_stream(code.clone(), Some(too_long), None)
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::FieldInvalid);
    let until = bench.control.now().plus(day);
    let done = bench
        .control
        .forbid_stream(code.clone(), Some(until), None)
        .await
        .unwrap();
    assert!(done.dropped);
    assert_eq!(done.stream.state, Some(ChannelState::Forbidden));
    assert_eq!(*bench.plane.dropped.lock().unwrap(), vec![stream.clone()]);
    bench.until_not_served(&stream).await;
    assert_eq!(bench.state(id).await, ChannelState::Forbidden);
    let by_state = ChannelFilter {
        state: Some(ChannelState::Forbidden),
        ..ChannelFilter::default()
    };
    let page = bench
        .control
        .channels(by_state, Page::default())
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(
        bench.start("anchor_7").await.unwrap_err().reason,
        Reason::StreamForbidden
    );
    bench.control.resume_stream(code).await.unwrap();
    assert_eq!(bench.state(id).await, ChannelState::Live);
}

#[tokio::test]
async fn what_the_media_side_does_not_take_is_stated_again() {
    let bench = bench(|settings| settings.policy.start_retry_s = 1).await;
    *bench.plane.refuses.lock().unwrap() = true;
    let id = bench.start("anchor_7").await.unwrap().channel.id;
    bench.publish("anchor_7").await;
    bench.until(id, ChannelState::Starting).await;
    *bench.plane.refuses.lock().unwrap() = false;
    bench.until(id, ChannelState::Live).await;
}

#[tokio::test]
async fn a_change_meant_for_another_version_is_refused() {
    let bench = bench(|_| {}).await;
    let channel = bench.start("anchor_7").await.unwrap().channel;
    let rename = |name: &str| ChannelChange {
        name: Some(name.to_owned()),
        ..ChannelChange::default()
    };
    let expect = |version, sequence| Expect { version, sequence };
    let change = async |name: &str, expect| {
        bench
            .control
            .update_channel(channel.id, rename(name), expect)
            .await
    };
    let changed = change("one", expect(Some(channel.version), None))
        .await
        .unwrap();
    assert_eq!(
        (changed.channel.spec.name.as_str(), changed.channel.version),
        ("one", channel.version + 1)
    );
    let error = change("two", expect(Some(channel.version), None))
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::VersionConflict);
    change("three", expect(None, Some(7))).await.unwrap();
    assert_eq!(
        change("four", expect(None, Some(7)))
            .await
            .unwrap_err()
            .reason,
        Reason::VersionConflict
    );
    change("five", expect(None, Some(8))).await.unwrap();
}

#[tokio::test]
async fn an_idempotency_key_answers_again_and_belongs_to_one_request() {
    let bench = bench(|_| {}).await;
    let take = async |print: &[u8]| {
        bench
            .control
            .idempotent("key_1".to_owned(), "6f0b".to_owned(), print.to_vec())
            .await
    };
    assert_eq!(take(b"a").await.unwrap(), Idempotency::New);
    assert_eq!(
        take(b"a").await.unwrap_err().reason,
        Reason::IdempotentInProgress
    );
    let answer = StoredAnswer {
        status: 201,
        head: "{}".to_owned(),
        body: b"x".to_vec(),
    };
    let scope = ("key_1".to_owned(), "6f0b".to_owned());
    bench
        .control
        .idempotent_answer(scope.0, scope.1, answer.clone())
        .await
        .unwrap();
    assert_eq!(take(b"a").await.unwrap(), Idempotency::Replay(answer));
    assert_eq!(
        take(b"b").await.unwrap_err().reason,
        Reason::IdempotencyKeyReused
    );
    bench.hands.advance(Duration::from_hours(25));
    assert_eq!(take(b"b").await.unwrap(), Idempotency::New);
}

#[tokio::test]
async fn rules_win_in_the_order_of_how_much_they_say() {
    let bench = bench(|settings| settings.policy.auto_record.enabled = true).await;
    let template = |formats: &[Format]| RecordTemplate {
        formats: formats.to_vec(),
        media: Media::Av,
        segment_s: 600,
        hls_resume_s: 0,
    };
    for (name, formats) in [
        ("flv", &[Format::Flv][..]),
        ("hls", &[Format::Hls]),
        ("mp4", &[Format::Mp4]),
        ("none", &[]),
    ] {
        bench
            .control
            .put_record_template(name.to_owned(), template(formats))
            .await
            .unwrap();
    }
    let app = bench.control.settings().app_id.clone();
    let rule = |name: &str, app_id: Option<&str>, stream: Option<&str>, template: &str| Rule {
        name: name.to_owned(),
        app_id: app_id.map(str::to_owned),
        stream_id: stream.map(str::to_owned),
        template: Some(template.to_owned()),
        bypass: None,
    };
    let formats = async || {
        let policy = bench
            .control
            .policy_of_stream(None, "live/s".to_owned())
            .await
            .unwrap();
        (policy.auto_record.enabled, policy.auto_record.formats)
    };
    bench
        .control
        .put_rule(rule("a", None, None, "flv"))
        .await
        .unwrap();
    assert_eq!(formats().await, (true, vec![Format::Flv]));
    bench
        .control
        .put_rule(rule("b", Some(&app), None, "hls"))
        .await
        .unwrap();
    assert_eq!(formats().await, (true, vec![Format::Hls]));
    bench
        .control
        .put_rule(rule("c", None, Some("s"), "mp4"))
        .await
        .unwrap();
    assert_eq!(formats().await, (true, vec![Format::Mp4]));
    bench
        .control
        .put_rule(rule("d", Some(&app), Some("s"), "none"))
        .await
        .unwrap();
    assert_eq!(formats().await, (false, vec![]));
    let other = bench
        .control
        .policy_of_stream(None, "live/t".to_owned())
        .await
        .unwrap();
    assert_eq!(other.auto_record.formats, [Format::Hls]);
    let error = bench
        .control
        .put_rule(rule("e", None, None, "gone"))
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::FieldInvalid);
}
