//! What the firmware measures: images, variables, who vouches, the disk, and its own log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use touchstone_harness::boot::{self, BootVariable, Firmware, Machine};
use touchstone_measure::{
    Bank, BootPath, BootTree, Branch, FirmwareLog, Medium, Registers, Smbios, StartedImage,
    Variables, eventlog, predict_tree,
};
use touchstone_sign::{CertifiedSigner, esl};
use uuid::{Uuid, uuid};

use crate::bench::{BANKS, Bench, OWNER, ask, certified, compare, list_of, predicted, signer};
use crate::stub::plain;

/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");

/// A key whose certificate another one issued, and that one's signature list.
fn issued(bench: &Bench) -> (CertifiedSigner, Vec<u8>) {
    let root = bench.inputs.trixie();
    let openssl = |arguments: &str| {
        let visit = root.visit().bind(bench.path("")).folder(bench.path(""));
        let mut command = visit.command("openssl").unwrap();
        let output = command.args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {output:?}");
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 9999 -keyout ca.key -out ca.pem");
    openssl("req -newkey rsa:2048 -nodes -subj /CN=leaf -keyout leaf.key -out leaf.csr");
    openssl(
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9999 -out leaf.pem",
    );
    let read = |name: &str| fs::read(bench.path(name)).unwrap();
    let authority = certified(&read("ca.key"), &read("ca.pem"));
    (
        certified(&read("leaf.key"), &read("leaf.pem")),
        list_of(&authority),
    )
}

/// The list with this image's digest.
fn digest_list(image: &Path) -> Vec<u8> {
    let file = &mut File::open(image).unwrap();
    let image = StartedImage::from_file("", file, &[Bank::Sha256], None).unwrap();
    let digest = image.authenticode.get(Bank::Sha256).unwrap();
    esl::of_sha256(OWNER, &[digest.as_bytes().try_into().unwrap()]).unwrap()
}

fn disk(prepared: &boot::Prepared<'_>) -> Medium {
    Medium::of_disk(&mut File::open(prepared.disk()).unwrap()).unwrap()
}

#[test]
fn a_pending_update_of_db_gives_the_values_of_the_machine_after_it() {
    let (bench, second) = (Bench::new(), signer("second"));
    let (leaf, authority) = issued(&bench);
    let uki = bench.uki("trixie", &plain(&bench));
    let loader = bench.sign_by(&[&leaf], &bench.inputs.boot["trixie"]["x64"], "loader.efi");
    let now = Variables {
        db: [list_of(&leaf), bench.db.clone()].concat(),
        ..bench.path_through(true, &loader, &uki).variables
    };
    // The loader's certificate gives way to its issuer's, and the UKI's to the UKI's digest.
    let updated = Variables {
        db: [list_of(&second), authority, digest_list(&uki)].concat(),
        dbx: esl::of_sha256(OWNER, &[[7; 32]]).unwrap(),
        dbt: list_of(&second),
        ..now.clone()
    };
    let root = bench.inputs.trixie();
    let machine = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", loader.as_path())
        .file("EFI/Linux/generation-1.efi", uki.as_path())
        .variables(boot::Variables {
            db: updated.db.clone(),
            dbx: updated.dbx.clone(),
            ..bench.variables(true)
        })
        .boot_variable(BootVariable {
            name: "dbt".to_owned(),
            vendor: IMAGE_SECURITY,
            data: updated.dbt.clone(),
        });
    let path = bench.path_through(true, &loader, &uki);
    let tree = BootTree {
        variables: vec![Branch::named("now", now), Branch::named("updated", updated)],
        medium: None,
        firmware: None,
        failed_exits: 0,
        identity: None,
        shim: None,
        loader: path.loader,
        entries: vec![Branch::only(path.program)],
        shared: path.shared,
        smbios: Smbios::default(),
        no_boot_secret: true,
    };
    let mut predicted = predict_tree(&tree, &ask(&[4, 7])).unwrap();
    let before = predicted.leaves.remove(0);
    assert_eq!(before.pcrs[&4], predicted.leaves[0].pcrs[&4]);
    assert_ne!(before.pcrs[&7], predicted.leaves[0].pcrs[&7]);
    compare(&predicted, &machine.boot().unwrap());
}

#[test]
fn the_newest_firmware_in_setup_mode_starts_an_unsigned_image_of_odd_length() {
    let bench = Bench::new();
    bench.uki("trixie", &plain(&bench));
    let mut odd = fs::read(&bench.inputs.boot["trixie"]["x64"]).unwrap();
    odd.extend(b"odd");
    let (loader, settings) = (bench.file("odd.efi", &odd), b"timeout 0\n".to_vec());
    let ovmf = bench.inputs.newest_ovmf.as_ref().expect("the newest OVMF");
    let firmware = Firmware {
        code: ovmf.code.clone(),
        variables: ovmf.vars.clone(),
    };
    let root = bench.inputs.trixie();
    let machine = Machine::new(&root, firmware)
        .file("EFI/BOOT/BOOTX64.EFI", loader.as_path())
        .file("EFI/Linux/generation-1.efi", bench.unsigned())
        .file("loader/loader.conf", settings.clone());
    let mut prepared = machine.prepare().unwrap();
    let mut path = BootPath {
        variables: Variables::default(),
        medium: Some(disk(&prepared)),
        failed_exits: 1,
        ..bench.path_through(false, &loader, &bench.unsigned())
    };
    path.loader.as_mut().unwrap().configuration = Some(settings);
    let predicted = predicted(&path, &[4, 5, 7]);
    compare(&predicted, &prepared.boot().unwrap());
}

/// A machine with a network card's option ROM and with a driver on its ESP, which the firmware loads first.
fn with_drivers<'a>(
    root: &'a touchstone_harness::Root,
    files: &[(&str, PathBuf)],
    variables: boot::Variables,
) -> Machine<'a> {
    let mut machine = Machine::new(root, Firmware::of_debian(root.path()))
        .with_option_rom()
        .variables(variables);
    for option in BootVariable::boot_options(&[("driver", "EFI/driver.efi")]) {
        machine = machine.boot_variable(BootVariable {
            name: option.name.replace("Boot", "Driver"),
            ..option
        });
    }
    for (path, file) in files {
        machine = machine.file(path, file.as_path());
    }
    machine
}

