//! The process that holds the keys: it opens them, signs what it is handed, and ends when nobody can ask it any more.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use touchstone_artifacts::policy::PolicyKey;
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::source::read_secret;
use touchstone_artifacts::{Context, Error, HostFiles, manifest};
use touchstone_sign::{Hash, Signer};
use touchstone_store::SecretKey;

use super::END;
use super::messages::{Ask, KeyForm, KeySpec, NotHeld, PublicHalf, Told};
use crate::hygiene;
use crate::log::{CheckpointKey, CheckpointSigner};
use crate::protocol::{Frame, FrameError, SMALL_LIMIT, read, read_payload, write};

/// Bytes of a key's file.
const KEY_LIMIT: usize = 1 << 12;
/// After which it is looked again whether the other end is there, where the system could not say.
const AGAIN: Duration = Duration::from_millis(100);

/// What the holder has open.
pub(super) enum Open {
    Boot(Box<dyn Signer>),
    Nix(Box<SecretKey>),
    Checkpoint(Box<CheckpointKey>),
}

/// Holds keys for the process at the other end of standard input: a stream socket.
///
/// It ends when that process does, or closes its end, and at nothing else: the signals that end a service are for the agent alone, which still signs what it
/// has begun.
///
/// # Errors
/// When the process cannot be kept from being dumped, or the other end is no agent.
pub fn hold_keys() -> Result<(), FrameError> {
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    hygiene::no_dumps()?;
    let locked = hygiene::no_swap()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if !locked {
        let mut to = io::stderr().lock();
        let _ = writeln!(
            to,
            "touchstone: the memory that holds the keys may be swapped: give the service LimitMEMLOCK=infinity"
        );
    }
    let other_end = socket.try_clone()?;
    thread::spawn(move || end_without(&other_end));
    match serve(&socket) {
        // An agent that is killed hears no answers, and nobody is there to be told.
        Err(FrameError::Connection(error)) if is_gone(&error) => Ok(()),
        served => served,
    }
}

/// When nobody has the other end any more, whatever a key hangs in does not keep this process.
fn end_without(other_end: &UnixStream) {
    // That an end has been closed is always told. One that only says no more is not closed: it hears answers.
    let mut ends = [PollFd::new(other_end, PollFlags::empty())];
    while !matches!(poll(&mut ends, None), Ok(1..)) {
        thread::sleep(AGAIN);
    }
    thread::sleep(END);
    let _ = kill_process(getpid(), Signal::KILL);
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset)
}

/// Holds keys for whoever has the other end.
pub(super) fn serve(socket: &UnixStream) -> Result<(), FrameError> {
    let mut from = socket;
    let Some(first) = read::<Ask>(&mut from)? else {
        return Ok(());
    };
    let specs = read_payload(&mut from, first.size, SMALL_LIMIT)?;
    let specs: Vec<KeySpec> = serde_json::from_slice(&specs).map_err(FrameError::Malformed)?;
    let answers = Answers::to(socket);
    let keys = match specs.iter().map(open).collect::<Result<Vec<_>, _>>() {
        Ok(keys) => keys,
        Err(why) => return answers.give(first.id, Told::Failed(why), &[]),
    };
    match public_halves(&keys) {
        Ok(halves) => answers.give(first.id, Told::Opened {}, &halves)?,
        Err(why) => return answers.give(first.id, Told::Failed(why), &[]),
    }
    work(socket, &keys, &answers)
}

/// As many threads as processors sign with each key, so that one that hangs, as tokens do, stops no other; this one reads.
pub(super) fn work(
    socket: &UnixStream,
    keys: &[Open],
    answers: &Answers<'_>,
) -> Result<(), FrameError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (jobs, queues): (Vec<_>, Vec<_>) = keys.iter().map(|_| queue()).unzip();
    thread::scope(|scope| {
        for (key, queue) in keys.iter().zip(&queues) {
            for _ in 0..threads {
                scope.spawn(|| sign_all(queue, key, answers));
            }
        }
        let handed = hand_out(socket, &jobs, answers);
        drop(jobs);
        handed
    })
}

/// A message that is to be signed.
struct Job {
    id: u64,
    hash: Hash,
    message: Vec<u8>,
}

/// What waits for a key: no more than one message of each of the agent's connections. Reading never waits for a key.
fn queue() -> (Sender<Job>, Mutex<Receiver<Job>>) {
    let (jobs, queue) = channel();
    (jobs, Mutex::new(queue))
}

