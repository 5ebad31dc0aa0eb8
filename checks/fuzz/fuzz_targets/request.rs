//! Requests as they come through a door: any bytes are answered or refused, with files that nobody may read or write, so that a request's
//! reader stands alone.
//!
//! Only operations of values are asked; the others read more than files. An answer is JSON and ends with a line feed, and the same request
//! gives it again. A refusal has a code and says what to do.
//!
//! Seeds: a request of each operation, written by hand.
#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, Files};
use touchstone_operations::{Effect, answer, operations, parse};

struct NoFiles;

impl Files for NoFiles {
    fn locate(&self, _path: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Interrupted.into())
    }

    fn place(&self, _output: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Interrupted.into())
    }
}

const CONTEXT: Context<'static> = Context {
    files: &NoFiles,
    progress: &Silent,
    keys: KeyPolicy::TestKeysOnly,
    agent: None,
    now: None,
};

fuzz_target!(|request: &[u8]| {
    if !is_of_a_value(request) {
        return;
    }
    let answered = answer(request, &CONTEXT);
    assert_eq!(answered, answer(request, &CONTEXT));
    match answered {
        Ok(bytes) => {
            assert!(bytes.ends_with(b"}\n"));
            parse(&bytes).expect("an answer is JSON");
        }
        Err(failure) => {
            assert!(!failure.code.is_empty() && !failure.what.is_empty());
            assert!(!failure.help.is_empty());
        }
    }
});

/// Whether it asks for a value, or for nothing that there is.
fn is_of_a_value(request: &[u8]) -> bool {
    let Ok(request) = parse(request) else {
        return true;
    };
    let name = request.get("operation").and_then(|name| name.as_str());
    let known = operations();
    let asked = known.iter().find(|known| Some(known.name) == name);
    asked.is_none_or(|asked| asked.effect == Effect::Value)
}
