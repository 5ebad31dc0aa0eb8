//! Images that two programs read differently, or with bytes that nobody looks at.

use touchstone_artifacts::signing_key::SignatureDigest::Sha256 as SHA256;

use crate::uki::{Uki, file, number, put, row, table};
use crate::world::{World, key, refused};

const VIRTUAL_SIZE: usize = 8;
const VIRTUAL_ADDRESS: usize = 12;
const RAW_SIZE: usize = 16;
const RAW_OFFSET: usize = 20;
const RELOCATIONS: usize = 24;
const CHARACTERISTICS: usize = 36;

#[test]
fn every_byte_of_an_image_is_one_that_somebody_looked_at() {
    let world = World::new();
    let web = world.build("web");
    let judge = world.judge(&[]);
    let client = world.client(&judge, &world.asking("web"));
    let uki = Uki::of(&world, &web);
    let good = uki.bytes();
    judge
        .image(&client, &key("db"), SHA256, &file(&good))
        .unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>), code: &str, said: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        assert_ne!(bytes, good);
        refused(
            judge.image(&client, &key("db"), SHA256, &file(&bytes)),
            code,
            said,
        );
    };
    let field = |bytes: &[u8], name: &str, field: usize| number(bytes, row(bytes, name) + field);

    // Overlapping sections: in the file, and in memory.
    changed(
        &|bytes| {
            let at = field(bytes, ".cmdline", RAW_OFFSET);
            let initrd = row(bytes, ".initrd");
            put(bytes, initrd + RAW_OFFSET, at);
        },
        "image.malformed",
        "",
    );
    changed(
        &|bytes| {
            let at = field(bytes, ".linux", VIRTUAL_ADDRESS);
            let initrd = row(bytes, ".initrd");
            put(bytes, initrd + VIRTUAL_ADDRESS, at);
        },
        "image.structure",
        "overlaps another one in memory",
    );
    // A section of the stub that its digest says nothing of.
    changed(
        &|bytes| {
            let row = row(bytes, ".sbat") + CHARACTERISTICS;
            let set = number(bytes, row) | 0x2000_0000;
            put(bytes, row, set);
        },
        "image.structure",
        "could be written or executed",
    );
    // A section beyond the file, and one that is larger in memory than anybody has.
    changed(
        &|bytes| {
            let len = bytes.len() as u32;
            let initrd = row(bytes, ".initrd");
            put(bytes, initrd + RAW_OFFSET, len);
        },
        "image.malformed",
        "",
    );
    changed(
        &|bytes| {
            let initrd = row(bytes, ".sbat");
            put(bytes, initrd + VIRTUAL_SIZE, 0x7fff_0000);
        },
        "image.malformed",
        "bytes in memory",
    );
    // `.linux` of which more is loaded than is stored, less, or nothing.
    for (size, said) in [
        (
            field(&good, ".linux", RAW_SIZE) + 1,
            "not the bytes of its content",
        ),
        (
            field(&good, ".linux", RAW_SIZE) - 0x1000,
            "not the bytes of its content",
        ),
        (0, "not the bytes of its content"),
    ] {
        changed(
            &|bytes| {
                let linux = row(bytes, ".linux");
                put(bytes, linux + VIRTUAL_SIZE, size);
            },
            "image.structure",
            said,
        );
    }
    // Data behind the content of a section, behind all sections, and where the headers have room.
    changed(
        &|bytes| {
            let at = field(bytes, ".cmdline", RAW_OFFSET) + field(bytes, ".cmdline", VIRTUAL_SIZE);
            bytes[at as usize] = b'x';
        },
        "image.structure",
        "something behind the content of the section .cmdline",
    );
    changed(
        &|bytes| bytes.extend([0; 16]),
        "image.structure",
        "behind its sections",
    );
    changed(
        &|bytes| bytes.push(1),
        "image.structure",
        "something behind its sections",
    );
    changed(
        &|bytes| {
            let sections = touchstone_pe::Image::read(&mut std::io::Cursor::new(&*bytes)).unwrap();
            let end = table(bytes) + sections.sections().len() * 40;
            bytes[end + 4] = 1;
        },
        "image.structure",
        "behind its section table",
    );
    // Behind the end of a section's name, and behind what is left of the stub's `.sbat`.
    changed(
        &|bytes| {
            let linux = row(bytes, ".linux");
            bytes[linux + 7] = b'x';
        },
        "image.structure",
        "the name of a section goes on",
    );
    changed(
        &|bytes| {
            let at = field(bytes, ".sbat", RAW_OFFSET) + field(bytes, ".sbat", VIRTUAL_SIZE);
            bytes[at as usize] = b'x';
        },
        "image.structure",
        "something behind the content of the section .sbat",
    );
    // What finished images do not have, and what a section that is data does not need.
    changed(
        &|bytes| {
            let linux = row(bytes, ".linux");
            put(bytes, linux + RELOCATIONS, 0x400);
        },
        "image.structure",
        "relocations",
    );
    changed(
        &|bytes| {
            let coff = number(bytes, 0x3c) as usize + 4;
            put(bytes, coff + 8, 0x400);
        },
        "image.structure",
        "symbol table",
    );
    changed(
        &|bytes| {
            let initrd = row(bytes, ".initrd");
            put(bytes, initrd + CHARACTERISTICS, 0xe000_0020);
        },
        "image.structure",
        "written or executed",
    );
    // Another entry point than the stub's: it is part of what makes the stub.
    changed(
        &|bytes| {
            let optional = number(bytes, 0x3c) as usize + 24;
            let entry = number(bytes, optional + 16) + 16;
            put(bytes, optional + 16, entry);
        },
        "image.stub",
        "does not name",
    );
    // A section of the stub's that is not one of its own.
    changed(
        &|bytes| {
            let osrel = row(bytes, ".osrel");
            bytes[osrel..osrel + 8].copy_from_slice(b".evil\0\0\0");
        },
        "image.stub",
        "does not name",
    );
    // Cut anywhere, or no image at all.
    for end in [0, 10, 64, 300, 5000, good.len() / 2] {
        let cut = judge.image(&client, &key("db"), SHA256, &file(&good[..end]));
        refused(cut, "image.malformed", "the image");
    }
}

