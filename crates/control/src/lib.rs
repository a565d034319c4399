//! The control plane: apps, rooms, channels, push targets, recordings, files, policy and events,
//! as state machines over one embedded database.
//!
//! ```text
//!  calls ──────▶ Control ──▶ Store: one transaction per state change, with its event
//!  observations ──▲    │
//!                 │    └──▶ what should be, per stream ──▶ Plane (the media side)
//!                 └──────── what is ◀─────────────────────────┘
//! ```
//!
//! - What should be is stored; what is, is reported by the media side and compared. So a restart or a
//!   crash loses nothing that was answered.
//! - An event exists only if the state change does, and the reverse: they are one transaction.
//! - Machines are pure: `now` is a parameter, only [`Control`] reads the clock.
//!
//! Deliberately absent: HTTP towards clients, media, files' content.
//! [docs/design/control.md](../../../docs/design/control.md) says why it is made so.

pub mod admission;
pub mod callback;
mod clock;
mod control;
pub mod credential;
mod error;
pub mod event;
mod id;
mod machine;
pub mod model;
mod plane;
pub mod request;
mod settings;
mod store;
mod table;
pub mod usage;
mod words;

pub use clock::{Clock, UnixMs};
pub use control::{Control, IssueKey, Issued};
pub use error::{Error, FieldError, Reason};
pub use event::{Event, EventFilter, EventKind, NewEvent, Subject};
pub use id::{BadId, ChannelId, DeliveryId, EventId, FileId, RecordingId, TargetId, WebhookId};
pub use machine::PushState;
pub use plane::{
    Answers, Applied, Desired, DesiredRecording, DesiredTarget, FinishedFile, Observation, Plane,
    PlaneError, Publishing, Recorded,
};
pub use settings::{Mode, Settings};
pub use store::{OpenError, Store, Tx};
pub use words::UnknownWord;
