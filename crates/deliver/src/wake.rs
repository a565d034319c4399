//! Wakers that name a viewer, so that a group looks only at those that have something to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Numbers of viewers that were woken, and the group's own waker.
#[derive(Default)]
pub(crate) struct Ready {
    // Guards the list and the waker; sockets of encrypted viewers wake from other threads.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    woken: Vec<usize>,
    group: Option<Waker>,
}

impl Ready {
    /// Moves the woken viewers to `into` and keeps `waker` for those to come.
    pub(crate) fn take(&self, into: &mut Vec<usize>, waker: &Waker) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        into.append(&mut state.woken);
        match &mut state.group {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// The waker of viewer `number`.
    pub(crate) fn waker(self: &Arc<Self>, number: usize) -> Waker {
        Arc::new(ViewerWaker {
            number,
            ready: Arc::clone(self),
        })
        .into()
    }
}

struct ViewerWaker {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for ViewerWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let group = {
            let mut state = self
                .ready
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.woken.push(self.number);
            // One wake of the group serves all that are woken before it runs.
            state.group.take()
        };
        if let Some(group) = group {
            group.wake();
        }
    }
}
