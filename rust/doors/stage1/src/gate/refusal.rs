//! Why the gate stays closed: each attack has its own sentence, with the way out.

use std::io;

use crate::command_line::InitError;
use crate::configuration::ConfigurationError;

/// Why the gate stays closed. Texts that others wrote are shown in printable ASCII, cut where they are long.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A kernel file system cannot be mounted.
    #[error("{file} cannot be mounted: {source}")]
    Mount {
        /// Where.
        file: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// The configuration is missing.
    #[error(
        "/etc/touchstone/stage1.conf is missing: an initrd with this program as its /init needs it (boot.initrd.verify writes it)"
    )]
    NoConfiguration,
    /// The configuration is none.
    #[error("/etc/touchstone/stage1.conf: {0}")]
    Configuration(ConfigurationError),
    /// The initrd holds no signed command lines.
    #[error(
        "this initrd has no signed command lines (/.touchstone/command-lines): it was not started by its signed image, but by a boot entry with kernel and initrd; start the unified kernel image"
    )]
    NoSignedLines,
    /// The list of signed command lines is none.
    #[error(
        "the signed command lines (/.touchstone/command-lines) are not usable: line {line} {fact}; build the image again"
    )]
    SignedLine {
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        fact: SignedLineFault,
    },
    /// A boot entry gave an initrd.
    #[error(
        "the command line has initrd=, which only a boot entry with kernel and initrd gives: nothing of what it starts is signed; start the unified kernel image"
    )]
    BootEntry,
    /// The line has a second `init=`.
    #[error(
        "the command line has more than one init=: `{0}` is not signed; remove it where it comes from (an addon, the firmware's SMBIOS strings, the boot menu)"
    )]
    SecondInit(String),
    /// The line is another one altogether.
    #[error(
        "the command line is none of the signed ones: `{0}`; start the image without options of your own, and not by another boot loader"
    )]
    OtherLine(String),
    /// `rdinit=` behind the signed line.
    #[error(
        "the command line has an unsigned rdinit=, which would start another program than this one: `{0}`; remove it where it comes from (an addon, the firmware's SMBIOS strings)"
    )]
    Rdinit(String),
    /// A word for systemd behind the signed line.
    #[error(
        "the command line has an unsigned word for systemd, which could change what the initrd runs: `{0}`; put it into boot.kernelParams to have it signed, or remove the addon or SMBIOS string that brings it"
    )]
    SystemdWord(String),
    /// A word for the initrd behind the signed line.
    #[error(
        "the command line has an unsigned word for the initrd, which could change what it runs: `{0}`; put it into boot.kernelParams to have it signed, or remove the addon or SMBIOS string that brings it"
    )]
    InitrdWord(String),
    /// A word that says which root is mounted behind the signed line.
    #[error(
        "the command line has an unsigned word that says what is mounted as the root: `{0}`; put it into boot.kernelParams to have it signed, or remove the addon or SMBIOS string that brings it"
    )]
    RootWord(String),
    /// Any other word behind the signed line.
    #[error(
        "the command line has an unsigned word that is not known to be harmless: `{0}`; put it into boot.kernelParams to have it signed, or remove the addon or SMBIOS string that brings it"
    )]
    UnknownWord(String),
    /// A credential that could change what the initrd runs.
    #[error(
        "the credential `{name}` ({place}) is not known to be harmless: credentials can bring units, mounts and settings; remove it, or have its name signed into the image"
    )]
    Credential {
        /// Its name.
        name: String,
        /// Where it comes from.
        place: &'static str,
    },
    /// A command line for systemd in a variable of the firmware.
    #[error(
        "the firmware has the variable SystemdOptions, a command line for systemd that nobody has signed; remove it with `bootctl systemd-efi-options ''`"
    )]
    FirmwareOptions,
    /// QEMU's `fw_cfg` is there, and cannot be looked at.
    #[error(
        "the virtual machine's host can hand credentials to systemd (fw_cfg), and the driver that shows them (qemu_fw_cfg) is in the initrd but cannot be loaded by its /sbin/modprobe: what the host says cannot be judged; leave the driver out of the initrd, or put modprobe there"
    )]
    Hidden,
    /// Extensions beside the image.
    #[error(
        "the system or configuration extension `{0}` lies beside the image: extensions replace programs and settings of the initrd; remove it"
    )]
    Extension(String),
    /// Something unknown beside the image.
    #[error(
        "the stub put `{0}` into the initrd, which is not known: what it does to systemd cannot be judged"
    )]
    UnknownExtra(String),
}

/// What is wrong with a signed line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedLineFault {
    /// The list has no end of line at its end, or no line at all.
    #[error("does not end in a line feed")]
    End,
    /// Bytes beyond printable ASCII.
    #[error("has characters beyond printable ASCII")]
    Text,
    /// Its `init=`.
    #[error("{0}")]
    Init(InitError),
    /// `rdinit=`, by which the kernel would never start this program.
    #[error("has rdinit=, by which the kernel starts another program than this one")]
    Rdinit,
    /// `noresume` is missing.
    #[error(
        "lacks the word noresume: a memory image on the disk, which nobody has verified, could be resumed instead of this boot"
    )]
    Resume,
    /// It does not end in `--`.
    #[error(
        "does not end in the word `--`: whatever addons and the firmware add behind it would be read by the kernel, rdinit= among it"
    )]
    Open,
}
