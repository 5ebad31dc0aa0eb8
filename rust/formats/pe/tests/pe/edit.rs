//! Replacing and removing sections.

use std::io::Cursor;

use touchstone_pe::layout::{Change, Content, Layout, Options, PlanError, Which, Written};
use touchstone_pe::{Image, authenticode};

use crate::builder::{self, Builder, OPTIONAL, PE, Seen};
use crate::layout::new;

fn name(text: &str) -> Which {
    Which::Name(text.parse().unwrap())
}

fn add(name: &str, bytes: &[u8]) -> Change<'static> {
    Change::Add(new(name, Content::bytes(bytes.to_vec())))
}

fn replace(text: &str, bytes: &[u8]) -> Change<'static> {
    Change::Replace(name(text), Content::bytes(bytes.to_vec()))
}

fn remove(text: &str) -> Change<'static> {
    Change::Remove(name(text))
}

/// Edits, checks what must hold of every edited image, and gives the file.
fn edit(base: &[u8], changes: Vec<Change<'static>>) -> Result<(Vec<u8>, Written), PlanError> {
    let image = builder::read(base);
    let layout = Layout::edit(&image, changes, Options::default())?;
    let mut out = Cursor::new(Vec::new());
    let mut seen = Seen::default();
    let written = layout
        .write(
            &mut Cursor::new(base),
            &mut out,
            &mut [&mut seen],
            &mut |_| (),
        )
        .unwrap();
    let file = out.into_inner();
    assert_eq!(builder::read(&file), written.image);
    let digest = authenticode::sha256(&written.image, &mut Cursor::new(&file)).unwrap();
    assert_eq!(digest, written.authenticode_sha256);
    for section in written.image.sections() {
        assert_eq!(
            bytes(&file, section.name.as_str()),
            seen.get(section.name.as_str()).unwrap()
        );
    }
    Ok((file, written))
}

fn bytes(file: &[u8], name: &str) -> Vec<u8> {
    let image = builder::read(file);
    let section = image.section(name).unwrap();
    image
        .section_bytes(&mut Cursor::new(file), section, 1 << 20)
        .unwrap()
}

fn address(image: &Image, name: &str) -> u32 {
    image.section(name).unwrap().virtual_address
}

#[test]
fn a_removed_section_leaves_its_addresses_but_not_its_bytes() {
    let base = Builder::stub().build();
    let (file, written) = edit(&base, vec![remove(".sbat")]).unwrap();
    let old = builder::read(&base);
    assert!(written.image.section(".sbat").is_none());
    for kept in [".text", ".sdmagic", ".reloc"] {
        assert_eq!(address(&written.image, kept), address(&old, kept));
        assert_eq!(bytes(&file, kept), bytes(&base, kept));
    }
    assert_eq!(file.len(), base.len() - 0x400);
    assert_eq!(written.image.section(".sdmagic").unwrap().raw_offset, 0xa00);
    let row = Builder::stub().section_table() + 3 * 40;
    assert_eq!(
        file[row..row + 40],
        [0; 40],
        "the table's last row is free again"
    );
    assert_eq!(file[PE + 6], 3, "NumberOfSections");
}

#[test]
fn what_was_added_can_be_removed_without_a_trace() {
    let base = Builder::stub().build();
    let (plain, _) = edit(&base, vec![]).unwrap();
    let (with, _) = edit(&base, vec![add(".a", &[1; 3000]), add(".b", b"two")]).unwrap();
    let (without, _) = edit(&with, vec![remove(".a"), remove(".b")]).unwrap();
    assert_eq!(without, plain);
}

#[test]
fn addresses_at_the_end_are_given_again() {
    let base = Builder::stub().build();
    let (_, written) = edit(&base, vec![remove(".reloc"), add(".a", b"x")]).unwrap();
    assert_eq!(
        address(&written.image, ".a"),
        address(&builder::read(&base), ".reloc")
    );
}

#[test]
fn a_replacement_may_be_longer_or_shorter_than_what_was_there() {
    let base = Builder::stub().build();
    for len in [0, 1, 0x200, 0x201, 0x400, 0x401, 0x1000] {
        let content = vec![7; len];
        let (file, written) = edit(&base, vec![replace(".sbat", &content)]).unwrap();
        assert_eq!(bytes(&file, ".sbat"), content);
        assert_eq!(bytes(&file, ".reloc"), b"relocations");
        let section = written.image.section(".sbat").unwrap();
        assert_eq!(section.raw_size as usize, len.next_multiple_of(0x200));
        assert_eq!(file.len(), base.len() - 0x400 + section.raw_size as usize);
        assert_eq!(address(&written.image, ".reloc"), 0x4000);
        let data = u32::from_le_bytes(file[OPTIONAL + 8..OPTIONAL + 12].try_into().unwrap());
        assert_eq!(
            data,
            (1000 + len as u32).saturating_sub(0x400).max(len as u32)
        );
    }
}

