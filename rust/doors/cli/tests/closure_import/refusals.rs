//! What is refused, with nothing left behind: [`Made::refused`] looks.

use std::fs;

use touchstone_store::nar;

use super::made::{Made, THERE, key};

/// A root that has a store, empty or not, by its name.
const HERE: &str = "here";

fn assert_says(said: &str, facts: &[&str]) {
    assert!(facts.iter().all(|fact| said.contains(fact)), "{said}");
}

/// Changes the one place where `from` stands in a file.
fn change(made: &Made, file: &str, from: &[u8], to: &[u8]) {
    let mut bytes = made.work.read(file);
    let places = bytes.windows(from.len()).filter(|window| *window == from);
    assert_eq!(places.count(), 1);
    let at = bytes.windows(from.len()).position(|window| window == from);
    bytes.splice(at.unwrap()..at.unwrap() + from.len(), to.iter().copied());
    made.work.write(file, bytes);
}

/// The `.narinfo` of the system in a cache.
fn narinfo(made: &Made) -> String {
    format!("cache/{}.narinfo", made.system.hash_part())
}

#[test]
fn a_path_that_no_trusted_key_signed_is_refused() {
    let made = Made::new();
    made.export("stream");
    let other = key("cache", 2).public_key();
    let output = made.import_by(&other, HERE, &["stream"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_says(&said, &["0 good signatures", made.library.as_str()]);
    // More signatures than there are different keys.
    assert_says(
        &made.refused(HERE, &["--sigs-needed", "2", "stream"]),
        &["only 1 different"],
    );
    assert_says(
        &made.refused(HERE, &["--sigs-needed", "0", "stream"]),
        &["trust anything"],
    );
    assert!(
        !made
            .work
            .path(HERE)
            .join("nix/store/.touchstone-import")
            .exists()
    );
    // One path of several is enough.
    let library = [made.library.clone()];
    made.register(&made.system, &library, &[&key("cache", 2)]);
    made.export("stream");
    assert_says(
        &made.refused(HERE, &["stream"]),
        &["0 good", made.system.as_str()],
    );
    let entry = made.said(THERE, &made.system).entry;
    made.say(
        THERE,
        touchstone_store::Entry {
            signatures: [].into(),
            ..entry
        },
    );
    let system = made.system.to_string();
    let output = made
        .work
        .touchstone(["closure", "export", "--root", THERE, &system]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_says(&said, &[&format!("{system} is not signed")]);
}

#[test]
fn what_is_not_what_was_signed_is_refused() {
    let made = Made::new();
    made.export("stream");
    made.export_with(&["--cache", "cache"]);
    // Content, in the stream and in the cache.
    change(&made, "stream", b"the system", b"the sYstem");
    assert_says(
        &made.refused("one", &["stream"]),
        &["is not what its signature says", made.system.as_str()],
    );
    let hash = made.said(THERE, &made.system).entry.nar_hash.to_base32();
    let nar = format!("cache/nar/{}.nar", &hash["sha256:".len()..]);
    change(&made, &nar, b"the system", b"the sYstem");
    // What came before it is whole, or nothing is there: this is one batch.
    assert_says(
        &made.refused("two", &["cache"]),
        &["is not what its signature says", made.system.as_str()],
    );
    change(&made, &nar, b"the sYstem", b"the system");
    // A size that is smaller than the NAR; the signature says another one, too.
    let size = made.said(THERE, &made.system).entry.nar_size;
    let line = format!("NarSize: {size}\n");
    let smaller = format!("NarSize: {}\n", size - 8);
    change(&made, &narinfo(&made), line.as_bytes(), smaller.as_bytes());
    assert_says(&made.refused("three", &["cache"]), &["0 good signatures"]);
}

#[test]
fn an_archive_that_is_longer_or_shorter_than_it_is_said_to_be_is_refused() {
    let made = Made::new();
    made.export("stream");
    made.export_with(&["--cache", "cache"]);
    let mut longer = made.work.read("stream");
    longer.push(0);
    made.work.write("longer", &longer);
    assert_says(
        &made.refused("one", &["longer"]),
        &["something follows the last NAR"],
    );
    for cut in [1, 100, 100_000, longer.len() - 10] {
        made.work
            .write("shorter", &longer[..longer.len() - 1 - cut]);
        let said = made.refused("two", &["shorter"]);
        assert!(
            said.contains("ends") || said.contains("does not begin"),
            "{said}"
        );
    }
    // A NAR that says a length that nobody has, signed by somebody whose key is trusted.
    let entry = made.said(THERE, &made.library).entry;
    let wrong = |size: u64| {
        let mut entry = entry.clone();
        entry.nar_size = size;
        entry.signatures = [made.key.sign(&entry.fingerprint())].into();
        made.say(THERE, entry);
        let words = ["closure", "export", "--root", THERE, "--output", "no"];
        let output = made
            .work
            .touchstone([&words[..], &[made.library.as_str()]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_says(&said, &["is not what its signature says"]);
        assert!(!made.work.path("no").exists());
        let body = made.said(THERE, &made.library).to_string();
        let mut stream = format!("touchstone-closure-1 1 {}\n{body}", body.len()).into_bytes();
        nar::archive_path(&made.on_disk(THERE, &made.library), &mut stream).unwrap();
        made.work.write("wrong", stream);
        made.refused("three", &["wrong"])
    };
    assert_says(&wrong(entry.nar_size - 8), &["longer than"]);
    // No machine has this much room: it is said before a byte is written.
    assert_says(&wrong(1 << 60), &["bytes free", "make room"]);
}

#[test]
fn a_name_that_leads_out_of_the_store_is_refused() {
    let made = Made::new();
    let strings = |words: &[&[u8]]| -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in words {
            bytes.extend((word.len() as u64).to_le_bytes());
            bytes.extend(*word);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    };
    for name in [&b"../../../out"[..], b"..", b"/out", b"a/b", b".", b""] {
        let head: [&[u8]; 4] = [b"nix-archive-1", b"(", b"type", b"directory"];
        let mut nar = strings(&head);
        nar.extend(strings(&[b"entry", b"(", b"name", name, b"node"]));
        let file: [&[u8]; 6] = [b"(", b"type", b"regular", b"contents", b"out", b")"];
        nar.extend(strings(&file));
        nar.extend(strings(&[b")", b")"]));
        let mut entry = made.said(THERE, &made.library).entry;
        entry.nar_size = nar.len() as u64;
        entry.nar_hash = {
            use sha2::Digest;
            touchstone_store::NarHash::new(sha2::Sha256::digest(&nar).into())
        };
        // Signed as it is: a trusted key is no reason to write outside of the store.
        entry.signatures = [made.key.sign(&entry.fingerprint())].into();
        made.say(THERE, entry);
        let body = made.said(THERE, &made.library).to_string();
        let mut stream = format!("touchstone-closure-1 1 {}\n{body}", body.len()).into_bytes();
        stream.extend(nar);
        made.work.write("stream", stream);
        let before = super::made::snapshot(made.work.folder()).len();
        assert_says(&made.refused(HERE, &["stream"]), &["is no name of a file"]);
        // The empty store and its registry are made; nothing else is.
        let new = super::made::snapshot(made.work.folder());
        let outside = new.iter().filter(|found| !found.path.starts_with(HERE));
        assert!(outside.count() <= before);
        assert!(!made.work.path("out").exists());
    }
}

#[test]
fn a_path_outside_of_the_store_is_refused() {
    let made = Made::new();
    made.export("stream");
    let system = made.system.to_string();
    let line = format!("StorePath: {system}");
    let elsewhere = line.replace("/nix/store/", "/gnu/store/");
    change(&made, "stream", line.as_bytes(), elsewhere.as_bytes());
    assert_says(
        &made.refused(HERE, &["stream"]),
        &["does not lie in /nix/store"],
    );
    made.export_with(&["--cache", "cache"]);
    let url = |line: &str| {
        let file = narinfo(&made);
        let text = String::from_utf8(made.work.read(&file)).unwrap();
        let old = text.lines().find(|line| line.starts_with("URL: ")).unwrap();
        change(&made, &file, old.as_bytes(), line.as_bytes());
        made.refused(HERE, &["cache"])
    };
    assert_says(&url("URL: ../stream"), &["no file below the cache"]);
    std::os::unix::fs::symlink("../../stream", made.work.path("cache/nar/link")).unwrap();
    // What the line before left is no URL.
    change(&made, &narinfo(&made), b"URL: ../stream", b"URL: nar/none");
    assert_says(&url("URL: nar/link"), &["opening", "nar/link"]);
}

#[test]
fn a_reference_that_is_nowhere_is_refused() {
    let made = Made::new();
    made.export_with(&["--cache", "cache"]);
    let file = format!("cache/{}.narinfo", made.library.hash_part());
    fs::remove_file(made.work.path(&file)).unwrap();
    let (system, library) = (made.system.as_str(), made.library.as_str());
    let said = made.refused(HERE, &["cache"]);
    assert_says(&said, &[&format!("{system} refers to {library}")]);
    let said = made.refused(HERE, &["cache", "--path", library]);
    assert_says(&said, &[&format!("{library} is in none of the sources")]);
}

#[test]
fn a_machine_whose_store_belongs_to_nix_is_left_alone() {
    let made = Made::new();
    made.export("stream");
    let database = made.work.path(HERE).join("nix/var/nix/db/db.sqlite");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    fs::write(&database, "").unwrap();
    assert_says(
        &made.refused(HERE, &["stream"]),
        &["belongs to Nix", "db.sqlite", "nix copy"],
    );
    assert!(!made.valid(HERE).exists());
}

#[test]
fn what_stands_where_a_path_goes_is_left_alone_unless_repair_is_asked_for() {
    let made = Made::new();
    made.export("stream");
    let place = made.on_disk(HERE, &made.library);
    fs::write(&place, "something else").unwrap();
    assert_says(
        &made.refused(HERE, &["stream"]),
        &["not registered", "--repair"],
    );
    assert_eq!(fs::read(&place).unwrap(), b"something else");
    assert_eq!(made.imported(HERE, &["--repair", "stream"])["present"], 0);
    assert!(place.is_dir());
}

#[test]
fn a_compression_that_is_not_known_is_refused_by_its_name() {
    let made = Made::new();
    made.export_with(&["--cache", "cache"]);
    change(
        &made,
        &narinfo(&made),
        b"Compression: none",
        b"Compression: lz4",
    );
    assert_says(
        &made.refused(HERE, &["cache"]),
        &["compressed as `lz4`", "xz"],
    );
}

#[test]
fn streams_come_alone() {
    let made = Made::new();
    made.export("stream");
    made.export_with(&["--cache", "cache"]);
    assert_says(&made.refused(HERE, &["cache", "stream"]), &["come alone"]);
    assert_says(&made.refused(HERE, &["cache", "-"]), &["come alone"]);
    made.work.write("text", "neither");
    assert_says(&made.refused(HERE, &["text"]), &["does not begin with"]);
}

#[test]
fn an_answer_is_not_mixed_with_a_stream() {
    let made = Made::new();
    let system = made.system.to_string();
    let words = ["closure", "export", "--root", THERE, "--json", &system];
    let output = made.work.touchstone(words);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
