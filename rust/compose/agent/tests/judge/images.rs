//! UKIs: what is signed, and what is not.

use serde_json::json;
use sha2::{Digest, Sha256};
use touchstone_agent::judge::{Client, stub_digest};
use touchstone_artifacts::cpio::Archive;
use touchstone_artifacts::extra_initrd::COMMAND_LINES;
use touchstone_artifacts::signing_key::SignatureDigest::{Sha256 as SHA256, Sha384 as SHA384};
use touchstone_pe::{Image, authenticode};

use crate::uki::{Uki, file, row};
use crate::world::{World, deploy, key, refused, user};

#[test]
fn signs_the_uki_of_a_system_and_nothing_that_was_changed_in_it() {
    let world = World::new();
    let web = world.build("web");
    let other = world.build("other");
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("web"));
    let sign = |uki: &Uki| judge.image(&client, &key("db"), SHA256, &uki.file());
    let uki = Uki::of(&world, &web);

    let approved = sign(&uki).unwrap();
    let mut image = uki.file();
    let digest = authenticode::sha256(&Image::read(&mut image).unwrap(), &mut image).unwrap();
    assert_eq!(approved.digest().as_bytes(), digest);
    assert_eq!((approved.key(), approved.rule()), (&key("db"), "web"));
    let subjects = approved.subjects();
    assert!(
        subjects.iter().any(|subject| subject.what.contains(&web)),
        "{subjects:?}"
    );
    let longer = judge.image(&client, &key("db"), SHA384, &image).unwrap();
    assert_eq!(longer.digest().as_bytes().len(), 48);

    // Another system, which is there, but none of the inputs.
    refused(
        sign(&Uki::of(&world, &other)),
        "image.init",
        "none of the inputs",
    );
    refused(
        sign(
            &uki.clone().cmdline(
                "init=/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-gone/init noresume quiet",
            ),
        ),
        "image.init",
        "none of the inputs",
    );

    // A foreign kernel: a stub is a PE image, too; so is the kernel with one byte changed.
    let foreign = Uki {
        linux: Some(world.inputs.boot["trixie"]["x64"].clone()),
        ..uki.clone()
    };
    refused(sign(&foreign), "image.kernel", "the kernel is not");
    let mut bytes = uki.bytes();
    let at = crate::uki::number(&bytes, row(&bytes, ".linux") + 20) as usize + 100_000;
    bytes[at] ^= 1;
    refused(
        judge.image(&client, &key("db"), SHA256, &file(&bytes)),
        "image.kernel",
        "the kernel is not",
    );

    // Another initrd, one before, one behind, one cut short.
    let own = uki.initrds[0].clone();
    let initrds = |initrds: Vec<Vec<u8>>| Uki {
        initrds,
        ..uki.clone()
    };
    let evil = b"070701 evil".to_vec();
    for (initrds, said) in [
        (initrds(vec![evil.clone()]), "does not hold"),
        (initrds(vec![evil.clone(), own.clone()]), "does not hold"),
        (
            initrds(vec![own.clone(), evil]),
            "something else than the archive",
        ),
        (
            initrds(vec![own[..own.len() - 4].to_vec()]),
            "does not hold",
        ),
    ] {
        refused(sign(&initrds), "image.initrd", said);
    }
    // Zeros that fill it up to four bytes are none of these.
    sign(&initrds(vec![own.clone(), Vec::new()])).unwrap();
    // Nor is the archive by which stage 1 verifies the system, if it is of this very command line.
    let line = format!("{} --", uki.cmdline.clone().unwrap());
    let verified = |line: &str, named: &str| {
        let mut archive = Archive::default();
        archive.folder(".touchstone");
        archive.file(COMMAND_LINES, 0o444, format!("{named}\n").as_bytes());
        Uki {
            initrds: vec![own.clone(), archive.finish()],
            ..uki.clone().cmdline(line)
        }
    };
    sign(&verified(&line, &line)).unwrap();
    refused(
        sign(&verified(&line, &line.replace("quiet", "loglevel=7"))),
        "image.initrd",
        "something else than the archive",
    );

    // No kernel, no initrd, no command line: the machine would take what it is given elsewhere.
    let without = Uki {
        cmdline: None,
        ..uki.clone()
    };
    refused(sign(&without), "image.section", "has no section .cmdline");
    let without = Uki {
        initrds: Vec::new(),
        ..uki.clone()
    };
    refused(sign(&without), "image.section", "has no section .initrd");

    // What the policy says nothing of.
    for name in [".ucode", ".dtb", ".dtbauto", ".splash", ".mine"] {
        refused(
            sign(&uki.clone().section(name, b"x")),
            "image.section",
            &format!("a section {name}"),
        );
    }

    // A stub of another release, which is known to firmware and not to the policy.
    let foreign = Uki {
        stub: world.inputs.stub["sid"]["x64"].clone(),
        ..uki.clone()
    };
    refused(
        sign(&foreign),
        "image.stub",
        "a stub that the policy does not name",
    );
    let mut bytes = uki.bytes();
    let at = crate::uki::number(&bytes, row(&bytes, ".text") + 20) as usize + 50;
    bytes[at] ^= 1;
    refused(
        judge.image(&client, &key("db"), SHA256, &file(&bytes)),
        "image.stub",
        "does not name",
    );

    // A key that signs something else, and one that is not there.
    refused(
        judge.image(&client, &key("nix"), SHA256, &uki.file()),
        "policy.operation",
        "does not sign that",
    );
    refused(
        judge.image(&client, &key("none"), SHA256, &uki.file()),
        "policy.operation",
        "there is no key",
    );

    // A person to whom no rule gives it; one to whom a rule does may name any system.
    let person = Client::of_user(&deploy());
    refused(
        judge.image(&person, &key("db"), SHA256, &uki.file()),
        "policy.operation",
        "no rule signs this",
    );
    assert!(judge.keys(&person).is_empty());
    let for_root = json!({ "name": "root", "users": ["root"], "operations": [{ "authenticode": { "key": "db", "image": "system" } }] });
    let judge = world.judge(&[("/rules/-", for_root)]);
    let root = Client::of_user(&user(0, "root"));
    judge
        .image(&root, &key("db"), SHA256, &Uki::of(&world, &other).file())
        .unwrap();
    assert_eq!(judge.keys(&root).len(), 1);
    // Whoever says so is not it: the name comes from the kernel.
    let liar = Client::of_user(&user(1001, "root2"));
    refused(
        judge.image(&liar, &key("db"), SHA256, &uki.file()),
        "policy.operation",
        "no rule signs this",
    );
}

