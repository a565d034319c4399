//! Credentials to publish with.

use std::time::Duration;

use control::{IssueKey, request};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Name, Whole, choice, input};
use super::route::Route;
use super::words::Source;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/rooms/{room}/members/{user}/ingests",
            "Hands out a key to publish with",
            issue,
        )
        .needs(Scope::Publish)
        .parameter::<Name>("room")
        .parameter::<Name>("user")
        .optional_body::<Ingest>(r#"{"protocol": "rtmp", "source": "main", "ttl_s": 3600}"#)
        .answers::<Issued>(201),
    ]
}

choice! {
    /// How it is to be published.
    pub(super) enum IngestProtocol {
        Rtmp = "rtmp",
    }
}

input! {
    /// What is to be published.
    pub(super) struct Ingest {
        /// How.
        protocol: IngestProtocol = IngestProtocol::Rtmp,
        /// Which of the user's sources.
        source: Source = Source::Main,
        /// How long the key opens, in seconds.
        ttl_s: Whole<1, 31_536_000> = Whole::of(86_400),
        /// Whether it opens once only.
        once: bool = false,
        /// Your own number for what is recorded of it.
        record_id: Option<Whole<0, 4_294_967_295>> = None,
        /// Leads to the room when its id is 0.
        relation_id: Option<Whole<0, 4_294_967_295>> = None,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
    }
}

/// A key to publish with, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = Ingest)]
pub(super) struct Issued {
    protocol: String,
    /// The whole URL, for encoders that take one.
    url: Option<String>,
    /// The first part of it: what OBS calls server.
    server: Option<String>,
    /// The rest: what OBS calls stream key.
    stream_key: String,
    /// The stream that it becomes.
    stream: String,
    stream_id: String,
    expires_at: String,
}

async fn issue(ask: Ask) -> Result<Answer, Problem> {
    let (room, user): (Name, Name) = (ask.parameter("room")?, ask.parameter("user")?);
    let ingest: Ingest = ask.optional_body()?;
    let IngestProtocol::Rtmp = ingest.protocol;
    let request = IssueKey {
        place: request::Place {
            app_id: ingest.app_id.map(|id| id.0),
            room_id: room.0,
            relation_id: ingest.relation_id.map(Whole::small),
        },
        user_id: user.0,
        source: ingest.source.into(),
        life: Some(Duration::from_secs(ingest.ttl_s.unsigned())),
        once: ingest.once,
        record_id: ingest.record_id.map(Whole::small),
    };
    let issued = ask.control()?.issue_publish_key(request).await;
    let issued = issued.map_err(|error| ask.refused(error))?;
    let stream_key = format!("{}?{}", issued.key.reveal(), issued.query);
    let (app, code) = issued
        .stream
        .rsplit_once('/')
        .unwrap_or(("", &issued.stream));
    let base = ask.shared.rtmp_base(&ask.urls());
    let server = base.map(|base| format!("{base}/{app}"));
    let answer = Issued {
        protocol: "rtmp".to_owned(),
        url: server
            .as_ref()
            .map(|server| format!("{server}/{stream_key}")),
        server,
        stream_key,
        stream_id: code.to_owned(),
        stream: issued.stream.clone(),
        expires_at: issued.expires_at.to_string(),
    };
    Ok(ask.json(StatusCode::CREATED, &answer))
}
