//! Starting a bypass.

use std::time::Duration;

use control::model::{ChannelSpec, ChannelState};
use control::request::{self, StartEffect};
use http::header::{ETAG, LOCATION};
use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Description, List, Metadata, Name, Text, Title, Url, Whole, choice, input};
use super::route::Route;
use super::view::{ChannelView, RecordingView, TargetView, Warning};
use super::words::{Format, Media, OnFail, Protocol, Source};
use crate::error::{Problem, Reason};

const PREFER: HeaderName = HeaderName::from_static("prefer");

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/rooms/{room}/channels", "Starts a bypass", start)
            .parameter::<Name>("room")
            .body::<Start>(
                r#"{"user_id": "anchor_7", "source": "main", "protocols": ["hls", "rtmp", "flv"],
                    "channel": {"name": "lesson", "description": "the first one"},
                    "metadata": {"order": "42"}}"#,
            )
            .answers::<Started>(200)
            .answers::<Started>(201)
            .answers::<Started>(202),
    ]
}

input! {
    /// A bypass to be started.
    pub(super) struct Start {
        /// Whose; one user.
        user_id: Name,
        /// Which of the user's sources.
        source: Source = Source::Main,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
        /// Leads to the room when its id is 0.
        relation_id: Option<Whole<0, 4_294_967_295>> = None,
        /// How it is to be watched; the policy's protocols when empty.
        protocols: List<Protocol, 0, 8> = List::empty(),
        /// Sound only.
        audio_only: bool = false,
        /// The business type, kept as it is.
        sdk_type: Option<Text<0, 64>> = None,
        /// What is said of it.
        channel: About = About::default(),
        /// A recording for as long as the channel; without formats none.
        record: Option<RecordWith> = None,
        /// Where it is to be pushed to.
        targets: List<NewTarget, 0, 10> = List::empty(),
        /// Whether it may wait for its source to publish.
        start_when: StartWhen = StartWhen::OnPublish,
        /// What happens when the user has a channel.
        if_exists: IfExists = IfExists::Error,
        /// Only the original is there; others are answered with it.
        rates: List<Rate, 0, 8> = List::empty(),
        /// Your own; given back.
        metadata: Metadata = Metadata::default(),
        /// Your own number of the change; has to grow.
        sequence: Option<Whole<0, 9_007_199_254_740_991>> = None,
        /// How long to wait for `live`, in milliseconds.
        wait_ms: Whole<0, 30_000> = Whole::of(3_000),
    }
}

input! {
    /// What is said of a channel.
    pub(super) struct About {
        /// For people.
        name: Title = Text::empty(),
        /// For people.
        description: Description = Text::empty(),
        /// What players have to say; never shown.
        password: Option<Text<1, 128>> = None,
    }
}

impl Default for About {
    fn default() -> Self {
        Self {
            name: Text::empty(),
            description: Text::empty(),
            password: None,
        }
    }
}

input! {
    /// A recording beside a channel.
    pub(super) struct RecordWith {
        /// Containers, all written at once; none is no recording.
        formats: List<Format, 0, 6> = List::empty(),
        /// Which tracks.
        media: Media = Media::Av,
        /// When the next file begins, in seconds; the policy's when absent.
        segment_s: Option<Whole<10, 86_400>> = None,
        /// Your own number of the recording.
        record_id: Option<Whole<0, 4_294_967_295>> = None,
    }
}

input! {
    /// A push target.
    pub(super) struct NewTarget {
        /// Where to: `rtmp://` or `rtmps://`.
        url: Url,
        /// For people.
        name: Title = Text::empty(),
        /// What it does when it has failed.
        on_fail: OnFail = OnFail::Retry,
    }
}

choice! {
    /// When a start may be asked for.
    pub(super) enum StartWhen {
        OnPublish = "on_publish",
        Immediate = "immediate",
    }
}

choice! {
    /// What a start does when there is a channel.
    pub(super) enum IfExists {
        Error = "error",
        Return = "return",
    }
}

choice! {
    /// A rendition.
    pub(super) enum Rate {
        Original = "original",
        Rate550 = "550k",
        Rate900 = "900k",
    }
}

/// What a start did.
#[derive(Serialize, ToSchema)]
pub(super) struct Started {
    #[serde(flatten)]
    channel: ChannelView,
    /// `started`, `resumed`, `urls_only`, `already_live`.
    effect: String,
    recordings: Vec<RecordingView>,
    targets: Vec<TargetView>,
    warnings: Vec<Warning>,
}

