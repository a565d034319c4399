//! Channels: what there is, changes, stops.

use control::request::{self, StopEffect};
use control::{ChannelId, Reason as ControlReason};
use http::StatusCode;
use http::header::ETAG;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::channel_start::{NewTarget, RecordWith, stored};
use super::input::{
    ChannelIdText, Description, List, Metadata, Name, Patch, Text, Title, Whole, input,
};
use super::route::Route;
use super::view::{ChannelView, Page, RecordingView, TargetView, Urls, urls};
use super::words::{ChannelState, Origin, Protocol, Source};
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/rooms/{room}/channels:stop",
            "Stops channels of a room: these, or those of a user",
            stop_many,
        )
        .parameter::<Name>("room")
        .body::<StopMany>(r#"{"channel_ids": ["734512009871", -2353318346053049378]}"#)
        .answers::<StopResults>(200),
        Route::get("/v1/channels", "Channels", list)
            .query::<Which>()
            .answers::<Page<ChannelView>>(200),
        Route::get("/v1/channels/{channel_id}", "One channel", show)
            .parameter::<ChannelIdText>("channel_id")
            .answers::<ChannelDetail>(200),
        Route::patch("/v1/channels/{channel_id}", "Changes a channel", change)
            .parameter::<ChannelIdText>("channel_id")
            .body::<Change>(r#"{"name": "lesson 2", "metadata": {"order": "43"}}"#)
            .answers::<ChannelDetail>(200),
        Route::post("/v1/channels/{channel_id}:stop", "Stops a channel", stop)
            .parameter::<ChannelIdText>("channel_id")
            .answers::<StopResult>(200),
        Route::get(
            "/v1/channels/{channel_id}/urls",
            "Where a channel plays",
            play_urls,
        )
        .parameter::<ChannelIdText>("channel_id")
        .answers::<Urls>(200),
        Route::get(
            "/v1/channels/{channel_id}/stats",
            "What a channel carries now",
            stats,
        )
        .parameter::<ChannelIdText>("channel_id")
        .answers::<Stats>(200),
    ]
}

input! {
    /// Which channels.
    pub(super) struct Which {
        /// In this state.
        state: Option<ChannelState> = None,
        /// Of this app.
        app_id: Option<Name> = None,
        /// Of this room.
        room: Option<Name> = None,
        /// Of this user.
        user: Option<Name> = None,
        /// Managed by whom.
        origin: Option<Origin> = None,
        /// Channels of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

input! {
    /// Which channels to stop.
    pub(super) struct StopMany {
        /// Leads to the room when its id is 0.
        relation_id: Option<Whole<0, 4_294_967_295>> = None,
        /// These; signed or unsigned, as text or number.
        channel_ids: List<ChannelIdText, 0, 1000> = List::empty(),
        /// Without ids: those of this user.
        user_id: Option<Name> = None,
        /// Without ids: of this source. With ids: what they have to be.
        source: Option<Source> = None,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
    }
}

input! {
    /// A change of a channel; what is absent stays.
    pub(super) struct Change {
        /// For people.
        name: Option<Title> = None,
        /// For people.
        description: Option<Description> = None,
        /// What players have to say; null takes it away.
        password: Patch<Text<1, 128>> = Patch::Keep,
        /// Your own, replaced whole.
        metadata: Option<Metadata> = None,
        /// How it is to be watched.
        protocols: Option<List<Protocol, 1, 8>> = None,
        /// Its recording: other formats end the one that runs; null ends it.
        record: Patch<RecordWith> = Patch::Keep,
        /// Its push targets, compared by URL: missing ones end, new ones begin.
        targets: Option<List<NewTarget, 0, 10>> = None,
        /// Your own number of the change; has to grow.
        sequence: Option<Whole<0, 9_007_199_254_740_991>> = None,
    }
}

/// A channel and what belongs to it.
#[derive(Serialize, ToSchema)]
pub(super) struct ChannelDetail {
    #[serde(flatten)]
    channel: ChannelView,
    recordings: Vec<RecordingView>,
    targets: Vec<TargetView>,
}

/// What a stop did.
#[derive(Serialize, ToSchema)]
pub(super) struct StopResults {
    results: Vec<StopResult>,
}

/// What a stop did to one channel.
#[derive(Serialize, ToSchema)]
pub(super) struct StopResult {
    channel_id: String,
    /// `stopped`, `ignored_auto`, `already_stopped`, `not_found`, `not_in_room`.
    effect: String,
    /// 0, or the number of the error.
    code: u32,
    /// The number of what is no error and worth knowing.
    note: Option<u32>,
    state: Option<String>,
}

/// What a channel carries now.
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelStats)]
pub(super) struct Stats {
    channel_id: String,
    stream: String,
    state: String,
    /// Whether the stream is there.
    is_publishing: bool,
    bitrate_bps: u64,
    bytes_in: u64,
    bytes_out: u64,
    viewers: usize,
    gop_ms: Option<i64>,
    av_offset_ms: Option<i64>,
    gaps: u64,
}

