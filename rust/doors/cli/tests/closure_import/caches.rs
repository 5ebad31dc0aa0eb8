//! Folders of binary caches that somebody else made: what is read of them, and how their archives may be compressed.

use std::fs;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;

use super::made::{Made, THERE, path};

/// A cache of the whole closure, whose library is an archive of `bytes`, said to be compressed with Zstandard.
fn with_archive(made: &Made, bytes: &[u8]) {
    fs::remove_dir_all(made.work.path("cache")).unwrap_or_default();
    made.export_with(&["--cache", "cache"]);
    let file = format!("cache/{}.narinfo", made.library.hash_part());
    let text = String::from_utf8(made.work.read(&file)).unwrap();
    let text = text.replace("Compression: none", "Compression: zstd");
    // How long the archive is, nobody need say.
    let lines = text.split_inclusive('\n');
    let lines = lines.filter(|line| !line.starts_with("File"));
    made.work.write(&file, lines.collect::<String>());
    made.work.write(&archive(made), bytes);
}

fn archive(made: &Made) -> String {
    let hash = made.said(THERE, &made.library).entry.nar_hash.to_base32();
    format!("cache/nar/{}.nar", &hash["sha256:".len()..])
}

#[test]
fn an_archive_of_several_zstandard_frames_is_read_whole_and_nothing_may_follow() {
    let made = Made::new();
    made.export_with(&["--cache", "cache"]);
    let nar = made.work.read(&archive(&made));
    let frame = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let (one, other) = nar.split_at(nar.len() / 2);
    let whole = [frame(one), frame(other)].concat();
    with_archive(&made, &whole);
    let answer = made.imported("here", &["cache"]);
    assert_eq!(answer["imported"], json!([made.library, made.system]));
    for rest in [frame(b"more"), b"garbage".to_vec()] {
        with_archive(&made, &[&whole[..], &rest].concat());
        let said = made.refused("nowhere", &["cache"]);
        assert!(said.contains("goes on behind the end"), "{said}");
    }
}

#[test]
fn of_a_cache_only_what_is_asked_for_is_read() {
    let made = Made::new();
    made.export_with(&["--cache", "cache"]);
    let other = path('2', "other");
    let damaged = format!("cache/{}.narinfo", other.hash_part());
    made.work.write(&damaged, "no such thing");
    let said = made.refused("here", &["cache"]);
    assert!(said.contains("is no .narinfo"), "{said}");
    let system = made.system.to_string();
    let answer = made.imported("here", &["cache", "--path", &system]);
    assert_eq!(answer["imported"], json!([made.library, made.system]));
    let said = made.refused("here", &["cache", "--path", other.as_str()]);
    assert!(said.contains("is no .narinfo"), "{said}");
}
