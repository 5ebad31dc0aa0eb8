//! Who gets a socket: real derivations of real Nix.

use std::fs;
use std::time::Duration;

use serde_json::json;
use touchstone_agent::Derivation;
use touchstone_agent::judge::Grants;

use crate::world::{NOW, World, deploy, refused, user};

#[test]
fn a_socket_is_for_the_very_derivation_that_was_granted() {
    let world = World::new();
    let judge = world.judge(&[]);
    let settings = &judge.policy().document().grants;
    let web = world.asking("web");
    let hostile = world.asking("hostile");
    assert_eq!(
        web.name(),
        hostile.name(),
        "names are chosen by whoever writes a derivation"
    );
    let mut grants = Grants::default();

    refused(
        judge.offer(&web, &grants, *NOW),
        "policy.grant",
        web.path().as_str(),
    );
    judge.may_grant(&web, &deploy()).unwrap();
    grants.grant(&web, &deploy(), *NOW, settings);
    let admission = judge.offer(&web, &grants, *NOW).unwrap();
    grants.count(&web, *NOW).unwrap();
    assert_eq!(
        (admission.derivation(), admission.rules()),
        (&web, vec!["web".to_owned()])
    );
    // The same name, at the same time.
    refused(
        judge.offer(&hostile, &grants, *NOW),
        "policy.grant",
        hostile.path().as_str(),
    );

    // Held as long as the policy says, and for as many builds.
    refused(
        judge.offer(&web, &grants, *NOW + Duration::from_secs(settings.seconds)),
        "policy.grant",
        "nobody has granted",
    );
    for _ in 1..settings.builds {
        assert!(judge.offer(&web, &grants, *NOW).unwrap().is_granted());
        grants.count(&web, *NOW).unwrap();
    }
    // One that was offered and is now too many.
    refused(
        grants.count(&web, *NOW),
        "policy.grant",
        "nobody has granted",
    );
    assert!(grants.pending(*NOW, 1_800_000_000).is_empty());
    refused(
        judge.offer(&web, &grants, *NOW),
        "policy.grant",
        "nobody has granted",
    );
    grants.grant(&web, &deploy(), *NOW, settings);
    let pending = grants.pending(*NOW, 1_800_000_000).remove(0);
    assert_eq!(
        (pending.by.as_str(), pending.until),
        ("deploy", 1_800_000_000 + settings.seconds)
    );
    assert!(grants.revoke(&web) && !grants.revoke(&web));
    refused(
        judge.offer(&web, &grants, *NOW),
        "policy.grant",
        "nobody has granted",
    );

    // Others may not grant, and what they granted counts for nothing. Root may.
    let stranger = user(1001, "stranger");
    refused(judge.may_grant(&web, &stranger), "policy.grant", "stranger");
    grants.grant(&web, &stranger, *NOW, settings);
    refused(
        judge.offer(&web, &grants, *NOW),
        "policy.grant",
        "nobody has granted",
    );
    judge.may_grant(&web, &user(0, "root")).unwrap();
    grants.grant(&web, &user(0, "root"), *NOW, settings);
    judge.offer(&web, &grants, *NOW).unwrap();
}

#[test]
fn no_other_derivation_gets_a_socket() {
    let world = World::new();
    let judge = world.judge(&[]);
    let settings = &judge.policy().document().grants;
    let offered = |derivation: &Derivation| {
        let mut grants = Grants::default();
        grants.grant(derivation, &deploy(), *NOW, settings);
        judge.offer(derivation, &grants, *NOW)
    };
    for (name, code, said) in [
        ("named", "policy.derivation", "no rule"),
        ("silent", "derivation.feature", "does not require"),
        ("fixed", "derivation.impure", "the network"),
        ("unconfined", "derivation.impure", "the network"),
        (
            "floating",
            "derivation.floating",
            "another name than its own",
        ),
    ] {
        let derivation = world.asking(name);
        refused(offered(&derivation), code, said);
        refused(offered(&derivation), code, derivation.path().as_str());
    }
    refused(
        judge.may_grant(&world.asking("named"), &deploy()),
        "policy.grant",
        "no rule",
    );

    // A path that is no valid one, although the file is there and a good derivation.
    let web = world.asking("web");
    let file = world.on_host(web.path().as_str());
    let text = fs::read(&file).unwrap();
    let forged =
        Derivation::parse("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-web-1-boot.drv").unwrap();
    fs::write(world.on_host(forged.path().as_str()), &text).unwrap();
    refused(offered(&forged), "derivation.unknown", "no valid path");
    // One whose file is another than the one that made its name.
    offered(&web).unwrap();
    let hostile = fs::read(world.on_host(world.asking("hostile").path().as_str())).unwrap();
    rewrite(&file, &hostile);
    refused(
        offered(&web),
        "derivation.changed",
        "not what its name was made of",
    );
    rewrite(&file, &text);
    offered(&web).unwrap();
    // One that is a link to another.
    fs::rename(&file, world.path("moved")).unwrap();
    std::os::unix::fs::symlink(world.path("moved"), &file).unwrap();
    refused(offered(&web), "store.file", "cannot be read");

    // A file that is called like a derivation, and that anybody may add.
    fs::write(world.path("web-1-boot.drv"), &text).unwrap();
    let added = world.add("web-1-boot.drv");
    let added = Derivation::parse(&added).unwrap();
    assert_ne!(added, web);
    refused(
        offered(&added),
        "derivation.changed",
        "not what its name was made of",
    );
}

#[test]
fn a_store_that_cannot_be_read_gives_nothing() {
    let world = World::new();
    let web = world.asking("web");
    let judge = world.judge(&[("/store", json!("/nowhere"))]);
    refused(
        judge.offer(&web, &Grants::default(), *NOW),
        "store.database",
        "/nowhere",
    );
    let judge = world.judge(&[]);
    fs::write(world.path("root/nix/var/nix/db/db.sqlite"), "no database").unwrap();
    refused(
        judge.offer(&web, &Grants::default(), *NOW),
        "store.database",
        "db.sqlite",
    );
}

fn rewrite(file: &std::path::Path, bytes: &[u8]) {
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}
