//! PCR 11 beside systemd's own calculation, on UKIs that systemd's own ukify made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use touchstone_harness::{Inputs, Root, inputs};
use touchstone_measure::{Bank, Digest, Loader, PhasePath, Release, Uki, measure_uki};
use touchstone_pe::Image;

/// The options by which `systemd-measure` takes the content of sections.
const OPTIONS: [(&str, &str); 10] = [
    (".linux", "--linux"),
    (".osrel", "--osrel"),
    (".cmdline", "--cmdline"),
    (".initrd", "--initrd"),
    (".ucode", "--ucode"),
    (".splash", "--splash"),
    (".dtb", "--dtb"),
    (".uname", "--uname"),
    (".sbat", "--sbat"),
    (".pcrpkey", "--pcrpkey"),
];

/// The file `vmlinuz` of the kernel under test, and a folder for everything else.
struct Bench {
    inputs: Inputs,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            inputs: inputs(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs a program of a root, which sees the folder and the cache, and gives its standard output.
    fn run(&self, root: &Root, program: &str, arguments: &[String]) -> Vec<u8> {
        let visit = root
            .visit()
            .bind(self.folder.path())
            .show(&self.inputs.kernel["amd64"].vmlinuz);
        let visit = self
            .inputs
            .stub
            .values()
            .fold(visit, |visit, stubs| visit.show(&stubs["x64"]));
        let mut command: Command = visit.command(program).unwrap();
        let output = command.args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// A UKI by ukify.
    fn ukify(&self, root: &Root, suite: &str, options: &[(&str, PathBuf)]) -> PathBuf {
        let output = self.folder.path().join("uki.efi");
        let mut arguments = vec!["build".to_owned()];
        let stub = &self.inputs.stub[suite]["x64"];
        let kernel = &self.inputs.kernel["amd64"].vmlinuz;
        arguments.push(format!("--stub={}", stub.display()));
        arguments.push(format!("--linux={}", kernel.display()));
        arguments.push(format!("--output={}", output.display()));
        arguments.extend(options.iter().map(|(option, path)| match *option {
            "--cmdline" | "--os-release" => format!("{option}=@{}", path.display()),
            _ if option.starts_with("--section") => format!("{option}:@{}", path.display()),
            _ => format!("{option}={}", path.display()),
        }));
        self.run(root, "ukify", &arguments);
        output
    }

    /// What `systemd-measure calculate` says about the sections of a UKI: the values by bank and phase path.
    fn calculate(&self, root: &Root, uki: &Path) -> BTreeMap<(Bank, PhasePath), Digest> {
        let mut file = File::open(uki).unwrap();
        let image = Image::read(&mut file).unwrap();
        let mut arguments: Vec<String> =
            vec!["calculate".into(), "--json=short".into(), "--phase=".into()];
        arguments.extend(
            PhasePath::standard()
                .iter()
                .map(|phase| format!("--phase={phase}")),
        );
        arguments.extend(Bank::ALL.iter().map(|bank| format!("--bank={bank}")));
        for (section, option) in OPTIONS {
            if let Some(row) = image.section(section) {
                let content = image.section_bytes(&mut file, row, 1 << 30).unwrap();
                let path = self.file(&format!("section{section}"), &content);
                arguments.push(format!("{option}={}", path.display()));
            }
        }
        let json = self.run(root, "/usr/lib/systemd/systemd-measure", &arguments);
        read_values(&serde_json::from_slice(&json).unwrap())
    }
}

/// `{"sha256":[{"phase":"enter-initrd","pcr":11,"hash":"…"},…],…}`; before the first phase there is no `phase`.
fn read_values(json: &serde_json::Value) -> BTreeMap<(Bank, PhasePath), Digest> {
    let mut values = BTreeMap::new();
    for (bank, rows) in json.as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            assert_eq!(row["pcr"], 11);
            let phase = row
                .get("phase")
                .and_then(|phase| phase.as_str())
                .unwrap_or("");
            let hash: Digest = row["hash"].as_str().unwrap().parse().unwrap();
            values.insert((bank.parse().unwrap(), phase.parse().unwrap()), hash);
        }
    }
    values
}

