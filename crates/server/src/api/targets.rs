//! Where a channel is pushed to.

use http::StatusCode;
use http::header::{ETAG, LOCATION};
use serde::Serialize;
use utoipa::ToSchema;

use super::PushTarget;
use super::answer::Answer;
use super::ask::Ask;
use super::channel_start::NewTarget;
use super::channels::id;
use super::input::{ChannelIdText, Text, Title, Url, Whole, input};
use super::route::Route;
use super::view::{Page, TargetView, etag};
use super::words::OnFail;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/targets", "Push targets of all channels", overview)
            .query::<Which>()
            .answers::<Page<PushView>>(200),
        Route::get(
            "/v1/channels/{channel_id}/targets",
            "Push targets of a channel",
            list,
        )
        .parameter::<ChannelIdText>("channel_id")
        .answers::<Page<TargetView>>(200),
        Route::post(
            "/v1/channels/{channel_id}/targets",
            "Pushes a channel to one more place",
            add,
        )
        .parameter::<ChannelIdText>("channel_id")
        .body::<NewTarget>(
            r#"{"url": "rtmp://203.0.113.9/live/KEY", "name": "mirror", "on_fail": "retry"}"#,
        )
        .answers::<TargetView>(201),
        Route::patch(
            "/v1/channels/{channel_id}/targets/{target_id}",
            "Changes a push target",
            change,
        )
        .parameter::<ChannelIdText>("channel_id")
        .body::<Change>(r#"{"name": "second mirror"}"#)
        .answers::<TargetView>(200),
        Route::delete(
            "/v1/channels/{channel_id}/targets/{target_id}",
            "Ends a push",
            remove,
        )
        .parameter::<ChannelIdText>("channel_id")
        .empty(204),
    ]
}

input! {
    /// Which push targets.
    pub(super) struct Which {
        /// Targets of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

/// A push target and what its push says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = TargetPush)]
pub(super) struct PushView {
    #[serde(flatten)]
    target: TargetView,
    /// The stream that is pushed: `{app}/{stream_id}`.
    stream: String,
    /// Null while nothing is pushed.
    push: Option<PushTarget>,
}

input! {
    /// A change of a push target; what is absent stays. Another URL starts the push anew.
    pub(super) struct Change {
        /// Where to: `rtmp://` or `rtmps://`.
        url: Option<Url> = None,
        /// For people.
        name: Option<Title> = None,
        /// What it does when it has failed.
        on_fail: Option<OnFail> = None,
    }
}

async fn overview(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let page = super::page(which.limit, which.cursor);
    let targets = ask.control()?.targets(page).await;
    let targets = targets.map_err(|error| ask.refused(error))?;
    let items = targets.items.iter().map(|(target, stream)| {
        let name: Result<media::StreamName, _> = stream.parse();
        let pushes = name.map(|name| ask.shared.targets.of(&name));
        let id = target.id.to_string();
        let push = pushes.into_iter().flatten().find(|push| push.id == id);
        PushView {
            target: TargetView::from(target),
            stream: stream.clone(),
            push,
        }
    });
    let page = Page {
        items: items.collect(),
        next_cursor: targets.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let view = ask.control()?.channel(id(&ask)?).await;
    let view = view.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: view.targets.iter().map(TargetView::from).collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn add(ask: Ask) -> Result<Answer, Problem> {
    let id = id(&ask)?;
    let target: NewTarget = ask.body()?;
    let target = ask.control()?.add_target(id, target.asked()).await;
    let target = target.map_err(|error| ask.refused(error))?;
    let location = format!("/v1/channels/{id}/targets/{}", target.id);
    let answer = ask.json(StatusCode::CREATED, &TargetView::from(&target));
    Ok(answer.with(LOCATION, &location))
}

async fn change(ask: Ask) -> Result<Answer, Problem> {
    let (channel, target) = (id(&ask)?, ask.id("target_id")?);
    let change: Change = ask.body()?;
    let (url, name) = (change.url.map(|url| url.0), change.name.map(|name| name.0));
    let on_fail = change.on_fail.map(Into::into);
    let (control, version) = (ask.control()?, ask.if_match()?);
    let target = control
        .update_target(channel, target, url, name, on_fail, version)
        .await;
    let target = target.map_err(|error| ask.refused(error))?;
    let answer = ask.json(StatusCode::OK, &TargetView::from(&target));
    Ok(answer.with(ETAG, &etag(target.version)))
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let (channel, target) = (id(&ask)?, ask.id("target_id")?);
    let removed = ask.control()?.remove_target(channel, target).await;
    removed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}
