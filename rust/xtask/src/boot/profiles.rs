//! A generation whose UKI has profiles, one of which is a specialisation: each is booted, and measures what its leaf says.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Boot, Firmware, Machine, Variables};
use touchstone_harness::guest;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_measure::{Bank, Leaf, Prediction};

use super::Outcome;
use super::keys::Keys;

/// A profile, and where its leaf is.
struct Choice {
    claim: &'static str,
    /// What the boot menu's settings choose.
    entry: &'static str,
    prediction: &'static str,
    leaf: usize,
    /// The word of the command line that nothing else has.
    word: &'static str,
}

const CHOICES: [Choice; 3] = [
    Choice {
        claim: "a UKI's own profile measures what its leaf says",
        entry: "nixos-check.efi",
        prediction: "pcrs.json",
        leaf: 0,
        word: "touchstone.own",
    },
    Choice {
        claim: "a profile of the generation measures what its leaf says",
        entry: "nixos-check.efi@debug",
        prediction: "pcrs.json",
        leaf: 1,
        word: "touchstone.debug",
    },
    Choice {
        claim: "a specialisation that is a profile of the generation's UKI measures what its own prediction says",
        entry: "nixos-check.efi@quiet",
        prediction: "specialisation/quiet/pcrs.json",
        leaf: 0,
        word: "touchstone.quiet",
    },
];

/// Where the generation lies in the store that the builder is shown.
const STORE: &str = "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186";

/// Boots each profile.
///
/// # Errors
/// When the generation cannot be made, or a machine not be started.
pub fn claims(inputs: &Inputs, outcome: &mut Outcome) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = Keys::make(inputs, &folder.path().join("keys"), &[])?;
    let stage = Stage::begin("Making a generation with profiles");
    let artifacts = artifacts(inputs, folder.path())?;
    stage.done("made");
    for choice in &CHOICES {
        let stage = Stage::begin(format!("Booting: {}", choice.claim));
        let verdict = boot(inputs, &keys, &artifacts, choice)
            .and_then(|boot| compare(&artifacts, choice, &boot));
        stage.done(if verdict.is_ok() { "equal" } else { "other" });
        outcome.add(choice.claim, verdict);
    }
    Ok(())
}

/// Makes the generation, its specialisation a profile of its UKI.
fn artifacts(inputs: &Inputs, folder: &Path) -> Result<PathBuf> {
    let store = folder.join("nix");
    fs::create_dir_all(store.join("store"))?;
    let kernel = inputs.kernel.get("amd64").context("no amd64 kernel")?;
    let initrd = guest::initrd(inputs, &folder.join("initrd"), None)?;
    for (file, name) in [(&kernel.vmlinuz, "linux"), (&initrd, "initrd")] {
        let inside = format!("{STORE}-{name}");
        let inside = inside.trim_start_matches("/nix/");
        fs::copy(file, store.join(inside)).with_context(|| format!("copying the {name}"))?;
    }
    let by_architecture = inputs.stub.get("trixie").context("no stub")?;
    let stub = by_architecture.get("x64").context("no stub")?;
    let request = folder.join("request.json");
    fs::write(
        &request,
        request_for(folder, stub, efi_loader(inputs)?).to_string(),
    )?;

    let touchstone = inputs.touchstone.as_ref();
    let touchstone = touchstone.context("the static binary is not built")?;
    let visit = inputs.trixie().visit().bind(folder).bind_at(&store, "/nix");
    let visit = visit.show(touchstone).show(stub).show(efi_loader(inputs)?);
    let mut command = visit.command(touchstone)?;
    command.arg("run").arg(&request);
    output(command)?;
    Ok(folder.join("artifacts"))
}

fn efi_loader(inputs: &Inputs) -> Result<&PathBuf> {
    let loaders = inputs.boot.get("trixie").context("no boot loader")?;
    loaders.get("x64").context("no boot loader")
}

fn request_for(folder: &Path, stub: &Path, loader: &Path) -> Value {
    let core = |name: &str| {
        let words = guest::COMMAND_LINE.split(' ').map(str::to_owned);
        let parameters: Vec<String> = words.chain([format!("touchstone.{name}")]).collect();
        let toplevel = format!("{STORE}-system-{name}");
        json!({ "system": "x86_64-linux", "toplevel": toplevel, "init": format!("{toplevel}/init"), "label": name,
            "kernel": format!("{STORE}-linux"), "initrds": [format!("{STORE}-initrd")], "kernelParams": parameters })
    };
    let mut generation = core("own");
    if let Some(members) = generation.as_object_mut() {
        members.insert(
            "specialisations".to_owned(),
            json!({ "quiet": core("quiet") }),
        );
    }
    let key = |name: &str| folder.join("keys").join(name);
    json!({
        "operation": "boot.artifacts",
        "bootspec": generation,
        "stub": stub,
        "loader": loader,
        "osRelease": "ID=check\nPRETTY_NAME=Check\n",
        "profiles": [{ "id": "debug", "title": "Debug", "kernelParams": ["touchstone.debug"] }],
        "shareSpecialisations": true,
        "sign": { "key": key("db.key"), "certificate": key("db.pem") },
        "measure": {
            "secureBoot": { "PK": key("PK.esl"), "KEK": key("KEK.esl"), "db": key("db.esl") },
            "withoutBootSecret": true,
        },
        "output": folder.join("artifacts"),
    })
}

fn boot(inputs: &Inputs, keys: &Keys, artifacts: &Path, choice: &Choice) -> Result<Boot> {
    let root = inputs.trixie();
    let variables = Variables {
        pk: keys.read("PK.esl")?,
        kek: keys.read("KEK.esl")?,
        db: keys.read("db.esl")?,
        dbx: Vec::new(),
        secure_boot: true,
    };
    let settings = format!("timeout 0\ndefault {}\n", choice.entry);
    let boot = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", artifacts.join("loader.efi"))
        .file("EFI/Linux/nixos-check.efi", artifacts.join("uki.efi"))
        .file("loader/boot-secret-mixin", vec![0])
        .file("loader/loader.conf", settings.into_bytes())
        .variables(variables)
        .boot()?;
    boot.reached()?;
    Ok(boot)
}

fn compare(artifacts: &Path, choice: &Choice, boot: &Boot) -> Result<()> {
    let words: Vec<&str> = boot.report.cmdline.split(' ').collect();
    ensure!(
        words.contains(&choice.word),
        "the command line is {words:?}"
    );
    let text = fs::read(artifacts.join(choice.prediction))?;
    let prediction: Prediction = serde_json::from_slice(&text)?;
    let leaf = prediction
        .leaves
        .get(choice.leaf)
        .context("a leaf is missing")?;
    let measured = boot.report.pcrs.get("sha256").context("no SHA-256 bank")?;
    ensure!(!leaf.pcrs.is_empty(), "nothing is predicted");
    for (pcr, predicted) in predicted(leaf) {
        let measured = measured.get(&pcr);
        ensure!(
            measured == Some(&predicted),
            "PCR {pcr}: predicted {predicted}, measured {measured:?}"
        );
    }
    Ok(())
}

fn predicted(leaf: &Leaf) -> impl Iterator<Item = (u32, String)> {
    let values = leaf.pcrs.iter();
    values.filter_map(|(pcr, banks)| Some((*pcr, banks.get(&Bank::Sha256)?.to_string())))
}
