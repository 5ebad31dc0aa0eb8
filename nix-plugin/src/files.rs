//! Files through the evaluator.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread::{self, ThreadId};

use touchstone_artifacts::Files;

use crate::bridge::Call;

/// The files that the evaluator lets a call read; none is written.
pub struct EvaluatorFiles<'a> {
    call: &'a Call,
    evaluator: ThreadId,
}

// SAFETY: the call is used in `locate` alone, and there only in the thread that it was made in, which is the evaluator's and waits for
// nobody else meanwhile.
unsafe impl Sync for EvaluatorFiles<'_> {}

impl<'a> EvaluatorFiles<'a> {
    /// Those of a call, in the evaluator's thread.
    pub fn new(call: &'a Call) -> Self {
        Self {
            call,
            evaluator: thread::current().id(),
        }
    }
}

impl Files for EvaluatorFiles<'_> {
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        if thread::current().id() != self.evaluator {
            return Err(io::Error::other(
                "another thread than the evaluator's asks for a file: please report it to the makers of Touchstone",
            ));
        }
        let located = self.call.locate(path.as_os_str().as_bytes());
        if located.allowed {
            Ok(OsString::from_vec(located.place).into())
        } else {
            Err(io::Error::other("the evaluator refuses it"))
        }
    }

    fn place(&self, _output: &Path) -> io::Result<PathBuf> {
        Err(io::Error::other("no evaluation writes files"))
    }
}
