use std::io::Cursor;

use touchstone_pe::Image;
use touchstone_pe::layout::Content;
use touchstone_pe::sbat::HEADER;
use touchstone_pe::uki::{self, Compat, Kernel, UkiError, UkiParts, Uname, cmdline_from_words};

use crate::builder::{self, Builder};

mod refusals;

pub fn content(bytes: &[u8]) -> Content<'static> {
    Content::bytes(bytes.to_vec())
}

pub fn with_kernel() -> UkiParts<'static> {
    UkiParts {
        linux: Some(Kernel::new(Cursor::new(Builder::kernel().build()))),
        ..UkiParts::default()
    }
}

pub fn build(stub: &[u8], parts: UkiParts<'_>) -> Result<Vec<u8>, UkiError> {
    let mut source = Cursor::new(stub);
    let image = uki::read_stub(&mut source)?;
    let layout = uki::plan(&image, &mut source, parts)?;
    let mut out = Cursor::new(Vec::new());
    layout
        .write(&mut source, &mut out, &mut [], &mut |_| ())
        .unwrap();
    Ok(out.into_inner())
}

pub fn refusal(parts: UkiParts<'_>) -> UkiError {
    build(&Builder::stub().build(), parts).unwrap_err()
}

/// The bytes of a section of the UKI that is made of `parts`.
pub fn section(parts: UkiParts<'_>, name: &str) -> Option<Vec<u8>> {
    let file = build(&Builder::stub().build(), parts).unwrap();
    let image = builder::read(&file);
    let section = image.section(name)?;
    Some(
        image
            .section_bytes(&mut Cursor::new(&file), section, 1 << 20)
            .unwrap(),
    )
}

pub fn names(image: &Image) -> Vec<&str> {
    image
        .sections()
        .iter()
        .map(|section| section.name.as_str())
        .collect()
}

#[test]
fn sections_come_in_the_order_of_ukify() {
    let parts = UkiParts {
        initrds: vec![content(b"initrd")],
        cmdline: Some("quiet".into()),
        os_release: Some(b"ID=x\n".to_vec()),
        uname: Uname::Given("6.12".into()),
        splash: Some(content(b"BM")),
        ucode: Some(content(b"ucode")),
        dtb: Some(content(b"dtb")),
        dtbauto: vec![content(b"one"), content(b"two")],
        pcrpkey: Some(content(b"key")),
        extra: vec![(".foo".parse().unwrap(), content(b"foo"))],
        ..with_kernel()
    };
    let file = build(&Builder::stub().build(), parts).unwrap();
    let image = builder::read(&file);
    let stub = [".text", ".sbat", ".sdmagic", ".reloc"];
    let added = [
        ".osrel", ".cmdline", ".dtb", ".dtbauto", ".dtbauto", ".uname", ".splash", ".pcrpkey",
        ".linux", ".initrd", ".ucode", ".foo",
    ];
    assert_eq!(names(&image), [&stub[..], &added].concat());
    assert_eq!(
        image.section(".linux").unwrap().characteristics,
        0x4000_0020
    );
    assert_eq!(
        image.section(".initrd").unwrap().characteristics,
        0x4000_0040
    );
}

#[test]
fn an_empty_version_or_profile_is_left_out_and_so_are_several_empty_initrds() {
    let parts = UkiParts {
        profile: Some(String::new()),
        uname: Uname::Given(String::new()),
        initrds: vec![content(b""), content(b"")],
        ..with_kernel()
    };
    let file = build(&Builder::stub().build(), parts).unwrap();
    assert_eq!(
        names(&builder::read(&file)),
        [".text", ".sbat", ".sdmagic", ".reloc", ".linux"]
    );
}

#[test]
fn empty_parts_that_are_given_get_a_section() {
    let parts = UkiParts {
        cmdline: Some(String::new()),
        os_release: Some(Vec::new()),
        initrds: vec![content(b"")],
        ..with_kernel()
    };
    let file = build(&Builder::stub().build(), parts).unwrap();
    let image = builder::read(&file);
    for name in [".osrel", ".cmdline", ".initrd"] {
        assert_eq!(image.section(name).unwrap().virtual_size, 0, "{name}");
    }
}

