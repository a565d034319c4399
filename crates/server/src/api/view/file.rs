//! A recorded file.

use control::UnixMs;
use control::model::{File, Format};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ask::Ask;

/// The playlist's name in the folder of a recording.
pub(in crate::api) const PLAYLIST: &str = "index.m3u8";

/// A recorded file, or a folder with a playlist.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub(in crate::api) struct FileView {
    file_id: String,
    /// Its number on the compatible faces.
    number: String,
    recording_id: String,
    record_id: Option<u32>,
    stream_id: String,
    room_id: String,
    user_id: String,
    name: String,
    /// `flv`, `mp4`, `hls`, `aac`, `ts`, `hls-ts`.
    format: String,
    media: String,
    origin: String,
    /// Bytes.
    size: u64,
    duration_ms: i64,
    start_time: String,
    end_time: String,
    codecs: Vec<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// Lowercase hexadecimal, of the content.
    sha256: String,
    gaps: Vec<Gap>,
    segment_index: u32,
    /// Whether it was repaired after a crash.
    recovered: bool,
    storage: String,
    expires_at: Option<String>,
    deleted_at: Option<String>,
    /// Where its content is; of a folder, its playlist.
    url: String,
}

/// What the stream had and the file has not.
#[derive(Serialize, ToSchema)]
struct Gap {
    at_ms: i64,
    missing_ms: i64,
    cause: String,
}

impl FileView {
    pub(in crate::api) fn of(file: &File, ask: &Ask) -> Self {
        let body = &file.body;
        let stream = file.stream.rsplit_once('/');
        let base = ask.shared.base_url(&ask.urls());
        let gaps = body.gaps.iter().map(|gap| Gap {
            at_ms: gap.at_ms,
            missing_ms: gap.missing_ms,
            cause: gap.cause.clone(),
        });
        Self {
            file_id: file.id.to_string(),
            number: file.number.to_string(),
            recording_id: file.recording_id.to_string(),
            record_id: file.record_id,
            stream_id: stream
                .map_or(file.stream.as_str(), |(_, code)| code)
                .to_owned(),
            room_id: file.room_id.clone(),
            user_id: file.user_id.clone(),
            name: file.name.clone(),
            format: body.format.to_string(),
            media: body.media.to_string(),
            origin: body.origin.to_string(),
            size: file.size,
            duration_ms: body.duration_ms,
            start_time: file.start_at.to_string(),
            end_time: file.end_at.to_string(),
            codecs: body.codecs.clone(),
            width: body.width,
            height: body.height,
            sha256: body.sha256.clone(),
            gaps: gaps.collect(),
            segment_index: body.segment_index,
            recovered: body.recovered,
            storage: body.storage.clone(),
            expires_at: body.expires_at_ms.map(|at| UnixMs(at).to_string()),
            deleted_at: file.deleted_at.map(|at| at.to_string()),
            url: match body.format {
                Format::Hls | Format::HlsTs => {
                    format!("{base}/v1/files/{}/content/{PLAYLIST}", file.id)
                }
                _ => format!("{base}/v1/files/{}/content", file.id),
            },
        }
    }
}
