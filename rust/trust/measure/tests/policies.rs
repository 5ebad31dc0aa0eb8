//! Policies beside tpm2-tools and a software TPM: what its sessions hold is what is computed here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use std::fmt::Write as _;
use std::fs;

use touchstone_harness::{Inputs, WITH_TPM, inputs};
use touchstone_measure::policy::{
    KeyName, PcrSelection, PcrValues, PolicyDigest, PolicyTree, policy_ref,
};
use touchstone_measure::{Bank, Digest};
use touchstone_sign::PublicKey;

/// The hashes that a policy may have.
const HASHES: [Bank; 3] = [Bank::Sha256, Bank::Sha384, Bank::Sha512];

/// A folder in which a script is done beside a software TPM.
struct Bench {
    inputs: Inputs,
    folder: tempfile::TempDir,
    script: String,
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench {
            inputs: inputs(),
            folder: tempfile::tempdir().unwrap(),
            script: String::new(),
        };
        bench.write("with-tpm.sh", WITH_TPM.as_bytes());
        bench
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    fn digest(&self, name: &str) -> Digest {
        Digest::from_bytes(&self.read(name)).unwrap()
    }

    /// A session of this hash that does `command` and is forgotten.
    fn session(&mut self, hash: Bank, command: &str) {
        let start = format!("tpm2_startauthsession --hash-algorithm={hash} --session=s");
        writeln!(
            self.script,
            "{start}\n{command} >/dev/null\ntpm2_flushcontext s"
        )
        .unwrap();
    }

    /// Does the script; each of its steps must succeed.
    fn done(&mut self) {
        let folder = self.folder.path();
        let visit = self.inputs.trixie().visit().bind(folder).folder(folder);
        let mut command = visit.command("bash").unwrap();
        let output = command
            .args(["with-tpm.sh", "tpm", &self.script])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        self.script.clear();
    }
}

/// What a register is extended with.
fn event(bank: Bank, pcr: u32) -> Digest {
    bank.hash(format!("event of {pcr}").as_bytes())
}

/// What it holds then: those of a dynamic launch begin with ones and are not to be extended by us.
fn value(bank: Bank, pcr: u32) -> Digest {
    match pcr {
        17..=22 => Digest::from_bytes(&vec![0xff; bank.digest_len()]).unwrap(),
        _ => Digest::zero(bank).extended(&event(bank, pcr)),
    }
}

#[test]
fn policy_pcr_of_every_bank_and_hash_is_that_of_a_tpm() {
    let mut bench = Bench::new();
    let selections = [
        "sha256:7",
        "sha256:11",
        "sha256:7,11,12,13",
        "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23",
        "sha1:0,7,23",
        "sha384:4,7,9",
        "sha512:11,13",
        "sha1:4+sha256:7",
        "sha256:7+sha1:4",
        "sha512:8+sha384:15,16+sha256:23+sha1:0",
    ];
    for pcr in (0..24).filter(|pcr| !(17..=22).contains(pcr)) {
        let digests: Vec<String> = Bank::ALL
            .iter()
            .map(|bank| format!("{bank}={}", event(*bank, pcr)))
            .collect();
        writeln!(bench.script, "tpm2_pcrextend {pcr}:{}", digests.join(",")).unwrap();
    }
    let mut expected = Vec::new();
    for (row, selection) in selections.iter().enumerate() {
        let parsed: PcrSelection = selection.parse().unwrap();
        assert_eq!(parsed.to_string(), *selection);
        let values = PcrValues::new(parsed, |bank, pcr| Some(value(bank, pcr))).unwrap();
        for hash in HASHES {
            let name = format!("pcr-{row}-{hash}");
            bench.session(
                hash,
                &format!("tpm2_policypcr --session=s --pcr-list={selection} --policy={name}"),
            );
            expected.push((name, PolicyDigest::start(hash).unwrap().pcr(&values)));
        }
    }
    bench.done();
    for (name, ours) in expected {
        assert_eq!(ours.digest(), bench.digest(&name), "{name}");
    }
}

