//! Where systems, kernels and initrds come from, and whether the store is what it was.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;
use touchstone_artifacts::signing_key::SignatureDigest::Sha256 as SHA256;

use crate::uki::Uki;
use crate::world::{World, key, refused};

#[test]
fn what_only_keys_vouch_for_is_signed_when_they_did() {
    let world = World::new();
    let web = world.build("web");
    let derivation = world.asking("web");
    let trusted = world.cache_key("cache-1");
    let other = world.cache_key("other-1");
    let from = |place: &'static str, names: &str| {
        (
            place,
            json!({ "trustedPublicKeys": [trusted], "names": [names] }),
        )
    };
    // Whoever may use Nix, without a grant: everything comes from keys.
    let open = [
        ("/rules/0/derivations", json!({ "names": ["web-*-boot"] })),
        (
            "/rules/0/operations",
            json!([{ "authenticode": { "key": "db", "image": "system" } }]),
        ),
        (
            "/images/system/uki/toplevel",
            json!({ "trustedPublicKeys": [trusted] }),
        ),
        from("/images/system/uki/kernel/ofToplevel", "linux-*"),
        from("/images/system/uki/initrd/ofToplevel", "initrd-linux-*"),
    ];
    let judge = world.judge(&open);
    let uki = Uki::of(&world, &web);
    let sign = || {
        judge.image(
            &world.client(&judge, &derivation),
            &key("db"),
            SHA256,
            &uki.file(),
        )
    };
    refused(sign(), "store.origin", &web);
    // Signed by somebody else.
    world.sign("other-1", &[&web]);
    refused(sign(), "store.origin", &web);
    assert_ne!(trusted, other);
    world.sign("cache-1", &[&web]);
    sign().unwrap();
    // A key that signs a shell, too, does not make it a kernel.
    let strange = world.build("strange");
    world.sign("cache-1", &[&strange]);
    let client = world.client(&judge, &world.asking("strange"));
    let image = judge.image(
        &client,
        &key("db"),
        SHA256,
        &Uki::of(&world, &strange).file(),
    );
    refused(image, "store.name", "edk2-uefi-shell");
}

#[test]
fn a_store_that_was_changed_is_found() {
    let world = World::new();
    let web = world.build("web");
    let derivation = world.asking("web");
    let judge = world.judge(&[]);
    let uki = Uki::of(&world, &web);
    let sign = |uki: &Uki| {
        judge.image(
            &world.client(&judge, &derivation),
            &key("db"),
            SHA256,
            &uki.file(),
        )
    };
    sign(&uki).unwrap();

    // The parameters of the system, with the image to match.
    let document = world.on_host(&format!("{web}/boot.json"));
    let text = fs::read_to_string(&document).unwrap();
    let folder = document.parent().unwrap().to_owned();
    let write = |text: &str| {
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(&document).unwrap();
        fs::write(&document, text).unwrap();
        fs::set_permissions(&document, Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    };
    write(&text.replace("\"quiet\"", "\"systemd.unit=rescue.target\""));
    refused(sign(&Uki::of(&world, &web)), "store.changed", &web);
    write(&text);
    sign(&uki).unwrap();

    // The kernel, with the image to match.
    let core: serde_json::Value = serde_json::from_str(&text).unwrap();
    let kernel = core["org.nixos.bootspec.v1"]["kernel"].as_str().unwrap();
    let file = world.on_host(kernel);
    let bytes = fs::read(&file).unwrap();
    let mut changed = bytes.clone();
    changed[200_000] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, &changed).unwrap();
    refused(sign(&Uki::of(&world, &web)), "store.changed", kernel);
}

#[test]
fn nothing_leads_out_of_the_store() {
    let world = World::new();
    let own = world.build("other");
    let judge = world.judge(&[(
        "/images/system/uki/cmdline",
        json!({ "allowed": ["noresume", "quiet"] }),
    )]);
    let image = Uki::of(&world, &own);
    let hostile = |name: &str, make: &dyn Fn(&std::path::Path)| {
        let folder = world.path(name);
        fs::create_dir(&folder).unwrap();
        make(&folder);
        let toplevel = world.add(name);
        let client = world.client(&judge, &world.asking_for(&toplevel));
        let image = image
            .clone()
            .cmdline(format!("init={toplevel}/init noresume quiet"));
        judge.image(&client, &key("db"), SHA256, &image.file())
    };
    let link = |to: &'static str| {
        move |folder: &std::path::Path| symlink(to, folder.join("init")).unwrap()
    };
    refused(
        hostile("hostile-1", &link("/bin/sh")),
        "store.link",
        "leads out of the store",
    );
    refused(
        hostile("hostile-2", &link("../../../../bin/sh")),
        "store.link",
        "leads out of the store",
    );
    refused(
        hostile("hostile-3", &link("a/../b")),
        "store.link",
        "`..` behind a name",
    );
    refused(
        hostile("hostile-4", &link("init")),
        "store.link",
        "too many links",
    );
    refused(
        hostile(
            "hostile-5",
            &link("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-gone/init"),
        ),
        "store.path",
        "none of the inputs",
    );
    refused(
        hostile("hostile-6", &|_| ()),
        "store.file",
        "cannot be read",
    );
    refused(
        hostile("hostile-7", &|folder| {
            fs::write(folder.join("init"), "text").unwrap()
        }),
        "image.init",
        "no program",
    );
    refused(
        hostile("hostile-8", &|folder| {
            fs::create_dir(folder.join("init")).unwrap()
        }),
        "store.file",
        "no regular file",
    );
    // A valid path that is none of the inputs.
    let target = format!("{own}/init");
    refused(
        hostile("hostile-9", &|folder| {
            symlink(&target, folder.join("init")).unwrap()
        }),
        "store.path",
        "none of the inputs",
    );
    // One that says nothing of itself boots what the policy names, and nothing else.
    let program = |folder: &std::path::Path| {
        fs::write(folder.join("init"), "program").unwrap();
        fs::set_permissions(folder.join("init"), Permissions::from_mode(0o755)).unwrap();
    };
    refused(
        hostile("plain", &program),
        "image.system",
        "has no boot.json",
    );
    // One that says that it is another.
    let document = fs::read(world.on_host(&format!("{own}/boot.json"))).unwrap();
    let liar = |folder: &std::path::Path| {
        program(folder);
        fs::write(folder.join("boot.json"), &document).unwrap();
    };
    refused(hostile("liar", &liar), "image.system", "it is of");
}