fn hand_out(
    mut from: &UnixStream,
    jobs: &[Sender<Job>],
    answers: &Answers<'_>,
) -> Result<(), FrameError> {
    while let Some(frame) = read::<Ask>(&mut from)? {
        let message = read_payload(&mut from, frame.size, SMALL_LIMIT)?;
        let Ask::Sign { key, hash } = frame.message else {
            break;
        };
        let (id, hash) = (frame.id, hash.into());
        let job = Job { id, hash, message };
        if jobs.get(key).is_none_or(|jobs| jobs.send(job).is_err()) {
            let why = NotHeld::new("key.missing", "no such key is held".to_owned(), "");
            answers.give(id, Told::Failed(why), &[])?;
        }
    }
    Ok(())
}

fn sign_all(queue: &Mutex<Receiver<Job>>, key: &Open, answers: &Answers<'_>) {
    let next = || {
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv().ok()
    };
    while let Some(job) = next() {
        let given = match sign(key, &job) {
            Ok(signature) => answers.give(job.id, Told::Signed {}, &signature),
            Err(why) => answers.give(job.id, Told::Failed(why), &[]),
        };
        if given.is_err() {
            return;
        }
    }
}

fn sign(key: &Open, job: &Job) -> Result<Vec<u8>, NotHeld> {
    match key {
        Open::Boot(signer) => signer
            .sign(job.hash, &job.message)
            .map_err(|error| NotHeld::of_signing(&error)),
        Open::Nix(key) => match std::str::from_utf8(&job.message) {
            Ok(text) => Ok(key.sign(text).to_string().into_bytes()),
            Err(_) => Err(NotHeld::new(
                "key.failed",
                "a fingerprint is text".to_owned(),
                "",
            )),
        },
        Open::Checkpoint(key) => match key.sign(&job.message) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(why) => Err(NotHeld::new("key.failed", why.to_string(), "")),
        },
    }
}

fn open(spec: &KeySpec) -> Result<Open, NotHeld> {
    Ok(match spec.form {
        KeyForm::Boot => Open::Boot(open_boot(spec)?),
        KeyForm::Nix => {
            let key = manifest::open_key(&HostFiles, spec.key.as_ref(), KeyPolicy::Any)?;
            Open::Nix(Box::new(key))
        }
        KeyForm::Checkpoint => Open::Checkpoint(Box::new(open_checkpoint_key(&spec.key)?)),
    })
}

fn open_checkpoint_key(file: &str) -> Result<CheckpointKey, NotHeld> {
    let text = read_secret(&HostFiles, "key of checkpoints", file.as_ref(), KEY_LIMIT)?;
    CheckpointKey::read(&text).map_err(|error| {
        let help = "name a file that `touchstone agent log keygen` wrote";
        let mut why = NotHeld::new("key.not-a-key", error.to_string(), help);
        why.file = Some(file.into());
        why
    })
}

fn open_boot(spec: &KeySpec) -> Result<Box<dyn Signer>, Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let context = Context {
        files: &HostFiles,
        progress: &Silent,
        keys: KeyPolicy::Any,
        agent: None,
        now: since.ok().map(|since| since.as_secs()),
    };
    let key = PolicyKey {
        key: spec.key.clone(),
        passphrase_file: spec.passphrase_file.clone(),
        public_key: spec.public.clone(),
    };
    key.open(&context)
}

/// What may be known of the keys, in JSON.
pub(super) fn public_halves(keys: &[Open]) -> Result<Vec<u8>, NotHeld> {
    let halves: Vec<PublicHalf> = keys.iter().map(public_half).collect::<Result<_, _>>()?;
    serde_json::to_vec(&halves).map_err(|error| NotHeld::new("key.failed", error.to_string(), ""))
}

fn public_half(key: &Open) -> Result<PublicHalf, NotHeld> {
    let (public, place) = match key {
        Open::Boot(signer) => (
            signer
                .public_key()
                .to_pem()
                .map_err(|error| NotHeld::of_signing(&error))?,
            signer.describe(),
        ),
        Open::Nix(key) => (key.public_key().to_string(), "a key file".to_owned()),
        Open::Checkpoint(key) => {
            let public = CheckpointSigner::public_key(&**key);
            (public.to_string(), "a key file".to_owned())
        }
    };
    Ok(PublicHalf { public, place })
}

/// Where answers go: one at a time.
pub(super) struct Answers<'a>(Mutex<&'a UnixStream>);

impl<'a> Answers<'a> {
    pub(super) fn to(socket: &'a UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    pub(super) fn give(&self, id: u64, message: Told, payload: &[u8]) -> Result<(), FrameError> {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = Frame {
            id,
            size: payload.len() as u64,
            message,
        };
        write(&mut *to, &frame)?;
        Ok(to.write_all(payload)?)
    }
}
