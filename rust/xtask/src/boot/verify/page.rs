//! The table of attacks for docs/stage1-attacks.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::attacks::attacks;

/// The page, in the checkout.
const PAGE: &str = "docs/stage1-attacks.md";
/// The row of a machine that did not stop.
const NOT_STOPPED: &str = "**nothing of the kind**";

/// Writes the page: each attack that was made with what the machine said, none where it did not stop; of others the rows stay as they are.
///
/// # Errors
/// When it cannot be read or written.
pub fn write(checkout: &Path, made: &[(&str, Option<String>)]) -> Result<()> {
    let path = checkout.join(PAGE);
    let before = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let names: Vec<&str> = attacks().map(|attack| attack.name).collect();
    fs::write(&path, page(&names, made, &before)).with_context(|| path.display().to_string())
}

/// The page with a row for each of the names that was made, or has a row already.
fn page(names: &[&str], made: &[(&str, Option<String>)], before: &str) -> String {
    let row = |name: &str| {
        let made = made.iter().find(|(made, _)| *made == name);
        match made {
            Some((_, said)) => Some(said.as_deref().map_or(NOT_STOPPED.into(), cell)),
            None => said_before(before, name),
        }
    };
    let rows: Vec<(&str, String)> = names
        .iter()
        .filter_map(|name| Some((*name, row(name)?)))
        .collect();
    let stopped = rows.iter().filter(|(_, said)| said != NOT_STOPPED).count();
    let mut page = format!(
        "# Attacks on stage 1, machine by machine\n\n\
        Written by `cargo xtask boot --only verify --all --write` (with `--like WORDS`: the rows of attacks that are called so): do not edit. Each row\n\
        is a whole machine that booted in QEMU under Secure Boot: an image that real Nix built and that is signed, with systemd in its initrd, the order\n\
        of NixOS' units ([units](stage1-units.md)), and exactly what `boot.initrd.verify` adds; its root is an ext4 file system whose store Nix filled.\n\
        Programs of the root say so on the console when they run: in none of these rows did any.\n\n\
        {} machines; {stopped} stopped with the sentence that is shown, behind `touchstone-stage1: `.\n\n\
        | attack | what the machine says |\n| --- | --- |\n",
        rows.len(),
    );
    for (name, said) in rows {
        let _ = writeln!(page, "| {name} | {said} |");
    }
    page
}

/// What the page has of an attack.
fn said_before(page: &str, name: &str) -> Option<String> {
    let begins = format!("| {name} | ");
    let said = page.lines().find_map(|line| line.strip_prefix(&begins))?;
    said.strip_suffix(" |").map(str::to_owned)
}

/// A sentence up to the way out, which docs/stage1.md has.
fn cell(said: &str) -> String {
    let sentence = said.split("; ").next().unwrap_or(said);
    sentence.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_attack_and_each_stopped() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/stage1-attacks.md");
        let before = std::fs::read_to_string(path).unwrap();
        for attack in attacks() {
            let said = said_before(&before, attack.name);
            let said = said.unwrap_or_else(|| panic!("no row for {}", attack.name));
            assert!(said.contains(attack.says), "{}: {said}", attack.name);
        }
        // Nothing else is on it: no row of an attack that nobody makes any more.
        let names: Vec<&str> = attacks().map(|attack| attack.name).collect();
        assert_eq!(page(&names, &[], &before), before);
    }

    #[test]
    fn rows_that_were_not_made_again_stay_and_the_others_are_new() {
        let names = ["one", "two", "three"];
        let said = |said: &str| Some(said.to_owned());
        let made = [("one", said("a; way out")), ("two", said("b|c"))];
        let first = page(&names, &made, "");
        assert!(first.contains("\n2 machines; 2 stopped "), "{first}");
        assert!(first.ends_with("| one | a |\n| two | b\\|c |\n"), "{first}");
        let second = page(&names, &[("three", said("d")), ("two", None)], &first);
        assert!(second.contains("\n3 machines; 2 stopped "), "{second}");
        let rows = "| one | a |\n| two | **nothing of the kind** |\n| three | d |\n";
        assert!(second.ends_with(rows), "{second}");
    }
}
