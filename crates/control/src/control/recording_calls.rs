//! Calls about recordings: start, stop, pause, read.

use rusqlite::Connection;

use super::place::{self, Asks};
use super::record_spec::{check_times, manual_spec};
use super::{Control, list, number_cursor, page_limit, policy, record, start};
use crate::error::{Error, Reason};
use crate::id::RecordingId;
use crate::machine::RecordInput;
use crate::model::{Cause, RecordOrigin, RecordState, Recording, RoomKind};
use crate::request::{
    List, Page, RecordStart, RecordStarted, RecordStop, RecordStopped, RecordingFilter, Warning,
};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{Where, channels as channel_table, files, recordings as table, sources};

/// Most recordings of one stream at once. Bounds: threads of the recorder.
const PER_STREAM: usize = 8;
impl Control {
    /// Starts a manual recording. When other recordings of the source run, both go on.
    ///
    /// # Errors
    /// [`Reason::DuoRoomRecordingUnsupported`], [`Reason::RecordingExists`], [`Reason::NotPublishing`],
    /// [`Reason::FormatUnsupported`], wrong fields.
    pub async fn start_recording(&self, request: RecordStart) -> Result<RecordStarted, Error> {
        let subject = self.subject_of(&request.place, &request.user_id, request.source);
        let started = self.write(move |tx, settings| begin(tx, settings, request));
        self.telling_of_quota(started.await, subject).await
    }

    /// Ends the manual recordings of a member's source.
    ///
    /// # Errors
    /// Refusals of the room and the user.
    pub async fn stop_recordings(&self, request: RecordStop) -> Result<Vec<RecordStopped>, Error> {
        self.write(move |tx, settings| {
            let app_id = request.place.app_id.as_deref();
            let (app_id, _) = place::app(tx, settings, app_id, Asks::Anything)?;
            let (room_id, _) = place::room(tx, &app_id, &request.place)?;
            let key = (
                app_id.as_str(),
                room_id.as_str(),
                request.user_id.as_str(),
                request.source,
            );
            let Some(source) = sources::of_member(tx, key)? else {
                return Ok(Vec::new());
            };
            let theirs = table::running(tx, &source.stream)?
                .into_iter()
                .filter(by_call);
            theirs.map(|task| stop_one(tx, task)).collect()
        })
        .await
    }

    /// Ends one recording, whoever wanted it.
    ///
    /// # Errors
    /// [`Reason::RecordingNotFound`].
    pub async fn stop_recording(&self, id: RecordingId) -> Result<RecordStopped, Error> {
        self.write(move |tx, _| {
            let task = get(tx, id)?;
            stop_one(tx, task)
        })
        .await
    }

    /// Pauses or resumes a recording.
    ///
    /// # Errors
    /// [`Reason::RecordingNotFound`], [`Reason::RecordingAlreadyStopped`].
    pub async fn pause_recording(&self, id: RecordingId, paused: bool) -> Result<Recording, Error> {
        self.write(move |tx, _| {
            let mut task = get(tx, id)?;
            let input = match (paused, task.state) {
                (true, RecordState::Recording) => RecordInput::Pauses,
                (false, RecordState::Paused) => RecordInput::Writes,
                (_, RecordState::Recording | RecordState::Paused) => return Ok(task),
                (_, state) => {
                    let detail = format!("recording {id} is {state}");
                    return Err(Error::new(Reason::RecordingAlreadyStopped, detail));
                }
            };
            record::step(tx, &mut task, input)?;
            Ok(task)
        })
        .await
    }

    /// A recording task and its finished files.
    ///
    /// # Errors
    /// [`Reason::RecordingNotFound`].
    pub async fn recording(
        &self,
        id: RecordingId,
    ) -> Result<(Recording, Vec<crate::model::File>), Error> {
        self.read(move |db, _| Ok((get(db, id)?, files::of_recording(db, id)?)))
            .await
    }

