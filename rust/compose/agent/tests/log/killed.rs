//! An agent that is killed, or whose machine loses power, loses nothing that it had said to be written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use touchstone_agent::log::{
    Digest, Event, Log, LogError, Report, Sequence, Settings, Trusted, verify,
};

use crate::support::{Place, entries, key, public_key, refused, signed};

/// The folder of the writer that a test starts itself as, and the number of the first thing that it signs.
const WRITER: &str = "TOUCHSTONE_LOG_WRITER";

/// How often the writer is killed, unless this says otherwise; and how often in one log.
const KILLS: usize = 300;
const MORE: &str = "TOUCHSTONE_LOG_KILLS";
const EACH: usize = 20;

/// Small segments and many checkpoints: so that kills meet those, too.
fn busy(place: &Place) -> Settings {
    Settings {
        segment_size: 64 << 10,
        reserve: 128 << 10,
        checkpoint_entries: 7,
        ..place.settings()
    }
}

fn verified(place: &Place) -> Report {
    let trusted = Trusted {
        keys: vec![public_key()],
        checkpoints: vec![place.exports()],
    };
    verify(&place.log(), &trusted).unwrap()
}

/// Eight threads that sign, and print what they have the log's word for: `entry number`, a line each.
fn write_until_killed(place: &Place, first: usize) {
    let log = Log::open(&place.log(), busy(place), Box::new(key())).unwrap();
    let next = AtomicUsize::new(first);
    let sign = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let entry = log.may_sign().unwrap().record(signed(number)).unwrap();
            let line = format!("{entry} {number}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(sign);
        }
    });
}

#[test]
fn what_was_said_to_be_written_is_there_after_every_kill() {
    let test = "killed::what_was_said_to_be_written_is_there_after_every_kill";
    if let Some(words) = std::env::var_os(WRITER) {
        let words = words.into_string().unwrap();
        let (folder, first) = words.rsplit_once(':').unwrap();
        return write_until_killed(&Place::at(folder), first.parse().unwrap());
    }
    let kills = std::env::var(MORE).map_or(KILLS, |kills| kills.parse().unwrap());
    let mut number = 0;
    let mut moment = 0x2545_f491_4f6c_dd1d_u64;
    let (mut told, mut cut) = (0, 0);
    for _ in 0..kills / EACH {
        let place = Place::new();
        place.open_with(busy(&place)).close().unwrap();
        let mut said: BTreeMap<Sequence, usize> = BTreeMap::new();
        for _ in 0..EACH {
            // xorshift: another moment each time, the same ones in each run.
            moment ^= moment << 13;
            moment ^= moment >> 7;
            moment ^= moment << 17;
            number += 1_000_000;
            said.extend(killed(test, &place, number, moment));
            // Before anybody has cut anything off, and after.
            let report = verified(&place);
            assert!(report.holds(), "{report:?}");
            drop(place.open_with(busy(&place)));
            let report = verified(&place);
            assert!(report.holds() && report.unfinished == 0, "{report:?}");
        }
        let written: BTreeMap<Sequence, Event> = entries(&place.log())
            .into_iter()
            .map(|entry| (entry.sequence, entry.event))
            .collect();
        for (entry, number) in &said {
            assert_eq!(
                written[entry],
                Event::Signed(signed(*number)),
                "entry {entry}"
            );
        }
        told += said.len();
        cut += written
            .values()
            .filter(|event| matches!(event, Event::Recovered { .. }))
            .count();
    }
    println!("{told} entries said to be written, {kills} kills, {cut} of them within a line");
    assert!(told > 8 * kills, "{told}");
}

