//! Publishers that nobody watches are read at leisure; the others at once.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use hub::{JoinAt, Phase};
use support::*;

/// No tick ever comes in a test.
const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn nothing_waits_while_somebody_wants_it_at_once() {
    let rig = rig(|setup| setup.config.gather = NEVER).await;
    let stream = rig.hub.await_stream(&name("cam1")).unwrap();
    let mut subscriber = stream.subscribe(JoinAt::Newest);
    let mut client = rig.live("cam1").await;
    client.video(0, &video_header(0x1e)).await;
    for ms in (0..400).step_by(40) {
        let body = video(ms, ms == 0, 100);
        client.video(ms, &body).await;
        let mut got = Vec::new();
        until("the picture", || {
            got.extend(bodies(&mut subscriber));
            !got.is_empty()
        })
        .await;
        assert_eq!(got, [body]);
    }
}

#[tokio::test]
async fn what_lies_there_is_bounded_and_an_end_is_seen_at_once() {
    let rig = rig(|setup| setup.config.gather = NEVER).await;
    let mut client = rig.live("cam1").await;
    let stream = rig.stream("cam1").unwrap();
    client.video(0, &video_header(0x1e)).await;
    // What is more than the mark is read without a tick; less than the mark stays.
    client.video(0, &video(0, true, 200_000)).await;
    client.video(40, &video(40, false, 40_000)).await;
    until("the large picture", || stream.stats().units_in >= 1).await;
    // The rest comes with the end of the connection.
    client.video(80, &video(80, false, 100)).await;
    drop(client);
    until("the end", || stream.phase() != Phase::Live).await;
    assert_eq!(stream.stats().units_in, 3);
}

#[tokio::test]
async fn a_reader_without_hurry_gets_all_and_a_hurried_one_ends_it() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    let stream = rig.stream("cam1").unwrap();
    let mut leisurely = stream.subscribe_unhurried(JoinAt::Newest);
    client.video(0, &video_header(0x1e)).await;
    let mut sent = Vec::new();
    let mut got = Vec::new();
    for ms in (0..200).step_by(40) {
        sent.push(video(ms, ms == 0, 100));
        client.video(ms, sent.last().unwrap()).await;
    }
    until("what was gathered", || {
        got.extend(bodies(&mut leisurely));
        got.len() == sent.len()
    })
    .await;
    assert_eq!(got, sent);
    let mut hurried = stream.subscribe(JoinAt::Newest);
    for ms in (200..400).step_by(40) {
        sent.push(video(ms, false, 100));
        client.video(ms, sent.last().unwrap()).await;
    }
    let mut got = Vec::new();
    until("what came after", || {
        got.extend(bodies(&mut hurried));
        got.len() == sent.len()
    })
    .await;
    assert_eq!(got, sent);
    // Somebody who leaves is no longer in a hurry.
    assert!(stream.is_hurried());
    drop(hurried);
    assert!(!stream.is_hurried());
}

#[tokio::test]
async fn a_goodbye_that_lies_unread_keeps_nobody_out() {
    let rig = rig(|_| {}).await;
    for _ in 0..5 {
        // Each says goodbye, leaves its connection open, and the next comes at once.
        let mut client = rig.live("cam1").await;
        client.video(0, &video_header(0x1e)).await;
        let goodbye = [amf0::Value::from("cam1")];
        client.command(1, "FCUnpublish", &goodbye).await;
        std::mem::forget(client);
    }
}