fn equals_systemd_measure(bench: &Bench, root: &Root, uki: &Path) {
    let expected = bench.calculate(root, uki);
    assert_eq!(expected.len(), Bank::ALL.len() * 5, "all banks and phases");
    let mut file = File::open(uki).unwrap();
    let image = Image::read(&mut file).unwrap();
    let measured = measure_uki(&image, &mut file, &Bank::ALL).unwrap();
    for ((bank, phase), value) in expected {
        assert_eq!(
            measured.pcr11(bank, &phase),
            Some(value),
            "bank {bank}, phase `{phase}`"
        );
    }
}

/// Odd lengths on purpose: nothing may be padded.
fn everything(bench: &Bench) -> Vec<(&'static str, PathBuf)> {
    vec![
        (
            "--os-release",
            bench.file("os-release", b"ID=touchstone\nVERSION_ID=1\n"),
        ),
        ("--cmdline", bench.file("cmdline", b"console=ttyS0 quiet\n")),
        ("--initrd", bench.file("initrd", &[b'i'; 70_001])),
        ("--microcode", bench.file("microcode", &[b'm'; 1_234_567])),
        ("--splash", bench.file("splash", b"BM splash")),
        ("--devicetree", bench.file("dtb", &[0xd0; 333])),
        (
            "--section=.pcrpkey",
            bench.file("key.pem", b"a public key\n"),
        ),
        ("--section=.pcrsig", bench.file("signature.json", b"{}")),
    ]
}

fn plain(bench: &Bench) -> Vec<(&'static str, PathBuf)> {
    everything(bench)
        .into_iter()
        .filter(|(option, _)| matches!(*option, "--cmdline" | "--initrd"))
        .collect()
}

#[test]
fn equals_systemd_measure_257() {
    let bench = Bench::new();
    let root = bench.inputs.trixie();
    for options in [plain(&bench), everything(&bench)] {
        let uki = bench.ukify(&root, "trixie", &options);
        equals_systemd_measure(&bench, &root, &uki);
    }
}

#[test]
fn equals_systemd_measure_262() {
    let bench = Bench::new();
    let root = bench
        .inputs
        .sid()
        .expect("the sid root is missing: its mirror did not answer during `cargo xtask setup`");
    for options in [plain(&bench), everything(&bench)] {
        let uki = bench.ukify(&root, "sid", &options);
        equals_systemd_measure(&bench, &root, &uki);
    }
}

#[test]
fn reads_the_versions_of_debians_loaders_and_stubs() {
    let bench = Bench::new();
    for (suite, release) in [
        ("bookworm", Release::V252),
        ("trixie", Release::V257),
        ("sid", Release::V262),
    ] {
        let Some(loaders) = bench.inputs.boot.get(suite) else {
            continue;
        };
        for (machine, path) in loaders {
            // Debian 12's loader for this architecture has no `.sdmagic`, and is refused for that.
            if (suite, machine.as_str()) == ("bookworm", "aa64") {
                assert!(
                    Loader::from_file(&mut File::open(path).unwrap(), &[Bank::Sha256], None)
                        .is_err()
                );
                continue;
            }
            let loader =
                Loader::from_file(&mut File::open(path).unwrap(), &[Bank::Sha256], None).unwrap();
            assert_eq!(loader.version.release, release, "{suite} {machine}");
        }
    }
}

#[test]
fn finds_the_kernel_inside_of_a_uki() {
    let bench = Bench::new();
    let uki = bench.ukify(&bench.inputs.trixie(), "trixie", &everything(&bench));
    let uki = Uki::from_file("uki", &mut File::open(uki).unwrap(), &[Bank::Sha256], None).unwrap();
    let mut kernel = File::open(&bench.inputs.kernel["amd64"].vmlinuz).unwrap();
    let image = Image::read(&mut kernel).unwrap();
    let expected = touchstone_pe::authenticode::sha256(&image, &mut kernel).unwrap();
    assert_eq!(uki.kernel, Some(expected.into()));
    assert_ne!(uki.image.authenticode, expected.into());
}
