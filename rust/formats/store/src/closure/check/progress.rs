//! How far a check is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of one path between two reports.
pub(super) const REPORT: u64 = 1 << 20;

/// How far a check is. Several threads report, so that a later report may say less than an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Paths that are done.
    pub paths: usize,
    /// Paths there are.
    pub of_paths: usize,
    /// Bytes of NAR that are hashed.
    pub bytes: u64,
    /// Bytes of NAR there are.
    pub of_bytes: u64,
}

/// Counts what several threads do, and tells.
pub(super) struct Counter<'a> {
    paths: AtomicUsize,
    bytes: AtomicU64,
    of_paths: usize,
    of_bytes: u64,
    tell: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Counter<'a> {
    pub(super) fn new(of_paths: usize, of_bytes: u64, tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self {
            paths: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            of_paths,
            of_bytes,
            tell,
        }
    }

    /// More bytes are hashed.
    pub(super) fn bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Ordering::Relaxed);
        self.tell();
    }

    /// One more path is done.
    pub(super) fn path(&self) {
        self.paths.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        (self.tell)(Progress {
            paths: self.paths.load(Ordering::Relaxed),
            of_paths: self.of_paths,
            bytes: self.bytes.load(Ordering::Relaxed),
            of_bytes: self.of_bytes,
        });
    }
}
