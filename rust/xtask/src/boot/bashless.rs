//! A machine without a shell and without Nix: it receives a generation, boots it, and falls back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Boot, Order};
use touchstone_harness::nix::output;

use super::Outcome;
use super::appliance::{
    Appliance, INSTALLER, Story, TOUCHSTONE, Which, listed, refused, succeeded,
};

/// How often a new generation is tried.
const TRIES: u32 = 1;

/// The programs that the guest has, by the names of their files; nothing else in it can be started.
const PROGRAMS: [&str; 3] = ["touchstone", "touchstone-install", "touchstone-probe"];

/// Where the guest finds binary caches.
const SIGNED: &str = "/srv/signed";
const UNSIGNED: &str = "/srv/unsigned";
const TAMPERED: &str = "/srv/tampered";

/// Boots the machine with the newest systemd-boot that can be had; with `all`, with the others too.
///
/// # Errors
/// When a machine cannot be made, or another generation comes up than the one that the story needs.
pub fn claims(inputs: &Inputs, all: bool, outcome: &mut Outcome) -> Result<()> {
    let suites = ["sid", "trixie"].into_iter();
    let mut suites = suites.filter(|suite| inputs.boot.contains_key(*suite));
    let newest = suites
        .next()
        .context("no systemd-boot: run `cargo xtask setup`")?;
    machine(inputs, newest, outcome)?;
    for suite in suites.filter(|_| all) {
        machine(inputs, suite, outcome)?;
    }
    Ok(())
}

fn machine(inputs: &Inputs, suite: &'static str, outcome: &mut Outcome) -> Result<()> {
    let appliance = Appliance::build(inputs, suite, TRIES)?;
    let tree = appliance.make_root()?;
    // The root is made as the machine itself will change it: no Nix was ever on it.
    let first = appliance.cache(&appliance.path("first"), Which::First)?;
    let touchstone = inputs.touchstone.as_ref();
    let mut import = Command::new(touchstone.context("the static binary is not built")?);
    import.args(["closure", "import"]).arg(&first);
    import.args(["--trusted-public-key", appliance.workshop.trusted()]);
    import.arg("--root").arg(&tree);
    output(import)?;
    appliance.set_profile(&tree, 1, Which::First)?;
    let esp = appliance.install(&tree, Which::First)?;
    caches(&appliance, &tree)?;
    let machine = appliance.machine(&tree, esp)?;
    let about = format!("a machine without a shell, systemd of {suite}");
    let mut story = Story::begin(&appliance, machine, &about, outcome);
    let [running, new] = [Which::First, Which::Third].map(|which| appliance.toplevel(which));
    tell(&mut story, running, new, appliance.workshop.trusted())
}

/// The new generation's closure in the root, as it was signed, without a signature, and changed.
fn caches(appliance: &Appliance<'_>, tree: &Path) -> Result<()> {
    let below = |path: &str| tree.join(path.trim_start_matches('/'));
    let signed = appliance.cache(&below(SIGNED), Which::Third)?;
    let description = description(appliance.toplevel(Which::Third))?;
    let text = fs::read_to_string(signed.join(&description))?;
    let unsigned = text.lines().filter(|line| !line.starts_with("Sig: "));
    let unsigned: String = unsigned.map(|line| format!("{line}\n")).collect();
    ensure!(unsigned != text, "the closure is not signed");
    duplicate(&signed, &below(UNSIGNED))?;
    replace(&below(UNSIGNED).join(&description), unsigned.as_bytes())?;
    let archive = text.lines().find_map(|line| line.strip_prefix("URL: "));
    let archive = archive.context("the description names no archive")?;
    duplicate(&signed, &below(TAMPERED))?;
    let mut bytes = fs::read(signed.join(archive))?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).context("an empty archive")?;
    *byte ^= 1;
    replace(&below(TAMPERED).join(archive), &bytes)
}

/// The file of a cache that describes a store path.
fn description(path: &str) -> Result<String> {
    let name = path.strip_prefix("/nix/store/");
    let hash = name.and_then(|name| name.split_once('-'));
    let (hash, _) = hash.context("no store path")?;
    Ok(format!("{hash}.narinfo"))
}

