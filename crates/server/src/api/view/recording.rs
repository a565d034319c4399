//! A recording task.

use control::model::Recording;
use serde::Serialize;
use utoipa::ToSchema;

use super::CauseView;

/// A recording task.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingTask)]
pub(in crate::api) struct RecordingView {
    recording_id: String,
    /// Its number on the compatible faces.
    task_id: String,
    channel_id: Option<String>,
    stream_id: String,
    room_id: String,
    user_id: String,
    source: String,
    /// `auto`, `start`, `url`, `manual`, `scheduled`.
    origin: String,
    /// `pending`, `recording`, `paused`, `finalizing`, `completed`, `failed`, `aborted`.
    state: String,
    formats: Vec<String>,
    /// `av`, `audio`, `video`.
    media: String,
    segment_s: u32,
    file_name: Option<String>,
    tags: Vec<String>,
    class_id: u32,
    record_id: Option<u32>,
    callback: bool,
    created_at: String,
    start_at: Option<String>,
    end_at: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    cause: Option<CauseView>,
}

impl From<&Recording> for RecordingView {
    fn from(recording: &Recording) -> Self {
        let spec = &recording.spec;
        let stream = recording.stream.rsplit_once('/');
        Self {
            recording_id: recording.id.to_string(),
            task_id: recording.task_id.to_string(),
            channel_id: recording.channel_id.map(|id| id.to_string()),
            stream_id: stream
                .map_or(recording.stream.as_str(), |(_, code)| code)
                .to_owned(),
            room_id: recording.room_id.clone(),
            user_id: recording.user_id.clone(),
            source: recording.source.to_string(),
            origin: recording.origin.to_string(),
            state: recording.state.to_string(),
            formats: spec.formats.iter().map(ToString::to_string).collect(),
            media: spec.media.to_string(),
            segment_s: spec.segment_s,
            file_name: spec.file_name.clone(),
            tags: spec.tags.clone(),
            class_id: spec.class_id,
            record_id: spec.record_id,
            callback: spec.callback,
            created_at: recording.created_at.to_string(),
            start_at: recording.start_at.map(|at| at.to_string()),
            end_at: recording.end_at.map(|at| at.to_string()),
            started_at: recording.started_at.map(|at| at.to_string()),
            ended_at: recording.ended_at.map(|at| at.to_string()),
            cause: recording.cause.as_ref().map(CauseView::from),
        }
    }
}
