//! Reading a publisher at leisure while nobody wants its frames at once.
//!
//! A publisher sends some 70 small messages a second, and each wakes the process, costs a read and
//! an acknowledgement, and finds its state out of the cache. While no subscriber is in a hurry,
//! the socket is told to wake nobody until [`LOW_WATER`] bytes lie in it (`SO_RCVLOWAT`, socket(7)),
//! and is read at the ticks of a slow clock. The first hurried subscriber ends it at the next tick.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::socket::{READ_BYTES, Socket};

/// Bytes that wake the connection before its tick: what one read takes.
const LOW_WATER: usize = READ_BYTES;
/// Ticks fall on multiples of this, so that one wake-up of the process serves many connections.
pub(crate) const STEP: Duration = Duration::from_millis(10);

/// Whether a connection gathers, and its clock.
pub(crate) struct Gather {
    /// Zero: never.
    time: Duration,
    /// Where the multiples of [`STEP`] count from.
    epoch: Instant,
    /// The next tick while it gathers.
    tick: Option<Pin<Box<Sleep>>>,
}

impl Gather {
    pub(crate) fn new(time: Duration, epoch: std::time::Instant) -> Self {
        Self {
            time,
            epoch: epoch.into(),
            tick: None,
        }
    }

    /// The next moment at which to read what has come; never while it does not gather.
    /// Cancel safe: only waits.
    pub(crate) async fn tick(&mut self) {
        match &mut self.tick {
            Some(tick) => tick.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// After each read: gathers from now on, or no longer.
    pub(crate) fn update(&mut self, is_hurried: impl FnOnce() -> bool, socket: &Socket) {
        if self.time.is_zero() {
            return;
        }
        match (&mut self.tick, is_hurried()) {
            (Some(tick), false) => tick.as_mut().reset(next(self.epoch, self.time)),
            (None, true) => {}
            (Some(_), true) => {
                // What lies in the socket is told of when the mark falls.
                socket.set_low_water(1);
                self.tick = None;
            }
            (None, false) => {
                if socket.set_low_water(LOW_WATER) {
                    let sleep = tokio::time::sleep_until(next(self.epoch, self.time));
                    self.tick = Some(Box::pin(sleep));
                } else {
                    self.time = Duration::ZERO;
                }
            }
        }
    }
}

/// The last multiple of [`STEP`] that is at most `time` from now.
fn next(epoch: Instant, time: Duration) -> Instant {
    let at = (Instant::now() - epoch + time).as_nanos() as u64;
    let step = STEP.as_nanos() as u64;
    epoch + Duration::from_nanos(at - at % step)
}
