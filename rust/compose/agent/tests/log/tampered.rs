//! What somebody does to a log behind the agent's back is found with the last checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use touchstone_agent::log::{
    Digest, Entry, Fault, Log, LogError, Report, Sequence, Settings, Trusted, verify,
};

use crate::support::{Place, key, public_key, refused, segments, signed};

/// A small log that was closed in order: eight entries, a segment.
fn small() -> Place {
    let place = Place::new();
    let log = place.open();
    for number in 0..5 {
        log.append(refused(&format!("no rule {number}"))).unwrap();
    }
    log.close().unwrap();
    place
}

/// A log of several segments.
fn long() -> Place {
    let place = Place::new();
    let log = place.open_with(Settings {
        segment_size: 64 << 10,
        reserve: 64 << 10,
        ..place.settings()
    });
    for number in 0..400 {
        log.may_sign().unwrap().record(signed(number)).unwrap();
    }
    log.close().unwrap();
    place
}

/// What verification says with the exported checkpoints, as they are on another machine: whoever tampers with the log has none of them.
fn verified(place: &Place, checkpoints: &[PathBuf]) -> Report {
    let _ = fs::remove_file(place.log().join("checkpoint"));
    let trusted = Trusted {
        keys: vec![public_key()],
        checkpoints: checkpoints.to_vec(),
    };
    verify(&place.log(), &trusted).unwrap()
}

fn last_checkpoint(place: &Place) -> Vec<PathBuf> {
    place.exported().pop().into_iter().collect()
}

fn faults(report: &Report) -> Vec<Fault> {
    report
        .findings
        .iter()
        .map(|finding| finding.fault.clone())
        .collect()
}

/// Writes the lines again, each naming the one before it, as somebody does who knows how.
fn chained(lines: &[Entry]) -> Vec<u8> {
    let (mut text, mut previous) = (Vec::new(), Digest::NONE);
    for (number, entry) in lines.iter().enumerate() {
        let mut entry = entry.clone();
        entry.sequence = Sequence(number as u64 + 1);
        entry.previous = previous;
        let line = entry.line().unwrap();
        previous = Digest::of(&line);
        text.extend(line);
    }
    text
}

fn parsed(segment: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(segment).unwrap();
    text.lines()
        .map(|line| Entry::parse(line.as_bytes()).unwrap())
        .collect()
}

#[test]
fn a_log_that_nobody_touched_verifies() {
    for place in [small(), long()] {
        let report = verified(&place, &[place.exports()]);
        assert_eq!(faults(&report), []);
        assert_eq!(report.covered.unwrap().sequence, report.last);
        assert_eq!(report.checkpoints as usize, place.exported().len());
        assert_eq!(report.segments as usize, segments(&place.log()).len());
        assert_eq!(report.unfinished, 0);
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let place = small();
    let checkpoint = last_checkpoint(&place);
    let file = place.log().join("00000001.log");
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        // One bit, another one each time; and all.
        for flip in [1 << (at % 8), 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            fs::write(&file, &changed).unwrap();
            let report = verified(&place, &checkpoint);
            assert!(!report.holds(), "byte {at}, flipped by {flip:#x}");
        }
    }
}

#[test]
fn a_changed_entry_is_named_with_its_line() {
    let place = small();
    let file = place.log().join("00000001.log");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("no rule 2", "no rule 7", 1)).unwrap();
    let report = verified(&place, &last_checkpoint(&place));
    // Entry 4 was changed: entry 5 names another line.
    assert_eq!(
        faults(&report),
        [Fault::Broken {
            sequence: Sequence(5)
        }]
    );
    let finding = &report.findings[0];
    assert_eq!(
        (finding.file.as_ref(), finding.line),
        (Some(&file), Some(5))
    );
    let byte = text.lines().take(4).map(|line| line.len() as u64 + 1).sum();
    assert_eq!(finding.byte, Some(byte));
}

