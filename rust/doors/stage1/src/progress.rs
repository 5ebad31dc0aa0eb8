//! How far the verification is, for whoever waits: often on plymouth, seldom on the console, which may be a slow line.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use touchstone_store::closure::Progress;

use crate::messages::{self, Plymouth};

/// Between two lines on plymouth's screen.
const SCREEN: Duration = Duration::from_millis(250);
/// Between two lines on the console.
const CONSOLE: Duration = Duration::from_secs(3);
const GIB: f64 = (1_u64 << 30) as f64;

/// Shows how far a verification is. Several threads tell it; of those that come at the same time one is heard.
#[derive(Debug)]
pub struct Show {
    begun: Instant,
    plymouth: Option<Plymouth>,
    screen: Clock,
    console: Clock,
}

impl Show {
    /// Begins now.
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            plymouth: Plymouth::connect(),
            screen: Clock::every(SCREEN),
            console: Clock::every(CONSOLE),
        }
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Shows this, unless something was shown just now.
    pub fn tell(&self, progress: Progress) {
        let elapsed = self.elapsed();
        let line = || Line { progress, elapsed };
        if let Some(plymouth) = &self.plymouth
            && self.screen.strikes(elapsed)
        {
            plymouth.status(&line().to_string());
        }
        if self.console.strikes(elapsed) {
            messages::console(&format!("{}{}", messages::PREFIX, line()));
        }
    }
}

/// Strikes once in each span of time.
#[derive(Debug)]
struct Clock {
    every: u64,
    /// In milliseconds from the beginning.
    next: AtomicU64,
}

impl Clock {
    fn every(every: Duration) -> Self {
        let every = milliseconds(every);
        Self {
            every,
            next: AtomicU64::new(every),
        }
    }

    fn strikes(&self, elapsed: Duration) -> bool {
        let now = milliseconds(elapsed);
        let next = self.next.load(Ordering::Relaxed);
        let (order, later) = (Ordering::Relaxed, now.saturating_add(self.every));
        now >= next
            && self
                .next
                .compare_exchange(next, later, order, order)
                .is_ok()
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What is shown.
struct Line {
    progress: Progress,
    elapsed: Duration,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress {
            paths,
            of_paths,
            bytes,
            of_bytes,
        } = self.progress;
        write!(
            formatter,
            "verifying the system: {paths} of {of_paths} paths, {:.1} of {:.1} GiB",
            gib(bytes),
            gib(of_bytes),
        )?;
        match left(self.progress, self.elapsed) {
            Some(seconds) => write!(formatter, ", {seconds} s left"),
            None => Ok(()),
        }
    }
}

/// A number of bytes in GiB.
pub fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}

/// Seconds that are left if it goes on as it went, rounded up; none where nothing went yet.
fn left(progress: Progress, elapsed: Duration) -> Option<u64> {
    let done = progress.bytes.min(progress.of_bytes);
    let left = u128::from(progress.of_bytes - done).saturating_mul(elapsed.as_millis());
    let seconds = left.checked_div(u128::from(done))?.div_ceil(1000);
    u64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(bytes: u64, of_bytes: u64) -> Progress {
        Progress {
            paths: 12,
            of_paths: 2310,
            bytes,
            of_bytes,
        }
    }

    #[test]
    fn a_line_tells_paths_bytes_and_the_seconds_that_are_left() {
        let line = Line {
            progress: progress(1 << 29, 3 << 30),
            elapsed: Duration::from_millis(1500),
        };
        let expected =
            "verifying the system: 12 of 2310 paths, 0.5 of 3.0 GiB, 8 s left".to_owned();
        assert_eq!(line.to_string(), expected);
    }

    #[test]
    fn seconds_are_told_only_when_something_is_known_and_never_fail() {
        let second = Duration::from_secs(1);
        assert_eq!(left(progress(0, 10), second), None);
        assert_eq!(left(progress(10, 10), second), Some(0));
        // A disk that holds more than it should.
        assert_eq!(left(progress(11, 10), second), Some(0));
        assert_eq!(left(progress(1, u64::MAX), Duration::MAX), None);
    }

    #[test]
    fn a_clock_strikes_once_in_each_span() {
        let clock = Clock::every(Duration::from_millis(100));
        let strikes = |at| clock.strikes(Duration::from_millis(at));
        assert_eq!(
            [99, 100, 101, 199, 200, 950, 951].map(strikes),
            [false, true, false, false, true, true, false]
        );
    }
}
