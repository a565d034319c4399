//! Rooms and who is in them.

use crate::clock::UnixMs;
use crate::words::words;

words! {
    /// What a room is for.
    pub enum RoomKind {
        /// Any number of people.
        Group = "group",
        /// Two people; cannot be recorded.
        Duo = "duo",
    }
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its app.
    pub app_id: String,
    /// Its id within the app.
    pub room_id: String,
    /// What it is for.
    pub kind: RoomKind,
    /// The group that it belongs to, if it was declared with one.
    pub relation_id: Option<u32>,
    /// Whether a publish made it, not a call.
    pub implicit: bool,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it was closed.
    pub closed_at: Option<UnixMs>,
    /// Grows with each change.
    pub version: u64,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: String,
    /// Since when.
    pub joined_at: UnixMs,
    /// When they left.
    pub left_at: Option<UnixMs>,
}
