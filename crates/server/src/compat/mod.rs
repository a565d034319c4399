//! Faces that clients of the classic service know: `videorelay` starts and stops bypass and
//! recordings, `common_access` manages channels and files. Both are thin: they read the classic
//! fields, ask the control plane, and answer in the classic words.

mod common_access;
mod query;
mod videorelay;

pub(crate) use common_access::common_access;
pub(crate) use videorelay::videorelay;

use axum::extract::Request;

use crate::api;
use crate::error::{Problem, Reason};
use crate::state::Shared;

/// The control plane, or what to say without one.
fn plane(shared: &Shared) -> Result<&control::Control, control::Error> {
    shared.control.as_ref().ok_or_else(|| {
        let detail = "this relay runs without a control plane";
        control::Error::new(control::Reason::ServiceNotEnabled, detail)
    })
}

/// Whether somebody may use a face: as for `/v1`, or with an API key where the classic client puts
/// its signature.
fn may_control(shared: &Shared, request: &Request, key: Option<&str>) -> Result<(), Problem> {
    let by_key = key.and_then(|key| shared.keys.grant(key));
    let grant = match by_key {
        Some(grant) => grant,
        None => api::admit(shared, request)?,
    };
    if grant.allows(api::Scope::Control) {
        return Ok(());
    }
    let detail = "this needs a key with the scope control";
    Err(Problem::new(Reason::PERMISSION_DENIED, detail))
}

/// The number of a problem on these faces.
fn number(problem: &Problem) -> u32 {
    match problem.reason {
        Reason::Control(reason) => reason.compat_code(),
        _ => control::Reason::RequestUnparsable.compat_code(),
    }
}
