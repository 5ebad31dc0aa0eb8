//! Whether anything is still signed: what has come in whole is, also when the agent is told to end; what comes later is not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether there is an end to it.
#[derive(Default)]
pub(super) struct Signing {
    state: Mutex<State>,
    announced: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// All that comes is signed.
    #[default]
    Open,
    /// The agent is told to end: what has come in whole is signed.
    Ending,
    /// Nothing is.
    Ended,
}

impl Signing {
    /// Whether a request that has come in whole can be begun with.
    pub(super) fn may_begin(&self) -> bool {
        *self.state() < State::Ended
    }

    /// Whether the agent is told to end.
    pub(super) fn is_over(&self) -> bool {
        *self.state() > State::Open
    }

    /// The agent is told to end: nothing more is received.
    pub(super) fn announce_end(&self) {
        self.set(State::Ending);
    }

    /// Lets nobody begin any more.
    pub(super) fn end(&self) {
        self.set(State::Ended);
    }

    /// Waits for so long, unless the agent is told to end.
    pub(super) fn pause(&self, time: Duration) {
        let open = |state: &mut State| *state == State::Open;
        drop(self.announced.wait_timeout_while(self.state(), time, open));
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.announced.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_has_come_in_is_begun_with_until_all_is_over() {
        let signing = Signing::default();
        assert!(signing.may_begin() && !signing.is_over());
        signing.announce_end();
        assert!(signing.may_begin() && signing.is_over());
        signing.end();
        assert!(!signing.may_begin() && signing.is_over());
    }

    #[test]
    fn the_end_waits_for_no_pause() {
        let signing = Signing::default();
        let begun = Instant::now();
        signing.pause(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        thread::scope(|scope| {
            scope.spawn(|| signing.pause(Duration::from_secs(3600)));
            signing.announce_end();
        });
        signing.pause(Duration::from_secs(3600));
    }
}
