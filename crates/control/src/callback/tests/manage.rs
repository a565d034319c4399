//! Making, changing and asking.

use super::receiver::Act;
use super::*;
use crate::error::Reason;

#[tokio::test]
async fn all_that_is_wrong_with_an_endpoint_is_said_at_once() {
    let relay = Relay::start();
    let request = NewWebhook {
        types: vec![
            "channel.*".to_owned(),
            "chanel.*".to_owned(),
            "recording".to_owned(),
        ],
        secret: Some("no spaces please".to_owned()),
        timeout: Some(Duration::from_secs(61)),
        max_age: Some(MaxAge::After(Duration::from_secs(1))),
        ..NewWebhook::new("ftp://example.org")
    };
    let error = relay.callbacks.create(request).await.unwrap_err();
    assert_eq!(error.reason, Reason::FieldInvalid);
    let pointers: Vec<_> = error
        .fields
        .iter()
        .map(|field| field.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/url",
            "/types/1",
            "/types/2",
            "/secret",
            "/timeout_s",
            "/max_age"
        ]
    );
    assert!(!error.to_string().contains("no spaces please"));
    assert_eq!(relay.callbacks.webhooks().await.unwrap(), []);
}

#[tokio::test]
async fn a_private_address_is_refused_by_its_own_reason_unless_allowed() {
    let relay = Relay::start();
    relay
        .callbacks
        .configure(Settings {
            allow_private: false,
            ..settings()
        })
        .unwrap();
    let error = relay
        .callbacks
        .create(NewWebhook::new("http://10.0.0.1/cb"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.reason, error.reason.code()),
        (Reason::CallbackUrlForbidden, 40_000_056)
    );
}

#[tokio::test]
async fn an_endpoint_gets_what_it_asked_for_and_nothing_else() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let request = NewWebhook {
        types: vec!["recording.*".to_owned(), "channel.started".to_owned()],
        scope: Scope {
            app: Some("live".to_owned()),
            room_id: Some("8001".to_owned()),
            app_id: None,
        },
        ..NewWebhook::new(receiver.url())
    };
    let id = relay.callbacks.create(request).await.unwrap().0.id;
    for kind in [
        EventKind::ChannelStarted,
        EventKind::ChannelEnded,
        EventKind::RecordingFileCompleted,
    ] {
        relay.happen("a", kind).await;
    }
    for (stream, room) in [("live/a", "8002"), ("other/a", "8001")] {
        let mut event = about("a", EventKind::ChannelStarted);
        event.subject.stream = Some(stream.to_owned());
        event.subject.room_id = Some(room.to_owned());
        relay.store.write(move |tx| tx.event(event)).await.unwrap();
    }
    relay.until(id, DeliveryState::Delivered, 2).await;
    let kinds: Vec<_> = receiver
        .got()
        .iter()
        .map(|got| got.json()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["channel.started", "recording.file.completed"]);
    assert_eq!(
        relay
            .callbacks
            .deliveries(id, None, page(10))
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn a_call_that_fails_leaves_neither_event_nor_callback() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let event = about("a", EventKind::ChannelStarted);
    let job = relay.store.write(move |tx| {
        tx.event(event)?;
        Err::<(), _>(Error::new(Reason::ChannelExists, "no"))
    });
    job.await.unwrap_err();
    assert_eq!(
        relay
            .callbacks
            .deliveries(id, None, page(10))
            .await
            .unwrap()
            .items,
        []
    );
}

#[tokio::test]
async fn a_replaced_secret_signs_on_for_a_day_beside_the_new_one() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let (webhook, drawn) = relay
        .callbacks
        .create(NewWebhook::new(receiver.url()))
        .await
        .unwrap();
    let old = drawn.expect("a drawn secret is shown once");
    let (changed, new) = relay
        .callbacks
        .rotate_secret(webhook.id, None)
        .await
        .unwrap();
    assert_eq!(changed.version, 2);
    relay.happen("a", EventKind::ChannelStarted).await;
    let got = receiver.wait(1).await.remove(0);
    let both = [new.clone().unwrap(), old];
    let signed = |secrets: &[Secret]| {
        signature::standard(
            secrets,
            got.header("webhook-id").unwrap(),
            START.seconds(),
            &got.body,
        )
    };
    assert_eq!(got.header("webhook-signature").unwrap(), signed(&both));
    let later = changed.signing(START.plus(Duration::from_secs(86_400)));
    assert_eq!(later, [new.unwrap()]);
}

