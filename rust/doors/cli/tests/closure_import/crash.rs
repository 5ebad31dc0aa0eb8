//! An import that is killed, and the next one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use touchstone_store::closure::{Registry, Trust, verify};
use touchstone_store::nar;

use super::made::{Made, THERE, path};
use crate::support::{TOUCHSTONE, noise};

/// How many paths of 256 KiB are imported while somebody kills.
const PATHS: u8 = 12;
/// How many imports are killed.
const STEPS: usize = 7;
/// How many of them while paths are unpacked.
const UNPACKING: usize = 5;

/// How many entries a folder has; none where there is no folder.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Whatever is registered is whole, and so is what it refers to.
fn assert_consistent(made: &Made, root: &str) -> usize {
    let registry = Registry::folder(made.valid(root));
    let trust = Trust::new(vec![made.key.public_key()], 1).unwrap();
    let known = registry.all().unwrap();
    // Those that nothing refers to reach all others.
    let references = known.iter().flat_map(|info| {
        let entry = &info.entry;
        entry.references.iter().filter(|path| **path != entry.path)
    });
    let referred: BTreeSet<_> = references.collect();
    let paths = known.iter().map(|info| &info.entry.path);
    for toplevel in paths.filter(|path| !referred.contains(path)) {
        verify(toplevel, &registry, &trust, &made.store(root), &|_, _| {}).unwrap();
    }
    known.len()
}

#[test]
fn an_import_that_is_killed_at_any_time_is_completed_by_the_next() {
    let made = Made::new();
    let digits = "23456789abcd";
    let mut last = made.system.clone();
    for (seed, digit) in (0..PATHS).zip(digits.chars()) {
        let path = path(digit, "chain");
        let folder = made.on_disk(THERE, &path);
        fs::create_dir(&folder).unwrap();
        for part in 0..8 {
            let content = noise(u64::from(seed) * 8 + part, 32 * 1024);
            fs::write(folder.join(part.to_string()), content).unwrap();
        }
        made.register(&path, &[last], &[&made.key]);
        last = path;
    }
    let words = ["closure", "export", "--root", THERE, "--cache", "cache"];
    made.work.done([&words[..], &[last.as_str()]].concat());

    let key = made.key.public_key().to_string();
    let import = |root: &str| {
        let mut command = Command::new(TOUCHSTONE);
        command
            .current_dir(made.work.folder())
            .args(["closure", "import", "--root", root]);
        command.args(["--trusted-public-key", &key, "cache"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(import("unharmed").status().unwrap().success());
    let all = usize::from(PATHS) + 2;
    assert_eq!(assert_consistent(&made, "unharmed"), all);

    let mut interrupted = 0;
    for step in 0..STEPS {
        let root = format!("killed-{step}");
        // While the first paths are unpacked, while later ones are, while they are moved in, while they are registered.
        let (folder, entries) = match step {
            0..UNPACKING => (made.store(&root).join(".touchstone-import"), 2 * step),
            UNPACKING => (made.store(&root), 2),
            _ => (made.valid(&root), 1),
        };
        let mut child = import(&root).spawn().unwrap();
        while count(&folder) <= entries && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        interrupted += usize::from(!child.wait().unwrap().success());
        assert_consistent(&made, &root);
        assert!(import(&root).status().unwrap().success(), "{root}");
        assert_eq!(assert_consistent(&made, &root), all, "{root}");
        assert_eq!(fs::read_dir(made.store(&root)).unwrap().count(), all);
    }
    // The last ones may be too fast.
    assert!(interrupted >= UNPACKING, "{interrupted}");
}

#[test]
fn what_an_interrupted_import_left_is_removed() {
    let made = Made::new();
    made.export("stream");
    made.imported("here", &["stream"]);
    let stage = made.store("here").join(".touchstone-import");
    let pending = made.valid("here").parent().unwrap().join("pending");
    for folder in [&stage, &pending] {
        fs::create_dir_all(folder.join("half/of/it")).unwrap();
    }
    let folder = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    fs::set_permissions(stage.join("half/of"), folder).unwrap();
    // Even where there is nothing else to do.
    assert_eq!(made.imported("here", &["stream"])["present"], 2);
    assert!(!stage.exists() && !pending.exists());
}

#[test]
fn two_imports_at_once_do_not_disturb_each_other() {
    let made = Made::new();
    made.export("stream");
    let imports: Vec<_> = std::thread::scope(|scope| {
        let start = || scope.spawn(|| made.imported("here", &["stream"]));
        let threads: Vec<_> = (0..4).map(|_| start()).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let of = |field: &str| -> usize {
        let counts = imports.iter().map(|answer| match &answer[field] {
            serde_json::Value::Array(list) => list.len(),
            number => usize::try_from(number.as_u64().unwrap()).unwrap(),
        });
        counts.sum()
    };
    assert_eq!((of("imported"), of("present")), (2, 6));
    assert_eq!(assert_consistent(&made, "here"), 2);
    let found = nar::hash_path(&made.on_disk("here", &made.library)).unwrap();
    assert_eq!(found.hash, made.said(THERE, &made.library).entry.nar_hash);
}
