//! Taking in what the media side reports.

use media::StreamName;
use rusqlite::Connection;
use serde_json::Value;

use super::{Control, channels, files, place, policy, record, start, targets};
use crate::credential::{self, Directory, Identity, Query, RecordRequest};
use crate::error::Error;
use crate::event::{EventKind, NewEvent};
use crate::id::{RecordingId, fresh_number};
use crate::machine::{ChannelInput, RecordInput};
use crate::model::{Cause, ChannelSpec, Origin, Policy, Session, SourceState, UnknownPublish};
use crate::plane::{Observation, Publishing, Recorded};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{channels as channel_table, recordings, rooms, sources};

impl Control {
    /// Takes in what happened on the media side. Things of one stream have to come in order.
    ///
    /// # Errors
    /// When it cannot be stored; nothing of it was.
    pub async fn observe(&self, observation: Observation) -> Result<(), Error> {
        self.observe_all(vec![observation]).await
    }

    /// As [`Control::observe`], in one transaction for all.
    ///
    /// # Errors
    /// When one of them cannot be stored; nothing of them was.
    pub async fn observe_all(&self, observations: Vec<Observation>) -> Result<(), Error> {
        let all = move |tx: &mut Tx<'_>, settings: &Settings| {
            let mut each = observations.into_iter();
            each.try_for_each(|one| observe(tx, settings, one))
        };
        self.write(all).await
    }

    /// Streams that publish, as far as was observed.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn publishing(&self) -> Result<Vec<String>, Error> {
        self.read(|db, _| {
            let sources = sources::publishing(db)?;
            Ok(sources.into_iter().map(|source| source.stream).collect())
        })
        .await
    }
}

fn observe(tx: &mut Tx<'_>, settings: &Settings, observation: Observation) -> Result<(), Error> {
    match observation {
        Observation::Published(publishing) => published(tx, settings, &publishing),
        Observation::Size {
            stream,
            width,
            height,
        } => sized(tx, &stream, width, height),
        Observation::Lost { stream, cause } => lost(tx, settings, &stream, &cause),
        Observation::Push {
            target,
            state,
            error,
        } => {
            let now = tx.now();
            targets::observe(tx, target, state, error, now)
        }
        Observation::Recording { recording, what } => recorded(tx, &recording, what),
        Observation::File(file) => files::completed(tx, settings, *file),
    }
}

/// Whose source a stream is that began to publish; `None` is nobody's.
fn whose(
    db: &Connection,
    settings: &Settings,
    policy: &Policy,
    publishing: &Publishing,
) -> Result<Option<(String, Identity)>, Error> {
    let Ok(name) = StreamName::from_path(&publishing.stream) else {
        return Ok(None);
    };
    if let Some(known) = sources::get(db, name.as_str())? {
        let member = Identity::new(known.room_id, known.user_id, known.source);
        return Ok(member.ok().map(|member| (known.app_id, member)));
    }
    // Who publishes inside the process was not asked for a credential, nor has one.
    let unknown = match (publishing.protocol.as_str(), policy.unknown_publish) {
        ("library", _) | (_, UnknownPublish::Adopt) => credential::UnknownPublish::Adopt,
        (_, UnknownPublish::Reject) => credential::UnknownPublish::Reject,
    };
    let rule = settings.code_rule(policy, &settings.app_id, &settings.bizid)?;
    let query = Query::parse(&publishing.query);
    let found = credential::resolve(&name, &query, &Nobody, &rule, &settings.app_id, unknown);
    // A stream that runs keeps its name, whatever the name would be now.
    Ok(found
        .ok()
        .map(|found| (settings.app_id.clone(), found.identity)))
}

/// Keys and codes that are known were looked up before.
struct Nobody;

impl Directory for Nobody {
    fn issued(&self, _: &str) -> Option<Identity> {
        None
    }

    fn by_code(&self, _: &str) -> Option<Identity> {
        None
    }
}

fn published(tx: &mut Tx<'_>, settings: &Settings, publishing: &Publishing) -> Result<(), Error> {
    let now = tx.now();
    let app_policy = policy::of_app(tx, settings, &settings.app_id)?;
    let Some((app_id, member)) = whose(tx, settings, &app_policy, publishing)? else {
        tracing::warn!(stream = %publishing.stream, "nobody's stream publishes; it is not served");
        return Ok(());
    };
    let policy = policy::of(tx, settings, &app_id, &publishing.stream)?;
    place::enter(tx, &app_id, &member)?;
    rooms::set_active(tx, &app_id, member.room(), now)?;
    let mut source = place::source(tx, &app_id, &publishing.stream, &member, now)?;
    if source.session.is_some() {
        let cause = Cause {
            errcode: 21,
            text: "replaced by a new publish".to_owned(),
        };
        ended(tx, &mut source, &cause)?;
    }
    let session = Session {
        sequence: fresh_number(now),
        since_ms: now.0,
        user_ip: publishing.user_ip.clone(),
        protocol: publishing.protocol.clone(),
        stream_param: publishing.query.clone(),
        width: None,
        height: None,
    };
    source.session = Some(session.clone());
    source.offline_since = None;
    sources::put(tx, &source)?;
    let data = Value::Object(channels::of_session(&session, now));
    let subject = place::of_source(&source);
    tx.event(NewEvent {
        kind: EventKind::IngestStarted,
        subject,
        data,
    })?;
    tx.touch(&source.stream);

    let running = channel_table::running(tx, &source.stream)?;
    let channel = match running {
        Some(channel) => Some(channel),
        None => automatic(tx, &source, &member, &policy)?,
    };
    if let Some(mut channel) = channel.clone() {
        channels::published(tx, &mut channel, &policy, &session)?;
    }
    let query = Query::parse(&publishing.query);
    match RecordRequest::parse(&query, policy.compat_matrix) {
        Some(Ok(request)) => record::ensure_by_url(tx, &source, channel.as_ref(), &request)?,
        Some(Err(note)) => tracing::info!(stream = %source.stream, "{note}"),
        None => {}
    }
    Ok(())
}

