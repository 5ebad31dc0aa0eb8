//! The two ends of the socket, each in a thread.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use tempfile::TempDir;
use touchstone_sign::keys::{self, KeyAlgorithm, KeyRequest};
use touchstone_sign::{FileSigner, Hash, SignError, Signer};
use touchstone_store::{PublicKey, SecretKey};

use super::*;

const SEED: [u8; 32] = [7; 32];

/// A folder with the files of two keys: `db.key` (P-256) and `nix.secret`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let request = KeyRequest {
        common_name: "db",
        algorithm: KeyAlgorithm::P256,
        not_before: 0,
        not_after: 4_000_000_000,
        test: true,
    };
    let made = keys::generate(&request).unwrap();
    fs::write(folder.path().join("db.key"), made.key_pem.as_bytes()).unwrap();
    let nix = SecretKey::from_seed("nix", &SEED.into()).unwrap();
    fs::write(
        folder.path().join("nix.secret"),
        nix.expose_text().as_bytes(),
    )
    .unwrap();
    folder
}

fn spec(folder: &TempDir, form: KeyForm, name: &str) -> KeySpec {
    KeySpec {
        form,
        key: folder.path().join(name).to_str().unwrap().to_owned(),
        passphrase_file: None,
        public: None,
    }
}

/// A holder in a thread, told to open these; whether it ended before its time is noted.
fn connected(
    specs: &[KeySpec],
    ended: &Arc<AtomicBool>,
) -> Result<(Connection, Vec<HeldKey>, UnixStream), HolderError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let to_break = ours.try_clone().unwrap();
    thread::spawn(move || process::serve(&theirs));
    let ended = Arc::clone(ended);
    let note = move || ended.store(true, Ordering::SeqCst);
    let (connection, keys) = Connection::new(ours, specs, PATIENCE, note)?;
    Ok((connection, keys, to_break))
}

fn both(folder: &TempDir) -> (BootKey, NixKey, Connection, UnixStream, Arc<AtomicBool>) {
    let ended = Arc::default();
    let specs = [
        spec(folder, KeyForm::Boot, "db.key"),
        spec(folder, KeyForm::Nix, "nix.secret"),
    ];
    let (connection, keys, socket) = connected(&specs, &ended).unwrap();
    let Ok([HeldKey::Boot(boot), HeldKey::Nix(nix)]) = <[HeldKey; 2]>::try_from(keys) else {
        panic!("other keys are held than were named");
    };
    (boot, nix, connection, socket, ended)
}

#[test]
fn each_of_many_threads_gets_the_signature_of_its_own_message() {
    let folder = folder();
    let (boot, nix, mut connection, _, ended) = both(&folder);
    let public: PublicKey = SecretKey::from_seed("nix", &SEED.into())
        .unwrap()
        .public_key();
    thread::scope(|scope| {
        for number in 0..8 {
            let (boot, nix, public) = (&boot, &nix, &public);
            scope.spawn(move || {
                for turn in 0..20 {
                    let text = format!("{number} {turn}");
                    let made = boot.sign(Hash::Sha384, text.as_bytes()).unwrap();
                    assert!(
                        boot.public_key()
                            .verify(Hash::Sha384, text.as_bytes(), &made)
                    );
                    assert!(public.verifies(&text, &nix.sign(&text).unwrap()));
                }
            });
        }
    });
    connection.close();
    connection.join();
    assert!(!ended.load(Ordering::SeqCst));
}

#[test]
fn a_key_that_is_not_opened_is_named_with_what_is_wrong() {
    let folder = folder();
    for (form, name, code) in [
        (KeyForm::Boot, "nix.secret", "key.not-a-key"),
        (KeyForm::Boot, "none", "input.unreadable"),
        (KeyForm::Nix, "db.key", "key.refused"),
    ] {
        let specs = [
            spec(&folder, KeyForm::Boot, "db.key"),
            spec(&folder, form, name),
        ];
        let Err(HolderError::Key(why)) = connected(&specs, &Arc::default()).map(drop) else {
            panic!("{name} is no such key");
        };
        assert_eq!(why.code, code);
        assert!(why.file.unwrap().ends_with(name));
        assert!(!why.help.is_empty());
    }
}

#[test]
fn when_the_holder_is_gone_nothing_is_signed_and_the_agent_learns_it() {
    let folder = folder();
    let (boot, nix, mut connection, socket, ended) = both(&folder);
    socket.shutdown(Shutdown::Both).unwrap();
    let error = boot.sign(Hash::Sha256, b"late").unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
    assert_eq!(nix.sign("late").unwrap_err().code, "key.failed");
    while !ended.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    connection.close();
    connection.join();
}

#[test]
fn after_it_is_closed_nothing_is_signed() {
    let folder = folder();
    let (boot, _, mut connection, _, ended) = both(&folder);
    connection.close();
    connection.join();
    boot.sign(Hash::Sha256, b"late").unwrap_err();
    assert!(!ended.load(Ordering::SeqCst));
}

/// A key whose token hangs, until somebody takes the lock away.
struct Hanging(FileSigner, Arc<Mutex<()>>);

