//! What a malformed image is asked for, and how errors are called.

use std::fmt::Debug;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use touchstone_pe::layout::{Change, Content, Layout, NewSection, Options, PlanError, Which};
use touchstone_pe::sbat::{Level, Metadata, SbatError};
use touchstone_pe::{
    Image, NotPe, ReadError, WriteError, authenticode, certificates, observe_sections,
};

use crate::builder::{self, Builder, Seen};
use crate::malformed::{Row, table_of_images};

fn said<T>(result: Result<T, impl Debug>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// The innermost name in an error's debug text: `Base(SectionGap { … })` is called `SectionGap`.
pub fn name(debug: &str) -> &str {
    let debug = ["Base(", "NotPe("].iter().fold(debug, |debug, outer| {
        debug.strip_prefix(outer).unwrap_or(debug)
    });
    let end = debug.find(|letter: char| !letter.is_ascii_alphanumeric());
    &debug[..end.unwrap_or(debug.len())]
}

pub fn reading(file: Vec<u8>) -> String {
    said(Image::read(&mut Cursor::new(file)))
}

pub fn reading_five_gibibytes() -> String {
    said(Image::read(&mut Endless(5 << 30)))
}

/// Zeros, `.0` of them if one asks for the length, and none if one reads.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Seek for Endless {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        Ok(match place {
            SeekFrom::End(_) => self.0,
            SeekFrom::Start(at) => at,
            SeekFrom::Current(_) => 0,
        })
    }
}

pub fn hashing(file: Vec<u8>) -> String {
    said(authenticode::sha256(
        &builder::read(&file),
        &mut Cursor::new(file),
    ))
}

pub fn first_section(file: Vec<u8>) -> String {
    let image = builder::read(&file);
    said(image.section_bytes(&mut Cursor::new(file), &image.sections()[0], 1 << 20))
}

pub fn observing(file: Vec<u8>) -> String {
    let image = builder::read(&file);
    said(observe_sections(
        &image,
        &mut Cursor::new(file),
        &mut [&mut Seen::default()],
    ))
}

pub fn naming(file: Vec<u8>) -> String {
    let image = builder::read(&file);
    said(image.full_name(&mut Cursor::new(file), &image.sections()[0]))
}

pub fn signatures(file: Vec<u8>) -> String {
    said(certificates::read(
        &builder::read(&file),
        &mut Cursor::new(file),
    ))
}

pub fn signing(file: Vec<u8>) -> String {
    let image = builder::read(&file);
    said(certificates::append(
        &mut Cursor::new(file),
        &image,
        &[0x30, 0],
    ))
}

fn section(name: &str, len: usize) -> NewSection<'static> {
    crate::layout::new(name, Content::bytes(vec![b'x'; len]))
}

/// Plans, and writes what can be planned.
fn making(file: &[u8], layout: Result<Layout<'_>, PlanError>) -> String {
    let layout = match layout {
        Ok(layout) => layout,
        Err(error) => return said(Err::<(), _>(error)),
    };
    let mut out = Cursor::new(Vec::new());
    let written = said(layout.write(&mut Cursor::new(file), &mut out, &mut [], &mut |_| ()));
    assert!(
        written == "no error" || out.into_inner().is_empty(),
        "written before it was checked"
    );
    written
}

fn plan(file: Vec<u8>, new: Vec<NewSection<'static>>) -> String {
    making(
        &file,
        Layout::plan(&builder::read(&file), new, Options::default()),
    )
}

fn edit(file: Vec<u8>, changes: Vec<Change<'static>>) -> String {
    making(
        &file,
        Layout::edit(&builder::read(&file), changes, Options::default()),
    )
}

fn sbat() -> Which {
    Which::Name(".sbat".parse().unwrap())
}

pub fn planning(file: Vec<u8>) -> String {
    plan(file, Vec::new())
}

pub fn adding(file: Vec<u8>) -> String {
    let named = |number: usize| section(&format!(".n{number}"), 1);
    plan(file, (0..3).map(named).collect())
}

pub fn overwriting_sbat(file: Vec<u8>) -> String {
    plan(file, vec![section(".sbat", 0x101)])
}

pub fn replacing_sbat(file: Vec<u8>) -> String {
    edit(
        file,
        vec![Change::Replace(sbat(), Content::bytes(vec![1; 0x101]))],
    )
}

pub fn removing_sbat(file: Vec<u8>) -> String {
    edit(file, vec![Change::Remove(sbat())])
}

pub fn revoking(file: Vec<u8>) -> String {
    let image = builder::read(&file);
    let section = image.section(".sbat").unwrap();
    let bytes = image
        .section_bytes(&mut Cursor::new(&file), section, 4096)
        .unwrap();
    said(Metadata::parse(&bytes))
}

/// Fails to read; or stops, though it said that it is longer.
struct Broken(Cursor<Vec<u8>>, Option<usize>);

impl Read for Broken {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let end = self.1.ok_or_else(|| io::Error::other("broken"))?;
        let left = end
            .saturating_sub(self.0.position() as usize)
            .min(room.len());
        self.0.read(&mut room[..left])
    }
}

impl Seek for Broken {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.0.seek(place)
    }
}

/// No room for a byte.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("full"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}

