//! What the tests of targets need.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

mod feed;
mod remote;

pub use feed::*;
pub use remote::*;

use std::sync::Arc;
use std::time::Duration;

use hub::Hub;
use publish::{Config, State, TargetHandle};

/// A hub without waiting after the end.
pub fn hub() -> Hub {
    hub_with(|_| {})
}

pub fn hub_with(change: impl FnOnce(&mut hub::Config)) -> Hub {
    let mut config = hub::Config::default();
    config.end_grace = Duration::ZERO;
    change(&mut config);
    Hub::new(config)
}

/// Short waits between tries.
pub fn quick() -> Config {
    let mut config = Config::default();
    config.retry_max = Duration::from_millis(20);
    config
}

pub async fn state(target: &TargetHandle, wanted: &str) {
    until(wanted, || target.status().state.as_str() == wanted).await;
}

/// The error of a target that failed at least once.
pub async fn failure(target: &TargetHandle) -> String {
    until("an error", || target.status().last_error.is_some()).await;
    target.status().last_error.unwrap().into()
}

/// Which try failed last.
pub fn attempt(target: &TargetHandle) -> u32 {
    match target.status().state {
        State::Backoff { attempt, .. } => attempt,
        _ => 0,
    }
}
