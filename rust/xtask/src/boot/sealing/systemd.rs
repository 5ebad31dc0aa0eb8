//! What systemd sealed to a key, opened by systemd with the signatures that we put into UKIs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use tempfile::TempDir;
use touchstone_harness::Root;
use touchstone_harness::boot::SoftTpm;
use touchstone_harness::guest;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use super::bench::Bench;
use super::generation::Generation;
use super::user_space::{self, END};
use crate::boot::Outcome;

/// What systemd is given to keep, and the name under which it does.
const SECRET: &str = "what systemd keeps";
const NAME: &str = "--name=check";
/// The phase whose values are signed.
const PHASE: &str = "enter-initrd";
/// What the guest does.
const SCRIPT: &str = "
signature=/.extra/tpm2-pcr-signature.json
decrypt() { systemd-creds decrypt --name=check --tpm2-signature=$signature /credential -; echo; }
echo \"before: $(decrypt)\"
systemd-pcrextend enter-initrd
echo \"at: $(decrypt)\"
systemd-pcrextend leave-initrd
echo \"after: $(decrypt)\"
";

/// A key, what systemd sealed to it, and a TPM that opens it.
struct Credential {
    suite: &'static str,
    folder: TempDir,
    initrd: PathBuf,
}

impl Credential {
    /// Has the systemd of a suite seal its secret to a new key's signatures for PCR 11, in a new TPM.
    fn seal(bench: &Bench<'_>, suite: &'static str, systemd: &Root) -> Result<Credential> {
        // Not below TMPDIR: the path of the TPM's socket has to stay short.
        let folder = tempfile::tempdir_in("/tmp")?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (key, public) = (path("key.pem"), path("public.pem"));
        fs::create_dir(path("state"))?;
        fs::write(path("plain"), SECRET)?;
        let tpm = SoftTpm::start(&bench.root, folder.path(), Path::new(&path("state")))?;
        tpm.run("openssl", &["genrsa", "-out", &key, "2048"])?;
        tpm.run("openssl", &["rsa", "-in", &key, "-pubout", "-out", &public])?;
        let device = format!("--tpm2-device=swtpm:path={}", tpm.socket().display());
        let public = format!("--tpm2-public-key={public}");
        let seal = ["encrypt", NAME, "--with-key=tpm2-with-public-key", &device];
        let to = ["--tpm2-public-key-pcrs=11", "--tpm2-pcrs=", &public];
        let files = [path("plain"), path("credential")];
        let files = files.each_ref().map(String::as_str);
        let visit = systemd.visit().bind(folder.path());
        let mut command = visit.command("systemd-creds")?;
        command.args(seal).args(to).args(files);
        output(command)?;
        drop(tpm);
        let initrd = folder.path().join("initrd");
        let credential = fs::read(path("credential"))?;
        let content = user_space::initrd(bench, systemd, SCRIPT, &[("credential", credential)])?;
        fs::write(&initrd, content)?;
        Ok(Credential {
            suite,
            folder,
            initrd,
        })
    }

    /// Boots a generation whose UKI has our signatures for the values of another (or itself); the answer is what systemd opened, before, at
    /// and after the signed phase.
    fn open(
        &self,
        bench: &Bench<'_>,
        generation: Generation,
        signed: Generation,
    ) -> Result<[bool; 3]> {
        let signatures = self.path("signatures.json");
        let mut sign = bench.command(&["policy", "sign", "--phase", PHASE]);
        sign.arg("--uki").arg(self.uki(bench, signed, None)?);
        sign.arg("--key").arg(self.path("key.pem"));
        sign.arg("--output").arg(&signatures);
        output(sign)?;
        let uki = self.uki(bench, generation, Some(&signatures))?;
        let stage = Stage::begin(format!("Booting {generation} with systemd's own tools"));
        let machine = bench.machine(&uki)?;
        let machine = machine.tpm_state(self.path("state")).last_line(END);
        let boot = machine.boot()?;
        boot.reached()?;
        stage.done("reached its end");
        let moments = ["before", "at", "after"];
        Ok(moments.map(|moment| boot.serial.contains(&format!("{moment}: {SECRET}"))))
    }

    /// The UKI of a generation with the public key, and with these signatures.
    fn uki(
        &self,
        bench: &Bench<'_>,
        generation: Generation,
        signatures: Option<&Path>,
    ) -> Result<PathBuf> {
        let path = self.path("uki.efi");
        let build = guest::uki_with_stub(bench.inputs, self.suite)?;
        let mut build = bench.signed(build, generation, &self.initrd);
        build.arg("--pcrpkey").arg(self.path("public.pem"));
        if let Some(signatures) = signatures {
            build
                .arg("--pcrsig")
                .arg(format!("@{}", signatures.display()));
        }
        build.arg("--output").arg(&path);
        output(build)?;
        Ok(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Boots what our signatures are for, and what they are not for, with systemd 257 and with the newest one.
pub fn claims(bench: &Bench<'_>, outcome: &mut Outcome) -> Result<()> {
    claims_of(bench, "trixie", &bench.root, outcome)?;
    match bench.inputs.sid() {
        Some(root) => claims_of(bench, "sid", &root, outcome),
        None => {
            println!("  left out: sid does not answer");
            Ok(())
        }
    }
}

fn claims_of(
    bench: &Bench<'_>,
    suite: &'static str,
    systemd: &Root,
    outcome: &mut Outcome,
) -> Result<()> {
    let credential = Credential::seal(bench, suite, systemd)?;
    let [first, second] = [1, 2].map(Generation::plain);
    for (claim, signed, expected) in [
        (
            "opens what it sealed to a key by our signature for the UKI, at the signed phase alone",
            second,
            [false, true, false],
        ),
        (
            "does not open it by our signature for another UKI",
            first,
            [false; 3],
        ),
    ] {
        let opened = credential.open(bench, second, signed)?;
        let as_expected = if opened == expected {
            Ok(())
        } else {
            Err(anyhow!("before, at and after the phase: {opened:?}"))
        };
        outcome.add(&format!("systemd of {suite} {claim}"), as_expected);
    }
    Ok(())
}
