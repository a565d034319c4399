//! Recorded files.

use serde_json::{Value, json};

use super::{Control, list, number_cursor, page_limit, place, record};
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::event::{EventKind, NewEvent};
use crate::id::{FileId, RecordingId, fresh_number};
use crate::model::{File, RecordOrigin, RecordSpec, RecordState, Recording, Source};
use crate::plane::FinishedFile;
use crate::request::{FileFilter, List, Page};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{Where, files as table, recordings, sources};

impl Control {
    /// Files, newest first, without those that were removed.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] for a bad cursor.
    pub async fn files(&self, filter: FileFilter, page: Page) -> Result<List<File>, Error> {
        let (limit, before) = (page_limit(&page), number_cursor(&page)?);
        self.read(move |db, _| {
            let mut condition = Where::new();
            condition.and_sql("deleted_at IS NULL");
            condition.and("app_id = ?", &filter.app_id);
            condition.and("room_id = ?", &filter.room_id);
            condition.and("user_id = ?", &filter.user_id);
            condition.and("stream = ?", &filter.stream);
            condition.and("recording_id = ?", &filter.recording_id);
            condition.and("record_id = ?", &filter.record_id);
            condition.and("start_at >= ?", &filter.from);
            condition.and("start_at < ?", &filter.to);
            // No pattern language: the prefix may contain what LIKE reads as one.
            let length = filter
                .name_prefix
                .as_ref()
                .map(|prefix| format!("substr(name, 1, {})", prefix.chars().count()));
            condition.and(
                &format!("{} = ?", length.unwrap_or_default()),
                &filter.name_prefix,
            );
            condition.and("number < ?", &before);
            let found = table::list(db, condition, &limit)?;
            Ok(list(found, limit, |file| file.number.to_string()))
        })
        .await
    }

    /// A file.
    ///
    /// # Errors
    /// [`Reason::RecordingNotFound`].
    pub async fn file(&self, id: FileId) -> Result<File, Error> {
        self.read(move |db, _| {
            let found = table::get(db, id)?.filter(|file| file.deleted_at.is_none());
            found.ok_or_else(|| {
                Error::new(Reason::RecordingNotFound, format!("there is no file {id}"))
            })
        })
        .await
    }

    /// Removes a file's content, then its record.
    ///
    /// # Errors
    /// [`Reason::RecordingNotFound`]; [`Reason::RecordingStorageUnavailable`] when the content stays.
    pub async fn remove_file(&self, id: FileId) -> Result<(), Error> {
        let file = self.file(id).await?;
        if let Some(plane) = self.inner.plane.get() {
            plane.remove_file(&file.path).await.map_err(|error| {
                Error::new(Reason::RecordingStorageUnavailable, error.to_string())
            })?;
        }
        self.write(move |tx, _| table::set_deleted(tx, id, tx.now()))
            .await
    }
}

impl Control {
    /// Of these files, those that were not told before.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn unknown_files(
        &self,
        files: Vec<FinishedFile>,
    ) -> Result<Vec<FinishedFile>, Error> {
        self.read(move |db, _| {
            let mut unknown = Vec::new();
            for file in files {
                if !table::is_known(db, &file.recording, &file.path)? {
                    unknown.push(file);
                }
            }
            Ok(unknown)
        })
        .await
    }
}

/// The recorder finished a file: its record and its event. Telling it twice changes nothing.
pub(super) fn completed(
    tx: &mut Tx<'_>,
    settings: &Settings,
    finished: FinishedFile,
) -> Result<(), Error> {
    if table::is_known(tx, &finished.recording, &finished.path)? {
        return Ok(());
    }
    let now = tx.now();
    let task = task_of(tx, settings, &finished)?;
    let name = finished
        .path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut body = finished.body;
    body.origin = task.origin;
    let file = File {
        id: FileId::fresh(now),
        number: fresh_number(now),
        recording_id: task.id,
        stream: task.stream.clone(),
        app_id: task.app_id.clone(),
        room_id: task.room_id.clone(),
        user_id: task.user_id.clone(),
        path: finished.path,
        name,
        record_id: task.spec.record_id,
        start_at: UnixMs(finished.start_ms),
        end_at: UnixMs(finished.end_ms),
        size: finished.size,
        body,
        deleted_at: None,
    };
    table::insert(tx, &file, &finished.recording)?;
    let mut data = record::data(tx, &task)?;
    let fields = [
        ("file_id", json!(file.id)),
        ("file_number", json!(file.number.to_string())),
        ("format", json!(file.body.format)),
        ("path", json!(file.path)),
        ("size", json!(file.size)),
        ("duration_ms", json!(file.body.duration_ms)),
        ("start_time", json!(file.start_at)),
        ("end_time", json!(file.end_at)),
        ("sha256", json!(file.body.sha256)),
        ("gaps", json!(file.body.gaps)),
        ("segment_index", json!(file.body.segment_index)),
        ("recovered", json!(file.body.recovered)),
        ("width", json!(file.body.width)),
        ("height", json!(file.body.height)),
        ("codecs", json!(file.body.codecs)),
    ];
    data.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let subject = place::of_recording(&task);
    let data = Value::Object(data);
    tx.event(NewEvent {
        kind: EventKind::RecordingFileCompleted,
        subject,
        data,
    })?;
    Ok(())
}

/// The task that a file belongs to. One that the recorder began by itself, by `[[record.rule]]`, gets a
/// task when its first file is finished.
fn task_of(
    tx: &mut Tx<'_>,
    settings: &Settings,
    finished: &FinishedFile,
) -> Result<Recording, Error> {
    let ours = finished.recording.parse::<RecordingId>().ok();
    let known = match ours {
        Some(id) => recordings::get(tx, id)?,
        None => recordings::by_plane_id(tx, &finished.recording)?,
    };
    if let Some(task) = known {
        return Ok(task);
    }
    let source = sources::get(tx, &finished.stream)?;
    let (app, code) = finished
        .stream
        .rsplit_once('/')
        .unwrap_or(("", &finished.stream));
    let of = |pick: fn(&crate::model::SourceState) -> &String, other: &str| {
        source
            .as_ref()
            .map_or_else(|| other.to_owned(), |source| pick(source).clone())
    };
    let mut task = Recording {
        id: RecordingId::fresh(tx.now()),
        task_id: 0,
        channel_id: None,
        stream: finished.stream.clone(),
        app_id: of(|source| &source.app_id, &settings.app_id),
        room_id: of(|source| &source.room_id, app),
        user_id: of(|source| &source.user_id, code),
        source: source.as_ref().map_or(Source::Main, |source| source.source),
        origin: RecordOrigin::Auto,
        state: RecordState::Completed,
        spec: RecordSpec {
            formats: vec![finished.body.format],
            media: finished.body.media,
            segment_s: 0,
            file_name: None,
            tags: Vec::new(),
            class_id: 0,
            record_id: None,
            callback: true,
        },
        created_at: UnixMs(finished.start_ms),
        start_at: None,
        end_at: None,
        started_at: Some(UnixMs(finished.start_ms)),
        ended_at: Some(UnixMs(finished.end_ms)),
        cause: None,
    };
    recordings::insert(tx, &mut task, Some(&finished.recording))?;
    Ok(task)
}
