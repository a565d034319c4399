//! The nouns of the control plane, one a file.

mod channel;
mod file;
mod ladder;
mod policy;
mod policy_patch;
mod recording;
mod room;
mod source;
mod target;

pub use channel::{
    Cause, Channel, ChannelSpec, ChannelState, IfExists, Origin, Protocol, StartWhen,
};
pub use file::{File, FileBody, FileGap};
pub use ladder::Ladder;
pub(crate) use policy::merge;
pub use policy::{
    AutoBypass, AutoRecord, Policy, RecordTemplate, Rule, Uniqueness, UnknownPublish,
};
pub use recording::{Format, Media, RecordOrigin, RecordSpec, RecordState, Recording};
pub use room::{Member, Room, RoomKind};
pub use source::{Session, Source, SourceState};
pub use target::{OnFail, Target, TargetState};
