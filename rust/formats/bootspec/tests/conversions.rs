//! From nothing to v1, from v1 to v2.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_bootspec::{
    Additions, Document, SecretsProgram, SynthesizeError, Toplevel, UpgradeError, synthesize,
    upgrade,
};

fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

fn v1(name: &str) -> Value {
    json!({
        "init": store(&format!("{name}/init")),
        "initrd": store("initrd/initrd"),
        "kernel": store("linux/bzImage"),
        "kernelParams": ["quiet"],
        "label": name,
        "system": "x86_64-linux",
        "toplevel": store(name)
    })
}

fn v2(name: &str, initrds: &[&str]) -> Value {
    let mut core = v1(name);
    core.as_object_mut().unwrap().remove("initrd");
    core["initrds"] = initrds.iter().map(|initrd| store(initrd)).collect();
    core
}

fn document(value: &Value) -> Document {
    Document::read(value.to_string().as_bytes()).unwrap()
}

fn generation() -> Value {
    json!({
        "org.nixos.bootspec.v1": v1("nixos"),
        "org.nixos.specialisation.v1": {
            "laptop": { "org.nixos.bootspec.v1": v1("laptop"), "org.example": { "of": "laptop" }, "org.nixos.specialisation.v1": {} }
        },
        "org.example": { "of": "nixos" }
    })
}

fn upgraded(value: &Value, additions: Additions) -> Result<Value, UpgradeError> {
    upgrade(document(value), additions, SecretsProgram::Refused).map(|made| made.to_value())
}

#[test]
fn puts_v2_beside_v1_and_keeps_everything() {
    let made = upgraded(&generation(), Additions::default()).unwrap();
    let mut expected = generation();
    expected["org.nixos.bootspec.v2"] = v2("nixos", &["initrd/initrd"]);
    expected["org.nixos.specialisation.v2"] = json!({
        "laptop": { "org.nixos.bootspec.v2": v2("laptop", &["initrd/initrd"]), "org.example": { "of": "laptop" } }
    });
    assert_eq!(made, expected);
}

#[test]
fn upgrading_twice_is_upgrading_once() {
    let once = upgraded(&generation(), Additions::default()).unwrap();
    assert_eq!(upgraded(&once, Additions::default()), Ok(once.clone()));
    let more = Additions {
        devicetree: Some(store("dtb").parse().unwrap()),
        ..Additions::default()
    };
    assert_eq!(upgraded(&once, more), Err(UpgradeError::AlreadyV2));
}

#[test]
fn adds_what_v1_cannot_say_to_the_generation_alone() {
    let more = Additions {
        initrds: vec![store("more").parse().unwrap()],
        fdtdir: Some(store("dtbs").parse().unwrap()),
        devicetree: Some(store("dtb/a.dtb").parse().unwrap()),
    };
    let made = upgraded(&generation(), more).unwrap();
    let mut core = v2("nixos", &["initrd/initrd", "more"]);
    core["fdtdir"] = json!(store("dtbs"));
    core["devicetree"] = json!(store("dtb/a.dtb"));
    assert_eq!(made["org.nixos.bootspec.v2"], core);
    assert_eq!(made["org.nixos.bootspec.v1"], v1("nixos"));
    let child = &made["org.nixos.specialisation.v2"]["laptop"]["org.nixos.bootspec.v2"];
    assert_eq!(*child, v2("laptop", &["initrd/initrd"]));
}

#[test]
fn takes_the_v2_of_a_child_that_was_upgraded_itself() {
    let mut whole = generation();
    let core = v2("laptop", &["early", "initrd/initrd"]);
    let child = &mut whole["org.nixos.specialisation.v1"]["laptop"];
    child["org.nixos.bootspec.v2"] = core.clone();
    child["org.nixos.bootspec.v1"]["initrdSecrets"] = json!(store("appender"));
    child["org.nixos.specialisation.v2"] = json!({});
    let made = upgraded(&whole, Additions::default()).unwrap();
    assert_eq!(
        made["org.nixos.specialisation.v2"]["laptop"]["org.nixos.bootspec.v2"],
        core
    );
    let of_v1 = &made["org.nixos.specialisation.v1"]["laptop"];
    assert!(of_v1.get("org.nixos.bootspec.v2").is_none());
    assert_eq!(
        of_v1["org.nixos.bootspec.v1"]["initrdSecrets"],
        store("appender")
    );
}

