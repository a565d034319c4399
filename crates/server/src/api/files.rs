//! Recorded files and their content.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use control::model::{File, Format};
use control::{FileId, RecordingId, UnixMs, request};
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::answer::{Answer, Content};
use super::ask::Ask;
use super::input::{Input, Name, Place, Text, Time, Whole, input};
use super::route::Route;
use super::view::{FileView, PLAYLIST, Page};
use crate::error::{Problem, Reason};

/// Read from the disk at once, for one client.
const CHUNK: usize = 128 << 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/files", "Recorded files", list)
            .query::<Which>()
            .answers::<Page<FileView>>(200),
        Route::get("/v1/files/{file_id}", "One recorded file", show).answers::<FileView>(200),
        Route::get(
            "/v1/files/{file_id}/content",
            "A file's content; ranges are served",
            content,
        )
        .sends(200, "application/octet-stream")
        .sends(206, "application/octet-stream"),
        Route::get(
            "/v1/files/{file_id}/content/{part}",
            "One part of a recording that is a folder",
            part,
        )
        .sends(200, "application/octet-stream")
        .sends(206, "application/octet-stream"),
        Route::delete("/v1/files/{file_id}", "Removes a file's content", remove).empty(204),
    ]
}

input! {
    /// Which files.
    pub(super) struct Which {
        /// Of this app.
        app_id: Option<Name> = None,
        /// Of this room.
        room: Option<Name> = None,
        /// Of this user.
        user: Option<Name> = None,
        /// Of this stream: its whole name, `{app}/{stream_id}`.
        stream: Option<Text<1, 255>> = None,
        /// Of this recording task.
        recording_id: Option<Task> = None,
        /// With your own number.
        record_id: Option<Whole<0, 4_294_967_295>> = None,
        /// Begun at this moment or later.
        from: Option<Time> = None,
        /// Begun before this moment.
        to: Option<Time> = None,
        /// Whose name begins so.
        name_prefix: Option<Text<1, 255>> = None,
        /// Files of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

/// A recording task's id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task(RecordingId);

impl Input for Task {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.map(Self)
            .or_else(|| at.wrong("is the id of a recording (rec_…)"))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^rec_[0-7][0-9A-HJKMNP-TV-Z]{25}$"})
    }
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let moment = |at: Time| UnixMs(at.0.as_millisecond());
    let filter = request::FileFilter {
        app_id: which.app_id.map(|id| id.0),
        room_id: which.room.map(|id| id.0),
        user_id: which.user.map(|id| id.0),
        stream: which.stream.map(|name| name.0),
        recording_id: which.recording_id.map(|task| task.0),
        record_id: which.record_id.map(Whole::small),
        from: which.from.map(moment),
        to: which.to.map(moment),
        name_prefix: which.name_prefix.map(|prefix| prefix.0),
    };
    let page = super::page(which.limit, which.cursor);
    let files = ask.control()?.files(filter, page).await;
    let files = files.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: files
            .items
            .iter()
            .map(|file| FileView::of(file, &ask))
            .collect(),
        next_cursor: files.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn find(ask: &Ask) -> Result<File, Problem> {
    let id: FileId = ask.id("file_id")?;
    let file = ask.control()?.file(id).await;
    file.map_err(|error| ask.refused(error))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let file = find(&ask).await?;
    Ok(ask.json(StatusCode::OK, &FileView::of(&file, &ask)))
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let id: FileId = ask.id("file_id")?;
    let removed = ask.control()?.remove_file(id).await;
    removed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}

async fn content(ask: Ask) -> Result<Answer, Problem> {
    let file = find(&ask).await?;
    if is_folder(&file) {
        let detail = format!(
            "this recording is a folder; its playlist is /v1/files/{}/content/{PLAYLIST}",
            file.id
        );
        return Err(missing(detail));
    }
    let path = below_root(&ask, &file, None)?;
    let etag = format!("\"{}\"", file.body.sha256);
    send(&ask, &path, Some(&etag)).await
}

async fn part(ask: Ask) -> Result<Answer, Problem> {
    let file = find(&ask).await?;
    if !is_folder(&file) {
        return Err(missing(
            "this recording is one file; it has no parts".to_owned(),
        ));
    }
    let path = below_root(&ask, &file, Some(ask.text("part")))?;
    send(&ask, &path, None).await
}

fn is_folder(file: &File) -> bool {
    matches!(file.body.format, Format::Hls | Format::HlsTs)
}

fn missing(detail: String) -> Problem {
    Problem::new(Reason::Control(control::Reason::ResourceNotFound), detail)
}

/// The place of a file, or of a part of a folder, on the disk. What leads out of the recording
/// folder is not there.
fn below_root(ask: &Ask, file: &File, part: Option<&str>) -> Result<PathBuf, Problem> {
    let gone = || missing(format!("the content of {} is not there", file.id));
    if file.deleted_at.is_some() {
        return Err(missing(format!("the content of {} was removed", file.id)));
    }
    let root = ask.shared.recordings_root.as_ref().ok_or_else(gone)?;
    let mut path = PathBuf::from(&file.path);
    if let Some(part) = part {
        // A folder is named by itself or by its playlist.
        if path.extension().is_some_and(|end| end == "m3u8") {
            path.pop();
        }
        path.push(part);
    }
    let is_plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if is_plain {
        Ok(root.join(path))
    } else {
        Err(gone())
    }
}

/// A file of the disk, or the range of it that was asked for.
async fn send(ask: &Ask, path: &Path, etag: Option<&str>) -> Result<Answer, Problem> {
    let gone = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => missing("its content is no longer there".to_owned()),
        _ => Problem::new(
            Reason::Control(control::Reason::RecordingStorageUnavailable),
            format!("its content cannot be read: {}", error.kind()),
        ),
    };
    let mut file = tokio::fs::File::open(path).await.map_err(gone)?;
    let meta = file.metadata().await.map_err(gone)?;
    if !meta.is_file() {
        return Err(missing("its content is no longer there".to_owned()));
    }
    let len = meta.len();
    let is_same = ask.header(IF_RANGE).is_none_or(|given| Some(given) == etag);
    let wanted = ask
        .header(RANGE)
        .filter(|_| is_same)
        .map(|text| range(text, len));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
    headers.extend(etag.map(|etag| (ETAG, etag)));
    let (status, first, last) = match wanted {
        Some(Wanted::Part(first, last)) => {
            let value = HeaderValue::from_str(&format!("bytes {first}-{last}/{len}"));
            headers.extend(value.ok().map(|value| (CONTENT_RANGE, value)));
            (StatusCode::PARTIAL_CONTENT, first, last + 1)
        }
        Some(Wanted::Nothing) => {
            let problem = Problem::new(Reason::RangeInvalid, format!("it has {len} bytes"));
            let value = HeaderValue::from_str(&format!("bytes */{len}"));
            return Err(match value {
                Ok(value) => problem.with(CONTENT_RANGE, value),
                Err(_) => problem,
            });
        }
        Some(Wanted::All) | None => (StatusCode::OK, 0, len),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(last - first));
    if first > 0 {
        let at = std::io::SeekFrom::Start(first);
        file.seek(at).await.map_err(gone)?;
    }
    let chunks = stream::unfold((file, last - first), async |(mut file, left)| {
        let read = next(&mut file, left).await.transpose()?;
        let left = left - read.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Some((read, (file, left)))
    });
    Ok(Answer {
        status,
        headers,
        body: Content::Flow(Body::from_stream(chunks)),
    })
}

/// At most [`CHUNK`] bytes; `None` at the end. A file that ends early is an error: its length was
/// promised.
async fn next(file: &mut tokio::fs::File, left: u64) -> std::io::Result<Option<Bytes>> {
    if left == 0 {
        return Ok(None);
    }
    let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = BytesMut::with_capacity(most);
    while chunk.len() < most {
        let mut rest = (&mut *file).take((most - chunk.len()) as u64);
        if rest.read_buf(&mut chunk).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(chunk.freeze()))
}

enum Wanted {
    All,
    /// From and to this byte.
    Part(u64, u64),
    Nothing,
}

/// A `Range` of one range (RFC 9110 section 14.2); others are ignored, as that section allows.
fn range(text: &str, len: u64) -> Wanted {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = match (first, last) {
        ("", last) => match number(last) {
            Some(0) => return Wanted::Nothing,
            Some(count) => (len.saturating_sub(count), len.saturating_sub(1)),
            None => return Wanted::All,
        },
        (first, "") => match number(first) {
            Some(first) => (first, len.saturating_sub(1)),
            None => return Wanted::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.min(len.saturating_sub(1))),
            _ => return Wanted::All,
        },
    };
    if first < len {
        Wanted::Part(first, last)
    } else {
        Wanted::Nothing
    }
}

