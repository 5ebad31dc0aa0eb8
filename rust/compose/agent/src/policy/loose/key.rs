//! What a policy may not say of keys.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Key;
use super::super::fault::{Fault, refused};
use super::{absolute, secret};
use crate::protocol::{KeyKind, KeyName};

/// Looks at all keys.
pub(super) fn check(keys: &BTreeMap<KeyName, Key>) -> Result<(), Fault> {
    if keys.is_empty() {
        return Err(refused("keys", "there is no key", "name one at least"));
    }
    let mut seen = BTreeMap::new();
    for (name, key) in keys {
        let at = format!("keys.{name}");
        self::key(&at, key)?;
        if let Some(other) = seen.insert(&key.key, name) {
            return Err(refused(
                at,
                format!("its key is that of `{other}`, too, and a key signs one thing alone"),
                "make a key of its own for each",
            ));
        }
    }
    Ok(())
}

fn key(at: &str, key: &Key) -> Result<(), Fault> {
    holder(at, key)?;
    let (certificate, public) = (key.certificate.as_deref(), key.public_key.as_deref());
    let wanted = match key.kind {
        KeyKind::Image => (
            certificate.is_some(),
            public.is_none(),
            "`certificate` and no `publicKey`",
        ),
        KeyKind::Pcr => (
            certificate.is_none(),
            public.is_some(),
            "`publicKey` and no `certificate`",
        ),
        KeyKind::Nix => (
            certificate.is_none(),
            public.is_none(),
            "neither `certificate` nor `publicKey`",
        ),
    };
    if !(wanted.0 && wanted.1) {
        let fact = format!("a key of this kind has {}", wanted.2);
        return Err(refused(at, fact, "a file in PEM says whom the key is"));
    }
    for (field, file) in [("certificate", certificate), ("publicKey", public)] {
        if let Some(file) = file {
            absolute(&format!("{at}.{field}"), file)?;
        }
    }
    Ok(())
}

/// The private key, by its name alone.
fn holder(at: &str, key: &Key) -> Result<(), Fault> {
    let place = format!("{at}.key");
    let device = ["pkcs11:", "tpm2:"]
        .iter()
        .any(|scheme| key.key.starts_with(scheme));
    match (device, key.kind, &key.passphrase_file) {
        (true, KeyKind::Nix, _) => Err(refused(
            place,
            "a Nix key is a file: tokens and TPMs hold none",
            "name a file that nix-store --generate-binary-cache-key wrote",
        )),
        (true, _, Some(_)) => Err(refused(
            format!("{at}.passphraseFile"),
            "a passphrase opens key files only",
            "name the file with the PIN in the URI: `pin-source` or `auth-source`",
        )),
        (true, _, None) => Ok(()),
        (false, kind, passphrase) => {
            if kind == KeyKind::Nix && passphrase.is_some() {
                let fact = "Nix keys have no passphrase";
                return Err(refused(
                    format!("{at}.passphraseFile"),
                    fact,
                    "leave it out",
                ));
            }
            secret(&place, Path::new(&key.key))?;
            let passphrase = passphrase.as_deref();
            passphrase.map_or(Ok(()), |file| secret(&format!("{at}.passphraseFile"), file))
        }
    }
}
