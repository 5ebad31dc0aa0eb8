//! What is appended is there, in order, and each entry names the line before it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use touchstone_agent::log::{
    Checkpoint, CheckpointSigner, Digest, Entry, Event, Log, LogError, PublicKey, Report, Sequence,
    Settings, SignFault, TEXT_LIMIT, Trusted, verify,
};

use crate::support::{Place, entries, key, public_key, refused, segments, signed};

#[test]
fn every_entry_names_the_line_before_it() {
    let place = Place::new();
    let log = place.open();
    assert_eq!(log.append(refused("a")).unwrap(), Sequence(2));
    assert_eq!(
        log.may_sign().unwrap().record(signed(1)).unwrap(),
        Sequence(3)
    );
    log.close().unwrap();
    assert!(matches!(log.append(refused("b")), Err(LogError::Closed)));
    let text = fs::read_to_string(place.log().join("00000001.log")).unwrap();
    let mut previous = Digest::NONE;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(entry.sequence, Sequence(number as u64 + 1));
        assert_eq!(entry.previous, previous, "{line}");
        previous = Digest::of(line.as_bytes());
    }
    let events: Vec<Event> = entries(&place.log())
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    assert!(matches!(events[0], Event::Created { version: 1, .. }));
    assert_eq!(events[1], refused("a"));
    assert_eq!(
        events[2..],
        [Event::Signed(signed(1)), Event::Stopped, Event::Checkpoint]
    );
    // The last checkpoint covers all, its own entry as well.
    let notes = [
        place.log().join("checkpoint"),
        place.exported().pop().unwrap(),
    ];
    for note in notes.map(|file| fs::read(file).unwrap()) {
        let checkpoint = Checkpoint::open(&note, &[public_key()]).unwrap();
        assert_eq!(
            (checkpoint.sequence, checkpoint.head),
            (Sequence(5), previous)
        );
    }
}

#[test]
fn fifty_threads_append_a_thousand_entries_and_none_is_lost() {
    let place = Place::new();
    let log = place.open();
    let answered: BTreeMap<Sequence, usize> = thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let numbers = thread * 20..(thread + 1) * 20;
                    let append = |number| {
                        let permit = log.may_sign().unwrap();
                        (permit.record(signed(number)).unwrap(), number)
                    };
                    numbers.map(append).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    log.close().unwrap();
    let written = entries(&place.log());
    assert_eq!(answered.len(), 1000);
    assert_eq!(written.len(), 1003);
    for (at, entry) in written.iter().enumerate() {
        assert_eq!(entry.sequence, Sequence(at as u64 + 1));
        if let Event::Signed(there) = &entry.event {
            assert_eq!(there, &signed(answered[&entry.sequence]));
        }
    }
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let place = Place::new();
    let settings = Settings {
        segment_size: 64 << 10,
        reserve: 64 << 10,
        ..place.settings()
    };
    let log = place.open_with(settings.clone());
    for number in 0..400 {
        log.may_sign().unwrap().record(signed(number)).unwrap();
    }
    drop(log);
    let log = place.open_with(settings);
    log.append(refused("after")).unwrap();
    log.close().unwrap();
    let segments = segments(&place.log());
    assert!(segments.len() > 3, "{segments:?}");
    let all = entries(&place.log());
    for (before, after) in all.iter().zip(&all[1..]) {
        assert_eq!(before.sequence.next(), after.sequence);
        if let Event::Rotated { .. } = after.event {
            assert_eq!(before.event, Event::Checkpoint);
        }
    }
    let of = |event: fn(&Event) -> bool| all.iter().filter(|entry| event(&entry.event)).count();
    assert_eq!(of(|event| matches!(event, Event::Signed(_))), 400);
    assert_eq!(
        of(|event| matches!(event, Event::Rotated { .. })),
        segments.len() - 1
    );
    // A checkpoint for the end of each segment.
    assert_eq!(place.exported().len(), segments.len());
}

