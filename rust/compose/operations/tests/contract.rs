//! The contract of this build is the one that the Nix functions compare with a plugin's (`nix-plugin/lib/contract`).
#![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

use std::path::Path;

use touchstone_operations::contract;

/// The variable that has the file written anew.
const REWRITE: &str = "TOUCHSTONE_REWRITE_CONTRACT";

#[test]
fn the_committed_contract_is_that_of_the_operations() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../nix-plugin/lib/contract");
    let line = format!("{}\n", contract());
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, &line).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        committed, line,
        "a schema has changed, and with it what a plugin of another commit may be asked: write nix-plugin/lib/contract anew by\n\
         {REWRITE}=1 cargo test -p touchstone-operations --test contract\n"
    );
}

#[test]
fn a_contract_is_one_sha_256() {
    let contract = contract();
    assert_eq!(contract.len(), 64);
    let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
    assert!(contract.chars().all(is_digit), "{contract}");
}