fn media_type(path: &Path) -> &'static str {
    match path
        .extension()
        .and_then(|end| end.to_str())
        .unwrap_or_default()
    {
        "mp4" => "video/mp4",
        "m4a" => "audio/mp4",
        "m4s" => "video/iso.segment",
        "flv" => "video/x-flv",
        "ts" => "video/mp2t",
        "aac" => "audio/aac",
        "m3u8" => "application/vnd.apple.mpegurl",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_specification() {
        for (text, want) in [
            ("bytes=0-0", Some((0, 0))),
            ("bytes=2-", Some((2, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=-99", Some((0, 9))),
            ("bytes=5-99999999999999999999999", Some((5, 9))),
        ] {
            match range(text, 10) {
                Wanted::Part(first, last) => assert_eq!(Some((first, last)), want, "{text}"),
                _ => panic!("{text}"),
            }
        }
        for text in ["bytes=10-", "bytes=-0", "bytes=10-12"] {
            assert!(matches!(range(text, 10), Wanted::Nothing), "{text}");
        }
        for text in [
            "bytes=",
            "bytes=a-b",
            "bytes=3-2",
            "bytes=0-1,3-4",
            "items=0-1",
        ] {
            assert!(matches!(range(text, 10), Wanted::All), "{text}");
        }
    }
}