#[tokio::test]
async fn a_test_goes_out_at_once_and_says_what_came_back() {
    let relay = Relay::start();
    let receiver = Receiver::start(|n, _| {
        if n == 0 {
            Act::AnswerWith(200, "thanks".to_owned())
        } else {
            Act::Answer(403)
        }
    })
    .await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let well = relay.callbacks.test(id, None).await.unwrap();
    assert!(well.acknowledged);
    assert_eq!(
        (well.attempt.status, well.attempt.answer.as_deref()),
        (Some(200), Some("thanks"))
    );
    let ill = relay
        .callbacks
        .test(id, Some(EventKind::RecordingFileCompleted))
        .await
        .unwrap();
    assert!(!ill.acknowledged);
    assert_eq!(ill.attempt.error.as_deref(), Some("HTTP 403"));
    assert!(
        receiver
            .got()
            .iter()
            .all(|got| got.json()["data"]["test"] == true)
    );
    assert_eq!(
        relay
            .callbacks
            .deliveries(id, None, page(10))
            .await
            .unwrap()
            .items,
        []
    );
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page_the_newest_first() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    for n in 0..5 {
        relay
            .happen(&format!("s{n}"), EventKind::ChannelStarted)
            .await;
    }
    relay.until(id, DeliveryState::Delivered, 5).await;
    let (mut before, mut seen) = (None, Vec::new());
    for size in [2, 2, 1] {
        let page = relay
            .callbacks
            .deliveries(
                id,
                Some(DeliveryState::Delivered),
                Page {
                    limit: 2,
                    cursor: before,
                },
            )
            .await
            .unwrap();
        assert_eq!(page.items.len(), size);
        seen.extend(page.items.iter().map(|it| it.event_id.seq()));
        before = page.next_cursor;
    }
    assert_eq!((seen, before), (vec![5, 4, 3, 2, 1], None));
    let nobody = WebhookId::fresh(START);
    let error = relay
        .callbacks
        .deliveries(nobody, None, page(2))
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::ResourceNotFound);
}

#[tokio::test]
async fn a_replay_queues_a_span_of_time_by_type_also_what_was_never_queued() {
    let relay = Relay::start();
    let hour = Duration::from_secs(3_600);
    for n in 0..4 {
        relay.clock.now.send_replace(START.plus(hour * n));
        relay.happen("a", EventKind::ChannelStarted).await;
        relay.happen("a", EventKind::RecordingFileCompleted).await;
    }
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let span = |types: &[&str]| Replay {
        from: START.plus(hour),
        to: START.plus(hour * 3),
        types: types.iter().map(|&it| it.to_owned()).collect(),
    };
    assert_eq!(
        relay
            .callbacks
            .replay(id, span(&["recording.file.completed"]))
            .await
            .unwrap(),
        2
    );
    relay.until(id, DeliveryState::Delivered, 2).await;
    // Everything: the two once more, and the two that the first replay left out; in the order of the events.
    assert_eq!(relay.callbacks.replay(id, span(&[])).await.unwrap(), 4);
    let got = receiver.wait(6).await;
    let places: Vec<_> = got
        .iter()
        .map(|got| got.json()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(places, [4, 6, 3, 4, 5, 6]);
    assert!(
        relay
            .callbacks
            .replay(id, span(&["nothing"]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_disabled_endpoint_is_left_alone_until_it_is_enabled() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let state = |state| WebhookPatch {
        state: Some(state),
        ..WebhookPatch::default()
    };
    let webhook = relay
        .callbacks
        .update(id, Some(1), state(WebhookState::Disabled))
        .await
        .unwrap();
    assert_eq!(webhook.state, WebhookState::Disabled);
    relay.happen("a", EventKind::ChannelStarted).await;
    let error = relay
        .callbacks
        .update(id, Some(1), state(WebhookState::Active))
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::VersionConflict);
    relay
        .callbacks
        .update(id, Some(2), state(WebhookState::Active))
        .await
        .unwrap();
    relay.happen("a", EventKind::ChannelEnded).await;
    assert_eq!(receiver.wait(1).await[0].json()["type"], "channel.ended");
}

#[tokio::test]
async fn gone_disables_the_endpoint_and_dead_letters_the_rest() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(410)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let well = Receiver::always(Act::Answer(200)).await;
    let request = NewWebhook {
        types: vec!["webhook.*".to_owned()],
        ..NewWebhook::new(well.url())
    };
    relay.callbacks.create(request).await.unwrap();
    let events = ["a", "a", "a"].map(|stream| about(stream, EventKind::ChannelStarted));
    let job = relay.store.write(move |tx| {
        events
            .into_iter()
            .try_for_each(|event| tx.event(event).map(drop))
    });
    job.await.unwrap();
    relay.until(id, DeliveryState::Dead, 3).await;
    let webhook = relay.callbacks.webhook(id).await.unwrap();
    assert_eq!(webhook.state, WebhookState::Disabled);
    assert!(webhook.disabled_reason.unwrap().contains("410"));
    assert_eq!(receiver.got().len(), 1);
    let told = well.wait(1).await[0].json();
    assert_eq!(
        (&told["data"]["count"], &told["data"]["webhook_id"]),
        (&json!(3), &json!(id.to_string()))
    );
}

#[tokio::test]
async fn a_deleted_endpoint_takes_its_deliveries_along() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(500)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    relay.attempts(id, 1).await;
    relay.callbacks.delete(id).await.unwrap();
    assert_eq!(
        relay.callbacks.delete(id).await.unwrap_err().reason,
        Reason::ResourceNotFound
    );
    let left = relay.store.read(|db| {
        let count = |table: &str| {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get::<_, i64>(0)
            })
        };
        Ok((count("deliveries")?, count("delivery_attempts")?))
    });
    assert_eq!(left.await.unwrap(), (0, 0));
}

