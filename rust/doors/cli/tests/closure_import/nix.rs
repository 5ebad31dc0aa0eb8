//! Beside real Nix: what it copied and signed is imported as it would import it, and it agrees with what is registered.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use touchstone_harness::nix::output;
use touchstone_store::NarInfo;
use touchstone_store::closure::{Registry, file_name};

use super::made::snapshot;
use crate::real_nix::{RealNix, assert_same_tree};

/// A store with a system, and with a path of everything that a path can hold.
struct Signed {
    nix: RealNix,
    /// The public key.
    key: String,
    paths: Vec<String>,
}

impl Signed {
    fn new() -> Signed {
        let nix = RealNix::new();
        let key = String::from_utf8(nix.work.read("keys/nix.public")).unwrap();
        nix.build("store", &["artifacts.generation2"]);
        let system = nix.evaluate("toplevel").as_str().unwrap().to_owned();
        everything(&nix.work.path("everything"));
        let folder = nix.work.path("everything").display().to_string();
        let mut add = nix.store("store").command("nix").unwrap();
        add.args(["store", "add-path", &folder]);
        let added = output(add).unwrap().trim().to_owned();
        Signed {
            nix,
            key: key.trim().to_owned(),
            paths: vec![system, added],
        }
    }

    /// What Nix makes of its store as a folder, signed.
    fn cache(&self, compression: &str, paths: &[String]) -> String {
        let name = format!("cache-{compression}");
        let secret = self.nix.work.path("keys/nix.secret");
        let folder = self.nix.work.path(&name).display().to_string();
        let to = format!(
            "file://{folder}?compression={compression}&secret-key={}",
            secret.display()
        );
        let mut copy = self.nix.store("store").command("nix").unwrap();
        copy.args(["copy", "--to", &to]).args(paths);
        output(copy).unwrap();
        name
    }

    fn import(&self, source: &str, root: &str) {
        let words = ["closure", "import", source, "--root", root];
        let key = ["--trusted-public-key", &self.key];
        self.nix.work.done([&words[..], &key].concat());
    }

    /// Nix's own import of a cache into a store of its own.
    fn copied(&self, cache: &str, store: &str, paths: &[String]) {
        let from = format!("file://{}", self.nix.work.path(cache).display());
        let mut copy = self.nix.store(store).command("nix").unwrap();
        let trusted = ["--option", "trusted-public-keys", &self.key];
        copy.args(["copy", "--from", &from]).args(trusted);
        copy.args(paths);
        output(copy).unwrap_or_else(|error| panic!("{cache}: {error:#}"));
    }

    fn registered(&self, root: &str) -> Vec<NarInfo> {
        let valid = self.nix.work.path(root).join("nix/var/touchstone/valid");
        Registry::folder(valid).all().unwrap()
    }
}

