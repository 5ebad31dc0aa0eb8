use std::io::{Cursor, Read};

use touchstone_pe::layout::{Content, Layout, NewSection, Options, PlanError, Written};
use touchstone_pe::{Image, ReadError, WriteError, authenticode, certificates, observe_sections};

use crate::builder::{self, Builder, CHECKSUM, OPTIONAL, PE, Seen};

const DATA: u32 = 0x4000_0040;

pub fn new<'a>(name: &str, content: Content<'a>) -> NewSection<'a> {
    NewSection {
        name: name.parse().unwrap(),
        content,
        characteristics: DATA,
    }
}

fn bytes(name: &str, bytes: &[u8]) -> NewSection<'static> {
    new(name, Content::bytes(bytes.to_vec()))
}

fn plan<'a>(base: &[u8], sections: Vec<NewSection<'a>>) -> Result<Layout<'a>, PlanError> {
    Layout::plan(&builder::read(base), sections, Options::default())
}

fn write(
    base: &[u8],
    layout: Layout<'_>,
    seen: &mut Seen,
) -> Result<(Vec<u8>, Written), WriteError> {
    let mut out = Cursor::new(Vec::new());
    let written = layout.write(&mut Cursor::new(base), &mut out, &mut [seen], &mut |_| ())?;
    Ok((out.into_inner(), written))
}

fn number(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
}

#[test]
fn places_new_sections_behind_the_last_one() {
    let base = Builder::stub().build();
    let layout = plan(&base, vec![bytes(".a", &[1; 0x1001]), bytes(".b", b"two")]).unwrap();
    let (file, written) = write(&base, layout, &mut Seen::default()).unwrap();
    let image = builder::read(&file);
    assert_eq!(image, written.image);
    let [a, b] = [".a", ".b"].map(|name| image.section(name).unwrap().clone());
    let last = builder::read(&base).section(".reloc").unwrap().clone();
    assert_eq!(
        (a.virtual_address, a.virtual_size),
        (last.virtual_address + 0x1000, 0x1001)
    );
    assert_eq!(
        (u64::from(a.raw_offset), a.raw_size),
        (base.len() as u64, 0x1200)
    );
    assert_eq!(
        (b.virtual_address, b.raw_offset),
        (a.virtual_address + 0x2000, a.raw_offset + 0x1200)
    );
    assert_eq!(
        number(&file, OPTIONAL + 8),
        1000 + 0x1001 + 3,
        "SizeOfInitializedData"
    );
    assert_eq!(
        number(&file, OPTIONAL + 56),
        b.virtual_address + 0x1000,
        "SizeOfImage"
    );
    assert_eq!(number(&file, CHECKSUM), 0);
    assert_eq!(
        image
            .section_bytes(&mut Cursor::new(&file), &b, 10)
            .unwrap(),
        b"two"
    );
    assert_eq!(
        file[0x800..base.len()],
        base[0x800..],
        "the base's sections stay"
    );
}

#[test]
fn overwrites_an_existing_section_in_place() {
    let base = Builder::stub().build();
    let layout = plan(&base, vec![bytes(".sbat", b"new"), bytes(".c", b"")]).unwrap();
    let (file, written) = write(&base, layout, &mut Seen::default()).unwrap();
    let (old, new) = (builder::read(&base), written.image);
    let (old, new) = (old.section(".sbat").unwrap(), new.section(".sbat").unwrap());
    assert_eq!(
        (new.virtual_size, new.raw_size, new.raw_offset),
        (3, old.raw_size, old.raw_offset)
    );
    let place = &file[new.raw_offset as usize..][..new.raw_size as usize];
    assert!(place.starts_with(b"new") && place[3..].iter().all(|byte| *byte == 0));
    assert_eq!(
        number(&file, OPTIONAL + 8),
        1000,
        "SizeOfInitializedData counts added sections only"
    );
}

#[test]
fn refuses_content_too_large_for_the_existing_place() {
    let base = Builder::stub().build();
    assert!(plan(&base, vec![bytes(".sbat", &[0; 0x400])]).is_ok());
    let refused = plan(&base, vec![bytes(".sbat", &[0; 0x401])])
        .err()
        .unwrap();
    assert!(matches!(
        refused,
        PlanError::NoRoomInPlace {
            room: 0x400,
            len: 0x401,
            ..
        }
    ));
}

