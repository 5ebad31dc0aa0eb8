//! `touchstone bootspec`: documents are judged, upgraded in place, and made for generations that were built without one.

pub mod shorthand;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{TOUCHSTONE, Work};

/// The path of something in the store.
pub fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

/// The text of a document as nixpkgs writes it, with an extension that only its own bytes are.
const DOCUMENT: &str = r#"{
  "org.example": { "z": 1.10,"a":  "\u00e9", "big": 123456789012345678901234567890 },
  "org.nixos.bootspec.v1": {
    "init": "/nix/store/00000000000000000000000000000000-nixos/init",
    "initrd": "/nix/store/00000000000000000000000000000000-initrd/initrd",
    "initrdSecrets": "/nix/store/00000000000000000000000000000000-append/bin/append-initrd-secrets",
    "kernel": "/nix/store/00000000000000000000000000000000-linux/bzImage",
    "kernelParams": [
      "root=PARTUUID=0a-1b",
      "dyndbg=\"file a.c +p\""
    ],
    "label": "NixOS Zokor 26.11 (Linux 6.18.1)",
    "system": "x86_64-linux",
    "toplevel": "/nix/store/00000000000000000000000000000000-nixos"
  },
  "org.nixos.specialisation.v1": {}
}
"#;

/// The documents that requests name: `boot.json` and the same in a folder `toplevel`.
pub fn with_documents(work: &Work) {
    work.write("boot.json", DOCUMENT);
    fs::create_dir(work.path("toplevel")).unwrap();
    work.write("toplevel/boot.json", DOCUMENT);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn upgrades_a_document_in_place_and_keeps_extensions_to_the_byte() {
    let work = Work::new();
    work.write("boot.json", DOCUMENT);
    let upgrade = ["bootspec", "upgrade", "boot.json", "--output", "boot.json"];
    let refused = work.touchstone(upgrade);
    assert_eq!(refused.status.code(), Some(1));
    let says = said(&refused);
    assert!(
        says.contains("`initrdSecrets`") && says.contains("--without-initrd-secrets"),
        "{says}"
    );
    assert_eq!(work.read("boot.json"), DOCUMENT.as_bytes());

    let more = store("more");
    let upgrade = [
        &upgrade[..],
        &["--without-initrd-secrets", "--initrd", &more],
    ]
    .concat();
    assert_eq!(work.done(upgrade), "");
    let text = String::from_utf8(work.read("boot.json")).unwrap();
    let extension =
        r#""org.example": { "z": 1.10,"a":  "\u00e9", "big": 123456789012345678901234567890 }"#;
    assert!(text.contains(extension), "{text}");
    let upgraded: Value = serde_json::from_str(&text).unwrap();
    let before: Value = serde_json::from_str(DOCUMENT).unwrap();
    assert_eq!(
        upgraded["org.nixos.bootspec.v1"],
        before["org.nixos.bootspec.v1"]
    );
    let initrds = json!([store("initrd/initrd"), store("more")]);
    assert_eq!(upgraded["org.nixos.bootspec.v2"]["initrds"], initrds);

    // Once more changes nothing, be it printed or written.
    assert_eq!(work.done(["bootspec", "upgrade", "boot.json"]), text);
    work.done(["bootspec", "upgrade", "boot.json", "--output", "boot.json"]);
    assert_eq!(work.read("boot.json"), text.as_bytes());
}

#[test]
fn refuses_additions_that_do_not_lie_in_the_store() {
    let work = Work::new();
    work.write("boot.json", DOCUMENT);
    let upgrade = [
        "bootspec",
        "upgrade",
        "boot.json",
        "--without-initrd-secrets",
        "--devicetree",
        "/boot/a.dtb",
    ];
    let refused = work.touchstone(upgrade);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("`devicetree`"),
        "{}",
        said(&refused)
    );
}

