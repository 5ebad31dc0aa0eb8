//! One run of QEMU and swtpm, from power on to an outcome.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{ChildStdout, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::console::{Console, Sign, sign};
use super::guard::{self, Running};
use super::machine::Machine;
use super::outcome::{Boot, Outcome, Refusal};
use super::report;

/// Names in the private folder.
pub(super) const CODE: &str = "code.fd";
pub(super) const VARIABLES: &str = "variables.fd";
pub(super) const DISK: &str = "disk.img";
pub(super) const TPM: &str = "tpm";
const SOCKET: &str = "tpm.socket";
const QEMU_LOG: &str = "qemu.log";
const TPM_LOG: &str = "swtpm.log";

/// How long swtpm may take until it listens.
const TPM_START: Duration = Duration::from_secs(20);
/// How long the machine may be silent after a refusal until it counts as the end (the firmware waits for ever).
const SILENCE: Duration = Duration::from_secs(30);

/// Boots the machine whose state is in `home`.
pub(super) fn boot(machine: &Machine<'_>, home: &Path) -> Result<Boot> {
    let tpm = if machine.tpm {
        Some(start_tpm(machine, home)?)
    } else {
        None
    };
    let started = Instant::now();
    let mut qemu = Running::start(qemu_command(machine, home)?, &home.join(QEMU_LOG))?;
    let output = follow(qemu.stdout()?);

    let mut watch = Watch::default();
    let end = watch.watch(&output, started + machine.timeout);
    let outcome = match end {
        End::Closed => watch.after_exit(&how_it_ended(&mut qemu, home)?),
        End::Report => Outcome::Reached,
        End::NothingLeft => watch.refused_or(Outcome::NothingToStart),
        End::Silent | End::TimeOver => watch.refused_or(Outcome::TimedOut),
    };
    drop((qemu, tpm));

    let (report, mut damage) = report::read(watch.console.lines());
    if machine.tpm && !report.tpm {
        damage.push("the guest found no TPM".to_owned());
    }
    let outcome = match outcome {
        Outcome::Reached if !damage.is_empty() => Outcome::Incomplete { why: damage },
        other => other,
    };
    Ok(Boot {
        outcome,
        refusals: watch.refusals,
        serial: watch.console.into_text(),
        report,
        duration: started.elapsed(),
        first_attempt: None,
    })
}

