//! Keys in PKCS#11 tokens: the program beside SoftHSM2, with keys imported from files and generated in the token, and beside a token that
//! fails as real ones do (`checks/faulty-token`).

mod agent;
mod faulty;
mod finding;
mod refusals;
mod signing;

use std::process::{Command, Output};

use crate::support::{TOUCHSTONE, Work};

/// SoftHSM2's module, in the root.
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The PIN of every token here. No program may print it.
const PIN: &str = "271828";

/// The words that scripts know.
const WORDS: &str = r#"
set -eu
MODULE=/usr/lib/softhsm/libsofthsm2.so
# Makes a token: LABEL.
token() { softhsm2-util --init-token --free --label "$1" --pin 271828 --so-pin 314159; }
# pkcs11-tool, logged in: TOKEN ARGUMENTS….
tool() { token=$1; shift; pkcs11-tool --module $MODULE --token-label "$token" --login --pin 271828 "$@"; }
# A key file and its certificate: NAME ALGORITHM….
key() { name=$1; shift; openssl req -x509 -newkey "$@" -nodes -keyout "$name.key" -out "$name.pem" -subj "/CN=$name" -days 3650; }
# Puts a key file into a token: NAME TOKEN LABEL ID.
import() { softhsm2-util --import "$1.key" --token "$2" --pin 271828 --label "$3" --id "$4"; }
# A certificate, by the key file `ca`, for a key that was generated in a token: TOKEN LABEL CERTIFICATE ARGUMENTS….
certify() {
  tool "$1" --read-object --type pubkey --label "$2" --output-file "$3.spki"; cert=$3; label=$2; shift 3
  openssl x509 -new -force_pubkey "$cert.spki" -subj "/CN=$label" -CA ca.pem -CAkey ca.key -days 3650 "$@" -out "$cert.pem"
}
"#;

/// A folder with a program to sign, `addon`, the PIN's file, `pin`, and SoftHSM2's tokens.
struct Hsm {
    work: Work,
}

impl Hsm {
    /// With what the script makes; each of its steps must succeed.
    fn new(script: &str) -> Hsm {
        Hsm::of(Work::new(), script)
    }

    fn of(work: Work, script: &str) -> Hsm {
        work.addon_stub("trixie", "x64", "addon");
        work.write("pin", format!("{PIN}\n"));
        let tokens = work.path("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let hsm = Hsm { work };
        hsm.configure("");
        hsm.done(script);
        hsm
    }

    /// With one key file, `db`, of this algorithm (as `openssl req -newkey` has it), that is also in the token `check`.
    fn with_key(algorithm: &str) -> Hsm {
        Hsm::new(&format!(
            "token check; key db {algorithm}; import db check db 01"
        ))
    }

    /// Adds a line to SoftHSM2's configuration.
    fn configure(&self, line: &str) {
        let tokens = self.work.path("tokens");
        let text = format!("directories.tokendir = {}\n{line}\n", tokens.display());
        self.work.write("softhsm2.conf", text);
    }

    fn command(&self, program: &str) -> Command {
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let faulty = self.work.inputs.faulty_token.as_ref().unwrap();
        let mut command = visit
            .show(TOUCHSTONE)
            .show(faulty)
            .command(program)
            .unwrap();
        command.env("SOFTHSM2_CONF", self.work.path("softhsm2.conf"));
        command
    }

    /// Does a script; the answer is what it printed.
    fn done(&self, script: &str) -> String {
        let script = format!("{WORDS}{script}");
        let output = self.command("bash").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the program under test beside the tokens, which never shows the PIN.
    fn touchstone(&self, arguments: &[&str]) -> Output {
        without_pin(self.command(TOUCHSTONE).args(arguments).output().unwrap())
    }

    /// Signs `addon`, which must end well; the answer is the signed program.
    fn sign(&self, key: &str, certificate: &str) -> Vec<u8> {
        self.sign_with(key, certificate, &[])
    }

    fn sign_with(&self, key: &str, certificate: &str, more: &[&str]) -> Vec<u8> {
        let output = self.touchstone(&[&signing(key, certificate)[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{key}: {said}");
        let signed = self.work.read("signed.efi");
        std::fs::remove_file(self.work.path("signed.efi")).unwrap();
        signed
    }

    /// The URI of a key, of SoftHSM2's module and with the PIN.
    fn key(&self, path: &str) -> String {
        self.key_of(SOFTHSM, path)
    }

    fn key_of(&self, module: &str, path: &str) -> String {
        let pin = self.work.path("pin");
        format!(
            "pkcs11:{path}?module-path={module}&pin-source={}",
            pin.display()
        )
    }
}

/// The words that sign `addon` as `signed.efi`.
fn signing<'a>(key: &'a str, certificate: &'a str) -> [&'a str; 9] {
    [
        "pe",
        "sign",
        "addon",
        "--key",
        key,
        "--certificate",
        certificate,
        "--output",
        "signed.efi",
    ]
}

fn without_pin(output: Output) -> Output {
    for stream in [&output.stdout, &output.stderr] {
        let said = String::from_utf8_lossy(stream);
        assert!(!said.contains(PIN), "it shows the PIN: {said}");
    }
    output
}
