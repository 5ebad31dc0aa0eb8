//! `touchstone policy`, and `.pcrsig` in UKIs, beside tpm2-tools and systemd, each with a software TPM.

#[cfg(all(feature = "token", feature = "tpm"))]
mod holders;
mod page;
mod pcrsig;
mod refusals;
mod sealing;
pub mod shorthand;
mod systemd;
mod ukify;

use std::process::Output;

use touchstone_harness::{Systemd, WITH_TPM, systemds};

use crate::support::{TOUCHSTONE, Work};

/// Does a script beside the TPM of this name (see `with-tpm.sh` for its words); each of its steps must succeed. The answer
/// is what it printed.
fn with_tpm(work: &Work, state: &str, script: &str) -> String {
    let output = try_with_tpm(work, state, script);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn try_with_tpm(work: &Work, state: &str, script: &str) -> Output {
    work.write("with-tpm.sh", WITH_TPM);
    let visit = work.inside(work.inputs.trixie().visit());
    let mut command = visit.show(TOUCHSTONE).command("bash").unwrap();
    command
        .env("LC_ALL", "C")
        .env("TOUCHSTONE", TOUCHSTONE)
        .args(["with-tpm.sh", state, script]);
    command.output().unwrap()
}

/// Runs a program of a systemd release. That of 257 needs a TPM for every digest that it makes.
fn systemd(work: &Work, systemd: &Systemd, program: &str, arguments: &[String]) -> String {
    if systemd.release != 257 {
        return work.systemd(systemd, program, arguments);
    }
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| format!("'{argument}'"))
        .collect();
    let script = format!(
        "export SYSTEMD_TPM2_DEVICE=$TCTI\n{program} {}",
        quoted.join(" ")
    );
    with_tpm(work, "tpm-of-systemd", &script)
}

/// A key pair by OpenSSL: `NAME.key` and `NAME.pub`.
fn key_pair(work: &Work, name: &str, algorithm: &[&str]) {
    let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
    let make = [&["genpkey", "-out", &key], algorithm].concat();
    assert!(work.debian("openssl", &make).status.success());
    let convert = ["pkey", "-in", &key, "-pubout", "-out", &public];
    assert!(work.debian("openssl", &convert).status.success());
}

const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const RSA_3072: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"];
const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// The releases that must be there: a missing one is a failure, not a pass.
fn both(work: &Work) -> Vec<Systemd> {
    let releases = systemds(&work.inputs);
    let numbers: Vec<u32> = releases.iter().map(|systemd| systemd.release).collect();
    assert_eq!(numbers, [257, 262]);
    releases
}

/// SHA-256 in hexadecimal digits, by a peer.
fn sha256(work: &Work, bytes: &[u8]) -> String {
    work.write("hashed", bytes);
    let output = work.debian("sha256sum", &["hashed"]);
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// The bytes of hexadecimal digits.
fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A register's value after an event, in hexadecimal digits.
fn extended(work: &Work, value: &str, event: &str) -> String {
    sha256(work, &bytes(&format!("{value}{event}")))
}
