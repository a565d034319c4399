//! A room and who is in it.

use control::model::{Member, Room};
use serde::Serialize;
use utoipa::ToSchema;

use super::channel::etag;

/// A room.
#[derive(Serialize, ToSchema)]
#[schema(as = Room)]
pub(in crate::api) struct RoomView {
    room_id: String,
    /// `group` or `duo`.
    r#type: String,
    relation_id: Option<u32>,
    /// Whether a publish made it, not a request.
    implicit: bool,
    created_at: String,
    closed_at: Option<String>,
    pub(in crate::api) etag: String,
}

/// Somebody in a room.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(in crate::api) struct MemberView {
    user_id: String,
    joined_at: String,
    left_at: Option<String>,
}

impl From<&Room> for RoomView {
    fn from(room: &Room) -> Self {
        Self {
            room_id: room.room_id.clone(),
            r#type: room.kind.to_string(),
            relation_id: room.relation_id,
            implicit: room.implicit,
            created_at: room.created_at.to_string(),
            closed_at: room.closed_at.map(|at| at.to_string()),
            etag: etag(room.version),
        }
    }
}

impl From<&Member> for MemberView {
    fn from(member: &Member) -> Self {
        Self {
            user_id: member.user_id.clone(),
            joined_at: member.joined_at.to_string(),
            left_at: member.left_at.map(|at| at.to_string()),
        }
    }
}
