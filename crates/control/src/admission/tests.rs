//! The decision as ingests and outputs ask for it, and webhooks that misbehave.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;

use super::*;
use crate::credential::{Secret, SignedTime, UrlKeys};

/// Streams with passwords, and one that is not served.
#[derive(Default)]
struct Streams {
    password: Mutex<Option<Secret>>,
    admitted: Mutex<Vec<String>>,
}

impl Registry for Streams {
    fn recognise<'a>(&'a self, question: &'a Question) -> Answers<'a, Result<Recognised, String>> {
        let answer = match question.name.stream() {
            "unknown" => Err("nobody announced this stream".to_owned()),
            "issued" => Ok(Recognised {
                stream: name("live/code"),
                via: Via::IssuedKey,
                identity: None,
            }),
            _ => Ok(Recognised {
                stream: question.name.clone(),
                via: Via::StreamCode,
                identity: None,
            }),
        };
        Box::pin(std::future::ready(answer))
    }

    fn admit<'a>(
        &'a self,
        _: &'a Question,
        recognised: &'a Recognised,
    ) -> Answers<'a, Result<(), String>> {
        let stream = recognised.stream.as_str().to_owned();
        self.admitted.lock().unwrap().push(stream);
        Box::pin(std::future::ready(Ok(())))
    }

    fn playable(&self, stream: &StreamName) -> Playable {
        Playable {
            served: stream.stream() != "hidden",
            password: self.password.lock().unwrap().clone(),
        }
    }
}