impl RecordWith {
    pub(super) fn asked(self) -> request::RecordAsk {
        request::RecordAsk {
            formats: self.formats.0.into_iter().map(Into::into).collect(),
            media: self.media.into(),
            segment_s: self.segment_s.map(Whole::small),
            record_id: self.record_id.map(Whole::small),
        }
    }
}

impl NewTarget {
    pub(super) fn asked(self) -> request::NewTarget {
        request::NewTarget {
            url: self.url.0,
            name: self.name.0,
            on_fail: self.on_fail.into(),
        }
    }
}

/// The client's names and values as they are stored.
pub(super) fn stored(metadata: Metadata) -> Map<String, Value> {
    let entries = metadata.0.into_iter();
    entries
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

async fn start(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    refuse_mixing(&ask)?;
    let start: Start = ask.body()?;
    let wait = Duration::from_millis(start.wait_ms.unsigned());
    let other_rates = start.rates.0.iter().any(|rate| *rate != Rate::Original);
    let request = asked(room, start);
    let control = ask.control()?;
    let mut started = control
        .start(request)
        .await
        .map_err(|error| ask.refused(error))?;
    let is_async = ask
        .header(PREFER)
        .is_some_and(|text| text.split(',').any(|part| part.trim() == "respond-async"));
    let is_on_its_way = started.channel.state == ChannelState::Starting;
    if is_on_its_way && !is_async {
        let settled = control.wait_until_live(started.channel.id, wait).await;
        started.channel = settled.map_err(|error| ask.refused(error))?.channel;
    }
    let status = match started.effect {
        StartEffect::UrlsOnly | StartEffect::AlreadyLive => StatusCode::OK,
        _ if is_async => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let mut warnings: Vec<Warning> = started.warnings.iter().map(Warning::from).collect();
    if other_rates {
        warnings.push(Warning {
            code: "RATES_UNSUPPORTED".to_owned(),
            detail: "nothing is transcoded: all rates are the original".to_owned(),
        });
    }
    let channel = ChannelView::of(&started.channel, &ask);
    let (etag, id) = (channel.etag.clone(), channel.channel_id.clone());
    let answer = Started {
        channel,
        effect: started.effect.as_str().to_owned(),
        recordings: started.recordings.iter().map(RecordingView::from).collect(),
        targets: started.targets.iter().map(TargetView::from).collect(),
        warnings,
    };
    Ok(ask
        .json(status, &answer)
        .with(ETAG, &etag)
        .with(LOCATION, &format!("/v1/channels/{id}")))
}

fn asked(room: Name, start: Start) -> request::Start {
    request::Start {
        place: request::Place {
            app_id: start.app_id.map(|id| id.0),
            room_id: room.0,
            relation_id: start.relation_id.map(Whole::small),
        },
        user_id: start.user_id.0,
        source: start.source.into(),
        spec: ChannelSpec {
            protocols: start.protocols.0.into_iter().map(Into::into).collect(),
            audio_only: start.audio_only,
            sdk_type: start.sdk_type.map(|kind| kind.0),
            name: start.channel.name.0,
            description: start.channel.description.0,
            password: start.channel.password.map(|password| password.0),
            metadata: stored(start.metadata),
        },
        record: start.record.map(RecordWith::asked),
        targets: start.targets.0.into_iter().map(NewTarget::asked).collect(),
        start_when: match start.start_when {
            StartWhen::OnPublish => control::model::StartWhen::OnPublish,
            StartWhen::Immediate => control::model::StartWhen::Immediate,
        },
        if_exists: match start.if_exists {
            IfExists::Error => control::model::IfExists::Error,
            IfExists::Return => control::model::IfExists::Return,
        },
        must_be_in_room: false,
        sequence: start.sequence.map(Whole::unsigned),
    }
}

/// One channel has one source: what asks for more is told so, not that a field is odd.
fn refuse_mixing(ask: &Ask) -> Result<(), Problem> {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&ask.body) else {
        return Ok(());
    };
    let is_many = |name: &str| {
        body.get(name)
            .and_then(Value::as_array)
            .is_some_and(|list| list.len() > 1)
    };
    let is_asked = ["mix", "users", "user_ids", "sources"];
    if is_many("user_id")
        || is_many("source")
        || is_asked.iter().any(|name| body.contains_key(*name))
    {
        let detail = "one channel has one user's one source; start a channel for each";
        return Err(Problem::new(
            Reason::Control(control::Reason::MixingUnsupported),
            detail,
        ));
    }
    Ok(())
}
