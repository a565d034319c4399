//! Receivers that misbehave, a relay that dies, a disk that fills up, a destination that is not allowed.

use super::receiver::Act;
use super::*;
use crate::callback::sender::{Outcome, Request, Sender};
use crate::callback::webhook;

/// An endpoint with a timeout that calls do not allow, so that the test need not wait for a second.
async fn impatient(
    relay: &Relay,
    receiver: &Receiver,
    acknowledgement: Acknowledgement,
) -> WebhookId {
    let request = NewWebhook {
        acknowledgement: Some(acknowledgement),
        ..NewWebhook::new(receiver.url())
    };
    let mut webhook = request
        .build(START, WebhookOrigin::Api, (true, None))
        .unwrap();
    webhook.timeout = Duration::from_millis(200);
    let id = webhook.id;
    relay
        .store
        .write(move |tx| webhook::insert(tx, &webhook))
        .await
        .unwrap();
    relay.callbacks.shared.wake.notify_one();
    id
}

#[tokio::test]
async fn c5_every_kind_of_misbehaviour_is_a_failure_with_its_reason_and_is_repeated() {
    let elsewhere = Receiver::always(Act::Answer(200)).await;
    for (act, status, reason) in [
        (Act::Hang, None, "no answer within 200ms"),
        (Act::Close, None, "connection closed"),
        (Act::Garbage, None, "invalid HTTP"),
        (
            Act::Redirect(elsewhere.url()),
            Some(302),
            "follow no redirects",
        ),
        (Act::Answer(500), Some(500), "HTTP 500"),
        (
            Act::AnswerWith(201, "made".to_owned()),
            Some(201),
            "only 200",
        ),
    ] {
        let relay = Relay::start();
        let name = format!("{act:?}");
        let receiver = Receiver::start(move |n, _| {
            if n == 0 {
                act.clone()
            } else {
                Act::Answer(200)
            }
        })
        .await;
        let id = impatient(&relay, &receiver, Acknowledgement::Status200).await;
        relay.happen("a", EventKind::ChannelStarted).await;
        let log = relay.attempts_by_clock(id, 2).await;
        assert_eq!(log[0].status, status, "{name}");
        let found = log[0].error.clone().unwrap();
        assert!(found.contains(reason), "{name}: {found}");
        assert!(
            !found.contains("/cb"),
            "{name}: the URL stays out of it: {found}"
        );
        relay.until(id, DeliveryState::Delivered, 1).await;
    }
    assert_eq!(elsewhere.got().len(), 0);
}

#[tokio::test]
async fn c5_a_receiver_that_refuses_connections_is_tried_again() {
    let relay = Relay::start();
    let gone = Receiver::always(Act::Answer(200)).await;
    let (url, id) = (gone.url(), relay.endpoint(&gone, Profile::Native).await);
    drop(gone);
    // Until the listener's task has gone the connection hangs in its queue and is reset: a failure as well.
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts_by_clock(id, 3).await;
    assert!(
        log.iter()
            .all(|it| it.status.is_none() && it.error.is_some()),
        "{url}: {log:?}"
    );
    let refused = log[2].error.clone().unwrap();
    assert!(refused.contains("refused"), "{refused}");
}

#[tokio::test]
async fn c5_a_status_of_200_counts_whatever_becomes_of_the_body_and_the_body_is_bounded() {
    for act in [Act::CloseInBody, Act::Huge, Act::Drip] {
        let relay = Relay::start();
        let name = format!("{act:?}");
        let receiver = Receiver::always(act).await;
        let id = impatient(&relay, &receiver, Acknowledgement::Status200).await;
        relay.happen("a", EventKind::ChannelStarted).await;
        let delivery = relay.until(id, DeliveryState::Delivered, 1).await.remove(0);
        let answer = relay.callbacks.delivery(delivery.id).await.unwrap().1[0]
            .answer
            .clone()
            .unwrap();
        assert!(
            (1..=512).contains(&answer.len()),
            "{name}: {} bytes kept",
            answer.len()
        );
    }
}

#[tokio::test]
async fn where_the_body_must_say_code_0_half_a_body_is_no_acknowledgement() {
    let relay = Relay::start();
    let script = [
        Act::CloseInBody,
        Act::AnswerWith(200, "{\"code\":7}".into()),
        Act::AnswerWith(200, "{\"code\":0}".into()),
    ];
    let receiver = Receiver::start(move |n, _| script[n].clone()).await;
    let id = impatient(&relay, &receiver, Acknowledgement::Status200AndCode0).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts_by_clock(id, 3).await;
    assert!(
        log[0].error.as_ref().unwrap().contains("not a JSON object"),
        "{log:?}"
    );
    assert!(
        log[1].error.as_ref().unwrap().contains("code is 7"),
        "{log:?}"
    );
    assert_eq!(log[2].error, None);
}

