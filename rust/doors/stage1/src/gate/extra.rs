//! What systemd-stub puts into the initrd's `/.extra`, beside credentials.

use super::{Refusal, names};
use crate::machine::Machine;
use crate::text::printable;

/// The stub's folder.
const FOLDER: &str = "/.extra";

/// Files and folders of the stub that change nothing: what it copies out of the signed image, its secret, and the credentials, which are judged one by one.
pub(super) const HARMLESS: [&str; 7] = [
    "boot-secret",
    "credentials",
    "global_credentials",
    "os-release",
    "profile",
    "tpm2-pcr-public-key.pem",
    "tpm2-pcr-signature.json",
];

/// Refuses extensions, and whatever is not known.
pub(super) fn judge(machine: &Machine) -> Result<(), Refusal> {
    for name in names(machine, FOLDER)? {
        let shown = printable(name.as_encoded_bytes());
        match name.to_str() {
            Some(name) if HARMLESS.contains(&name) => (),
            Some("sysext" | "confext" | "global_sysext" | "global_confext") => {
                return Err(Refusal::Extension(first(machine, &shown)));
            }
            _ => return Err(Refusal::UnknownExtra(shown)),
        }
    }
    Ok(())
}

/// The first extension of a folder, for the message.
fn first(machine: &Machine, folder: &str) -> String {
    let names = machine.names(&format!("{FOLDER}/{folder}"));
    let first = names.ok().flatten().into_iter().flatten().next();
    let first = first.map(|name| printable(name.as_encoded_bytes()));
    format!("{folder}/{}", first.unwrap_or_default())
}