/// A folder of everything that a path can hold.
fn everything(folder: &Path) {
    fs::create_dir_all(folder.join("a folder/empty")).unwrap();
    fs::write(folder.join("a folder/empty file"), "").unwrap();
    fs::write(folder.join("program"), "runs").unwrap();
    fs::set_permissions(folder.join("program"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(folder.join("big"), crate::support::noise(9, 1_000_003)).unwrap();
    symlink("no/such/thing", folder.join("link")).unwrap();
    symlink("/etc/passwd", folder.join("out")).unwrap();
    let bytes = std::ffi::OsStr::from_bytes(b"name \xff\xfe");
    fs::write(folder.join(bytes), "no text").unwrap();
}

/// Mode, time and length of everything in a store, by its path.
fn metadata(store: &Path) -> Vec<(std::path::PathBuf, u32, (i64, i64), u64)> {
    let mut facts = snapshot(store).split_off(1);
    // Nix' own folder.
    facts.retain(|found| !found.path.starts_with(".links"));
    let fact = |found: super::made::Facts| {
        // How long a folder is, its file system decides.
        let folder = found.mode & 0o170_000 == 0o040_000;
        let length = if folder { 0 } else { found.length };
        (found.path, found.mode, found.modified, length)
    };
    facts.into_iter().map(fact).collect()
}

/// One store for all claims: building it is what takes time.
#[test]
fn nix_and_an_import_agree_on_every_path() {
    let signed = Signed::new();
    what_nix_copied_arrives_as_nix_would_import_it(&signed);
    nix_takes_what_is_exported(&signed);
    nix_agrees_with_what_is_registered(&signed);
}

fn what_nix_copied_arrives_as_nix_would_import_it(signed: &Signed) {
    // Nix takes half a minute to compress a whole system with XZ.
    let (all, small) = (&signed.paths[..], &signed.paths[1..]);
    for (compression, paths) in [("xz", small), ("zstd", all), ("none", all)] {
        let cache = signed.cache(compression, paths);
        let (ours, theirs) = (
            format!("ours-{compression}"),
            format!("theirs-{compression}"),
        );
        signed.import(&cache, &ours);
        signed.copied(&cache, &theirs, paths);
        let store = |root: &str| signed.nix.work.path(root).join("nix/store");
        assert_eq!(metadata(&store(&ours)), metadata(&store(&theirs)));
        for info in signed.registered(&ours) {
            let name = info.entry.path.base_name();
            assert_same_tree(name, &store(&ours).join(name), &store(&theirs).join(name));
            // The registry keeps what Nix said, to the byte, but for the archive's place.
            let hash = info.entry.path.hash_part();
            let said = signed.nix.work.read(&format!("{cache}/{hash}.narinfo"));
            let said = String::from_utf8(said).unwrap();
            let place = ["URL: ", "Compression: ", "FileHash: ", "FileSize: "];
            let kept = said.split_inclusive('\n');
            let kept = kept.filter(|line| !place.iter().any(|key| line.starts_with(key)));
            let file = Path::new(&ours).join("nix/var/touchstone/valid");
            let file = file.join(file_name(&info.entry.path));
            let file = signed.nix.work.read(file.to_str().unwrap());
            assert_eq!(String::from_utf8(file).unwrap(), kept.collect::<String>());
        }
        assert!(signed.registered(&ours).len() >= paths.len());
    }
}

fn nix_agrees_with_what_is_registered(signed: &Signed) {
    let cache = "cache-none";
    assert!(signed.registered("ours-none").len() > 4);
    for info in signed.registered("ours-none") {
        let on_disk = signed.nix.work.path("ours-none/nix/store");
        let on_disk = on_disk.join(info.entry.path.base_name());
        let mut hash = signed.nix.store("store").command("nix").unwrap();
        hash.args(["hash", "path", on_disk.to_str().unwrap()]);
        let printed = output(hash).unwrap();
        assert_eq!(printed.trim(), info.entry.nar_hash.to_sri());
    }
    let words = ["closure", "registration", "--root", "ours-none"];
    let listed = signed
        .nix
        .work
        .done([&words[..], &["--output", "list"]].concat());
    assert_eq!(signed.nix.work.read("list"), listed.as_bytes());

    // The store becomes one of Nix.
    let ours = signed.nix.store("ours-none");
    let mut load = ours.command("nix-store").unwrap();
    let list = fs::File::open(signed.nix.work.path("list")).unwrap();
    output({
        load.arg("--load-db").stdin(Stdio::from(list));
        load
    })
    .unwrap();
    let mut dump = ours.command("nix-store").unwrap();
    dump.arg("--dump-db");
    assert_eq!(output(dump).unwrap(), listed);
    let verify = || {
        let mut verify = ours.command("nix").unwrap();
        let from = format!("file://{}", signed.nix.work.path(cache).display());
        verify.args(["store", "verify", "--recursive", "--sigs-needed", "1"]);
        verify.args(["--substituter", &from]);
        verify.args(["--option", "trusted-public-keys", &signed.key]);
        verify.args(&signed.paths);
        output(verify)
    };
    verify().unwrap();
    // Now the machine has a Nix, whose store is left alone.
    let words = ["closure", "import", cache, "--root", "ours-none"];
    let key = ["--trusted-public-key", &signed.key];
    let refused = signed.nix.work.touchstone([&words[..], &key].concat());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("belongs to Nix"), "{said}");
    // And Nix would have seen a difference.
    let file = ours.on_host(&signed.paths[1]).join("big");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&file, "another content").unwrap();
    let error = verify().unwrap_err();
    assert!(format!("{error:#}").contains("was modified"), "{error:#}");
}

fn nix_takes_what_is_exported(signed: &Signed) {
    let cache = "cache-zstd";
    let words = [
        "closure",
        "export",
        "--root",
        "store",
        "--signatures",
        cache,
    ];
    let paths: Vec<&str> = signed.paths.iter().map(String::as_str).collect();
    signed
        .nix
        .work
        .done([&words[..], &["--cache", "exported"], &paths].concat());
    signed.copied("exported", "taken", &signed.paths);
    signed
        .nix
        .work
        .done([&words[..], &["--output", "stream"], &paths].concat());
    signed.import("stream", "ours");
    let store = |root: &str| signed.nix.work.path(root).join("nix/store");
    assert_eq!(metadata(&store("ours")), metadata(&store("taken")));
}
