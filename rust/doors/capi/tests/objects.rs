//! What is in the files, read by goblin.

use std::collections::BTreeSet;
use std::fs;

use goblin::archive::Archive;
use goblin::elf::dynamic::{DT_FLAGS_1, DT_TEXTREL};
use goblin::elf::header::ET_DYN;
use goblin::elf::{Elf, section_header::SHN_UNDEF};

use crate::compiler::Workshop;

/// The list in the repository.
fn listed() -> BTreeSet<String> {
    let list = include_str!("../symbols.txt");
    let names: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    assert_eq!(names.len(), list.lines().count());
    names
}

#[test]
fn the_shared_library_exports_the_listed_symbols_and_no_other() {
    let workshop = Workshop::new();
    let bytes = fs::read(workshop.path("lib/libtouchstone.so.1")).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    assert_eq!(elf.header.e_type, ET_DYN);
    let exported: BTreeSet<String> = elf
        .dynsyms
        .iter()
        .filter(|symbol| symbol.st_shndx != SHN_UNDEF as usize && symbol.st_bind() != 0)
        .map(|symbol| elf.dynstrtab.get_at(symbol.st_name).unwrap().to_owned())
        .collect();
    assert_eq!(exported, listed());
}

#[test]
fn the_archive_has_the_listed_symbols_and_no_other_of_that_prefix() {
    let workshop = Workshop::new();
    let bytes = fs::read(workshop.path("lib/libtouchstone.a")).unwrap();
    let archive = Archive::parse(&bytes).unwrap();
    let mut found = BTreeSet::new();
    for member in archive.members() {
        let Ok(elf) = Elf::parse(archive.extract(member, &bytes).unwrap()) else {
            continue;
        };
        for symbol in elf.syms.iter() {
            let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
            let ours = name.starts_with("touchstone");
            if ours && symbol.st_shndx != SHN_UNDEF as usize && symbol.st_bind() != 0 {
                found.insert(name.to_owned());
            }
        }
    }
    assert_eq!(found, listed());
}

#[test]
fn the_name_of_the_shared_library_carries_the_version_of_the_interface() {
    let workshop = Workshop::new();
    let header = include_str!("../include/touchstone.h");
    let abi = header
        .lines()
        .find_map(|line| line.strip_prefix("#define TOUCHSTONE_ABI "))
        .unwrap();
    let bytes = fs::read(workshop.path("lib/libtouchstone.so.1")).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    assert_eq!(elf.soname, Some(&*format!("libtouchstone.so.{abi}")));
}

/// Nothing but the C library and the unwinder, nothing that is written to code, nothing that a loader puts off, and it stays loaded.
#[test]
fn the_shared_library_needs_the_c_library_and_the_unwinder_alone() {
    let workshop = Workshop::new();
    let bytes = fs::read(workshop.path("lib/libtouchstone.so.1")).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let known = [
        "libc.so.",
        "libgcc_s.so.",
        "ld-linux",
        "libm.so.",
        "libdl.so.",
        "libpthread.so.",
    ];
    for needed in &elf.libraries {
        assert!(
            known.iter().any(|known| needed.starts_with(known)),
            "{needed}"
        );
    }
    assert!(
        elf.libraries
            .iter()
            .any(|needed| needed.starts_with("libgcc_s"))
    );
    let dynamic = elf.dynamic.unwrap();
    let value = |tag: u64| dynamic.dyns.iter().find(|entry| entry.d_tag == tag);
    assert!(value(DT_TEXTREL).is_none());
    const DF_1_NOW: u64 = 1;
    const DF_1_NODELETE: u64 = 8;
    let flags = value(DT_FLAGS_1).unwrap().d_val;
    assert_eq!(flags & (DF_1_NOW | DF_1_NODELETE), DF_1_NOW | DF_1_NODELETE);
}

#[test]
fn every_listed_symbol_is_in_the_header() {
    let header = include_str!("../include/touchstone.h");
    for symbol in listed() {
        assert!(header.contains(&format!("{symbol}(")), "{symbol}");
    }
}
