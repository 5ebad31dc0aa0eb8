//! The judgement: whether anybody but the image's signer had a say in what this initrd runs.
//!
//! Everything is looked at before systemd is: the command line against the signed ones ([`mod@line`]), credentials by their names ([`credentials`]), and
//! what the stub puts beside them ([`extra`]).

pub mod credentials;
pub mod extra;
pub mod firmware;
pub mod line;
pub mod refusal;

use std::ffi::OsString;
use std::io;

use touchstone_store::StorePath;

use crate::configuration::{self, Configuration};
use crate::machine::Machine;
pub use refusal::Refusal;

/// The signed command lines of the image, one a line.
pub const COMMAND_LINES: &str = "/.touchstone/command-lines";
/// The longest list of command lines that is read, in bytes.
const COMMAND_LINES_LIMIT: u64 = 1 << 20;
/// The command line that the kernel was started with.
const COMMAND_LINE: &str = "/proc/cmdline";

/// What the judgement found to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The system that this image is of: what the signed line's `init=` names.
    pub toplevel: StorePath,
}

/// Reads the configuration.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::NoConfiguration`], [`Refusal::Configuration`].
pub fn configuration(machine: &Machine) -> Result<Configuration, Refusal> {
    let text = read(machine, configuration::FILE, configuration::LIMIT)?;
    let text = text.ok_or(Refusal::NoConfiguration)?;
    configuration::parse(&text).map_err(Refusal::Configuration)
}

/// Judges command line, credentials and extensions.
///
/// # Errors
/// [`Refusal`], of the first thing that is not as it was signed.
pub fn judge(machine: &Machine, configuration: &Configuration) -> Result<Judged, Refusal> {
    let signed = read(machine, COMMAND_LINES, COMMAND_LINES_LIMIT)?;
    let real = read(machine, COMMAND_LINE, crate::command_line::LIMIT)?;
    let line = line::judge(signed.as_deref(), &real.unwrap_or_default())?;
    firmware::judge_variables(machine)?;
    extra::judge(machine)?;
    credentials::judge(machine, configuration, &line.text)?;
    Ok(Judged {
        toplevel: line.toplevel,
    })
}

/// What a file of the initrd holds; none where there is no such file.
fn read(machine: &Machine, file: &str, limit: u64) -> Result<Option<Vec<u8>>, Refusal> {
    machine.read(file, limit).map_err(unreadable(file))
}

/// The names in a folder of the initrd; none where there is no such folder.
fn names(machine: &Machine, folder: &str) -> Result<Vec<OsString>, Refusal> {
    let names = machine.names(folder).map_err(unreadable(folder))?;
    Ok(names.unwrap_or_default())
}

fn unreadable(file: &str) -> impl FnOnce(io::Error) -> Refusal + use<> {
    let file = file.to_owned();
    move |source| Refusal::Unreadable { file, source }
}

#[cfg(test)]
mod tests;
