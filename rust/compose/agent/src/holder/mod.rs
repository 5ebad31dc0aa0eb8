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
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use messages::{Ask, HashName, PublicHalf, Told};

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
/// How long a key may sign nothing while it is asked to. Whatever it hangs in (a token, a driver) is begun anew with the agent.
const PATIENCE: Duration = Duration::from_secs(300);

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
        match Connection::new(ours, specs, PATIENCE, ended) {
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

impl Holder {
    /// Whether the process has ended by itself, in time.
    fn ends(&mut self) -> bool {
        let until = Instant::now() + END;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                _ => return true,
            }
        }
        false
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.connection.close();
        if !self.ends() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Only now: it listens until the process is gone.
        self.connection.join();
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
        patience: Duration,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<(Self, Vec<HeldKey>), HolderError> {
        let halves = open(&socket, specs)?;
        let line = Arc::new(Line {
            socket,
            patience,
            turn: Mutex::default(),
            waiting: Mutex::default(),
        });
        let keys = signer::held(&line, specs, halves)?;
        let reader = {
            let line = Arc::clone(&line);
            Some(thread::spawn(move || line.listen(ended)))
        };
        Ok((Self { line, reader }, keys))
    }

    /// The holder answers what it was asked, and ends. This does not wait for it, nor for who is in the middle of asking.
    fn close(&self) {
        self.line.waiting().closed = true;
        let _ = self.line.socket.shutdown(Shutdown::Write);
    }

    /// Waits until the holder's end is closed.
    fn join(&mut self) {
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
    socket: UnixStream,
    patience: Duration,
    /// Whose turn it is to write.
    turn: Mutex<()>,
    waiting: Mutex<Waiting>,
}

/// What the holder makes of a message.
type Answer = Result<Vec<u8>, NotHeld>;

/// Who waits for what.
#[derive(Default)]
struct Waiting {
    last: u64,
    /// Nothing is answered any more.
    ended: bool,
    /// The agent wants it so.
    closed: bool,
    /// Each with the key that it asked.
    answers: HashMap<u64, (usize, SyncSender<Answer>)>,
    /// When each key last answered.
    heard: HashMap<usize, Instant>,
}

impl Line {
    /// What this key signs.
    fn sign(&self, key: usize, hash: HashName, message: &[u8]) -> Answer {
        let (answer, answered) = sync_channel(1);
        let id = self.waiting().queue(key, answer).ok_or_else(gone)?;
        let said = {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            say(&mut &self.socket, id, Ask::Sign { key, hash }, message)
        };
        if said.is_err() {
            self.waiting().answers.remove(&id);
            return Err(gone());
        }
        self.wait(key, &answered)
    }

    /// Waits for as long as the key answers at all: there may be many in front of this one.
    fn wait(&self, key: usize, answered: &Receiver<Answer>) -> Answer {
        loop {
            match answered.recv_timeout(self.patience) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) if self.is_alive(key) => (),
                Err(RecvTimeoutError::Timeout) => {
                    // The listener finds the end, and says that it was not wanted.
                    let _ = self.socket.shutdown(Shutdown::Both);
                    return Err(silent());
                }
            }
        }
    }

    fn is_alive(&self, key: usize) -> bool {
        let waiting = self.waiting();
        let heard = waiting.heard.get(&key);
        heard.is_some_and(|last| last.elapsed() < self.patience)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands answers to who waits for them, until there are no more.
    fn listen(&self, ended: impl FnOnce()) {
        let mut from = &self.socket;
        while let Ok(Some(told)) = read::<Told>(&mut from) {
            let Ok(payload) = read_payload(&mut from, told.size, SMALL_LIMIT) else {
                break;
            };
            let answer = match told.message {
                Told::Failed(why) => Err(why),
                Told::Opened {} | Told::Signed {} => Ok(payload),
            };
            self.waiting().hand(told.id, answer);
        }
        // Whoever still asks is not read any more.
        let _ = self.socket.shutdown(Shutdown::Both);
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
}

impl Waiting {
    fn queue(&mut self, key: usize, answer: SyncSender<Answer>) -> Option<u64> {
        if self.ended || self.closed {
            return None;
        }
        self.last += 1;
        self.answers.insert(self.last, (key, answer));
        Some(self.last)
    }

    fn hand(&mut self, id: u64, answer: Answer) {
        if let Some((key, waits)) = self.answers.remove(&id) {
            self.heard.insert(key, Instant::now());
            let _ = waits.send(answer);
        }
    }
}

fn silent() -> NotHeld {
    NotHeld::new(
        "key.unreachable",
        "the key has signed nothing for minutes".to_owned(),
        "see what holds the key (a token, a TPM): the agent ends, and begins anew where systemd starts it again",
    )
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
