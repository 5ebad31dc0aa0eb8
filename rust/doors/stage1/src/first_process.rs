//! The initrd's `/init`: looks at what the boot brought, and becomes systemd.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::configuration::{Configuration, OnFailure};
use crate::failure;
use crate::gate::firmware::VARIABLES;
use crate::gate::{self, Refusal};
use crate::machine::Machine;

/// A variable that every firmware has. Source: UEFI, "Globally Defined Variables".
const VARIABLES_SIGN: &str =
    "/sys/firmware/efi/efivars/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Judges, and becomes the program that the configuration names; never returns.
pub fn run() -> ! {
    let machine = Machine::here();
    let configuration = match gate::configuration(&machine) {
        Ok(configuration) => configuration,
        Err(refusal) => refuse(None, &refusal),
    };
    if let Err(refusal) = judge(&machine, &configuration) {
        refuse(Some(&configuration.on_failure), &refusal);
    }
    let error = become_init(&configuration);
    let reason = format!("{} does not start: {error}", configuration.init.display());
    refuse(Some(&configuration.on_failure), &reason)
}

/// Judges with the kernel's file systems mounted, and takes them away again: systemd mounts its own.
fn judge(machine: &Machine, configuration: &Configuration) -> Result<(), Refusal> {
    let _proc = Mounted::at("/proc", "proc", "/proc/self")?;
    let _sys = Mounted::at("/sys", "sysfs", "/sys/kernel")?;
    // Machines without them have nothing in them: systemd mounts them in the same way.
    let _variables = Mounted::at(VARIABLES, "efivarfs", VARIABLES_SIGN);
    gate::firmware::reveal(machine)?;
    gate::judge(machine, configuration).map(|_| ())
}

fn refuse(on_failure: Option<&OnFailure>, reason: &dyn std::fmt::Display) -> ! {
    // Where they cannot be mounted nobody can be told, and the registers not be spoiled: then there is no shell.
    let _devices = Mounted::at("/dev", "devtmpfs", "/dev/kmsg");
    let _sys = Mounted::at("/sys", "sysfs", "/sys/kernel");
    let _proc = Mounted::at("/proc", "proc", "/proc/self");
    failure::end(on_failure, reason)
}

/// Becomes the program. Its environment is what the kernel made of the signed line; of the arguments, which the kernel takes from behind `--`, it gets none.
fn become_init(configuration: &Configuration) -> io::Error {
    Command::new(&configuration.init).exec()
}

/// A file system that is mounted while this lives.
struct Mounted(Option<&'static str>);

impl Mounted {
    /// Mounts it, unless `sign` is there already.
    fn at(target: &'static str, kind: &str, sign: &str) -> Result<Self, Refusal> {
        if Path::new(sign).exists() {
            return Ok(Self(None));
        }
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        let made = match std::fs::create_dir(target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => mount(kind, target, kind, flags, None).map_err(io::Error::from),
        };
        made.map_err(|source| Refusal::Mount {
            file: target,
            source,
        })?;
        Ok(Self(Some(target)))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(target) = self.0 {
            // Where it stays, systemd finds it mounted, which it is used to.
            let _ = unmount(target, UnmountFlags::DETACH);
        }
    }
}