/// In a trial session a TPM takes every PolicyOR; its digest is then that of the node.
#[test]
fn every_node_of_a_tree_is_a_policy_or_of_a_tpm() {
    let mut bench = Bench::new();
    let mut nodes = Vec::new();
    for (hash, sizes) in [
        (Bank::Sha256, &[1, 2, 8, 9, 64, 65, 120][..]),
        (Bank::Sha384, &[9][..]),
        (Bank::Sha512, &[65][..]),
    ] {
        for size in sizes {
            let alternatives = (0..*size)
                .map(|seed: u32| PolicyDigest::try_from(hash.hash(&seed.to_le_bytes())).unwrap());
            let tree = PolicyTree::new(alternatives).unwrap();
            for (level, above) in tree.levels().iter().zip(tree.levels().iter().skip(1)) {
                for (digests, node) in level.chunks(8).zip(above) {
                    if digests.len() > 1 {
                        nodes.push((hash, digests.to_vec(), *node));
                    }
                }
            }
        }
    }
    assert_eq!(
        nodes.len(),
        1 + 1 + 2 + 9 + (8 + 1 + 1) + (15 + 2 + 1) + 2 + 10
    );
    for (number, (hash, digests, _)) in nodes.iter().enumerate() {
        let files: Vec<String> = (0..digests.len())
            .map(|index| format!("alternative-{number}-{index}"))
            .collect();
        for (file, digest) in files.iter().zip(digests) {
            bench.write(file, digest.digest().as_bytes());
        }
        bench.session(
            *hash,
            &format!(
                "tpm2_policyor --session=s --policy=node-{number} {hash}:{}",
                files.join(",")
            ),
        );
    }
    bench.done();
    for (number, (_, _, node)) in nodes.iter().enumerate() {
        assert_eq!(node.digest(), bench.digest(&format!("node-{number}")));
    }
}

#[test]
fn keys_have_the_names_and_policies_that_a_tpm_gives_them() {
    let mut bench = Bench::new();
    let keys = [
        (
            "rsa2048",
            "rsa",
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        ),
        (
            "rsa3072",
            "rsa",
            "-algorithm RSA -pkeyopt rsa_keygen_bits:3072",
        ),
        (
            "p256",
            "ecc",
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        ),
        (
            "p384",
            "ecc",
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        ),
    ];
    let reference = policy_ref(Some("a reference"));
    bench.write("reference", &reference);
    bench.write("approved", Bank::Sha256.hash(b"approved").as_bytes());
    for (name, kind, options) in keys {
        writeln!(
            bench.script,
            "openssl genpkey {options} -out {name}.key 2>/dev/null\n\
             openssl pkey -in {name}.key -pubout -out {name}.pem\n\
             tpm2_loadexternal --quiet --key-algorithm={kind} --hierarchy=o --public={name}.pem --key-context=c --name={name}.name\n\
             tpm2_readpublic --quiet --object-context=c --format=tpmt --output={name}.tpmt\n\
             flush"
        )
        .unwrap();
        for hash in HASHES {
            let authorize =
                format!("tpm2_policyauthorize --session=s --input=approved --name={name}.name");
            bench.session(hash, &format!("{authorize} --policy={name}-{hash}"));
            bench.session(
                hash,
                &format!("{authorize} --qualification=reference --policy={name}-{hash}-reference"),
            );
        }
    }
    bench.done();
    for (name, ..) in keys {
        let key = PublicKey::read(&bench.read(&format!("{name}.pem"))).unwrap();
        assert_eq!(
            key.to_pem().unwrap().as_bytes(),
            bench.read(&format!("{name}.pem"))
        );
        let ours = KeyName::of(&key).unwrap();
        assert_eq!(ours.public_area(), bench.read(&format!("{name}.tpmt")));
        assert_eq!(ours.as_bytes(), bench.read(&format!("{name}.name")));
        for hash in HASHES {
            let policy = |reference| PolicyDigest::authorize(hash, &ours, reference).unwrap();
            assert_eq!(
                policy(&[]).digest(),
                bench.digest(&format!("{name}-{hash}"))
            );
            assert_eq!(
                policy(&reference).digest(),
                bench.digest(&format!("{name}-{hash}-reference"))
            );
        }
    }
}

#[test]
fn refuses_a_key_whose_signatures_no_tpm_was_seen_to_check() {
    let mut bench = Bench::new();
    for (name, options) in [
        ("short", "rsa_keygen_bits:1024"),
        ("long", "rsa_keygen_bits:4096"),
        ("exponent", "rsa_keygen_pubexp:3"),
    ] {
        writeln!(
            bench.script,
            "openssl genpkey -algorithm RSA -pkeyopt {options} 2>/dev/null | openssl pkey -pubout -out {name}"
        )
        .unwrap();
    }
    bench.done();
    for name in ["short", "long", "exponent"] {
        let key = PublicKey::read(&bench.read(name)).unwrap();
        assert!(KeyName::of(&key).is_err(), "{name}");
    }
}
