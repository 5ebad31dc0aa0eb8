//! The parts of a machine beside the tools that people make them with.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Content, Firmware, Machine, Variables, enrol};
use crate::{Root, inputs};

fn run(root: &Root, folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command: Command = root.visit().bind(folder).command(program).unwrap();
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// A signature list with one certificate of one byte.
fn list(certificate: u8) -> Vec<u8> {
    let mut bytes = vec![
        0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0,
        0x72,
    ];
    bytes.extend([45, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0]);
    bytes.extend([0x11; 16]);
    bytes.push(certificate);
    bytes
}

#[test]
fn the_variable_store_is_that_of_virt_fw_vars() {
    let inputs = inputs();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (pk, kek, db, dbx) = (list(1), list(2), [list(3), list(4)].concat(), list(5));
    let hex = |data: &[u8]| data_encoding::HEXLOWER.encode(data);
    let key = |name: &str, guid: &str, data: &[u8]| json!({"name": name, "guid": guid, "attr": 0x27, "data": hex(data), "time": "e4070101000000000000000000000000"});
    let (global, security) = (
        "8be4df61-93ca-11d2-aa0d-00e098032b8c",
        "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
    );
    let document = json!({"version": 2, "variables": [
        key("PK", global, &pk), key("KEK", global, &kek), key("db", security, &db), key("dbx", security, &dbx),
        {"name": "SecureBootEnable", "guid": "f0a30bc7-af08-4556-99c4-001009c93a44", "attr": 3, "data": "01"},
    ]});
    std::fs::write(path("variables.json"), document.to_string()).unwrap();
    std::fs::copy(&inputs.ovmf.vars, path("empty.fd")).unwrap();
    let (empty, json, theirs) = (path("empty.fd"), path("variables.json"), path("theirs.fd"));
    run(
        &inputs.trixie(),
        folder.path(),
        "virt-fw-vars",
        &["--input", &empty, "--set-json", &json, "--output", &theirs],
    );

    let wanted = Variables {
        pk,
        kek,
        db,
        dbx,
        secure_boot: true,
    };
    let ours = enrol(&std::fs::read(&inputs.ovmf.vars).unwrap(), &wanted).unwrap();
    assert!(ours == std::fs::read(theirs).unwrap(), "the stores differ");
}

#[test]
fn the_disk_passes_sgdisk_and_its_files_read_back() {
    let inputs = inputs();
    let root = inputs.trixie();
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let machine = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", Content::Bytes(content.clone()))
        .file(
            "loader/loader.conf",
            Content::Bytes(b"timeout 0\n".to_vec()),
        );
    let prepared = machine.prepare().unwrap();
    let (disk, folder) = (
        prepared.disk(),
        prepared.disk().parent().unwrap().to_owned(),
    );
    let disk = disk.display().to_string();

    let verdict = run(&root, &folder, "sgdisk", &["--verify", "--print", &disk]);
    assert!(
        verdict.contains("No problems found") && verdict.contains("EF00  ESP"),
        "{verdict}"
    );
    let (copy, partition) = (
        folder.join("copy").display().to_string(),
        format!("{disk}@@1M"),
    );
    run(
        &root,
        &folder,
        "mcopy",
        &["-i", &partition, "::/EFI/BOOT/BOOTX64.EFI", &copy],
    );
    assert!(
        std::fs::read(copy).unwrap() == content,
        "the file on the ESP differs"
    );
}