#[test]
fn what_the_policy_names_by_digest_is_signed_without_its_file() {
    let world = World::new();
    let web = world.build("web");
    let uki = Uki::of(&world, &web);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let stub = hex(&stub_digest(&world.path("stub")).unwrap());
    let image = world.path("uki");
    std::fs::write(&image, uki.bytes()).unwrap();
    assert_eq!(
        stub,
        hex(&stub_digest(&image).unwrap()),
        "of a stub and of an image made of it"
    );
    let kernel = hex(&Sha256::digest(
        std::fs::read(world.path("vmlinuz")).unwrap(),
    ));
    let initrd = hex(&Sha256::digest(&uki.initrds[0]));
    let judge = world.judge(&[
        ("/images/system/uki/stub", json!({ "sha256": [stub] })),
        ("/images/system/uki/sbat", json!({ "systemd-stub": 1 })),
        ("/images/system/uki/kernel", json!({ "sha256": [kernel] })),
        ("/images/system/uki/initrd", json!({ "sha256": [initrd] })),
        ("/images/system/uki/sections", json!({ ".splash": { "sha256": [hex(&Sha256::digest(b"splash"))] }, ".mine": { "any": true } })),
    ]);
    let client = world.client(&judge, &world.asking("web"));
    let sign = |uki: &Uki| judge.image(&client, &key("db"), SHA256, &uki.file());
    sign(&uki).unwrap();
    sign(&uki.clone().section(".mine", b"anything")).unwrap();
    let with_splash = |content: &[u8]| uki.clone().section(".splash", content);
    sign(&with_splash(b"splash")).unwrap();
    refused(
        sign(&with_splash(b"another")),
        "image.section",
        "something else than the policy names",
    );
    let other = Uki {
        initrds: vec![b"another".to_vec()],
        ..uki.clone()
    };
    refused(sign(&other), "image.initrd", "none that the policy names");
    let other = Uki {
        linux: Some(world.inputs.boot["trixie"]["x64"].clone()),
        ..uki
    };
    refused(sign(&other), "image.kernel", "none that the policy names");
}