impl Signer for Hanging {
    fn public_key(&self) -> &touchstone_sign::PublicKey {
        self.0.public_key()
    }

    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let _free = self.1.lock().unwrap();
        self.0.sign(hash, message)
    }

    fn describe(&self) -> String {
        "a token".to_owned()
    }
}

/// A holder with a key that hangs and one that does not, which waits no longer than this.
fn hanging(
    folder: &TempDir,
    patience: Duration,
    ended: impl FnOnce() + Send + 'static,
) -> (BootKey, NixKey, Connection, Arc<Mutex<()>>) {
    let lock = Arc::new(Mutex::new(()));
    let signer = FileSigner::new(&fs::read(folder.path().join("db.key")).unwrap()).unwrap();
    let nix = SecretKey::from_seed("nix", &SEED.into()).unwrap();
    let open = [
        process::Open::Boot(Box::new(Hanging(signer, Arc::clone(&lock)))),
        process::Open::Nix(Box::new(nix)),
    ];
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let asked = read::<Ask>(&mut &theirs).unwrap().unwrap();
        read_payload(&mut &theirs, asked.size, SMALL_LIMIT).unwrap();
        let halves = process::public_halves(&open).unwrap();
        let answers = process::Answers::to(&theirs);
        answers.give(asked.id, Told::Opened {}, &halves).unwrap();
        process::work(&theirs, &open, &answers)
    });
    let specs = [
        spec(folder, KeyForm::Boot, "db.key"),
        spec(folder, KeyForm::Nix, "nix.secret"),
    ];
    let (connection, keys) = Connection::new(ours, &specs, patience, ended).unwrap();
    let Ok([HeldKey::Boot(boot), HeldKey::Nix(nix)]) = <[HeldKey; 2]>::try_from(keys) else {
        panic!("other keys are held than were named");
    };
    (boot, nix, connection, lock)
}

#[test]
fn a_key_that_hangs_stops_no_other() {
    let folder = folder();
    let (boot, nix, mut connection, lock) = hanging(&folder, PATIENCE, || ());
    let hangs = lock.lock().unwrap();
    thread::scope(|scope| {
        let many = 4 * thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..many {
            scope.spawn(|| boot.sign(Hash::Sha256, b"slow").unwrap());
        }
        while connection.line.waiting().answers.len() < many {
            thread::yield_now();
        }
        // All of them are on their way, or with the holder.
        thread::sleep(Duration::from_millis(50));
        let (done, signed) = channel();
        let nix = &nix;
        scope.spawn(move || done.send(nix.sign("prompt").is_ok()));
        let signed = signed.recv_timeout(Duration::from_secs(20));
        drop(hangs);
        assert_eq!(signed, Ok(true));
    });
    connection.close();
    connection.join();
}

#[test]
fn a_key_that_answers_nothing_for_too_long_ends_the_agent() {
    let folder = folder();
    let (done, ended) = channel();
    let patience = Duration::from_millis(300);
    let note = move || done.send(()).unwrap();
    let (boot, nix, mut connection, lock) = hanging(&folder, patience, note);
    nix.sign("prompt").unwrap();
    let hangs = lock.lock().unwrap();
    let error = boot.sign(Hash::Sha256, b"slow").unwrap_err();
    assert!(error.to_string().contains("for minutes"), "{error}");
    ended.recv_timeout(Duration::from_secs(20)).unwrap();
    drop(hangs);
    connection.join();
}

#[test]
fn a_key_that_is_slow_and_asked_by_many_is_waited_for() {
    let folder = folder();
    let patience = Duration::from_millis(500);
    let (boot, _, mut connection, lock) = hanging(&folder, patience, || panic!("it signs"));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| boot.sign(Hash::Sha256, b"slow").unwrap());
        }
        // One after the other, all together longer than anybody waits for nothing.
        for _ in 0..8 {
            let hangs = lock.lock().unwrap();
            thread::sleep(Duration::from_millis(150));
            drop(hangs);
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(begun.elapsed() > patience);
    connection.close();
    connection.join();
}

#[test]
fn closing_waits_for_nobody_who_is_in_the_middle_of_asking() {
    let folder = folder();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let specs = [spec(&folder, KeyForm::Nix, "nix.secret")];
    let public = SecretKey::from_seed("nix", &SEED.into())
        .unwrap()
        .public_key()
        .to_string();
    let halves = [PublicHalf {
        public,
        place: String::new(),
    }];
    // It opens its key, and reads nothing more.
    let halves = serde_json::to_vec(&halves).unwrap();
    let answers = process::Answers::to(&theirs);
    answers.give(0, Told::Opened {}, &halves).unwrap();
    let (mut connection, keys) = Connection::new(ours, &specs, PATIENCE, || ()).unwrap();
    let [HeldKey::Nix(nix)] = &keys[..] else {
        panic!("another key is held than was named");
    };
    thread::scope(|scope| {
        let text = "x".repeat(1 << 22);
        let asks = scope.spawn(move || nix.sign(&text).unwrap_err());
        while connection.line.turn.try_lock().is_ok() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(50));
        connection.close();
        assert_eq!(asks.join().unwrap().code, "key.failed");
    });
    drop(theirs);
    connection.join();
}
