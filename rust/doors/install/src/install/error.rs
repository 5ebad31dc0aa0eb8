//! Why nothing was installed, or not everything.

use std::io;
use std::path::PathBuf;

use touchstone_esp::Refusal;

use crate::generation::Malformed;
use crate::generation::secrets::SecretsError;
use crate::profiles::ProfilesError;
use crate::settings::SettingsError;
use crate::variables::VariableError;

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// What to install where is not known.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The profiles cannot be listed.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
    /// The EFI variables cannot be read.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The toplevel is not there.
    #[error("{} cannot be found: {source}\n  help: name the toplevel of a NixOS generation, as /nix/var/nix/profiles/system is one", .toplevel.display())]
    Toplevel {
        /// What was named.
        toplevel: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// No profile holds the toplevel.
    #[error("{} is no generation of any profile, and would be collected as garbage\n  help: register it with `nix-env --profile /nix/var/nix/profiles/system --set {}`, or let `touchstone-install boot` do that", .0.display(), .0.display())]
    NotRegistered(PathBuf),
    /// The generation that is to boot next cannot be read.
    #[error("{} cannot be installed: {source}\n  help: build it again, or look with `nix store verify` whether it is damaged", .toplevel.display())]
    Malformed {
        /// Its toplevel.
        toplevel: PathBuf,
        /// Why.
        source: Box<Malformed>,
    },
    /// The generation that is to boot next cannot be made whole.
    #[error("{} cannot be installed: {source}", .toplevel.display())]
    Incomplete {
        /// Its toplevel.
        toplevel: PathBuf,
        /// Why.
        source: Box<Incomplete>,
    },
    /// Nothing would be left that boots.
    #[error(
        "no generation can be booted\n  help: build the configuration again; what is on the partitions is unchanged"
    )]
    NothingBootable,
    /// No partition can be written to.
    #[error("{}", .0.join("\n"))]
    NoVolume(Vec<String>),
    /// There is no plan for a partition.
    #[error("{0}\n  help: nothing was changed")]
    Refusal(#[from] Refusal),
    /// The transaction failed.
    #[error("{0}")]
    Transaction(String),
    /// The boot loader cannot be prepared.
    #[error("the boot loader {}: {fact}\n  help: {help}", .file.display())]
    Loader {
        /// The program.
        file: PathBuf,
        /// What is wrong.
        fact: String,
        /// What to do.
        help: &'static str,
    },
    /// `loader.conf` cannot be made.
    #[error("loader.conf: {0}\n  help: correct the setting in the configuration")]
    LoaderConf(#[from] touchstone_esp::loader_conf::SettingError),
    /// systemd-boot would start another generation than the one that was asked for.
    #[error(
        "systemd-boot {version} would start {first} in the place of {wanted}: with boot counting, releases before 260 start what they sort first\n  help: take systemd 260 or newer, mark the generations that sort before it bad (`touchstone-install bad ENTRY`) or remove them, or turn boot counting off"
    )]
    NotFirst {
        /// The loader's version.
        version: String,
        /// What comes first.
        first: String,
        /// What was asked for.
        wanted: String,
    },
    /// The TPM policy cannot be made.
    #[error("the TPM policy cannot be made: {fact}\n  help: {help}")]
    Policy {
        /// Why.
        fact: String,
        /// What to do.
        help: String,
    },
    /// An operation refused.
    #[error("{}", shown(.0))]
    Operation(Box<touchstone_artifacts::Error>),
    /// What earlier runs found out cannot be kept.
    #[error("{} cannot be written: {source}\n  help: check that its folder is on a disk with space; what was installed is whole", .file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// Why a generation cannot be made whole.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// A file of it is missing.
    #[error("{} cannot be read: {source}\n  help: its closure is damaged: `nix store verify --recursive` names what is missing", .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file of it is not the one that its documents name.
    #[error("{} is not the file that boot.json names\n  help: the generation was damaged or changed: `nix store verify --recursive` tells", .0.display())]
    Changed(PathBuf),
    /// It is not sealed, and no image is made on this machine.
    #[error(
        "it holds no signed image, and none is made on this machine\n  help: set `boot.touchstone.sealed.enable = true` in its configuration, or sign on this machine with `boot.touchstone.signing.method = \"install\"`"
    )]
    NotSealed,
    /// Its initrd needs secrets that a signed image cannot have.
    #[error(
        "its initrd needs secrets, and nothing can be appended to a unified kernel image\n  help: take them out of boot.initrd.secrets, or set the images to \"kernel\""
    )]
    SecretsInImage,
    /// Its secrets are not at hand.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Its image cannot be made.
    #[error("{}", shown(.0))]
    Operation(Box<touchstone_artifacts::Error>),
    /// Its image was made, and would not be started.
    #[error("{} would not be started by firmware: {fact}\n  help: sign with a key whose certificate is in `db`; `touchstone-install status` shows what this machine enforces", .file.display())]
    Unbootable {
        /// The image.
        file: PathBuf,
        /// Why.
        fact: String,
    },
    /// Its initrd would refuse to start it.
    #[error("the initrd of {} would not start it: {fact}\n  help: sign its closure when it is built, set boot.initrd.verify.signing, or install it once more by its own path; docs/installer.md#verified-generations", .toplevel.display())]
    Unverified {
        /// What would be booted.
        toplevel: PathBuf,
        /// What is wrong with its manifest.
        fact: String,
    },
    /// Its initrd verifies it, and would not be part of a signed image.
    #[error(
        "its initrd verifies it, and an entry of Type #1 would leave initrd and command line unsigned\n  help: set the images to \"uki\" or \"sealed\""
    )]
    VerifiedWithoutImage,
    /// Its stub would not find the manifest beside an image with a boot counter.
    #[error(
        "its manifest lies beside its image, and the stub {stub} looks for it under a name with a boot counter\n  help: take the stub of systemd 255 or newer, another carrier of the manifest, or turn boot counting off"
    )]
    CountedManifest {
        /// The stub's version.
        stub: String,
    },
    /// A text of it cannot stand in an entry.
    #[error("{0}\n  help: correct it in the configuration")]
    Text(String),
}

impl From<touchstone_artifacts::Error> for InstallError {
    fn from(error: touchstone_artifacts::Error) -> Self {
        Self::Operation(Box::new(error))
    }
}

impl From<touchstone_artifacts::Error> for Incomplete {
    fn from(error: touchstone_artifacts::Error) -> Self {
        Self::Operation(Box::new(error))
    }
}

/// What happened, to which file, and what to do.
fn shown(error: &touchstone_artifacts::Error) -> String {
    let file = match error.file() {
        Some(file) => format!("\n  file: {}", file.display()),
        None => String::new(),
    };
    format!("{error}{file}\n  help: {}", error.help())
}
