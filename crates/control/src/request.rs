//! What is asked of [`Control`](crate::Control) and what it answers: plain values, no wire format.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::UnixMs;
use crate::error::Reason;
use crate::id::{ChannelId, FileId, RecordingId};
use crate::model::{
    Channel, ChannelSpec, ChannelState, File, Format, IfExists, Media, OnFail, Origin, Protocol,
    RecordState, Recording, RoomKind, Source, StartWhen, Target,
};

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T> {
    /// The things.
    pub items: Vec<T>,
    /// What to ask the next page with; absent at the end.
    pub next_cursor: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many, up to 1000; 0 is 100.
    pub limit: u32,
    /// From the page before.
    pub cursor: Option<String>,
}

/// Whose source. The room is found by its id or, when that is empty or `0`, by the group's number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The app; the configured one when absent.
    pub app_id: Option<String>,
    /// The room.
    pub room_id: String,
    /// The group that the room belongs to.
    pub relation_id: Option<u32>,
}

/// Starts a bypass.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The room.
    pub place: Place,
    /// The user.
    pub user_id: String,
    /// Camera or auxiliary stream.
    pub source: Source,
    /// What is said about the channel; without protocols the policy's.
    pub spec: ChannelSpec,
    /// A recording for as long as the channel.
    pub record: Option<RecordAsk>,
    /// Where it is to be pushed to.
    pub targets: Vec<NewTarget>,
    /// Whether it may wait for its source.
    pub start_when: StartWhen,
    /// What happens when there is a channel.
    pub if_exists: IfExists,
    /// The user must be in the room already, as the classic interfaces ask for.
    pub must_be_in_room: bool,
    /// The caller's number of the change; must grow.
    pub sequence: Option<u64>,
}

/// A recording that is asked for with a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAsk {
    /// Containers; none is no recording.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// When the next file begins, in seconds; the policy's when absent.
    pub segment_s: Option<u32>,
    /// The caller's own number.
    pub record_id: Option<u32>,
}

/// A push target to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTarget {
    /// Where to.
    pub url: String,
    /// For people.
    pub name: String,
    /// What it does when it has failed.
    pub on_fail: OnFail,
}

/// What a start did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartEffect {
    /// A new channel.
    Started,
    /// A channel under the id and URLs of an earlier one.
    Resumed,
    /// Nothing but finding the URLs: the policy manages the channel.
    UrlsOnly,
    /// Nothing: it was there.
    AlreadyLive,
}

impl StartEffect {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Resumed => "resumed",
            Self::UrlsOnly => "urls_only",
            Self::AlreadyLive => "already_live",
        }
    }
}

/// Something that was done, but perhaps not as it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// It is being recorded already: there will be two copies.
    DoubleRecording,
    /// Under the compatible rules a manual recording is MP4 and tells no callbacks.
    CompatMatrix,
}

impl Warning {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DoubleRecording => "DOUBLE_RECORDING",
            Self::CompatMatrix => "COMPAT_MATRIX",
        }
    }
}

/// What a start answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The channel.
    pub channel: Channel,
    /// What was done.
    pub effect: StartEffect,
    /// Its recordings that run.
    pub recordings: Vec<Recording>,
    /// Its push targets.
    pub targets: Vec<Target>,
    /// What may be unexpected.
    pub warnings: Vec<Warning>,
}

/// Stops channels of a room: these, or without ids those of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// The room.
    pub place: Place,
    /// Which channels.
    pub ids: Vec<ChannelId>,
    /// Whose, without ids.
    pub user_id: Option<String>,
    /// Which of the user's; all when absent. With ids: what they have to be.
    pub source: Option<Source>,
}

/// What a stop did to one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopEffect {
    /// Ended it.
    Stopped,
    /// Nothing: the policy manages it.
    IgnoredAuto,
    /// Nothing: it was over.
    AlreadyStopped,
    /// Nothing: there is none.
    NotFound,
    /// Nothing: it belongs to another room, or is another source.
    NotInRoom,
}

impl StopEffect {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::IgnoredAuto => "ignored_auto",
            Self::AlreadyStopped => "already_stopped",
            Self::NotFound => "not_found",
            Self::NotInRoom => "not_in_room",
        }
    }

    /// The number that says why nothing was done.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Stopped => None,
            Self::IgnoredAuto => Some(Reason::AutoManaged),
            Self::AlreadyStopped => Some(Reason::AlreadyStopped),
            Self::NotFound => Some(Reason::ChannelNotFound),
            Self::NotInRoom => Some(Reason::ChannelNotInRoom),
        }
    }
}

/// What became of one channel of a stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The id, as it was asked for.
    pub id: ChannelId,
    /// What was done.
    pub effect: StopEffect,
    /// The channel as it is now.
    pub channel: Option<Channel>,
}

/// Which version a change is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// It has to have this version.
    pub version: Option<u64>,
    /// The caller's number of the change; has to be above the last one.
    pub sequence: Option<u64>,
}

