//! The event log, in pages and as it grows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use control::{ChannelId, Control, EventFilter, EventId, EventKind};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::answer::{Answer, Content};
use super::ask::Ask;
use super::input::{ChannelIdText, Input, List, Name, Place, Whole, input};
use super::route::Route;
use super::view::{EventView, Page};
use crate::error::{Problem, Reason, to_json};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A comment is sent after this time without an event, so that what lies between keeps the
/// connection, and we notice when it is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events read from the log at once, and so the most that a connection holds.
const BATCH: u32 = 200;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/events", "Events, in order", list)
            .query::<Which>()
            .answers::<Page<EventView>>(200),
        Route::get(
            "/v1/events/stream",
            "Events as they happen (server-sent events)",
            follow,
        )
        .query::<Follow>()
        .sends(200, "text/event-stream"),
    ]
}

input! {
    /// Which events.
    pub(super) struct Which {
        /// Behind this place of the log: a `seq`, or an event's id.
        after: After = After(0),
        /// Of these types.
        types: List<Type, 0, 32> = List::empty(),
        /// Of this room.
        room: Option<Name> = None,
        /// Of this channel.
        channel_id: Option<ChannelIdText> = None,
        /// Events of a page.
        limit: Whole<1, 1000> = Whole::of(100),
    }
}

input! {
    /// Which events to follow.
    pub(super) struct Follow {
        /// Behind this place of the log; from now on when absent. `Last-Event-ID` goes before it.
        after: Option<After> = None,
        /// Of these types.
        types: List<Type, 0, 32> = List::empty(),
        /// Of this room.
        room: Option<Name> = None,
        /// Of this channel.
        channel_id: Option<ChannelIdText> = None,
    }
}

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct After(u64);

impl After {
    fn parse(text: &str) -> Option<Self> {
        let id = || text.parse::<EventId>().ok().map(EventId::seq);
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = || text.parse().ok().filter(|_| is_number);
        number().or_else(id).map(Self)
    }
}

impl Input for After {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let text = match value {
            serde_json::Value::Number(number) => number.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        Self::parse(&text).or_else(|| at.wrong("is a place in the log (seq) or an event's id"))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({
            "type": "string", "pattern": "^([0-9]{1,18}|evt_[0-7][0-9A-HJKMNP-TV-Z]{25})$",
        })
    }
}

/// An event's type, or the beginning of some and `.*`.
#[derive(Clone, Debug)]
pub(super) struct Type(Vec<EventKind>);

impl Input for Type {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let pattern = value.as_str().unwrap_or_default();
        let all = EventKind::ALL.iter().copied();
        let kinds: Vec<EventKind> = all.filter(|kind| kind.matches(pattern)).collect();
        if kinds.is_empty() {
            let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
            return at.wrong(super::input::unknown_word(value.as_str(), value, &words));
        }
        Some(Self(kinds))
    }

    fn schema() -> serde_json::Value {
        let mut words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        words.extend([
            "*",
            "ingest.*",
            "channel.*",
            "recording.*",
            "recording.file.*",
        ]);
        serde_json::json!({"type": "string", "enum": words})
    }
}

fn kinds(types: List<Type, 0, 32>) -> Vec<EventKind> {
    let mut kinds: Vec<EventKind> = types.0.into_iter().flat_map(|kind| kind.0).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let limit = which.limit.small();
    let filter = EventFilter {
        after: which.after.0,
        app_id: None,
        room_id: which.room.map(|room| room.0),
        channel_id: which.channel_id.map(|id| ChannelId(id.0)),
        kinds: kinds(which.types),
        limit,
    };
    let events = ask.control()?.events(filter).await;
    let events = events.map_err(|error| ask.refused(error))?;
    let is_full = u32::try_from(events.len()).is_ok_and(|len| len >= limit);
    let last = events.last().filter(|_| is_full);
    let page = Page {
        items: events.iter().map(EventView::from).collect(),
        next_cursor: last.map(|event| event.seq.to_string()),
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn follow(ask: Ask) -> Result<Answer, Problem> {
    let follow: Follow = ask.query()?;
    let control = ask.control()?.clone();
    let news = control.news();
    let after = match (ask.header(LAST_EVENT_ID), follow.after) {
        (Some(text), _) => After::parse(text).ok_or_else(|| {
            let detail = "Last-Event-ID is not an id that this stream gave";
            Problem::new(Reason::REQUEST_UNPARSABLE, detail)
        })?,
        (None, Some(after)) => after,
        (None, None) => After(*news.borrow()),
    };
    let filter = EventFilter {
        after: after.0,
        app_id: None,
        room_id: follow.room.map(|room| room.0),
        channel_id: follow.channel_id.map(|id| ChannelId(id.0)),
        kinds: kinds(follow.types),
        limit: BATCH,
    };
    let follower = Follower {
        control,
        news,
        filter,
        ready: VecDeque::from([Bytes::from_static(b": events follow\n\n")]),
        stop: ask.shared.stop.clone(),
    };
    let events = stream::unfold(follower, async |mut follower| {
        let bytes = follower.next().await?;
        Some((Ok::<_, Infallible>(bytes), follower))
    });
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(CONTENT_TYPE, media_type);
    Ok(Answer {
        status: StatusCode::OK,
        headers,
        body: Content::Flow(Body::from_stream(events)),
    })
}

/// One client that follows the log. It is pulled by the connection: a client that does not read
/// holds one batch and its place, nothing else.
struct Follower {
    control: Control,
    news: tokio::sync::watch::Receiver<u64>,
    filter: EventFilter,
    ready: VecDeque<Bytes>,
    stop: tokio_util::sync::CancellationToken,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            // What is new after this line wakes us below.
            let newest = *self.news.borrow_and_update();
            if newest > self.filter.after {
                // A log that cannot be read ends the stream; the client comes back to its place.
                let events = self.control.events(self.filter.clone()).await.ok()?;
                let is_full = u32::try_from(events.len()).is_ok_and(|len| len >= BATCH);
                self.filter.after = match events.last() {
                    Some(last) if is_full => last.seq,
                    last => last.map_or(newest, |last| last.seq.max(newest)),
                };
                self.ready.extend(events.iter().map(message));
                if is_full || !self.ready.is_empty() {
                    continue;
                }
            }
            // No branch loses anything: the place in the log is what counts.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                changed = self.news.changed() => changed.ok()?,
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    return Some(Bytes::from_static(b": still here\n\n"));
                }
            }
        }
    }
}

/// An event as the wire has it; JSON on one line has no line breaks inside.
fn message(event: &control::Event) -> Bytes {
    let json = to_json(&EventView::from(event), false);
    let text = format!("id: {}\nevent: {}\ndata: {json}\n", event.id, event.kind);
    Bytes::from(text)
}