#[test]
fn validates_files_and_toplevels_and_names_what_is_wrong_with_which() {
    let work = Work::new();
    with_documents(&work);
    let told = work.done(["bootspec", "validate", "boot.json", "toplevel"]);
    assert_eq!(
        told,
        "boot.json: Bootspec v1; extensions: org.example\ntoplevel/boot.json: Bootspec v1; extensions: org.example\n"
    );
    let cases = [
        (
            DOCUMENT.replace("\"label\"", "\"lable\""),
            "`label` is missing",
        ),
        (DOCUMENT.replace("/nix/store/0", "/boot/0"), "`init`"),
        (
            DOCUMENT.replace("org.example", "org.nixos.initrd-secrets.v1"),
            "in org.nixos.initrd-secrets.v1: the key `z` should be a string",
        ),
        (
            DOCUMENT.replace("org.example", "org.touchstone.v1"),
            "in org.touchstone.v1:",
        ),
    ];
    for (document, fact) in cases {
        work.write("bad.json", document);
        let refused = work.touchstone(["bootspec", "validate", "boot.json", "bad.json"]);
        let says = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{says}");
        assert!(says.contains(fact) && says.contains("bad.json"), "{says}");
        assert!(refused.stdout.is_empty());
    }
}

#[test]
fn shows_what_a_document_says() {
    let work = Work::new();
    work.write("boot.json", DOCUMENT);
    let told = work.done(["bootspec", "show", "boot.json"]);
    for line in [
        "label:        NixOS Zokor 26.11 (Linux 6.18.1)",
        "initrd:       /nix/store/00000000000000000000000000000000-initrd/initrd",
        "secrets by:   /nix/store/00000000000000000000000000000000-append/bin/append-initrd-secrets",
        "command line: init=/nix/store/00000000000000000000000000000000-nixos/init root=PARTUUID=0a-1b dyndbg=\"file a.c +p\"",
        "bootspec:     v1",
    ] {
        assert!(told.lines().any(|own| own == line), "{line} in {told}");
    }
}

/// A store in the folder, with a toplevel as NixOS built it before there were documents, and its specialisation.
fn old_store(work: &Work) -> PathBuf {
    let root = work.path("nix/store");
    let place = |name: &str| root.join(store(name).strip_prefix("/nix/store/").unwrap());
    let file = |path: PathBuf, content: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for name in ["nixos", "laptop"] {
        let toplevel = place(name);
        file(toplevel.join("system"), "x86_64-linux");
        file(toplevel.join("nixos-version"), "21.11.335130.386234e2a61");
        file(
            toplevel.join("kernel-params"),
            &format!("root=PARTUUID=0a-1b systemConfig={name} loglevel=4"),
        );
        file(toplevel.join("init"), "#!");
        let link = |target: &str, name: &str| {
            symlink(format!("../{}", target), toplevel.join(name)).unwrap()
        };
        let relative = |name: &str| store(name).strip_prefix("/nix/store/").unwrap().to_owned();
        link(&relative("linux/bzImage"), "kernel");
        link(&relative("modules"), "kernel-modules");
        link(&relative("initrd/initrd"), "initrd");
    }
    file(place("linux").join("bzImage"), "kernel");
    file(place("initrd").join("initrd"), "initrd");
    file(place("modules").join("lib/modules/5.10.81/modules.dep"), "");
    fs::create_dir(place("nixos").join("specialisation")).unwrap();
    let relative = store("laptop").replace("/nix/store/", "../../");
    symlink(relative, place("nixos").join("specialisation/laptop")).unwrap();
    place("nixos")
}

/// The program where it sees the folder's store at `/nix`.
fn beside(work: &Work, arguments: &[String]) -> Output {
    let visit = work
        .inside(work.inputs.trixie().visit())
        .show(Path::new(TOUCHSTONE));
    let visit = visit.bind_at(work.path("nix"), "/nix");
    let mut command: Command = visit.command(TOUCHSTONE).unwrap();
    command.args(arguments).output().unwrap()
}

