//! A machine of the matrix, and the request that predicts it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};
use touchstone_harness::Root;
use touchstone_harness::boot::{Firmware, Machine, Variables};

use super::cases::{Case, Variant};
use super::workshop::{OPTIONS, Program, Scene, Workshop};

/// The banks of the machines' TPMs.
pub const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// The boot menu's settings: the entry that boots at once.
pub fn loader_conf(case: &Case) -> String {
    let default = match case.variant {
        Variant::Kernel => "check.conf",
        Variant::SecondProfile => "check.efi@second",
        _ => "check.efi",
    };
    format!("timeout 0\ndefault {default}\n")
}

const ENTRY: &str =
    "title Check\nlinux /check/linux.efi\ninitrd /check/first\ninitrd /check/second\noptions ";

/// The machine.
pub fn machine<'a>(
    workshop: &Workshop<'_>,
    root: &'a Root,
    case: &Case,
    scene: &Scene,
) -> Result<Machine<'a>> {
    let keys = &workshop.keys;
    let mut machine = Machine::new(root, Firmware::of_debian(root.path()))
        .banks(&BANKS)
        .variables(Variables {
            pk: keys.read("PK.esl")?,
            kek: keys.read("KEK.esl")?,
            db: keys.read("db.esl")?,
            dbx: Vec::new(),
            secure_boot: case.secure_boot,
        })
        .file("loader/boot-secret-mixin", vec![b'-'])
        .file("loader/loader.conf", scene.loader_conf.clone());
    for (path, file) in started(scene) {
        machine = machine.file(path, file.clone());
    }
    if let Program::Kernel { kernel, initrds } = &scene.program {
        let [first, second] = initrds;
        for (path, file) in [("linux.efi", kernel), ("first", first), ("second", second)] {
            machine = machine.file(&format!("check/{path}"), file.clone());
        }
        let entry = format!("{ENTRY}{OPTIONS}\n").into_bytes();
        machine = machine.file("loader/entries/check.conf", entry);
    }
    for (name, file) in &scene.extra {
        machine = machine.file(&format!("EFI/Linux/check.efi.extra.d/{name}"), file.clone());
    }
    for (path, file) in &scene.shared {
        machine = machine.file(&format!("loader/{path}"), file.clone());
    }
    Ok(match case.variant {
        Variant::Cd => machine.on_cd(),
        _ => machine,
    })
}

/// Where the images are on the ESP.
fn started(scene: &Scene) -> Vec<(&'static str, &PathBuf)> {
    const FIRST: &str = "EFI/BOOT/BOOTX64.EFI";
    let mut files = Vec::new();
    match (&scene.shim, &scene.loader) {
        (Some(shim), Some(loader)) => {
            files.extend([(FIRST, shim), ("EFI/BOOT/grubx64.efi", loader)])
        }
        (None, Some(loader)) => files.push((FIRST, loader)),
        _ => {}
    }
    if let Program::Uki(uki) = &scene.program {
        let direct = scene.loader.is_none();
        files.push((if direct { FIRST } else { "EFI/Linux/check.efi" }, uki));
    }
    files
}

/// The request of `measure.predict` for one register; `disk` is the machine's, as it was prepared.
pub fn request(
    workshop: &Workshop<'_>,
    case: &Case,
    scene: &Scene,
    disk: &Path,
    pcr: u32,
) -> Value {
    let key = |name: &str| workshop.keys.path(&format!("{name}.esl"));
    let mut request = Map::new();
    request.insert("entries".to_owned(), json!([entry(case, scene)]));
    request.insert("shared".to_owned(), json!(scene.shared));
    if let Some(loader) = &scene.loader {
        request.insert("loader".to_owned(), json!(loader));
    }
    if let Some(shim) = &scene.shim {
        request.insert("shim".to_owned(), json!({ "image": shim }));
    }
    let mut measure = json!({
        "secureBoot": {
            "PK": key("PK"), "KEK": key("KEK"), "db": key("db"), "enabled": case.secure_boot,
        },
        "pcrs": [pcr],
        "banks": BANKS,
        "withoutBootSecret": true,
    });
    if let (5, Some(measure)) = (pcr, measure.as_object_mut()) {
        let medium = match case.variant {
            Variant::Cd => json!("cd"),
            _ => json!({ "disk": disk }),
        };
        measure.insert("medium".to_owned(), medium);
        measure.insert("loaderConf".to_owned(), json!(scene.loader_conf));
    }
    request.insert("measure".to_owned(), measure);
    Value::Object(request)
}

fn entry(case: &Case, scene: &Scene) -> Value {
    match &scene.program {
        Program::Uki(uki) => json!({
            "name": case.variant.name(),
            "uki": uki,
            "profile": case.variant.profile(),
            "extra": scene.extra,
        }),
        Program::Kernel { kernel, initrds } => {
            let [first, second] = initrds;
            json!({
                "name": case.variant.name(),
                "linux": {
                    "kernel": kernel,
                    "initrds": [
                        { "path": "/check/first", "file": first },
                        { "path": "/check/second", "file": second },
                    ],
                    "options": OPTIONS,
                },
            })
        }
    }
}
