//! Manifests: path fingerprints of what this store holds.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use touchstone_agent::judge::{Client, Judge};
use touchstone_nix_database::{Database, Known};
use touchstone_store::manifest::Class;
use touchstone_store::{Manifest, NarHash, StorePath};

use crate::uki::file;
use crate::world::{World, key, refused};

/// The manifest of a toplevel, as the database has it.
fn manifest(world: &World, toplevel: &str) -> Manifest {
    let toplevel: StorePath = toplevel.parse().unwrap();
    let database = Database::open(&world.path("root/nix/var/nix/db/db.sqlite")).unwrap();
    let entries = database.closure(&toplevel).unwrap().unwrap();
    let entries = entries.into_iter().map(|info| {
        let mut entry = info.entry;
        entry.signatures.clear();
        entry
    });
    Manifest::new(toplevel, entries).unwrap()
}

fn sign(
    judge: &Judge,
    client: &Client,
    manifest: &Manifest,
) -> Result<Manifest, touchstone_agent::protocol::Refusal> {
    let approved = judge.manifest(client, &key("nix"), &file(manifest.to_json().as_bytes()))?;
    Ok(approved.manifest().clone())
}

/// What is read of the database path by path is what is read of a whole closure.
#[test]
fn the_database_says_the_same_of_paths_and_closures() {
    let world = World::new();
    let web: StorePath = world.build("web").parse().unwrap();
    let database = Database::open(&world.path("root/nix/var/nix/db/db.sqlite")).unwrap();
    let closure = database.closure(&web).unwrap().unwrap();
    let reached = database.reached(&[web.clone()].into()).unwrap();
    let infos: Vec<_> = reached.values().map(|known| known.info.clone()).collect();
    assert_eq!(infos, closure);
    let paths = reached.keys().cloned().collect();
    assert_eq!(database.entries(&paths).unwrap(), reached);
    let here = |known: &&Known| known.built_here;
    let here: Vec<_> = reached
        .values()
        .filter(here)
        .map(|known| known.info.entry.path.name())
        .collect();
    assert!(
        here.contains(&web.name()) && !here.contains(&"linux-6.12"),
        "{here:?}"
    );
    let gone: StorePath = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-gone"
        .parse()
        .unwrap();
    assert!(database.entries(&[gone.clone()].into()).unwrap().is_empty());
    assert!(database.reached(&[gone].into()).unwrap().is_empty());
}

#[test]
fn signs_fingerprints_of_inputs_as_they_lie_on_the_disk() {
    let world = World::new();
    let web = world.build("web");
    let other = world.build("other");
    let judge = world.judge(&[("/rules/0/operations/1/manifest/classes", json!(["web"]))]);
    let client = world.client(&judge, &world.asking("web"));
    let own = manifest(&world, &web);
    assert_eq!(sign(&judge, &client, &own).unwrap(), own);
    let approved = judge
        .manifest(&client, &key("nix"), &file(own.to_json().as_bytes()))
        .unwrap();
    assert!(approved.subjects()[0].what == web && approved.rule() == "web");

    // For a class of machines, when the rule says so.
    let class = |name: &str| own.clone().for_class(name.parse::<Class>().unwrap());
    sign(&judge, &client, &class("web")).unwrap();
    refused(
        sign(&judge, &client, &class("database")),
        "manifest.class",
        "database",
    );

    // Another system, which is valid, and none of the inputs.
    refused(
        sign(&judge, &client, &manifest(&world, &other)),
        "manifest.path",
        "none of the inputs",
    );
    // A lie about hash, size or references: what is signed is what is there.
    let lie = |change: &dyn Fn(&mut touchstone_store::Entry)| {
        let entries = own.entries().cloned().map(|mut entry| {
            if entry.path.as_str() == web {
                change(&mut entry);
            }
            entry
        });
        let toplevel = own.toplevel().clone();
        sign(
            &judge,
            &client,
            &Manifest::of_closure(toplevel, entries.collect::<Vec<_>>()).unwrap(),
        )
    };
    refused(
        lie(&|entry| entry.nar_hash = NarHash::new([7; 32])),
        "manifest.differs",
        "another hash",
    );
    refused(
        lie(&|entry| entry.nar_size += 1),
        "manifest.differs",
        "another size",
    );
    refused(
        lie(&|entry| {
            let gone = entry.references.iter().next_back().cloned().unwrap();
            entry.references.remove(&gone);
        }),
        "manifest.differs",
        "another references",
    );
    refused(
        lie(&|entry| entry.ca = Some("fixed:r:sha256:00".parse().unwrap())),
        "manifest.differs",
        "another content address",
    );
    let text = judge.manifest(&client, &key("nix"), &file(b"{}"));
    refused(text, "manifest.malformed", "");

    // A path that was tampered with, wherever it lies in the closure.
    for entry in own.entries() {
        let path = world.on_host(entry.path.as_str());
        let (changed, before) = tamper(&path);
        refused(sign(&judge, &client, &own), "store.changed", "");
        fs::remove_file(&changed).unwrap();
        fs::write(&changed, before.0).unwrap();
        fs::set_permissions(&changed, before.1).unwrap();
    }
    sign(&judge, &client, &own).unwrap();
}

/// Changes a byte of a file; the answer is which, and what it was.
fn tamper(path: &std::path::Path) -> (std::path::PathBuf, (Vec<u8>, Permissions)) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_dir() {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        let mut inner: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        inner.sort();
        let file = inner.into_iter().find(|path| {
            let metadata = fs::symlink_metadata(path).unwrap();
            metadata.is_file() || metadata.is_dir() && fs::read_dir(path).unwrap().next().is_some()
        });
        return tamper(&file.unwrap());
    }
    let before = fs::read(path).unwrap();
    let mut bytes = before.clone();
    bytes[0] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, metadata.permissions()).unwrap();
    (path.to_owned(), (before, metadata.permissions()))
}

#[test]
fn what_nobody_trusted_made_has_no_fingerprint() {
    let world = World::new();
    let web = world.build("web");
    let trusted = world.cache_key("cache-1");
    let judge = world.judge(&[(
        "/rules/0/operations/1/manifest/origin",
        json!({ "trustedPublicKeys": [trusted] }),
    )]);
    let client = || world.client(&judge, &world.asking("web"));
    let own = manifest(&world, &web);
    refused(
        sign(&judge, &client(), &own),
        "store.origin",
        "neither signed",
    );
    world.sign("cache-1", &[&web]);
    sign(&judge, &client(), &own).unwrap();
}
