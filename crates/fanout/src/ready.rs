//! Wakers that name whom they wake, so that one task can serve thousands and look only at those
//! that have something to do.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::{Mutex, lock};

/// Numbers of those that were woken, and the waker of the task that serves them.
///
/// The task calls [`Ready::take`] first thing whenever it runs; then no wake-up is lost: one that
/// comes later wakes the task again. Wakers work from any thread.
#[derive(Default)]
pub struct Ready {
    // Guards the list and the waker together.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    woken: Vec<usize>,
    task: Option<Waker>,
}

impl Ready {
    /// Moves the numbers of the woken to `into`, in the order of their wake-ups and as often as they
    /// were woken, and keeps `waker` for those to come.
    pub fn take(&self, into: &mut Vec<usize>, waker: &Waker) {
        let mut state = lock(&self.state);
        into.append(&mut state.woken);
        match &mut state.task {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// The waker of this number.
    #[must_use]
    pub fn waker(self: &Arc<Self>, number: usize) -> Waker {
        Arc::new(NumberedWaker {
            number,
            ready: Arc::clone(self),
        })
        .into()
    }
}

struct NumberedWaker {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for NumberedWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = lock(&self.ready.state);
            state.woken.push(self.number);
            // One wake of the task serves all that are woken before it runs.
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}
