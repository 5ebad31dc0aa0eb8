//! Whether anything is still signed: what has come in whole is, also when the agent is told to end; what comes later is not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who is at work.
#[derive(Default)]
pub(super) struct Signing {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    ended: bool,
    at_work: usize,
}

impl Signing {
    /// Begins with a request that has come in whole; nothing where it is too late.
    pub(super) fn begin(&self) -> Option<Work<'_>> {
        let mut state = self.state();
        if state.ended {
            return None;
        }
        state.at_work += 1;
        Some(Work(self))
    }

    /// Whether it is too late.
    pub(super) fn is_over(&self) -> bool {
        self.state().ended
    }

    /// Lets nobody begin any more, and waits for those who have, but no longer than this.
    pub(super) fn end(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        state.ended = true;
        while state.at_work > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.done.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is worked on.
pub(super) struct Work<'a>(&'a Signing);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.state().at_work -= 1;
        self.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_was_begun_is_waited_for_and_nothing_more_begins() {
        let signing = Signing::default();
        let work = signing.begin().unwrap();
        thread::scope(|scope| {
            let ended = scope.spawn(|| signing.end(Duration::from_secs(60)));
            while signing.begin().is_some() {
                thread::yield_now();
            }
            assert!(!ended.is_finished());
            drop(work);
        });
        assert!(signing.begin().is_none());
        signing.end(Duration::from_secs(60));
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let signing = Signing::default();
        let _work = signing.begin().unwrap();
        signing.end(Duration::from_millis(10));
        assert!(signing.begin().is_none());
    }
}
