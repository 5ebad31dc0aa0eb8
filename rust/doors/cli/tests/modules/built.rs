//! What the modules ask for is what the operations take: it is built, by real Nix in its sandbox.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::{KEYS_IN_SANDBOX as KEYS, show_keys};
use touchstone_harness::stand_in;

use crate::real_nix::RealNix;
use crate::support::Work;

/// The names of systemd's programs for the firmware.
const EFI: [(&str, &str); 2] = [
    ("stub", "linuxx64.efi.stub"),
    ("loader", "systemd-bootx64.efi"),
];

/// `checks/modules/built.nix`, and the folders that it takes.
struct Machine {
    nix: RealNix,
    arguments: Vec<String>,
}

impl Machine {
    fn new() -> Machine {
        let nix = RealNix::new();
        let work = &nix.work;
        let nixpkgs = stand_in::nixpkgs(&super::checkout(), work.folder()).unwrap();
        copy(work, "vmlinuz", "kernel/vmlinuz");
        for (file, name) in EFI {
            copy(work, file, &format!("systemd/lib/systemd/boot/efi/{name}"));
        }
        openssl_keys(work);
        let path = |name: &str| work.path(name).display().to_string();
        let variable = |name: &str| format!("{name} = {};", path(&format!("keys/{name}.esl")));
        let mut arguments = vec![
            super::checkout()
                .join("checks/modules/built.nix")
                .display()
                .to_string(),
        ];
        for (name, value) in [
            ("nixpkgs", nixpkgs.display().to_string()),
            ("touchstone", path("touchstone")),
            ("probe", path("touchstone-probe")),
            ("kernel", path("kernel")),
            ("systemd", path("systemd")),
            ("splash", path("splash.bmp")),
            (
                "test",
                format!(
                    "{{ key = \"{KEYS}/db.key\"; certificate = {}; }}",
                    path("keys/db.pem")
                ),
            ),
            (
                "fleet",
                format!(
                    "{{ certificate = {}; signatures = {}; publicKey = {}; policySignatures = {}; }}",
                    path("keys/real.pem"),
                    path("signatures"),
                    path("keys/pcr.pub"),
                    path("policy-signatures")
                ),
            ),
            (
                "secureBoot",
                format!("{{ {} }}", ["PK", "KEK", "db"].map(variable).join(" ")),
            ),
        ] {
            arguments.extend(["--arg".to_owned(), name.to_owned(), value]);
        }
        arguments.extend(show_keys(&work.path("keys")));
        Machine { nix, arguments }
    }

    /// Builds an attribute; the answer is its store path.
    fn build(&self, attribute: &str) -> String {
        let store = self.nix.store("store");
        let asked = ["-A", attribute].map(str::to_owned);
        let built = store.build(self.arguments.iter().cloned().chain(asked));
        built.unwrap().remove(0)
    }

    fn on_host(&self, path: &str) -> PathBuf {
        self.nix.store("store").on_host(path)
    }

