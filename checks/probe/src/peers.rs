//! The commands beside tpm2-tools, on one software TPM.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use touchstone_harness::boot::SoftTpm;
use touchstone_harness::{Root, inputs};

use crate::orders::{self, Order};
use crate::tpm::Tpm;

/// What is sealed, and where it is.
const SECRET: &str = "what is sealed";
const HANDLE: u32 = 0x8100_0042;

/// A new TPM, and the folder that tpm2-tools see.
struct Peer<'a> {
    tpm: SoftTpm<'a>,
    folder: &'a Path,
}

/// Runs a claim beside a TPM of its own.
fn beside(claim: impl FnOnce(&Peer<'_>)) {
    let root: Root = inputs().trixie();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let tpm = SoftTpm::start(&root, folder.path(), &state).unwrap();
    claim(&Peer {
        tpm,
        folder: folder.path(),
    });
}

impl Peer<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a line of words; `@name` is a file of the folder. Sessions and objects of the tools before are gone.
    fn run(&self, words: &str) -> Output {
        let mut words = words.split_whitespace();
        let mut command = self.tpm.command(words.next().unwrap()).unwrap();
        for word in words {
            let at = word.find('@');
            match at {
                Some(at) => command.arg(format!(
                    "{}{}",
                    &word[..at],
                    self.path(&word[at + 1..]).display()
                )),
                None => command.arg(word),
            };
        }
        command.output().unwrap()
    }

    fn done(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let output = self.run(line);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {said}");
            self.run("tpm2_flushcontext --transient-object");
            self.run("tpm2_flushcontext --loaded-session");
        }
    }

    /// Seals the secret under the policy digest in this file.
    fn seal(&self, policy: &str) {
        fs::write(self.path("secret"), SECRET).unwrap();
        self.done(&format!(
            "tpm2_createprimary -C o -c @primary
             tpm2_create -C @primary -i @secret -L @{policy} -a fixedtpm|fixedparent -u @pub -r @priv
             tpm2_load -C @primary -u @pub -r @priv -c @object
             tpm2_evictcontrol -C o -c @object {HANDLE:#x}"
        ));
    }

    fn hex(&self, name: &str) -> String {
        HEXLOWER.encode(&fs::read(self.path(name)).unwrap())
    }

    fn ours(&self) -> Tpm<UnixStream> {
        Tpm::new(UnixStream::connect(self.tpm.socket()).unwrap())
    }

    /// Carries out the order; the secret, and what was refused on the way.
    fn unseal(&self, order: &serde_json::Value) -> (Option<String>, Vec<String>) {
        let text = format!("{}0:[{{\"unseal\":{order}}}]", orders::PREFIX);
        let orders = orders::read(&[text]).unwrap();
        let Some(Order::Unseal(order)) = orders.first() else {
            panic!("no order to unseal")
        };
        let mut refused = Vec::new();
        let secret = orders::unseal(&mut self.ours(), order, |refusal| {
            refused.push(refusal.to_string());
        });
        let secret = secret.unwrap();
        (
            secret.map(|secret| String::from_utf8(secret).unwrap()),
            refused,
        )
    }
}

fn secret() -> (Option<String>, Vec<String>) {
    (Some(SECRET.to_owned()), Vec::new())
}

fn refused(by: &[&str]) -> (Option<String>, Vec<String>) {
    (None, by.iter().map(|by| (*by).to_owned()).collect())
}

#[test]
fn a_word_extends_every_bank_by_its_digest() {
    beside(|peer| {
        peer.ours().extend(11, b"enter-initrd").unwrap();
        peer.done("tpm2_pcrread sha256:11 -o @sha256");
        let digest = Sha256::digest(b"enter-initrd");
        let expected = Sha256::new()
            .chain_update([0; 32])
            .chain_update(digest)
            .finalize();
        assert_eq!(peer.hex("sha256"), HEXLOWER.encode(&expected));
        // The same by tpm2-tools, which computes each digest itself.
        peer.done("tpm2_pcrread sha1:11+sha384:11+sha512:11 -o @ours");
        let [sha1, sha384, sha512] = ["sha1", "sha384", "sha512"].map(|bank| {
            fs::write(peer.path("word"), "enter-initrd").unwrap();
            peer.done(&format!("tpm2_hash -C n -g {bank} -o @{bank} @word"));
            peer.hex(bank)
        });
        peer.done(&format!(
            "tpm2_pcrextend 23:sha1={sha1},sha384={sha384},sha512={sha512}
             tpm2_pcrread sha1:23+sha384:23+sha512:23 -o @theirs"
        ));
        assert_eq!(peer.hex("ours"), peer.hex("theirs"));
    });
}

