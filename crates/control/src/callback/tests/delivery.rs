//! What reaches a receiver, in which order, and when it is repeated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::receiver::Act;
use super::*;

#[tokio::test]
async fn an_event_arrives_signed_with_its_id() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(204)).await;
    let request = NewWebhook {
        secret: Some("a-secret-of-the-test".to_owned()),
        ..NewWebhook::new(receiver.url())
    };
    let (webhook, drawn) = relay.callbacks.create(request).await.unwrap();
    assert_eq!(drawn, None, "a given secret is never shown");
    let event = relay.happen("a", EventKind::ChannelStarted).await;
    let got = receiver.wait(1).await.remove(0);
    let id = event.id.to_string();
    assert_eq!(got.header("webhook-id"), Some(id.as_str()));
    assert_eq!(got.header("webhook-timestamp"), Some("1735689600"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    // Independent of `signature`: the words of the standard.
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a-secret-of-the-test").unwrap();
    mac.update(format!("{id}.1735689600.").as_bytes());
    mac.update(&got.body);
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(got.header("webhook-signature"), Some(signature.as_str()));
    assert_eq!(
        got.json(),
        json!({
            "id": id, "type": "channel.started", "timestamp": "2025-01-01T00:00:00.000Z", "seq": event.seq,
            "app_id": "1400000001", "room_id": "8001", "user_id": "anchor_7",
            "channel_id": "734512009871", "stream_id": "a", "data": {},
        })
    );
    let delivery = relay
        .until(webhook.id, DeliveryState::Delivered, 1)
        .await
        .remove(0);
    assert_eq!(
        (delivery.attempts, delivery.last_status, delivery.due_at),
        (1, Some(204), None)
    );
    assert_eq!(relay.callbacks.stats().acknowledged, 1);
    relay.callbacks.shutdown().await;
}

#[tokio::test]
async fn events_of_a_stream_arrive_in_order_and_each_once() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(200)).await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    for n in 0..300 {
        relay
            .happen(["a", "b", "c"][n % 3], EventKind::ChannelStarted)
            .await;
    }
    relay.until(id, DeliveryState::Delivered, 300).await;
    for stream in ["a", "b", "c"] {
        let of_stream = receiver
            .got()
            .into_iter()
            .map(|got| got.json())
            .filter(|body| body["stream_id"] == stream);
        let places: Vec<u64> = of_stream
            .map(|body| body["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(places.len(), 100);
        assert!(places.is_sorted(), "{stream}: {places:?}");
    }
}

#[tokio::test]
async fn c5_the_schedule_is_kept_to_the_millisecond_and_201_is_no_acknowledgement_in_the_tencent_form()
 {
    let relay = Relay::start();
    let script = [
        Act::Answer(500),
        Act::Answer(201),
        Act::Close,
        Act::Answer(500),
        Act::AnswerWith(200, "no json".to_owned()),
    ];
    let receiver = Receiver::start(move |n, _| script[n].clone()).await;
    let id = relay.endpoint(&receiver, Profile::TencentLvb).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts_by_clock(id, 5).await;
    let waits = log
        .windows(2)
        .map(|pair| pair[1].at.0 - pair[0].at.0 - pair[0].took_ms.cast_signed());
    assert_eq!(waits.collect::<Vec<_>>(), [5_000, 15_000, 30_000, 60_000]);
    assert_eq!(
        log.iter().map(|it| it.status).collect::<Vec<_>>(),
        [Some(500), Some(201), None, Some(500), Some(200)]
    );
    assert!(
        log[1].error.as_ref().unwrap().contains("only 200"),
        "{:?}",
        log[1].error
    );
    relay.until(id, DeliveryState::Delivered, 1).await;
    // `t` and `sign` are made anew for each attempt; `t` lies ahead of it. The event itself stays the same.
    let got = receiver.got();
    for (attempt, got) in log.iter().zip(&got) {
        assert_eq!(
            got.json()["t"].as_i64().unwrap(),
            attempt.at.seconds() + 600
        );
        assert_eq!(
            got.header("webhook-id"),
            receiver.got()[0].header("webhook-id")
        );
    }
    assert_ne!(got[0].json()["sign"], got[1].json()["sign"]);
}

#[tokio::test]
async fn c5_seventy_two_hours_of_500_end_in_a_dead_letter_that_the_others_are_told_of() {
    let relay = Relay::start();
    let broken = Receiver::always(Act::Answer(500)).await;
    let id = relay.endpoint(&broken, Profile::TencentLvb).await;
    let event = relay.happen("a", EventKind::ChannelStarted).await;
    let well = Receiver::always(Act::Answer(200)).await;
    let other = relay.endpoint(&well, Profile::Native).await;
    let log = relay.attempts_by_clock(id, 1_000).await;
    let dead = relay.until(id, DeliveryState::Dead, 1).await.remove(0);
    assert!((90..=96).contains(&dead.attempts), "{}", dead.attempts);
    let span = log.last().unwrap().at.since(log[0].at);
    assert!(
        (Duration::from_secs(70 * 3600)..=Duration::from_secs(72 * 3600)).contains(&span),
        "{span:?}"
    );
    for (n, pair) in log.windows(2).enumerate() {
        let wait = (pair[1].at.0 - pair[0].at.0 - pair[0].took_ms.cast_signed()) as f64 / 1000.0;
        let exact = match n {
            0..4 => [5.0, 15.0, 30.0, 60.0][n],
            4..17 => 60.0,
            17..23 => [120.0, 240.0, 480.0, 960.0, 1_920.0, 3_600.0][n - 17],
            _ => 3_600.0,
        };
        let slack = if n < 4 { 0.0 } else { exact * 0.1 + 0.001 };
        assert!(
            (wait - exact).abs() <= slack,
            "after attempt {}: {wait} s, not {exact} s",
            n + 1
        );
    }
    relay.until(other, DeliveryState::Delivered, 1).await;
    let told = well.got()[0].json();
    assert_eq!(told["type"], "webhook.dead_lettered");
    assert_eq!(told["data"]["webhook_id"], id.to_string());
    assert_eq!(told["data"]["event_id"], event.id.to_string());
    assert_eq!(told["data"]["attempts"], dead.attempts);
    assert_eq!(relay.callbacks.stats().dead, 1);
    let backlog = relay.callbacks.backlog().await.unwrap();
    let expected = Backlog {
        well: 1,
        failing: 1,
        ..Backlog::default()
    };
    assert_eq!(backlog, expected);
    // Its own endpoint is not told, and a retry brings it back with the whole schedule.
    assert_eq!(
        relay
            .callbacks
            .deliveries(id, None, page(10))
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let again = relay.callbacks.retry(dead.id).await.unwrap();
    assert_eq!(
        (again.state, again.due_at),
        (DeliveryState::Waiting, Some(relay.clock.now()))
    );
    broken.wait(dead.attempts as usize + 1).await;
}

#[tokio::test]
async fn tencent_css_gives_up_after_thirteen_attempts() {
    let relay = Relay::start();
    let receiver = Receiver::always(Act::Answer(404)).await;
    let id = relay.endpoint(&receiver, Profile::TencentCss).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts_by_clock(id, 13).await;
    let dead = relay.until(id, DeliveryState::Dead, 1).await.remove(0);
    assert_eq!((dead.attempts, log.len()), (13, 13));
    assert!(
        log.windows(2)
            .all(|pair| pair[1].at.0 - pair[0].at.0 - pair[0].took_ms.cast_signed() == 60_000)
    );
}

#[tokio::test]
async fn a_retry_after_is_waited_for() {
    let relay = Relay::start();
    let receiver = Receiver::start(|n, _| {
        if n == 0 {
            Act::Busy(100)
        } else {
            Act::Answer(200)
        }
    })
    .await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    relay.happen("a", EventKind::ChannelStarted).await;
    let log = relay.attempts_by_clock(id, 2).await;
    assert_eq!(
        log[1].at.0 - log[0].at.0 - log[0].took_ms.cast_signed(),
        100_000
    );
}

#[tokio::test]
async fn a_failing_stream_blocks_no_other() {
    let relay = Relay::start();
    let receiver = Receiver::start(|_, got| {
        Act::Answer(if got.json()["stream_id"] == "bad" {
            500
        } else {
            200
        })
    })
    .await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    for n in 0..100 {
        relay
            .happen(
                if n % 2 == 0 { "bad" } else { "good" },
                EventKind::ChannelStarted,
            )
            .await;
    }
    let delivered = relay.until(id, DeliveryState::Delivered, 50).await;
    assert!(delivered.iter().all(|it| it.attempts == 1));
    let bad: Vec<_> = receiver
        .got()
        .into_iter()
        .filter(|got| got.json()["stream_id"] == "bad")
        .collect();
    assert_eq!(
        bad.len(),
        1,
        "what is behind a failure in its own stream waits for it"
    );
}

#[tokio::test]
async fn a_dead_endpoint_delays_no_other() {
    let relay = Relay::start();
    let hanging = Receiver::always(Act::Hang).await;
    let well = Receiver::always(Act::Answer(200)).await;
    relay.endpoint(&hanging, Profile::Native).await;
    let id = relay.endpoint(&well, Profile::Native).await;
    for n in 0..200 {
        relay
            .happen(&format!("s{}", n % 40), EventKind::ChannelStarted)
            .await;
    }
    // Long before the first timeout of the hanging one.
    relay.until(id, DeliveryState::Delivered, 200).await;
    assert!(
        hanging.got().len() <= 16,
        "{} connections to one endpoint",
        hanging.got().len()
    );
}

#[tokio::test]
async fn after_ten_minutes_of_failure_one_probe_at_a_time_then_all_is_drained_at_once() {
    let relay = Relay::start();
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let answer = Arc::clone(&well);
    let receiver = Receiver::start(move |_, _| {
        Act::Answer(if answer.load(std::sync::atomic::Ordering::Relaxed) {
            200
        } else {
            500
        })
    })
    .await;
    let id = relay.endpoint(&receiver, Profile::Native).await;
    relay.happen("first", EventKind::ChannelStarted).await;
    // 5 + 15 + 30 + 60 + 10 × 60 s: failing for more than ten minutes.
    relay.attempts_by_clock(id, 15).await;
    let made = receiver.got().len();
    for n in 0..20 {
        relay
            .happen(&format!("s{n}"), EventKind::ChannelStarted)
            .await;
    }
    receiver.wait(made + 20).await;
    relay.until(id, DeliveryState::Waiting, 21).await;
    assert!(
        relay
            .callbacks
            .webhook(id)
            .await
            .unwrap()
            .failing_since
            .is_some()
    );
    well.store(true, std::sync::atomic::Ordering::Relaxed);
    relay.clock.turn().await;
    // One success; what was put off for later goes out without another turn of the clock.
    relay.until(id, DeliveryState::Delivered, 21).await;
    assert_eq!(
        relay.callbacks.webhook(id).await.unwrap().failing_since,
        None
    );
}