#[test]
fn checkpoints_are_made_by_entries_and_by_time() {
    let place = Place::new();
    let by = |checkpoint_entries, checkpoint_seconds| Settings {
        checkpoint_entries,
        checkpoint_seconds,
        ..place.settings()
    };
    let wait = |wanted: usize| {
        let begun = std::time::Instant::now();
        while place.exported().len() < wanted {
            assert!(begun.elapsed().as_secs() < 20, "no checkpoint was made");
            thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let log = place.open_with(by(3, 86_400));
    for number in 0..2 {
        log.append(refused(&number.to_string())).unwrap();
    }
    wait(1);
    log.close().unwrap();
    let log = place.open_with(by(u64::MAX, 1));
    log.append(refused("later")).unwrap();
    wait(3);
    // Nothing new: the same note once more.
    assert_eq!(log.checkpoint().unwrap(), log.checkpoint().unwrap());
    log.close().unwrap();
}

#[test]
fn long_texts_are_cut_and_the_line_stays_one() {
    let place = Place::new();
    let log = place.open();
    log.append(refused(&"\u{1}\n\"ü".repeat(10_000))).unwrap();
    log.close().unwrap();
    let Event::Refused { what, .. } = &entries(&place.log())[1].event else {
        panic!("another entry");
    };
    assert!(what.len() <= TEXT_LIMIT && what.ends_with('…'));
}

#[test]
fn one_agent_writes_a_log_and_nobody_else_may_write_into_its_folder() {
    let place = Place::new();
    let log = place.open();
    let again = Log::open(&place.log(), place.settings(), Box::new(key()));
    assert!(matches!(again, Err(LogError::Busy { .. })));
    drop(log);
    let mut open = fs::metadata(place.log()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o720);
    fs::set_permissions(place.log(), open).unwrap();
    let again = Log::open(&place.log(), place.settings(), Box::new(key()));
    assert!(matches!(again, Err(LogError::Loose { mode: 0o720, .. })));
}

#[test]
fn the_folder_belongs_to_the_agent() {
    let place = Place::new();
    fs::create_dir(place.log()).unwrap();
    // Whoever cannot give it away takes one that is root's.
    let folder = match std::os::unix::fs::chown(place.log(), Some(1234), None) {
        Ok(()) => place.log(),
        Err(_) => "/".into(),
    };
    let opened = Log::open(&folder, place.settings(), Box::new(key())).map(drop);
    assert!(
        matches!(opened, Err(LogError::Foreign { .. })),
        "{opened:?}"
    );
    assert!(!folder.join("lock").exists());
}

#[test]
fn what_the_agent_says_of_itself_fills_segments_as_all_else_does() {
    let place = Place::new();
    let log = place.open_with(Settings {
        segment_size: 64 << 10,
        reserve: 64 << 10,
        ..place.settings()
    });
    let started = Event::Started {
        agent: "0".repeat(2000),
        policy: Digest::of(b"policy"),
        keys: Vec::new(),
        checkpoint_key: public_key().to_string(),
    };
    for _ in 0..100 {
        log.append(started.clone()).unwrap();
    }
    assert!(log.status().segment > 3);
    log.close().unwrap();
    let all = entries(&place.log());
    assert_eq!(
        all.iter().filter(|entry| entry.event == started).count(),
        100
    );
    assert_eq!(place.exported().len(), segments(&place.log()).len());
}

#[test]
fn nothing_stands_behind_the_end() {
    for _ in 0..20 {
        let place = Place::new();
        let log = place.open();
        thread::scope(|scope| {
            for number in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    let sign = || log.may_sign()?.record(signed(number));
                    while sign().is_ok() && log.append(refused("a")).is_ok() {}
                });
            }
            while log.status().last < Sequence(40) {}
            log.close().unwrap();
        });
        let all = entries(&place.log());
        let end = all.iter().position(|entry| entry.event == Event::Stopped);
        let behind = all[end.unwrap() + 1..].iter().map(|entry| &entry.event);
        assert_eq!(behind.collect::<Vec<_>>(), [&Event::Checkpoint]);
    }
}

#[test]
fn a_key_that_fails_at_the_end_of_a_segment_stops_nothing() {
    let place = Place::new();
    let settings = Settings {
        segment_size: 64 << 10,
        reserve: 64 << 10,
        ..place.settings()
    };
    let log = Log::open(&place.log(), settings, Box::new(Confused(public_key()))).unwrap();
    for number in 0..400 {
        log.may_sign().unwrap().record(signed(number)).unwrap();
    }
    assert!(log.status().segment > 3 && log.status().failure.is_none());
    assert!(log.status().without_checkpoint > 400);
    let events = entries(&place.log()).into_iter().map(|entry| entry.event);
    let failed = events.filter(|event| matches!(event, Event::CheckpointFailed { .. }));
    assert_eq!(failed.count(), 1);
}

#[test]
fn a_folder_of_exports_that_fails_stops_nothing_and_is_named() {
    let place = Place::new();
    let log = place.open();
    fs::remove_dir(place.exports()).unwrap();
    fs::write(place.exports(), "").unwrap();
    log.checkpoint().unwrap();
    assert_eq!(log.status().failing_exports, [place.exports()]);
    log.append(refused("still")).unwrap();
    log.checkpoint().unwrap();
    let events = entries(&place.log()).into_iter().map(|entry| entry.event);
    let failed = events.filter(|event| matches!(event, Event::ExportFailed { .. }));
    assert_eq!(failed.count(), 1);
}

/// Whoever holds the key answers, and what it answers is no signature.
struct Confused(PublicKey);

impl CheckpointSigner for Confused {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignFault> {
        Ok([7; 64])
    }
}

#[test]
fn a_checkpoint_that_does_not_verify_is_never_given_out_and_that_is_said_once() {
    let place = Place::new();
    let settings = Settings {
        checkpoint_seconds: 1,
        ..place.settings()
    };
    let log = Log::open(&place.log(), settings, Box::new(Confused(public_key()))).unwrap();
    log.append(refused("a")).unwrap();
    assert!(matches!(log.checkpoint(), Err(LogError::Signer(_))));
    thread::sleep(std::time::Duration::from_millis(3500));
    log.append(refused("b")).unwrap();
    assert!(matches!(log.close(), Err(LogError::Signer(_))));
    assert_eq!(place.exported(), [] as [std::path::PathBuf; 0]);
    let events = entries(&place.log()).into_iter().map(|entry| entry.event);
    let (said, others): (Vec<_>, Vec<_>) =
        events.partition(|event| matches!(event, Event::CheckpointFailed { .. }));
    assert_eq!(said.len(), 1);
    assert!(others.contains(&refused("b")) && others.contains(&Event::Stopped));
}

#[test]
fn a_log_verifies_while_it_is_written() {
    let place = Place::new();
    let log = place.open_with(Settings {
        segment_size: 64 << 10,
        reserve: 64 << 10,
        checkpoint_entries: 7,
        ..place.settings()
    });
    log.checkpoint().unwrap();
    let trusted = Trusted {
        keys: vec![public_key()],
        checkpoints: vec![place.exports()],
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..4 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    log.may_sign().unwrap().record(signed(number)).unwrap();
                }
            });
        }
        // Until it has met segments that begin.
        while segments(&place.log()).len() < 4 {
            let report = verify(&place.log(), &trusted);
            let holds = report.as_ref().is_ok_and(Report::holds);
            done.store(!holds, Ordering::Relaxed);
            assert!(holds, "{report:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    log.close().unwrap();
}