/// The channel that the policy makes of a source, if it does.
fn automatic(
    tx: &mut Tx<'_>,
    source: &SourceState,
    member: &Identity,
    policy: &Policy,
) -> Result<Option<crate::model::Channel>, Error> {
    if !start::is_auto(policy, member) || source.is_forbidden(tx.now()) {
        return Ok(None);
    }
    if let Err(error) = start::within_quota(tx, &source.app_id, policy) {
        tracing::warn!(stream = %source.stream, "not bypassed: {}", error.detail);
        let data = serde_json::json!({"limit": "max_channels", "detail": error.detail});
        let subject = place::of_source(source);
        tx.event(NewEvent {
            kind: EventKind::QuotaExceeded,
            subject,
            data,
        })?;
        return Ok(None);
    }
    let spec = ChannelSpec {
        protocols: policy.auto_bypass.protocols.clone(),
        audio_only: false,
        sdk_type: None,
        name: String::new(),
        description: String::new(),
        password: None,
        metadata: serde_json::Map::new(),
    };
    Ok(Some(start::open(tx, source, Origin::Auto, spec, policy)?.0))
}

fn sized(tx: &mut Tx<'_>, stream: &str, width: u32, height: u32) -> Result<(), Error> {
    let Some(mut source) = sources::get(tx, stream)? else {
        return Ok(());
    };
    if let Some(session) = &mut source.session {
        (session.width, session.height) = (Some(width), Some(height));
        sources::put(tx, &source)?;
    }
    Ok(())
}

/// A source no longer publishes.
pub(super) fn lost(
    tx: &mut Tx<'_>,
    settings: &Settings,
    stream: &str,
    cause: &Cause,
) -> Result<(), Error> {
    let Some(mut source) = sources::get(tx, stream)? else {
        return Ok(());
    };
    let Some(session) = source.session.clone() else {
        return Ok(());
    };
    let now = tx.now();
    let policy = policy::of(tx, settings, &source.app_id, stream)?;
    ended(tx, &mut source, cause)?;
    rooms::set_active(tx, &source.app_id, &source.room_id, now)?;
    tx.touch(stream);
    if let Some(mut channel) = channel_table::running(tx, stream)? {
        // A manual channel waits for its source to come back, however it went; one of the policy ends
        // soon after a publisher that said so, and is made anew by the next publish.
        let window = match (channel.origin, cause.errcode) {
            (Origin::Auto, 1 | 2) => policy.viewer_end_grace_s.min(policy.reconnect_window_s),
            _ => policy.reconnect_window_s,
        };
        let until = now.plus(super::seconds(window));
        let cause = cause.clone();
        channels::step(
            tx,
            &mut channel,
            ChannelInput::Lost { cause, until },
            &policy,
            Some(&session),
        )?;
    }
    Ok(())
}

/// The publish that runs is over.
fn ended(tx: &mut Tx<'_>, source: &mut SourceState, cause: &Cause) -> Result<(), Error> {
    let now = tx.now();
    let Some(session) = source.session.take() else {
        return Ok(());
    };
    source.offline_since = Some(now);
    sources::put(tx, source)?;
    let mut data = channels::of_session(&session, now);
    channels::insert_cause(&mut data, cause);
    let (subject, data) = (place::of_source(source), Value::Object(data));
    tx.event(NewEvent {
        kind: EventKind::IngestEnded,
        subject,
        data,
    })?;
    Ok(())
}

fn recorded(tx: &mut Tx<'_>, recording: &str, what: Recorded) -> Result<(), Error> {
    // What the recorder does by itself is told when its files are finished.
    let Ok(id) = recording.parse::<RecordingId>() else {
        return Ok(());
    };
    let Some(mut task) = recordings::get(tx, id)? else {
        return Ok(());
    };
    let input = match what {
        Recorded::Writes => RecordInput::Writes,
        Recorded::Pauses => RecordInput::Pauses,
        Recorded::Fails { reason, resumes } => RecordInput::Fails { reason, resumes },
        Recorded::Over => RecordInput::Over,
    };
    record::step(tx, &mut task, input)
}