fn start_tpm(machine: &Machine<'_>, home: &Path) -> Result<Running> {
    let socket = home.join(SOCKET);
    // A socket of the boot before would look like one that listens.
    let _ = fs::remove_file(&socket);
    let mut command = machine.programs.command("swtpm", home)?;
    command
        .args(["socket", "--tpm2", "--terminate", "--tpmstate"])
        .arg(format!("dir={}", home.join(TPM).display()));
    command
        .arg("--ctrl")
        .arg(format!("type=unixio,path={}", socket.display()));
    let log = home.join(TPM_LOG);
    let mut tpm = Running::start(command, &log)?;
    let started = Instant::now();
    while !socket.exists() {
        if let Some(status) = tpm.ended()? {
            bail!(
                "swtpm ended ({status}): {}",
                guard::tail(&fs::read_to_string(&log).unwrap_or_default(), 5)
            );
        }
        if started.elapsed() > TPM_START {
            bail!("swtpm does not listen after {} s", TPM_START.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(tpm)
}

fn qemu_command(machine: &Machine<'_>, home: &Path) -> Result<Command> {
    let file = |name: &str| home.join(name).display().to_string();
    let mut command = machine.programs.command("qemu-system-x86_64", home)?;
    command
        .args([
            "-machine",
            "q35,accel=tcg,smm=on",
            "-cpu",
            "max,-cx16",
            "-smp",
            "1",
            "-m",
        ])
        .arg(machine.memory.to_string());
    command.args([
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-nic",
        "none",
        "-serial",
        "stdio",
    ]);
    // Only code in system management mode may write the variables; S3 would need a script that SMM has to guard.
    command.args([
        "-global",
        "driver=cfi.pflash01,property=secure,value=on",
        "-global",
        "ICH9-LPC.disable_s3=1",
    ]);
    command.arg("-drive").arg(format!(
        "if=pflash,unit=0,format=raw,readonly=on,file={}",
        file(CODE)
    ));
    command.arg("-drive").arg(format!(
        "if=pflash,unit=1,format=raw,file={}",
        file(VARIABLES)
    ));
    command
        .arg("-drive")
        .arg(format!("if=none,id=disk,format=raw,file={}", file(DISK)));
    command.args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
    if machine.tpm {
        command
            .arg("-chardev")
            .arg(format!("socket,id=tpm,path={}", file(SOCKET)));
        command.args([
            "-tpmdev",
            "emulator,id=tpm0,chardev=tpm",
            "-device",
            "tpm-tis,tpmdev=tpm0",
        ]);
    }
    for value in &machine.smbios {
        // A comma ends an option's value; two are one.
        command
            .arg("-smbios")
            .arg(format!("type=11,value={}", value.replace(',', ",,")));
    }
    Ok(command)
}

/// Reads on a thread of its own, so that waiting for output can end in time. The channel closes with the output.
fn follow(mut output: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            let Some(bytes) = buffer.get(..count) else {
                break;
            };
            if sender.send(bytes.to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// QEMU closed its output: it is ending.
fn how_it_ended(qemu: &mut Running, home: &Path) -> Result<String> {
    let started = Instant::now();
    let status = loop {
        match qemu.ended()? {
            Some(status) => break status.to_string(),
            None if started.elapsed() > Duration::from_secs(10) => {
                break "still running, with its output closed".to_owned();
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let log = home.join(QEMU_LOG);
    let words = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    Ok(format!("{status} {}", guard::tail(&words, 5)))
}

/// Why watching stopped.
enum End {
    /// The guest's report is there.
    Report,
    /// The firmware has nothing left to start.
    NothingLeft,
    /// Nothing came for a long time after a refusal.
    Silent,
    /// The time of the boot is over.
    TimeOver,
    /// QEMU closed its output.
    Closed,
}

#[derive(Default)]
struct Watch {
    console: Console,
    refusals: Vec<Refusal>,
    panic: Option<String>,
    /// Up to where the console's lines have been looked at.
    seen: usize,
}

impl Watch {
    fn watch(&mut self, output: &Receiver<Vec<u8>>, deadline: Instant) -> End {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = if self.refusals.is_empty() {
                left
            } else {
                left.min(SILENCE)
            };
            match output.recv_timeout(patience) {
                Ok(bytes) => self.console.push(&bytes),
                Err(RecvTimeoutError::Disconnected) => return End::Closed,
                Err(RecvTimeoutError::Timeout) if patience < left => return End::Silent,
                Err(RecvTimeoutError::Timeout) => return End::TimeOver,
            }
            if let Some(end) = self.look() {
                return end;
            }
        }
    }

    /// Looks at the lines that are new and complete. Firmware's last words come without a newline: for an end,
    /// the last, incomplete line counts as well.
    fn look(&mut self) -> Option<End> {
        let (lines, complete) = self.console.since(self.seen);
        let fresh: Vec<String> = lines.map(str::to_owned).collect();
        let last_is_open = self.console.is_open();
        self.seen = complete;
        let last = fresh.len().saturating_sub(1);
        let mut end = None;
        for (at, line) in fresh.into_iter().enumerate() {
            let open = last_is_open && at == last;
            match sign(&line) {
                Some(Sign::NothingLeft) => end = Some(End::NothingLeft),
                Some(Sign::Refusal(refusal)) if !open => self.refusals.push(refusal),
                Some(Sign::Panic) if !open => self.panic = Some(line),
                _ if !open && report::is_end(&line) => end = Some(End::Report),
                _ => {}
            }
        }
        end
    }

    fn after_exit(&self, how: &str) -> Outcome {
        match &self.panic {
            Some(line) => Outcome::Panicked { line: line.clone() },
            None => self.refused_or(Outcome::Crashed {
                how: how.trim().to_owned(),
            }),
        }
    }

    fn refused_or(&self, other: Outcome) -> Outcome {
        self.refusals
            .first()
            .cloned()
            .map_or(other, Outcome::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(parts: &[&str]) -> (Watch, End) {
        let (sender, receiver) = channel();
        for part in parts {
            sender.send(part.as_bytes().to_vec()).unwrap();
        }
        drop(sender);
        let mut watch = Watch::default();
        let end = watch.watch(&receiver, Instant::now() + Duration::from_secs(60));
        (watch, end)
    }

    #[test]
    fn a_line_in_pieces_counts_once_and_whole() {
        let (watch, end) = watch(&[
            "BdsDxe: failed to lo",
            "ad Boot0001: Access De",
            "nied\r\n",
            "touchstone-probe: end",
            " ok 9\n",
        ]);
        assert!(matches!(end, End::Report));
        assert_eq!(watch.refusals.len(), 1);
        assert_eq!(
            watch.refusals[0].line,
            "BdsDxe: failed to load Boot0001: Access Denied"
        );
    }

    #[test]
    fn the_firmwares_last_words_need_no_newline() {
        let (watch, end) = watch(&[
            "BdsDxe: failed to load Boot0001: Access Denied\r\n",
            "BdsDxe: No bootable option or device was found.",
        ]);
        assert!(matches!(end, End::NothingLeft));
        assert!(matches!(
            watch.refused_or(Outcome::NothingToStart),
            Outcome::Refused(_)
        ));
    }

    #[test]
    fn an_exit_without_a_report_is_a_crash_unless_the_kernel_panicked() {
        let (crashed, end) = watch(&["Linux\n"]);
        assert!(matches!(end, End::Closed));
        assert!(matches!(
            crashed.after_exit("exit status: 0"),
            Outcome::Crashed { .. }
        ));
        let (panicked, _) = watch(&["[ 1.0] Kernel panic - not syncing: No working init found.\n"]);
        assert!(matches!(
            panicked.after_exit("exit status: 0"),
            Outcome::Panicked { .. }
        ));
    }
}
