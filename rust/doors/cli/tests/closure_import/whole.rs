//! What is imported is what was there, and once is enough.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use serde_json::json;

use super::made::{Made, THERE, key, path, snapshot};
use crate::real_nix::assert_same_tree;
use crate::support::TOUCHSTONE;

fn assert_imported(made: &Made, root: &str) {
    for path in [&made.library, &made.system] {
        let (here, there) = (made.on_disk(root, path), made.on_disk(THERE, path));
        assert_same_tree(path.as_str(), &here, &there);
        let (kept, said) = (made.said(root, path), made.said(THERE, path));
        assert_eq!(kept, said);
    }
    for found in snapshot(&made.store(root)) {
        if found.path.components().count() == 0 {
            continue;
        }
        let metadata = fs::symlink_metadata(made.store(root).join(&found.path)).unwrap();
        assert_eq!(found.modified, (1, 0), "{}", found.path.display());
        if !metadata.is_symlink() {
            let run = metadata.is_dir() || found.path.ends_with("run");
            let mode = if run { 0o555 } else { 0o444 };
            assert_eq!(metadata.mode() & 0o7777, mode, "{}", found.path.display());
        }
    }
    // Nothing besides.
    assert_eq!(fs::read_dir(made.store(root)).unwrap().count(), 2);
    let mut var: Vec<_> = fs::read_dir(made.valid(root).parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    var.sort();
    assert_eq!(var, ["lock", "valid"]);
}

#[test]
fn a_closure_arrives_whole_by_a_stream_and_by_a_cache_and_by_a_pipe() {
    let made = Made::new();
    made.export("stream");
    made.export_with(&["--cache", "cache"]);
    let by_stream = made.imported("one", &["stream"]);
    assert_imported(&made, "one");
    let by_cache = made.imported("two", &["cache"]);
    assert_imported(&made, "two");
    assert_eq!(by_stream, by_cache);
    // References come first.
    assert_eq!(by_stream["imported"], json!([made.library, made.system]));
    let sizes = [&made.library, &made.system].map(|path| made.said(THERE, path).entry.nar_size);
    assert_eq!(by_stream["narSize"], sizes[0] + sizes[1]);

    let pipe = |words: &[&str]| {
        let mut command = Command::new(TOUCHSTONE);
        command.current_dir(made.work.folder()).arg("closure");
        command.args(words);
        command
    };
    let system = made.system.to_string();
    let mut export = pipe(&["export", "--root", THERE, &system]);
    let mut export = export.stdout(Stdio::piped()).spawn().unwrap();
    let key = made.key.public_key().to_string();
    let mut import = pipe(&[
        "import",
        "--root",
        "three",
        "--trusted-public-key",
        &key,
        "-",
    ]);
    let output = import
        .stdin(export.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(export.wait().unwrap().success() && output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("2 paths imported"), "{said}");
    assert_imported(&made, "three");
}

#[test]
fn a_second_import_writes_nothing() {
    let made = Made::new();
    made.export("stream");
    made.export_with(&["--cache", "cache"]);
    made.imported("here", &["stream"]);
    let before = snapshot(&made.work.path("here"));
    for source in ["stream", "cache"] {
        let again = made.imported("here", &[source]);
        let expected = json!({ "imported": [], "adopted": [], "present": 2, "narSize": 0 });
        assert_eq!(again, expected);
        assert_eq!(snapshot(&made.work.path("here")), before, "{source}");
    }
}

#[test]
fn only_what_is_asked_for_is_imported_with_what_it_refers_to() {
    let made = Made::new();
    let other = path('2', "other");
    fs::write(made.on_disk(THERE, &other), "another path").unwrap();
    made.register(&other, &[], &[&made.key]);
    let (system, library) = (made.system.to_string(), made.library.to_string());
    let words = ["closure", "export", "--root", THERE, "--cache", "cache"];
    made.work
        .done([&words[..], &[&system, other.as_str()]].concat());
    let answer = made.imported("here", &["cache", "--path", &library]);
    assert_eq!(answer["imported"], json!([library]));
    let answer = made.imported("here", &["cache", "--path", &system]);
    assert_eq!(answer["imported"], json!([system]));
    assert_imported(&made, "here");
    // What is here already need not be offered again.
    let words = ["closure", "export", "--root", THERE, "--output", "more"];
    made.work
        .done([&words[..], &["--without", &library, &system]].concat());
    made.imported("there-too", &["cache", "--path", &library]);
    let answer = made.imported("there-too", &["more"]);
    assert_eq!(answer["imported"], json!([system]));
    let refused = made.refused("nowhere", &["more"]);
    assert!(
        refused.contains(&format!("{system} refers to {library}")),
        "{refused}"
    );
}

#[test]
fn what_is_in_the_store_already_is_hashed_and_registered() {
    let made = Made::new();
    made.export("stream");
    made.imported("here", &["stream"]);
    fs::remove_file(made.registered("here", &made.library)).unwrap();
    let answer = made.imported("here", &["stream"]);
    assert_eq!(answer["adopted"], json!([made.library]));
    assert_eq!(
        (&answer["present"], &answer["narSize"]),
        (&json!(1), &json!(0))
    );
    assert_imported(&made, "here");
    // A path that somebody removed comes back.
    fs::remove_file(made.on_disk("here", &made.system)).unwrap();
    let answer = made.imported("here", &["stream"]);
    assert_eq!(answer["imported"], json!([made.system]));
    assert_imported(&made, "here");
}

#[test]
fn what_an_old_key_signed_counts_for_nothing_until_it_is_offered_with_the_new_keys_signature() {
    let made = Made::new();
    made.export("by-old-key");
    made.imported("here", &["by-old-key"]);
    let new = key("cache-2", 2);
    let by_new_key = |words: &[&str]| made.import_by(&new.public_key(), "here", words);
    let refused = by_new_key(&["by-old-key"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("0 good signatures"));
    // The system is signed anew, and what it refers to is only registered.
    let references = [made.library.clone(), made.system.clone()];
    made.register(&made.system, &references, &[&new]);
    let (system, library) = (made.system.to_string(), made.library.to_string());
    made.export_with(&["--without", &library, "--output", "system"]);
    let refused = by_new_key(&["system"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(&format!("{system} refers to {library}")),
        "{said}"
    );
    // Both are signed anew: hashed, and registered again.
    made.register(&made.library, &[], &[&new]);
    made.export("by-new-key");
    let output = by_new_key(&["by-new-key"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["adopted"], json!([library, system]));
    // Whoever trusts the old key trusts what is there as before.
    for path in [&made.library, &made.system] {
        let names = made.said("here", path).entry.signatures;
        let names: Vec<_> = names
            .iter()
            .map(|signature| signature.key_name().to_owned())
            .collect();
        assert_eq!(names, ["cache", "cache-2"]);
    }
    assert_eq!(made.imported("here", &["by-old-key"])["present"], 2);
    let answer = by_new_key(&["by-new-key"]);
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["present"], 2);
}

#[test]
fn a_lie_in_the_registry_hides_no_path_that_was_changed() {
    let made = Made::new();
    made.export("stream");
    made.imported("here", &["stream"]);
    let place = made.on_disk("here", &made.system);
    fs::remove_file(&place).unwrap();
    fs::write(&place, "another system").unwrap();
    let mut entry = made.said("here", &made.system).entry;
    entry.nar_hash = touchstone_store::nar::hash_path(&place).unwrap().hash;
    let file = made.registered("here", &made.system);
    fs::remove_file(file).unwrap();
    made.say("here", entry);
    let said = made.refused("here", &["stream"]);
    assert!(said.contains("not what is offered"), "{said}");
    let answer = made.imported("here", &["--repair", "stream"]);
    assert_eq!(answer["imported"], json!([made.system]));
    assert_imported(&made, "here");
}

#[test]
fn repair_replaces_what_is_not_what_was_signed() {
    let made = Made::new();
    made.export("stream");
    made.imported("here", &["stream"]);
    let file = made.on_disk("here", &made.library).join("run");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(&file, "another program").unwrap();
    // It is registered: without being asked nobody looks.
    assert_eq!(made.imported("here", &["stream"])["present"], 2);
    let answer = made.imported("here", &["--repair", "stream"]);
    assert_eq!(answer["imported"], json!([made.library]));
    assert_imported(&made, "here");
}

#[test]
fn what_was_imported_can_be_exported_and_listed() {
    let made = Made::new();
    made.export("stream");
    made.imported("here", &["stream"]);
    let (system, library) = (made.system.to_string(), made.library.to_string());
    let words = [
        "closure", "export", "--root", "here", "--output", "again", &system,
    ];
    made.work.done(words);
    assert_eq!(made.work.read("again"), made.work.read("stream"));
    let listed = made
        .work
        .done(["closure", "registration", "--root", "here"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!((lines[0], lines[4]), (system.as_str(), "2"));
    assert_eq!((lines[7], lines[11]), (library.as_str(), "0"));
}

#[test]
fn a_signed_manifest_says_as_much_as_a_registry() {
    let made = Made::new();
    let entries = [&made.library, &made.system].map(|path| made.said(THERE, path).entry);
    let manifest = touchstone_store::Manifest::new(made.system.clone(), entries).unwrap();
    made.work.write("manifest.json", manifest.to_json());
    fs::remove_dir_all(made.valid(THERE)).unwrap();
    made.export_with(&["--manifest", "manifest.json", "--output", "stream"]);
    made.imported("here", &["stream"]);
    for path in [&made.library, &made.system] {
        assert!(made.registered("here", path).exists());
    }
}
