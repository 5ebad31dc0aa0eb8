//! systemd opens what it sealed to our keys: systemd-creds of 257 and 262 take our signatures.

use std::fmt::Write as _;
use std::process::{Child, Output, Stdio};

use serde_json::{Value, json};
use touchstone_harness::{Systemd, WITH_TPM};

use super::{P256, RSA_2048, both, bytes, extended, key_pair, sha256, with_tpm};
use crate::support::{Work, noise};
use crate::ukify::amd64;

/// A software TPM that is there until it is dropped, for programs of any root.
struct Tpm<'a> {
    work: &'a Work,
    name: String,
    script: Child,
}

impl<'a> Tpm<'a> {
    fn new(work: &'a Work, name: String) -> Tpm<'a> {
        work.write("with-tpm.sh", WITH_TPM);
        let visit = work.inside(work.inputs.trixie().visit());
        let mut command = visit.command("bash").unwrap();
        let script = format!(
            "echo \"$TCTI\" >{name}.new; mv {name}.new {name}.tcti; until [ -e {name}.stop ]; do sleep 0.1; done"
        );
        let script = command
            .stderr(Stdio::null())
            .args(["with-tpm.sh", &name, &script])
            .spawn()
            .unwrap();
        let started = std::time::Instant::now();
        while !work.path(&format!("{name}.tcti")).exists() {
            assert!(started.elapsed().as_secs() < 60, "no TPM started");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Tpm { work, name, script }
    }

    fn tcti(&self) -> String {
        let file = self.work.read(&format!("{}.tcti", self.name));
        String::from_utf8(file).unwrap().trim().to_owned()
    }

    /// Runs a program of this release, which must end well.
    fn creds(&self, systemd: &Systemd, words: &str) -> Output {
        let mut command = self
            .work
            .inside(systemd.visit())
            .command("systemd-creds")
            .unwrap();
        let device = format!("--tpm2-device={}", self.tcti());
        command.args(words.split_whitespace()).arg(device);
        command.output().unwrap()
    }

    /// Seals a secret to a key's signatures over these registers; systemd looks at nothing else.
    fn seal(&self, systemd: &Systemd, pcrs: &str) {
        let words = format!(
            "encrypt --with-key=tpm2-with-public-key --tpm2-pcrs= --tpm2-public-key=pcr.pub --tpm2-public-key-pcrs={pcrs} \
             --name=x secret sealed"
        );
        let output = self.creds(systemd, &words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// What systemd makes of what it sealed.
    fn unseal(&self, systemd: &Systemd) -> Option<String> {
        let words = "decrypt --tpm2-signature=signatures --name=x sealed -";
        let output = self.creds(systemd, words);
        let opened = output.status.success();
        opened.then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn extend(&self, pcr: u32, digest: &str) {
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let mut command = visit.command("tpm2_pcrextend").unwrap();
        command.env("TPM2TOOLS_TCTI", self.tcti());
        let output = command.arg(format!("{pcr}:sha256={digest}")).output();
        assert!(output.unwrap().status.success());
    }
}

impl Drop for Tpm<'_> {
    fn drop(&mut self) {
        self.work.write(&format!("{}.stop", self.name), "");
        let _ = self.script.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signatures of a set of predictions over four registers, and the events of the machine that is among them.
fn with_signed_set(algorithm: &[&str]) -> (Work, Vec<(u32, String)>) {
    let work = Work::new();
    key_pair(&work, "pcr", algorithm);
    work.write("secret", "of systemd");
    let events: Vec<(u32, String)> = [7, 11, 12, 13]
        .into_iter()
        .map(|pcr| (pcr, hex(&noise(u64::from(pcr), 32))))
        .collect();
    let mut pcrs = serde_json::Map::new();
    for (pcr, event) in &events {
        let value = extended(&work, &"00".repeat(32), event);
        pcrs.insert(pcr.to_string(), json!({ "sha256": value }));
    }
    let mut other = pcrs.clone();
    other["7"] = json!({ "sha256": hex(&noise(1, 32)) });
    let leaf =
        |path: &str, pcrs: Value| json!({ "path": [path], "pcrs": pcrs, "measurements": [] });
    let leaves = [leaf("other", other.into()), leaf("this", pcrs.into())];
    let prediction = json!({ "leaves": leaves, "assumptions": [] });
    work.write("machine.json", prediction.to_string());
    work.done("policy create machine.json --running machine --output policy.json".split(' '));
    work.done("policy sign --policy policy.json --key pcr.key --output signatures".split(' '));
    (work, events)
}

#[test]
fn a_signed_set_of_predictions_opens_what_systemd_sealed() {
    let (work, events) = with_signed_set(RSA_2048);
    for systemd in both(&work) {
        let tpm = Tpm::new(&work, format!("set-{}", systemd.release));
        // systemd takes registers that were never extended for those of a firmware that measures nothing.
        for (pcr, event) in &events[1..] {
            tpm.extend(*pcr, event);
        }
        tpm.seal(&systemd, "7+11+12+13");
        assert_eq!(tpm.unseal(&systemd), None, "{}", systemd.release);
        tpm.extend(7, &events[0].1);
        let opened = tpm.unseal(&systemd);
        assert_eq!(opened.as_deref(), Some("of systemd"), "{}", systemd.release);
        // The policy to which systemd sealed is the one that we name: it stands in the sealed file.
        let signed = work.json("policy sign --json --policy policy.json --key pcr.key".split(' '));
        let sealed = work.debian("base64", &["--decode", "sealed"]).stdout;
        let policy = signed["policy"].as_str().unwrap();
        assert!(hex(&sealed).contains(policy), "{}", systemd.release);
        tpm.extend(12, &events[0].1);
        assert_eq!(tpm.unseal(&systemd), None, "{}", systemd.release);
    }
}

/// Why a UKI is not signed by such a key: systemd seals to it and asks the TPM for an RSA signature then.
#[test]
fn nothing_opens_what_systemd_sealed_to_a_key_of_an_elliptic_curve() {
    let (work, events) = with_signed_set(P256);
    for systemd in both(&work) {
        let tpm = Tpm::new(&work, format!("curve-{}", systemd.release));
        for (pcr, event) in &events {
            tpm.extend(*pcr, event);
        }
        tpm.seal(&systemd, "7+11+12+13");
        assert_eq!(tpm.unseal(&systemd), None, "{}", systemd.release);
    }
}

/// The signatures inside a UKI, at the phase for which they are and at no other.
#[test]
fn the_signatures_of_a_uki_open_what_systemd_sealed_in_its_initrd() {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    work.write("secret", "of the initrd");
    let build = "uki build --stub stub --linux vmlinuz --initrd initrd --cmdline quiet --pcr-private-key pcr.key \
        --pcr-public-key pcr.pub --phases enter-initrd --output uki.efi";
    work.done(build.split_whitespace());
    let image = work.read("uki.efi");
    let section = |start: &[u8]| {
        let start = image
            .windows(start.len())
            .position(|bytes| bytes == start)
            .unwrap();
        let len = image[start..].iter().position(|byte| *byte == 0).unwrap();
        image[start..start + len].to_vec()
    };
    work.write("signatures", section(b"{\"sha256\":"));
    let sections: [(&str, Vec<u8>); 6] = [
        (".linux", work.read("vmlinuz")),
        (".cmdline", b"quiet".to_vec()),
        (".initrd", work.read("initrd")),
        (".uname", work.inputs.kernel["amd64"].version.clone().into()),
        (".sbat", section(b"sbat,1,SBAT Version")),
        (".pcrpkey", work.read("pcr.pub")),
    ];
    let mut events = Vec::new();
    for (name, content) in sections {
        events.push(sha256(&work, format!("{name}\0").as_bytes()));
        events.push(sha256(&work, &content));
    }
    for systemd in both(&work) {
        let tpm = Tpm::new(&work, format!("uki-{}", systemd.release));
        events.iter().for_each(|event| tpm.extend(11, event));
        tpm.seal(&systemd, "11");
        assert_eq!(tpm.unseal(&systemd), None, "before the initrd");
        tpm.extend(11, &sha256(&work, b"enter-initrd"));
        let opened = tpm.unseal(&systemd);
        assert_eq!(
            opened.as_deref(),
            Some("of the initrd"),
            "{}",
            systemd.release
        );
        tpm.extend(11, &sha256(&work, b"leave-initrd"));
        assert_eq!(tpm.unseal(&systemd), None, "behind the initrd");
    }
}

/// What systemd-measure 257 signs in another bank than SHA-256 no TPM takes for a PolicyAuthorize; ours, and that of 262, it
/// does.
#[test]
fn signatures_in_other_banks_are_ones_that_a_tpm_takes() {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    work.done("uki build --stub stub --linux vmlinuz --output uki.efi --uname x".split(' '));
    let bank =
        "policy sign --uki uki.efi --key pcr.key --bank sha384 --phase enter-initrd --output ours";
    work.done(bank.split(' '));
    let mut script = String::from(
        "tpm2_loadexternal --quiet --key-algorithm=rsa --hierarchy=o --public=pcr.pub --key-context=k\n",
    );
    let mut check = |name: &str, signed: &Value| {
        let pol = signed["pol"].as_str().unwrap();
        work.write(&format!("{name}.message"), bytes(pol));
        work.write(&format!("{name}.base64"), signed["sig"].as_str().unwrap());
        writeln!(
            script,
            "base64 --decode {name}.base64 >{name}.signature\n\
             tpm2_verifysignature --key-context=k --hash-algorithm=sha256 --message={name}.message \
             --signature={name}.signature --scheme=rsassa 2>{name}.stderr && echo {name}: taken || echo {name}: refused\n\
             tpm2_flushcontext --transient-object"
        )
        .unwrap();
    };
    let ours: Value = serde_json::from_slice(&work.read("ours")).unwrap();
    check("ours", &ours["sha384"][0]);
    for release in both(&work) {
        let words = "sign --linux=vmlinuz --bank=sha384 --phase=enter-initrd --private-key=pcr.key --public-key=pcr.pub";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let theirs = super::systemd(&work, &release, "/usr/lib/systemd/systemd-measure", &words);
        let theirs: Value = serde_json::from_str(&theirs).unwrap();
        check(&format!("of-{}", release.release), &theirs["sha384"][0]);
    }
    let said = with_tpm(&work, "tpm", &script);
    assert_eq!(said, "ours: taken\nof-257: refused\nof-262: taken\n");
}