struct Bench {
    admission: Admission,
    streams: Arc<Streams>,
    now: Arc<AtomicU64>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let streams = Arc::new(Streams::default());
        let now = Arc::new(AtomicU64::new(1_800_000_000));
        let clock = Arc::clone(&now);
        let admission = Admission::new(
            settings,
            Arc::clone(&streams) as Arc<dyn Registry>,
            PlayTokens::new([1; 32]),
            Arc::new(move || clock.load(Ordering::Relaxed)),
        );
        Self {
            admission: admission.unwrap(),
            streams,
            now,
        }
    }

    fn protected() -> Self {
        let bench = Self::new(Settings::default());
        *bench.streams.password.lock().unwrap() = Some(Secret::new("open sesame"));
        bench
    }

    async fn publish(&self, stream: &str, query: &str) -> Result<String, String> {
        let stream = self.admission.publish(&ask(stream, query)).await?;
        Ok(stream.as_str().to_owned())
    }

    async fn play(&self, stream: &str, query: &str) -> Play {
        self.admission.play(&ask(stream, query)).await
    }

    /// The query that links get.
    async fn links(&self, stream: &str, query: &str) -> String {
        match self.play(stream, query).await {
            Play::Links(links) => links.to_string(),
            other => panic!("{query}: {other:?}"),
        }
    }

    fn later(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn name(path: &str) -> StreamName {
    StreamName::from_path(path).unwrap()
}

fn ask(stream: &str, query: &str) -> Question {
    Question {
        name: name(&format!("live/{stream}")),
        protocol: "rtmp",
        peer: Some("192.0.2.1:5000".parse().unwrap()),
        query: query.to_owned(),
    }
}

fn keys() -> UrlKeys {
    UrlKeys {
        main: Secret::new("main key"),
        backup: Some(Secret::new("backup")),
        validity: Duration::ZERO,
    }
}

fn gate(mode: GateMode) -> Gate {
    Gate {
        mode,
        keys: Some(keys()),
    }
}

fn refused<T>(reason: &str) -> Result<T, String> {
    Err(reason.to_owned())
}

#[tokio::test]
async fn everything_is_open_without_settings() {
    let bench = Bench::new(Settings::default());
    assert_eq!(bench.publish("a", "").await, Ok("live/a".to_owned()));
    assert_eq!(bench.play("a", "").await, Play::Open);
    assert_eq!(bench.play("hidden", "").await, Play::Absent);
    let unknown = bench.publish("unknown", "").await;
    assert_eq!(unknown, refused("nobody announced this stream"));
}

#[tokio::test]
async fn publishers_sign_their_url_or_bring_an_issued_key() {
    let publish = gate(GateMode::TxSecret);
    let bench = Bench::new(Settings {
        publish,
        ..Settings::default()
    });
    let signed = keys().sign("a", 1_800_000_000, SignedTime::Hex).query();
    assert_eq!(bench.publish("a", &signed).await, Ok("live/a".to_owned()));
    assert_eq!(
        bench.publish("b", &signed).await,
        refused("txSecret is wrong")
    );
    let unsigned = "the URL is not signed: txSecret and txTime are missing";
    assert_eq!(bench.publish("a", "").await, refused(unsigned));
    assert_eq!(
        bench.publish("issued", "").await,
        Ok("live/code".to_owned())
    );
    bench.later(1);
    let expired = bench.publish("a", &signed).await;
    assert_eq!(expired, refused("the URL expired 1 s ago"));
    assert_eq!(
        *bench.streams.admitted.lock().unwrap(),
        ["live/a", "live/code"]
    );
}

#[tokio::test]
async fn keys_open_both_directions_and_settings_change_at_once() {
    let settings = Settings {
        publish: gate(GateMode::Key),
        play: gate(GateMode::Key),
        webhook: None,
    };
    let bench = Bench::new(settings.clone());
    for good in ["key=main%20key", "key=backup"] {
        assert_eq!(bench.publish("a", good).await, Ok("live/a".to_owned()));
        assert!(bench.links("a", good).await.starts_with("token="));
    }
    assert_eq!(
        bench.publish("a", "key=x").await,
        refused("the key is wrong")
    );
    assert!(bench.publish("a", "").await.is_err());
    let links = bench.links("a", "key=backup").await;
    let mut other = settings.clone();
    other.play.keys = Some(UrlKeys {
        main: Secret::new("other"),
        ..keys()
    });
    bench.admission.configure(other).unwrap();
    assert!(
        matches!(bench.play("a", &links).await, Play::Refused(_)),
        "tokens of the old key"
    );
    // Without a key nobody gets in, rather than everybody.
    let mut none = settings;
    none.publish.keys = None;
    bench.admission.configure(none).unwrap();
    assert!(bench.publish("a", "key=").await.is_err());
}

#[tokio::test]
async fn a_password_opens_and_what_links_carry_does_too() {
    let bench = Bench::protected();
    assert!(matches!(bench.play("a", "").await, Play::Refused(reason) if reason.contains("?pwd=")));
    let wrong = Play::Refused("the password is wrong".to_owned());
    assert_eq!(bench.play("a", "pwd=open").await, wrong);
    let links = bench.links("a", "pwd=open%20sesame").await;
    assert!(!links.contains("sesame"));
    assert_eq!(
        bench.links("a", &links).await,
        links,
        "links lead to the same links"
    );
    assert!(
        matches!(bench.play("b", &links).await, Play::Refused(_)),
        "of another stream"
    );
    assert_eq!(
        bench.links("a", "pwd=open%20sesame").await,
        links,
        "the same for all"
    );
    bench.later(24 * 3_600);
    assert_eq!(bench.links("a", &links).await, links);
    bench.later(3_600 + 1);
    assert!(
        matches!(bench.play("a", &links).await, Play::Refused(reason) if reason.contains("expired"))
    );
    let links = bench.links("a", "pwd=open%20sesame").await;
    *bench.streams.password.lock().unwrap() = Some(Secret::new("changed"));
    assert!(
        matches!(bench.play("a", &links).await, Play::Refused(_)),
        "links of the old password"
    );
}

#[tokio::test]
async fn a_play_token_opens_until_it_expires_and_watching_goes_on() {
    let bench = Bench::protected();
    let token = bench
        .admission
        .play_token(&name("live/a"), Duration::from_secs(60))
        .await;
    let query = format!("token={token}");
    let links = bench.links("a", &query).await;
    assert_ne!(links, query);
    assert!(matches!(bench.play("b", &query).await, Play::Refused(_)));
    bench.later(61);
    assert!(
        matches!(bench.play("a", &query).await, Play::Refused(reason) if reason.contains("expired"))
    );
    assert_eq!(bench.links("a", &links).await, links);
}

/// A webhook server and how often it was asked.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<serde_json::Value>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<F, R>(answer: F) -> Server
where
    F: Fn(serde_json::Value) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let bodies = Arc::<Mutex<Vec<serde_json::Value>>>::default();
    let (count, seen) = (Arc::clone(&asked), Arc::clone(&bodies));
    let handler = move |body: Bytes| {
        count.fetch_add(1, Ordering::Relaxed);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        seen.lock().unwrap().push(body.clone());
        answer(body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth", listener.local_addr().unwrap());
    let router = Router::new().route("/auth", post(handler));
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server {
        url,
        asked,
        bodies,
        task,
    }
}

fn by_webhook(server: &Server, timeout_ms: u64, on_error: OnError) -> Bench {
    Bench::new(Settings {
        publish: gate(GateMode::Webhook),
        play: gate(GateMode::Webhook),
        webhook: Some(WebhookSettings {
            url: server.url.clone(),
            timeout: Duration::from_millis(timeout_ms),
            keep: Duration::from_secs(60),
            on_error,
            secret: None,
        }),
    })
}

#[tokio::test]
async fn the_webhook_decides_and_players_are_asked_about_once() {
    let server = serve(|body| async move {
        match body["query"].as_str() {
            Some("u=good") => StatusCode::NO_CONTENT.into_response(),
            _ => (StatusCode::FORBIDDEN, "no such user\r\nsecond line").into_response(),
        }
    })
    .await;
    let bench = by_webhook(&server, 10_000, OnError::Allow);
    assert_eq!(bench.publish("a", "u=good").await, Ok("live/a".to_owned()));
    assert_eq!(bench.publish("a", "u=bad").await, refused("no such user"));
    let told = server.bodies.lock().unwrap().first().cloned().unwrap();
    let wanted = serde_json::json!({
        "action": "publish", "app": "live", "stream": "a", "protocol": "rtmp",
        "peer": "192.0.2.1:5000", "query": "u=good",
    });
    assert_eq!(told, wanted);
    let links = bench.links("a", "u=good").await;
    for _ in 0..10 {
        bench.links("a", "u=good").await;
        bench.links("a", &links).await;
        assert!(matches!(bench.play("a", "u=bad").await, Play::Refused(_)));
    }
    assert_eq!(server.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn with_a_secret_each_question_is_signed_as_callbacks_are() {
    use crate::callback::{Secret, signature};
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |headers: axum::http::HeaderMap, body: Bytes| {
        tell.send((headers, body)).unwrap();
        std::future::ready(StatusCode::OK)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/auth", listener.local_addr().unwrap());
    let router = Router::new().route("/auth", post(handler));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let secret = Secret::parse("whsec_c2lkZXN0cmVhbS10ZXN0LXNlY3JldC0wMA==").unwrap();
    let bench = Bench::new(Settings {
        publish: gate(GateMode::Webhook),
        webhook: Some(WebhookSettings {
            url,
            timeout: Duration::from_secs(20),
            keep: Duration::ZERO,
            on_error: OnError::Deny,
            secret: Some(secret.clone()),
        }),
        ..Settings::default()
    });
    let mut ids = Vec::new();
    for at in [1_800_000_000, 1_800_000_007] {
        assert_eq!(bench.publish("a", "").await, Ok("live/a".to_owned()));
        let (headers, body) = told.recv().await.unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("webhook-timestamp"), at.to_string());
        let id = header("webhook-id");
        let wanted = signature::standard([&secret], &id, at, &body);
        assert_eq!(header("webhook-signature"), wanted);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["action"], "publish");
        ids.push(id);
        bench.later(7);
    }
    assert!(ids[0].starts_with("ask_") && ids[0] != ids[1], "{ids:?}");
    server.abort();
}

#[tokio::test]
async fn a_webhook_that_misbehaves_is_trouble_and_trouble_is_decided_by_the_setting() {
    let server = serve(|body| async move {
        match body["stream"].as_str().unwrap() {
            "hangs" => std::future::pending().await,
            "fails" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            "busy" => StatusCode::TOO_MANY_REQUESTS.into_response(),
            "redirects" => {
                let to = [(header::LOCATION, "/auth?again")];
                (StatusCode::TEMPORARY_REDIRECT, to).into_response()
            }
            _ => panic!("closes early"),
        }
    })
    .await;
    let closed = by_webhook(&server, 300, OnError::Deny);
    let open = by_webhook(&server, 300, OnError::Allow);
    for stream in ["hangs", "fails", "busy", "redirects", "closes"] {
        let could_not = refused("permission could not be asked for; try again");
        assert_eq!(closed.publish(stream, "").await, could_not, "{stream}");
        assert!(open.publish(stream, "").await.is_ok(), "{stream}");
    }
    assert_eq!(
        server.asked.load(Ordering::Relaxed),
        10,
        "redirects are not followed"
    );
}

#[tokio::test]
async fn an_endless_refusal_is_read_no_further_than_needed() {
    // 64 KiB at a time for ever, and one byte that never gets a second.
    let server = serve(|body| async move {
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, std::convert::Infallible>(Bytes::from(vec![b'x'; 1 << 16]))
        });
        let body = match body["stream"].as_str() {
            Some("endless") => Body::from_stream(endless),
            _ => {
                let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(
                    Bytes::from_static(b"y"),
                )]);
                let drip = futures_util::StreamExt::chain(first, futures_util::stream::pending());
                Body::from_stream(drip)
            }
        };
        (StatusCode::FORBIDDEN, body).into_response()
    })
    .await;
    let bench = by_webhook(&server, 500, OnError::Deny);
    assert_eq!(bench.publish("endless", "").await, Err("x".repeat(200)));
    let dripped = bench.publish("drips", "").await;
    assert_eq!(
        dripped,
        refused("y"),
        "a refusal whose reason does not come to its end"
    );
}

#[tokio::test]
async fn players_that_hang_do_not_hold_publishers() {
    let server = serve(|body| async move {
        match body["action"].as_str() {
            Some("play") => std::future::pending().await,
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let bench = Arc::new(by_webhook(&server, 20_000, OnError::Deny));
    let mut players = tokio::task::JoinSet::new();
    for number in 0..300 {
        let bench = Arc::clone(&bench);
        players.spawn(async move { bench.play("a", &format!("n={number}")).await });
    }
    let published = async {
        for _ in 0..20 {
            assert!(bench.publish("a", "").await.is_ok());
        }
    };
    tokio::time::timeout(Duration::from_secs(15), published)
        .await
        .unwrap();
    assert_eq!(players.len(), 300);
    assert!(players.try_join_next().is_none(), "players still wait");
}
