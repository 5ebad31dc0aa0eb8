//! The files of `touchstone keys`, enrolled by systemd-boot into a machine without keys, which then enforces them.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use touchstone_harness::boot::{Firmware, Machine, Verdict, answers, questions};
use touchstone_harness::efi_program::EfiProgram;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Root};

use super::Outcome;
use super::keys::{Keys, efi, read, verify};
use super::table::{Row, Table};

/// systemd-boot enrols without asking on a machine in setup mode, where it is told so.
const ENROL: &str = "timeout 0\nsecure-boot-enroll force\n";
/// What it starts then: a shell, which asks the firmware about images.
const SHELL: &str = "title Shell\nefi /shell.efi\n";
/// What it says before it resets the machine.
const ENROLLED: &str = "Custom Secure Boot keys successfully enrolled";

/// An image's name, and where it is.
type Image = (&'static str, PathBuf);

/// Boots a machine without keys, then one that enrols ours, and that one again.
pub fn claims(inputs: &Inputs, outcome: &mut Outcome) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = Keys::make(inputs, &folder.path().join("keys"), &[])?;
    let stranger = Keys::make(inputs, &folder.path().join("stranger"), &[])?;
    let images = images(&keys, &stranger)?;
    forbid(&keys, &keys.path("forbidden"))?;
    keys.sign(efi(inputs, "/shellx64.efi")?, &keys.path("shell.efi"), &[])?;
    let loader = efi(
        inputs,
        "systemd-boot-efi_amd64/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
    )?;
    keys.sign(loader, &keys.path("loader.efi"), &[])?;
    let root = inputs.trixie();
    let machine = machine(&root, &keys, &images)?;

    let stage = Stage::begin("Enrolling keys with systemd-boot, and booting again");
    let before = answers(&machine.boot()?, images.len())?;
    let mut machine = with_keys(machine, &keys).prepare()?;
    let first = machine.boot()?;
    let after = answers(&machine.boot()?, images.len())?;
    stage.done("done");

    let all = before.iter().all(|verdict| *verdict == Verdict::Started);
    outcome.add(
        "a machine without keys starts every image",
        held(all, &format!("{before:?}")),
    );
    let enrolled = first.serial.contains(ENROLLED);
    outcome.add(
        "systemd-boot enrols our PK, KEK, db and dbx",
        held(enrolled, &first.serial),
    );
    let rows = images.iter().zip(after);
    let rows = rows.map(|(image, said)| row(&keys, image, said));
    let rows = rows.collect::<Result<Vec<Row>>>()?;
    let title = "After the enrolment".to_owned();
    Table { title, rows }.add_to(outcome);
    Ok(())
}

fn held(held: bool, seen: &str) -> Result<()> {
    ensure!(held, "{}", seen.lines().collect::<Vec<_>>().join(" | "));
    Ok(())
}

/// A good image, one that dbx names, one of another signer, one without a signature.
fn images(keys: &Keys, stranger: &Keys) -> Result<Vec<Image>> {
    let names = ["good", "forbidden", "foreign", "unsigned"];
    let images = names.map(|name| -> Result<Image> {
        let plain = keys.path(&format!("{name}.efi"));
        let program = EfiProgram {
            says: name,
            sbat: None,
        };
        std::fs::write(&plain, program.image())?;
        let signed = keys.path(name);
        match name {
            "unsigned" => return Ok((name, plain)),
            "foreign" => stranger.sign(&plain, &signed, &[])?,
            _ => keys.sign(&plain, &signed, &[])?,
        }
        Ok((name, signed))
    });
    images.into_iter().collect()
}

/// Makes `dbx.auth`, which names an image.
fn forbid(keys: &Keys, image: &std::path::Path) -> Result<()> {
    let mut list = keys.command(&["keys", "esl", "--image"]);
    list.arg(image).arg("--output").arg(keys.path("dbx.esl"));
    output(list)?;
    let mut update = keys.with_key(&["keys", "auth", "--variable", "dbx"], "KEK");
    update.arg("--output").arg(keys.path("dbx.auth"));
    update.arg(keys.path("dbx.esl"));
    output(update).map(drop)
}

/// A machine without keys whose systemd-boot starts the shell.
fn machine<'a>(root: &'a Root, keys: &Keys, images: &[Image]) -> Result<Machine<'a>> {
    let bytes = images.iter().map(|(_, path)| read(path));
    let bytes: Vec<Vec<u8>> = bytes.collect::<Result<_>>()?;
    let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    let machine = Machine::new(root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", keys.path("loader.efi"))
        .file("shell.efi", keys.path("shell.efi"))
        .file("loader/entries/shell.conf", SHELL.as_bytes().to_vec())
        .file("loader/loader.conf", ENROL.as_bytes().to_vec());
    Ok(questions(machine, &bytes))
}

/// The same with the files that systemd-boot enrols.
fn with_keys<'a>(machine: Machine<'a>, keys: &Keys) -> Machine<'a> {
    let names = ["PK.auth", "KEK.auth", "db.auth", "dbx.auth"];
    names.into_iter().fold(machine, |machine, name| {
        machine.file(&format!("loader/keys/auto/{name}"), keys.path(name))
    })
}

/// Both verdicts; ours reads the same files that were enrolled.
fn row(keys: &Keys, image: &Image, said: Verdict) -> Result<Row> {
    let (name, path) = image;
    let mut command = keys.command(&["pe", "verify", "--json", "--db"]);
    command.arg(keys.path("db.auth"));
    command.arg("--dbx").arg(keys.path("dbx.auth")).arg(path);
    Ok(Row {
        name: (*name).to_owned(),
        ours: verify(command)?,
        firmware: said,
        explained: None,
    })
}
