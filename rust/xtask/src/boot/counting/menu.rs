//! In which order systemd-boot tries entries, by what their names and their os-release say.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use touchstone_harness::boot::{Boot, Firmware, Machine, Prepared};
use touchstone_harness::guest::{self, COMMAND_LINE, VARIABLES};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Root};

use crate::boot::Outcome;

/// An entry: what the installer calls it but for the hash, and the release in its os-release.
pub struct Entry {
    /// Profile, generation, specialisation and counter; `HASH` stands for the hash.
    pub name: &'static str,
    /// `VERSION_ID`.
    pub release: &'static str,
}

const fn entry(name: &'static str) -> Entry {
    Entry {
        name,
        release: "25.11",
    }
}

/// The menu in its order: what is tried first comes first.
pub const MENU: [Entry; 15] = [
    entry("nixos-12-HASH+3.efi"),
    entry("nixos-12--b-HASH+3.efi"),
    entry("nixos-12--a-HASH.efi"),
    entry("nixos-11-HASH.efi"),
    entry("nixos-9-HASH+2.efi"),
    entry("nixos-9--z-HASH+1-1.efi"),
    entry("nixos-1-HASH.efi"),
    entry("nixos-1--a-HASH.efi"),
    entry("nixos--work-13-HASH+2.efi"),
    entry("nixos--work-13--a-HASH.efi"),
    entry("nixos--work-2-HASH.efi"),
    entry("nixos--another-14-HASH.efi"),
    Entry {
        name: "nixos-15-HASH.efi",
        release: "24.11",
    },
    entry("nixos-13-HASH+0-2.efi"),
    entry("nixos-12--c-HASH+0-3.efi"),
];

/// What a boot is to choose.
pub struct Choice {
    /// What is claimed, behind the name of the program.
    pub claim: &'static str,
    /// `loader.conf` beyond `timeout 0`.
    pub settings: &'static str,
    /// What is started; by the newer program, where that is another.
    pub started: [&'static str; 2],
}

/// The boots of one machine, one after another.
pub const CHOICES: [Choice; 4] = [
    Choice {
        claim: "passes a preferred entry without tries, starts the first that the default matches, and takes one of its tries",
        settings: "preferred nixos-13-HASH.efi\ndefault nixos-*\n",
        started: ["nixos-12-HASH.efi"; 2],
    },
    Choice {
        claim: "takes the next try at the next start",
        settings: "default nixos-*\n",
        started: ["nixos-12-HASH.efi"; 2],
    },
    Choice {
        claim: "starts the preferred entry while it is not bad, where it knows the setting",
        settings: "preferred nixos-11-HASH.efi\ndefault nixos-*\n",
        started: ["nixos-12-HASH.efi", "nixos-11-HASH.efi"],
    },
    Choice {
        claim: "starts a default that is named whole although it is bad, and goes on counting",
        settings: "default nixos-13-HASH.efi\n",
        started: ["nixos-13-HASH.efi"; 2],
    },
];

/// A systemd-boot.
#[derive(Clone, Copy)]
pub struct Suite {
    /// The suite of Debian that it is from.
    pub name: &'static str,
    /// What it calls itself.
    pub version: &'static str,
    /// Which of the columns is its own.
    pub column: usize,
}

/// Boots a machine with the whole menu, once for each choice.
pub fn claims(inputs: &Inputs, suite: Suite, outcome: &mut Outcome) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = inputs.trixie();
    let mut machine = machine(inputs, &root, suite, folder.path())?.prepare()?;
    let mut names: Vec<String> = MENU.iter().map(|entry| named(entry.name)).collect();
    for (number, choice) in CHOICES.iter().enumerate() {
        let claim = format!("systemd-boot {} {}", suite.version, choice.claim);
        let stage = Stage::begin(format!("Booting: {claim}"));
        machine.write_esp("loader/loader.conf", settings(choice).as_bytes())?;
        let boot = machine.boot_settled()?;
        boot.reached()?;
        stage.done("reached its end");
        let started = choice.started.get(suite.column).context("no column")?;
        let started = named(started);
        for name in names.iter_mut().filter(|name| uncounted(name) == started) {
            *name = tried(name);
        }
        let verdict = chosen(&boot, &started).and_then(|()| counted(&machine, &names));
        outcome.add(&claim, verdict);
        if number == 0 {
            let claim = format!("systemd-boot {} sorts as the names say", suite.version);
            outcome.add(&claim, sorted(&boot, suite));
        }
    }
    Ok(())
}