#[test]
fn refuses_content_that_would_reach_the_next_section_in_memory() {
    let builder = Builder::stub();
    let mut base = builder.build();
    let next = builder.section_table() + 2 * 40 + 12;
    let address = number(&base, next) - 0x1000 + 0x100;
    base[next..next + 4].copy_from_slice(&address.to_le_bytes());
    let size = builder.section_table() + 40 + 8;
    base[size..size + 4].copy_from_slice(&0x100_u32.to_le_bytes());
    assert!(plan(&base, vec![bytes(".sbat", &[0; 0x100])]).is_ok());
    let refused = plan(&base, vec![bytes(".sbat", &[0; 0x101])])
        .err()
        .unwrap();
    assert!(matches!(
        refused,
        PlanError::NoRoomInPlace { room: 0x100, .. }
    ));
}

#[test]
fn refuses_more_sections_than_the_headers_have_room_for() {
    let mut builder = Builder::stub();
    builder.size_of_headers = 0x400;
    let free = (0x400 - builder.section_table()) / 40 - 4;
    let base = builder.build();
    let sections = |count: usize| (0..count).map(|n| bytes(&format!(".n{n}"), b"x")).collect();
    assert!(plan(&base, sections(free)).is_ok());
    let refused = plan(&base, sections(free + 1)).err().unwrap();
    let counts = (free, free + 1);
    assert!(matches!(refused, PlanError::NoHeaderRoom { free: f, wanted: w } if (f, w) == counts));
}

#[test]
fn refuses_a_base_whose_header_room_is_in_use() {
    let builder = Builder::stub();
    let mut base = builder.build();
    base[builder.section_table() + 4 * 40 + 39] = 1;
    let layout = plan(&base, vec![bytes(".a", b"x")]).unwrap();
    let mut out = Cursor::new(Vec::new());
    let refused = layout
        .write(&mut Cursor::new(&base), &mut out, &mut [], &mut |_| ())
        .unwrap_err();
    assert!(matches!(refused, WriteError::HeaderRoomInUse));
    assert!(out.into_inner().is_empty());
}

#[test]
fn refuses_a_signed_base() {
    let mut file = Cursor::new(Builder::stub().build());
    let image = Image::read(&mut file).unwrap();
    certificates::append(&mut file, &image, &[0x30, 0]).unwrap();
    assert!(matches!(
        plan(file.get_ref(), Vec::new()).err(),
        Some(PlanError::Signed)
    ));
}

#[test]
fn refuses_a_base_with_other_bytes_at_its_end() {
    let mut builder = Builder::stub();
    builder.trailing = vec![1; 8];
    assert!(matches!(
        plan(&builder.build(), Vec::new()).err(),
        Some(PlanError::TrailingData(8))
    ));
}

#[test]
fn refuses_alignments_that_are_no_power_of_two() {
    for field in [32, 36] {
        for value in [0_u32, 0x300] {
            let mut base = Builder::stub().build();
            base[OPTIONAL + field..][..4].copy_from_slice(&value.to_le_bytes());
            let refused = plan(&base, Vec::new()).err();
            let Some(PlanError::Base(error)) = refused else {
                panic!("{field}: {value}");
            };
            assert!(matches!(
                error,
                ReadError::SectionAlignment(wrong) | ReadError::FileAlignment(wrong)
                    if wrong == value
            ));
        }
    }
}

#[test]
fn refuses_a_base_whose_last_section_would_leave_a_gap() {
    let builder = Builder::stub();
    let mut base = builder.build();
    let size = builder.section_table() + 3 * 40 + 16;
    base[size..size + 4].copy_from_slice(&0x204_u32.to_le_bytes());
    base.resize(base.len() + 4, 0);
    assert!(matches!(
        plan(&base, Vec::new()).err(),
        Some(PlanError::UnalignedEnd(_))
    ));
}

#[test]
fn refuses_images_over_four_gibibytes() {
    let base = Builder::stub().build();
    let huge = |len| new(".a", Content::reader(len, Box::new(std::io::empty())));
    for len in [u64::from(u32::MAX), 1 << 32, u64::MAX] {
        assert!(
            matches!(
                plan(&base, vec![huge(len)]).err(),
                Some(PlanError::TooLarge(_))
            ),
            "{len}"
        );
    }
    let two = vec![
        huge(3 << 30),
        new(".b", Content::reader(1 << 30, Box::new(std::io::empty()))),
    ];
    assert!(
        matches!(plan(&base, two).err(), Some(PlanError::TooLarge(name)) if name.as_str() == ".b")
    );
}

