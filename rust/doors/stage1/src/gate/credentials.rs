//! Credentials, by their names.
//!
//! systemd takes credentials from beside the image, from the firmware's SMBIOS strings, from QEMU's `fw_cfg` and from the command line, before anything
//! has been checked. Many of them are instructions: units, drop-ins, mounts, udev rules, files to create. Which ones are is a matter of systemd's version, so
//! that only those pass which carry a secret or a text, and those that the image names.

use super::firmware;
use super::refusal::Refusal;
use crate::command_line::systemd_words;
use crate::configuration::Configuration;
use crate::machine::Machine;
use crate::text::printable;

/// The closure's manifest.
pub const MANIFEST: &str = "touchstone-manifest";

/// Credentials that change nothing of what an initrd runs. Source: systemd.system-credentials(7), systemd-cryptsetup(8).
pub(super) const HARMLESS: [&str; 11] = [
    MANIFEST,
    // What opens a volume, or does not.
    "cryptsetup.fido2-pin",
    "cryptsetup.luks2-pin",
    "cryptsetup.passphrase",
    "cryptsetup.pkcs11-pin",
    "cryptsetup.tpm2-pin",
    // Names and texts.
    "login.issue",
    "login.motd",
    "system.hostname",
    "system.machine_id",
    // Whom to tell that the machine is up.
    "vmm.notify_socket",
];

/// Where the stub puts credentials, each in a file `<name>.cred`.
const BESIDE: [&str; 2] = ["/.extra/credentials", "/.extra/global_credentials"];
/// What systemd has taken already, when this is asked for the second time.
const TAKEN: [&str; 2] = ["/run/credentials/@system", "/run/credentials/@encrypted"];

/// Judges all credentials by their names.
pub(super) fn judge(
    machine: &Machine,
    configuration: &Configuration,
    signed_line: &str,
) -> Result<(), Refusal> {
    let mut allowed: Vec<&str> = HARMLESS.to_vec();
    allowed.extend(configuration.credentials.iter().map(String::as_str));
    let mut allowed = Allowed(allowed);
    for folder in BESIDE {
        for name in names(machine, folder)? {
            let Some(name) = name.strip_suffix(".cred") else {
                return Err(refused(&name, "beside the image"));
            };
            allowed.check(name, "beside the image")?;
        }
    }
    for name in firmware::smbios_credentials(machine)? {
        allowed.check(&name, "an SMBIOS string of the firmware")?;
    }
    for name in names(machine, firmware::QEMU)? {
        allowed.check(&name, "fw_cfg of QEMU")?;
    }
    // The signed command line may set some, too.
    let signed = systemd_words(signed_line);
    allowed
        .0
        .extend(signed.iter().filter_map(|word| set_by(word)));
    for folder in TAKEN {
        for name in names(machine, folder)? {
            allowed.check(&name, "taken by systemd")?;
        }
    }
    Ok(())
}

/// The name of the credential that a word of the command line sets.
fn set_by(word: &str) -> Option<&str> {
    let (key, value) = word.split_once('=')?;
    let sets = ["systemd.set_credential", "systemd.set_credential_binary"];
    let (name, _) = value.split_once(':')?;
    sets.contains(&key.replace('-', "_").as_str())
        .then_some(name)
}

struct Allowed<'a>(Vec<&'a str>);

impl Allowed<'_> {
    fn check(&self, name: &str, place: &'static str) -> Result<(), Refusal> {
        match self.0.contains(&name) {
            true => Ok(()),
            false => Err(refused(name, place)),
        }
    }
}

fn refused(name: &str, place: &'static str) -> Refusal {
    let name = printable(name);
    Refusal::Credential { name, place }
}

/// The names in a folder. One that is no text is refused by the list of those that are allowed.
fn names(machine: &Machine, folder: &str) -> Result<Vec<String>, Refusal> {
    let names = super::names(machine, folder)?.into_iter();
    Ok(names
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}
