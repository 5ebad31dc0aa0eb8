//! Several signers in one process, beside SoftHSM2: PKCS#11 keeps one state for a process and a module, and one login for a token.
//!
//! SoftHSM2 is in a root: the test makes the token there, and then starts itself there with [`INSIDE`] set, which is its second half. The
//! inputs come from `cargo xtask setup`: run it with `cargo xtask test`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step of a test fails the test"
)]

use std::path::Path;

use touchstone_harness::inputs;
use touchstone_sign::{Hash, Signer};
use touchstone_token::{TokenError, TokenSigner, Uri};

/// The folder with the token, where the test runs inside the root.
const INSIDE: &str = "TOUCHSTONE_TOKEN_FOLDER";

const MAKE: &str = "set -eu
softhsm2-util --init-token --free --label check --pin 271828 --so-pin 314159
for name in one two; do
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $name.key
  softhsm2-util --import $name.key --token check --pin 271828 --label $name --id 0$((++id))
done
printf 271828 >pin; printf 161803 >wrong-pin";

#[test]
fn signers_share_a_module_and_a_login_and_end_them_together() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return inside(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!(
        "directories.tokendir = {0}/tokens\n",
        folder.path().display()
    );
    std::fs::create_dir(folder.path().join("tokens")).unwrap();
    std::fs::write(folder.path().join("conf"), configuration).unwrap();
    let this = std::env::current_exe().unwrap();
    let name = "signers_share_a_module_and_a_login_and_end_them_together";
    for (program, arguments) in [
        (Path::new("bash"), ["-c", &format!("id=0; {MAKE}")]),
        (&this, ["--exact", name]),
    ] {
        let visit = inputs().trixie().visit().bind(folder.path()).show(&this);
        let mut command = visit.folder(folder.path()).command(program).unwrap();
        command.env("SOFTHSM2_CONF", folder.path().join("conf"));
        let output = command
            .env(INSIDE, folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{said}");
    }
}

fn inside(folder: &Path) {
    let open = |label: &str, pin: &str| {
        let pin = folder.join(pin);
        let uri: Uri = format!(
            "pkcs11:token=check;object={label}?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source={}",
            pin.display()
        )
        .parse()
        .unwrap();
        TokenSigner::open(&uri, None)
    };
    let wrong = open("one", "wrong-pin").unwrap_err();
    assert!(matches!(wrong, TokenError::WrongPin), "{wrong}");
    let first = open("one", "pin").unwrap();
    let second = open("two", "pin").unwrap();
    assert_ne!(first.public_key(), second.public_key());
    signs(&first);
    signs(&second);
    drop(first);
    signs(&second);
    // Many threads, one session.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..8).for_each(|_| signs(&second)));
        }
    });
    drop(second);
    // The module was ended with its last user, and the login with it.
    let missing = open("one", "no-pin").unwrap_err();
    assert!(matches!(missing, TokenError::PinFile { .. }), "{missing}");
    let wrong = open("one", "wrong-pin").unwrap_err();
    assert!(matches!(wrong, TokenError::WrongPin), "{wrong}");
    signs(&open("one", "pin").unwrap());
    let shown = format!("{:?} {}", open("one", "pin").unwrap(), wrong);
    assert!(
        !shown.contains("271828") && !shown.contains("161803"),
        "{shown}"
    );
}

fn signs(signer: &TokenSigner) {
    let signature = signer.sign(Hash::Sha256, b"message").unwrap();
    assert!(
        signer
            .public_key()
            .verify(Hash::Sha256, b"message", &signature)
    );
}