fn synthesized(work: &Work, request: Value) -> Value {
    let by_command = beside(work, &shorthand::bootspec_synthesize(&request));
    assert!(by_command.status.success(), "{}", said(&by_command));
    let mut whole = request;
    whole["operation"] = json!("bootspec.synthesize");
    work.write("request.json", whole.to_string());
    let by_request = beside(work, &["run", "request.json"].map(str::to_owned));
    assert_eq!(
        by_command.stdout,
        by_request.stdout,
        "{}",
        said(&by_request)
    );
    serde_json::from_slice::<Value>(&by_command.stdout).unwrap()["document"].clone()
}

#[test]
fn synthesizes_what_the_bootspec_crate_synthesizes() {
    let work = Work::new();
    let toplevel = old_store(&work);
    let ours = synthesized(&work, json!({ "toplevel": store("nixos"), "v1Only": true }));

    let theirs = bootspec::BootJson::synthesize_latest(&toplevel).unwrap();
    // It resolves links outside of the visit, where the store is the folder's.
    let prefix = work.path("nix").canonicalize().unwrap();
    let theirs = serde_json::to_string(&theirs).unwrap();
    let theirs = theirs.replace(prefix.to_str().unwrap(), "/nix");
    let mut theirs: Value = serde_json::from_str(&theirs).unwrap();
    without_nulls(&mut theirs);
    assert_eq!(ours, theirs);
}

/// The crate writes null where a key is optional, which RFC 125 forbids.
fn without_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, value| !value.is_null());
        members.values_mut().for_each(without_nulls);
    }
}

#[test]
fn synthesizes_v2_beside_v1_where_no_secrets_are_appended() {
    let work = Work::new();
    let toplevel = old_store(&work);
    let both = synthesized(&work, json!({ "toplevel": store("nixos") }));
    assert_eq!(
        both["org.nixos.bootspec.v2"]["initrds"],
        json!([store("initrd/initrd")])
    );
    let laptop = &both["org.nixos.specialisation.v2"]["laptop"]["org.nixos.bootspec.v2"];
    assert_eq!(laptop["toplevel"], store("laptop"));

    symlink("/bin/true", toplevel.join("append-initrd-secrets")).unwrap();
    let refused = beside(
        &work,
        &shorthand::bootspec_synthesize(&json!({ "toplevel": store("nixos") })),
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("--without-initrd-secrets"),
        "{}",
        said(&refused)
    );
    let knowing = json!({ "toplevel": store("nixos"), "withoutInitrdSecrets": true });
    let knowing = synthesized(&work, knowing);
    assert_eq!(
        knowing["org.nixos.bootspec.v1"]["initrdSecrets"],
        store("nixos/append-initrd-secrets")
    );
}

#[test]
fn refuses_folders_that_are_no_toplevels_or_have_a_document() {
    let work = Work::new();
    let toplevel = old_store(&work);
    let refused = |path: &str, fact: &str| {
        let output = beside(
            &work,
            &shorthand::bootspec_synthesize(&json!({ "toplevel": path })),
        );
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(fact), "{}", said(&output));
    };
    refused(&store("initrd"), "the toplevel cannot be read");
    refused("/tmp", "the toplevel is no store path");
    fs::create_dir(work.path(
        &format!("{}/lib/modules/5.4.0", store("modules")).replace("/nix/store", "nix/store"),
    ))
    .unwrap();
    refused(&store("nixos"), "modules of more than one kernel");
    fs::write(toplevel.join("boot.json"), DOCUMENT).unwrap();
    refused(&store("nixos"), "there is nothing to synthesize");
    let inner = toplevel.with_file_name(store("laptop").replace("/nix/store/", ""));
    fs::remove_file(toplevel.join("boot.json")).unwrap();
    fs::create_dir(inner.join("specialisation")).unwrap();
    symlink("..", inner.join("specialisation/loop")).unwrap();
    refused(&store("nixos"), "has specialisations of its own");
}
