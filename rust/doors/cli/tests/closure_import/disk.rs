//! Disks that are mounted read-only, or full.

use std::fs;

use super::made::{Made, THERE, path};
use crate::support::TOUCHSTONE;

/// Runs a script where mounting is allowed; `import ROOT SOURCE` imports.
fn script(made: &Made, text: &str) -> (bool, String) {
    let visit = made.work.inside(made.work.inputs.trixie().visit());
    let mut shell = visit.show(TOUCHSTONE).command("bash").unwrap();
    let key = made.key.public_key();
    let import = format!(
        "import() {{ {TOUCHSTONE} closure import --trusted-public-key {key} --root $PWD/$1 $2; }}\n"
    );
    let output = shell.args(["-euc", &(import + text)]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

#[test]
fn a_store_that_is_mounted_read_only_is_writable_for_the_import_alone() {
    let made = Made::new();
    made.export("stream");
    let (done, said) = script(
        &made,
        "mkdir -p here/nix/store\n\
         mount --bind here/nix/store here/nix/store\n\
         mount -o remount,bind,ro,nosuid,nodev here/nix/store\n\
         ! touch here/nix/store/outside\n\
         import here stream\n\
         ! touch here/nix/store/outside\n\
         test -x here/nix/store/*-library/run\n\
         import here stream\n\
         grep ' /.*here/nix/store ' /proc/self/mountinfo\n",
    );
    assert!(done, "{said}");
    assert!(said.contains("2 paths imported"), "{said}");
    assert!(said.contains("2 registered before"), "{said}");
    assert!(said.contains("ro,nosuid,nodev"), "{said}");
}

#[test]
fn a_file_system_that_is_read_only_is_refused() {
    let made = Made::new();
    made.export("stream");
    let (done, said) = script(
        &made,
        "mkdir -p here/nix/store\n\
         mount -t tmpfs -o ro tmpfs here/nix/store\n\
         import here stream\n",
    );
    assert!(!done && said.contains("cannot be remounted"), "{said}");
    assert!(said.contains("[closure.refused]"), "{said}");
}

#[test]
fn a_disk_that_is_full_in_the_middle_is_left_as_it_was() {
    let made = Made::new();
    // A thousand files of a byte have a small NAR and take many blocks.
    let many = path('2', "many");
    let folder = made.on_disk(THERE, &many);
    fs::create_dir(&folder).unwrap();
    for number in 0..1000 {
        fs::write(folder.join(number.to_string()), "x").unwrap();
    }
    made.register(&many, std::slice::from_ref(&made.system), &[&made.key]);
    let words = ["closure", "export", "--root", THERE, "--output", "stream"];
    made.work.done([&words[..], &[many.as_str()]].concat());
    let small = "mkdir -p here/nix/store\n\
         mount -t tmpfs -o size=SIZE tmpfs here/nix/store\n\
         if import here stream; then exit 1; fi\n\
         test -z \"$(ls -A here/nix/store)$(ls -A here/nix/var/touchstone/valid)\"\n\
         mount -o remount,size=64m here/nix/store\n\
         import here stream\n";
    for (size, fact) in [("2m", "No space left on device"), ("600k", "bytes free")] {
        let (done, said) = script(&made, &small.replace("SIZE", size));
        assert!(done && said.contains(fact), "{said}");
        assert!(said.contains("3 paths imported"), "{said}");
        fs::remove_dir_all(made.work.path("here")).unwrap();
    }
}
