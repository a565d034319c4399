//! Live streams by name: one publisher each, any number of subscribers, continuity between
//! publishers.
//!
//! ```text
//!              await_stream                 publish
//!   (none) ───────────────▶ Awaited ───────────────────▶ Live ◀─────────────┐
//!      └──────────────────── publish ────────────────────▶│                 │ publish within
//!                                             close / lost│                 │ the window
//!                                                         ▼                 │
//!                                  window over       Interrupted ───────────┘
//!                    Ended ◀──────────────────────────────┘
//! ```
//!
//! - A [`Stream`] outlives its publishers: subscribers keep their [`Subscriber`] over a reconnect
//!   and see one [`Item::Discontinuity`].
//! - The hub knows no output: whoever wants media subscribes, whoever serves viewers registers
//!   them in [`Stream::viewers`] so that they can be listed and sent away.
//! - No clock is read here: `now` is a parameter, and the owner calls [`Hub::tick`] about once a
//!   second.
//!
//! Locks, in the order they may be taken: the hub's map, a stream's writer, a ring. None is held
//! while a waker or foreign code runs, except the ring's own wakers.

mod admission;
mod config;
mod error;
mod event;
mod frame;
mod hub;
mod notice;
mod publisher;
mod session;
mod stats;
mod stream;
mod subscriber;
mod viewers;

pub use admission::{Action, AllowAll, Ask, Authorizer, Verdict, Verdicts};
pub use config::{Config, OnConflict};
pub use error::{PublishError, Revoked};
pub use event::{Ended, Event, Events};
pub use fanout::JoinAt;
pub use frame::{Discontinuity, Frame, Item};
pub use hub::Hub;
pub use publisher::{Publisher, TrackError};
pub use session::{CloseCause, PublisherInfo};
pub use stats::{StreamStats, Timing, TrackStats};
pub use stream::{Phase, Stream};
pub use subscriber::{Hurry, Received, Subscriber};
pub use viewers::{ProtocolViewers, Viewer, ViewerHandle, ViewerInfo, Viewers};
