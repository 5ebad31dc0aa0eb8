//! What happens when the answer is no. Nothing here returns: no program of the root is started after it.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

use crate::configuration::OnFailure;
use crate::messages::{self, Plymouth, Severity};
use crate::tpm;

/// How long the reason stays to be read before the machine starts again.
const READING: Duration = Duration::from_secs(10);

/// What only an initrd has. Source: systemd, `in_initrd`.
const INITRD: &str = "/etc/initrd-release";

/// Shows the reason and ends this boot. Without a readable configuration it halts. Outside of an initrd, where somebody tries things out, it ends this program
/// and nothing else.
pub fn end(on_failure: Option<&OnFailure>, reason: &dyn std::fmt::Display) -> ! {
    let reason = reason.to_string();
    if std::process::id() != 1 && !Path::new(INITRD).exists() {
        eprintln!("{}{reason}", messages::PREFIX);
        std::process::exit(1);
    }
    messages::say(Severity::Critical, &reason);
    if let Some(plymouth) = Plymouth::connect() {
        plymouth.message(&format!("{}{reason}", messages::PREFIX));
        messages::let_it_be_seen();
    }
    match on_failure {
        None | Some(OnFailure::Halt) => halt(),
        Some(OnFailure::Reboot) => restart(),
        Some(OnFailure::Shell(shell)) => match development_shell(shell) {
            Ok(never) => match never {},
            Err(why) => {
                messages::say(Severity::Critical, &format!("no shell: {why}"));
                halt()
            }
        },
    }
}

fn halt() -> ! {
    messages::say(
        Severity::Critical,
        "nothing of the system was started; the machine halts",
    );
    stop(RebootCommand::Halt)
}

fn restart() -> ! {
    let text = format!(
        "nothing of the system was started; the machine starts again in {} seconds",
        READING.as_secs()
    );
    messages::say(Severity::Critical, &text);
    std::thread::sleep(READING);
    stop(RebootCommand::Restart)
}

/// Asks the kernel, not systemd: nothing that systemd has started may go on.
fn stop(command: RebootCommand) -> ! {
    rustix::fs::sync();
    let _ = reboot(command);
    // Without the right to do so: the unit's failure is all that is left. The kernel panics when its first process ends.
    std::process::exit(1);
}

/// A shell on the console; the machine starts again when it ends.
fn development_shell(shell: &Path) -> Result<Infallible, tpm::Error> {
    tpm::spoil(b"touchstone-stage1:shell")?;
    messages::say(
        Severity::Critical,
        "on-failure is shell: all registers are spoiled, no sealed secret opens in this boot; leave the shell to start again",
    );
    let console = |write: bool| {
        let mut options = std::fs::OpenOptions::new();
        options.read(!write).write(write).open("/dev/console")
    };
    let mut command = Command::new(shell);
    if let (Ok(input), Ok(output), Ok(errors)) = (console(false), console(true), console(true)) {
        command.stdin(input).stdout(output).stderr(errors);
    }
    if let Err(error) = command.status() {
        let text = format!("{} does not start: {error}", shell.display());
        messages::say(Severity::Critical, &text);
    }
    restart()
}