#[test]
fn leaves_out_a_symbol_table_at_the_end() {
    let mut builder = Builder::stub();
    let start = builder.build().len() as u32;
    builder.trailing = [vec![7; 18 * 2], 9_u32.to_le_bytes().to_vec(), vec![7; 5]].concat();
    let mut base = builder.build();
    base[PE + 12..][..4].copy_from_slice(&start.to_le_bytes());
    base[PE + 16..][..4].copy_from_slice(&2_u32.to_le_bytes());
    let layout = plan(&base, vec![bytes(".a", b"x")]).unwrap();
    let (file, written) = write(&base, layout, &mut Seen::default()).unwrap();
    assert_eq!(written.image.section(".a").unwrap().raw_offset, start);
    assert_eq!(file[PE + 12..PE + 20], [0; 8]);
    base.push(0);
    assert!(matches!(
        plan(&base, Vec::new()).err(),
        Some(PlanError::Base(ReadError::SymbolTableNotLast(1)))
    ));
}

#[test]
fn clears_nx_compat_only_on_request() {
    let base = Builder::stub().build();
    for clear_nx_compat in [false, true] {
        let layout = Layout::plan(
            &builder::read(&base),
            Vec::new(),
            Options {
                clear_nx_compat,
                ..Options::default()
            },
        )
        .unwrap();
        let (_, written) = write(&base, layout, &mut Seen::default()).unwrap();
        assert_eq!(written.image.dll_characteristics() == 0, clear_nx_compat);
    }
}

#[test]
fn observers_see_the_same_while_writing_and_while_reading() {
    let base = Builder::stub().build();
    let joined = Content::joined(
        vec![Content::bytes(vec![1; 5]), Content::bytes(vec![2; 2])],
        4,
    );
    let sections = vec![
        new(".a", joined),
        bytes(".empty", b""),
        bytes(".sbat", b"sbat"),
    ];
    let mut writing = Seen::default();
    let (file, written) = write(&base, plan(&base, sections).unwrap(), &mut writing).unwrap();
    let mut reading = Seen::default();
    observe_sections(&written.image, &mut Cursor::new(&file), &mut [&mut reading]).unwrap();
    assert_eq!(writing, reading);
    assert_eq!(
        writing.get(".a").unwrap(),
        [1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 0, 0]
    );
    assert_eq!(writing.get(".sbat").unwrap(), b"sbat");
    assert_eq!(writing.get(".empty").unwrap(), b"");
}

#[test]
fn an_only_content_is_not_padded() {
    assert_eq!(
        Content::joined(vec![Content::bytes(vec![1; 5])], 4).len(),
        5
    );
    assert_eq!(
        Content::joined(
            vec![Content::bytes(vec![1; 5]), Content::bytes(vec![1; 5])],
            4
        )
        .len(),
        16
    );
}

#[test]
fn the_digest_of_the_one_pass_is_that_of_the_file() {
    let base = Builder::stub().build();
    let layout = plan(&base, vec![bytes(".a", &[3; 600_000])]).unwrap();
    let (planned, mut last) = (layout.len(), 0);
    let mut out = Cursor::new(Vec::new());
    let mut progress = |written| {
        assert!(written >= last);
        last = written;
    };
    let written = layout
        .write(&mut Cursor::new(&base), &mut out, &mut [], &mut progress)
        .unwrap();
    assert_eq!((planned, last), (out.get_ref().len() as u64, planned));
    let read = authenticode::sha256(&builder::read(out.get_ref()), &mut out).unwrap();
    assert_eq!(written.authenticode_sha256, read);
}

#[test]
fn refuses_contents_of_another_length_than_announced() {
    let base = Builder::stub().build();
    for (announced, real) in [(10, 9), (10, 11), (0, 1)] {
        let content = Content::reader(announced, Box::new(std::io::repeat(1).take(real)));
        let layout = plan(&base, vec![new(".a", content)]).unwrap();
        let refused = write(&base, layout, &mut Seen::default()).unwrap_err();
        assert!(
            matches!(refused, WriteError::ContentChanged { planned, .. } if planned == announced)
        );
    }
}

#[test]
fn refuses_a_base_that_changed_since_planning() {
    let base = Builder::stub().build();
    let layout = plan(&base, vec![bytes(".a", b"x")]).unwrap();
    let mut other = base.clone();
    other[OPTIONAL + 70] = 0x60;
    let refused = write(&other, layout, &mut Seen::default()).unwrap_err();
    assert!(matches!(refused, WriteError::BaseChanged));
}
