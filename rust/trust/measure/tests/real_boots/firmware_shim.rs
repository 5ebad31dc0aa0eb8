//! The chain through shim: firmware, Debian's shim 16.1 signed by our own key, systemd-boot, a UKI.

use std::fs::File;
use std::path::{Path, PathBuf};

use touchstone_harness::boot::{BootVariable, Firmware, Machine};
use touchstone_measure::{Medium, Shim, ShimVariables};
use touchstone_sign::esl;
use uuid::{Uuid, uuid};

use crate::bench::{BANKS, Bench, OWNER, check, compare, list_of, predicted, signer};
use crate::stub::plain;

/// Every register that can be predicted by rule.
const ALL: [u32; 8] = [4, 5, 7, 9, 11, 12, 13, 14];
/// shim's namespace.
const SHIM_LOCK: Uuid = uuid!("605dab50-e046-4300-abb6-3dd810dd8b23");

/// Debian's shim, which our key signs beside Microsoft's.
fn debians(bench: &Bench) -> PathBuf {
    let name = "shim-signed_amd64/usr/lib/shim/shimx64.efi.signed";
    let files = &bench.inputs.efi["trixie"];
    let original = files.iter().find(|path| path.ends_with(name));
    bench.sign(original.expect("Debian's shim"), "shim.efi")
}

fn shim(file: &Path, variables: ShimVariables) -> Shim {
    Shim::from_file(&mut File::open(file).unwrap(), &BANKS, None, variables).unwrap()
}

fn variable(name: &str, data: &[u8]) -> BootVariable {
    BootVariable {
        name: name.to_owned(),
        vendor: SHIM_LOCK,
        data: data.to_owned(),
    }
}

#[test]
fn shim_measures_the_owners_keys_and_everybody_who_vouches() {
    let (bench, owner) = (Bench::new(), signer("owner"));
    bench.uki("sid", &plain(&bench));
    let original = &bench.inputs.boot["sid"]["x64"];
    let loader = bench.sign_by(&[&owner, &bench.signer], original, "loader.efi");
    let uki = bench.sign_by(&[&owner], &bench.unsigned(), "owners-uki.efi");
    let first = debians(&bench);
    let variables = ShimVariables {
        mok_list: list_of(&owner),
        mok_list_x: esl::of_sha256(OWNER, &[[3; 32]]).unwrap(),
        sbat_level: b"sbat,1,2099010100\nshim,4\n".to_vec(),
    };
    let root = bench.inputs.trixie();
    let machine = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", first.as_path())
        .file("EFI/BOOT/grubx64.efi", loader.as_path())
        .file("EFI/Linux/generation-1.efi", uki.as_path())
        .file("loader/boot-secret-mixin", vec![b'-'])
        .variables(bench.variables(true))
        .boot_variable(variable("MokList", &variables.mok_list))
        .boot_variable(variable("MokListX", &variables.mok_list_x))
        .boot_variable(variable("SbatLevel", &variables.sbat_level));
    let mut path = bench.path_through(true, &loader, &uki);
    path.shim = Some(shim(&first, variables));
    let mut prepared = machine.prepare().unwrap();
    let disk = &mut File::open(prepared.disk()).unwrap();
    path.medium = Some(Medium::of_disk(disk).unwrap());
    let predicted = predicted(&path, &ALL);
    compare(&predicted, &prepared.boot().unwrap());
}

#[test]
fn shim_without_secure_boot_sets_its_level_back_and_vouches_for_nothing() {
    let bench = Bench::new();
    bench.uki("trixie", &plain(&bench));
    let first = debians(&bench);
    let variables = ShimVariables {
        sbat_level: b"sbat,1,2099010100\nshim,4\n".to_vec(),
        ..ShimVariables::default()
    };
    let root = bench.inputs.trixie();
    // The UKI is shim's second stage: there is no boot loader.
    let machine = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", first.as_path())
        .file("EFI/BOOT/grubx64.efi", bench.unsigned())
        .on_cd()
        .variables(bench.variables(false))
        .boot_variable(variable("SbatLevel", &variables.sbat_level));
    let mut path = bench.path_through(
        false,
        &bench.inputs.boot["trixie"]["x64"],
        &bench.unsigned(),
    );
    path.shim = Some(shim(&first, variables));
    path.loader = None;
    path.medium = Some(Medium::Cd);
    check(&machine, &path, &ALL);
}