    /// Recording tasks, newest first.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] for a bad cursor.
    pub async fn recordings(
        &self,
        filter: RecordingFilter,
        page: Page,
    ) -> Result<List<Recording>, Error> {
        let (limit, before) = (page_limit(&page), number_cursor(&page)?);
        self.read(move |db, _| {
            let mut condition = Where::new();
            condition.and("state = ?", &filter.state);
            condition.and("app_id = ?", &filter.app_id);
            condition.and("room_id = ?", &filter.room_id);
            condition.and("user_id = ?", &filter.user_id);
            condition.and("stream = ?", &filter.stream);
            condition.and("channel_id = ?", &filter.channel_id);
            condition.and("task_id < ?", &before);
            let found = table::list(db, condition, &limit)?;
            Ok(list(found, limit, |task| task.task_id.to_string()))
        })
        .await
    }
}

fn get(db: &Connection, id: RecordingId) -> Result<Recording, Error> {
    let found = table::get(db, id)?;
    found.ok_or_else(|| {
        Error::new(
            Reason::RecordingNotFound,
            format!("there is no recording {id}"),
        )
    })
}

fn by_call(task: &Recording) -> bool {
    matches!(task.origin, RecordOrigin::Manual | RecordOrigin::Scheduled)
}

fn begin(tx: &mut Tx<'_>, settings: &Settings, ask: RecordStart) -> Result<RecordStarted, Error> {
    let now = tx.now();
    let (app_id, app) = place::app(tx, settings, ask.place.app_id.as_deref(), Asks::Service)?;
    let room = place::open_room(tx, &app_id, &ask.place)?;
    if room.kind == RoomKind::Duo {
        return Err(record::duo(&room.room_id));
    }
    let member = place::identity(&room.room_id, &ask.user_id, ask.source)?;
    let app_policy = policy::of_app(tx, settings, &app_id)?;
    let stream = place::stream(tx, settings, (&app_id, &app), &app_policy, &member)?;
    let policy = policy::of(tx, settings, &app_id, &stream)?;
    let source = place::source(tx, &app_id, &stream, &member, now)?;
    check_times(&ask, now)?;
    if source.is_forbidden(now) {
        return Err(start::forbidden(&source));
    }
    let scheduled = ask.start_at.is_some_and(|at| at > now);
    if source.session.is_none() && !scheduled {
        let detail = format!("{} of user {} is not publishing", ask.source, ask.user_id);
        return Err(Error::new(Reason::NotPublishing, detail));
    }
    let running = table::running(tx, &stream)?;
    let origin = if scheduled {
        RecordOrigin::Scheduled
    } else {
        RecordOrigin::Manual
    };
    if !scheduled
        && running
            .iter()
            .any(|task| task.origin == RecordOrigin::Manual && task.start_at.is_none())
    {
        let detail = format!(
            "{} of user {} is being recorded by a call",
            ask.source, ask.user_id
        );
        return Err(Error::new(Reason::RecordingExists, detail));
    }
    if running.len() >= PER_STREAM {
        let detail = format!("stream {stream} has {PER_STREAM} recordings, the limit");
        return Err(Error::new(Reason::QuotaRecordings, detail));
    }
    let mut warnings = Vec::new();
    let auto = channel_table::running(tx, &stream)?.is_some() && policy.auto_record.enabled;
    if auto || !running.is_empty() {
        warnings.push(Warning::DoubleRecording);
    }
    let spec = manual_spec(&ask, &policy, &mut warnings)?;
    let mut task = Recording {
        start_at: ask.start_at,
        end_at: ask.end_at,
        ..record::new(&source, None, origin, spec, now)
    };
    sources::put(tx, &source)?;
    table::insert(tx, &mut task, None)?;
    tx.touch(&stream);
    Ok(RecordStarted {
        recording: task,
        warnings,
    })
}

fn stop_one(tx: &mut Tx<'_>, mut task: Recording) -> Result<RecordStopped, Error> {
    let already = task.state.is_over() || task.state == RecordState::Finalizing;
    record::stop(tx, &mut task, Cause::ours("stopped by a call"))?;
    let finished = files::of_recording(tx, task.id)?;
    Ok(RecordStopped {
        recording: task,
        file_ids: finished.into_iter().map(|file| file.id).collect(),
        already,
    })
}
