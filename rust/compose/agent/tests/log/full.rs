//! A full disk stops signing, not logging. Each test fills a small file system of its own, which nobody else sees: it starts itself again
//! in a mount namespace.
//!
//! On tmpfs, which everybody may mount in a namespace. By hand also on others, as root: `TOUCHSTONE_LOG_FILE_SYSTEM=ext4` (or `xfs`,
//! `btrfs`), where `mkfs` and loop devices are there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use touchstone_agent::log::{Event, Log, LogError, Report, Settings, Trusted, verify};

use crate::support::{entries, key, public_key, refused, settings, signed};

/// Which file system.
const KIND: &str = "TOUCHSTONE_LOG_FILE_SYSTEM";

/// The folder that the inner run of a test mounts it at.
const INSIDE: &str = "TOUCHSTONE_LOG_INSIDE";

/// Runs the test of this name once more where it may mount, on a new file system; there `work` is done.
pub fn on_a_small_file_system(test: &str, work: impl Fn(&Path)) {
    let kind = std::env::var(KIND).unwrap_or_else(|_| "tmpfs".to_owned());
    if let Some(folder) = std::env::var_os(INSIDE) {
        let folder = Path::new(&folder);
        mount_new(&kind, folder);
        return work(&folder.join("disk"));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--"]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    let output = command.env(INSIDE, folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{kind}: {said}");
    assert!(said.contains("1 passed"), "{kind}: {said}");
}

fn mount_new(kind: &str, folder: &Path) {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    if kind == "tmpfs" {
        return mount("tmpfs", &disk, "tmpfs", MountFlags::empty(), c"size=24m").unwrap();
    }
    let image = folder.join("image");
    File::create(&image).unwrap().set_len(400 << 20).unwrap();
    let made = Command::new(format!("mkfs.{kind}"))
        .arg(&image)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut mounting = Command::new("mount");
    let mounted = mounting
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&disk)
        .status();
    assert!(mounted.unwrap().success());
}

/// Takes all room that is left, and gives it back when removed.
pub fn fill(disk: &Path) {
    let mut file = File::create(disk.join("filler")).unwrap();
    for size in [1 << 20, 4096, 1] {
        let piece = vec![7; size];
        while file
            .write_all(&piece)
            .and_then(|()| file.sync_data())
            .is_ok()
        {}
    }
    // What an inode takes, too.
    for number in 0..100_000 {
        let small = disk.join(format!("small-{number}"));
        if fs::write(&small, [7; 1]).is_err() {
            break;
        }
    }
}

pub fn empty(disk: &Path) {
    for file in fs::read_dir(disk).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            fs::remove_file(file).unwrap();
        }
    }
}

pub fn small() -> Settings {
    Settings {
        segment_size: 128 << 10,
        reserve: 128 << 10,
        ..settings()
    }
}

pub fn open(disk: &Path) -> Log {
    Log::open(&disk.join("log"), small(), Box::new(key())).unwrap()
}

/// Signs until the log says that the disk is full; the answer is how many.
pub fn sign_until_full(log: &Log) -> usize {
    for number in 0..10_000 {
        match log.may_sign() {
            Ok(permit) => permit.record(signed(number)).map(drop).unwrap(),
            Err(LogError::Full) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the disk did not become full");
}

pub fn count(disk: &Path, event: impl Fn(&Event) -> bool) -> usize {
    let all = entries(&disk.join("log")).into_iter();
    all.filter(|entry| event(&entry.event)).count()
}

fn counted(disk: &Path) -> u64 {
    let all = entries(&disk.join("log")).into_iter();
    all.filter_map(|entry| match entry.event {
        Event::Counted { refusals } => Some(refusals),
        _ => None,
    })
    .sum()
}

pub fn verified(disk: &Path, keys: bool) -> Report {
    let keys = keys.then(public_key).into_iter().collect();
    let checkpoints = Vec::new();
    verify(&disk.join("log"), &Trusted { keys, checkpoints }).unwrap()
}

/// Refuses so many things; the answer is how many have an entry.
pub fn refuse(log: &Log, many: usize) -> usize {
    let told = |number: usize| match log.append(refused(&number.to_string())) {
        Ok(_) => true,
        Err(LogError::Counted) => false,
        Err(error) => panic!("{error}"),
    };
    (0..many).filter(|number| told(*number)).count()
}

#[test]
fn a_full_disk_stops_signing_and_refusals_are_written_until_there_is_room_again() {
    let test = "full::a_full_disk_stops_signing_and_refusals_are_written_until_there_is_room_again";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        fill(disk);
        let before = sign_until_full(&log);
        assert!(before > 50 && log.status().full);
        // A flood of refusals: the first have entries, the others are counted.
        let told = refuse(&log, 3000);
        assert!((100..2000).contains(&told), "{told}");
        assert!(matches!(
            log.append(Event::Signed(signed(0))),
            Err(LogError::Full)
        ));
        assert!(matches!(log.may_sign(), Err(LogError::Full)));
        assert!(verified(disk, false).holds());
        empty(disk);
        thread::sleep(Duration::from_millis(1100));
        log.may_sign().unwrap().record(signed(before)).unwrap();
        log.close().unwrap();
        assert_eq!(
            count(disk, |event| matches!(event, Event::Signed(_))),
            before + 1
        );
        assert_eq!(
            count(disk, |event| matches!(event, Event::Refused { .. })),
            told
        );
        assert_eq!(counted(disk), 3000 - told as u64);
        assert_eq!(count(disk, |event| *event == Event::Full), 1);
        assert_eq!(count(disk, |event| *event == Event::Room), 1);
        assert!(verified(disk, true).holds());
    });
}

