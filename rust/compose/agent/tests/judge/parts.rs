//! Files of the store that a client names instead of sending them.

use std::fs::{self, File, Permissions};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256 as Sha2};
use touchstone_agent::judge::{ApprovedImage, Client, Judge};
use touchstone_agent::payload::Composed;
use touchstone_agent::protocol::{Refusal, Request};
use touchstone_artifacts::agent::StorePart;
use touchstone_artifacts::signing_key::SignatureDigest::Sha256;
use touchstone_pe::layout::{Change, Content, Layout, Options};
use touchstone_pe::{Image, SectionName};
use touchstone_store::StoreFile;

use crate::uki::{Uki, file};
use crate::world::{World, key, refused, user};

/// Where a section lies, and what file of the store is named in its place.
fn part(bytes: &[u8], section: &str, file: &str) -> StorePart {
    let image = Image::read(&mut Cursor::new(bytes)).unwrap();
    let section = image.section(section).unwrap();
    StorePart {
        at: section.raw_offset.into(),
        size: section.virtual_size.into(),
        file: StoreFile::parse(file).unwrap(),
    }
}

/// What is sent of an image with these parts.
fn sent(bytes: &[u8], parts: &[StorePart]) -> File {
    let (mut sent, mut from) = (Vec::new(), 0);
    for part in parts {
        let (at, size) = (part.at as usize, part.size as usize);
        sent.extend_from_slice(&bytes[from..at]);
        from = at + size;
    }
    sent.extend_from_slice(&bytes[from..]);
    file(&sent)
}

/// What is asked for an image with these parts.
fn request(parts: &[StorePart]) -> Request {
    Request::Authenticode {
        key: key("db"),
        hash: Sha256,
        from_store: parts.to_vec(),
    }
}

/// What the judge says of an image with these parts.
fn judged(
    judge: &Judge,
    client: &Client,
    bytes: &[u8],
    parts: &[StorePart],
) -> Result<ApprovedImage, Refusal> {
    let open = judge.open_parts(client, &request(parts)).unwrap().unwrap();
    let sent = sent(bytes, parts);
    let image = Composed::new(&sent, open).unwrap().unwrap();
    let judged = judge.image(client, &key("db"), Sha256, &image);
    assert!(judged.is_err() || image.is_passed());
    judged
}

/// The kernel of a system, or its initrd, behind all links.
fn real(world: &World, toplevel: &str, name: &str) -> String {
    let link = fs::read_link(world.on_host(&format!("{toplevel}/{name}"))).unwrap();
    link.into_os_string().into_string().unwrap()
}

#[test]
fn an_image_is_the_same_whether_its_files_are_sent_or_named() {
    let world = World::new();
    let web = world.build("web");
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("web"));
    let bytes = Uki::of(&world, &web).bytes();
    let mut parts = [(".linux", "kernel"), (".initrd", "initrd")]
        .map(|(section, name)| part(&bytes, section, &real(&world, &web, name)));
    parts.sort_by_key(|part| part.at);
    let whole = judge.image(&client, &key("db"), Sha256, &file(&bytes));
    let whole = whole.unwrap();
    for parts in [&parts[..], &parts[..1], &parts[1..], &[]] {
        let approved = judged(&judge, &client, &bytes, parts).unwrap();
        assert_eq!(approved.digest(), whole.digest());
        assert_eq!(approved.subjects(), whole.subjects());
    }

    // Where the policy has one of them itself, that is judged by what is sent.
    for name in ["kernel", "initrd"] {
        let digest = HEXLOWER.encode(&Sha2::digest(real_bytes(&world, &web, name)));
        let place = format!("/images/system/uki/{name}");
        let by_digest = world.judge(&[(&place, json!({ "sha256": [digest] }))]);
        let client = world.client(&by_digest, &world.asking("web"));
        let open = by_digest.open_parts(&client, &request(&parts));
        assert!(open.unwrap().is_none(), "{name}");
        // So it is where it may be either, and is found to be that.
        let place = format!("{place}/sha256");
        let by_either = world.policy(&[(&place, json!([digest]))]);
        let either = serde_json::to_value(&by_either.document().images["system"]).unwrap();
        // And where another rule has found both to be those of the system, but would not have the image signed.
        let by_second = world.policy(&[
            ("/images/system/uki/sbat", json!({ "touchstone": 1 })),
            ("/images/second", either),
            (
                "/rules/0/operations/-",
                json!({ "authenticode": { "key": "db", "image": "second" } }),
            ),
        ]);
        for policy in [by_either, by_second] {
            let judge = Judge::new(policy).unwrap();
            let client = world.client(&judge, &world.asking("web"));
            let open = judge.open_parts(&client, &request(&parts));
            let sent = sent(&bytes, &parts);
            let image = Composed::new(&sent, open.unwrap().unwrap());
            let image = image.unwrap().unwrap();
            let approved = judge.image(&client, &key("db"), Sha256, &image);
            assert_eq!(approved.unwrap().digest(), whole.digest());
            assert!(!image.is_passed(), "{name}");
        }
    }

    // A file that is an input, and not what the system boots.
    let program = fs::read(real_program(&world, &web)).unwrap();
    let other = Uki {
        initrds: vec![program],
        ..Uki::of(&world, &web)
    };
    let bytes = other.bytes();
    let named = [part(&bytes, ".initrd", &program_of(&world, &web))];
    refused(
        judged(&judge, &client, &bytes, &named),
        "image.initrd",
        "does not hold",
    );

    // What is named is hashed as it is when it is read.
    let initrd = world.on_host(&real(&world, &web, "initrd"));
    let mut changed = fs::read(&initrd).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::set_permissions(&initrd, Permissions::from_mode(0o644)).unwrap();
    fs::write(&initrd, changed).unwrap();
    let bytes = Uki::of(&world, &web).bytes();
    let fresh = world.client(&judge, &world.asking("web"));
    refused(
        judged(&judge, &fresh, &bytes, &parts),
        "store.changed",
        "is not what it was",
    );
}

