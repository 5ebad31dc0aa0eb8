//! Keys in a TPM: the program beside a software TPM (swtpm), with keys made by tpm2-tools and by OpenSSL's provider for TPMs.

mod agent;
mod device;
mod refusals;
mod signing;

use std::process::Output;

use touchstone_harness::WITH_TPM;

use crate::support::{TOUCHSTONE, Work};

/// A folder with a program to sign, `addon`, and software TPMs, whose state stays from visit to visit.
struct Tpm {
    work: Work,
}

impl Tpm {
    fn new() -> Tpm {
        Tpm::of(Work::new())
    }

    fn of(work: Work) -> Tpm {
        work.addon_stub("trixie", "x64", "addon");
        work.write("with-tpm.sh", WITH_TPM);
        Tpm { work }
    }

    /// Does a script (see `with-tpm.sh` for its words) beside the TPM of this name.
    fn beside(&self, state: &str, script: &str) -> Output {
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let mut command = visit.show(TOUCHSTONE).command("bash").unwrap();
        command
            .env("LC_ALL", "C")
            .env("TOUCHSTONE", TOUCHSTONE)
            .args(["with-tpm.sh", state, script]);
        command.output().unwrap()
    }

    /// Does a script beside the TPM; each of its steps must succeed. The answer is what it printed.
    fn done(&self, script: &str) -> String {
        self.done_beside("tpm", script)
    }

    fn done_beside(&self, state: &str, script: &str) -> String {
        let output = self.beside(state, script);
        let said = String::from_utf8_lossy(&output.stderr);
        let programs: String = std::fs::read_dir(self.work.folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "stderr"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        assert!(output.status.success(), "{said}{programs}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether both verifiers accept the file under this certificate.
    fn is_accepted(&self, certificate: &str, file: &str) -> bool {
        let verify = |program, arguments: &[&str]| self.work.debian(program, arguments).status;
        verify("sbverify", &["--cert", certificate, file]).success()
            && self.osslsigncode_accepts(certificate, file)
    }

    /// The verifier that knows images signed over SHA-384.
    fn osslsigncode_accepts(&self, certificate: &str, file: &str) -> bool {
        let arguments = ["verify", "-in", file, "-CAfile", certificate];
        let output = self.work.debian("osslsigncode", &arguments);
        output.status.success()
    }

    /// A file as text.
    fn text(&self, name: &str) -> String {
        String::from_utf8(self.work.read(name)).unwrap()
    }

    /// Everything that went over the bus of the TPM of this name in the last visit, in hexadecimal digits.
    fn bus(&self, state: &str) -> String {
        let mut log = self.text(&format!("{state}.log"));
        log.retain(|character| !character.is_whitespace());
        log.to_ascii_lowercase()
    }
}

/// A text as it would go over the bus.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The commands of the documentation.
fn documented() -> String {
    crate::support::documented(include_str!("../../../../docs/tpm-keys.md"))
}
