//! Whose stream a publish is, by keys that were handed out and by the other ways.

use super::*;
use crate::admission::{self, Admission, Play, Playable, Playables, Question, Registry};
use crate::control::admit::IssueKey;
use crate::credential::{Secret, Via};

fn question(stream_key: &str, query: &str) -> Question {
    Question {
        name: media::StreamName::parse("live", stream_key).unwrap(),
        protocol: "rtmp",
        peer: None,
        query: query.to_owned(),
    }
}

fn registry(bench: &Bench) -> Arc<dyn Registry> {
    bench.control.registry(Arc::new(Playables::new(false)))
}

/// Lets a publish in as admission does; gives its stream.
async fn publish(bench: &Bench, stream_key: &str, query: &str) -> Result<(String, Via), String> {
    let (registry, question) = (registry(bench), question(stream_key, query));
    let recognised = registry.recognise(&question).await?;
    registry.admit(&question, &recognised).await?;
    Ok((recognised.stream.as_str().to_owned(), recognised.via))
}

fn asks(user: &str) -> IssueKey {
    IssueKey {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        user_id: user.to_owned(),
        source: Source::Main,
        life: Some(Duration::from_secs(600)),
        once: false,
        record_id: Some(123_456),
    }
}

#[tokio::test]
async fn a_key_publishes_as_its_stream_until_it_expires() {
    let bench = bench(|_| {}).await;
    let issued = bench
        .control
        .issue_publish_key(asks("anchor_7"))
        .await
        .unwrap();
    let stream = format!("live/8888_{}", code("anchor_7"));
    assert_eq!(issued.stream, stream);
    assert_eq!(
        issued.query,
        "groupid=8001&userid=YW5jaG9yXzc%3D&cliRecoId=123456"
    );
    assert!(!format!("{issued:?}").contains("pk_"));
    let key = issued.key.reveal();
    for _ in 0..2 {
        let let_in = publish(&bench, key, &issued.query).await;
        assert_eq!(let_in, Ok((stream.clone(), Via::IssuedKey)));
    }
    // The media side reports the stream, and it is that member's.
    let publishing = Publishing {
        stream: stream.clone(),
        protocol: "rtmp".to_owned(),
        user_ip: None,
        query: String::new(),
    };
    let observed = bench.control.observe(Observation::Published(publishing));
    observed.await.unwrap();
    let source = bench.control.stream(stream.clone()).await.unwrap().source;
    assert_eq!(
        (&*source.user_id, source.session.is_some()),
        ("anchor_7", true)
    );

    bench.hands.advance(Duration::from_secs(601));
    let late = publish(&bench, key, "").await;
    assert_eq!(
        late,
        Err("the publish key expired 1 s ago; ask for another".to_owned())
    );
}

#[tokio::test]
async fn a_one_time_key_opens_once_however_many_try_at_once() {
    let bench = bench(|_| {}).await;
    let mut ask = asks("u");
    ask.once = true;
    let key = bench.control.issue_publish_key(ask).await.unwrap().key;
    let tries = (0..10).map(|_| publish(&bench, key.reveal(), ""));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let spent = publish(&bench, key.reveal(), "").await.unwrap_err();
    assert!(spent.contains("has been used"), "{spent}");
    // Looks like one of ours and is none.
    let other = publish(&bench, "pk_00000000000000000000000000", "").await;
    assert!(other.unwrap_err().starts_with("nobody announced"));
}