    /// What the program says in the place where it sees the store.
    fn touchstone(&self, arguments: &[&str]) -> Value {
        let output = self
            .nix
            .touchstone_beside_store()
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn copy(work: &Work, from: &str, to: &str) {
    let to = work.path(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(work.path(from), to).unwrap();
}

/// Keys that are no test keys: `keys/real.key` with a certificate, `keys/pcr.key` with its public half.
fn openssl_keys(work: &Work) {
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=fleet -days 9 -keyout keys/real.key -out keys/real.pem",
        "genrsa -out keys/pcr.key 2048",
        "rsa -in keys/pcr.key -pubout -out keys/pcr.pub",
    ] {
        let mut command = Command::new("openssl");
        command.current_dir(work.folder()).args(line.split(' '));
        assert!(command.output().unwrap().status.success(), "{line}");
    }
}

#[test]
fn boot_artifacts_are_what_the_options_say() {
    let machine = Machine::new();
    let artifacts = machine.build("everything");
    let uki = format!("{artifacts}/uki.efi");
    let seen = machine.touchstone(&["uki", "inspect", "--json", &uki]);
    let text = seen.to_string();
    for part in [
        "rack 4",
        "Factory reset",
        "systemd.factory_reset=1",
        ".splash",
        ".pcrsig",
        ".pcrpkey",
        // Verified in the initrd: the last word, of the image's own line and of its profile's.
        "/init noresume quiet root=fstab loglevel=4 --",
        "/init noresume quiet root=fstab loglevel=4 systemd.factory_reset=1 --",
    ] {
        assert!(text.contains(part), "{part} is not in {seen:#}");
    }
    let document = fs::read(machine.on_host(&artifacts).join("boot.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let ours = &document["org.touchstone.v1"];
    assert_eq!(ours["uki"]["profiles"][1]["id"], "reset");
    for file in ["loader", "pcrs", "manifest"] {
        assert!(ours[file]["sha256"].is_string(), "{file}: {ours:#}");
    }
    let pcrs = fs::read(machine.on_host(&artifacts).join("pcrs.json")).unwrap();
    let pcrs: Value = serde_json::from_slice(&pcrs).unwrap();
    let leaves = pcrs["leaves"].as_array().unwrap();
    assert_eq!(leaves.len(), 2, "the image's own profile and the other");
    for leaf in leaves {
        let registers: BTreeSet<&str> = leaf["pcrs"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(registers, BTreeSet::from(["4", "7", "9", "11", "12", "13"]));
    }
}

#[test]
fn a_fleet_builds_sealed_generations_without_a_key() {
    let machine = Machine::new();
    let work = &machine.nix.work;

    // The first round, for which no folder of signatures is there: what register 11 will be.
    let requests = machine.on_host(&machine.build("policyRequests"));
    let requests = requests.display().to_string();
    let by_key = ["--pcr-private-key", "keys/pcr.key"];
    let sign = ["boot", "sign", &requests, "--output", "policy-signatures"];
    work.done(sign.iter().chain(&by_key));

    // The second: the images, with those signatures in them.
    let requests = machine.on_host(&machine.build("requests"));
    let images = fs::read_dir(&requests).unwrap().count();
    assert_eq!(images, 4, "the boot loader and three images");
    let requests = requests.display().to_string();
    let by_key = ["--key", "keys/real.key", "--certificate", "keys/real.pem"];
    let sign = ["boot", "sign", &requests, "--output", "signatures"];
    work.done(sign.iter().chain(&by_key));

    // The third: the images are those that were signed.
    let sealed = machine.build("sealed");
    assert!(sealed.ends_with("-sealed"), "{sealed}");
    let places = ["", "/specialisation/rescue", "/specialisation/bare"];
    for place in places {
        let uki = format!("{sealed}{place}/touchstone/uki.efi");
        let inside = work.path("keys/real.pem").display().to_string();
        let inside = inside.replace(&work.path("keys").display().to_string(), KEYS);
        let verdict =
            machine.touchstone(&["pe", "verify", "--json", "--certificate", &inside, &uki]);
        assert_eq!(verdict["boots"], true, "{verdict:#}");
        let document = fs::read(machine.on_host(&sealed).join("boot.json")).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["org.touchstone.v1"]["sealed"], *sealed);
    }
    let switch = fs::read(machine.on_host(&sealed).join("touchstone/switch.json")).unwrap();
    let switch: Value = serde_json::from_slice(&switch).unwrap();
    assert_eq!(switch["environment"]["TOPLEVEL"], *sealed);
    let installer = switch["environment"]["INSTALL_BOOTLOADER"]
        .as_str()
        .unwrap();
    assert!(
        installer.ends_with("/bin/touchstone-install"),
        "{installer}"
    );
    assert_installed(&machine, &sealed);
}

/// Installs the generation as NixOS does, on a machine whose root is the folder of the store, and looks at its ESP.
fn assert_installed(machine: &Machine, sealed: &str) {
    let root = machine.on_host("/");
    let profiles = root.join("nix/var/nix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    fs::create_dir(root.join("boot")).unwrap();
    symlink(sealed, profiles.join("system-1-link")).unwrap();
    symlink("system-1-link", profiles.join("system")).unwrap();
    let mut install = Command::new(machine.nix.work.inputs.installer.as_ref().unwrap());
    install.args(["--any-file-system", "--root"]).arg(&root);
    output({
        install.arg(sealed);
        install
    })
    .unwrap();

    let names = fs::read_dir(root.join("boot/EFI/Linux")).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let begins = ["nixos-1--bare-", "nixos-1--rescue-", "nixos-1-"];
    assert_eq!(names.len(), begins.len(), "{names:?}");
    for (name, begin) in names.iter().zip(begins) {
        assert!(
            name.starts_with(begin) && name.ends_with("+2.efi"),
            "{names:?}"
        );
    }
    let image = fs::read(root.join("boot/EFI/Linux").join(&names[2])).unwrap();
    let brought = machine.on_host(sealed).join("touchstone/uki.efi");
    assert_eq!(image, fs::read(brought).unwrap());
    let menu = fs::read_to_string(root.join("boot/loader/loader.conf")).unwrap();
    assert!(menu.contains("editor no"), "{menu}");
}
