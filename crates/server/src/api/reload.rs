//! The configuration, read again.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::route::Route;
use crate::error::{FieldError, Problem, Reason};

/// Reads the configuration again and puts it in force.
pub trait Reload: Send + Sync + 'static {
    /// Does so; with an error everything is as before. May block.
    ///
    /// # Errors
    /// Everything that is wrong, in reading order; at least one.
    fn reload(&self) -> Result<Reloaded, Vec<Misconfigured>>;
}

/// What reading the configuration again changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Reloaded)]
#[non_exhaustive]
pub struct Reloaded {
    /// Sections that are in force as the configuration now says.
    pub applied: Vec<String>,
    /// Sections that differ and stay as they were until the next start.
    pub kept_until_restart: Vec<String>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misconfigured {
    /// `FILE:LINE:COLUMN`, a variable of the environment, or a flag.
    pub place: String,
    /// What, and what to do.
    pub detail: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/reload",
            "Reads the configuration again, as SIGHUP does",
            reload,
        )
        .needs(Scope::Admin)
        .answers::<Reloaded>(200),
    ]
}

async fn reload(ask: Ask) -> Result<Answer, Problem> {
    let Some(reload) = ask.shared.reload.as_ref().map(Arc::clone) else {
        let detail = "this relay was not started from a configuration that can be read again";
        let reason = Reason::Control(control::Reason::ServiceNotEnabled);
        return Err(Problem::new(reason, detail));
    };
    let reloaded = tokio::task::spawn_blocking(move || reload.reload()).await;
    let reloaded = reloaded.map_err(|_| {
        let reason = Reason::Control(control::Reason::OperationInternal);
        Problem::new(reason, "reading the configuration broke off")
    })?;
    match reloaded {
        Ok(reloaded) => Ok(ask.json(StatusCode::OK, &reloaded)),
        Err(wrong) => {
            let first = wrong.first().cloned().unwrap_or_default();
            let mut detail = format!("kept as it was: {}: {}", first.place, first.detail);
            if wrong.len() > 1 {
                detail.push_str(&format!(" (and {} more; see errors)", wrong.len() - 1));
            }
            let mut problem = Problem::new(Reason::ConfigurationInvalid, detail);
            let wrong = wrong.into_iter();
            problem.errors = wrong
                .map(|wrong| FieldError::in_configuration(wrong.place, wrong.detail))
                .collect();
            Err(problem)
        }
    }
}
