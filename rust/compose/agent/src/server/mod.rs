//! The service: sockets, connections, and what is asked over them.
//!
//! Every connection has a thread. A request is read (in time, and no more of it than there is room for), judged, signed, written down and then answered, in
//! this order. What one client does, no other notices: it has a share of connections, of bytes and of time, and whoever is refused again and again waits.
//!
//! Told to end (SIGTERM, SIGINT), the agent lets nobody in, signs what has come in whole, ends the process that has the keys, lets answers be taken, and
//! closes the log with its last checkpoint.

mod answers;
mod builds;
mod clock;
mod connection;
mod control;
mod error;
mod penalty;
mod requests;
mod room;
mod run;
mod sign;
mod signing;
mod sockets;
mod spool;
mod start;
mod timed;
mod tray;
mod users;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use builds::Builds;
use penalty::Penalties;
use room::Room;
use signing::Signing;
use spool::Spool;
use tray::Tray;

use crate::holder::Program;
use crate::judge::{Grants, Judge};
use crate::keyring::Keyring;
use crate::log::Log;
use crate::policy::Policy;

pub use error::ServeError;
pub use run::serve;
pub use sockets::SocketError;

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy's file.
    pub policy: PathBuf,
    /// The folder that it keeps: `log` and `spool` are made in it.
    pub state: PathBuf,
    /// The folder of builds' sockets, which it empties.
    pub builds: PathBuf,
    /// Where its control socket is made, unless systemd hands one over.
    pub control: PathBuf,
    /// The same of its direct socket.
    pub direct: PathBuf,
    /// What holds the keys.
    pub holder: Program,
}

/// An agent that serves.
struct Agent {
    policy: Policy,
    judge: Judge,
    keyring: Keyring,
    log: Log,
    grants: Mutex<Grants>,
    /// Held by who grants or revokes, so that the log has both in the order in which they happened.
    granting: Mutex<()>,
    builds: Mutex<Builds>,
    room: Arc<Room>,
    tray: Arc<Tray>,
    penalties: Penalties,
    signing: Signing,
    spool: Spool,
    /// Wakes the thread that waits for connections.
    bell: UnixStream,
    /// When it was started, in seconds since 1970-01-01 UTC.
    since: u64,
}

impl Agent {
    /// Wakes the thread that waits for connections: what it waits for has changed.
    fn ring(&self) {
        // A full socket wakes it as well.
        let _ = (&self.bell).write(&[0]);
    }

    fn builds(&self) -> MutexGuard<'_, Builds> {
        hold(&self.builds)
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        hold(&self.grants)
    }
}

/// A lock, whoever panicked while holding it: what it guards is changed in single steps.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
