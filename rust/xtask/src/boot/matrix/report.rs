//! The table of the matrix for docs/boot-matrix.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::cases::Case;
use super::judge::{Judged, Verdict};
use super::refusals;

/// The registers of the columns.
const PCRS: [u32; 8] = [4, 5, 7, 9, 11, 12, 13, 14];

/// The page, in the checkout.
const PAGE: &str = "docs/boot-matrix.md";

/// Writes the page; `kernel` is the release of the kernel that was booted.
///
/// # Errors
/// When it cannot be written.
pub fn write(checkout: &Path, rows: &[Judged], kernel: &str) -> Result<()> {
    let path = checkout.join(PAGE);
    fs::write(&path, page(rows, kernel)).with_context(|| format!("writing {}", path.display()))
}

fn page(rows: &[Judged], kernel: &str) -> String {
    let mut page = String::from(
        "# Predicted and measured, machine by machine\n\n\
        Written by `cargo xtask boot --only matrix --all --write`: do not edit. Each row is a whole machine that booted in QEMU with a\n\
        software TPM. Every register was predicted before its machine was started, in the banks SHA-1, SHA-256, SHA-384 and SHA-512, and\n\
        is compared bit for bit; each machine's event log replays to its registers, by `touchstone eventlog` and by tpm2_eventlog.\n\n",
    );
    let equal: usize = rows.iter().map(|row| count(row, &Verdict::Equal)).sum();
    let refused: usize = rows.iter().map(|row| count(row, &Verdict::Refused)).sum();
    let _ = writeln!(
        page,
        "{} boots; {equal} registers equal in all four banks, {refused} refused. Firmware: Debian 13's OVMF; kernel: {kernel}.\n\n\
        `=` equal, `r` refused with a reason that was written down before the run, `!` anything else, `·` not asked for.\n\n\
        systemd 252 has no profiles and passes addons over; its stub has room for few sections, so that its UKIs have neither microcode nor a splash.\n",
        rows.len(),
    );
    let heads: String = PCRS.iter().map(|pcr| format!(" {pcr} |")).collect();
    let _ = writeln!(page, "| systemd | Secure Boot | way to boot |{heads} log |");
    let _ = writeln!(
        page,
        "| --- | --- | --- |{} --- |",
        " --- |".repeat(PCRS.len())
    );
    for row in rows {
        let _ = writeln!(page, "{}", line(row));
    }
    let mut reasons: Vec<(u32, &str)> = refusals::reasons().collect();
    reasons.dedup();
    if !reasons.is_empty() {
        page.push_str("\n## What is refused\n\n");
        for (pcr, reason) in reasons {
            let _ = writeln!(page, "- PCR {pcr}: {reason}.");
        }
    }
    page
}

fn count(row: &Judged, verdict: &Verdict) -> usize {
    row.pcrs.values().filter(|given| *given == verdict).count()
}

fn line(row: &Judged) -> String {
    let cell = |pcr: &u32| match row.pcrs.get(pcr) {
        None => " · |",
        Some(Verdict::Equal) => " = |",
        Some(Verdict::Refused) => " r |",
        Some(Verdict::Wrong(_)) => " ! |",
    };
    let cells: String = PCRS.iter().map(cell).collect();
    let log = if row.log.is_empty() { "=" } else { "!" };
    format!("{}{cells} {log} |", head(&row.case))
}

/// The row's first columns.
fn head(case: &Case) -> String {
    format!(
        "| {} | {} | {} |",
        case.systemd.number(),
        if case.secure_boot { "on" } else { "off" },
        case.variant.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds a machine boots it, and writes the page anew.
    #[test]
    fn the_page_has_every_machine_and_nothing_wrong() {
        let checkout = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let page = fs::read_to_string(checkout.join(PAGE)).unwrap();
        for case in Case::all() {
            let head = head(&case);
            let row = page.lines().find_map(|line| line.strip_prefix(&head));
            let row = row.unwrap_or_else(|| panic!("{case} is not on the page"));
            assert!(!row.contains('!'), "{case}: {row}");
        }
    }
}
