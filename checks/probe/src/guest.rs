//! Process 1 of a test machine: mount, report, carry out orders, power off.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};

use crate::disk;
use crate::loader;
use crate::orders::{self, Order};
use crate::programs::{List, Run};
use crate::report::Report;
use crate::smbios;
use crate::stages;
use crate::tpm::Tpm;

/// The first TPM, when the machine has one.
const TPM: &str = "/sys/class/tpm/tpm0";
/// The same for commands, behind the kernel's resource manager.
const DEVICE: &str = "/dev/tpmrm0";

/// What went wrong before the report began, each with what was tried.
type Errors = Vec<(&'static str, anyhow::Error)>;

/// Reports on the console, then powers the machine off; returns only when even that failed. In an initrd with a system behind it, the
/// system's init does so: this program once more.
pub fn main() -> ExitCode {
    let errors = match on_disk() {
        true if started_by_systemd() => after_systemd(),
        true => Errors::new(),
        false => initrd(),
    };
    match File::options().write(true).open("/dev/console") {
        Ok(console) => {
            report(&console, errors);
            // What the serial port still holds is lost at power off.
            let _ = rustix::termios::tcdrain(&console);
        }
        Err(error) => eprintln!("touchstone-probe: error /dev/console: {error}"),
    }
    power_off()
}

/// The initrd's work: it comes back with its errors when there is no system on a disk, or none that starts.
fn initrd() -> Errors {
    let mut errors = mount_kernel_file_systems();
    quieten_kernel();
    if let Err(error) = disk::load_modules() {
        errors.push(("modules", error));
    }
    let entered = disk::place().and_then(|place| match place {
        Some(place) => {
            disk::enter(&place, &generation().unwrap_or_default()).map(|never| match never {})
        }
        None => Ok(()),
    });
    if let Err(error) = entered {
        errors.push(("disk", error));
    }
    errors
}

/// What is left to do behind systemd's initrd.
fn after_systemd() -> Errors {
    quieten_kernel();
    let told = stages::tell("init").err();
    told.map(|error| ("console", error)).into_iter().collect()
}

/// Whether this is the init of a system on a disk, which its initrd has set up.
fn on_disk() -> bool {
    std::env::var_os(disk::GENERATION).is_some() || started_by_systemd()
}

/// Whether the initrd was systemd's: it calls the init by its path in the store, and tells it nothing.
fn started_by_systemd() -> bool {
    if std::env::var_os(disk::GENERATION).is_some() {
        return false;
    }
    let name = std::env::args_os().next().unwrap_or_default();
    name.to_string_lossy().starts_with("/nix/store/")
}

/// What the initrd says that it is.
fn generation() -> Option<String> {
    std::env::var(disk::GENERATION)
        .ok()
        .filter(|text| !text.is_empty())
        .or_else(|| first_line("/etc/generation").ok())
}

/// Mounts what the report reads; the errors, each with its folder, are for the report.
fn mount_kernel_file_systems() -> Errors {
    let wanted = [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("securityfs", "/sys/kernel/security"),
    ];
    let mut errors = Vec::new();
    for (kind, folder) in wanted {
        if let Err(error) = mount(kind, folder, kind, MountFlags::empty(), None) {
            errors.push((folder, error.into()));
        }
    }
    errors
}

/// Keeps the kernel's own messages from breaking the report's lines: only emergencies reach the console.
fn quieten_kernel() {
    let _ = fs::write("/proc/sys/kernel/printk", "1 4 1 1");
}

fn report(console: &File, errors: Errors) {
    let mut report = Report::begin(console);
    for (what, error) in errors {
        report.error(what, &format!("{error:#}"));
    }
    report.fact("kernel", first_line("/proc/sys/kernel/osrelease"));
    report.fact("uptime", first_line("/proc/uptime"));
    report.fact("cmdline", first_line("/proc/cmdline"));
    report.fact("secure-boot", secure_boot().map(str::to_owned));
    report.fact("lockdown", first_line("/sys/kernel/security/lockdown"));
    if let Some(generation) = generation() {
        report.line("generation", &generation);
    }
    for (name, text) in loader::variables() {
        report.line("loader", &format!("{name} {text}"));
    }
    let strings = smbios_strings();
    let orders = orders::read(&strings);
    for value in strings
        .iter()
        .filter(|value| !value.starts_with(orders::PREFIX))
    {
        report.line("smbios", value);
    }
    if Path::new(TPM).exists() {
        report.line("tpm", "present");
        tpm(&mut report);
    } else {
        report.line("tpm", "absent");
    }
    if let Err(error) = orders.and_then(|orders| carry_out(&orders, &mut report)) {
        report.error("orders", &format!("{error:#}"));
    }
    // The host may take the power away as soon as it has the last line.
    if on_disk()
        && let Err(error) = disk::leave()
    {
        report.error("disk", &format!("{error:#}"));
    }
    report.end();
}

/// The TPM's values and the firmware's log of how they came about.
fn tpm(report: &mut Report<&File>) {
    if let Err(error) = pcrs(report) {
        report.error("pcr", &error);
    }
    match fs::read("/sys/kernel/security/tpm0/binary_bios_measurements") {
        Ok(log) => report.data("event-log", &log),
        Err(error) => report.error("event-log", &error),
    }
}

/// Does what the host ordered, in its order; each line has the order's number.
fn carry_out(orders: &[Order], report: &mut Report<&File>) -> anyhow::Result<()> {
    for (number, order) in orders.iter().enumerate() {
        match order {
            Order::Extend(order) => extend(&mut device()?, number, order, report)?,
            Order::Unseal(order) => unseal(&mut device()?, number, order, report)?,
            Order::Run(order) => run(number, order, report)?,
            Order::List(order) => list(number, order, report)?,
        }
    }
    Ok(())
}

fn device() -> anyhow::Result<Tpm<File>> {
    let device = File::options().read(true).write(true).open(DEVICE);
    Ok(Tpm::new(device.context(DEVICE)?))
}

fn run(number: usize, order: &Run, report: &mut Report<&File>) -> anyhow::Result<()> {
    // By this line the host knows when it can take the power away in the middle of it.
    report.line("runs", &number.to_string());
    let ran = order.run()?;
    report.line("ran", &format!("{number} {}", ran.how));
    report.pieces(&format!("ran-output {number}"), &ran.output);
    report.pieces(&format!("ran-errors {number}"), &ran.errors);
    Ok(())
}

fn list(number: usize, order: &List, report: &mut Report<&File>) -> anyhow::Result<()> {
    for (kind, path) in order.list()? {
        report.line("listed", &format!("{number} {kind} {path}"));
    }
    Ok(())
}

fn extend(
    device: &mut Tpm<File>,
    number: usize,
    order: &orders::Extend,
    report: &mut Report<&File>,
) -> anyhow::Result<()> {
    let orders::Extend { pcr: index, word } = order;
    device.extend(*index, word.as_bytes())?;
    report.line("extended", &format!("{number} {index} {word}"));
    for (bank, folder) in banks()? {
        let what = format!("pcr-after {number} {bank} {index}");
        report.fact(&what, pcr(&folder, *index));
    }
    Ok(())
}

fn unseal(
    device: &mut Tpm<File>,
    number: usize,
    order: &orders::Unseal,
    report: &mut Report<&File>,
) -> anyhow::Result<()> {
    let secret = orders::unseal(device, order, |refusal| {
        report.line("unseal-refused", &format!("{number} {refusal}"));
    })?;
    if let Some(secret) = secret {
        let secret = data_encoding::HEXLOWER.encode(&secret);
        report.line("unsealed", &format!("{number} {secret}"));
    }
    Ok(())
}

fn first_line(path: &str) -> io::Result<String> {
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What the kernel's EFI stub found: `secure_boot` of `struct boot_params` (the kernel's `Documentation/arch/x86/zero-page.rst`,
/// offset 0x1ec). Needs no efivarfs, which is a module in distributions.
fn secure_boot() -> io::Result<&'static str> {
    let parameters = fs::read("/sys/kernel/boot_params/data")?;
    Ok(match parameters.get(0x1ec) {
        Some(3) => "enabled",
        Some(2) => "disabled",
        _ => "unknown",
    })
}

fn smbios_strings() -> Vec<String> {
    fs::read("/sys/firmware/dmi/tables/DMI")
        .map(|table| smbios::oem_strings(&table))
        .unwrap_or_default()
}

/// One line for each bank and register: `pcr sha256 7 <hexadecimal digits>`.
fn pcrs(report: &mut Report<&File>) -> io::Result<()> {
    for (bank, folder) in banks()? {
        for index in 0..24 {
            report.fact(&format!("pcr {bank} {index}"), pcr(&folder, index));
        }
    }
    Ok(())
}

/// The active banks, sorted, each with the folder of its registers.
fn banks() -> io::Result<Vec<(String, PathBuf)>> {
    let mut banks: Vec<(String, PathBuf)> = fs::read_dir(TPM)?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.strip_prefix("pcr-")?.to_owned(),
                entry.path(),
            ))
        })
        .collect();
    banks.sort();
    Ok(banks)
}

fn pcr(bank: &Path, index: u32) -> io::Result<String> {
    Ok(fs::read_to_string(bank.join(index.to_string()))?
        .trim()
        .to_ascii_lowercase())
}

/// Process 1 must never end, or the kernel panics.
fn power_off() -> ! {
    loop {
        let _ = reboot(RebootCommand::PowerOff);
        std::thread::sleep(Duration::from_secs(60));
    }
}
