//! The guest of the boot checks, and the builder of their test generations: one static program, several lives.
//!
//! As a derivation's builder (`NIX_ATTRS_JSON_FILE` is set) it makes an initrd or a toplevel; as process 1 of a
//! virtual machine it reports what the machine measured, does with its TPM and its disk what the host orders, and powers it off. Under the names of the
//! programs that activate a generation it is one of these. The README has all contracts.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

mod ask;
mod builder;
mod disk;
mod guest;
mod initrd;
mod loader;
mod many;
mod orders;
mod parts;
#[cfg(test)]
mod peers;
mod programs;
mod report;
mod same;
mod smbios;
mod stages;
mod switch;
mod toplevel;
mod tpm;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let name = arguments.first().map(OsString::as_os_str);
    let named = name.and_then(|name| switch::by_name(name).or_else(|| stages::by_name(name)));
    if let Some(act) = named {
        return act(&arguments);
    }
    // Nix's sandbox runs its builder as process 1 of a process namespace: ask for the builder's variable first.
    match std::env::var_os("NIX_ATTRS_JSON_FILE") {
        Some(attributes) => builder::main(attributes.as_ref()),
        None if rustix::process::getpid().is_init() => guest::main(),
        None => {
            eprintln!(
                "touchstone-probe: run it as a Nix builder with structured attributes, or as /init of a test machine"
            );
            ExitCode::FAILURE
        }
    }
}
