//! Every operation that answers with a value reads through the handle of its caller: with files that lie where nobody named them, it gives
//! the same answer, and what opens a path by itself finds nothing there.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, Files, HostFiles};
use touchstone_operations::{Effect, Failure, answer, operations};

use crate::shorthand::text;
use crate::support::{Work, event_log};

/// Where requests name files. There is no such folder.
const VIRTUAL: &str = "/virtual";

/// The files of a folder, as if they lay in [`VIRTUAL`]. Nothing else is there.
struct VirtualFiles<'a>(&'a Path);

impl Files for VirtualFiles<'_> {
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        let below = path.strip_prefix(VIRTUAL).map_err(io::Error::other)?;
        Ok(self.0.join(below))
    }

    fn place(&self, output: &Path) -> io::Result<PathBuf> {
        self.locate(output)
    }
}

/// The same, but each folder lies where its files have no content: who reads one asks for it.
struct ScatteredFiles<'a> {
    files: VirtualFiles<'a>,
    names: tempfile::TempDir,
}

impl<'a> ScatteredFiles<'a> {
    fn new(folder: &'a Path) -> Self {
        let names = tempfile::tempdir().unwrap();
        without_content(folder, names.path());
        Self {
            files: VirtualFiles(folder),
            names,
        }
    }
}

impl Files for ScatteredFiles<'_> {
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        let place = self.files.locate(path)?;
        match place.is_dir() {
            true => VirtualFiles(self.names.path()).locate(path),
            false => Ok(place),
        }
    }

    fn place(&self, output: &Path) -> io::Result<PathBuf> {
        self.files.place(output)
    }
}

fn without_content(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).unwrap();
            without_content(&entry.path(), &to);
        } else {
            std::fs::write(to, "").unwrap();
        }
    }
}

/// Files that nobody may read or write.
struct NoFiles(io::ErrorKind);

impl Files for NoFiles {
    fn locate(&self, _path: &Path) -> io::Result<PathBuf> {
        Err(io::Error::new(self.0, "nobody may read it"))
    }

    fn place(&self, _output: &Path) -> io::Result<PathBuf> {
        Err(io::Error::new(self.0, "nobody may write it"))
    }
}

fn answered(request: &Value, files: &dyn Files) -> Result<String, Failure> {
    let context = Context {
        files,
        progress: &Silent,
        keys: KeyPolicy::TestKeysOnly,
        agent: None,
        now: None,
    };
    let bytes = answer(request.to_string().as_bytes(), &context)?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// A folder with files of every kind that requests name.
fn work() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.done([
        "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--output", "uki.efi",
    ]);
    work.keys("keys");
    let build = "uki build --stub stub --linux vmlinuz --cmdline quiet --initrd initrd --key keys/db.key --certificate keys/db.pem --output signed.efi";
    work.done(build.split(' '));
    let sign = "policy sign --uki uki.efi --key keys/db.key --output signatures";
    work.done(sign.split(' '));
    crate::reference::with_documents(&work);
    crate::bootspec::with_documents(&work);
    std::fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader")).unwrap();
    std::fs::copy(event_log("ovmf-2025.02"), work.path("log")).unwrap();
    work.write("userspace.log", crate::eventlog::phase(11, "enter-initrd"));
    work.write("level", "sbat,1,2026010100\nsystemd-stub,1\n");
    work.write("loader.conf", "timeout 3\n");
    std::fs::create_dir(work.path("devices")).unwrap();
    work.write(
        "devices/one.json",
        r#"{"type":"devicetree","name":"N","compatible":"c","hwids":["5dc05bf4-01f6-4089-b464-a08c47ea9295"]}"#,
    );
    std::fs::create_dir(work.path("artifacts")).unwrap();
    work.write("artifacts/uki.efi", work.read("uki.efi"));
    let digest = "1".repeat(64);
    let size = work.read("uki.efi").len();
    let image =
        json!({ "path": "uki.efi", "sha256": digest, "size": size, "authenticodeSha256": digest });
    let document = json!({ "org.touchstone.v1": { "uki": image } });
    work.write("artifacts/boot.json", document.to_string());
    work
}

