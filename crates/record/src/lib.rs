//! Writes live streams to files, so that nothing is lost.
//!
//! ```text
//!            network side (never waits)        │            writer thread, one a recording
//!  ring ──▶ feeder task ──▶ queue (bounded) ───┼──▶ session ──▶ muxer ──▶ file    one pass,
//!                                              │            └─▶ muxer ──▶ file    any formats
//!                                              │                    │ complete
//!                                              │            finisher thread: hash, manifest, event
//! ```
//!
//! - A recording is one more reader of the stream's ring. A slow, stuck or full disk makes *it*
//!   lose units, in whole groups of pictures, and says so; the stream and its viewers never notice.
//! - At every moment the files are playable up to what was written: FLV tags, TS packets, MP4
//!   fragments of half a second, HLS segments that grow. A crash leaves a marker beside each;
//!   the next start finishes them.
//! - Files are made by `O_EXCL` below the recording root, no link is followed: nothing is ever
//!   overwritten.
//!
//! Deliberately absent: which streams are recorded (the [`Manager`] asks a function), HTTP, uploads.
//! [docs/design/recording.md](../../../docs/design/recording.md) says why it is made so.

mod config;
mod error;
mod event;
mod feeder;
mod filing;
mod finisher;
mod format;
mod manager;
mod manifest;
mod mux;
mod name;
mod output;
mod queue;
mod recording;
mod repair;
mod session;
mod status;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

pub use config::{Clock, Config, NAME, Spec, Split};
pub use error::Error;
pub use event::{Event, Events, What};
pub use format::{Format, Media, UnknownFormat};
pub use manager::{Closed, Manager};
pub use manifest::{Cause, Gap, MANIFEST, MARKER, Manifest, Member, TrackInfo};
pub use name::Template;
pub use recording::Recording;
pub use status::{State, Status, Totals};
pub use storage::{Disk, Entry, EntryKind, Storage, StoredFile};
