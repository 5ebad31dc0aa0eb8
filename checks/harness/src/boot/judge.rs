//! The firmware's own verdicts on many images in one boot, without an operating system.
//!
//! The firmware starts a UEFI Shell under Secure Boot; its script starts each image and prints what
//! the firmware answered. `LoadImage` of an image that Secure Boot does not allow answers
//! `EFI_ACCESS_DENIED` or `EFI_SECURITY_VIOLATION` (UEFI specification 2.10, section 7.4.1).

use std::fmt;
use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};

use super::{Boot, Firmware, Machine, Programs, Variables};

/// What each line of the script starts with.
const PREFIX: &str = "touchstone-judge: ";
const END: &str = "touchstone-judge: end";
/// The shell ends a script in which an image was refused: each image is started by a script of its own.
const ONE: &[u8] = b"%1.efi\r\n";

/// `EFI_ACCESS_DENIED` and `EFI_SECURITY_VIOLATION`, as the shell prints them.
const REFUSALS: [u64; 2] = [0xf, 0x1a];

/// The firmware's lists of signatures, each the exact bytes of its `EFI_SIGNATURE_LIST`s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lists {
    /// What may start.
    pub db: Vec<u8>,
    /// What may not.
    pub dbx: Vec<u8>,
}

/// What the firmware did with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It started it.
    Started,
    /// It refused it under Secure Boot.
    Refused,
    /// Something else went wrong: the status, without the bit that marks errors.
    Failed(u64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Started => write!(out, "starts"),
            Verdict::Refused => write!(out, "refused"),
            Verdict::Failed(status) => write!(out, "fails with status {status:#x}"),
        }
    }
}

impl Verdict {
    fn of_status(status: u64) -> Verdict {
        match status {
            0 => Verdict::Started,
            status if REFUSALS.contains(&status) => Verdict::Refused,
            status => Verdict::Failed(status),
        }
    }
}

/// A firmware, and a UEFI Shell that it accepts.
pub struct Judge<'a> {
    /// Where QEMU comes from.
    pub programs: &'a dyn Programs,
    /// Which firmware.
    pub firmware: Firmware,
    /// The shell, signed.
    pub shell: Vec<u8>,
    /// The signature list with the certificate of whoever signed the shell: it is added to each `db`, and is also
    /// the platform key. No image that is judged may be signed by it.
    pub shell_signer: Vec<u8>,
}

impl Judge<'_> {
    /// Starts each image under Secure Boot with these lists; the verdicts are in the images' order. A good image
    /// must return at once, as [`EfiProgram`](crate::efi_program::EfiProgram) does.
    ///
    /// # Errors
    /// When the machine does not come to its end, or the shell printed no verdict on an image.
    pub fn verdicts(&self, lists: &Lists, images: &[&[u8]]) -> Result<Vec<Verdict>> {
        let variables = Variables {
            pk: self.shell_signer.clone(),
            kek: self.shell_signer.clone(),
            db: [self.shell_signer.as_slice(), &lists.db].concat(),
            dbx: lists.dbx.clone(),
            secure_boot: true,
        };
        let machine = Machine::new(self.programs, self.firmware.clone())
            .variables(variables)
            .file("EFI/BOOT/BOOTX64.EFI", self.shell.clone());
        answers(&questions(machine, images).boot()?, images.len())
    }
}

/// Lets the UEFI Shell of this machine, which it must come to start by itself, ask about the images. The machine has no
/// TPM, as there is nothing to measure and it takes time.
#[must_use]
pub fn questions<'a>(machine: Machine<'a>, images: &[&[u8]]) -> Machine<'a> {
    let machine = machine
        .without_tpm()
        .last_line(END)
        // It would wait five seconds for a key.
        .answer("to skip startup.nsh", b"\r")
        .file("startup.nsh", script(images.len()).into_bytes())
        .file("one.nsh", ONE.to_vec());
    let numbered = images.iter().enumerate();
    numbered.fold(machine, |machine, (number, image)| {
        machine.file(&format!("{number}.efi"), image.to_vec())
    })
}

/// The shell's script, which it runs by itself; it ends with the power off.
fn script(images: usize) -> String {
    let mut script = "echo -off\r\nfs0:\r\n".to_owned();
    for number in 0..images {
        // Writing to a String does not fail.
        let _ = write!(
            script,
            "one.nsh {number}\r\necho {PREFIX}{number} %lasterror%\r\n"
        );
    }
    script.push_str("echo ");
    script.push_str(END);
    script.push_str("\r\nreset -s\r\n");
    script
}

/// The verdicts on the console of a machine with [`questions`], one on each of so many images.
///
/// # Errors
/// When the boot has another end, or a verdict is missing.
pub fn answers(boot: &Boot, images: usize) -> Result<Vec<Verdict>> {
    boot.reached()?;
    let mut verdicts = Vec::new();
    for line in boot.serial.lines() {
        let Some(rest) = line
            .trim()
            .strip_prefix(PREFIX)
            .filter(|rest| *rest != "end")
        else {
            continue;
        };
        let (number, status) = rest.split_once(" 0x").with_context(|| line.to_owned())?;
        ensure!(
            number == verdicts.len().to_string(),
            "{line:?} is out of order: lines of the console were lost"
        );
        let status = u64::from_str_radix(status, 16).with_context(|| line.to_owned())?;
        verdicts.push(Verdict::of_status(status));
    }
    if verdicts.len() != images {
        bail!("{} verdicts on {images} images", verdicts.len());
    }
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, Report};
    use super::*;

    fn answers_of(serial: &str) -> Result<Vec<Verdict>> {
        let boot = Boot {
            outcome: Outcome::Reached,
            refusals: Vec::new(),
            serial: serial.to_owned(),
            report: Report::default(),
            duration: std::time::Duration::ZERO,
            first_attempt: None,
        };
        answers(&boot, 2)
    }

    #[test]
    fn reads_what_the_shell_prints() {
        let serial = "Shell> echo -off\nstarted\ntouchstone-judge: 0 0x0\n\
            Script Error Status: Access Denied (line number 1)\ntouchstone-judge: 1 0xF\ntouchstone-judge: end\n";
        let verdicts = answers_of(serial).unwrap();
        assert_eq!(verdicts, [Verdict::Started, Verdict::Refused]);
    }

    #[test]
    fn a_verdict_that_is_missing_or_out_of_order_is_an_error() {
        for serial in [
            "",
            "touchstone-judge: 0 0x0\n",
            "touchstone-judge: 1 0x0\ntouchstone-judge: 0 0x0\n",
            "touchstone-judge: 0 0x0\ntouchstone-judge: 1 what\n",
        ] {
            assert!(answers_of(serial).is_err(), "{serial}");
        }
    }

    #[test]
    fn no_other_failure_counts_as_a_refusal() {
        assert_eq!(Verdict::of_status(0x1a), Verdict::Refused);
        assert_eq!(Verdict::of_status(0xe), Verdict::Failed(0xe));
    }
}
