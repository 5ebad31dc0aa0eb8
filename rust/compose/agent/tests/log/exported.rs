//! Folders of exports: others may write into them, and they may be away for a while.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use touchstone_agent::log::{
    Checkpoint, CheckpointKey, CheckpointSigner, Event, Log, LogError, PublicKey, Settings,
    SignFault,
};

use crate::support::{Place, entries, key, public_key, refused};

/// Where the checkpoint is made that would have this number.
fn next(place: &Place, sequence: u64) -> PathBuf {
    let newest = place.exported().pop().unwrap();
    let name = newest.file_name().unwrap().to_str().unwrap();
    let (log, _) = name.split_once('-').unwrap();
    place
        .exports()
        .join(format!("{log}-{sequence:020}.checkpoint"))
}

fn unfinished(file: PathBuf) -> PathBuf {
    let mut name = file.into_os_string();
    name.push(".new");
    name.into()
}

fn pipe(file: &PathBuf) {
    mknodat(CWD, file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Runs `work` and fails where it hangs.
fn within_a_while(work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(20)).unwrap();
}

#[test]
fn nothing_is_written_through_what_others_put_into_a_folder_of_exports() {
    within_a_while(|| {
        let place = Place::new();
        let log = place.open();
        log.checkpoint().unwrap();
        let victim = place.folder().join("victim");
        fs::write(&victim, "precious").unwrap();
        // Entry 3 is refused, entry 4 its checkpoint; and so on.
        symlink(&victim, unfinished(next(&place, 4))).unwrap();
        log.append(refused("a")).unwrap();
        log.checkpoint().unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(fs::symlink_metadata(next(&place, 4)).unwrap().is_file());
        pipe(&unfinished(next(&place, 6)));
        log.append(refused("b")).unwrap();
        log.checkpoint().unwrap();
        assert!(fs::symlink_metadata(next(&place, 6)).unwrap().is_file());
        assert_eq!(log.status().failing_exports, [] as [PathBuf; 0]);
        // One that stands where the checkpoint belongs is not read, and named.
        pipe(&next(&place, 8));
        log.append(refused("c")).unwrap();
        log.checkpoint().unwrap();
        assert_eq!(log.status().failing_exports, [place.exports()]);
    });
}

#[test]
fn what_others_put_into_a_folder_of_exports_hides_no_checkpoint() {
    within_a_while(|| {
        let place = Place::new();
        let log = place.open();
        log.checkpoint().unwrap();
        let first = place.exported().pop().unwrap();
        log.append(refused("a")).unwrap();
        log.close().unwrap();
        // An old one under a new name, garbage, a folder, a pipe and a link that leads nowhere.
        fs::copy(&first, next(&place, 95)).unwrap();
        fs::write(next(&place, 96), "garbage").unwrap();
        fs::create_dir(next(&place, 97)).unwrap();
        pipe(&next(&place, 98));
        symlink("/nowhere", next(&place, 99)).unwrap();
        drop(place.open());
        // They are none, and the newest is still found: an agent does not go on with less than it says.
        fs::remove_file(place.log().join("checkpoint")).unwrap();
        let segment = place.log().join("00000001.log");
        let text = fs::read_to_string(&segment).unwrap();
        let short: String = text.split_inclusive('\n').take(2).collect();
        fs::write(&segment, short).unwrap();
        let opened = Log::open(&place.log(), place.settings(), Box::new(key())).map(drop);
        assert!(
            matches!(opened, Err(LogError::Truncated { .. })),
            "{opened:?}"
        );
    });
}

#[test]
fn a_folder_of_exports_that_was_away_gets_the_last_checkpoint() {
    let place = Place::new();
    let log = place.open_with(Settings {
        checkpoint_seconds: 1,
        ..place.settings()
    });
    log.checkpoint().unwrap();
    let away = place.folder().join("away");
    fs::rename(place.exports(), &away).unwrap();
    log.append(refused("a")).unwrap();
    let note = log.checkpoint().unwrap();
    assert_eq!(log.status().failing_exports, [place.exports()]);
    fs::rename(&away, place.exports()).unwrap();
    let begun = Instant::now();
    while !log.status().failing_exports.is_empty() {
        assert!(begun.elapsed().as_secs() < 20, "it was not exported again");
        thread::sleep(Duration::from_millis(20));
    }
    let newest = fs::read_to_string(place.exported().pop().unwrap()).unwrap();
    assert_eq!(newest, note);
    log.close().unwrap();
    let events = entries(&place.log()).into_iter().map(|entry| entry.event);
    let failed = events.filter(|event| matches!(event, Event::ExportFailed { .. }));
    assert_eq!(failed.count(), 1);
}

/// Signs when it is told to; each time it is told what to answer.
struct Slow {
    key: CheckpointKey,
    public: PublicKey,
    asked: mpsc::Sender<()>,
    go: std::sync::Mutex<mpsc::Receiver<bool>>,
}

impl CheckpointSigner for Slow {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFault> {
        let _ = self.asked.send(());
        match self.go.lock().unwrap().recv() {
            Ok(true) => self.key.sign(text),
            _ => Err(SignFault("the token is away".to_owned())),
        }
    }
}

#[test]
fn the_status_waits_for_no_checkpoint_and_says_when_they_fail() {
    let place = Place::new();
    let (asked, is_asked) = mpsc::channel();
    let (tell, go) = mpsc::channel();
    let signer = Slow {
        key: key(),
        public: public_key(),
        asked,
        go: go.into(),
    };
    let log = Log::open(&place.log(), place.settings(), Box::new(signer)).unwrap();
    log.append(refused("a")).unwrap();
    thread::scope(|scope| {
        let made = scope.spawn(|| log.checkpoint());
        is_asked.recv().unwrap();
        let (answer, status) = mpsc::channel();
        let log = &log;
        scope.spawn(move || answer.send(log.status()).unwrap());
        let status = status.recv_timeout(Duration::from_secs(1));
        // Else nobody would end.
        tell.send(false).unwrap();
        assert_eq!(status.unwrap().checkpoint_failure, None);
        assert!(matches!(made.join().unwrap(), Err(LogError::Signer(_))));
    });
    let status = log.status();
    let failure = status.checkpoint_failure.unwrap();
    assert!(failure.contains("the token is away"), "{failure}");
    assert_eq!(status.without_checkpoint, 3);
    tell.send(true).unwrap();
    // The one that was owed, and another one for what happened since.
    log.append(refused("b")).unwrap();
    tell.send(true).unwrap();
    let note = log.checkpoint().unwrap();
    let status = log.status();
    assert_eq!(
        (status.checkpoint_failure, status.without_checkpoint),
        (None, 0)
    );
    let covered = Checkpoint::open(note.as_bytes(), &[public_key()]).unwrap();
    assert_eq!(covered.sequence, status.last);
    tell.send(true).unwrap();
    log.close().unwrap();
    assert_eq!(place.exported().len(), 3);
}
