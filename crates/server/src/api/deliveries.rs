//! Events on their way to callback endpoints.

use control::callback::{Delivery, DeliveryAttempt};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Text, Whole, choice, input};
use super::route::Route;
use super::view::Page;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/webhooks/{webhook_id}/deliveries",
            "Deliveries of an endpoint, newest first",
            list,
        )
        .query::<Which>()
        .answers::<Page<DeliveryView>>(200),
        Route::get(
            "/v1/deliveries/{delivery_id}",
            "One delivery with its attempts",
            show,
        )
        .answers::<Detail>(200),
        Route::post(
            "/v1/deliveries/{delivery_id}:retry",
            "Sends a delivery again",
            retry,
        )
        .needs(Scope::Admin)
        .answers::<DeliveryView>(200),
    ]
}

choice! {
    /// How far a delivery is.
    pub(super) enum State {
        Waiting = "waiting",
        Sending = "sending",
        Delivered = "delivered",
        Dead = "dead",
    }
}

impl From<State> for control::callback::DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Sending => Self::Sending,
            State::Delivered => Self::Delivered,
            State::Dead => Self::Dead,
        }
    }
}

input! {
    /// Which deliveries.
    pub(super) struct Which {
        /// In this state.
        state: Option<State> = None,
        /// Deliveries of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

/// One event on its way to one endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryView {
    delivery_id: String,
    webhook_id: String,
    event_id: String,
    r#type: String,
    /// `waiting`, `sending`, `delivered`, `dead`.
    state: String,
    attempts: u32,
    first_at: Option<String>,
    last_at: Option<String>,
    last_status: Option<u16>,
    last_error: Option<String>,
    /// The next attempt.
    due_at: Option<String>,
    created_at: String,
    ended_at: Option<String>,
}

/// A delivery with its attempts, the last hundred.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetail)]
pub(super) struct Detail {
    #[serde(flatten)]
    delivery: DeliveryView,
    log: Vec<AttemptView>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct AttemptView {
    attempt: u32,
    at: String,
    took_ms: u64,
    status: Option<u16>,
    error: Option<String>,
    answer: Option<String>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        Self {
            delivery_id: delivery.id.to_string(),
            webhook_id: delivery.webhook_id.to_string(),
            event_id: delivery.event_id.to_string(),
            r#type: delivery.kind.to_string(),
            state: delivery.state.to_string(),
            attempts: delivery.attempts,
            first_at: delivery.first_at.map(|at| at.to_string()),
            last_at: delivery.last_at.map(|at| at.to_string()),
            last_status: delivery.last_status,
            last_error: delivery.last_error.clone(),
            due_at: delivery.due_at.map(|at| at.to_string()),
            created_at: delivery.created_at.to_string(),
            ended_at: delivery.ended_at.map(|at| at.to_string()),
        }
    }
}

impl From<&DeliveryAttempt> for AttemptView {
    fn from(attempt: &DeliveryAttempt) -> Self {
        Self {
            attempt: attempt.attempt,
            at: attempt.at.to_string(),
            took_ms: attempt.took_ms,
            status: attempt.status,
            error: attempt.error.clone(),
            answer: attempt.answer.clone(),
        }
    }
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let page = super::page(which.limit, which.cursor);
    let (id, state) = (ask.id("webhook_id")?, which.state.map(Into::into));
    let found = ask.callbacks()?.deliveries(id, state, page).await;
    let found = found.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: found.items.iter().map(DeliveryView::from).collect(),
        next_cursor: found.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let found = ask.callbacks()?.delivery(ask.id("delivery_id")?).await;
    let (delivery, attempts) = found.map_err(|error| ask.refused(error))?;
    let detail = Detail {
        delivery: DeliveryView::from(&delivery),
        log: attempts.iter().map(AttemptView::from).collect(),
    };
    Ok(ask.json(StatusCode::OK, &detail))
}

async fn retry(ask: Ask) -> Result<Answer, Problem> {
    let delivery = ask.callbacks()?.retry(ask.id("delivery_id")?).await;
    let delivery = delivery.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &DeliveryView::from(&delivery)))
}
