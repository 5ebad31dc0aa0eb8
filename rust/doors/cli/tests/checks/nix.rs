//! The checks as derivations, built by real Nix: they build where they should, and the log of those that fail holds the finding.

use serde_json::Value;

use crate::real_nix::RealNix;

/// A store with the generations, and the arguments of `checks.nix`.
struct Checks {
    nix: RealNix,
    arguments: Vec<String>,
}

impl Checks {
    fn new() -> Checks {
        let nix = RealNix::new();
        let built = nix.build("store", &["artifacts.generation2"]);
        let built = nix.store("store").on_host(&built[0]);
        let damaged = nix.work.path("damaged");
        std::fs::create_dir_all(damaged.join("specialisation/rescue")).unwrap();
        for (name, _) in crate::real_nix::tree(&built) {
            std::fs::write(
                damaged.join(&name),
                std::fs::read(built.join(&name)).unwrap(),
            )
            .unwrap();
        }
        let mut uki = std::fs::read(damaged.join("uki.efi")).unwrap();
        uki[100_000] ^= 1;
        std::fs::write(damaged.join("uki.efi"), uki).unwrap();

        let found = nix
            .work
            .touchstone(["closure", "secrets", "--json", "keys/KEK.key"]);
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        let fingerprint = found["found"][0]["fingerprint"]
            .as_str()
            .unwrap()
            .to_owned();
        let trusted = String::from_utf8(nix.work.read("keys/nix.public")).unwrap();
        let mut arguments = nix.expressions();
        let doors = arguments[0].clone();
        arguments[0] = doors.replace("doors.nix", "checks/checks.nix");
        let key = nix.work.path("keys/KEK.key").display().to_string();
        std::fs::create_dir_all(nix.work.path("toplevel/etc")).unwrap();
        nix.work.write("toplevel/init", "");
        nix.work.write(
            "toplevel/etc/os-release",
            "ID=other\nNAME=Other\nVERSION_ID=2\n",
        );
        let toplevel = nix.work.path("toplevel").display().to_string();
        let damaged = damaged.display().to_string();
        let bash = nix.work.inputs.trixie().path().join("usr/bin/bash");
        let interpreters = nix.work.inputs.interpreters.clone().unwrap();
        for (name, file) in [
            ("bash", bash),
            ("busybox", interpreters.join("usr/bin/busybox")),
        ] {
            std::fs::copy(file, nix.work.path(name)).unwrap();
        }
        let [bash, busybox] =
            ["bash", "busybox"].map(|name| nix.work.path(name).display().to_string());
        for (name, value) in [
            ("damaged", damaged),
            ("key", key),
            ("toplevel", toplevel),
            ("bash", bash),
            ("busybox", busybox),
        ] {
            arguments.extend(["--arg".to_owned(), name.to_owned(), value]);
        }
        for (name, value) in [
            ("fingerprint", fingerprint),
            ("trusted", trusted.trim().to_owned()),
        ] {
            arguments.extend(["--argstr".to_owned(), name.to_owned(), value]);
        }
        Checks { nix, arguments }
    }

    fn build(&self, attribute: &str) -> Result<Vec<String>, String> {
        let attribute = ["-A".to_owned(), attribute.to_owned()];
        let built = self
            .nix
            .store("store")
            .build([self.arguments.clone(), attribute.to_vec()].concat());
        built.map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn each_check_builds_where_it_holds_and_fails_with_the_finding_where_it_does_not() {
    let checks = Checks::new();
    let built = checks.build("holds").unwrap();
    assert_eq!(built.len(), 18, "{built:?}");
    for (attribute, facts) in [
        (
            "artifacts",
            &[
                "[artifacts.refuted]",
                "uki.efi: its SHA-256 is",
                "build it again",
            ][..],
        ),
        (
            "signatures",
            &[
                "[artifacts.refuted]",
                "uki.efi: not-signed",
                "specialisation/rescue/uki.efi: not-signed",
            ],
        ),
        (
            "otherRelease",
            &["uki.efi: its os-release is not /nix/store/", "(os-release)"],
        ),
        (
            "trust",
            &[
                "manifest.json: /nix/store/",
                "has 0 good signatures by trusted keys where 1 are needed",
            ],
        ),
        (
            "space",
            &[
                "[esp.full]",
                "are needed for 101 generations",
                "let specialisations share",
            ],
        ),
        ("bootspec", &["boot.json"]),
        (
            "secrets",
            &[
                "[secrets.found]",
                "-secret: a private key (PKCS#8) at byte 0, fingerprint",
            ],
        ),
        ("pcrs", &["[pcrs.moved]", "PCR 11"]),
        (
            "renamed",
            &[
                "[interpreters.found]",
                "interpreter: bash",
                "because /nix/store/",
                "-boot.json",
                "-harmless.so",
            ],
        ),
        (
            "script",
            &["script for /usr/bin/env (python3), not executable"],
        ),
        (
            "busybox",
            &["interpreter: an Almquist shell (ash, dash), BusyBox"],
        ),
        ("noReason", &["in `allow` has no reason"]),
        ("noSystem", &["checks.noSecretsInStore needs `system`"]),
    ] {
        let said = checks.build(&format!("fails.{attribute}")).unwrap_err();
        for fact in facts {
            assert!(said.contains(fact), "{attribute}: {fact}: {said}");
        }
    }
}
