//! Recording tasks.

use control::UnixMs;
use control::request;
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{ChannelIdText, List, Name, Text, Time, Whole, input};
use super::route::Route;
use super::view::{FileView, Page, RecordingView, Warning};
use super::words::{Format, Media, RecordState, Source};
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/rooms/{room}/recordings",
            "Records a user's source",
            start,
        )
        .parameter::<Name>("room")
        .body::<Start>(
            r#"{"user_id": "anchor_7", "source": "main", "file_name": "lesson-1",
                    "formats": ["mp4"], "tags": ["demo"]}"#,
        )
        .answers::<Started>(201),
        Route::post(
            "/v1/rooms/{room}/recordings:stop",
            "Stops the manual recordings of a user's source",
            stop_of_user,
        )
        .parameter::<Name>("room")
        .body::<Stop>(r#"{"user_id": "anchor_7", "source": "main"}"#)
        .answers::<Stopped>(200),
        Route::get("/v1/recordings", "Recording tasks", list)
            .query::<Which>()
            .answers::<Page<RecordingView>>(200),
        Route::get("/v1/recordings/{recording_id}", "One recording task", show)
            .answers::<Detail>(200),
        Route::post(
            "/v1/recordings/{recording_id}:pause",
            "Leaves units out until it goes on",
            pause,
        )
        .answers::<RecordingView>(200),
        Route::post(
            "/v1/recordings/{recording_id}:resume",
            "Goes on with a paused recording",
            resume,
        )
        .answers::<RecordingView>(200),
        Route::post(
            "/v1/recordings/{recording_id}:stop",
            "Stops a recording",
            stop,
        )
        .answers::<StoppedOne>(200),
    ]
}

input! {
    /// A recording to be started.
    pub(super) struct Start {
        /// Whose.
        user_id: Name,
        /// Which of the user's sources.
        source: Source = Source::Main,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
        /// Leads to the room when its id is 0.
        relation_id: Option<Whole<0, 4_294_967_295>> = None,
        /// The first part of the files' names; the stream code when absent.
        file_name: Option<Text<1, 40>> = None,
        /// Which tracks.
        media: Media = Media::Av,
        /// Containers; MP4 when empty.
        formats: List<Format, 0, 6> = List::empty(),
        /// When the next file begins, in seconds; the policy's when absent.
        segment_s: Option<Whole<10, 86_400>> = None,
        /// Your own.
        tags: List<Text<1, 64>, 0, 32> = List::empty(),
        /// Your own.
        class_id: Whole<0, 4_294_967_295> = Whole::of(0),
        /// Your own number of the recording.
        record_id: Option<Whole<0, 4_294_967_295>> = None,
        /// When it is to begin; at once when absent.
        start_at: Option<Time> = None,
        /// When it is to end.
        end_at: Option<Time> = None,
        /// Whether finished files are told to callbacks.
        callback: bool = true,
        /// Taken, and answered with a warning: nothing is transcoded.
        transcode: bool = false,
        /// Taken, and answered with a warning: there are no screenshots.
        screenshot: bool = false,
        /// Taken, and answered with a warning: there are no watermarks.
        watermark: bool = false,
    }
}

input! {
    /// Whose recordings to stop.
    pub(super) struct Stop {
        /// Whose.
        user_id: Name,
        /// Which of the user's sources.
        source: Source = Source::Main,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
        /// Leads to the room when its id is 0.
        relation_id: Option<Whole<0, 4_294_967_295>> = None,
    }
}

