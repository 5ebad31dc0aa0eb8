//! Addons and boot loaders.

use std::fs::{self, File};

use serde_json::json;
use touchstone_artifacts::signing_key::SignatureDigest::Sha256 as SHA256;

use crate::uki::{Uki, file};
use crate::world::{World, key, refused};

#[test]
fn boot_loaders_and_addons_are_those_that_the_policy_names() {
    let world = World::new();
    world.build("web");
    let loader = world.path("loader");
    fs::copy(&world.inputs.boot["trixie"]["x64"], &loader).unwrap();
    let stub = world.path("addon-stub");
    fs::copy(&world.inputs.addon_stub["trixie"]["x64"], &stub).unwrap();
    let judge = world.judge(&[
        ("/images/loader", json!({ "loader": { "files": [loader] } })),
        ("/images/extra", json!({ "addon": { "stub": { "files": [stub] }, "cmdline": { "allowed": ["debug", "loglevel=*"] } } })),
        ("/rules/0/operations", json!([
            { "authenticode": { "key": "db", "image": "loader" } },
            { "authenticode": { "key": "db", "image": "extra" } }
        ])),
    ]);
    let client = world.client(&judge, &world.asking("web"));
    let sign = |file: &File| judge.image(&client, &key("db"), SHA256, file);
    sign(&File::open(&loader).unwrap()).unwrap();
    let mut bytes = fs::read(&loader).unwrap();
    bytes[5000] ^= 1;
    refused(
        sign(&file(&bytes)),
        "image.loader",
        "Authenticode digest is",
    );
    refused(
        sign(&File::open(&world.inputs.boot["sid"]["x64"]).unwrap()),
        "image.loader",
        "none of the boot loaders",
    );

    let addon = Uki {
        stub,
        linux: None,
        initrds: Vec::new(),
        cmdline: Some("debug loglevel=7".to_owned()),
        profiles: Vec::new(),
        sections: Vec::new(),
        sbat: Vec::new(),
        pcrpkey: None,
        pcrsig: None,
    };
    sign(&addon.file()).unwrap();
    // Of several rules' reasons the first is said: the boot loader's. With addons alone it is theirs.
    let judge = world.judge(&[
        ("/images/extra", json!({ "addon": { "stub": { "files": [world.path("addon-stub")] }, "cmdline": { "allowed": ["debug", "loglevel=*"] } } })),
        ("/rules/0/operations", json!([{ "authenticode": { "key": "db", "image": "extra" } }])),
    ]);
    let client = world.client(&judge, &world.asking("web"));
    let sign = |addon: &Uki| judge.image(&client, &key("db"), SHA256, &addon.file());
    refused(
        sign(&addon.clone().cmdline("debug init=/bin/sh")),
        "image.commandLine",
        "no `init=`",
    );
    refused(
        sign(&addon.clone().cmdline("debug rdinit=/bin/sh")),
        "image.commandLine",
        "other programs",
    );
    refused(
        sign(&addon.clone().cmdline("quiet")),
        "image.commandLine",
        "the word `quiet`",
    );
    refused(
        sign(&addon.clone().section(".dtb", b"x")),
        "image.section",
        ".dtb",
    );
    let initrd = Uki {
        initrds: vec![b"x".to_vec()],
        ..addon.clone()
    };
    refused(sign(&initrd), "image.section", ".initrd");
    let kernel = Uki {
        linux: Some(world.path("vmlinuz")),
        stub: world.path("stub"),
        ..addon
    };
    refused(sign(&kernel), "image.stub", "does not name");
}
