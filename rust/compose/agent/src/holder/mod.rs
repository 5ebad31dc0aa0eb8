//! The keys are in a process of their own, the holder: a memory dump of the agent, taken whenever, shows no key, and when the holder ends, its memory is gone
//! with all that reading a key, a passphrase or a PIN, and signing left in it. (Libraries wipe a key, but not every number on the way.)
//!
//! The two speak over a socket that nobody else has. The holder signs whatever it is handed: what may be signed, the agent decides.

mod messages;
mod process;
mod signer;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use messages::{Ask, PublicHalf, Told};

use crate::protocol::{Frame, FrameError, SMALL_LIMIT, read, read_payload, write};

pub use messages::{KeyForm, KeySpec, NotHeld};
pub use process::hold_keys;
pub use signer::{BootKey, CheckpointHalf, CheckpointLine, HeldKey, NixKey};

/// How the holder is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its words.
    pub words: Vec<OsString>,
}

/// Why there is no holder.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// It cannot be started.
    #[error("the process that holds the keys cannot be started: {0}")]
    Start(#[source] io::Error),
    /// What it says is not understood, or it says nothing.
    #[error("the process that holds the keys failed: {0}")]
    Speech(#[from] FrameError),
    /// A key cannot be opened.
    #[error(transparent)]
    Key(#[from] NotHeld),
}

/// The process that holds keys, as the agent sees it. It ends when this is dropped.
pub struct Holder {
    child: Child,
    connection: Connection,
}

/// How long the holder may take to end.
const END: Duration = Duration::from_secs(5);

impl Holder {
    /// Starts the process and lets it open the keys; the answer has them in this order. `ended` is called if it ends before it is told to.
    ///
    /// # Errors
    /// [`HolderError`].
    pub fn start(
        program: &Program,
        specs: &[KeySpec],
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(Self, Vec<HeldKey>), HolderError> {
        let (ours, theirs) = UnixStream::pair().map_err(HolderError::Start)?;
        let mut child = spawn(program, theirs).map_err(HolderError::Start)?;
        match Connection::new(ours, specs, ended) {
            Ok((connection, keys)) => Ok((Self { child, connection }, keys)),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.connection.close();
        let until = Instant::now() + END;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The agent's end of the socket, and the thread that listens to it.
struct Connection {
    line: Arc<Line>,
    reader: Option<JoinHandle<()>>,
}

impl Connection {
    fn new(
        socket: UnixStream,
        specs: &[KeySpec],
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(Self, Vec<HeldKey>), HolderError> {
        let halves = open(&socket, specs)?;
        let line = Arc::new(Line {
            writer: Mutex::new(socket.try_clone().map_err(HolderError::Start)?),
            waiting: Mutex::new(Waiting::default()),
        });
        let keys = signer::held(&line, specs, halves)?;
        let reader = {
            let line = Arc::clone(&line);
            Some(thread::spawn(move || line.listen(&socket, ended)))
        };
        Ok((Self { line, reader }, keys))
    }

    /// The holder answers what it was asked, and ends.
    fn close(&mut self) {
        self.line.close();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn spawn(program: &Program, socket: UnixStream) -> io::Result<Child> {
    let mut command = Command::new(&program.path);
    command
        .arg0("touchstone")
        .args(&program.words)
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null());
    // They are the agent's: the holder serves nobody else and tells systemd nothing.
    for name in [
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "NOTIFY_SOCKET",
    ] {
        command.env_remove(name);
    }
    // tpm2-tss would write warnings of its own where errors are read.
    if std::env::var_os("TSS2_LOG").is_none() {
        command.env("TSS2_LOG", "all+none");
    }
    command.spawn()
}

/// Lets the holder open the keys.
fn open(mut socket: &UnixStream, specs: &[KeySpec]) -> Result<Vec<PublicHalf>, HolderError> {
    let specs = serde_json::to_vec(specs).map_err(FrameError::Malformed)?;
    say(&mut socket, 0, Ask::Open {}, &specs)?;
    let told = read::<Told>(&mut socket)?.ok_or(FrameError::Cut)?;
    let payload = read_payload(&mut socket, told.size, SMALL_LIMIT)?;
    match told.message {
        Told::Failed(why) => Err(why.into()),
        Told::Opened {} | Told::Signed {} => {
            Ok(serde_json::from_slice(&payload).map_err(FrameError::Malformed)?)
        }
    }
}

fn say(to: &mut dyn Write, id: u64, message: Ask, payload: &[u8]) -> Result<(), FrameError> {
    let size = payload.len() as u64;
    write(to, &Frame { id, size, message })?;
    Ok(to.write_all(payload)?)
}

/// The agent's end of the socket, for many threads.
struct Line {
    writer: Mutex<UnixStream>,
    waiting: Mutex<Waiting>,
}

/// Who waits for what.
#[derive(Default)]
struct Waiting {
    last: u64,
    /// Nothing is answered any more.
    ended: bool,
    /// The agent wants it so.
    closed: bool,
    answers: HashMap<u64, SyncSender<Result<Vec<u8>, NotHeld>>>,
}

impl Line {
    /// What the holder makes of this message.
    fn ask(&self, message: Ask, payload: &[u8]) -> Result<Vec<u8>, NotHeld> {
        let (answer, answered) = sync_channel(1);
        let id = self.waiting().queue(answer).ok_or_else(gone)?;
        let said = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            say(&mut *writer, id, message, payload)
        };
        if said.is_err() {
            self.waiting().answers.remove(&id);
            return Err(gone());
        }
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands answers to who waits for them, until there are no more.
    fn listen(&self, mut from: &UnixStream, ended: impl FnOnce()) {
        while let Ok(Some(told)) = read::<Told>(&mut from) {
            let Ok(payload) = read_payload(&mut from, told.size, SMALL_LIMIT) else {
                break;
            };
            let answer = match told.message {
                Told::Failed(why) => Err(why),
                Told::Opened {} | Told::Signed {} => Ok(payload),
            };
            if let Some(waits) = self.waiting().answers.remove(&told.id) {
                let _ = waits.send(answer);
            }
        }
        let mut waiting = self.waiting();
        waiting.ended = true;
        // Whoever waits learns it by the end of its channel.
        waiting.answers.clear();
        let wanted = waiting.closed;
        drop(waiting);
        if !wanted {
            ended();
        }
    }

    fn close(&self) {
        self.waiting().closed = true;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.shutdown(Shutdown::Write);
    }
}

impl Waiting {
    fn queue(&mut self, answer: SyncSender<Result<Vec<u8>, NotHeld>>) -> Option<u64> {
        if self.ended || self.closed {
            return None;
        }
        self.last += 1;
        self.answers.insert(self.last, answer);
        Some(self.last)
    }
}

fn gone() -> NotHeld {
    NotHeld::new(
        "key.failed",
        "the process that held the keys has ended".to_owned(),
        "start the agent again, and see in its journal what happened",
    )
}

#[cfg(test)]
mod tests;