input! {
    /// Which recording tasks.
    pub(super) struct Which {
        /// In this state.
        state: Option<RecordState> = None,
        /// Of this app.
        app_id: Option<Name> = None,
        /// Of this room.
        room: Option<Name> = None,
        /// Of this user.
        user: Option<Name> = None,
        /// Of this channel.
        channel_id: Option<ChannelIdText> = None,
        /// Tasks of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

/// A recording task and its files.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingDetail)]
pub(super) struct Detail {
    #[serde(flatten)]
    recording: RecordingView,
    files: Vec<FileView>,
}

/// A recording that was started.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingStarted)]
pub(super) struct Started {
    #[serde(flatten)]
    recording: RecordingView,
    warnings: Vec<Warning>,
}

/// Recordings that were stopped.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingsStopped)]
pub(super) struct Stopped {
    results: Vec<StoppedOne>,
}

/// A recording that was stopped.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordingStopped)]
pub(super) struct StoppedOne {
    recording_id: String,
    task_id: String,
    state: String,
    /// Files that are finished; more may follow as events.
    file_ids: Vec<String>,
    /// 0, or the number that says that it was over already.
    note: u32,
}

impl From<&request::RecordStopped> for StoppedOne {
    fn from(stopped: &request::RecordStopped) -> Self {
        let already = control::Reason::RecordingAlreadyStopped.code();
        Self {
            recording_id: stopped.recording.id.to_string(),
            task_id: stopped.recording.task_id.to_string(),
            state: stopped.recording.state.to_string(),
            file_ids: stopped.file_ids.iter().map(ToString::to_string).collect(),
            note: if stopped.already { already } else { 0 },
        }
    }
}

async fn start(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let start: Start = ask.body()?;
    let not_done = [
        (
            start.transcode,
            "TRANSCODE_UNSUPPORTED",
            "nothing is transcoded",
        ),
        (
            start.screenshot,
            "SCREENSHOT_UNSUPPORTED",
            "there are no screenshots",
        ),
        (
            start.watermark,
            "WATERMARK_UNSUPPORTED",
            "there are no watermarks",
        ),
    ];
    let request = request::RecordStart {
        place: request::Place {
            app_id: start.app_id.map(|id| id.0),
            room_id: room.0,
            relation_id: start.relation_id.map(Whole::small),
        },
        user_id: start.user_id.0,
        source: start.source.into(),
        file_name: start.file_name.map(|name| name.0),
        media: start.media.into(),
        formats: start.formats.0.into_iter().map(Into::into).collect(),
        segment_s: start.segment_s.map(Whole::small),
        tags: start.tags.0.into_iter().map(|tag| tag.0).collect(),
        class_id: start.class_id.small(),
        record_id: start.record_id.map(Whole::small),
        start_at: start.start_at.map(|at| UnixMs(at.0.as_millisecond())),
        end_at: start.end_at.map(|at| UnixMs(at.0.as_millisecond())),
        callback: start.callback,
        compat: false,
    };
    let started = ask.control()?.start_recording(request).await;
    let started = started.map_err(|error| ask.refused(error))?;
    let mut warnings: Vec<Warning> = started.warnings.iter().map(Warning::from).collect();
    for (_, code, detail) in not_done.into_iter().filter(|(is_asked, _, _)| *is_asked) {
        warnings.push(Warning {
            code: code.to_owned(),
            detail: detail.to_owned(),
        });
    }
    let answer = Started {
        recording: RecordingView::from(&started.recording),
        warnings,
    };
    let location = format!("/v1/recordings/{}", started.recording.id);
    Ok(ask
        .json(StatusCode::CREATED, &answer)
        .with(LOCATION, &location))
}

async fn stop_of_user(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let stop: Stop = ask.body()?;
    let request = request::RecordStop {
        place: request::Place {
            app_id: stop.app_id.map(|id| id.0),
            room_id: room.0,
            relation_id: stop.relation_id.map(Whole::small),
        },
        user_id: stop.user_id.0,
        source: stop.source.into(),
    };
    let stopped = ask.control()?.stop_recordings(request).await;
    let stopped = stopped.map_err(|error| ask.refused(error))?;
    let answer = Stopped {
        results: stopped.iter().map(StoppedOne::from).collect(),
    };
    Ok(ask.json(StatusCode::OK, &answer))
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let filter = request::RecordingFilter {
        state: which.state.map(Into::into),
        app_id: which.app_id.map(|id| id.0),
        room_id: which.room.map(|id| id.0),
        user_id: which.user.map(|id| id.0),
        stream: None,
        channel_id: which.channel_id.map(|id| control::ChannelId(id.0)),
    };
    let page = super::page(which.limit, which.cursor);
    let tasks = ask.control()?.recordings(filter, page).await;
    let tasks = tasks.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: tasks.items.iter().map(RecordingView::from).collect(),
        next_cursor: tasks.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let found = ask.control()?.recording(ask.id("recording_id")?).await;
    let (recording, files) = found.map_err(|error| ask.refused(error))?;
    let detail = Detail {
        recording: RecordingView::from(&recording),
        files: files.iter().map(|file| FileView::of(file, &ask)).collect(),
    };
    Ok(ask.json(StatusCode::OK, &detail))
}

async fn pause(ask: Ask) -> Result<Answer, Problem> {
    set_paused(ask, true).await
}

async fn resume(ask: Ask) -> Result<Answer, Problem> {
    set_paused(ask, false).await
}

async fn set_paused(ask: Ask, paused: bool) -> Result<Answer, Problem> {
    let control = ask.control()?;
    let recording = control
        .pause_recording(ask.id("recording_id")?, paused)
        .await;
    let recording = recording.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &RecordingView::from(&recording)))
}

async fn stop(ask: Ask) -> Result<Answer, Problem> {
    let stopped = ask.control()?.stop_recording(ask.id("recording_id")?).await;
    let stopped = stopped.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &StoppedOne::from(&stopped)))
}
