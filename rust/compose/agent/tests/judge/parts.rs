//! Files of the store that a client names instead of sending them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use touchstone_agent::judge::{ApprovedImage, Client, Judge};
use touchstone_agent::payload::Composed;
use touchstone_agent::protocol::Refusal;
use touchstone_artifacts::agent::StorePart;
use touchstone_artifacts::signing_key::SignatureDigest::Sha256;
use touchstone_pe::Image;
use touchstone_store::StoreFile;

use crate::uki::{Uki, file};
use crate::world::{World, key, refused, user};

/// Where a section lies, and what file of the store is named in its place.
fn part(bytes: &[u8], section: &str, file: &str) -> StorePart {
    let image = Image::read(&mut std::io::Cursor::new(bytes)).unwrap();
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

/// What the judge says of an image with these parts.
fn judged(
    judge: &Judge,
    client: &Client,
    bytes: &[u8],
    parts: &[StorePart],
) -> Result<ApprovedImage, Refusal> {
    let open = judge.open_parts(client, parts).unwrap().unwrap();
    let sent = sent(bytes, parts);
    let image = Composed::new(&sent, open).unwrap().unwrap();
    judge.image(client, &key("db"), Sha256, &image)
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
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("web"));
    let person = Client::of_user(&user(1000, "deploy"));
    let is_read = |client: &Client, file: &str, size: u64| {
        let file = StoreFile::parse(file).unwrap();
        let part = StorePart { at: 0, size, file };
        judge.open_parts(client, &[part]).unwrap().is_some()
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