#[test]
fn a_secret_comes_out_while_the_registers_are_as_the_policy_says() {
    beside(|peer| {
        peer.done("tpm2_createpolicy --policy-pcr -l sha256:11,23 -L @policy");
        peer.seal("policy");
        let order = serde_json::json!({"handle": HANDLE, "bank": 11, "pcrs": [11, 23]});
        assert_eq!(peer.unseal(&order), secret());
        peer.ours().extend(23, b"another").unwrap();
        assert_eq!(peer.unseal(&order), refused(&["Unseal 0x99d"]));
    });
}

#[test]
fn a_chain_of_alternatives_is_gone_through() {
    beside(|peer| {
        peer.done("tpm2_createpolicy --policy-pcr -l sha256:11 -L @now");
        let (now, other) = (peer.hex("now"), "11".repeat(32));
        for (name, from) in [("lower", "now"), ("upper", "lower")] {
            fs::write(peer.path("other"), [0x11; 32]).unwrap();
            peer.done("tpm2_startauthsession -S @session");
            // The list begins with the algorithm: the files' names have no white space and no comma.
            peer.done(&format!(
                "tpm2_policyor -S @session -L @{name} sha256:{},{}",
                peer.path("other").display(),
                peer.path(from).display()
            ));
            peer.done("tpm2_flushcontext --saved-session");
        }
        peer.seal("upper");
        let lower = peer.hex("lower");
        let order = |paths: &[&[usize]]| {
            serde_json::json!({
                "handle": HANDLE, "bank": 11, "pcrs": [11], "paths": paths,
                "nodes": [[other, now], [other, lower], [other, other]],
            })
        };
        assert_eq!(peer.unseal(&order(&[&[0, 1]])), secret());
        // The first way leads nowhere: the register's policy is not among the alternatives.
        let (found, refusals) = peer.unseal(&order(&[&[2, 1], &[0, 1]]));
        assert_eq!(found.as_deref(), Some(SECRET));
        assert_eq!(refusals, ["PolicyOR 0x1c4"]);
        peer.ours().extend(11, b"another").unwrap();
        let refused_both = refused(&["PolicyOR 0x1c4", "PolicyOR 0x1c4"]);
        assert_eq!(peer.unseal(&order(&[&[2, 1], &[0, 1]])), refused_both);
    });
}

#[test]
fn a_signed_policy_opens_with_its_signature_alone() {
    beside(|peer| {
        peer.done("openssl genrsa -out @key.pem 2048");
        peer.done("openssl rsa -in @key.pem -pubout -out @public.pem");
        peer.done("tpm2_loadexternal -C o -G rsa -u @public.pem -c @key -n @name");
        peer.done("tpm2_readpublic -c @key -o @public");
        peer.done("tpm2_createpolicy --policy-pcr -l sha256:11 -L @approved");
        fs::write(peer.path("reference"), "reference").unwrap();
        let signed = [
            fs::read(peer.path("approved")).unwrap(),
            b"reference".to_vec(),
        ]
        .concat();
        fs::write(peer.path("signed"), signed).unwrap();
        peer.done("openssl dgst -sha256 -sign @key.pem -out @signature @signed");
        peer.done("tpm2_startauthsession -S @session");
        peer.done("tpm2_policyauthorize -S @session -L @policy -n @name -q @reference");
        peer.seal("policy");
        // `tpm2_readpublic` writes the area behind its size.
        let public = fs::read(peer.path("public")).unwrap()[2..].to_vec();
        let order = |signature: &str| {
            serde_json::json!({
                "handle": HANDLE, "bank": 11, "pcrs": [11],
                "signed": {
                    "public": HEXLOWER.encode(&public), "policy": peer.hex("approved"),
                    "reference": HEXLOWER.encode(b"reference"), "signature": signature,
                },
            })
        };
        let signature = peer.hex("signature");
        assert_eq!(peer.unseal(&order(&signature)), secret());
        let forged = signature.replacen(&signature[..4], "0001", 1);
        let (found, refusals) = peer.unseal(&order(&forged));
        assert_eq!(found, None);
        assert!(
            refusals[0].starts_with("VerifySignature 0x"),
            "{refusals:?}"
        );
        peer.ours().extend(11, b"another").unwrap();
        assert_eq!(
            peer.unseal(&order(&signature)),
            refused(&["PolicyAuthorize 0x1c4"])
        );
    });
}
