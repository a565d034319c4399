//! The seam to the media side: what should be goes out, what is comes in.

use std::future::Future;
use std::pin::Pin;

use crate::id::{RecordingId, TargetId};
use crate::machine::PushState;
use crate::model::{Cause, FileBody, RecordSpec};

/// What should be for one stream. Stating it twice changes nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Desired {
    /// Its name in the hub.
    pub stream: String,
    /// Whether it may be watched.
    pub serve: bool,
    /// What players have to know.
    pub password: Option<crate::credential::Secret>,
    /// Why nobody may publish it, when it is forbidden.
    pub forbidden: Option<String>,
    /// Where it is to be pushed to.
    pub targets: Vec<DesiredTarget>,
    /// What is to be recorded; other recordings that were asked for here before are to end.
    pub recordings: Vec<DesiredRecording>,
}

/// A push that should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    /// Its id.
    pub id: TargetId,
    /// Where to.
    pub url: String,
}

/// A recording that should run.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredRecording {
    /// Its id; goes into its files' manifests.
    pub id: RecordingId,
    /// What it is to be.
    pub spec: RecordSpec,
    /// Whether it leaves units out.
    pub paused: bool,
}

/// What came of stating what should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Whether the stream is there: it publishes, or waits for its publisher.
    pub live: bool,
    /// Recordings of the stream that run, those that are ending included.
    pub recording: Vec<RecordingId>,
}

/// Somebody who publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The stream's name in the hub.
    pub stream: String,
    /// How: `rtmp`, `rtmps`, `library`.
    pub protocol: String,
    /// From where, without the port.
    pub user_ip: Option<String>,
    /// What followed `?` in the publish URL.
    pub query: String,
}

/// Something happened on the media side.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Observation {
    /// A source publishes, for the first time or again.
    Published(Publishing),
    /// The size of its picture is known.
    Size {
        /// The stream.
        stream: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// A source no longer publishes.
    Lost {
        /// The stream.
        stream: String,
        /// Why.
        cause: Cause,
    },
    /// What a push does.
    Push {
        /// The target.
        target: TargetId,
        /// What it does.
        state: PushState,
        /// Why the last try failed; without keys.
        error: Option<String>,
    },
    /// What a recording does.
    Recording {
        /// The recorder's id: ours, when it was asked for here.
        recording: String,
        /// What.
        what: Recorded,
    },
    /// A file is finished.
    File(Box<FinishedFile>),
}

/// What a recording does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Writes.
    Writes,
    /// Leaves units out.
    Pauses,
    /// Cannot write.
    Fails {
        /// Why.
        reason: String,
        /// Whether it goes on by itself when that is cured.
        resumes: bool,
    },
    /// Is over.
    Over,
}

/// A file as the recorder describes it. `body.origin` is set here, not by the recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedFile {
    /// The recorder's id of the recording.
    pub recording: String,
    /// The stream.
    pub stream: String,
    /// Where the file lies below the recording root.
    pub path: String,
    /// When its first unit came, milliseconds of the Unix epoch.
    pub start_ms: i64,
    /// When its last unit came.
    pub end_ms: i64,
    /// Bytes.
    pub size: u64,
    /// The rest.
    pub body: FileBody,
}

/// What the media side could not do, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlaneError(pub String);

/// An answer to come.
pub type Answers<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The media side, as the control plane sees it.
pub trait Plane: Send + Sync + 'static {
    /// Makes it so. Called again whenever something may have changed.
    ///
    /// # Errors
    /// When it cannot be done now; it is tried again.
    fn apply(&self, desired: Desired) -> Answers<'_, Result<Applied, PlaneError>>;

    /// Sends a publisher away, with this reason; whether there was one.
    fn drop_publisher(&self, stream: &str, why: &str) -> bool;

    /// Removes a recorded file.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove_file(&self, path: &str) -> Answers<'_, Result<(), PlaneError>>;
}