#[test]
fn every_cut_is_found() {
    let place = small();
    let checkpoint = last_checkpoint(&place);
    let file = place.log().join("00000001.log");
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let report = verified(&place, &checkpoint);
        let lines = whole[..length]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count() as u64;
        let (last, signed) = (Sequence(lines), Sequence(8));
        if lines > 0 {
            assert_eq!(
                faults(&report),
                [Fault::Truncated { last, signed }],
                "{length}"
            );
        } else {
            assert!(!report.holds(), "{length}");
        }
    }
}

#[test]
fn an_entry_that_is_taken_out_is_found_though_the_chain_is_made_anew() {
    let place = small();
    let file = place.log().join("00000001.log");
    let whole = parsed(&file);
    let end = whole.len();
    for gone in 1..end {
        // By itself: the chain holds, and the log is shorter than was signed.
        let mut less = whole.clone();
        less.remove(gone);
        fs::write(&file, chained(&less)).unwrap();
        let chain = verify(&place.log(), &Trusted::default()).unwrap();
        assert_eq!(faults(&chain), [], "the chain alone shows nothing");
        let report = verified(&place, &last_checkpoint(&place));
        let (last, signed) = (Sequence(end as u64 - 1), Sequence(end as u64));
        assert_eq!(faults(&report), [Fault::Truncated { last, signed }]);
        // With another in its place.
        let mut other = whole.clone();
        other[gone].event = refused("made up");
        fs::write(&file, chained(&other)).unwrap();
        let report = verified(&place, &last_checkpoint(&place));
        let agreed = Sequence(0);
        assert_eq!(faults(&report), [Fault::Rewritten { agreed, signed }]);
    }
}

#[test]
fn more_checkpoints_tell_where_a_log_was_rewritten() {
    let place = Place::new();
    let log = place.open();
    for number in 0..4 {
        log.append(refused(&number.to_string())).unwrap();
        log.checkpoint().unwrap();
    }
    drop(log);
    let file = place.log().join("00000001.log");
    let mut lines = parsed(&file);
    // 1 created, 2 and 3 the first refusal and its checkpoint, and so on.
    lines[5].event = refused("made up");
    fs::write(&file, chained(&lines)).unwrap();
    let report = verified(&place, &[place.exports()]);
    let rewritten = |signed| Fault::Rewritten {
        agreed: Sequence(5),
        signed: Sequence(signed),
    };
    assert_eq!(faults(&report), [rewritten(7), rewritten(9)]);
}

#[test]
fn segments_that_are_gone_or_foreign_or_swapped_are_found() {
    let place = long();
    let files = segments(&place.log());
    let aside = place.exports().with_file_name("aside");
    let (missing, report) = {
        fs::rename(&files[1], &aside).unwrap();
        let report = verified(&place, &[place.exports()]);
        fs::rename(&aside, &files[1]).unwrap();
        (Fault::MissingSegments { first: 2, last: 2 }, report)
    };
    assert_eq!(faults(&report)[0], missing);
    // A whole segment of another log.
    let other = long();
    fs::copy(&files[1], &aside).unwrap();
    fs::copy(&segments(&other.log())[1], &files[1]).unwrap();
    let report = verified(&place, &[place.exports()]);
    assert!(
        matches!(faults(&report)[0], Fault::ForeignSegment { .. }),
        "{report:?}"
    );
    assert_eq!(report.findings[0].file.as_ref(), Some(&files[1]));
    // Another segment of this log.
    fs::copy(&files[2], &files[1]).unwrap();
    let report = verified(&place, &[place.exports()]);
    assert!(
        matches!(faults(&report)[0], Fault::ForeignSegment { .. }),
        "{report:?}"
    );
    fs::copy(&aside, &files[1]).unwrap();
    assert_eq!(faults(&verified(&place, &[place.exports()])), []);
    // The last one.
    fs::remove_file(files.last().unwrap()).unwrap();
    let report = verified(&place, &last_checkpoint(&place));
    assert!(
        matches!(faults(&report)[..], [Fault::Truncated { .. }]),
        "{report:?}"
    );
}