#[test]
fn a_replacement_ends_before_the_next_section_that_is_left() {
    let base = Builder::stub().build();
    let long = |len| replace(".sbat", &vec![7; len]);
    let refused = edit(&base, vec![long(0x1001)]).err().unwrap();
    assert!(matches!(
        refused,
        PlanError::NoRoomInMemory {
            room: 0x1000,
            len: 0x1001,
            ..
        }
    ));
    assert!(edit(&base, vec![long(0x2000), remove(".sdmagic")]).is_ok());
    assert!(edit(&base, vec![remove(".sdmagic"), long(0x2001)]).is_err());
    assert!(
        edit(&base, vec![replace(".reloc", &[7; 0x10_0000])]).is_ok(),
        "the last one"
    );
}

#[test]
fn a_section_without_bytes_can_get_some() {
    let builder = Builder::stub().section(".bss", b"").section(".end", b"end");
    let mut base = builder.build();
    let row = builder.section_table() + 4 * 40;
    base[row + 8..row + 12].copy_from_slice(&0x100_u32.to_le_bytes());
    base[row + 40 + 12..row + 40 + 16].copy_from_slice(&0x6000_u32.to_le_bytes());
    let (file, written) = edit(&base, vec![replace(".bss", b"now")]).unwrap();
    assert_eq!(
        (bytes(&file, ".bss"), bytes(&file, ".end")),
        (b"now".to_vec(), b"end".to_vec())
    );
    let [bss, end] = [".bss", ".end"].map(|name| written.image.section(name).unwrap().raw_offset);
    assert!(bss > end);
}

#[test]
fn one_of_several_sections_of_a_name_is_chosen_by_its_row() {
    let base = Builder::stub()
        .section(".dtb", b"one")
        .section(".dtb", b"two")
        .build();
    let (file, _) = edit(&base, vec![Change::Remove(Which::Row(4))]).unwrap();
    assert_eq!(bytes(&file, ".dtb"), b"two");
    let refused = edit(&base, vec![remove(".dtb")]).err().unwrap();
    assert!(matches!(
        refused,
        PlanError::AmbiguousSection { count: 2, .. }
    ));
}

#[test]
fn added_sections_stand_beside_those_of_their_name() {
    let (_, written) = edit(&Builder::stub().build(), vec![add(".sbat", b"second")]).unwrap();
    let named = |section: &&touchstone_pe::Section| section.name.as_str() == ".sbat";
    assert_eq!(written.image.sections().iter().filter(named).count(), 2);
}

#[test]
fn a_removed_section_makes_room_in_the_section_table() {
    let mut builder = Builder::stub();
    builder.size_of_headers = (builder.section_table() + 4 * 40) as u32;
    builder.size_of_headers = builder.size_of_headers.next_multiple_of(0x200);
    let free = (builder.size_of_headers as usize - builder.section_table()) / 40 - 4;
    let base = builder.build();
    let added = |count: usize| (0..count).map(|n| add(&format!(".n{n}"), b"x"));
    assert!(edit(&base, added(free + 1).collect()).is_err());
    assert!(edit(&base, added(free + 1).chain([remove(".sbat")]).collect()).is_ok());
}

#[test]
fn debug_data_forbid_moving_but_not_adding() {
    let mut base = Builder::stub().build();
    base[OPTIONAL + 112 + 6 * 8..][..8].copy_from_slice(&[0, 0x10, 0, 0, 4, 0, 0, 0]);
    assert!(edit(&base, vec![add(".a", b"x")]).is_ok());
    assert!(edit(&base, vec![remove(".reloc")]).is_ok(), "nothing moves");
    let refused = edit(&base, vec![remove(".sbat")]).err().unwrap();
    assert!(matches!(refused, PlanError::DebugData(name) if name.as_str() == ".sdmagic"));
}

#[test]
fn code_may_be_replaced_around_the_entry_point() {
    let mut base = Builder::stub().build();
    base[OPTIONAL + 16..][..4].copy_from_slice(&0x1002_u32.to_le_bytes());
    assert!(edit(&base, vec![replace(".text", b"cod")]).is_ok());
    let refused = edit(&base, vec![replace(".text", b"co")]).err().unwrap();
    assert!(matches!(refused, PlanError::EntryPointLost(_)));
}