#[test]
fn refuses_to_lose_the_program_that_appends_secrets() {
    let mut own = generation();
    own["org.nixos.bootspec.v1"]["initrdSecrets"] = json!(store("appender"));
    let error = upgraded(&own, Additions::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("the generation names"),
        "{error}"
    );
    let knowing = upgrade(
        document(&own),
        Additions::default(),
        SecretsProgram::AppendsNothing,
    );
    assert!(knowing.unwrap().v2.is_some());

    let mut childs = generation();
    let child = &mut childs["org.nixos.specialisation.v1"]["laptop"];
    child["org.nixos.bootspec.v1"]["initrdSecrets"] = json!(store("appender"));
    assert_eq!(
        upgraded(&childs, Additions::default()),
        Err(UpgradeError::InitrdSecrets {
            specialisation: Some("laptop".to_owned())
        })
    );
    let child = &mut childs["org.nixos.specialisation.v1"]["laptop"];
    child["org.nixos.initrd-secrets.v1"] = json!({ "key": "/etc/key" });
    assert!(upgraded(&childs, Additions::default()).is_ok());
}

fn toplevel(name: &str) -> Toplevel {
    Toplevel {
        path: store(name).parse().unwrap(),
        system: "x86_64-linux".to_owned(),
        nixos_version: "21.11.335130.386234e2a61".to_owned(),
        kernel: store("linux-5.10.81/bzImage").parse().unwrap(),
        kernel_version: "5.10.81".to_owned(),
        kernel_params: "root=PARTUUID=0a-1b dyndbg=\"file a.c +p\" loglevel=4".to_owned(),
        initrd: Some(store("initrd/initrd").parse().unwrap()),
        appends_initrd_secrets: false,
        specialisations: BTreeMap::new(),
    }
}

#[test]
fn describes_a_toplevel_that_has_no_document() {
    let mut parent = toplevel("nixos");
    let mut child = toplevel("laptop");
    child.appends_initrd_secrets = true;
    child.initrd = None;
    parent.specialisations.insert("laptop".to_owned(), child);
    let made = synthesize(&parent).unwrap();
    let core = |name: &str| {
        json!({
            "system": "x86_64-linux",
            "init": store(&format!("{name}/init")),
            "initrd": store("initrd/initrd"),
            "kernel": store("linux-5.10.81/bzImage"),
            "kernelParams": ["root=PARTUUID=0a-1b", "dyndbg=\"file a.c +p\"", "loglevel=4"],
            "label": "NixOS 21.11.335130.386234e2a61 (Linux 5.10.81)",
            "toplevel": store(name)
        })
    };
    let mut laptop = core("laptop");
    laptop.as_object_mut().unwrap().remove("initrd");
    laptop["initrdSecrets"] = json!(store("laptop/append-initrd-secrets"));
    assert_eq!(
        made.to_value(),
        json!({
            "org.nixos.bootspec.v1": core("nixos"),
            "org.nixos.specialisation.v1": {
                "laptop": { "org.nixos.bootspec.v1": laptop, "org.nixos.specialisation.v1": {} }
            }
        })
    );
}

#[test]
fn refuses_a_toplevel_that_no_document_can_describe() {
    let mut parent = toplevel("nixos");
    let mut child = toplevel("laptop");
    let grandchild = BTreeMap::from([("inner".to_owned(), toplevel("inner"))]);
    child.specialisations = grandchild;
    parent.specialisations.insert("laptop".to_owned(), child);
    assert_eq!(
        synthesize(&parent),
        Err(SynthesizeError::Nested {
            name: "laptop".to_owned()
        })
    );
    let mut broken = toplevel("nixos");
    broken.nixos_version = "21.11\n".to_owned();
    assert!(matches!(
        synthesize(&broken),
        Err(SynthesizeError::Invalid(_))
    ));
}
