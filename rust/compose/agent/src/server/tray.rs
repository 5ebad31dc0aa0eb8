//! All connections that are open, so that they can be ended from outside.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::room::Guest;

/// All connections that are open.
#[derive(Default)]
pub(super) struct Tray {
    open: Mutex<Open>,
    left: Condvar,
}

#[derive(Default)]
struct Open {
    last: u64,
    streams: HashMap<u64, Visit>,
}

struct Visit {
    guest: Guest,
    stream: UnixStream,
    /// Since when it has been given an answer.
    answering: Option<Instant>,
}

/// Whoever takes an answer takes it sooner, on a machine with much else to do.
const MOMENT: Duration = Duration::from_secs(1);

/// How often it is looked whether a moment is over.
const OFTEN: Duration = Duration::from_millis(100);

impl Visit {
    /// Whether it is at the end of what it has received, as far as one can know: its answer is not taken.
    fn is_stuck(&self) -> bool {
        self.answering.is_some_and(|since| since.elapsed() > MOMENT)
    }
}

impl Tray {
    /// One more; it is out when the answer is dropped.
    pub(super) fn put(self: &Arc<Self>, guest: &Guest, stream: &UnixStream) -> io::Result<Entry> {
        let stream = stream.try_clone()?;
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        let visit = Visit {
            guest: guest.clone(),
            stream,
            answering: None,
        };
        open.streams.insert(number, visit);
        let tray = Arc::clone(self);
        Ok(Entry { tray, number })
    }

    /// Nothing more is read of any: requests that have come in whole are answered.
    pub(super) fn end_reading(&self) {
        for visit in self.open().streams.values() {
            let _ = visit.stream.shutdown(Shutdown::Read);
        }
    }

    /// Waits until all that was received is answered, but no longer than this, and for nobody who does not take an answer.
    pub(super) fn settle(&self, time: Duration) {
        self.wait(time, Visit::is_stuck);
    }

    /// Whether this client has one.
    pub(super) fn has(&self, guest: &Guest) -> bool {
        let open = self.open();
        open.streams.values().any(|visit| visit.guest == *guest)
    }

    /// Ends the connections of this client.
    pub(super) fn end(&self, guest: &Guest) {
        let open = self.open();
        let all = open.streams.values();
        for visit in all.filter(|visit| visit.guest == *guest) {
            let _ = visit.stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until there are none, but no longer than this; then ends those that are left, whose answers nobody takes.
    pub(super) fn drain(&self, time: Duration) {
        self.wait(time, |_| false);
        for visit in self.open().streams.values() {
            let _ = visit.stream.shutdown(Shutdown::Both);
        }
        self.wait(Duration::from_secs(1), |_| false);
    }

    /// Waits until there are none but some that do not count, but no longer than this.
    fn wait(&self, time: Duration, does_not_count: impl Fn(&Visit) -> bool) {
        let until = Instant::now() + time;
        let mut open = self.open();
        while !open.streams.values().all(&does_not_count) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.left.wait_timeout(open, left.min(OFTEN));
            open = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
pub(super) struct Entry {
    tray: Arc<Tray>,
    number: u64,
}

impl Entry {
    /// Gives it an answer.
    pub(super) fn answer<T>(&self, give: impl FnOnce() -> T) -> T {
        self.answering(Some(Instant::now()));
        let given = give();
        self.answering(None);
        given
    }

    fn answering(&self, since: Option<Instant>) {
        if let Some(visit) = self.tray.open().streams.get_mut(&self.number) {
            visit.answering = since;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.tray.open().streams.remove(&self.number);
        self.tray.left.notify_all();
    }
}
