//! The program as it is shipped: how large it is, what it loads, and what it is made of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use touchstone_harness::inputs::inputs;
use touchstone_harness::nix::output;

/// One MiB.
const LARGEST: usize = 1 << 20;
/// Program headers and tags of ELF. Source: System V ABI, "Program Header", "Dynamic Section".
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;

fn shipped() -> Vec<u8> {
    let program = inputs().stage1;
    fs::read(program.expect("stage 1 is not built: run `cargo xtask setup`")).unwrap()
}

/// A number of a file, least significant byte first.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes[at..at + length].iter().rev();
    bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Kind, place in the file and length there of each program header.
fn program_headers(elf: &[u8]) -> Vec<(u64, usize, usize)> {
    assert_eq!(&elf[..5], b"\x7fELF\x02", "an ELF of 64 bits");
    let (at, size, count) = (number(elf, 32, 8), number(elf, 54, 2), number(elf, 56, 2));
    let header = |index: u64| {
        let at = (at + index * size) as usize;
        let (place, length) = (number(elf, at + 8, 8), number(elf, at + 32, 8));
        (number(elf, at, 4), place as usize, length as usize)
    };
    (0..count).map(header).collect()
}

#[test]
fn it_has_at_most_one_mebibyte_and_no_symbols() {
    let elf = shipped();
    println!("{} bytes of {LARGEST}", elf.len());
    assert!(elf.len() <= LARGEST, "{} bytes", elf.len());
    assert!(!elf.windows(8).any(|window| window == b".symtab\0"));
}

#[test]
fn it_loads_no_shared_library_and_has_no_interpreter() {
    let elf = shipped();
    let headers = program_headers(&elf);
    assert!(headers.iter().any(|(kind, ..)| *kind == PT_LOAD));
    assert!(headers.iter().all(|(kind, ..)| *kind != PT_INTERP));
    for (_, place, length) in headers.iter().filter(|(kind, ..)| *kind == PT_DYNAMIC) {
        for at in (*place..place + length).step_by(16) {
            assert_ne!(number(&elf, at, 8), DT_NEEDED);
        }
    }
}

/// What the README's table says of each crate.
fn justified() -> BTreeMap<String, String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).unwrap();
    let rows = text.lines().filter_map(|line| {
        let (name, why) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name.to_owned(), why.trim_end_matches(" |").to_owned()))
    });
    rows.collect()
}

/// The crates whose code is in the program, as cargo resolves them for it alone.
fn linked() -> Vec<String> {
    let mut tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args([
        "tree",
        "--offline",
        "--locked",
        "--edges",
        "normal,no-proc-macro",
    ]);
    tree.args(["--target", "x86_64-unknown-linux-musl", "--prefix", "none"]);
    tree.args(["--package", "touchstone-stage1", "--format", "{p}"]);
    let tree = output(tree).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names.retain(|name| name != "touchstone-stage1");
    names
}

#[test]
fn every_crate_that_it_is_made_of_is_justified_in_the_readme() {
    let (justified, linked) = (justified(), linked());
    for name in &linked {
        let why = justified.get(name).map_or("NOT JUSTIFIED", String::as_str);
        println!("{name:<20} {why}");
    }
    let listed: Vec<&String> = justified.keys().collect();
    assert_eq!(listed, linked.iter().collect::<Vec<_>>());
}
