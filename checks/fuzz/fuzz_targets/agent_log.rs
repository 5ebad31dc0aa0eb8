//! Segments of the signing agent's log, entries and checkpoints: any bytes are read or refused. What an agent goes on with hangs together, is
//! not longer than what is there, and reads the same once the rest is cut off.
//!
//! Seeds, of logs that were written by tests: `closed` has one of each event that a small log has, `second` is a later segment, `torn` was
//! cut within a line, `powerless` has zeros where a page was not written; `checkpoint` is a signed note, `key` a public key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_agent::log::{
    Checkpoint, CheckpointKey, Digest, Entry, Link, PublicKey, Scan, Sequence, scan,
};

/// Reads the bytes as the segment of this number.
fn scanned(bytes: &[u8], number: u64) -> Option<(Scan, Vec<(Sequence, Digest)>)> {
    let mut seen = Vec::new();
    let found = scan(bytes, number, |sequence, digest| {
        seen.push((sequence, digest))
    });
    found.ok()?.ok().map(|scan| (scan, seen))
}

/// What an agent goes on with.
fn goes_on(bytes: &[u8], number: u64) {
    let Some((found, seen)) = scanned(bytes, number) else {
        return;
    };
    let length = usize::try_from(found.bytes).unwrap();
    assert!(length <= bytes.len() && found.torn == (length < bytes.len()));
    assert_eq!(seen.last(), Some(&(found.last, found.head)));
    let (kept, cut) = bytes.split_at(length);
    let whole = Scan {
        torn: false,
        ..found.clone()
    };
    assert_eq!(scanned(kept, number), Some((whole, seen.clone())));
    // Nothing that is an entry is cut off, but for what stands behind zeros.
    let entry = |line: &[u8]| line.ends_with(b"\n") && Link::parse(line).is_ok();
    let lost = cut.split_inclusive(|byte| *byte == b'\n').any(entry);
    assert!(!lost || cut.contains(&0));
    let mut previous = found.before.1;
    let mut before = found.before.0;
    for (line, (sequence, digest)) in kept.split_inclusive(|byte| *byte == b'\n').zip(&seen) {
        let link = Link::parse(line).unwrap();
        assert_eq!((link.sequence, link.previous), (*sequence, previous));
        assert_eq!(link.sequence, before.next());
        assert_eq!(*digest, Digest::of(line));
        (previous, before) = (*digest, *sequence);
    }
}

fuzz_target!(|bytes: &[u8]| {
    goes_on(bytes, 1);
    goes_on(bytes, 2);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Ok(entry) = Entry::parse(line) else {
            continue;
        };
        let written = entry.line().unwrap();
        assert_eq!(Entry::parse(&written).unwrap(), entry);
        let link = Link::parse(&written).unwrap();
        assert_eq!(
            (link.sequence, link.time, link.previous),
            (entry.sequence, entry.time, entry.previous)
        );
        assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
        let _ = entry.event.bounded();
    }
    if let Ok(checkpoint) = Checkpoint::unverified(bytes) {
        // One text for one statement, and no file name that leads elsewhere.
        assert!(bytes.starts_with(checkpoint.text().as_bytes()));
        assert!(!checkpoint.file_name().contains('/'));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text.trim_ascii());
        assert!(Checkpoint::open(bytes, &[key]).is_err());
    }
    if let Ok(key) = CheckpointKey::read(bytes) {
        assert_eq!(key.expose_text().as_str(), text.trim_ascii());
    }
});
