//! Ladders: rules that join published streams to one playlist.
//!
//! Those of the configuration are shown here and changed there.

use std::sync::Arc;

use control::Control;
use control::model::Ladder;
use hls::{LadderField, LadderRule, Standing};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Input, List, Place, Text, decoded, input};
use super::route::Route;
use super::view::Page;
use crate::error::{FieldError, Problem, Reason};
use crate::hls::{Hls, Ladders};
use crate::state::Shared;

const ONE: &str = "/v1/ladders/{app}/{stream}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/ladders", "Rules that join streams to a ladder", list)
            .answers::<Page<LadderView>>(200),
        Route::put(
            ONE,
            "Joins published streams to a ladder, also those that are played; {name} is the same text in all names",
            put,
        )
        .needs(Scope::Admin)
        .body::<New>(r#"{"rungs": ["live/cam1_720p", "live/cam1_360p"]}"#)
        .answers::<LadderView>(200),
        Route::get(ONE, "One rule, and the ladders that it has joined", show)
            .answers::<LadderDetail>(200),
        Route::delete(ONE, "Removes a ladder; its streams go on alone", remove)
            .needs(Scope::Admin)
            .empty(204),
    ]
}

/// Names of rungs; what they may be, the rule itself says.
#[derive(Clone, Debug)]
pub(super) struct Rungs(List<Text<0, 1024>, 0, 1024>);

impl Input for Rungs {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        List::read(value, at).map(Self)
    }

    fn schema() -> Value {
        json!({
            "type": "array", "minItems": 1, "maxItems": hls::MAX_RUNGS, "uniqueItems": true,
            "items": {"type": "string", "minLength": 3, "maxLength": 1024},
        })
    }
}

input! {
    /// What a ladder is made of.
    pub(super) struct New {
        /// Names of published streams, in the ladder's app; players begin with the first. `{name}` stands in all of them or in none, as in the ladder's own.
        rungs: Rungs,
    }
}

/// A rule that joins streams.
#[derive(Serialize, ToSchema)]
#[schema(as = Ladder)]
pub(super) struct LadderView {
    name: String,
    rungs: Vec<String>,
    /// `api`, or `config`: then it is changed there.
    origin: &'static str,
    /// Why it is not in force; null when it is.
    not_in_force: Option<String>,
}

/// A rule, and what it has joined.
#[derive(Serialize, ToSchema)]
#[schema(as = LadderDetail)]
pub(super) struct LadderDetail {
    #[serde(flatten)]
    ladder: LadderView,
    /// Ladders of which a rung is segmented, in order of names; at most 100.
    joined: Vec<Joined>,
}

/// A ladder.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinedLadder)]
struct Joined {
    name: String,
    rungs: Vec<JoinedRung>,
}

/// A rung of a ladder.
#[derive(Serialize, ToSchema)]
#[schema(as = JoinedRung)]
struct JoinedRung {
    stream: String,
    /// `aligned`; `out` while it is not published, not asked for or not in step yet; `refused`.
    state: &'static str,
    /// Why it is refused; it plays alone.
    reason: Option<String>,
}

impl LadderView {
    fn configured(rule: &LadderRule) -> Self {
        Self {
            name: rule.name().to_owned(),
            rungs: rule.rungs().map(str::to_owned).collect(),
            origin: "config",
            not_in_force: None,
        }
    }

    fn called(ladder: &Ladder, ladders: &Ladders) -> Self {
        let not_in_force = match rule(ladder) {
            Ok(rule) => ladders.clash(&rule, &[]),
            Err(error) => Some(error.to_string()),
        };
        Self {
            name: ladder.name.clone(),
            rungs: ladder.rungs.clone(),
            origin: "api",
            not_in_force,
        }
    }
}

impl JoinedRung {
    fn of((stream, standing): (media::StreamName, Standing)) -> Self {
        let (state, reason) = match standing {
            Standing::Aligned => ("aligned", None),
            Standing::Refused(why) => ("refused", Some(why.to_string())),
            _ => ("out", None),
        };
        Self {
            stream: stream.to_string(),
            state,
            reason,
        }
    }
}

/// Puts in force what is stored.
pub(crate) async fn load(shared: &Shared) -> Result<(), control::Error> {
    let Some(control) = &shared.control else {
        return Ok(());
    };
    let _turn = shared.hls.ladders().turn.lock().await;
    let stored = control.ladders().await?;
    set(&shared.hls, &stored);
    for ladder in &stored {
        let view = LadderView::called(ladder, shared.hls.ladders());
        if let Some(why) = view.not_in_force {
            tracing::warn!(ladder = %view.name, "a ladder of the API is not in force: {why}");
        }
    }
    Ok(())
}

fn rule(ladder: &Ladder) -> Result<LadderRule, hls::LadderError> {
    LadderRule::new(&ladder.name, &ladder.rungs)
}

fn rules(stored: &[Ladder]) -> Vec<LadderRule> {
    stored.iter().filter_map(|it| rule(it).ok()).collect()
}

fn set(hls: &Hls, stored: &[Ladder]) {
    hls.set_ladders(&rules(stored));
}