/// Requests for every value; `at` is the path of a file.
fn requests(at: &dyn Fn(&str) -> Value) -> Vec<Value> {
    let store = |name: &str| json!(crate::bootspec::store(name));
    let texts = |name: &str| json!({ "file": at(name) });
    vec![
        json!({ "operation": "bootspec.emit", "system": "x86_64-linux", "toplevel": store("system"), "init": store("system/init"),
            "kernel": store("linux/bzImage"), "kernelParams": ["quiet"], "initrds": [], "label": "NixOS" }),
        json!({ "operation": "bootspec.validate", "files": [at("boot.json"), at("toplevel")] }),
        json!({ "operation": "bootspec.upgrade", "file": at("boot.json"), "withoutInitrdSecrets": true, "initrds": [store("more")] }),
        json!({ "operation": "bootspec.show", "file": at("toplevel") }),
        json!({ "operation": "uki.inspect", "file": at("signed.efi") }),
        json!({ "operation": "uki.diff", "a": at("uki.efi"), "b": at("other.efi") }),
        json!({ "operation": "pe.verify", "file": at("signed.efi"), "db": at("keys/db.esl"), "dbx": at("keys/KEK.esl"), "sbatLevel": at("level") }),
        json!({ "operation": "pe.verify", "file": at("vmlinuz"), "certificates": [at("keys/db.pem")] }),
        json!({ "operation": "pe.digest", "file": at("uki.efi") }),
        json!({ "operation": "measure.uki", "file": at("uki.efi") }),
        json!({ "operation": "measure.parts", "ukis": { "1": { "stub": at("stub"), "linux": at("vmlinuz"), "initrds": [at("initrd"), at("third-initrd")],
            "cmdline": texts("cmdline"), "osRelease": texts("os-release"), "sbat": [texts("sbat")], "splash": at("splash.bmp"),
            "ucode": at("ucode"), "dtb": at("board.dtb"), "hwids": at("devices"), "pcrpkey": at("keys/db.pem"),
            "sections": [{ "name": ".mine", "content": texts("blob") }] } } }),
        json!({ "operation": "measure.predict", "loader": at("loader"), "entries": [{ "uki": at("signed.efi"),
            "extra": { "tz.cred": at("blob") } }], "shared": { "credentials/all.cred": at("third-initrd") },
            "measure": { "pcrs": [4, 7, 9, 11, 12, 13], "loaderConf": at("loader.conf"), "secureBoot": { "PK": at("keys/PK.esl"),
            "KEK": at("keys/KEK.esl"), "db": at("keys/db.esl"), "certificate": at("keys/db.pem") } } }),
        json!({ "operation": "measure.compare", "expected": at("one.json"), "actual": at("other.json") }),
        json!({ "operation": "reference.check", "document": at("reference.json"), "values": at("values-one.json") }),
        json!({ "operation": "eventlog.show", "file": at("log"), "userspace": at("userspace.log") }),
        json!({ "operation": "eventlog.replay", "file": at("log") }),
        json!({ "operation": "eventlog.compare", "file": at("log"), "userspace": at("userspace.log"), "predictions": [at("one.json")],
            "known": [at("other.json")], "knownImages": [at("uki.efi")], "knownLists": [at("keys/db.esl")], "pcrs": at("values-one.json") }),
        json!({ "operation": "policy.create", "variants": [{ "name": "one", "prediction": at("policy.json") }], "pcrs": [7, 11],
            "withoutRunning": true }),
        json!({ "operation": "policy.show", "file": at("signatures"), "publicKey": at("keys/db.pem") }),
        json!({ "operation": "boot.space", "artifacts": [at("artifacts")], "size": "512M", "shared": { "loader/a": at("blob") } }),
        json!({ "operation": "store.path", "path": store("linux/bzImage") }),
        json!({ "operation": "keys.inspect", "files": [at("keys/db.auth"), at("keys/KEK.pem")] }),
    ]
}

/// What a policy is made of is itself a prediction.
fn with_prediction(work: &Work) {
    let request = json!({ "operation": "measure.predict", "uki": "uki.efi", "output": "policy.json", "measure": { "pcrs": [7, 11],
        "secureBoot": { "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl", "certificate": "keys/db.pem" } } });
    work.write("request.json", request.to_string());
    work.done(["run", "request.json"]);
}

#[test]
fn every_value_is_computed_from_files_where_the_caller_says_they_lie() {
    let work = work();
    with_prediction(&work);
    let here = work.folder().display().to_string();
    let scattered = ScatteredFiles::new(work.folder());
    let by_name = requests(&|name| json!(work.path(name)));
    let by_handle = requests(&|name| json!(format!("{VIRTUAL}/{name}")));
    for (by_name, by_handle) in by_name.iter().zip(&by_handle) {
        let expected =
            answered(by_name, &HostFiles).unwrap_or_else(|error| panic!("{by_name}: {error}"));
        let found = answered(by_handle, &scattered);
        let found = found.unwrap_or_else(|error| panic!("{by_handle}: {error}"));
        assert_eq!(found, expected.replace(&here, VIRTUAL), "{by_handle}");
    }
    let asked: BTreeSet<&str> = by_name
        .iter()
        .map(|request| text(request, "operation"))
        .collect();
    let known = operations();
    let values = known.iter().filter(|known| known.effect == Effect::Value);
    let values: BTreeSet<&str> = values.map(|known| known.name).collect();
    assert_eq!(asked, values);
}

/// Also where the refusal is one that a reader would try again after: it ends the operation.
#[test]
fn a_caller_that_refuses_a_file_ends_the_operation() {
    for kind in [
        io::ErrorKind::Other,
        io::ErrorKind::Interrupted,
        io::ErrorKind::WouldBlock,
        io::ErrorKind::PermissionDenied,
    ] {
        for request in requests(&|name| json!(format!("{VIRTUAL}/{name}"))) {
            let operation = text(&request, "operation");
            let refused = answered(&request, &NoFiles(kind));
            if ["bootspec.emit", "store.path"].contains(&operation) {
                refused.unwrap();
                continue;
            }
            let failure = refused.unwrap_err();
            assert_eq!(failure.code, "input.unreadable", "{operation}: {failure}");
            assert!(
                failure.what.contains("nobody may read it"),
                "{operation}: {failure}"
            );
            assert!(failure.file.unwrap().starts_with(VIRTUAL), "{operation}");
        }
    }
}