#[tokio::test]
async fn c5_a_crash_in_the_middle_of_the_schedule_loses_nothing_and_repeats_with_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    // The first attempt fails, the second is under way when the relay dies.
    let receiver = Receiver::start(|n, _| match n {
        0 => Act::Answer(500),
        1 => Act::Hang,
        _ => Act::Answer(200),
    })
    .await;
    let relay = Relay::open(&path, HandClock::new());
    let id = relay.endpoint(&receiver, Profile::Native).await;
    let event = relay.happen("a", EventKind::ChannelStarted).await;
    relay.happen("a", EventKind::ChannelEnded).await;
    relay.attempts_by_first_delivery(id).await;
    relay.clock.turn().await;
    receiver.wait(2).await;
    // As a kill does: nothing is stored any more.
    relay
        .callbacks
        .shared
        .task
        .lock()
        .unwrap()
        .take()
        .unwrap()
        .abort();
    relay.store.close().await;
    let clock = relay.clock;
    drop((relay.store, relay.callbacks));
    let relay = Relay::open(&path, clock);
    relay.until(id, DeliveryState::Delivered, 2).await;
    let ids: Vec<_> = receiver
        .got()
        .iter()
        .map(|got| got.header("webhook-id").unwrap().to_owned())
        .collect();
    let first = event.id.to_string();
    assert_eq!(ids[..3], [first.clone(), first.clone(), first]);
    assert_eq!(ids.len(), 4, "then the next of the same stream");
}

#[tokio::test]
async fn outcomes_that_a_full_disk_refuses_are_stored_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let relay = Relay::open(&dir.path().join("control.db"), HandClock::new());
    let (gate, closed) = watch::channel(false);
    let receiver = Receiver::always(Act::Gate(closed)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    for n in 0..16 {
        relay
            .happen(&format!("s{n}"), EventKind::ChannelStarted)
            .await;
    }
    receiver.wait(16).await;
    let pages = |sql: &'static str| {
        relay
            .store
            .write(move |tx| Ok(tx.query_row(sql, [], |row| row.get::<_, i64>(0))?))
    };
    pages("PRAGMA max_page_count = 1").await.unwrap();
    gate.send_replace(true);
    // It rests for a second, again and again.
    for seconds in 1..=3 {
        let rested = START.plus(Duration::from_secs(seconds));
        relay.clock.turn_when(|at| at == rested).await;
    }
    let last = START.plus(Duration::from_secs(4));
    relay.clock.asleep(|at| at == last).await;
    pages("PRAGMA max_page_count = 100000").await.unwrap();
    relay.clock.turn().await;
    let delivered = relay.until(id, DeliveryState::Delivered, 16).await;
    assert!(delivered.iter().all(|it| it.attempts == 1));
    assert_eq!(
        receiver.got().len(),
        16,
        "what was acknowledged is not sent again"
    );
}

#[tokio::test]
async fn no_attempt_reaches_an_address_that_is_not_public() {
    let receiver = Receiver::always(Act::Answer(200)).await;
    let sender = Sender::new(false).unwrap();
    for url in [
        receiver.url(),
        receiver.url().replace("127.0.0.1", "localhost"),
    ] {
        let request = Request {
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: PATIENCE,
        };
        match sender.send(request).await.outcome {
            Outcome::NoAnswer(reason) => assert!(reason.contains("allow_private"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(receiver.got().len(), 0);
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    use reqwest::dns::Resolve;
    let found = crate::callback::destination::PublicResolver
        .resolve("localhost".parse().unwrap())
        .await;
    let error = found.map(|found| found.count()).unwrap_err();
    assert!(
        error.to_string().contains("of localhost is public"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_allowed_is_refused_once_the_setting_is_taken_back() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    relay
        .callbacks
        .configure(Settings {
            allow_private: false,
            ..settings()
        })
        .unwrap();
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts(id, 1).await;
    assert!(
        log[0]
            .error
            .as_ref()
            .unwrap()
            .contains("127.0.0.1 is not a public address"),
        "{log:?}"
    );
    assert_eq!(receiver.got().len(), 0);
}

#[tokio::test]
async fn shutdown_ends_within_seconds_though_a_receiver_hangs() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Hang).await;
    relay.endpoint(&receiver, Profile::Native).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    receiver.wait(1).await;
    timeout(Duration::from_secs(10), relay.callbacks.shutdown())
        .await
        .unwrap();
}
