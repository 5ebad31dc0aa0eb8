//! `.narinfo`: what is accepted, what is refused, and that there is one text for each value.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use proptest::prelude::*;
use touchstone_store::NarInfo;
use touchstone_store::narinfo::{Compression, LIMIT, NarInfoError};

const PATH: &str = "0c0yhpdd5p3f6wvlsibsf2a4kfpaqzif-hello";

/// As Nix writes it for a path that was copied into a folder.
fn text() -> String {
    format!(
        "StorePath: /nix/store/{PATH}\n\
         URL: nar/1lxjzxhbx4nnbcx6f1ihfy5x4x5xzh5v0bz3a9apvqyy6hhf84js.nar.xz\n\
         Compression: xz\n\
         FileHash: sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s\n\
         FileSize: 152\n\
         NarHash: sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s\n\
         NarSize: 464\n\
         References: 0c0yhpdd5p3f6wvlsibsf2a4kfpaqzif-hello 1c0yhpdd5p3f6wvlsibsf2a4kfpaqzif-libc\n\
         Deriver: 0c0yhpdd5p3f6wvlsibsf2a4kfpaqzif-hello.drv\n\
         Sig: cache:{}\n\
         CA: fixed:r:sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s\n",
        data_encoding::BASE64.encode(&[7; 64])
    )
}

fn refused(from: &str, to: &str) -> NarInfoError {
    let changed = text().replacen(from, to, 1);
    assert_ne!(changed, text());
    changed.parse::<NarInfo>().unwrap_err()
}

#[test]
fn reads_what_nix_writes_and_writes_it_back() {
    let info: NarInfo = text().parse().unwrap();
    assert_eq!(info.to_string(), text());
    assert_eq!(info.entry.path.base_name(), PATH);
    assert_eq!((info.entry.nar_size, info.entry.references.len()), (464, 2));
    let archive = info.archive.as_ref().unwrap();
    assert_eq!(archive.compression, Compression::Xz);
    assert_eq!(archive.file_size, Some(152));
    // The registry keeps the same without the archive.
    let kept = info.registered();
    assert!(!kept.to_string().contains("URL"));
    assert_eq!(kept.to_string().parse::<NarInfo>().unwrap(), kept);
}

#[test]
fn has_no_references_where_the_line_is_empty() {
    let line = text().lines().nth(7).unwrap().to_owned();
    let none: NarInfo = text().replace(&line, "References: ").parse().unwrap();
    assert!(none.entry.references.is_empty());
    assert!(none.to_string().contains("References: \n"));
}

#[test]
fn refuses_a_file_outside_of_the_cache() {
    for url in [
        "../../etc/shadow",
        "/etc/shadow",
        "nar//a",
        "nar/./a",
        "http://elsewhere/a.nar",
        "nar/a b",
        "nar\\a",
        "",
    ] {
        let file = "nar/1lxjzxhbx4nnbcx6f1ihfy5x4x5xzh5v0bz3a9apvqyy6hhf84js.nar.xz";
        let error = refused(file, url);
        assert!(
            matches!(error, NarInfoError::Value { key: "URL", .. }),
            "{url}: {error}"
        );
    }
}

#[test]
fn refuses_what_is_unclear_with_the_reason() {
    use NarInfoError as E;
    let value = |error, key: &str| matches!(error, E::Value { key: found, .. } if found == key);
    assert!(value(refused("/nix/store/0", "/gnu/store/0"), "StorePath"));
    assert!(value(
        refused("/nix/store/0", "/nix/store/../0"),
        "StorePath"
    ));
    assert!(value(
        refused("NarHash: sha256", "NarHash: sha1"),
        "NarHash"
    ));
    assert!(value(refused("NarSize: 464", "NarSize: 0"), "NarSize"));
    assert!(value(refused("NarSize: 464", "NarSize: 0464"), "NarSize"));
    assert!(value(refused("NarSize: 464", "NarSize: +464"), "NarSize"));
    assert!(value(
        refused("References: 0c", "References: ../0c"),
        "References"
    ));
    assert!(value(refused("Sig: cache", "Sig: "), "Sig"));
    assert!(value(
        refused("Compression: xz", "Compression: "),
        "Compression"
    ));
    assert_eq!(refused("NarSize: 464\n", ""), E::Missing("NarSize"));
    assert_eq!(refused("URL", "Url"), E::Unknown("Url".to_owned()));
    assert_eq!(
        refused("NarSize: 464\n", "NarSize: 464\nNarSize: 464\n"),
        E::Twice("NarSize".to_owned())
    );
    assert_eq!(refused("StorePath: ", "StorePath:"), E::Line(1));
    assert_eq!(refused("URL: nar", "\nURL: nar"), E::Line(2));
    let line = text().lines().nth(1).unwrap().to_owned() + "\n";
    assert_eq!(refused(&line, ""), E::Missing("URL"));
    assert_eq!(NarInfo::read(b"a\xff\n"), Err(E::NotText));
    assert_eq!(NarInfo::read(&vec![b'a'; LIMIT + 1]), Err(E::TooLong));
    assert_eq!(NarInfo::read(b""), Err(E::Line(0)));
    assert_eq!(text().trim_end().parse::<NarInfo>(), Err(E::Line(11)));
    let repeated = refused("1c0yhpdd5p3f6wvlsibsf2a4kfpaqzif-libc", PATH);
    assert_eq!(repeated, E::Twice(PATH.to_owned()));
}

#[test]
fn names_a_compression_that_it_does_not_know() {
    let info: NarInfo = text().replace("n: xz", "n: br").parse().unwrap();
    let archive = info.archive.unwrap();
    assert_eq!(archive.compression, Compression::Other("br".to_owned()));
    let old: NarInfo = text().replace("Compression: xz\n", "").parse().unwrap();
    assert_eq!(old.archive.unwrap().compression.name(), "bzip2");
}

proptest! {
    #[test]
    fn never_panics_and_keeps_what_it_accepts(cut in 0usize..700, insert in "\\PC{0,6}") {
        let mut text = text();
        let at = cut.min(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &insert);
        }
        if let Ok(info) = text.parse::<NarInfo>() {
            prop_assert_eq!(info.to_string().parse::<NarInfo>().unwrap(), info);
        }
    }
}
