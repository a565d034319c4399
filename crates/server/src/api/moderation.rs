//! Streams by their codes: who may publish them.

use control::model::ChannelState;
use control::request;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Text, Time, input};
use super::route::Route;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/streams/{stream_id}", "One stream, by its code", show)
            .parameter::<Text<1, 255>>("stream_id")
            .answers::<StreamView>(200),
        Route::post(
            "/v1/streams/{stream_id}:drop",
            "Sends the publisher away",
            drop_publisher,
        )
        .parameter::<Text<1, 255>>("stream_id")
        .optional_body::<Why>(r#"{"reason": "maintenance"}"#)
        .answers::<Moderated>(200),
        Route::post(
            "/v1/streams/{stream_id}:forbid",
            "Forbids publishing for a time",
            forbid,
        )
        .parameter::<Text<1, 255>>("stream_id")
        .optional_body::<Ban>(r#"{"reason": "moderation"}"#)
        .answers::<Moderated>(200),
        Route::post(
            "/v1/streams/{stream_id}:resume",
            "Allows publishing again",
            resume,
        )
        .parameter::<Text<1, 255>>("stream_id")
        .answers::<Moderated>(200),
    ]
}

input! {
    /// Why a publisher is sent away.
    pub(super) struct Why {
        /// Told to the publisher.
        reason: Text<0, 256> = Text::empty(),
    }
}

input! {
    /// A ban.
    pub(super) struct Ban {
        /// Until when; at most 90 days ahead, and that when absent.
        until: Option<Time> = None,
        /// Told to the publisher.
        reason: Text<0, 256> = Text::empty(),
    }
}

/// A stream as the control plane knows it.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamControl)]
pub(super) struct StreamView {
    stream_id: String,
    stream: String,
    /// That of its channel, or `forbidden`, or `unserved`.
    state: String,
    room_id: String,
    user_id: String,
    source: String,
    is_publishing: bool,
    channel_id: Option<String>,
    forbidden_until: Option<String>,
    forbid_reason: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Moderated {
    #[serde(flatten)]
    stream: StreamView,
    /// Until when it is forbidden.
    until: Option<String>,
    /// Whether a publisher was sent away.
    dropped: bool,
}

impl From<&request::StreamInfo> for StreamView {
    fn from(info: &request::StreamInfo) -> Self {
        let source = &info.source;
        Self {
            stream_id: source.stream_id().to_owned(),
            stream: source.stream.clone(),
            state: info
                .state
                .map_or("unserved", ChannelState::as_str)
                .to_owned(),
            room_id: source.room_id.clone(),
            user_id: source.user_id.clone(),
            source: source.source.to_string(),
            is_publishing: source.session.is_some(),
            channel_id: info.channel.as_ref().map(|channel| channel.id.to_string()),
            forbidden_until: source.forbidden_until.map(|at| at.to_string()),
            forbid_reason: source.forbid_reason.clone(),
        }
    }
}

impl From<&request::Moderated> for Moderated {
    fn from(moderated: &request::Moderated) -> Self {
        let stream = StreamView::from(&moderated.stream);
        Self {
            until: stream.forbidden_until.clone(),
            stream,
            dropped: moderated.dropped,
        }
    }
}

fn said(reason: Text<0, 256>) -> Option<String> {
    Some(reason.0).filter(|reason| !reason.is_empty())
}

fn stream_id(ask: &Ask) -> Result<String, Problem> {
    let id: Text<1, 255> = ask.parameter("stream_id")?;
    Ok(id.0)
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let stream = ask.control()?.stream(stream_id(&ask)?).await;
    let stream = stream.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &StreamView::from(&stream)))
}

async fn drop_publisher(ask: Ask) -> Result<Answer, Problem> {
    let why: Why = ask.optional_body()?;
    let dropped = ask
        .control()?
        .drop_stream(stream_id(&ask)?, said(why.reason))
        .await;
    let dropped = dropped.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &Moderated::from(&dropped)))
}

async fn forbid(ask: Ask) -> Result<Answer, Problem> {
    let ban: Ban = ask.optional_body()?;
    let control = ask.control()?;
    let until = ban
        .until
        .map(|until| control::UnixMs(until.0.as_millisecond()));
    let forbidden = control
        .forbid_stream(stream_id(&ask)?, until, said(ban.reason))
        .await
        .map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &Moderated::from(&forbidden)))
}

async fn resume(ask: Ask) -> Result<Answer, Problem> {
    let resumed = ask.control()?.resume_stream(stream_id(&ask)?).await;
    let resumed = resumed.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &Moderated::from(&resumed)))
}