#[test]
fn texts_stay_byte_for_byte() {
    let parts = UkiParts {
        cmdline: Some(" a  b\n\n".into()),
        ..with_kernel()
    };
    assert_eq!(section(parts, ".cmdline").unwrap(), b" a  b\n\n");
    assert_eq!(cmdline_from_words(" a \t b\u{1c}c\n\n"), "a b c");
}

#[test]
fn initrds_are_joined_at_multiples_of_four() {
    let parts = |initrds| UkiParts {
        initrds,
        ..with_kernel()
    };
    assert_eq!(
        section(parts(vec![content(b"abcde")]), ".initrd").unwrap(),
        b"abcde"
    );
    let two = parts(vec![content(b"abcde"), content(b"f")]);
    assert_eq!(section(two, ".initrd").unwrap(), b"abcde\0\0\0f\0\0\0");
}

#[test]
fn sbat_of_stub_kernel_and_user_are_merged() {
    let kernel = Builder::kernel()
        .section(".sbat", b"sbat,1,x\nlinux,1\n\0\0")
        .build();
    let merged = |sbat: &[&str], compat| {
        let linux = Some(Kernel::new(Cursor::new(kernel.clone())));
        let sbat = sbat.iter().map(|text| (*text).to_owned()).collect();
        let bytes = section(
            UkiParts {
                linux,
                sbat,
                compat,
                ..UkiParts::default()
            },
            ".sbat",
        )
        .unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let start = format!("{HEADER}\nsystemd-stub,1,S,systemd,257,u\nlinux,1\n");
    let default =
        "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n";
    assert_eq!(merged(&[], Compat::Ukify262), format!("{start}{default}"));
    assert_eq!(merged(&[], Compat::Ukify257), format!("{start}{default}\0"));
    assert_eq!(
        merged(&["sbat,1\na,1", "sbat,1\nb,1\n"], Compat::Ukify262),
        format!("{start}a,1\nb,1\n")
    );
}

#[test]
fn an_addon_needs_no_kernel_and_gets_its_own_sbat_last() {
    let parts = UkiParts {
        cmdline: Some("debug".into()),
        ..UkiParts::default()
    };
    let file = build(&Builder::addon_stub().build(), parts).unwrap();
    let image = builder::read(&file);
    assert_eq!(names(&image), [".text", ".sdmagic", ".cmdline", ".sbat"]);
    let sbat = image.section(".sbat").unwrap();
    let sbat = image
        .section_bytes(&mut Cursor::new(&file), sbat, 1000)
        .unwrap();
    assert!(
        String::from_utf8(sbat)
            .unwrap()
            .contains("\nuki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/")
    );
}

#[test]
fn a_profile_keeps_the_sbat_of_the_stub() {
    let parts = || UkiParts {
        profile: Some("ID=one".into()),
        ..with_kernel()
    };
    let file = build(&Builder::stub().build(), parts()).unwrap();
    let image = builder::read(&file);
    assert_eq!(
        names(&image),
        [".text", ".sbat", ".sdmagic", ".reloc", ".profile", ".linux"]
    );
    assert_eq!(image.section(".sbat").unwrap().virtual_size, 0x400);
    let parts = UkiParts {
        sbat: vec!["sbat,1\na,1".into()],
        ..parts()
    };
    assert!(matches!(refusal(parts), UkiError::SbatOfProfile));
}

#[test]
fn a_kernel_without_nx_compat_takes_it_from_the_uki() {
    for (kernel, uki) in [(0x100, 0x100), (0, 0)] {
        let mut builder = Builder::kernel();
        builder.dll_characteristics = kernel;
        let linux = Some(Kernel::new(Cursor::new(builder.build())));
        let file = build(
            &Builder::stub().build(),
            UkiParts {
                linux,
                ..UkiParts::default()
            },
        )
        .unwrap();
        assert_eq!(builder::read(&file).dll_characteristics(), uki);
    }
}

#[test]
fn the_version_of_the_stub_is_known_before_and_after() {
    let stub = Builder::stub().build();
    let uki = build(&stub, with_kernel()).unwrap();
    for file in [stub, uki] {
        let version = uki::stub_version(&builder::read(&file), &mut Cursor::new(&file)).unwrap();
        assert_eq!(version.as_deref(), Some("257.13-1~deb13u1"));
    }
    let addon = Builder::addon_stub().build();
    assert_eq!(
        uki::stub_version(&builder::read(&addon), &mut Cursor::new(&addon)).unwrap(),
        None
    );
}