/// The menu that the guest was told, and who told it.
fn sorted(boot: &Boot, suite: Suite) -> Result<()> {
    let expected: Vec<String> = MENU
        .iter()
        .map(|entry| uncounted(&named(entry.name)))
        .collect();
    let told = boot.report.loader.get("LoaderEntries");
    let told: Vec<&String> = told
        .into_iter()
        .flatten()
        .filter(|id| id.starts_with("nixos-"))
        .collect();
    ensure!(
        told == expected.iter().collect::<Vec<_>>(),
        "the menu is {told:#?}"
    );
    let program = boot
        .report
        .loader
        .get("LoaderInfo")
        .and_then(|texts| texts.first());
    let program = program.context("the loader does not name itself")?;
    let name = format!("systemd-boot {}", suite.version);
    ensure!(program.starts_with(&name), "it calls itself {program}");
    Ok(())
}

fn chosen(boot: &Boot, started: &str) -> Result<()> {
    let selected = boot.report.loader.get("LoaderEntrySelected");
    let selected: Vec<&String> = selected.into_iter().flatten().collect();
    ensure!(selected == [started], "it started {selected:?}");
    Ok(())
}

/// Whether these are the names on the ESP.
fn counted(machine: &Prepared<'_>, names: &[String]) -> Result<()> {
    let mut expected = names.to_vec();
    expected.sort();
    let seen = machine.esp_names("EFI/Linux")?;
    ensure!(seen == expected, "on the ESP are {seen:#?}");
    Ok(())
}

/// The name when it was started once more: a try less, where there was one, and one more that was made.
fn tried(name: &str) -> String {
    let Some((id, counter)) = name.trim_end_matches(".efi").split_once('+') else {
        return name.to_owned();
    };
    let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
    let [left, done] = [left, done].map(|number| number.parse::<u32>().unwrap_or_default());
    format!("{id}+{}-{}.efi", left.saturating_sub(1), done + 1)
}

fn settings(choice: &Choice) -> String {
    let line = |line: &str| {
        let words: Vec<String> = line.split(' ').map(named).collect();
        words.join(" ") + "\n"
    };
    choice
        .settings
        .lines()
        .map(line)
        .fold("timeout 0\n".to_owned(), |text, line| text + &line)
}

/// The name with a hash in it, which is another for each: it decides nothing.
fn named(name: &str) -> String {
    let until = name.find("-HASH").unwrap_or_default();
    let sum = name.bytes().take(until).map(u32::from).sum::<u32>();
    name.replace("HASH", &format!("{:032x}", sum.wrapping_mul(0x9e37_79b9)))
}

/// As systemd-boot names entries in its variables.
fn uncounted(name: &str) -> String {
    match name.split_once('+') {
        Some((id, _)) => format!("{id}.efi"),
        None => name.to_owned(),
    }
}

fn machine<'a>(
    inputs: &Inputs,
    root: &'a Root,
    suite: Suite,
    folder: &Path,
) -> Result<Machine<'a>> {
    let initrd = folder.join("initrd");
    let initrd = guest::initrd_with_modules(inputs, &initrd, None, &VARIABLES)?;
    let loaders = inputs.boot.get(suite.name);
    let loader = loaders.and_then(|by_architecture| by_architecture.get("x64"));
    let mut machine = Machine::new(root, Firmware::of_debian(root.path()))
        .file(
            "EFI/BOOT/BOOTX64.EFI",
            loader.context("no boot loader")?.clone(),
        )
        .file("loader/loader.conf", Vec::new());
    for entry in &MENU {
        let uki = uki(inputs, suite, folder, &initrd, entry.release)?;
        let path = format!("EFI/Linux/{}", named(entry.name));
        machine = machine.file(&path, uki);
    }
    Ok(machine)
}

/// The UKI of a release, made when it is asked for first.
fn uki(
    inputs: &Inputs,
    suite: Suite,
    folder: &Path,
    initrd: &Path,
    release: &str,
) -> Result<PathBuf> {
    let path = folder.join(format!("{release}.efi"));
    if path.exists() {
        return Ok(path);
    }
    let mut build = guest::uki_with_stub(inputs, suite.name)?;
    build.args(["--cmdline", COMMAND_LINE]);
    build.arg("--initrd").arg(initrd);
    let os_release = format!("ID=nixos\nPRETTY_NAME=\"NixOS {release}\"\nVERSION_ID={release}\n");
    build.args(["--os-release", &os_release]);
    build.arg("--output").arg(&path);
    output(build)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_entries_have_the_same_name() {
        let mut names: Vec<String> = MENU.iter().map(|entry| named(entry.name)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), MENU.len());
        let id = uncounted(&named("nixos-12-HASH+1-1.efi"));
        assert_eq!(id, named("nixos-12-HASH.efi"));
        assert_eq!(tried("a+3.efi"), "a+2-1.efi");
        assert_eq!(tried("a+0-2.efi"), "a+0-3.efi");
        for choice in &CHOICES {
            let settings = settings(choice);
            assert!(
                names.iter().any(|name| settings.contains(&uncounted(name)))
                    || settings.contains("nixos-*\n"),
                "{settings}"
            );
        }
    }
}