/// Whatever the field is called by which a request asks for a file.
#[test]
fn a_caller_that_lets_nobody_write_is_obeyed() {
    struct ReadOnly<'a>(VirtualFiles<'a>);
    impl Files for ReadOnly<'_> {
        fn locate(&self, path: &Path) -> io::Result<PathBuf> {
            self.0.locate(path)
        }
        fn place(&self, _output: &Path) -> io::Result<PathBuf> {
            Err(io::Error::other("nobody may write it"))
        }
    }
    let work = work();
    with_prediction(&work);
    let before = crate::real_nix::tree(work.folder());
    let known = operations();
    let mut refused = 0;
    for request in requests(&|name| json!(format!("{VIRTUAL}/{name}"))) {
        let operation = text(&request, "operation");
        let known = known.iter().find(|known| known.name == operation).unwrap();
        let schema = known.request_schema();
        for field in ["output", "digest"] {
            if schema.as_value()["properties"].get(field).is_none() {
                continue;
            }
            let mut request = request.clone();
            request[field] = json!(format!("{VIRTUAL}/written"));
            let failure = answered(&request, &ReadOnly(VirtualFiles(work.folder()))).unwrap_err();
            assert_eq!(failure.code, "output.failed", "{operation}: {failure}");
            refused += 1;
        }
    }
    assert!(refused >= 6, "{refused}");
    assert_eq!(crate::real_nix::tree(work.folder()), before);
}

/// A request for a UKI whose `.pcrsig` comes from here.
fn with_pcrsig(at: &dyn Fn(&str) -> Value, name: &str, from: Value) -> Value {
    let mut key = json!({ "publicKey": at("keys/db.pem") });
    key[name] = from;
    json!({ "operation": "uki.assemble", "stub": at("stub"), "linux": at("vmlinuz"), "pcrpkey": at("keys/db.pem"),
        "pcrSign": { "keys": [key] }, "output": at(&format!("{name}.efi")) })
}

#[test]
fn signatures_of_pcr_11_are_read_where_the_caller_says_that_each_lies() {
    let work = work();
    let by_key = with_pcrsig(
        &|name| json!(work.path(name)),
        "key",
        json!(work.path("keys/db.key")),
    );
    answered(&by_key, &HostFiles).unwrap();
    let uki = work.read("key.efi");
    std::fs::create_dir(work.path("made-elsewhere")).unwrap();
    for signed in pcrsig(&uki)["sha256"].as_array().unwrap() {
        let policy = HEXLOWER.decode(text(signed, "pol").as_bytes()).unwrap();
        let signature = BASE64.decode(text(signed, "sig").as_bytes()).unwrap();
        let name = HEXLOWER.encode(&Sha256::digest(policy));
        work.write(&format!("made-elsewhere/{name}.pcr-signature"), signature);
    }
    let at = |name: &str| json!(format!("{VIRTUAL}/{name}"));
    let by_folder = with_pcrsig(&at, "signatures", at("made-elsewhere"));
    let scattered = ScatteredFiles::new(work.folder());
    answered(&by_folder, &scattered).unwrap_or_else(|error| panic!("{error}"));
    assert!(uki == work.read("signatures.efi"));
}

/// The section `.pcrsig` of a UKI.
fn pcrsig(uki: &[u8]) -> Value {
    let begin = br#"{"sha256":"#;
    let at = uki.windows(begin.len()).position(|bytes| bytes == begin);
    let texts = serde_json::Deserializer::from_slice(&uki[at.unwrap()..]);
    texts.into_iter().next().unwrap().unwrap()
}

/// Whatever it is called by whoever asks.
#[test]
fn a_key_that_the_caller_says_lies_in_the_store_is_refused() {
    struct InStore;
    impl Files for InStore {
        fn locate(&self, path: &Path) -> io::Result<PathBuf> {
            let name = path.file_name().unwrap();
            Ok(Path::new("/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-keys").join(name))
        }
        fn place(&self, output: &Path) -> io::Result<PathBuf> {
            Ok(output.to_owned())
        }
    }
    let key = format!("{VIRTUAL}/db.key");
    for request in [
        json!({ "operation": "pe.sign", "file": "image", "sign": { "key": key, "certificate": "db.pem" }, "output": "out" }),
        json!({ "operation": "policy.sign", "policy": "policy.json", "sign": { "key": key }, "output": "out" }),
    ] {
        let failure = answered(&request, &InStore).unwrap_err();
        assert_eq!(failure.code, "key.refused", "{request}: {failure}");
        assert!(failure.what.contains("lies in the Nix store"), "{failure}");
        assert_eq!(failure.file.as_deref(), Some(key.as_ref()), "{failure}");
    }
}
