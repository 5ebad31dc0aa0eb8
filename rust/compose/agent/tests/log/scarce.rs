//! What a full disk does to checkpoints and to an agent that is started on it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use touchstone_agent::log::{Checkpoint, Event, Log, LogError, Sequence, Settings};

use crate::full::{
    count, empty, fill, on_a_small_file_system, open, refuse, sign_until_full, small, verified,
};
use crate::support::{Place, entries, key, public_key, refused, signed};

fn open_with(disk: &Path, settings: Settings) -> Log {
    Log::open(&disk.join("log"), settings, Box::new(key())).unwrap()
}

/// The entry that the newest checkpoint names.
fn covered(disk: &Path) -> Sequence {
    let note = fs::read(disk.join("log/checkpoint")).unwrap();
    Checkpoint::open(&note, &[public_key()]).unwrap().sequence
}

/// Waits until it is done.
fn wait(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 20, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_agent_starts_on_a_full_disk_though_its_log_ends_with_a_checkpoint() {
    let test = "scarce::an_agent_starts_on_a_full_disk_though_its_log_ends_with_a_checkpoint";
    on_a_small_file_system(test, |disk| {
        open(disk).close().unwrap();
        fill(disk);
        let log = open(disk);
        log.may_sign().unwrap().record(signed(0)).unwrap();
        assert_eq!(log.status().checkpoint_failure, None);
        drop(log);
        // Also where that checkpoint cannot be written: it is made later.
        empty(disk);
        open(disk).close().unwrap();
        let last = covered(disk);
        fs::remove_file(disk.join("log/checkpoint")).unwrap();
        fill(disk);
        let log = open(disk);
        assert!(log.status().checkpoint_failure.is_some());
        assert!(log.status().without_checkpoint > 0);
        log.may_sign().unwrap().record(signed(1)).unwrap();
        let failed = |event: &Event| matches!(event, Event::CheckpointFailed { .. });
        assert_eq!(count(disk, failed), 1);
        empty(disk);
        log.checkpoint().unwrap();
        assert!(covered(disk) > last);
        assert_eq!(log.status().without_checkpoint, 0);
        log.close().unwrap();
        assert!(verified(disk, true).holds());
    });
}

#[test]
fn an_agent_whose_segments_became_larger_starts_on_a_full_disk() {
    let test = "scarce::an_agent_whose_segments_became_larger_starts_on_a_full_disk";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        log.append(refused("before")).unwrap();
        drop(log);
        fill(disk);
        let larger = Settings {
            segment_size: 4 << 20,
            reserve: 2 << 20,
            ..small()
        };
        let log = open_with(disk, larger.clone());
        assert!(log.status().full);
        assert!(matches!(log.may_sign().map(drop), Err(LogError::Full)));
        // It has the space that was the log's before.
        let told = refuse(&log, 2000);
        assert!((100..2000).contains(&told), "{told}");
        log.append(Event::Stopped).unwrap();
        drop(log);
        empty(disk);
        let log = open_with(disk, larger);
        log.may_sign().unwrap().record(signed(0)).unwrap();
        assert!(!log.status().full);
        log.close().unwrap();
        assert!(verified(disk, true).holds());
    });
}

#[test]
fn checkpoints_come_back_soon_after_they_failed_and_leave_no_entry_for_each_try() {
    let place = Place::new();
    let log = place.open_with(Settings {
        checkpoint_seconds: 1,
        ..place.settings()
    });
    // What is being made cannot be taken away, as little as written on a full disk.
    let in_the_way = place.log().join("checkpoint.new");
    fs::create_dir(&in_the_way).unwrap();
    log.append(refused("a")).unwrap();
    wait("no checkpoint was tried", || {
        log.status().checkpoint_failure.is_some()
    });
    // Tries after 1, 2, 3 … seconds.
    thread::sleep(Duration::from_millis(8500));
    assert_eq!(log.status().without_checkpoint, 3);
    fs::remove_dir(&in_the_way).unwrap();
    let room = Instant::now();
    wait("no checkpoint was made", || {
        log.status().without_checkpoint == 0
    });
    assert!(room.elapsed() < Duration::from_secs(3));
    assert_eq!(log.status().checkpoint_failure, None);
    let events = entries(&place.log()).into_iter().map(|entry| entry.event);
    let events: Vec<Event> = events.skip(2).collect();
    assert!(
        matches!(
            &events[..],
            [Event::Checkpoint, Event::CheckpointFailed { .. }]
        ),
        "{events:?}"
    );
    log.close().unwrap();
}

#[test]
fn a_checkpoint_that_could_not_be_kept_at_the_end_of_a_segment_is_made_later() {
    let test = "scarce::a_checkpoint_that_could_not_be_kept_at_the_end_of_a_segment_is_made_later";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        // What is being made cannot be taken away, as little as written on a full disk.
        fs::create_dir(disk.join("log/checkpoint.new")).unwrap();
        let mut number = 0;
        while log.status().segment < 3 {
            log.may_sign().unwrap().record(signed(number)).unwrap();
            number += 1;
        }
        assert!(log.status().checkpoint_failure.is_some());
        let behind = log.status().without_checkpoint;
        assert!(behind > number as u64, "{behind} of {number}");
        let failed = |event: &Event| matches!(event, Event::CheckpointFailed { .. });
        assert_eq!(count(disk, failed), 1);
        fs::remove_dir(disk.join("log/checkpoint.new")).unwrap();
        log.checkpoint().unwrap();
        let last = entries(&disk.join("log")).pop().unwrap();
        assert_eq!(
            (last.event, last.sequence),
            (Event::Checkpoint, covered(disk))
        );
        assert_eq!(log.status().without_checkpoint, 0);
        fill(disk);
        sign_until_full(&log);
        // Looked at again each second: no entry more for that.
        let made = |event: &Event| *event == Event::Checkpoint;
        let before = count(disk, made);
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(1100));
            assert!(matches!(log.may_sign().map(drop), Err(LogError::Full)));
        }
        assert_eq!(count(disk, made), before);
        empty(disk);
        thread::sleep(Duration::from_millis(1100));
        log.may_sign().unwrap().record(signed(0)).unwrap();
        log.close().unwrap();
        assert!(verified(disk, true).holds());
    });
}
