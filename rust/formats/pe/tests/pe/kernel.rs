//! Where the kernel's version is found.

use std::io::Cursor;

use touchstone_pe::uki::{Kernel, KernelError, UkiError, UkiParts, Uname};

use crate::builder::Builder;
use crate::uki::{refusal, section};

fn uname(kernel: Vec<u8>) -> Option<String> {
    let parts = UkiParts {
        linux: Some(Kernel::new(Cursor::new(kernel))),
        ..UkiParts::default()
    };
    section(parts, ".uname").map(|bytes| String::from_utf8(bytes).unwrap())
}

/// A kernel whose data at 0x900 is `text`.
fn with_text(text: &[u8]) -> Vec<u8> {
    let mut kernel = Builder::kernel().build();
    kernel[0x900..0x900 + text.len()].copy_from_slice(text);
    kernel
}

/// A kernel with an x86 setup header that points at `text`.
fn with_setup(text: &str) -> Vec<u8> {
    let mut kernel = with_text(format!("{text}\0").as_bytes());
    // The section table ends before 0x202.
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x700_u16.to_le_bytes());
    kernel
}

#[test]
fn comes_from_the_x86_setup_header() {
    let text = "6.12.1+deb13-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.12";
    assert_eq!(
        uname(with_setup(text)).as_deref(),
        Some("6.12.1+deb13-cloud-amd64")
    );
    for text in ["7 (x@y) #1", "a.b_c (x) #", "7.2+-.z (x\ty) #a"] {
        assert_eq!(
            uname(with_setup(text)).as_deref(),
            text.split(' ').next(),
            "{text}"
        );
    }
}

#[test]
fn is_left_out_where_ukify_does_not_recognise_it() {
    for text in [
        "7.2-RC1 (x) #1",
        " 7.2 (x) #1",
        "7.2  (x) #1",
        "7.2 () #1",
        "7.2 (x y) #1",
        "7.2 (a(b)) #1",
        "7.2 (x)",
        "7.2 (x) foo #1",
        "7.2(x) (a) #1",
        "7.2",
        "",
    ] {
        assert_eq!(uname(with_setup(text)), None, "{text:?}");
    }
}

#[test]
fn comes_from_the_banner_elsewhere() {
    let banner = b"\0Linux version 6.12.1-arm64 (builder) (gcc) #1\0";
    assert_eq!(uname(with_text(banner)).as_deref(), Some("6.12.1-arm64"));
    let several =
        b"Linux version %s (%s)\0Linux version 10.2 (x\0Linux version 1. (x\0Linux version 5.x (z";
    assert_eq!(uname(with_text(several)).as_deref(), Some("5.x"));
    assert_eq!(uname(with_text(b"Linux version 6.12\n")), None);
}

#[test]
fn is_found_across_the_chunks_in_which_a_kernel_is_read() {
    let banner = b"Linux version 6.1.2 (x";
    for at in [
        touchstone_pe::CHUNK - 5,
        touchstone_pe::CHUNK - 20,
        touchstone_pe::CHUNK,
        600_000 - banner.len(),
    ] {
        let mut data = vec![0x90; 600_000];
        let place = at.min(data.len() - banner.len());
        data[place..place + banner.len()].copy_from_slice(banner);
        let kernel = Builder::new().section(".text", &data).build();
        assert_eq!(uname(kernel).as_deref(), Some("6.1.2"), "{at}");
    }
}

#[test]
fn must_be_given_for_a_zboot_image() {
    let mut kernel = with_text(b"Linux version 6.1 (wrapper)");
    kernel[4..8].copy_from_slice(b"zimg");
    let parts = |uname| UkiParts {
        linux: Some(Kernel::new(Cursor::new(kernel.clone()))),
        uname,
        ..UkiParts::default()
    };
    let refused = refusal(parts(Uname::Detect));
    assert!(matches!(
        refused,
        UkiError::Kernel(KernelError::ZbootVersion)
    ));
    assert_eq!(
        section(parts(Uname::Given("6.1".into())), ".uname").unwrap(),
        b"6.1"
    );
}
