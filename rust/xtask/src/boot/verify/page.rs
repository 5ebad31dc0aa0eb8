//! The table of attacks for docs/stage1-attacks.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::attacks::Attack;

/// The page, in the checkout.
const PAGE: &str = "docs/stage1-attacks.md";

/// Writes the page: each attack with what the machine said, none where it did not stop.
///
/// # Errors
/// When it cannot be written.
pub fn write(checkout: &Path, rows: &[(&Attack, Option<String>)]) -> Result<()> {
    let path = checkout.join(PAGE);
    fs::write(&path, page(rows)).with_context(|| path.display().to_string())
}

fn page(rows: &[(&Attack, Option<String>)]) -> String {
    let stopped = rows.iter().filter(|(_, said)| said.is_some()).count();
    let mut page = format!(
        "# Attacks on stage 1, machine by machine\n\n\
        Written by `cargo xtask boot --only verify --all --write`: do not edit. Each row is a whole machine that booted in QEMU under Secure\n\
        Boot: an image that real Nix built and that is signed, with systemd in its initrd, the order of NixOS' units\n\
        ([units](stage1-units.md)), and exactly what `boot.initrd.verify` adds; its root is an ext4 file system whose store Nix filled. Programs of the\n\
        root say so on the console when they run: in none of these rows did any.\n\n\
        {} machines; {stopped} stopped with the sentence that is shown, behind `touchstone-stage1: `.\n\n\
        | attack | what the machine says |\n| --- | --- |\n",
        rows.len(),
    );
    for (attack, said) in rows {
        let said = said.as_deref().map_or("**nothing of the kind**", shortened);
        let _ = writeln!(page, "| {} | {} |", attack.name, said.replace('|', "\\|"));
    }
    page
}

/// Up to the way out, which docs/stage1.md has.
fn shortened(said: &str) -> &str {
    said.split("; ").next().unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::super::attacks::attacks;

    #[test]
    fn the_page_has_every_attack_and_each_stopped() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/stage1-attacks.md");
        let page = std::fs::read_to_string(path).unwrap();
        for attack in attacks() {
            let row = format!("| {} | ", attack.name);
            let says = page.lines().find_map(|line| line.strip_prefix(&row));
            let says = says.unwrap_or_else(|| panic!("no row for {}", attack.name));
            assert!(says.contains(attack.says), "{}: {says}", attack.name);
        }
    }
}