fn registers(report: &boot::Report) -> Registers {
    let of = |pcr: u32| {
        let value = |bank: Bank| report.pcrs[bank.name()][&pcr].parse().unwrap();
        BANKS.into_iter().map(|bank| (bank, value(bank))).collect()
    };
    (0..8).map(|pcr| (pcr, of(pcr))).collect()
}

#[test]
fn the_log_of_one_boot_gives_the_firmwares_registers_of_the_next() {
    let (bench, second) = (Bench::new(), signer("second"));
    let uki = bench.uki("sid", &plain(&bench));
    let loader = bench.sign(&bench.inputs.boot["sid"]["x64"], "loader.efi");
    let drivers = bench.inputs.efi["trixie"].iter();
    let driver = drivers.clone().find(|path| path.ends_with("ext4_x64.efi"));
    let driver = bench.sign_by(&[&second], driver.expect("a driver"), "driver.efi");
    let mut files = vec![
        ("EFI/BOOT/BOOTX64.EFI", loader.clone()),
        ("EFI/Linux/generation-1.efi", uki.clone()),
        ("EFI/driver.efi", driver),
        ("loader/boot-secret-mixin", bench.file("mixin", b"-")),
    ];
    let db = [list_of(&second), bench.db.clone()].concat();
    let variables = |db| boot::Variables {
        db,
        ..bench.variables(true)
    };
    let root = bench.inputs.trixie();
    let first = with_drivers(&root, &files, variables(db.clone()))
        .boot()
        .unwrap();
    let log = eventlog::parse(&first.report.event_log).unwrap();
    let log = FirmwareLog::new(&log, &registers(&first.report)).unwrap();

    // What changes until the next boot: db, the boot loader's settings.
    let (db, settings) = ([db, list_of(&signer("third"))].concat(), b"timeout 0\n");
    files.push(("loader/loader.conf", bench.file("loader.conf", settings)));
    let next = with_drivers(&root, &files, variables(db.clone()));
    let mut prepared = next.prepare().unwrap();
    let mut path = BootPath {
        firmware: Some(log),
        medium: Some(disk(&prepared)),
        ..bench.path_through(true, &loader, &uki)
    };
    path.variables.db = db;
    path.loader.as_mut().unwrap().configuration = Some(settings.to_vec());
    let predicted = predicted(&path, &[0, 1, 2, 3, 4, 5, 6, 7]);
    compare(&predicted, &prepared.boot().unwrap());
}
