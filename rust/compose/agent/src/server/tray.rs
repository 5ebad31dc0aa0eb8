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
    streams: HashMap<u64, (Guest, UnixStream)>,
}

impl Tray {
    /// One more; it is out when the answer is dropped.
    pub(super) fn put(self: &Arc<Self>, guest: &Guest, stream: &UnixStream) -> io::Result<Entry> {
        let stream = stream.try_clone()?;
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.streams.insert(number, (guest.clone(), stream));
        let tray = Arc::clone(self);
        Ok(Entry { tray, number })
    }

    /// Nothing more is read of any: requests that have come in whole are answered.
    pub(super) fn end_reading(&self) {
        for (_, stream) in self.open().streams.values() {
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    /// Whether this client has one.
    pub(super) fn has(&self, guest: &Guest) -> bool {
        let open = self.open();
        open.streams.values().any(|(whose, _)| whose == guest)
    }

    /// Ends the connections of this client.
    pub(super) fn end(&self, guest: &Guest) {
        let open = self.open();
        let all = open.streams.values().filter(|(whose, _)| whose == guest);
        for (_, stream) in all {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until there are none, but no longer than this; then ends those that are left, whose answers nobody takes.
    pub(super) fn drain(&self, time: Duration) {
        self.wait(time);
        for (_, stream) in self.open().streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.wait(Duration::from_secs(1));
    }

    /// Waits until there are none, but no longer than this.
    pub(super) fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut open = self.open();
        while !open.streams.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.left.wait_timeout(open, left);
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

impl Drop for Entry {
    fn drop(&mut self) {
        self.tray.open().streams.remove(&self.number);
        self.tray.left.notify_all();
    }
}
