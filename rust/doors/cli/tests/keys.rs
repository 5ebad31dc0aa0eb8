//! `touchstone keys`, beside efitools, virt-firmware and openssl.

use serde_json::Value;
use touchstone_harness::nix::output;

use crate::support::{Work, assert_same_bytes};

mod firmware;
mod foreign;
mod generated;
mod lists;
mod option_roms;
mod page;
mod updates;

/// The time of the tests' updates, as each program wants it.
const TIME: &str = "2026-01-31T12:34:56Z";
const TIME_OF_EFITOOLS: &str = "2026-01-31 12:34:56";
/// The owner of the tests' entries.
const OWNER: &str = "11223344-5566-7788-99aa-bbccddeeff00";
const VARIABLES: [&str; 4] = ["PK", "KEK", "db", "dbx"];

impl Work {
    /// Runs a program of Debian, which must end well; the answer is what it printed.
    fn peer(&self, program: &str, arguments: &[&str]) -> String {
        let visit = self.inside(self.inputs.trixie().visit());
        let mut command = visit.command(program).unwrap();
        command.args(arguments);
        output(command).unwrap()
    }

    /// What a file holds, as `keys inspect` says it.
    fn inspected(&self, file: &str) -> Value {
        let mut answer = self.json(["keys", "inspect", "--json", file]);
        answer["files"][0].take()
    }

    /// Signs an update by `key` of the folder `keys`.
    fn sign_update(&self, key: &str, options: &[&str], list: &str, output: &str) {
        let [private, certificate] = ["key", "pem"].map(|kind| format!("keys/{key}.{kind}"));
        let sign = [
            "keys",
            "auth",
            "--key",
            &private,
            "--certificate",
            &certificate,
        ];
        let files = ["--time", TIME, "--output", output, list];
        self.done([&sign, options, &files].concat());
    }

    /// Signs an update by `key` of the folder `keys` with sign-efi-sig-list.
    fn sign_by_efitools(&self, key: &str, options: &[&str], names: [&str; 3]) {
        let [private, certificate] = ["key", "pem"].map(|kind| format!("keys/{key}.{kind}"));
        let sign = ["-t", TIME_OF_EFITOOLS, "-k", &private, "-c", &certificate];
        self.peer("sign-efi-sig-list", &[&sign, options, &names].concat());
    }
}

/// The codes of an answer's warnings.
fn codes(answer: &Value) -> Vec<&str> {
    let warnings = answer["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning["code"].as_str().unwrap())
        .collect()
}
