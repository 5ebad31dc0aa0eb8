//! What a program used of the machine: time, processor, memory.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use wait4::Wait4;

/// What a program and the programs that it started used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// Of all processors, in seconds.
    pub processor_seconds: f64,
    /// The most memory that one of the programs had at a time, in bytes (its resident set, as `wait4(2)` tells).
    pub peak_memory: u64,
}

/// Waits for the end of a program that was started at `begun`, and writes what it used into `file`; the answer is its exit status
/// (128 + signal when one ended it).
pub(crate) fn wait_for(child: Child, begun: Instant, file: File) -> Result<i32> {
    let ended = child.wait4()?;
    let usage = Usage {
        seconds: begun.elapsed().as_secs_f64(),
        processor_seconds: (ended.rusage.utime + ended.rusage.stime).as_secs_f64(),
        peak_memory: ended.rusage.maxrss,
    };
    serde_json::to_writer(file, &usage)?;
    let signal = ended.status.signal().map(|signal| 128 + signal);
    Ok(ended.status.code().or(signal).unwrap_or(1))
}