/// The name in the path.
fn name(ask: &Ask) -> Result<String, Problem> {
    decoded(ask.text("stream"), false).ok_or_else(|| {
        let detail = "the ladder's name is not percent-encoded UTF-8";
        Problem::new(Reason::REQUEST_UNPARSABLE, detail)
    })
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let stored = ask.control()?.ladders().await;
    let stored = stored.map_err(|error| ask.refused(error))?;
    let ladders = ask.shared.hls.ladders();
    let configured = ladders.configured().iter().map(LadderView::configured);
    let called = stored.iter().map(|it| LadderView::called(it, ladders));
    let page = Page {
        items: configured.chain(called).collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let name = name(&ask)?;
    let stored = ask.control()?.ladders().await;
    let stored = stored.map_err(|error| ask.refused(error))?;
    let ladders = ask.shared.hls.ladders();
    let configured = ladders.configured().iter().find(|it| it.name() == name);
    let (ladder, rule) = match configured {
        Some(rule) => (LadderView::configured(rule), Some(rule.clone())),
        None => {
            let found = stored.iter().find(|ladder| ladder.name == name);
            let ladder = found.ok_or_else(|| missing(&name))?;
            (LadderView::called(ladder, ladders), rule(ladder).ok())
        }
    };
    let begun = rule.map(|rule| ladders.begun_of(&rule)).unwrap_or_default();
    let joined = begun.into_iter().take(100).map(|(name, rungs)| Joined {
        name: name.to_string(),
        rungs: rungs.into_iter().map(JoinedRung::of).collect(),
    });
    let joined = joined.collect();
    Ok(ask.json(StatusCode::OK, &LadderDetail { ladder, joined }))
}

async fn put(ask: Ask) -> Result<Answer, Problem> {
    let name = name(&ask)?;
    let New { rungs } = ask.body()?;
    let ladder = Ladder {
        name,
        rungs: rungs.0.0.into_iter().map(|rung| rung.0).collect(),
    };
    let rule = LadderRule::read(&ladder.name, &ladder.rungs).map_err(wrong)?;
    let view = LadderView {
        name: ladder.name.clone(),
        rungs: ladder.rungs.clone(),
        origin: "api",
        not_in_force: None,
    };
    let hls = ask.shared.hls.clone();
    changed(&ask, |control| async move {
        let check =
            move |_: &Ladder, others: &[Ladder]| match hls.ladders().clash(&rule, &rules(others)) {
                Some(why) => Err(control::Error::new(control::Reason::LadderClash, why)),
                None => Ok(()),
            };
        control.put_ladder(ladder, check).await
    })
    .await?;
    tracing::info!(ladder = %view.name, rungs = view.rungs.join(" "), "ladder joined");
    Ok(ask.json(StatusCode::OK, &view))
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let name = name(&ask)?;
    let removed = name.clone();
    let removed = changed(&ask, |control| async move {
        control.remove_ladder(removed).await
    });
    if let Err(problem) = removed.await {
        let mut configured = ask.shared.hls.ladders().configured().iter();
        let is_missing = problem.reason == Reason::Control(control::Reason::ResourceNotFound);
        if is_missing && configured.any(|rule| rule.name() == name) {
            let detail = format!("the ladder {name:?} is in the configuration; remove it there");
            let reason = Reason::Control(control::Reason::LadderClash);
            return Err(Problem::new(reason, detail));
        }
        return Err(problem);
    }
    tracing::info!(ladder = %name, "ladder taken apart");
    Ok(Answer::empty())
}

/// Stores a change and puts it in force, one after the other; a client that goes away does not leave it
/// half done.
async fn changed<F, R>(ask: &Ask, change: F) -> Result<(), Problem>
where
    F: FnOnce(Control) -> R,
    R: Future<Output = Result<Vec<Ladder>, control::Error>> + Send + 'static,
{
    let changing = change(ask.control()?.clone());
    let shared = Arc::clone(&ask.shared);
    let done = tokio::spawn(async move {
        let _turn = shared.hls.ladders().turn.lock().await;
        let stored = changing.await?;
        set(&shared.hls, &stored);
        Ok(())
    });
    let done = done.await.map_err(|_| {
        let reason = Reason::Control(control::Reason::OperationInternal);
        Problem::new(reason, "changing the ladders broke off")
    })?;
    done.map_err(|error| ask.refused(error))
}

fn wrong(wrong: Vec<(LadderField, hls::LadderError)>) -> Problem {
    let errors = wrong.into_iter().map(|(field, error)| match field {
        LadderField::Name => FieldError::parameter("stream", error.to_string()),
        LadderField::Rungs => FieldError::at("/rungs", error.to_string()),
        LadderField::Rung(index) => FieldError::at(format!("/rungs/{index}"), error.to_string()),
    });
    Problem::fields(errors.collect())
}

fn missing(name: &str) -> Problem {
    let reason = Reason::Control(control::Reason::ResourceNotFound);
    Problem::new(reason, format!("there is no ladder {name:?}"))
}
