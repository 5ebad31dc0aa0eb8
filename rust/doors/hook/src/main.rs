//! Nix' `pre-build-hook` of a machine with a signing agent: `touchstone-pre-build-hook DERIVATION [SANDBOX]`.
//!
//! A derivation that requires the system feature `touchstone-agent` gets a socket of the agent, made for this one build, at one place in its sandbox.
//! Nothing is printed for any other.
//!
//! Exit status: 0, whatever the agent says, with the reason on standard error where there is no socket. Nix takes any other status for an error of
//! its own and ends everything that its client asked for, with `--keep-going` too; a build without a socket fails by itself, and says why. 2 when
//! somebody else than Nix calls it wrongly.
#![forbid(unsafe_code)]

mod fault;
mod hook;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use touchstone_agent::protocol::{BUILD_SOCKET, CONTROL_SOCKET};

/// Names another control socket than the usual one, for agents that were started by hand. Nobody but who starts Nix' daemon sets its variables.
const CONTROL_VARIABLE: &str = "TOUCHSTONE_AGENT_CONTROL";

fn main() -> ExitCode {
    let Some(derivation) = std::env::args_os().nth(1) else {
        eprintln!(
            "touchstone-pre-build-hook: error: no derivation is named\n  help: it is Nix that starts this program: write its path into nix.conf, `pre-build-hook = …`"
        );
        return ExitCode::from(2);
    };
    match told(&derivation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::SUCCESS
        }
    }
}

/// Tells Nix which socket to show, if any.
fn told(derivation: &OsString) -> Result<(), fault::Fault> {
    let Some(socket) = hook::socket_for(derivation, &control_socket())? else {
        return Ok(());
    };
    let commands = commands(&socket);
    let mut out = io::stdout().lock();
    let written = out
        .write_all(commands.as_bytes())
        .and_then(|()| out.flush());
    written.map_err(|source| fault::Fault::Untold { source })
}

fn control_socket() -> PathBuf {
    let named = std::env::var_os(CONTROL_VARIABLE);
    named.map_or_else(|| CONTROL_SOCKET.into(), PathBuf::from)
}

/// What Nix reads: a command, a line for each path, and an empty line.
fn commands(socket: &Path) -> String {
    format!(
        "extra-sandbox-paths\n{BUILD_SOCKET}={}\n\n",
        socket.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nix_is_told_of_one_path_behind_the_place_in_the_sandbox() {
        let told = commands(Path::new("/run/touchstone-agent/builds/0a/socket"));
        assert_eq!(
            told,
            "extra-sandbox-paths\n/run/touchstone-agent/socket=/run/touchstone-agent/builds/0a/socket\n\n"
        );
    }
}
