//! Standard error holds one error, ours: tpm2-tss would write warnings of its own there.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What tpm2-tss reads when it is first used (tpm2-tss, doc/logging.md).
const LOGGING: &str = "TSS2_LOG";

/// Starts this program anew, as the same process, with tpm2-tss silent: where a key of a TPM may be named, and nobody said how it is to log.
///
/// A running program cannot change its environment safely, and the library offers no other way.
pub fn tpm_library() {
    // What a request names is not known yet.
    let is_request = env::args_os().nth(1).is_some_and(|word| word == "run");
    let is_named = env::args_os().any(|word| {
        let word = word.as_encoded_bytes();
        let value = word.strip_prefix(b"--key=").unwrap_or(word);
        value.starts_with(b"tpm2:")
    });
    if !(is_request || is_named) || env::var_os(LOGGING).is_some() {
        return;
    }
    let Ok(this) = env::current_exe() else { return };
    let mut words = env::args_os();
    let mut again = Command::new(this);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // It comes back only if nothing was started: then the work is done here, with more words on standard error.
    let _ = again.args(words).env(LOGGING, "all+none").exec();
}
