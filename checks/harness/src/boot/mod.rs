//! Whole-machine boots: QEMU, real firmware (OVMF) and a software TPM (swtpm), nothing of it as root.
//!
//! A [`Machine`] says what is on the disk, which keys the firmware holds, and what the host hands over; [`Machine::boot`]
//! runs it in a private folder, follows its serial port, and answers with a [`Boot`]: how it ended ([`Outcome`]) and what
//! the guest, `touchstone-probe`, reported. Success is the probe's own end line, never an exit status: a guest that panics
//! ends QEMU with 0 as well.
//!
//! ```no_run
//! # use touchstone_harness::boot::{Firmware, Machine, Programs, Variables};
//! # fn example(programs: &dyn Programs, firmware: Firmware, db: Vec<u8>) -> anyhow::Result<()> {
//! let machine = Machine::new(programs, firmware)
//!     .file("EFI/BOOT/BOOTX64.EFI", "/path/systemd-bootx64.efi.signed")
//!     .file("EFI/Linux/generation-1.efi", "/path/signed.efi")
//!     .variables(Variables { pk: db.clone(), kek: db.clone(), db, dbx: Vec::new(), secure_boot: true });
//! let boot = machine.boot()?;
//! boot.reached()?;
//! println!("{}", boot.report.pcrs["sha256"][&7]);
//! # Ok(()) }
//! ```
//!
//! A machine that is to remember is [prepared](Machine::prepare) once and booted several times: each boot is one run of QEMU, with the disk,
//! the firmware's variables and the TPM as the last one left them; between two, its ESP is read as any FAT file system.
//!
//! A machine without an operating system answers faster: a [`Judge`] has the firmware start many images in one boot of a few
//! seconds, and says of each whether it was started or refused.
//!
//! What makes these boots repeatable (all found by running): emulation in software (`accel=tcg`: a `/dev/kvm` may be there
//! and not work), one processor, no `cx16` (QEMU 7.2 crashes one boot of Linux 6.12 in sixteen with it), no network.

use std::path::Path;
use std::process::Command;

mod console;
mod disk;
mod el_torito;
mod esp;
mod ext4;
mod gpt;
mod guard;
mod judge;
mod machine;
mod orders;
mod outcome;
#[cfg(test)]
mod peers;
mod prepared;
mod report;
mod run;
mod sparse;
mod tpm;
mod variables;
mod watch;

use crate::Root;

pub use ext4::ext4;
pub use judge::{Judge, Lists, Verdict, answers, questions};
pub use machine::{Content, Disk, Firmware, Machine, System};
pub use orders::{Bytes, Done, Order, Ran, Signed, Unseal};
pub use outcome::{Boot, Outcome, Refusal, RefusedBy};
pub use prepared::Prepared;
pub use report::Report;
pub use tpm::SoftTpm;
pub use variables::{BootVariable, Variables, enrol};

/// Where the programs of a machine come from: `qemu-system-x86_64`, `swtpm`, mtools, `mke2fs`, and tpm2-tools.
pub trait Programs: Sync {
    /// A command that runs the program, and sees `folder` (absolute) of this machine at the same path.
    ///
    /// # Errors
    /// When the program cannot be run from here; the sentence says what to do.
    fn command(&self, program: &str, folder: &Path) -> anyhow::Result<Command>;
}

impl Programs for Root {
    fn command(&self, program: &str, folder: &Path) -> anyhow::Result<Command> {
        let visit = self.visit().bind(folder).command(program)?;
        // A refused machine waits for ever: it has to go even when this process is killed outright.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.arg(visit.get_program()).args(visit.get_args());
        command.env_clear();
        for (name, value) in visit.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Ok(command)
    }
}
