//! Where the kernel's version is found.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use touchstone_pe::uki::{self, Kernel, KernelError, UkiError, UkiParts, Uname};

use crate::builder::Builder;
use crate::uki::{content, refusal, section};

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

/// A zboot image: a wrapper, behind whose sections `payload` lies.
fn zboot(compression: &str, payload: &[u8]) -> Vec<u8> {
    let mut kernel = with_text(b"Linux version 6.1 (wrapper)");
    let start = kernel.len() as u32;
    kernel[4..8].copy_from_slice(b"zimg");
    kernel[8..12].copy_from_slice(&start.to_le_bytes());
    kernel[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    kernel[0x18..0x18 + compression.len()].copy_from_slice(compression.as_bytes());
    kernel.extend(payload);
    kernel
}

#[test]
fn comes_from_within_a_zboot_image() {
    let banner = b"\0Linux version 6.9.1-zboot (builder) (gcc) #1\0";
    let mut within = vec![0x90; 300_000];
    within.extend(banner);
    // The kernel's build appends the length to some payloads.
    for tail in [&[][..], &[0, 1, 2, 3]] {
        for (name, packed) in [("gzip", gzip(&within)), ("zstd", zstd(&within))] {
            let payload = [&packed, tail].concat();
            let version = uname(zboot(name, &payload));
            assert_eq!(version.as_deref(), Some("6.9.1-zboot"), "{name}");
        }
    }
    assert_eq!(uname(zboot("gzip", &gzip(b"no banner"))), None);
}

#[test]
fn must_be_given_for_a_zboot_image_that_cannot_be_opened() {
    let parts = |kernel: &[u8], uname| UkiParts {
        linux: Some(Kernel::new(Cursor::new(kernel.to_vec()))),
        uname,
        ..UkiParts::default()
    };
    let cut = gzip(&vec![0x90; 300_000]);
    let damaged = zboot("gzip", &cut[..cut.len() / 2]);
    let refused = refusal(parts(&damaged, Uname::Detect));
    assert!(matches!(
        refused,
        UkiError::Kernel(KernelError::Damaged { .. })
    ));
    for name in ["xzkern", "lz4", "lzma", "lzo", ""] {
        let kernel = zboot(name, b"packed");
        let refused = refusal(parts(&kernel, Uname::Detect));
        let UkiError::Kernel(KernelError::Zboot(found)) = refused else {
            panic!("{refused}");
        };
        assert_eq!(found, name);
        let given = parts(&kernel, Uname::Given("6.1".into()));
        assert_eq!(section(given, ".uname").unwrap(), b"6.1");
    }
}

#[test]
fn is_found_in_a_kernel_that_is_compressed_as_a_whole() {
    let kernel = with_text(b"\0Linux version 6.9.1 (builder) (gcc) #1\0");
    let half = kernel.len() / 2;
    let members = [gzip(&kernel[..half]), gzip(&kernel[half..]), vec![0; 9]].concat();
    let frames = [zstd(&kernel[..half]), zstd(&kernel[half..])].concat();
    for packed in [gzip(&kernel), zstd(&kernel), members, frames] {
        let parts = || UkiParts {
            linux: Some(Kernel::new(Cursor::new(packed.clone()))),
            ..UkiParts::default()
        };
        assert_eq!(section(parts(), ".uname").unwrap(), b"6.9.1");
        assert_eq!(section(parts(), ".linux").unwrap(), kernel);
    }
}

#[test]
fn what_is_compressed_is_checked_to_its_end() {
    let kernel = Builder::kernel().build();
    let refused = |packed: Vec<u8>| {
        let linux = Some(Kernel::new(Cursor::new(packed)));
        match refusal(UkiParts {
            linux,
            ..UkiParts::default()
        }) {
            UkiError::Kernel(error) => error,
            other => panic!("{other}"),
        }
    };
    for packed in [gzip(&kernel), zstd(&kernel)] {
        let mut flipped = packed.clone();
        let last = flipped.len() - 3;
        flipped[last] ^= 1;
        let followed = [&packed[..], b"more"].concat();
        for wrong in [packed[..packed.len() - 1].to_vec(), flipped, followed] {
            assert!(matches!(refused(wrong), KernelError::Damaged { .. }));
        }
    }
    assert!(matches!(
        refused(gzip(b"#!/bin/sh")),
        KernelError::Within { .. }
    ));
    assert!(matches!(
        refused(gzip(&gzip(&kernel))),
        KernelError::Within { .. }
    ));
}

/// The files that are copied into the UKI of this kernel and these initrds, each with the bytes that it gets there.
fn copied(kernel: &[u8], initrds: &[&[u8]]) -> Vec<(PathBuf, Vec<u8>)> {
    let stub = Builder::stub().build();
    let named = |(number, bytes): (usize, &&[u8])| {
        content(bytes).of_file(Path::new("/initrds").join(number.to_string()))
    };
    let parts = UkiParts {
        linux: Some(Kernel::new(Cursor::new(kernel)).of_file("/kernel".into())),
        initrds: initrds.iter().enumerate().map(named).collect(),
        ..UkiParts::default()
    };
    let mut source = Cursor::new(&stub);
    let image = uki::read_stub(&mut source).unwrap();
    let layout = uki::plan(&image, &mut source, parts).unwrap();
    let (files, mut out) = (layout.files(), Cursor::new(Vec::new()));
    layout
        .write(&mut source, &mut out, &mut [], &mut |_| ())
        .unwrap();
    let out = out.into_inner();
    let bytes = |at: u64, size: u64| out[at as usize..(at + size) as usize].to_vec();
    let each = files.into_iter();
    each.map(|copied| (copied.file, bytes(copied.at, copied.size)))
        .collect()
}

#[test]
fn a_layout_says_which_files_are_copied_as_they_are() {
    let kernel = Builder::kernel().build();
    let of_initrds = [
        ("/initrds/0".into(), b"abcde".to_vec()),
        ("/initrds/2".into(), b"f".to_vec()),
    ];
    let initrds: [&[u8]; 3] = [b"abcde", b"", b"f"];
    let of_kernel = ("/kernel".into(), kernel.clone());
    let plain = copied(&kernel, &initrds);
    assert_eq!(plain, [&[of_kernel][..], &of_initrds].concat());
    // What is decompressed on the way is in no file.
    for packed in [gzip(&kernel), zstd(&kernel)] {
        assert_eq!(copied(&packed, &initrds), of_initrds);
        assert!(!Kernel::new(Cursor::new(packed)).is_plain().unwrap());
    }
    assert!(Kernel::new(Cursor::new(kernel)).is_plain().unwrap());
}

/// Zstandard with a checksum; gzip has one always.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
