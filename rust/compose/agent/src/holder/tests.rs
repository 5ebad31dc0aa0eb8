//! The two ends of the socket, each in a thread.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use touchstone_sign::keys::{self, KeyAlgorithm, KeyRequest};
use touchstone_sign::{Hash, Signer};
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
    let (connection, keys) = Connection::new(ours, specs, note)?;
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
}

#[test]
fn after_it_is_closed_nothing_is_signed() {
    let folder = folder();
    let (boot, _, mut connection, _, ended) = both(&folder);
    connection.close();
    boot.sign(Hash::Sha256, b"late").unwrap_err();
    assert!(!ended.load(Ordering::SeqCst));
}