#[test]
fn the_first_segments_may_be_kept_elsewhere_where_a_checkpoint_says_what_they_ended_with() {
    let place = long();
    let files = segments(&place.log());
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let report = verified(&place, &[place.exports()]);
    assert_eq!(faults(&report), []);
    assert_eq!((report.earlier, report.first > Sequence(1)), (1, true));
    let report = verified(&place, &last_checkpoint(&place));
    assert!(
        matches!(faults(&report)[..], [Fault::NoBeginning { .. }]),
        "{report:?}"
    );
}

#[test]
fn a_log_that_was_begun_anew_is_no_substitute() {
    let (place, new) = (small(), small());
    let checkpoint = last_checkpoint(&place);
    let mut both = checkpoint.clone();
    both.extend(last_checkpoint(&new));
    let report = verified(&new, &both);
    assert!(
        matches!(faults(&report)[..], [Fault::OtherLog { .. }]),
        "{report:?}"
    );
    // So too when it lies in a folder of exports.
    fs::copy(
        &checkpoint[0],
        new.exports().join(checkpoint[0].file_name().unwrap()),
    )
    .unwrap();
    let report = verified(&new, &[new.exports()]);
    assert!(
        matches!(faults(&report)[..], [Fault::OtherLog { .. }]),
        "{report:?}"
    );
    fs::remove_file(new.log().join("00000001.log")).unwrap();
    let report = verified(&new, &[]);
    assert_eq!(faults(&report), [Fault::Empty]);
}

#[test]
fn checkpoints_that_nobody_signed_prove_nothing() {
    let place = small();
    assert_eq!(faults(&verified(&place, &[])), [Fault::NoCheckpoint]);
    let file = last_checkpoint(&place).remove(0);
    let note = fs::read_to_string(&file).unwrap();
    fs::write(&file, note.replacen("sequence 8", "sequence 7", 1)).unwrap();
    let report = verified(&place, &[place.exports()]);
    assert!(
        matches!(faults(&report)[..], [Fault::Unbelieved { .. }]),
        "{report:?}"
    );
}

/// The same at its next start: the agent does not go on with a log that was tampered with.
#[test]
fn an_agent_does_not_go_on_with_a_log_that_was_tampered_with() {
    let opened =
        |place: &Place| Log::open(&place.log(), place.settings(), Box::new(key())).map(drop);
    let place = small();
    let file = place.log().join("00000001.log");
    let whole = fs::read(&file).unwrap();
    let lines = parsed(&file);
    let cut = |lines: usize| {
        let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).nth(lines - 1).unwrap()
    };
    // Its own checkpoint, or the exported one, says that there was more.
    for own in [true, false] {
        fs::write(&file, &whole[..cut(6)]).unwrap();
        if !own {
            fs::remove_file(place.log().join("checkpoint")).unwrap();
        }
        let signed = Sequence(8);
        assert!(
            matches!(opened(&place), Err(LogError::Truncated { signed: found, last: Sequence(6), .. }) if found == signed)
        );
    }
    let mut other = lines.clone();
    other[3].event = refused("made up");
    fs::write(&file, chained(&other)).unwrap();
    assert!(matches!(
        opened(&place),
        Err(LogError::Rewritten {
            sequence: Sequence(8),
            ..
        })
    ));
    // A line that was changed: entries stand behind it.
    let mut changed = whole.clone();
    changed[cut(3) + 5] ^= 1;
    fs::write(&file, &changed).unwrap();
    assert!(matches!(
        opened(&place),
        Err(LogError::Damaged { line: 4, .. })
    ));
    let mut changed = whole.clone();
    let at = cut(3) + 40;
    changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
    fs::write(&file, &changed).unwrap();
    assert!(opened(&place).is_err());
    fs::write(&file, &whole).unwrap();
    opened(&place).unwrap();
    // Nothing is left but the checkpoint.
    fs::remove_file(place.log().join("00000001.log")).unwrap();
    assert!(matches!(opened(&place), Err(LogError::Truncated { .. })));
}
