//! What every change of a recording brings with it, and the recordings that come without a call: by
//! the policy, from the publish URL.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::record_spec::spec_of;
use super::{channels, place};
use crate::clock::UnixMs;
use crate::credential::{RecordFormat, RecordMedia, RecordRequest};
use crate::error::{Error, Reason};
use crate::event::NewEvent;
use crate::id::RecordingId;
use crate::machine::RecordInput;
use crate::model::{
    Cause, Channel, Format, Media, Policy, RecordOrigin, RecordSpec, RecordState, Recording,
    RoomKind, SourceState,
};
use crate::request::RecordAsk;
use crate::store::Tx;
use crate::table::{recordings as table, rooms, sources};

/// A task of a source, not yet stored.
pub(super) fn new(
    source: &SourceState,
    channel: Option<&Channel>,
    origin: RecordOrigin,
    spec: RecordSpec,
    now: UnixMs,
) -> Recording {
    Recording {
        id: RecordingId::fresh(now),
        task_id: 0,
        channel_id: channel.map(|channel| channel.id),
        stream: source.stream.clone(),
        app_id: source.app_id.clone(),
        room_id: source.room_id.clone(),
        user_id: source.user_id.clone(),
        source: source.source,
        origin,
        state: RecordState::Pending,
        spec,
        created_at: now,
        start_at: None,
        end_at: None,
        started_at: None,
        ended_at: None,
        cause: None,
    }
}

/// A task of a channel, not yet stored.
pub(super) fn of_channel(
    channel: &Channel,
    origin: RecordOrigin,
    spec: RecordSpec,
    now: UnixMs,
) -> Recording {
    Recording {
        id: RecordingId::fresh(now),
        task_id: 0,
        channel_id: Some(channel.id),
        stream: channel.stream.clone(),
        app_id: channel.app_id.clone(),
        room_id: channel.room_id.clone(),
        user_id: channel.user_id.clone(),
        source: channel.source,
        origin,
        state: RecordState::Pending,
        spec,
        created_at: now,
        start_at: None,
        end_at: None,
        started_at: None,
        ended_at: None,
        cause: None,
    }
}

/// A live channel is recorded as its policy says.
pub(super) fn ensure_auto(
    tx: &mut Tx<'_>,
    channel: &Channel,
    policy: &Policy,
) -> Result<(), Error> {
    let auto = &policy.auto_record;
    if !auto.enabled || auto.formats.is_empty() {
        return Ok(());
    }
    let runs = table::of_channel(tx, channel.id, &channel.stream)?;
    if runs
        .iter()
        .any(|task| task.origin == RecordOrigin::Auto && task.state != RecordState::Finalizing)
    {
        return Ok(());
    }
    // A room that cannot be recorded is no reason not to be live.
    if not_in_duo(tx, &channel.app_id, &channel.room_id).is_err() {
        return Ok(());
    }
    let ask = RecordAsk {
        formats: auto.formats.clone(),
        media: auto.media,
        segment_s: Some(auto.segment_s),
        record_id: None,
    };
    let mut task = of_channel(channel, RecordOrigin::Auto, spec_of(&ask, policy), tx.now());
    table::insert(tx, &mut task, None)?;
    tx.touch(&channel.stream);
    Ok(())
}

/// A publish whose URL asks to be recorded.
pub(super) fn ensure_by_url(
    tx: &mut Tx<'_>,
    source: &SourceState,
    channel: Option<&Channel>,
    request: &RecordRequest,
) -> Result<(), Error> {
    let runs = table::running(tx, &source.stream)?;
    if runs
        .iter()
        .any(|task| task.origin == RecordOrigin::Url && task.state != RecordState::Finalizing)
        || not_in_duo(tx, &source.app_id, &source.room_id).is_err()
    {
        return Ok(());
    }
    let format = |format: &RecordFormat| match format {
        RecordFormat::Flv => Format::Flv,
        RecordFormat::Hls => Format::Hls,
        RecordFormat::Mp4 => Format::Mp4,
    };
    let spec = RecordSpec {
        formats: request.formats.iter().map(format).collect(),
        media: match request.media {
            RecordMedia::Av => Media::Av,
            RecordMedia::Audio => Media::Audio,
        },
        segment_s: u32::try_from(request.segment.as_secs()).unwrap_or(u32::MAX),
        file_name: None,
        tags: Vec::new(),
        class_id: 0,
        record_id: request.record_id,
        callback: true,
    };
    let mut task = new(source, channel, RecordOrigin::Url, spec, tx.now());
    table::insert(tx, &mut task, None)?;
    tx.touch(&source.stream);
    Ok(())
}

/// A channel is over: so are the recordings that belong to it.
pub(super) fn end_of_channel(tx: &mut Tx<'_>, channel: &Channel) -> Result<(), Error> {
    for mut task in table::of_channel(tx, channel.id, &channel.stream)? {
        stop(tx, &mut task, Cause::ours("its channel ended"))?;
    }
    Ok(())
}

pub(super) fn stop(tx: &mut Tx<'_>, task: &mut Recording, cause: Cause) -> Result<(), Error> {
    step(tx, task, RecordInput::Stop { cause })
}

/// Carries an input out: the row, the event.
pub(super) fn step(tx: &mut Tx<'_>, task: &mut Recording, input: RecordInput) -> Result<(), Error> {
    let before = task.clone();
    let event = task.apply(input, tx.now());
    if *task == before {
        return Ok(());
    }
    table::update(tx, task)?;
    tx.touch(&task.stream);
    if let Some(kind) = event {
        let subject = place::of_recording(task);
        let data = Value::Object(data(tx, task)?);
        tx.event(NewEvent {
            kind,
            subject,
            data,
        })?;
    }
    Ok(())
}

/// What a recording's events tell.
pub(super) fn data(db: &Connection, task: &Recording) -> Result<Map<String, Value>, Error> {
    let session = sources::get(db, &task.stream)?.and_then(|source| source.session);
    let param = session.map(|session| session.stream_param);
    let mut data = Map::new();
    let fields = [
        ("recording_id", json!(task.id)),
        ("task_id", json!(task.task_id.to_string())),
        ("origin", json!(task.origin)),
        ("state", json!(task.state)),
        ("formats", json!(task.spec.formats)),
        ("media", json!(task.spec.media)),
        ("record_id", json!(task.spec.record_id)),
        ("tags", json!(task.spec.tags)),
        ("callback", json!(task.spec.callback)),
        ("started", json!(task.started_at.is_some())),
        ("stream_param", json!(param)),
    ];
    data.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(cause) = &task.cause {
        channels::insert_cause(&mut data, cause);
    }
    Ok(data)
}

pub(super) fn duo(room_id: &str) -> Error {
    let detail = format!("room {room_id} is for two people; such rooms cannot be recorded");
    Error::new(Reason::DuoRoomRecordingUnsupported, detail)
}

pub(super) fn not_in_duo(db: &Connection, app_id: &str, room_id: &str) -> Result<(), Error> {
    match rooms::get(db, app_id, room_id)? {
        Some(room) if room.kind == RoomKind::Duo => Err(duo(room_id)),
        _ => Ok(()),
    }
}
