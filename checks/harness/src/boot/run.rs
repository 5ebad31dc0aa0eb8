//! One run of QEMU and swtpm, from power on to an outcome.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::guard::{self, Running};
use super::machine::{Disk, Machine};
use super::outcome::{Boot, Outcome};
use super::watch::{End, Watch};
use super::{orders, report, tpm};

/// Names in the private folder.
pub(super) const CODE: &str = "code.fd";
pub(super) const VARIABLES: &str = "variables.fd";
pub(super) const DISK: &str = "disk.img";
pub(super) const TPM: &str = "tpm";
const SOCKET: &str = "tpm.socket";
const QEMU_LOG: &str = "qemu.log";

/// Boots the machine whose state is in `home`.
pub(super) fn boot(machine: &Machine<'_>, home: &Path) -> Result<Boot> {
    let tpm = if machine.tpm {
        Some(tpm::start(
            machine.programs,
            home,
            &home.join(TPM),
            &home.join(SOCKET),
            None,
        )?)
    } else {
        None
    };
    let started = Instant::now();
    let input = match machine.answer {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    let log = home.join(QEMU_LOG);
    let mut qemu = Running::start_with_input(qemu_command(machine, home)?, &log, input)?;
    let output = follow(qemu.stdout()?);

    let mut watch = Watch::new(machine.last_line.clone());
    if let (Some(answer), Some(keyboard)) = (machine.answer.clone(), qemu.stdin()) {
        watch = watch.answering(answer, Box::new(keyboard));
    }
    let end = watch.watch(&output, started + machine.timeout);
    let outcome = match end {
        End::Closed => watch.after_exit(&how_it_ended(&mut qemu, home)?),
        End::Reached => Outcome::Reached,
        End::NothingLeft => watch.refused_or(Outcome::NothingToStart),
        End::Silent | End::TimeOver => watch.refused_or(Outcome::TimedOut),
    };
    // Where the power is to go in the middle of something.
    thread::sleep(machine.after_it);
    drop((qemu, tpm));

    let (report, mut damage) = report::read(watch.console.lines());
    if machine.last_line.is_some() {
        damage.clear();
    } else if machine.tpm && !report.tpm {
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
    let (kind, device) = match machine.disk {
        Disk::Cd(_) => ("media=cdrom,readonly=on", "ide-cd,bus=ide.0"),
        Disk::Esp(_) | Disk::System(_) | Disk::Image(_) => ("media=disk", "virtio-blk-pci"),
    };
    command.arg("-drive").arg(format!(
        "if=none,id=disk,format=raw,{kind},file={}",
        file(DISK)
    ));
    command
        .arg("-device")
        .arg(format!("{device},drive=disk,bootindex=1"));
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
    if machine.option_rom {
        command.args(["-device", "virtio-net-pci"]);
    }
    let orders = orders::strings(&machine.orders)?;
    for value in machine.smbios.iter().chain(&orders) {
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