/// The same files under another name; they take no more room.
fn duplicate(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            duplicate(&path, &target)?;
        } else {
            fs::hard_link(&path, &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

/// Puts another file in the place of a link to a shared one.
fn replace(file: &Path, content: &[u8]) -> Result<()> {
    fs::remove_file(file).with_context(|| file.display().to_string())?;
    fs::write(file, content).with_context(|| file.display().to_string())
}

fn tell(story: &mut Story<'_>, running: &str, new: &str, trusted: &str) -> Result<()> {
    let import = |source: &str| {
        let words = ["closure", "import", source, "--trusted-public-key", trusted];
        Order::run(TOUCHSTONE, &words)
    };
    // As NixOS' own installation calls it: that is when the firmware is told.
    let announce = Order::Run {
        program: INSTALLER.to_owned(),
        arguments: vec![running.to_owned()],
        environment: [("NIXOS_INSTALL_BOOTLOADER".to_owned(), "1".to_owned())].into(),
    };
    let boot_new = Order::run(INSTALLER, &["boot", new]);
    let follow = [
        "closure",
        "interpreters",
        "--follow",
        "/run/booted-system",
        new,
    ];
    let orders = [
        Order::List {
            folder: "/".to_owned(),
        },
        Order::run(INSTALLER, &["bless"]),
        announce,
        import(UNSIGNED),
        import(TAMPERED),
        boot_new.clone(),
        import(SIGNED),
        boot_new,
        Order::run(TOUCHSTONE, &follow),
    ];
    let boot = story.boot("at first", Which::First, &orders)?;
    for (claim, verdict) in [
        ("nothing but our programs can be started", bare(&boot)),
        ("what came up is blessed", succeeded(&boot, 1)),
        (
            "what is installed can be installed again",
            succeeded(&boot, 2),
        ),
        (
            "a closure with a path that nobody signed is refused",
            refused(&boot, 3, "0 good signatures by trusted keys"),
        ),
        (
            "a closure with a changed archive is refused",
            refused(&boot, 4, "is not what its signature says"),
        ),
        (
            "what was refused is not there to be booted",
            refused(&boot, 5, "cannot be found"),
        ),
        ("the signed closure is taken over", succeeded(&boot, 6)),
        (
            "it becomes what the machine boots next",
            succeeded(&boot, 7),
        ),
        (
            "no interpreter lies in the closure of either generation",
            succeeded(&boot, 8),
        ),
    ] {
        story.claim(claim, verdict);
    }
    let verdict = entries(story, "+1");
    story.claim("the new generation has one try", verdict);

    let boot = story.boot("for its only try", Which::Third, &[])?;
    story.claim(
        "the firmware starts the boot loader by the entry that the installer wrote",
        announced(&boot),
    );
    let verdict = entries(story, "+0-1");
    story.claim("the try is used up", verdict);

    story.boot("by itself after that", Which::First, &[])?;
    let verdict = entries(story, "+0-1");
    story.claim("it is back where it was", verdict);
    let verdict = story.machine().check_esp();
    story.claim("its ESP is sound", verdict);
    Ok(())
}

/// Whether the firmware started what the installer made known to it, and not what it found itself.
fn announced(boot: &Boot) -> Result<()> {
    let mut lines = boot.serial.lines();
    let started = lines.find(|line| line.contains("BdsDxe: starting"));
    let started = started.context("the firmware names nothing that it starts")?;
    ensure!(started.contains("Linux Boot Manager"), "{started}");
    Ok(())
}

/// Whether these are the entries, with this counter at the new one.
fn entries(story: &Story<'_>, counter: &str) -> Result<()> {
    story.entries(&[
        story.entry("1", Which::First, "")?,
        story.entry("2", Which::Third, counter)?,
    ])
}

/// Whether the guest has our programs, and no other file that is a program, a script, or marked as one.
fn bare(boot: &Boot) -> Result<()> {
    let files = listed(boot, 0)?;
    ensure!(files.len() > 20, "the list is short: {files:?}");
    let mut names = Vec::new();
    for (kind, path) in files {
        match kind.as_str() {
            "program" => names.push(path.rsplit('/').next().unwrap_or_default()),
            "script" | "executable" | "special" => {
                anyhow::bail!("{path} is of the kind {kind}")
            }
            _ => {}
        }
    }
    names.sort_unstable();
    ensure!(names == PROGRAMS, "its programs are {names:?}");
    Ok(())
}
