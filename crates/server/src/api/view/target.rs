//! A push target.

use control::model::Target;
use serde::Serialize;
use utoipa::ToSchema;

/// A push target. Its URL is shown without what may be a key.
#[derive(Serialize, ToSchema)]
#[schema(as = Target)]
pub(in crate::api) struct TargetView {
    target_id: String,
    channel_id: String,
    name: String,
    url: String,
    /// `retry` or `stop`.
    on_fail: String,
    /// `idle`, `connecting`, `running`, `recovering`, `failed`, `disconnecting`.
    state: String,
    /// 0 to 5, in that order.
    state_code: u32,
    since: String,
    last_error: Option<String>,
    version: u64,
}

impl From<&Target> for TargetView {
    fn from(target: &Target) -> Self {
        Self {
            target_id: target.id.to_string(),
            channel_id: target.channel_id.to_string(),
            name: target.name.clone(),
            url: target.shown_url(),
            on_fail: target.on_fail.to_string(),
            state: target.state.to_string(),
            state_code: target.state.number(),
            since: target.since.to_string(),
            last_error: target.last_error.clone(),
            version: target.version,
        }
    }
}