fn content(source: impl Read + 'static, len: u64) -> Content<'static> {
    Content::reader(len, Box::new(source))
}

fn stub() -> Vec<u8> {
    Builder::stub().build()
}

/// What is no fault of the image's bytes: other files, and what callers ask for.
const OTHERS: &[Row] = &[
    ("a disk that fails", "Io", || {
        said(Image::read(&mut Broken(Cursor::new(stub()), None)))
    }),
    ("a file that shrinks", "Truncated", || {
        said(Image::read(&mut Broken(Cursor::new(stub()), Some(0x100))))
    }),
    ("a full disk", "Io", || {
        let layout = Layout::plan(&builder::read(&stub()), Vec::new(), Options::default());
        let base = &mut Cursor::new(stub());
        said(layout.unwrap().write(base, &mut Full, &mut [], &mut |_| ()))
    }),
    ("a content that fails", "Content", || {
        let broken = content(Broken(Cursor::new(vec![]), None), 1);
        making_with(broken)
    }),
    ("a content that shrinks", "ContentChanged", || {
        making_with(content(&[1][..], 2))
    }),
    ("another base than was planned", "BaseChanged", || {
        let layout = Layout::plan(&builder::read(&stub()), Vec::new(), Options::default());
        making(&Builder::addon_stub().build(), layout)
    }),
    ("a text for a signature", "NotASignature", || {
        let image = builder::read(&stub());
        said(certificates::append(
            &mut Cursor::new(stub()),
            &image,
            b"-----BEGIN",
        ))
    }),
    ("no such signature", "NoSuchSignature", || {
        let image = builder::read(&stub());
        said(certificates::remove(
            &mut Cursor::new(stub()),
            &image,
            certificates::Removal::One(0),
        ))
    }),
    ("no such section", "NoSuchSection", || {
        edit(
            stub(),
            vec![Change::Remove(Which::Name(".none".parse().unwrap()))],
        )
    }),
    ("no such row", "NoSuchSection", || {
        edit(stub(), vec![Change::Remove(Which::Row(4))])
    }),
    ("a section removed twice", "ChangedTwice", || {
        edit(
            stub(),
            vec![Change::Remove(sbat()), Change::Remove(Which::Row(1))],
        )
    }),
    ("a level without date", "LevelDate", || {
        said(Level::parse(b"sbat,1\nshim,4\n"))
    }),
    ("a level with a short row", "TooFewFields", || {
        said(Level::parse(b"sbat,1,2024010900\nshim\n"))
    }),
    ("a level with a component twice", "ComponentTwice", || {
        said(Level::parse(b"sbat,1,2024010900\nshim,4\nshim,5\n"))
    }),
];

fn making_with(content: Content<'static>) -> String {
    let layout = Layout::plan(
        &builder::read(&stub()),
        vec![crate::layout::new(".a", content)],
        Options::default(),
    );
    let mut out = Cursor::new(Vec::new());
    said(
        layout
            .unwrap()
            .write(&mut Cursor::new(stub()), &mut out, &mut [], &mut |_| ()),
    )
}

/// The names of an enum's variants; does not build when one is missing.
macro_rules! variants {
    ($enum:ident: $($variant:ident)*) => {{
        let _all = |error: &$enum| match error {
            $($enum::$variant { .. } => (),)*
        };
        [$(stringify!($variant)),*]
    }};
}

#[test]
fn every_error_is_shown_to_happen() {
    let read = variants!(ReadError: Io Truncated NotPe TooLarge CoffHeaderOutside
        OptionalHeaderOutside OptionalHeaderTooSmall OptionalHeaderKind TooManyDirectories
        DirectoriesOutside SectionTableOutside HeadersTooSmall HeadersOutside SectionNameNotText
        SectionOutside SectionBeyondMemory CertificateTableOutside SectionTooLarge SectionsTooLarge
        LongNameNumber LongNameWithoutTable LongNameOutside LongNameNotText SectionInHeaders
        SectionGap SectionOverlap CertificateTableInHeaders CertificateTableInSection
        CertificateTableUnaligned CertificateTableNotLast CertificateTableTooLarge
        CertificateHeaderCut CertificateTooShort CertificateOutside PeHeaderInDosHeader
        FileAlignment SectionAlignment AlignmentOrder HeaderPaddingOutside SectionUnaligned
        SectionOnHeaders SectionsUnordered SectionsOverlapInMemory ObjectFileData
        SymbolTableInSection SymbolTableOutside SymbolTableNotLast);
    let not_pe = variants!(NotPe: TooShort NoDosHeader PointerOutside NoSignature);
    let plan = variants!(PlanError: Signed Base TrailingData UnalignedEnd NoHeaderRoom
        NoRoomInPlace NoRoomInMemory TooLarge NoSuchSection AmbiguousSection ChangedTwice
        EntryPointLost DirectoryLost DebugData);
    let write = variants!(WriteError: Io Base Content ContentChanged BaseChanged HeaderRoomInUse
        NoCertificateEntry NotASignature NoSuchSignature TooLarge);
    let sbat = variants!(SbatError: NoHeader NotText TooFewFields ComponentName Generation
        LevelDate ComponentTwice);
    for (what, expected, fails) in OTHERS {
        assert_eq!(name(&fails()), *expected, "{what}");
    }
    // Those that only wrap another.
    let wrappers = ["NotPe", "Base"];
    let all = [&read[..], &not_pe, &plan, &write, &sbat].concat();
    for variant in all {
        let mut rows = table_of_images().chain(OTHERS);
        let shown = rows.any(|(_, name, _)| *name == variant);
        assert!(
            shown || wrappers.contains(&variant),
            "{variant} never happens"
        );
    }
}
