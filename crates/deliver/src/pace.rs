//! When what is new is written: how long frames are gathered into one write per viewer.
//!
//! A write has a fixed price of a few microseconds, almost all of it the kernel's, and bytes are
//! cheap beside it. So what a worker costs is its writes per second, and gathering is what saves.
//! `auto` gathers as little as keeps the worker's own time within bounds: the next pass begins no
//! earlier than [`SHARE`] times the length of a pass after the last one. A hundred viewers are
//! passed over in less than a millisecond, and nothing is gathered; three thousand take some
//! 12 ms, and get 40 ms of media per write.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::config::{AUTO_BOUND, Batch};

/// `auto` lets a worker write for one part in so many of its time, until the bound is reached.
const SHARE: u32 = 3;
/// Waits shorter than this are not worth a timer, which counts in milliseconds.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);
/// How much of a new measurement goes into the average: one part in so many.
const SMOOTHING: u32 = 4;

/// How long one pass over the viewers of all groups of a worker takes, together.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pass: Cell<Duration>,
}

impl Work {
    pub(crate) fn pass(&self) -> Duration {
        self.pass.get()
    }

    fn exchange(&self, old: Duration, new: Duration) {
        self.pass
            .set(self.pass.get().saturating_sub(old).saturating_add(new));
    }
}

/// The pace of one group.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The worker's; this group's part of it is `pass`.
    work: Rc<Work>,
    pass: Duration,
    /// When the last pass began.
    passed: Option<Instant>,
    /// When what is new now is due.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(work: Rc<Work>) -> Self {
        Self {
            work,
            pass: Duration::ZERO,
            passed: None,
            due: None,
            timer: None,
        }
    }

    /// Whether to write now; there is something new. Otherwise `cx` is woken when it is time.
    pub(crate) fn is_due(&mut self, batch: Batch, cx: &mut Context<'_>, now: Instant) -> bool {
        let due = match self.due {
            Some(due) => due,
            None => {
                let due = self.next(batch, now);
                if due <= now {
                    return true;
                }
                self.set_timer(due);
                due
            }
        };
        if due <= now {
            return true;
        }
        let Some(timer) = &mut self.timer else {
            return true;
        };
        timer.as_mut().poll(cx).is_ready()
    }

    /// A pass over the viewers took place.
    pub(crate) fn passed(&mut self, began: Instant, ended: Instant) {
        self.due = None;
        self.passed = Some(began);
        let took = ended.saturating_duration_since(began);
        let pass = (self.pass * (SMOOTHING - 1) + took) / SMOOTHING;
        self.work.exchange(self.pass, pass);
        self.pass = pass;
    }

    /// When something that is new at `now` is to be written.
    fn next(&self, batch: Batch, now: Instant) -> Instant {
        match batch {
            // The viewer in the middle of the pass has it after `length`: those at its end wait for
            // the pass, too, and would otherwise have it later by all of that.
            Batch::For(length) => now + length - (self.work.pass.get() / 2).min(length / 2),
            Batch::Auto => {
                let wait = (self.work.pass.get() * SHARE).min(AUTO_BOUND);
                match self.passed {
                    Some(passed) if wait >= SHORTEST_WAIT => passed + wait,
                    _ => now,
                }
            }
        }
    }

    fn set_timer(&mut self, due: Instant) {
        self.due = Some(due);
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(due.into()),
            none => *none = Some(Box::pin(tokio::time::sleep_until(due.into()))),
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.work.exchange(self.pass, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn is_due(pace: &mut Pace, batch: Batch, now: Instant) -> bool {
        pace.is_due(batch, &mut Context::from_waker(Waker::noop()), now)
    }

    /// Passes of `took` until the average has followed; gives when the last one began.
    fn settle(pace: &mut Pace, mut now: Instant, took: Duration) -> Instant {
        for _ in 0..60 {
            now += AUTO_BOUND;
            pace.passed(now, now + took);
        }
        now
    }

    #[tokio::test]
    async fn few_viewers_get_every_frame_at_once() {
        let mut pace = Pace::new(Rc::default());
        let passed = settle(&mut pace, Instant::now(), MS / 2);
        assert!(is_due(&mut pace, Batch::Auto, passed + MS / 2));
    }

    #[tokio::test]
    async fn many_viewers_are_written_to_for_a_third_of_the_time() {
        let mut pace = Pace::new(Rc::default());
        let passed = settle(&mut pace, Instant::now(), MS * 12);
        assert!(!is_due(&mut pace, Batch::Auto, passed + MS * 34));
        assert!(is_due(&mut pace, Batch::Auto, passed + MS * 36));
    }

    #[tokio::test]
    async fn a_fixed_length_is_what_the_middle_viewer_waits() {
        let mut pace = Pace::new(Rc::default());
        let now = settle(&mut pace, Instant::now(), MS * 14) + MS * 14;
        let batch = Batch::For(MS * 50);
        assert!(!is_due(&mut pace, batch, now));
        assert!(!is_due(&mut pace, batch, now + MS * 42));
        assert!(is_due(&mut pace, batch, now + MS * 44));
        // A pass that takes for ever leaves it at a half.
        let now = settle(&mut pace, now, MS * 500) + MS * 500;
        assert!(!is_due(&mut pace, batch, now));
        assert!(!is_due(&mut pace, batch, now + MS * 24));
        assert!(is_due(&mut pace, batch, now + MS * 25));
    }

    #[tokio::test]
    async fn auto_never_holds_a_frame_longer_than_its_bound() {
        let mut pace = Pace::new(Rc::default());
        let passed = settle(&mut pace, Instant::now(), MS * 900);
        assert!(!is_due(&mut pace, Batch::Auto, passed + AUTO_BOUND - MS));
        assert!(is_due(&mut pace, Batch::Auto, passed + AUTO_BOUND));
    }

    #[tokio::test]
    async fn groups_of_a_worker_share_its_time() {
        let work = Rc::new(Work::default());
        let mut other = Pace::new(Rc::clone(&work));
        settle(&mut other, Instant::now(), MS * 12);
        let mut pace = Pace::new(Rc::clone(&work));
        let passed = settle(&mut pace, Instant::now(), MS * 12);
        assert!(!is_due(&mut pace, Batch::Auto, passed + MS * 70));
        drop(other);
        let passed = settle(&mut pace, passed, MS * 12);
        assert!(
            is_due(&mut pace, Batch::Auto, passed + MS * 36),
            "it has left"
        );
    }

    #[tokio::test]
    async fn a_fixed_time_counts_from_the_first_new_frame() {
        let batch = Batch::For(MS * 50);
        let mut pace = Pace::new(Rc::default());
        let now = Instant::now();
        assert!(!is_due(&mut pace, batch, now));
        assert!(!is_due(&mut pace, batch, now + MS * 49));
        assert!(is_due(&mut pace, batch, now + MS * 50));
        pace.passed(now + MS * 50, now + MS * 51);
        assert!(!is_due(&mut pace, batch, now + MS * 90), "counted anew");
        assert!(is_due(&mut pace, batch, now + MS * 140));
    }

    #[tokio::test]
    async fn no_time_at_all_is_never() {
        let mut pace = Pace::new(Rc::default());
        let passed = settle(&mut pace, Instant::now(), MS * 100);
        assert!(is_due(&mut pace, Batch::For(Duration::ZERO), passed));
    }
}
