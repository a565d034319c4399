//! The way out for HLS: copies elsewhere, that others serve.

use std::sync::Arc;

use hls::{Container, Presentation};
use media::StreamName;
use serde::Serialize;
use utoipa::ToSchema;

/// Takes the HLS of streams as it changes. The facade joins this crate and the one that writes to storage by
/// implementing it.
pub trait HlsMirror: Send + Sync + 'static {
    /// The containers of this stream that are to be copied; while there are any, it is segmented whether or not
    /// somebody watches. Must not block.
    fn containers(&self, stream: &StreamName) -> &[Container];

    /// This is what the stream's HLS is now. Must not block.
    fn offer(&self, stream: &StreamName, presentation: &Arc<Presentation>);

    /// How the copies of this stream are.
    fn of(&self, stream: &StreamName) -> Vec<HlsCopy>;
}

/// The copy of a container of a stream's HLS, as `/v1` shows it. Holds no secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HlsCopy {
    /// `fmp4` or `ts`.
    pub container: &'static str,
    /// Where to, without credentials.
    pub to: String,
    /// `waiting`, `in_sync`, `behind`, `failing` or `ended`.
    pub state: &'static str,
    /// For how long the copy has not shown what is newest; 0 when it does.
    pub behind_s: f64,
    /// For how long it has been failing; null when it works.
    pub failing_s: Option<f64>,
    /// What kind of failure the last one was: `unreachable`, `credentials`, `denied`, `no_bucket`, `full` and others;
    /// null before the first.
    pub last_error_kind: Option<&'static str>,
    /// Why the last request that failed did so.
    pub last_error: Option<String>,
    /// Objects written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Segments never written, because the copy was behind for longer than the playlist is.
    pub skipped: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// Without a mirror.
pub(crate) struct NoMirror;

impl HlsMirror for NoMirror {
    fn containers(&self, _: &StreamName) -> &[Container] {
        &[]
    }

    fn offer(&self, _: &StreamName, _: &Arc<Presentation>) {}

    fn of(&self, _: &StreamName) -> Vec<HlsCopy> {
        Vec::new()
    }
}
