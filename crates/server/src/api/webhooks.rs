//! Callback endpoints.

use std::time::Duration;

use control::callback::{
    Acknowledgement, MaxAge, NewWebhook, Replay, Scope as Subject, Webhook, WebhookPatch,
    WebhookState,
};
use control::{EventKind, UnixMs};
use http::StatusCode;
use http::header::{ETAG, LOCATION};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Input, List, Name, Place, Text, Time, Url, Whole, choice, input};
use super::route::Route;
use super::view::{Page, etag};
use crate::error::Problem;

const ONE: &str = "/v1/webhooks/{webhook_id}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/webhooks", "Callback endpoints", list).answers::<Page<WebhookView>>(200),
        Route::post("/v1/webhooks", "Makes a callback endpoint", create)
            .needs(Scope::Admin)
            .body::<New>(
                r#"{"url": "https://app.example/callback", "profile": "tencent_lvb",
                    "types": ["channel.*", "recording.file.completed"], "ack": "status_200",
                    "timeout_s": 20, "max_age": "72h", "scope": {"app": "live"}}"#,
            )
            .answers::<Created>(201),
        Route::get(ONE, "One callback endpoint", show).answers::<WebhookView>(200),
        Route::patch(ONE, "Changes a callback endpoint", change)
            .needs(Scope::Admin)
            .body::<Change>(r#"{"types": ["channel.started", "channel.ended"]}"#)
            .answers::<WebhookView>(200),
        Route::delete(
            ONE,
            "Removes a callback endpoint and what waits for it",
            remove,
        )
        .needs(Scope::Admin)
        .empty(204),
        Route::post(
            "/v1/webhooks/{webhook_id}:rotate-secret",
            "Gives an endpoint a new secret; the old one signs beside it for a day",
            rotate,
        )
        .needs(Scope::Admin)
        .optional_body::<Rotate>("{}")
        .answers::<Created>(200),
        Route::post(
            "/v1/webhooks/{webhook_id}:test",
            "Sends a made-up event at once",
            test,
        )
        .needs(Scope::Admin)
        .optional_body::<Test>(r#"{"type": "channel.started"}"#)
        .answers::<Tested>(200),
        Route::post(
            "/v1/webhooks/{webhook_id}:replay",
            "Sends the events of a span of time again",
            replay,
        )
        .needs(Scope::Admin)
        .body::<ReplayOf>(
            r#"{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
                "types": ["recording.file.completed"]}"#,
        )
        .answers::<Queued>(202),
    ]
}

choice! {
    /// The form, the signature and the manners of callbacks.
    pub(super) enum Profile {
        Native = "native",
        TencentLvb = "tencent_lvb",
        TencentCss = "tencent_css",
    }
}

impl From<Profile> for control::callback::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Native => Self::Native,
            Profile::TencentLvb => Self::TencentLvb,
            Profile::TencentCss => Self::TencentCss,
        }
    }
}

choice! {
    /// Which answer ends a delivery.
    pub(super) enum Ack {
        AnySuccess = "any_2xx",
        Status200 = "status_200",
        Status200AndCode0 = "status_200_and_code_0",
    }
}

impl From<Ack> for Acknowledgement {
    fn from(ack: Ack) -> Self {
        match ack {
            Ack::AnySuccess => Self::AnySuccess,
            Ack::Status200 => Self::Status200,
            Ack::Status200AndCode0 => Self::Status200AndCode0,
        }
    }
}

choice! {
    /// Whether an endpoint is called.
    pub(super) enum State {
        Active = "active",
        Disabled = "disabled",
    }
}

/// A time like `72h`, `30m` or `90s`; `0` is never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age(MaxAge);

impl Input for Age {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let text = value.as_str().unwrap_or_default();
        if text == "0" {
            return Some(Self(MaxAge::Never));
        }
        let (digits, unit) = text
            .split_at_checked(text.len().saturating_sub(1))
            .unwrap_or_default();
        let seconds: Option<u64> = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            _ => None,
        };
        let is_number =
            (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let age = digits
            .parse::<u64>()
            .ok()
            .filter(|_| is_number)
            .zip(seconds);
        let age = age.map(|(count, unit)| Self(MaxAge::After(Duration::from_secs(count * unit))));
        age.or_else(|| at.wrong("is a time like \"72h\", \"30m\" or \"90s\", or \"0\" for never"))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^([1-9][0-9]{0,2}h|0)$"})
    }
}

