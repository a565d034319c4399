//! Storage: memory, folders and S3-compatible object storage behind one trait, and the task that
//! keeps a copy of live HLS there.
//!
//! ```text
//!   presentation (newest only) ──▶ Mirror ──▶ plan ──▶ one request at a time ──▶ Store
//!        Arc, from the HLS task    (task)    (pure)      retried, backed off      (ObjectStore)
//! ```
//!
//! - **One trait**: [`object_store::ObjectStore`]. A [`Store`] adds what we need beside it: names below a prefix, HTTP
//!   metadata where the storage keeps it, errors that say what to do, and secrets that never show.
//! - **Written behind live** ([`Mirrors`]): the source never waits. There is no queue of requests but a goal, the newest
//!   playlist with what it names; while the storage is slow or away, newer goals take the place of older ones. So what is held
//!   back is bounded by two windows of the playlist, however long it takes, and what has left the window meanwhile is skipped
//!   and counted.
//! - **A playlist never names what is not there**: media go first, playlists after all that they name, and what a playlist no
//!   longer names is deleted only after those who have that playlist had the time to play it (H3).
//! - **Nothing stays for ever**: a stream that comes back removes what an earlier process left of it, and streams to which
//!   nothing was added for a time are deleted, whoever wrote them.
//!
//! Deliberately absent: configuration files, HTTP, a second copy of anything that is only read once.

mod backoff;
mod credentials;
mod error;
mod goal;
mod janitor;
mod location;
mod mirror;
mod mirrors;
mod options;
mod plan;
mod redact;
mod status;
mod store;

pub use credentials::{Credentials, CredentialsError};
pub use error::{Error, Kind};
pub use location::{Location, LocationError};
pub use mirrors::{Mirrors, Settings};
pub use options::Options;
pub use status::{State, Status};
pub use store::{Found, Object, Store};

/// The trait that every storage implements; whoever embeds us may bring another one.
pub use object_store::ObjectStore;