/// systemd's stubs of every release and architecture: none has anything in the places where nothing may be.
#[test]
fn images_of_every_stub_are_built_as_they_must_be() {
    let world = World::new();
    let web = world.build("web");
    let own = Uki::of(&world, &web);
    let mut judged = 0;
    for (suite, stubs) in &world.inputs.stub {
        for (architecture, stub) in stubs {
            let image =
                touchstone_pe::Image::read(&mut std::fs::File::open(stub).unwrap()).unwrap();
            // Debian 12 has one that does not say which it is; no UKI is made of that.
            if image.section(".sdmagic").is_none() {
                continue;
            }
            judged += 1;
            let debian = match architecture.as_str() {
                "x64" => "amd64",
                "aa64" => "arm64",
                other => panic!("{other}"),
            };
            let kernel = world.inputs.kernel[debian].vmlinuz.clone();
            let judge = world.judge(&[
                (
                    "/images/system/uki/stub",
                    serde_json::json!({ "files": [stub] }),
                ),
                (
                    "/images/system/uki/kernel",
                    serde_json::json!({ "files": [kernel] }),
                ),
            ]);
            let client = world.client(&judge, &world.asking("web"));
            let uki = Uki {
                stub: stub.clone(),
                linux: Some(kernel),
                sbat: vec!["sbat,1,-,-,-,-\nuki,1,-,-,-,-\n".to_owned()],
                ..own.clone()
            };
            let image = judge.image(&client, &key("db"), SHA256, &uki.file());
            assert!(image.is_ok(), "{suite} {architecture}: {image:?}");
        }
    }
    assert!(judged >= 5, "{judged}");
}

#[test]
fn a_stub_that_knows_no_profiles_gets_none() {
    let world = World::new();
    let web = world.build("web");
    // Real ones have no room for so many sections.
    let stub = &world.inputs.stub["trixie"]["x64"];
    let mut bytes = std::fs::read(stub).unwrap();
    let version = b"LoaderInfo: systemd-stub 257";
    let at = bytes
        .windows(version.len())
        .position(|text| text == version);
    bytes[at.unwrap() + version.len() - 1] = b'6';
    let folder = tempfile::tempdir().unwrap();
    let old = &folder.path().join("stub");
    std::fs::write(old, bytes).unwrap();
    let judge = world.judge(&[(
        "/images/system/uki/stub",
        serde_json::json!({ "files": [stub, old] }),
    )]);
    let client = world.client(&judge, &world.asking("web"));
    let of = |stub: &std::path::PathBuf| Uki {
        stub: stub.clone(),
        sbat: vec!["sbat,1,-,-,-,-\nuki,1,-,-,-,-\n".to_owned()],
        ..Uki::of(&world, &web)
    };
    let sign = |uki: &Uki| judge.image(&client, &key("db"), SHA256, &uki.file());
    let line = Uki::of(&world, &web).cmdline.unwrap() + " loglevel=7";
    sign(&of(old)).unwrap();
    sign(&of(stub).profile("debug", line.clone())).unwrap();
    refused(
        sign(&of(old).profile("debug", line)),
        "image.structure",
        "which its stub does not know",
    );
}

#[test]
fn sbat_says_what_stub_and_kernel_say() {
    let world = World::new();
    let web = world.build("web");
    let judge = world.judge(&[("/images/system/uki/sbat", serde_json::json!({ "uki": 1 }))]);
    let client = world.client(&judge, &world.asking("web"));
    let uki = Uki::of(&world, &web);
    let sign = |bytes: &[u8]| judge.image(&client, &key("db"), SHA256, &file(bytes));
    let good = uki.bytes();
    sign(&good).unwrap();
    let place = |bytes: &[u8], text: &[u8]| {
        let found = bytes.windows(text.len()).position(|window| window == text);
        found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(text)))
    };
    let start = number(&good, row(&good, ".sbat") + 20) as usize;
    let replaced = |from: &[u8], to: &[u8]| {
        let mut bytes = good.clone();
        let at = start + place(&bytes[start..], from);
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    // A higher generation would evade a revocation; a missing component as well.
    refused(
        sign(&replaced(b"systemd-stub,1", b"systemd-stub,9")),
        "image.sbat",
        "of the stub is missing or was changed",
    );
    refused(
        sign(&replaced(b"systemd-stub,1", b"systemd-stob,1")),
        "image.sbat",
        "of the stub is missing or was changed",
    );
    refused(
        sign(&replaced(b"\nuki,1", b"\nuki,2")),
        "image.sbat",
        "`uki` has the generation 2",
    );
    refused(sign(&replaced(b"sbat,1", b"sbot,1")), "image.sbat", "");
    refused(
        sign(&replaced(b"sbat,1", b"sbat,2")),
        "image.sbat",
        "`sbat` has the generation 2",
    );
    let twice = Uki {
        sbat: vec!["sbat,1,SBAT Version,sbat,1,h\nuki,1,a,b,c,d\nuki,2,a,b,c,d\n".to_owned()],
        ..uki
    };
    refused(sign(&twice.bytes()), "image.sbat", "two generations");
}