#[test]
fn whoever_may_sign_on_a_disk_that_becomes_full_has_room_for_the_entry() {
    let test = "full::whoever_may_sign_on_a_disk_that_becomes_full_has_room_for_the_entry";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        fill(disk);
        let signed_by = |thread: usize| {
            let mut many = 0;
            loop {
                let Ok(permit) = log.may_sign() else {
                    return many;
                };
                // Others write refusals in the meantime, as many as they like.
                refuse(&log, 3);
                permit.record(signed(thread)).unwrap();
                many += 1;
            }
        };
        let total: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..20)
                .map(|thread| scope.spawn(move || signed_by(thread)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        drop(log);
        assert!(total > 20, "{total}");
        assert_eq!(
            count(disk, |event| matches!(event, Event::Signed(_))),
            total
        );
        assert!(verified(disk, false).holds());
    });
}

#[test]
fn an_agent_that_is_started_on_a_full_disk_writes_refusals_and_signs_nothing() {
    let test = "full::an_agent_that_is_started_on_a_full_disk_writes_refusals_and_signs_nothing";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        fill(disk);
        let before = sign_until_full(&log);
        // Killed: its space stays the log's.
        drop(log);
        fill(disk);
        let log = open(disk);
        assert!(matches!(log.may_sign(), Err(LogError::Full)));
        assert_eq!(refuse(&log, 10), 10);
        // The checkpoint has no room beside the log; the entries have.
        let closed = log.close();
        assert!(
            matches!(closed, Ok(()) | Err(LogError::System { .. })),
            "{closed:?}"
        );
        assert_eq!(count(disk, |event| *event == Event::Stopped), 1);
        empty(disk);
        let log = open(disk);
        log.may_sign().unwrap().record(signed(before)).unwrap();
        log.close().unwrap();
        assert_eq!(
            count(disk, |event| matches!(event, Event::Signed(_))),
            before + 1
        );
        assert!(verified(disk, true).holds());
    });
}

#[test]
fn no_log_is_begun_where_there_is_no_room_for_it() {
    let test = "full::no_log_is_begun_where_there_is_no_room_for_it";
    on_a_small_file_system(test, |disk| {
        fs::create_dir(disk.join("log")).unwrap();
        fs::set_permissions(
            disk.join("log"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        File::create(disk.join("log/lock")).unwrap();
        fill(disk);
        let opened = Log::open(&disk.join("log"), small(), Box::new(key()));
        assert!(matches!(
            opened.map(drop),
            Err(LogError::NoRoom { .. } | LogError::System { .. })
        ));
        empty(disk);
        open(disk).close().unwrap();
        assert!(verified(disk, true).holds());
    });
}

#[test]
fn after_a_write_that_failed_nothing_more_is_signed_until_the_agent_is_started_again() {
    let test =
        "full::after_a_write_that_failed_nothing_more_is_signed_until_the_agent_is_started_again";
    on_a_small_file_system(test, |disk| {
        let log = open(disk);
        // Somebody takes the space away that was set aside.
        let file = File::options()
            .write(true)
            .open(disk.join("log/00000001.log"))
            .unwrap();
        file.set_len(file.metadata().unwrap().len()).unwrap();
        fill(disk);
        let mut said = 0;
        let failed = loop {
            match log.may_sign().unwrap().record(signed(said)) {
                Ok(_) => said += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(failed, LogError::Failed(_)), "{failed}");
        assert!(matches!(log.may_sign().map(drop), Err(LogError::Failed(_))));
        assert!(matches!(
            log.append(refused("more")),
            Err(LogError::Failed(_))
        ));
        assert!(matches!(log.close(), Err(LogError::Failed(_))));
        assert!(log.status().failure.is_some());
        drop(log);
        empty(disk);
        let log = open(disk);
        log.may_sign().unwrap().record(signed(said)).unwrap();
        log.close().unwrap();
        assert!(verified(disk, true).holds());
        // What failed may have been written whole all the same: its answer was not given.
        let there = count(disk, |event| matches!(event, Event::Signed(_)));
        assert!((said + 1..=said + 2).contains(&there), "{there} of {said}");
    });
}
