//! Time for the dispatcher: what it is, and waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::clock::{Clock, UnixMs};

/// A clock that can be waited for. Tests turn it by hand, so that three days pass in milliseconds.
pub trait Timer: Clock {
    /// Ends when the moment has come, or earlier: callers look at the clock again.
    fn sleep_until(&self, at: UnixMs) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTimer;

/// The longest sleep: wall time may be set, and a machine may be suspended, while a sleep counts on.
const LONGEST: Duration = Duration::from_secs(60);

impl Clock for SystemTimer {
    fn now(&self) -> UnixMs {
        UnixMs::now()
    }
}

impl Timer for SystemTimer {
    fn sleep_until(&self, at: UnixMs) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(at.since(self.now()).min(LONGEST)))
    }
}