#[tokio::test]
async fn the_other_ways_are_tried_and_nobodys_publish_is_refused() {
    let bench = bench(|_| {}).await;
    let of = |user: &str| format!("live/8888_{}", code(user));
    let plain = publish(&bench, "1400000001_8001_plain_main", "").await;
    assert_eq!(plain, Ok((of("plain"), Via::PlainCode)));
    let by_query = format!("groupid=8001&userid={}", base64("query"));
    let by_query = publish(&bench, "whatever", &by_query).await;
    assert_eq!(by_query, Ok((of("query"), Via::Query)));
    // Known from then on by its code alone.
    let by_code = publish(&bench, &format!("8888_{}", code("plain")), "").await;
    assert_eq!(by_code, Ok((of("plain"), Via::StreamCode)));
    bench.start("started").await.unwrap();
    let by_code = publish(&bench, &format!("8888_{}", code("started")), "").await;
    assert_eq!(by_code, Ok((of("started"), Via::StreamCode)));
    let unknown = publish(&bench, "cam1", "").await.unwrap_err();
    assert!(unknown.starts_with("nobody announced"), "{unknown}");

    let until = bench.control.now().plus(Duration::from_secs(60));
    let forbid =
        bench
            .control
            .forbid_stream(of("plain"), Some(until), Some("moderation".to_owned()));
    forbid.await.unwrap();
    let forbidden = publish(&bench, "1400000001_8001_plain_main", "")
        .await
        .unwrap_err();
    assert!(
        forbidden.starts_with("the stream is forbidden until "),
        "{forbidden}"
    );
    assert!(forbidden.ends_with(": moderation"), "{forbidden}");
}

#[tokio::test]
async fn everything_is_adopted_under_its_own_name_without_keys() {
    let bench = bench(|settings| *settings = Settings::new(Mode::Open)).await;
    let adopted = publish(&bench, "cam1", "key=1").await;
    assert_eq!(adopted, Ok(("live/cam1".to_owned(), Via::Adopted)));
}

#[tokio::test]
async fn lives_out_of_range_and_closed_rooms_get_no_key() {
    let bench = bench(|_| {}).await;
    for life in [Duration::ZERO, Duration::from_secs(366 * 86_400)] {
        let mut ask = asks("u");
        ask.life = Some(life);
        let error = bench.control.issue_publish_key(ask).await.unwrap_err();
        assert_eq!(error.reason, Reason::FieldInvalid);
    }
    let mut ask = asks("");
    ask.life = None;
    let error = bench.control.issue_publish_key(ask).await.unwrap_err();
    assert_eq!(error.reason, Reason::UserInvalid);
}

#[tokio::test]
async fn what_players_may_have_is_what_was_said() {
    let bench = bench(|_| {}).await;
    let playables = Arc::new(Playables::new(false));
    let registry = bench.control.registry(Arc::clone(&playables));
    let name = media::StreamName::parse("live", "a").unwrap();
    assert!(!registry.playable(&name).served);
    let said = Playable {
        served: true,
        password: Some(Secret::new("pw")),
    };
    playables.set("live/a", said.clone());
    assert_eq!(registry.playable(&name), said);
}

#[tokio::test]
async fn a_token_is_one_for_the_password_that_the_media_side_does_not_know_yet() {
    let bench = bench(|_| {}).await;
    let playables = Arc::new(Playables::new(true));
    let settings = admission::Settings::default();
    let tokens = bench.control.play_tokens().await.unwrap();
    let registry = bench.control.registry(Arc::clone(&playables));
    let admission = Admission::new(settings, registry, tokens, Arc::new(|| 1)).unwrap();
    let mut request = start("u");
    request.spec.password = Some("open sesame".to_owned());
    let source = bench.control.start(request).await.unwrap().channel.stream;
    let stream: media::StreamName = source.parse().unwrap();
    let token = admission.play_token(&stream, Duration::from_secs(60)).await;
    playables.set(
        &source,
        Playable {
            served: true,
            password: Some(Secret::new("open sesame")),
        },
    );
    let asked = question(stream.stream(), &format!("token={token}"));
    let play = admission.play(&asked).await;
    assert!(matches!(play, Play::Links(_)), "{play:?}");
}

#[tokio::test]
async fn the_media_side_is_told_a_channels_password() {
    let bench = bench(|_| {}).await;
    let mut request = start("u");
    request.spec.password = Some("open sesame".to_owned());
    let id = bench.control.start(request).await.unwrap().channel.id;
    let stream = bench.publish("u").await;
    bench.until(id, ChannelState::Live).await;
    let desired = bench.plane.last(&stream).unwrap();
    assert_eq!(desired.password, Some(Secret::new("open sesame")));
    assert!(!format!("{desired:?}").contains("sesame"));
}