input! {
    /// A callback endpoint to be made.
    pub(super) struct New {
        /// Where to POST.
        url: Url,
        /// Form, signature and manners.
        profile: Profile = Profile::Native,
        /// Types of events: `*`, `channel.*`, `recording.file.completed`; all when empty.
        types: List<Text<1, 64>, 0, 64> = List::empty(),
        /// The shared secret; one is drawn when absent, and shown once.
        secret: Option<Text<1, 128>> = None,
        /// What ends a delivery; what the profile usually takes when absent.
        ack: Option<Ack> = None,
        /// How long an attempt may take, in seconds.
        timeout_s: Option<Whole<1, 60>> = None,
        /// Age at which a delivery is given up.
        max_age: Option<Age> = None,
        /// What else an event must be about.
        scope: About = About { app: None, app_id: None, room_id: None },
    }
}

input! {
    /// What events must be about.
    pub(super) struct About {
        /// The first part of the stream's name.
        app: Option<Name> = None,
        /// The app.
        app_id: Option<Name> = None,
        /// The room.
        room_id: Option<Name> = None,
    }
}

input! {
    /// A change of a callback endpoint; what is absent stays.
    pub(super) struct Change {
        /// Where to POST.
        url: Option<Url> = None,
        /// Form, signature and manners.
        profile: Option<Profile> = None,
        /// Types of events.
        types: Option<List<Text<1, 64>, 0, 64>> = None,
        /// What ends a delivery.
        ack: Option<Ack> = None,
        /// How long an attempt may take, in seconds.
        timeout_s: Option<Whole<1, 60>> = None,
        /// Age at which a delivery is given up.
        max_age: Option<Age> = None,
        /// What else an event must be about.
        scope: Option<About> = None,
        /// Whether it is called.
        state: Option<State> = None,
    }
}

input! {
    /// A new secret.
    pub(super) struct Rotate {
        /// The secret; one is drawn when absent, and shown once.
        secret: Option<Text<1, 128>> = None,
    }
}

input! {
    /// What to send.
    pub(super) struct Test {
        /// The type of the made-up event.
        r#type: Option<Kind> = None,
    }
}

input! {
    /// Which events to send again.
    pub(super) struct ReplayOf {
        /// Written at this moment or later.
        from: Time,
        /// Written before this moment.
        to: Time,
        /// Types of events; those of the endpoint when empty.
        types: List<Text<1, 64>, 0, 64> = List::empty(),
    }
}

/// A type of events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(EventKind);

impl Input for Kind {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let kind = value.as_str().and_then(|text| text.parse().ok());
        kind.map(Self).or_else(|| {
            let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
            at.wrong(super::input::unknown_word(value.as_str(), value, &words))
        })
    }

    fn schema() -> serde_json::Value {
        let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        serde_json::json!({"type": "string", "enum": words})
    }
}

/// A callback endpoint, without its secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    webhook_id: String,
    /// `api`, or `config`: then it is changed there.
    origin: String,
    /// The values of its query are starred.
    url: String,
    profile: String,
    types: Vec<String>,
    scope: ScopeView,
    ack: String,
    timeout_s: u64,
    /// Null is never.
    max_age_s: Option<u64>,
    /// `active` or `disabled`.
    state: String,
    disabled_reason: Option<String>,
    failing_since: Option<String>,
    created_at: String,
    etag: String,
}

/// What events must be about.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookScope)]
struct ScopeView {
    app: Option<String>,
    app_id: Option<String>,
    room_id: Option<String>,
}

/// An endpoint and, once, the secret that was drawn for it.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookCreated)]
pub(super) struct Created {
    #[serde(flatten)]
    webhook: WebhookView,
    secret: Option<String>,
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTested)]
pub(super) struct Tested {
    acknowledged: bool,
    took_ms: u64,
    status: Option<u16>,
    error: Option<String>,
    /// The first bytes of the answer.
    answer: Option<String>,
}

/// What a replay queued.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookReplayed)]
pub(super) struct Queued {
    queued: usize,
}

impl From<&Webhook> for WebhookView {
    fn from(webhook: &Webhook) -> Self {
        Self {
            webhook_id: webhook.id.to_string(),
            origin: webhook.origin.to_string(),
            url: webhook.shown_url(),
            profile: webhook.profile.to_string(),
            types: webhook.types.clone(),
            scope: ScopeView {
                app: webhook.scope.app.clone(),
                app_id: webhook.scope.app_id.clone(),
                room_id: webhook.scope.room_id.clone(),
            },
            ack: webhook.acknowledgement.to_string(),
            timeout_s: webhook.timeout.as_secs(),
            max_age_s: webhook.max_age.map(|age| age.as_secs()),
            state: webhook.state.to_string(),
            disabled_reason: webhook.disabled_reason.clone(),
            failing_since: webhook.failing_since.map(|at| at.to_string()),
            created_at: webhook.created_at.to_string(),
            etag: etag(webhook.version),
        }
    }
}

