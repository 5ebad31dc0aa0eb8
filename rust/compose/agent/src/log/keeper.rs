//! The thread that makes checkpoints when they are due.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::error::LogError;
use super::event::Event;
use super::writer::{Shared, hold};

/// How long after one that failed the next one is tried, at most.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Makes checkpoints until the log closes.
pub(super) fn keep(shared: &Shared) {
    let mut not_before = Instant::now();
    let mut failing: Option<Duration> = None;
    loop {
        let state = hold(&shared.state);
        if state.closing || state.failure.is_some() {
            return;
        }
        let after = shared.settings.checkpoint_after();
        let due = match state.unsigned {
            0 => after,
            many if many >= shared.settings.checkpoint_entries => Duration::ZERO,
            _ => after.saturating_sub(state.unsigned_since.elapsed()),
        };
        let due = due.max(not_before.saturating_duration_since(Instant::now()));
        if due > Duration::ZERO {
            drop(
                shared
                    .wake
                    .wait_timeout(state, due)
                    .unwrap_or_else(PoisonError::into_inner),
            );
            continue;
        }
        drop(state);
        failing = match (shared.checkpoint(), failing) {
            (Ok(_), _) => None,
            (Err(error), None) => {
                tell(shared, &error);
                Some(after)
            }
            // Each has an entry of its own: ever more seldom, so that a disk that stays full for months has room for them.
            (Err(_), Some(wait)) => Some(wait.saturating_mul(2).min(LONGEST)),
        };
        not_before = Instant::now() + failing.unwrap_or_default();
    }
}

fn tell(shared: &Shared, error: &LogError) {
    let what = error.to_string();
    // A log that takes no entry has said so to whoever uses it.
    let _ = shared.append(Event::CheckpointFailed { what });
}