#[tokio::test]
async fn endpoints_of_the_configuration_follow_it_and_keep_what_waits() {
    let relay = Relay::start();
    let (one, two) = (
        Receiver::always(Act::Answer(500)).await,
        Receiver::always(Act::Answer(200)).await,
    );
    let entry = |receiver: &Receiver, types: &[&str]| NewWebhook {
        types: types.iter().map(|&it| it.to_owned()).collect(),
        secret: Some("of-the-configuration".to_owned()),
        ..NewWebhook::new(receiver.url())
    };
    let configure = |endpoints| relay.callbacks.configure_endpoints(endpoints);
    configure(vec![entry(&one, &[]), entry(&two, &[])])
        .await
        .unwrap();
    let mut before = relay.callbacks.webhooks().await.unwrap();
    before.retain(|it| it.url == one.url());
    relay.happen("a", EventKind::ChannelStarted).await;
    relay.attempts(before[0].id, 1).await;
    configure(vec![entry(&one, &["channel.*"])]).await.unwrap();
    let after = relay.callbacks.webhooks().await.unwrap();
    assert_eq!(
        (after.len(), after[0].id, after[0].version),
        (1, before[0].id, 2)
    );
    assert_eq!(
        relay
            .callbacks
            .deliveries(after[0].id, None, page(9))
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    // The same once more changes nothing; a call may not change it.
    configure(vec![entry(&one, &["channel.*"])]).await.unwrap();
    assert_eq!(relay.callbacks.webhooks().await.unwrap()[0].version, 2);
    let error = relay.callbacks.delete(after[0].id).await.unwrap_err();
    assert_eq!(error.reason, Reason::PermissionDenied);
}

#[tokio::test]
async fn the_url_is_shown_without_what_its_query_may_hide() {
    let relay = Relay::start();
    let request = NewWebhook::new("http://127.0.0.1:1/cb?token=hush&hush2");
    let webhook = relay.callbacks.create(request).await.unwrap().0;
    assert_eq!(webhook.shown_url(), "http://127.0.0.1:1/cb?token=***&***");
    assert!(!format!("{:?}", webhook.secrets).contains("whsec"));
}

#[tokio::test]
async fn old_deliveries_and_events_go_but_not_what_may_still_be_sent() {
    let relay = Relay::start();
    let receiver = Receiver::start(|_, got| {
        Act::Answer(if got.json()["stream_id"] == "bad" {
            410
        } else {
            200
        })
    })
    .await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    relay.happen("good", EventKind::ChannelStarted).await;
    relay.until(id, DeliveryState::Delivered, 1).await;
    relay.happen("bad", EventKind::ChannelStarted).await;
    relay.until(id, DeliveryState::Dead, 1).await;
    relay.callbacks.shutdown().await;
    let day = Duration::from_secs(86_400);
    let after = async |time: Duration| {
        let now = START.plus(time);
        let job = relay.store.write(move |tx| {
            outbox::prune(tx, now)?;
            crate::event::prune(tx, now)?;
            let count = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0));
            Ok((
                count("SELECT count(*) FROM deliveries")?,
                count("SELECT count(*) FROM events WHERE seq <= 2")?,
            ))
        });
        job.await.unwrap()
    };
    assert_eq!(after(day * 6).await, (2, 2));
    assert_eq!(after(day * 8).await, (1, 2));
    // At 30 days the dead letter's event stays as long as the letter.
    assert_eq!(after(day * 30).await, (1, 2));
    assert_eq!(after(day * 31).await, (0, 0));
}