fn subject(about: About) -> Subject {
    Subject {
        app: about.app.map(|name| name.0),
        app_id: about.app_id.map(|name| name.0),
        room_id: about.room_id.map(|name| name.0),
    }
}

fn patterns(types: List<Text<1, 64>, 0, 64>) -> Vec<String> {
    types.0.into_iter().map(|pattern| pattern.0).collect()
}

fn seconds(seconds: Whole<1, 60>) -> Duration {
    Duration::from_secs(seconds.unsigned())
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let webhooks = ask.callbacks()?.webhooks().await;
    let webhooks = webhooks.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: webhooks.iter().map(WebhookView::from).collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn create(ask: Ask) -> Result<Answer, Problem> {
    let new: New = ask.body()?;
    let new = NewWebhook {
        url: new.url.0,
        profile: new.profile.into(),
        types: patterns(new.types),
        scope: subject(new.scope),
        secret: new.secret.map(|secret| secret.0),
        acknowledgement: new.ack.map(Into::into),
        timeout: new.timeout_s.map(seconds),
        max_age: new.max_age.map(|age| age.0),
    };
    let created = ask.callbacks()?.create(new).await;
    let (webhook, secret) = created.map_err(|error| ask.refused(error))?;
    let answer = Created {
        webhook: WebhookView::from(&webhook),
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    let location = format!("/v1/webhooks/{}", webhook.id);
    Ok(ask
        .json(StatusCode::CREATED, &answer)
        .with(LOCATION, &location))
}

fn shown(ask: &Ask, webhook: &Webhook) -> Answer {
    let view = WebhookView::from(webhook);
    ask.json(StatusCode::OK, &view).with(ETAG, &view.etag)
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let webhook = ask.callbacks()?.webhook(ask.id("webhook_id")?).await;
    let webhook = webhook.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, &webhook))
}

async fn change(ask: Ask) -> Result<Answer, Problem> {
    let id = ask.id("webhook_id")?;
    let change: Change = ask.body()?;
    let patch = WebhookPatch {
        url: change.url.map(|url| url.0),
        profile: change.profile.map(Into::into),
        types: change.types.map(patterns),
        scope: change.scope.map(subject),
        acknowledgement: change.ack.map(Into::into),
        timeout: change.timeout_s.map(seconds),
        max_age: change.max_age.map(|age| age.0),
        state: change.state.map(|state| match state {
            State::Active => WebhookState::Active,
            State::Disabled => WebhookState::Disabled,
        }),
    };
    let changed = ask.callbacks()?.update(id, ask.if_match()?, patch).await;
    let webhook = changed.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, &webhook))
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let removed = ask.callbacks()?.delete(ask.id("webhook_id")?).await;
    removed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}

async fn rotate(ask: Ask) -> Result<Answer, Problem> {
    let id = ask.id("webhook_id")?;
    let rotate: Rotate = ask.optional_body()?;
    let secret = rotate.secret.map(|secret| secret.0);
    let rotated = ask.callbacks()?.rotate_secret(id, secret).await;
    let (webhook, secret) = rotated.map_err(|error| ask.refused(error))?;
    let answer = Created {
        webhook: WebhookView::from(&webhook),
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    Ok(ask.json(StatusCode::OK, &answer))
}

async fn test(ask: Ask) -> Result<Answer, Problem> {
    let id = ask.id("webhook_id")?;
    let test: Test = ask.optional_body()?;
    let tested = ask
        .callbacks()?
        .test(id, test.r#type.map(|kind| kind.0))
        .await;
    let tested = tested.map_err(|error| ask.refused(error))?;
    let answer = Tested {
        acknowledged: tested.acknowledged,
        took_ms: tested.attempt.took_ms,
        status: tested.attempt.status,
        error: tested.attempt.error,
        answer: tested.attempt.answer,
    };
    Ok(ask.json(StatusCode::OK, &answer))
}

async fn replay(ask: Ask) -> Result<Answer, Problem> {
    let id = ask.id("webhook_id")?;
    let replay: ReplayOf = ask.body()?;
    let replay = Replay {
        from: UnixMs(replay.from.0.as_millisecond()),
        to: UnixMs(replay.to.0.as_millisecond()),
        types: patterns(replay.types),
    };
    let queued = ask.callbacks()?.replay(id, replay).await;
    let queued = queued.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::ACCEPTED, &Queued { queued }))
}