pub(super) fn id(ask: &Ask) -> Result<ChannelId, Problem> {
    let id: ChannelIdText = ask.parameter("channel_id")?;
    Ok(ChannelId(id.0))
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let filter = request::ChannelFilter {
        state: which.state.map(Into::into),
        app_id: which.app_id.map(|id| id.0),
        room_id: which.room.map(|id| id.0),
        user_id: which.user.map(|id| id.0),
        stream: None,
        origin: which.origin.map(Into::into),
    };
    let page = super::page(which.limit, which.cursor);
    let channels = ask.control()?.channels(filter, page).await;
    let channels = channels.map_err(|error| ask.refused(error))?;
    let items = channels.items.into_iter();
    let page = Page {
        items: items
            .map(|view| ChannelView::shown(view.channel, view.state, &ask))
            .collect(),
        next_cursor: channels.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let view = ask.control()?.channel(id(&ask)?).await;
    let view = view.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, view))
}

fn shown(ask: &Ask, view: request::ChannelView) -> Answer {
    let channel = ChannelView::shown(view.channel, view.state, ask);
    let etag = channel.etag.clone();
    let detail = ChannelDetail {
        channel,
        recordings: view.recordings.iter().map(RecordingView::from).collect(),
        targets: view.targets.iter().map(TargetView::from).collect(),
    };
    ask.json(StatusCode::OK, &detail).with(ETAG, &etag)
}

async fn change(ask: Ask) -> Result<Answer, Problem> {
    let id = id(&ask)?;
    let change: Change = ask.body()?;
    let expect = request::Expect {
        version: ask.if_match()?,
        sequence: change.sequence.map(Whole::unsigned),
    };
    let change = request::ChannelChange {
        name: change.name.map(|name| name.0),
        description: change.description.map(|text| text.0),
        password: change.password.told().map(|word| word.map(|word| word.0)),
        metadata: change.metadata.map(stored),
        protocols: change
            .protocols
            .map(|list| list.0.into_iter().map(Into::into).collect()),
        record: change
            .record
            .told()
            .map(|record| record.map(RecordWith::asked)),
        targets: change
            .targets
            .map(|list| list.0.into_iter().map(NewTarget::asked).collect()),
    };
    let view = ask.control()?.update_channel(id, change, expect).await;
    let view = view.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, view))
}

async fn stop(ask: Ask) -> Result<Answer, Problem> {
    let stopped = ask.control()?.stop_channel(id(&ask)?).await;
    let stopped = stopped.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &StopResult::of(&stopped)))
}

async fn stop_many(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let stop: StopMany = ask.body()?;
    let stop = request::Stop {
        place: request::Place {
            app_id: stop.app_id.map(|id| id.0),
            room_id: room.0,
            relation_id: stop.relation_id.map(Whole::small),
        },
        ids: stop
            .channel_ids
            .0
            .iter()
            .map(|id| ChannelId(id.0))
            .collect(),
        user_id: stop.user_id.map(|id| id.0),
        source: stop.source.map(Into::into),
    };
    let stopped = ask.control()?.stop(stop).await;
    let stopped = stopped.map_err(|error| ask.refused(error))?;
    let results = StopResults {
        results: stopped.iter().map(StopResult::of).collect(),
    };
    Ok(ask.json(StatusCode::OK, &results))
}

impl StopResult {
    fn of(stopped: &request::Stopped) -> Self {
        let reason = stopped.effect.reason();
        let is_note = matches!(
            stopped.effect,
            StopEffect::Stopped | StopEffect::IgnoredAuto | StopEffect::AlreadyStopped
        );
        let number = reason.map(ControlReason::code);
        let channel = stopped.channel.as_ref();
        Self {
            channel_id: stopped.id.to_string(),
            effect: stopped.effect.as_str().to_owned(),
            code: if is_note {
                0
            } else {
                number.unwrap_or_default()
            },
            note: number.filter(|_| is_note),
            state: channel.map(|channel| channel.state.to_string()),
        }
    }
}

async fn play_urls(ask: Ask) -> Result<Answer, Problem> {
    let view = ask.control()?.channel(id(&ask)?).await;
    let view = view.map_err(|error| ask.refused(error))?;
    let answer = Urls {
        channel_id: view.channel.id.to_string(),
        urls: urls(&view.channel, &ask.shared, &ask.urls()),
    };
    Ok(ask.json(StatusCode::OK, &answer))
}

async fn stats(ask: Ask) -> Result<Answer, Problem> {
    let view = ask.control()?.channel(id(&ask)?).await;
    let view = view.map_err(|error| ask.refused(error))?;
    let name = view.channel.stream.parse::<media::StreamName>();
    let stream = name.ok().and_then(|name| ask.shared.hub.stream(&name));
    let figures = stream.as_ref().map(|stream| stream.stats());
    let figures = figures.as_ref();
    let viewers = stream.as_ref().map(|stream| stream.viewers());
    let answer = Stats {
        channel_id: view.channel.id.to_string(),
        stream: view.channel.stream.clone(),
        state: view.state.to_string(),
        is_publishing: stream
            .as_ref()
            .is_some_and(|stream| stream.publisher().is_some()),
        bitrate_bps: figures.map_or(0, |stats| stats.bitrate_bps),
        bytes_in: figures.map_or(0, |stats| stats.bytes_in),
        bytes_out: viewers.map_or(0, |viewers| viewers.bytes_out()),
        viewers: viewers.map_or(0, |viewers| viewers.count()),
        gop_ms: figures.and_then(|stats| stats.gop_ms),
        av_offset_ms: figures.and_then(|stats| stats.timing.av_offset_ms),
        gaps: figures.map_or(0, |stats| stats.timing.gaps),
    };
    Ok(ask.json(StatusCode::OK, &answer))
}
