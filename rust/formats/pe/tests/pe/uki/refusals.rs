//! Stubs, kernels and texts of which no UKI is made.

use std::io::Cursor;

use touchstone_pe::layout::Content;
use touchstone_pe::uki::{Kernel, KernelError, UkiError, UkiParts, Uname};
use touchstone_pe::{Image, Machine, certificates};

use super::{build, content, refusal, with_kernel};
use crate::builder::{AARCH64, Builder};

#[test]
fn refuses_a_stub_that_is_no_stub() {
    let build = |stub: &[u8]| build(stub, with_kernel()).unwrap_err();
    assert!(matches!(build(b"#!/bin/sh\n"), UkiError::StubNotPe(_)));
    assert!(matches!(
        build(&Builder::stub().build()[..0x300]),
        UkiError::Stub(_)
    ));
    let plain = Builder::new().section(".text", b"x").build();
    assert!(matches!(build(&plain), UkiError::NotAStub { .. }));
    let refused = build(&Builder::addon_stub().build()).to_string();
    assert!(refused.contains("it is systemd-addon"), "{refused}");
}

#[test]
fn refuses_a_signed_stub() {
    let mut stub = Cursor::new(Builder::stub().build());
    let image = Image::read(&mut stub).unwrap();
    certificates::append(&mut stub, &image, &[0x30, 0]).unwrap();
    let refused = build(stub.get_ref(), with_kernel()).unwrap_err();
    assert!(matches!(refused, UkiError::StubSigned));
}

#[test]
fn refuses_a_kernel_that_the_stub_cannot_start() {
    let refusal = |kernel: Vec<u8>| {
        let linux = Some(Kernel::new(Cursor::new(kernel)));
        match refusal(UkiParts {
            linux,
            ..UkiParts::default()
        }) {
            UkiError::Kernel(error) => error,
            other => panic!("{other}"),
        }
    };
    let arm = Builder::kernel().machine(AARCH64).build();
    let wanted = (Machine::Aarch64, Machine::X86_64);
    let refused = refusal(arm);
    assert!(
        matches!(refused, KernelError::Architecture { kernel: k, stub: s } if (k, s) == wanted)
    );
    assert!(matches!(
        refusal(b"\x7fELF".to_vec()),
        KernelError::NotPe(_)
    ));
    assert!(matches!(refusal(Vec::new()), KernelError::NotPe(_)));
    assert!(matches!(
        refusal(b"\x1f\x8b\x08\0more".to_vec()),
        KernelError::Damaged { .. }
    ));
    for (start, name) in [
        (&b"\xfd7zXZ\0"[..], "xz"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x5d\0\0\x80", "lzma"),
        (b"\x89LZO", "lzo"),
        (b"BZh9", "bzip2"),
    ] {
        let refused = refusal(start.to_vec());
        assert!(matches!(refused, KernelError::Compressed(found) if found == name));
    }
    let malformed = Builder::kernel().section(".sbat", b"no header").build();
    assert!(matches!(refusal(malformed), KernelError::Sbat(_)));
    let mut cut = Builder::kernel().build();
    cut.truncate(cut.len() - 1);
    assert!(matches!(refusal(cut), KernelError::Read(_)));
}

#[test]
fn refuses_texts_that_would_be_misread() {
    let parts = UkiParts {
        cmdline: Some("a\0b".into()),
        ..with_kernel()
    };
    assert!(matches!(refusal(parts), UkiError::CmdlineNul(1)));
    for (text, line) in [
        ("foo", 1),
        ("ID=x\n\n# c\n1 2=3", 4),
        ("=x", 1),
        ("A=\0", 1),
        ("A=1\n\u{e4}=1", 2),
    ] {
        let parts = UkiParts {
            os_release: Some(text.into()),
            ..with_kernel()
        };
        assert!(
            matches!(refusal(parts), UkiError::OsRelease { line: l } if l == line),
            "{text:?}"
        );
    }
    for version in ["6.12 x", "6.12\n", "6\0"] {
        let parts = UkiParts {
            uname: Uname::Given(version.into()),
            ..with_kernel()
        };
        assert!(matches!(refusal(parts), UkiError::Uname(_)), "{version:?}");
    }
    let parts = UkiParts {
        sbat: vec!["a,1".into()],
        ..with_kernel()
    };
    assert!(matches!(refusal(parts), UkiError::Sbat(_)));
}

#[test]
fn refuses_two_sections_of_one_name() {
    let extra = |names: &[&str]| UkiParts {
        cmdline: Some("quiet".into()),
        extra: names
            .iter()
            .map(|name| (name.parse().unwrap(), content(b"x")))
            .collect(),
        ..with_kernel()
    };
    for names in [
        &[".foo", ".foo"][..],
        &[".cmdline"],
        &[".linux"],
        &[".sbat"],
    ] {
        assert!(
            matches!(refusal(extra(names)), UkiError::DuplicateSection(_)),
            "{names:?}"
        );
    }
    assert!(matches!(
        refusal(extra(&[".text"])),
        UkiError::SectionOfStub(_)
    ));
}

#[test]
fn refuses_a_uki_as_stub() {
    let parts = || UkiParts {
        uname: Uname::Given("1".into()),
        ..with_kernel()
    };
    let uki = build(&Builder::stub().build(), parts()).unwrap();
    assert!(matches!(
        build(&uki, parts()),
        Err(UkiError::SectionOfStub(_))
    ));
}

#[test]
fn refuses_what_no_image_has_room_for() {
    let sections = |count: usize| UkiParts {
        extra: (0..count)
            .map(|n| (format!(".n{n}").parse().unwrap(), content(b"x")))
            .collect(),
        ..with_kernel()
    };
    assert!(matches!(
        refusal(sections(60)),
        UkiError::NoHeaderRoom { .. }
    ));
    let huge = Content::reader(5 << 30, Box::new(std::io::empty()));
    let parts = UkiParts {
        initrds: vec![huge],
        ..with_kernel()
    };
    assert!(matches!(refusal(parts), UkiError::TooLarge(name) if name.as_str() == ".initrd"));
}