/// Starts the writer, kills it at some moment, and reads what it said.
fn killed(test: &str, place: &Place, first: usize, moment: u64) -> Vec<(Sequence, usize)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(WRITER, format!("{}:{first}", place.folder().display()));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Some are killed before they have opened the log, most while they write.
    let (many, soon) = (moment % 32, moment / 32);
    let after = match many {
        0 => soon % 40_000,
        _ => soon % 4_000,
    };
    let mut said: Vec<String> = lines
        .by_ref()
        .take(many as usize)
        .map(Result::unwrap)
        .collect();
    thread::sleep(Duration::from_micros(after));
    child.kill().unwrap();
    said.extend(lines.map(Result::unwrap));
    assert_eq!(child.wait().unwrap().signal(), Some(9), "{said:?}");
    let pair = |line: &String| {
        let (entry, number) = line.split_once(' ').unwrap();
        (Sequence(entry.parse().unwrap()), number.parse().unwrap())
    };
    said.iter().map(pair).collect()
}

/// A log whose last three entries no checkpoint covers, as a kill leaves it.
fn left() -> (Place, Vec<u8>) {
    let place = Place::new();
    let log = place.open();
    log.append(refused("a")).unwrap();
    log.checkpoint().unwrap();
    for what in ["b", "c", "d"] {
        log.append(refused(what)).unwrap();
    }
    drop(log);
    let content = fs::read(place.log().join("00000001.log")).unwrap();
    (place, content)
}

#[test]
fn an_unfinished_line_is_cut_off_and_that_is_written_down() {
    let (place, whole) = left();
    let file = place.log().join("00000001.log");
    let ends: Vec<usize> = (0..whole.len())
        .filter(|at| whole[*at] == b'\n')
        .map(|at| at + 1)
        .collect();
    for length in ends[2]..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let begins = ends
            .iter()
            .rev()
            .find(|end| **end <= length)
            .copied()
            .unwrap();
        let report = verified(&place);
        assert!(report.holds(), "{report:?}");
        assert_eq!(report.unfinished, (length - begins) as u64);
        place.open().append(refused("after")).unwrap();
        assert_eq!(verified(&place).findings, []);
        let all = entries(&place.log());
        let kept = ends.iter().filter(|end| **end <= length).count();
        if length == begins {
            assert_eq!(all[kept].event, refused("after"));
        } else {
            let bytes = (length - begins) as u64;
            let sha256 = Digest::of(&whole[begins..length]);
            assert_eq!(all[kept].event, Event::Recovered { bytes, sha256 });
            assert_eq!(all[kept + 1].event, refused("after"));
        }
    }
}

#[test]
fn what_a_loss_of_power_left_behind_is_cut_off_but_for_what_was_signed() {
    let (place, whole) = left();
    let file = place.log().join("00000001.log");
    let ends: Vec<usize> = (0..whole.len())
        .filter(|at| whole[*at] == b'\n')
        .map(|at| at + 1)
        .collect();
    // A page that was never written, and one behind it that was.
    let mut holes = whole.clone();
    holes[ends[3] + 5..ends[4] + 7].fill(0);
    fs::write(&file, &holes).unwrap();
    place.open().append(refused("after")).unwrap();
    assert!(verified(&place).holds());
    let bytes = (whole.len() - ends[3]) as u64;
    let recovered = entries(&place.log()).remove(4).event;
    assert!(
        matches!(recovered, Event::Recovered { bytes: cut, .. } if cut == bytes),
        "{recovered:?}"
    );
    // The same where a checkpoint had signed it: that is no loss of power.
    holes[ends[1] + 5..ends[2] + 7].fill(0);
    fs::write(&file, &holes).unwrap();
    let opened = Log::open(&place.log(), place.settings(), Box::new(key())).map(drop);
    assert!(
        matches!(opened, Err(LogError::Truncated { .. })),
        "{opened:?}"
    );
}

#[test]
fn a_checkpoint_that_nobody_had_time_to_export_is_exported_at_the_next_start() {
    let (place, _) = left();
    let [file] = &place.exported()[..] else {
        panic!("not one checkpoint");
    };
    let note = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    fs::remove_file(place.log().join("checkpoint")).unwrap();
    // What was being made is taken away.
    fs::write(place.log().join("00000002.log.new"), "{").unwrap();
    drop(place.open());
    assert_eq!(fs::read(file).unwrap(), note);
    assert_eq!(fs::read(place.log().join("checkpoint")).unwrap(), note);
    assert!(!place.log().join("00000002.log.new").exists());
}