/// Changes a channel; absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChannelChange {
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What players have to say; inner `None` removes it.
    pub password: Option<Option<String>>,
    /// The caller's own, replaced whole.
    pub metadata: Option<Map<String, Value>>,
    /// How it is to be watched.
    pub protocols: Option<Vec<Protocol>>,
    /// Its recording: other formats end the one that runs and begin another; inner `None` ends it.
    pub record: Option<Option<RecordAsk>>,
    /// Its push targets, compared by URL: missing ones end, new ones begin.
    pub targets: Option<Vec<NewTarget>>,
}

/// Which channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelFilter {
    /// In this state.
    pub state: Option<ChannelState>,
    /// Of this app.
    pub app_id: Option<String>,
    /// Of this room.
    pub room_id: Option<String>,
    /// Of this user.
    pub user_id: Option<String>,
    /// Of this stream in the hub.
    pub stream: Option<String>,
    /// Managed by.
    pub origin: Option<Origin>,
}

/// Which sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// Of this app.
    pub app_id: Option<String>,
    /// Of this room.
    pub room_id: Option<String>,
    /// Those that publish only.
    pub publishing: bool,
    /// Those that nobody may publish now only.
    pub forbidden: bool,
}

/// Declares a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPut {
    /// The app; the configured one when absent.
    pub app_id: Option<String>,
    /// The room.
    pub room_id: String,
    /// What it is for.
    pub kind: RoomKind,
    /// The group that it belongs to.
    pub relation_id: Option<u32>,
}

/// Starts a manual recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordStart {
    /// The room.
    pub place: Place,
    /// The user.
    pub user_id: String,
    /// Camera or auxiliary stream.
    pub source: Source,
    /// The first part of the files' names.
    pub file_name: Option<String>,
    /// Which tracks.
    pub media: Media,
    /// Containers; MP4 when empty.
    pub formats: Vec<Format>,
    /// When the next file begins, in seconds; the policy's when absent.
    pub segment_s: Option<u32>,
    /// The caller's own.
    pub tags: Vec<String>,
    /// The caller's own.
    pub class_id: u32,
    /// The caller's own number.
    pub record_id: Option<u32>,
    /// When it is to begin; at once when absent.
    pub start_at: Option<UnixMs>,
    /// When it is to end.
    pub end_at: Option<UnixMs>,
    /// Whether finished files are told to callbacks.
    pub callback: bool,
    /// By the classic rules, whatever the policy says: MP4, 90 minutes, no callback.
    pub compat: bool,
}

/// What the start of a recording answers.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordStarted {
    /// The task.
    pub recording: Recording,
    /// What may be unexpected.
    pub warnings: Vec<Warning>,
}

/// Ends the manual recordings of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordStop {
    /// The room.
    pub place: Place,
    /// The user.
    pub user_id: String,
    /// Which of the user's.
    pub source: Source,
}

/// A recording that was told to end.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordStopped {
    /// The task as it is now.
    pub recording: Recording,
    /// Its files that are finished; more may follow as events.
    pub file_ids: Vec<FileId>,
    /// Whether it was over already.
    pub already: bool,
}

/// Which recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// In this state.
    pub state: Option<RecordState>,
    /// Of this app.
    pub app_id: Option<String>,
    /// Of this room.
    pub room_id: Option<String>,
    /// Of this user.
    pub user_id: Option<String>,
    /// Of this stream in the hub.
    pub stream: Option<String>,
    /// Of this channel.
    pub channel_id: Option<ChannelId>,
}

/// Which files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFilter {
    /// Of this app.
    pub app_id: Option<String>,
    /// Of this room.
    pub room_id: Option<String>,
    /// Of this user.
    pub user_id: Option<String>,
    /// Of this stream in the hub.
    pub stream: Option<String>,
    /// Of this recording.
    pub recording_id: Option<RecordingId>,
    /// With the caller's own number.
    pub record_id: Option<u32>,
    /// Begun at this moment or later.
    pub from: Option<UnixMs>,
    /// Begun before this moment.
    pub to: Option<UnixMs>,
    /// Whose name begins so.
    pub name_prefix: Option<String>,
}

/// A stream, as far as the control plane knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// Its source.
    pub source: crate::model::SourceState,
    /// Its channel that is not over, or its last.
    pub channel: Option<Channel>,
    /// What is shown: forbidden lies over the channel's own state.
    pub state: Option<ChannelState>,
}

/// What forbidding, resuming or dropping a stream answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Moderated {
    /// The stream.
    pub stream: StreamInfo,
    /// Whether a publisher was sent away.
    pub dropped: bool,
}

/// A stored answer of an earlier request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Whatever the HTTP side needs beside the body.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What an idempotency key leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The request is new: it is to be carried out, and its answer stored.
    New,
    /// The same request was answered before.
    Replay(StoredAnswer),
}

/// How long a start may be waited for.
pub const START_WAIT: Duration = Duration::from_secs(3);

/// One channel and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelView {
    /// The channel.
    pub channel: Channel,
    /// What is shown: forbidden lies over the channel's own state.
    pub state: ChannelState,
    /// Its recordings that run.
    pub recordings: Vec<Recording>,
    /// Its push targets.
    pub targets: Vec<Target>,
}

/// A page of files.
pub type Files = List<File>;
