//! Whether a store holds what it must: every path is hashed, several at a time.
//!
//! A NAR is one stream, which only one thread can hash. So the largest paths come first: nothing can be done beside the end of the last one.
//! There are more threads than processors, since a cold disk answers many questions at once; those beyond the number of processors
//! step back when there is nothing to wait for, so that the largest paths get a processor each.

mod folder;
mod progress;
mod proof;

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{Expected, Refused, Trusted};
use crate::nar::{NarError, Walker};

pub use folder::Store;
use progress::Counter;
pub use progress::Progress;
use proof::Hashes;

/// Fewest and most threads, where nobody asked for a number.
const THREADS: (usize, usize) = (16, 32);
/// Threads for each processor, where nobody asked for a number.
const THREADS_EACH: usize = 8;
/// Bytes of stack of a thread: a walk has a stack of its own.
const STACK: usize = 256 * 1024;
/// By how much the other threads step back behind those that have a processor each.
const STEP_BACK: i32 = 10;

/// How a closure is checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How many paths are hashed at the same time; else some for each processor, and never so few that a disk would idle.
    pub threads: Option<NonZero<usize>>,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// How many paths.
    pub paths: usize,
    /// How many bytes their NARs have.
    pub nar_size: u64,
}

/// Whether every path of a closure is in the store as it must be: its content, and what a hash does not tell (owners, rights, who may
/// write; see [`nar::hash_trusted`](crate::nar::hash_trusted)). It ends at the first lie that is found.
///
/// `progress` is told, from several threads. What is read here can be exchanged before it is read again, by whoever can write to
/// the disk.
///
/// # Errors
/// [`Refused::Nar`], [`Refused::Content`], [`Refused::Longer`], [`Refused::Name`].
pub fn check(
    store: &Store,
    trusted: &Trusted,
    settings: &Settings,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Checked, Refused> {
    let job = Job::new(store, trusted, true, progress);
    job.run(settings);
    match job.lies().into_iter().next() {
        Some((_, refused)) => Err(refused),
        None => Ok(Checked {
            paths: trusted.paths().len(),
            nar_size: trusted.nar_size(),
        }),
    }
}

/// Every path of a closure that is not in the store as it must be, with the reason, in the order of the paths. All are looked at.
pub fn lies<'t>(
    store: &Store,
    trusted: &'t Trusted,
    settings: &Settings,
    progress: &(dyn Fn(Progress) + Sync),
) -> Vec<(&'t Expected, Refused)> {
    let job = Job::new(store, trusted, false, progress);
    job.run(settings);
    job.lies()
}

/// One check of one closure.
struct Job<'a, 't> {
    store: &'a Store,
    /// The largest first.
    paths: Vec<&'t Expected>,
    /// The first path that nobody has taken.
    next: AtomicUsize,
    /// Whether one lie is enough.
    first: bool,
    /// Whether nothing more is to be looked at.
    over: AtomicBool,
    lies: Mutex<Vec<(&'t Expected, Refused)>>,
    counter: Counter<'a>,
}

impl<'a, 't> Job<'a, 't> {
    fn new(
        store: &'a Store,
        trusted: &'t Trusted,
        first: bool,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        let mut paths: Vec<&Expected> = trusted.paths().iter().collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.nar_size));
        Self {
            store,
            counter: Counter::new(paths.len(), trusted.nar_size(), progress),
            paths,
            next: AtomicUsize::new(0),
            first,
            over: AtomicBool::new(false),
            lies: Mutex::default(),
        }
    }

    /// Looks at all paths. The thread that asks works as well, so that it gets done even where no other can be started.
    fn run(&self, settings: &Settings) {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let (fewest, most) = THREADS;
        let usual = (processors * THREADS_EACH).clamp(fewest, most);
        let threads = settings.threads.map_or(usual, NonZero::get);
        thread::scope(|scope| {
            for number in 1..threads.min(self.paths.len()) {
                let work = move || {
                    if number >= processors {
                        // Where it is not allowed the order of the work is worse, and nothing else.
                        let _ = rustix::process::nice(STEP_BACK);
                    }
                    self.work();
                };
                let thread = thread::Builder::new().stack_size(STACK);
                if thread.spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            self.work();
        });
    }

    fn work(&self) {
        let mut walker = Walker::new();
        while !self.over.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(expected) = self.paths.get(next) else {
                break;
            };
            match self.one(expected, &mut walker) {
                Ok(()) => self.counter.path(),
                Err(refused) => self.lie(expected, refused),
            }
        }
    }

    fn lie(&self, expected: &'t Expected, refused: Refused) {
        // A poisoned lock still guards the findings of the others.
        let mut lies = self
            .lies
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // Once it is over, what was broken off is no lie.
        if !self.over.load(Ordering::Relaxed) {
            lies.push((expected, refused));
            self.over.store(self.first, Ordering::Relaxed);
        }
    }

    fn lies(self) -> Vec<(&'t Expected, Refused)> {
        let mut lies = self
            .lies
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        lies.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        lies
    }

    fn one(&self, expected: &Expected, walker: &mut Walker) -> Result<(), Refused> {
        let path = &expected.path;
        let name = path.base_name();
        let mut sink = Sink {
            job: self,
            hashes: Hashes::new(&expected.proof),
            most: expected.nar_size,
            unsaid: 0,
        };
        let (shown, most) = (self.store.shown(name), expected.nar_size);
        let walked = walker.nar(self.store.folder(), name, shown, most, &mut sink);
        self.counter.bytes(sink.unsaid);
        match walked {
            Err(NarError::Write(_)) => {
                return Err(Refused::Longer {
                    path: path.clone(),
                    size: expected.nar_size,
                });
            }
            other => other?,
        };
        let found = sink.hashes.finish(&expected.proof);
        if found.hash != expected.nar_hash || found.size != expected.nar_size {
            return Err(Refused::Content {
                path: path.clone(),
                signed: expected.nar_hash,
                size: expected.nar_size,
                found: found.hash,
                found_size: found.size,
            });
        }
        match found.proven {
            true => Ok(()),
            false => Err(Refused::Name(path.clone())),
        }
    }
}

/// Takes a NAR: hashes it, counts it, and takes no more than there may be, or nothing once it is over.
struct Sink<'j, 'a, 't> {
    job: &'j Job<'a, 't>,
    hashes: Hashes,
    most: u64,
    unsaid: u64,
}

impl Write for Sink<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = bytes.len() as u64;
        let long = size > self.most.saturating_sub(self.hashes.size());
        if long || self.job.over.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Other.into());
        }
        self.hashes.update(bytes);
        self.unsaid += size;
        if self.unsaid >= progress::REPORT {
            self.job.counter.bytes(std::mem::take(&mut self.unsaid));
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
