use super::*;

#[tokio::test]
async fn a_live_channel_resumes_after_a_restart_with_the_same_id_and_stream() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let hands = Hands::default();
    let first = on(
        Store::open(&path, hands.clock()).unwrap(),
        hands.clone(),
        |_| {},
    )
    .await;
    let channel = first.start("anchor_7").await.unwrap().channel;
    first.publish("anchor_7").await;
    first.until(channel.id, ChannelState::Live).await;
    let waiting = first.start("anchor_8").await.unwrap().channel;
    // As a crash leaves it: nobody said that the publisher went.
    first.driver.abort();
    first.control.close().await;

    hands.advance(Duration::from_secs(5));
    let second = on(Store::open(&path, hands.clock()).unwrap(), hands, |_| {}).await;
    assert_eq!(second.state(channel.id).await, ChannelState::Interrupted);
    assert_eq!(second.state(waiting.id).await, ChannelState::Pending);
    second.publish("anchor_7").await;
    second.until(channel.id, ChannelState::Live).await;
    let again = second.control.channel(channel.id).await.unwrap().channel;
    assert_eq!(again.stream, channel.stream);
    let kinds = second.kinds().await;
    assert!(
        kinds.ends_with(&[
            EventKind::IngestEnded,
            EventKind::ChannelInterrupted,
            EventKind::IngestStarted,
            EventKind::ChannelResumed,
        ]),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_publisher_that_does_not_return_after_a_restart_ends_its_channel() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let hands = Hands::default();
    let first = on(
        Store::open(&path, hands.clock()).unwrap(),
        hands.clone(),
        |_| {},
    )
    .await;
    let id = first.start("anchor_7").await.unwrap().channel.id;
    first.publish("anchor_7").await;
    first.until(id, ChannelState::Live).await;
    first.driver.abort();
    first.control.close().await;
    let second = on(Store::open(&path, hands.clock()).unwrap(), hands, |_| {}).await;
    second.after(Duration::from_secs(61)).await;
    assert_eq!(second.state(id).await, ChannelState::Ended);
}

#[tokio::test]
async fn play_tokens_open_after_a_restart_and_nowhere_else() {
    use crate::credential::TokenUse;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let hands = Hands::default();
    let open = || Store::open(&path, hands.clock()).unwrap();
    let first = on(open(), hands.clone(), |_| {}).await;
    let tokens = first.control.play_tokens().await.unwrap();
    let token = tokens.token(TokenUse::Open, "live/a", "", 100);
    first.driver.abort();
    first.control.close().await;
    let second = on(open(), hands.clone(), |_| {}).await;
    let tokens = second.control.play_tokens().await.unwrap();
    let verified = |tokens: &crate::credential::PlayTokens| {
        tokens.verify(TokenUse::Open, "live/a", "", &token, 100)
    };
    assert_eq!(verified(&tokens), Ok(()));
    let other = on(Store::in_memory(hands.clock()).unwrap(), hands, |_| {}).await;
    let tokens = other.control.play_tokens().await.unwrap();
    assert!(verified(&tokens).is_err());
}
