//! The crate `bootspec` 2.0.0, which knows v1 alone, reads the v1 of every document.

use std::path::PathBuf;

use bootspec::BootJson;
use bootspec::v1::{BootSpecV1, GenerationV1};
use touchstone_bootspec::{
    Additions, BesideV1, Document, Extensions, SecretsProgram, V1, emit, upgrade,
};

use super::table::{BAD, GOOD};
use super::{bytes, good};

/// Good documents that it refuses: they have v2 alone.
const V2_ALONE: [&str; 5] = [
    "extensions-to-the-byte",
    "one-line",
    "v2-rfc-165",
    "v2-smallest",
    "v2-specialisations",
];

const LENIENT: &str = "it takes any text as a path and any key as one to pass over";
const NO_V2: &str = "it does not look at v2";
const NULL: &str = "it reads null as missing, against RFC 125";
const ANY_VALUE: &str =
    "it takes any value but null as an extension, and any name for a specialisation";
const NESTED: &str = "it reads specialisations of specialisations";
const MAP: &str = "it keeps the last of two extensions, or members of one, that have one name";

/// Bad documents that it accepts, each with the reason.
const ACCEPTED: [(&str, &str); 25] = [
    ("child-with-another-v2", NO_V2),
    ("extension-list-in-specialisation", ANY_VALUE),
    ("extension-text", ANY_VALUE),
    ("extension-twice", MAP),
    ("init-with-a-space", LENIENT),
    ("key-twice-in-extension", MAP),
    ("label-escape", LENIENT),
    ("null-initrd", NULL),
    ("parameter-init", LENIENT),
    ("parameter-line-break", LENIENT),
    ("path-on-the-esp", LENIENT),
    ("path-without-hash", LENIENT),
    ("relative-path", LENIENT),
    ("specialisation-missing-in-v2", NO_V2),
    ("specialisation-name-empty", ANY_VALUE),
    ("specialisation-name-slash", ANY_VALUE),
    ("specialisation-v1-inside-v2", NO_V2),
    ("specialisations-nested", NESTED),
    ("specialisations-without-core", NO_V2),
    ("toplevel-below-a-store-path", LENIENT),
    ("v1-with-initrds", LENIENT),
    ("v1-with-specialisation-inside", LENIENT),
    ("versions-of-different-initrds", NO_V2),
    ("versions-of-different-kernels", NO_V2),
    (
        "versions-of-different-parameters-in-a-specialisation",
        NO_V2,
    ),
];

fn read(bytes: &[u8]) -> Result<BootJson, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// The same facts under its names.
fn core(core: &V1) -> BootSpecV1 {
    let path = |path: &dyn std::fmt::Display| PathBuf::from(path.to_string());
    BootSpecV1 {
        label: core.label.clone(),
        kernel: path(&core.kernel),
        kernel_params: core.kernel_params.clone(),
        init: path(&core.init),
        initrd: core.initrd.as_ref().map(|one| path(one)),
        initrd_secrets: core.initrd_secrets.as_ref().map(|one| path(one)),
        system: core.system.clone(),
        toplevel: bootspec::SystemConfigurationRoot(path(&core.toplevel)),
    }
}

fn assert_read_alike(name: &str, document: &Document, text: &[u8]) {
    let theirs = read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let generation = GenerationV1::try_from(theirs.generation).unwrap();
    let ours = document.v1.as_ref().unwrap();
    assert_eq!(generation.bootspec, core(&ours.core), "{name}");
    let mut names: Vec<String> = generation
        .specialisations
        .keys()
        .map(ToString::to_string)
        .collect();
    names.sort();
    assert!(names.iter().eq(ours.specialisations.keys()), "{name}");
    for (special, theirs) in &generation.specialisations {
        let ours = &ours.specialisations[&special.0];
        assert_eq!(theirs.generation.bootspec, core(&ours.core), "{name}");
        assert_eq!(
            theirs.extensions.len(),
            ours.extensions.iter().count(),
            "{name}"
        );
    }
    for (extension, value) in &theirs.extensions {
        let ours = document.extensions.get(extension).unwrap();
        assert_eq!(ours.to_value(), *value, "{name}");
    }
}

#[test]
fn reads_what_we_read_as_we_read_it() {
    for name in GOOD {
        if V2_ALONE.contains(&name) {
            assert!(read(&bytes("good", name)).is_err(), "{name}");
        } else {
            assert_read_alike(name, &good(name), &bytes("good", name));
        }
    }
}

#[test]
fn reads_what_we_write() {
    for name in GOOD {
        let document = good(name);
        if document.v1.is_some() {
            assert_read_alike(name, &document, document.to_json().as_bytes());
        }
        let upgraded = upgrade(
            document,
            Additions::default(),
            SecretsProgram::AppendsNothing,
        )
        .unwrap();
        if upgraded.v1.is_some() {
            assert_read_alike(name, &upgraded, upgraded.to_json().as_bytes());
        }
        let emitted = emit(
            upgraded.v2.unwrap(),
            Extensions::new(),
            BesideV1::WherePossible,
        )
        .unwrap();
        if emitted.v1_left_out.is_none() {
            assert_read_alike(
                name,
                &emitted.document,
                emitted.document.to_json().as_bytes(),
            );
        }
    }
}

#[test]
fn accepts_these_bad_ones_and_no_others() {
    for (name, _) in BAD {
        let listed = ACCEPTED.iter().any(|(accepted, _)| *accepted == name);
        assert_eq!(read(&bytes("bad", name)).is_ok(), listed, "{name}");
    }
}
