//! A one-time message to whoever holds a connection: go away, and why.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Holds at most one message; the first one stays.
#[derive(Debug)]
pub(crate) struct Notice<T> {
    // Guards the message and the one waker that waits for it.
    state: Mutex<(Option<T>, Option<Waker>)>,
}

impl<T> Default for Notice<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new((None, None)),
        }
    }
}

impl<T: Clone> Notice<T> {
    pub(crate) fn give(&self, message: T) {
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0.get_or_insert(message);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn peek(&self) -> Option<T> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.0 {
            Some(message) => Poll::Ready(message.clone()),
            None => {
                // Asked at every wake of a connection: the same task's waker is kept.
                if !state
                    .1
                    .as_ref()
                    .is_some_and(|known| known.will_wake(cx.waker()))
                {
                    state.1 = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}
