//! Real Nix, its sandbox on, with stores of its own and the expressions of `doors.nix`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use touchstone_harness::Nix;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::{
    KEYS_IN_SANDBOX as KEYS, make_manifest_key, package, show_keys, touchstone_package,
};

use crate::support::Work;

/// A folder with test keys, the static programs as packages, and any number of stores.
pub struct RealNix {
    pub work: Work,
    checkout: PathBuf,
}

impl RealNix {
    /// Makes the keys and the packages.
    pub fn new() -> RealNix {
        let work = Work::with_kernel("amd64");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let checkout = checkout.canonicalize().unwrap();
        let nix = RealNix { work, checkout };
        nix.work.keys("keys");
        touchstone_package(&nix.work.inputs, nix.work.folder()).unwrap();
        package(nix.work.folder(), nix.work.inputs.probe.as_ref().unwrap()).unwrap();
        nix.work.stub("trixie", "x64", "stub");
        nix.work.addon_stub("trixie", "x64", "addon-stub");
        for (file, content) in [
            (
                "devices/one.json",
                r#"{"type":"devicetree","name":"N","compatible":"c","hwids":["5dc05bf4-01f6-4089-b464-a08c47ea9295"]}"#,
            ),
            ("firmware/image", "an image"),
        ] {
            let file = nix.work.path(file);
            fs::create_dir(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        fs::copy(
            &nix.work.inputs.boot["trixie"]["x64"],
            nix.work.path("loader"),
        )
        .unwrap();
        nix.key_of_manifests("nix");
        nix
    }

    /// Makes a Nix signing key: `keys/NAME.secret` and `keys/NAME.public`.
    pub fn key_of_manifests(&self, name: &str) -> String {
        make_manifest_key(&self.store("store"), &self.work.path("keys"), name).unwrap()
    }

    /// The Nix whose store is in the folder `name`.
    pub fn store(&self, name: &str) -> Nix {
        self.seeing(Nix::new(&self.work.inputs, self.work.path(name)).unwrap())
    }

    /// A Nix that sees the checkout, and may write into the folder.
    pub fn seeing(&self, nix: Nix) -> Nix {
        nix.show(&self.checkout).bind(self.work.folder())
    }

    /// The arguments by which Nix finds the expressions and the sandbox shows the keys.
    pub fn expressions(&self) -> Vec<String> {
        let keys = show_keys(&self.work.path("keys"));
        self.expressions_alone().into_iter().chain(keys).collect()
    }

    /// The arguments by which Nix finds the expressions; no sandbox shows any key.
    pub fn expressions_alone(&self) -> Vec<String> {
        self.expressions_in("doors.nix")
    }

    /// The same of another file of this folder.
    pub fn expressions_in(&self, file: &str) -> Vec<String> {
        let path = |name: &str| self.work.path(name).display().to_string();
        let inputs = format!(
            "{{ touchstone = {}; probe = {}; kernel = {}; stub = {}; loader = {}; osRelease = {}; splash = {}; \
             addonStub = {}; devices = {}; firmware = {}; certificate = {}; key = \"{KEYS}/db.key\"; manifestKey = \"{KEYS}/nix.secret\"; \
             realCertificate = {}; signedData = {}; detachedSignature = {}; signatures = {}; example = {}; pinned = {}; realKey = \"{KEYS}/real.key\"; \
             secureBoot = {{ PK = {}; KEK = {}; db = {}; }}; }}",
            path("touchstone"),
            path("touchstone-probe"),
            path("vmlinuz"),
            path("stub"),
            path("loader"),
            path("os-release"),
            path("splash.bmp"),
            path("addon-stub"),
            path("devices"),
            path("firmware"),
            path("keys/db.pem"),
            path("keys/real.pem"),
            path("signed-data"),
            path("detached-signature"),
            path("signatures"),
            path("example.nix"),
            path("pcrs.json"),
            path("keys/PK.esl"),
            path("keys/KEK.esl"),
            path("keys/db.esl"),
        );
        let file = self.checkout.join("rust/doors/cli/tests").join(file);
        let checkout = self.checkout.display().to_string();
        let arguments = [
            file.to_str().unwrap(),
            "--arg",
            "checkout",
            &checkout,
            "--arg",
            "inputs",
            &inputs,
        ];
        arguments.map(str::to_owned).to_vec()
    }

    /// Builds attributes of `doors.nix` in the store `name`; the answer is their store paths.
    pub fn build(&self, name: &str, attributes: &[&str]) -> Vec<String> {
        self.build_by(name, self.expressions(), attributes)
    }

    /// The same by other arguments.
    pub fn build_by(
        &self,
        name: &str,
        mut arguments: Vec<String>,
        attributes: &[&str],
    ) -> Vec<String> {
        for attribute in attributes {
            arguments.extend(["-A".to_owned(), (*attribute).to_owned()]);
        }
        let built = self.store(name).build(arguments).unwrap();
        assert_eq!(built.len(), attributes.len());
        built
    }

    /// Evaluates an attribute of `doors.nix`.
    pub fn evaluate(&self, attribute: &str) -> Value {
        let mut command = self.store("store").command("nix-instantiate").unwrap();
        command.args(["--eval", "--strict", "--json", "-A", attribute]);
        command.args(self.expressions());
        serde_json::from_str(&output(command).unwrap()).unwrap()
    }

    /// The static `touchstone` where it sees the store `store` at `/nix` and the keys as a build does.
    pub fn touchstone_beside_store(&self) -> Command {
        let program = self.work.path("touchstone/bin/touchstone");
        self.beside_store("store", program.to_str().unwrap())
    }

    /// A program where it sees the store `store` at `/nix` and the keys as a build does.
    pub fn beside_store(&self, store: &str, program: &str) -> Command {
        let nix = self.work.path(store).join("nix");
        let visit = self.work.inputs.trixie().visit();
        let visit = self.work.inside(visit).bind_at(nix, "/nix");
        let visit = visit.bind_at(self.work.path("keys"), KEYS);
        visit.command(program).unwrap()
    }

    /// What Nix says of each path of the closure, as a list of objects with a field `path`.
    pub fn closure(&self, toplevel: &str) -> Vec<Value> {
        self.closure_in("store", toplevel)
    }

    /// The same of the store `name`.
    pub fn closure_in(&self, name: &str, toplevel: &str) -> Vec<Value> {
        let mut command = self.store(name).command("nix").unwrap();
        command.args(["path-info", "--json", "--recursive", toplevel]);
        match serde_json::from_str(&output(command).unwrap()).unwrap() {
            Value::Array(list) => list,
            Value::Object(by_path) => {
                let with_path = |(path, mut info): (String, Value)| {
                    info["path"] = path.into();
                    info
                };
                by_path.into_iter().map(with_path).collect()
            }
            other => panic!("nix path-info printed {other}"),
        }
    }
}

/// Every file below a folder (or the file itself), by its path in it, sorted; a link is what it leads to, behind an arrow.
pub fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    collect(root, root, &mut files);
    files.sort();
    files
}

fn collect(root: &Path, at: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let kind = fs::symlink_metadata(at).unwrap().file_type();
    let path = || at.strip_prefix(root).unwrap().to_owned();
    if kind.is_symlink() {
        let target = fs::read_link(at).unwrap();
        files.push((path(), format!("→ {}", target.display()).into_bytes()));
    } else if kind.is_dir() {
        for entry in fs::read_dir(at).unwrap() {
            collect(root, &entry.unwrap().path(), files);
        }
    } else {
        assert!(
            kind.is_file(),
            "{} is neither file nor folder",
            at.display()
        );
        files.push((path(), fs::read(at).unwrap()));
    }
}

/// Fails unless both are the same files with the same bytes; there must be files.
pub fn assert_same_tree(what: &str, ours: &Path, theirs: &Path) {
    let (ours, theirs) = (tree(ours), tree(theirs));
    let names = |tree: &[(PathBuf, Vec<u8>)]| -> Vec<PathBuf> {
        tree.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&ours), names(&theirs), "{what}");
    assert!(!ours.is_empty(), "{what}: nothing to compare");
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let what = format!("{what}: {}", name.display());
        crate::support::assert_same_bytes(&what, ours, theirs);
    }
}