fn real_bytes(world: &World, toplevel: &str, name: &str) -> Vec<u8> {
    fs::read(world.on_host(&real(world, toplevel, name))).unwrap()
}

#[test]
fn a_compressed_kernel_is_none_as_it_is() {
    let world = World::new();
    let packed = world.build("packed");
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("packed"));
    let proper = Uki::of(&world, &packed).bytes();
    judged(&judge, &client, &proper, &[]).unwrap();

    let mut source = Cursor::new(&proper);
    let image = Image::read(&mut source).unwrap();
    let kernel = Content::bytes(real_bytes(&world, &packed, "kernel"));
    let linux: SectionName = ".linux".parse().unwrap();
    let changes = vec![Change::Replace(linux.into(), kernel)];
    let layout = Layout::edit(&image, changes, Options::default()).unwrap();
    let mut out = Cursor::new(Vec::new());
    layout
        .write(&mut source, &mut out, &mut [], &mut |_| ())
        .unwrap();
    let bytes = out.into_inner();
    let named = part(&bytes, ".linux", &real(&world, &packed, "kernel"));
    for parts in [&[][..], &[named]] {
        refused(
            judged(&judge, &client, &bytes, parts),
            "image.kernel",
            "the kernel is not",
        );
    }
}

/// What `init` of a system leads to.
fn program_of(world: &World, toplevel: &str) -> String {
    real(world, toplevel, "init")
}

fn real_program(world: &World, toplevel: &str) -> PathBuf {
    world.on_host(&program_of(world, toplevel))
}

#[test]
fn only_whole_files_that_the_client_may_name_are_read() {
    let world = World::new();
    let web = world.build("web");
    let other = world.build("other");
    let of_signer = json!({
        "name": "direct",
        "users": ["signer"],
        "operations": [ { "authenticode": { "key": "db", "image": "system" } } ]
    });
    let judge = world.judge(&[("/rules/-", of_signer)]);
    let client = world.client(&judge, &world.asking("web"));
    let person = Client::of_user(&user(1000, "signer"));
    let is_read = |client: &Client, file: &str, size: u64| {
        let file = StoreFile::parse(file).unwrap();
        let part = StorePart { at: 0, size, file };
        judge
            .open_parts(client, &request(&[part]))
            .unwrap()
            .is_some()
    };
    let size = |file: &str| fs::metadata(world.on_host(file)).unwrap().len();
    let own = real(&world, &web, "initrd");
    let foreign = real(&world, &other, "initrd");
    assert!(is_read(&client, &own, size(&own)));
    assert!(is_read(&person, &own, size(&own)));
    // No input of this build; a person has none.
    assert!(!is_read(&client, &foreign, size(&foreign)));
    assert!(is_read(&person, &foreign, size(&foreign)));
    // Of another size, behind a link, a folder, nothing, no valid path.
    for client in [&client, &person] {
        assert!(!is_read(client, &own, size(&own) - 1));
        assert!(!is_read(client, &format!("{web}/initrd"), size(&own)));
        assert!(!is_read(client, &web, 4096));
        assert!(!is_read(client, &format!("{web}/gone"), 1));
        let gone = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-gone";
        assert!(!is_read(client, gone, 1));
    }
}
