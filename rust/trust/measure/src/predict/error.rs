//! Why a prediction is refused.

use crate::bank::Bank;
use crate::boot_path::BootPath;
use crate::utf16::CommandLineError;

/// A prediction would not be exact: here is why, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// No register, bank or phase was asked for.
    #[error(
        "nothing was asked for: name at least one PCR, one bank and one phase (the empty phase is the moment before the first)"
    )]
    NothingAsked,
    /// The register's value does not follow from the boot artifacts.
    #[error("PCR {pcr} cannot be predicted: {why}")]
    Pcr {
        /// The register.
        pcr: u32,
        /// The reason.
        why: &'static str,
    },
    /// No machine was ever booted this way beside a prediction.
    #[error("{what} was never compared with a real machine, so nothing is predicted of it")]
    Path {
        /// What is on the path, or is missing.
        what: &'static str,
    },
    /// Loader and stub do not belong together.
    #[error(
        "systemd-boot {loader} was never compared with a UKI whose stub is {stub}: use loader and stub of the same systemd"
    )]
    Mixture {
        /// The loader's version.
        loader: String,
        /// The stub's version.
        stub: String,
    },
    /// A digest is missing in a bank.
    #[error(
        "the {bank} digest of this event is not known: {what}; give the digests in every asked bank"
    )]
    NoDigest {
        /// The bank.
        bank: Bank,
        /// The event.
        what: String,
    },
    /// Under Secure Boot each image is vouched for by an entry of db, which is measured.
    #[error(
        "PCR 7 depends on the entry of db that lets {image} start, which was not given: sign it, and give the certificate in db"
    )]
    NoAuthority {
        /// The image.
        image: String,
    },
    /// The machine would not come up this way.
    #[error("{image} would not be let start, so there is nothing to predict: {why}")]
    NotStarted {
        /// The image.
        image: String,
        /// What speaks against it.
        why: String,
    },
    /// A variable holds no signature lists.
    #[error("the content of {variable} is malformed: {source}")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// What is wrong.
        source: touchstone_sign::esl::EslError,
    },
    /// The medium is not known.
    #[error("PCR 5 holds the partition table of what is booted: say what that is, a disk or a CD")]
    NoMedium,
    /// The machine's own log does not show what comes before the boot option.
    #[error("PCR {pcr} cannot be predicted by the given event log: {why}")]
    FirmwareLog {
        /// The register.
        pcr: u32,
        /// What is wrong with the log.
        why: &'static str,
    },
    /// Secure Boot is on although there is nothing to enforce.
    #[error(
        "Secure Boot cannot be on without {variable}: give the variable's signature list, or predict for Secure Boot off"
    )]
    NoKeys {
        /// The missing variable.
        variable: &'static str,
    },
    /// The kernel's own digest is needed.
    #[error(
        "PCR 4 holds the Authenticode digest of the kernel inside {image} when Secure Boot is off, and it was not given or the kernel is no PE image"
    )]
    NoKernel {
        /// The UKI.
        image: String,
    },
    /// The boot path has a part whose measurements are known from no real boot.
    #[error(
        "PCR {pcr} of {what} was never compared with a real boot; leave that out of the UKI, or the PCR out of the question"
    )]
    NotCompared {
        /// The register.
        pcr: u32,
        /// What the UKI has or lacks.
        what: &'static str,
    },
    /// The section `.cmdline` is not what stub and kernel agree on.
    #[error("the UKI's section .cmdline cannot be predicted: {0}")]
    CommandLine(#[from] CommandLineError),
    /// Nobody said whether the initrd draws the line of systemd 262.
    #[error(
        "with stub 262 the initrd may hold a systemd that extends PCRs 0 to 7, 9, 12, 13 and 14 by the word os-separator before anything is unlocked, so values after the first phase depend on it: say osSeparator true (systemd 262 or newer in the initrd) or false, or ask for the moment before the first phase alone"
    )]
    OsSeparator,
    /// Stub 262 appends a console.
    #[error(
        "stub 262 appends a console of its own choice to a command line that names none, so PCR 9 depends on the machine: add console=… to the command line"
    )]
    Console,
    /// Stub 262 hands over a secret.
    #[error(
        "stub 262 puts a secret of the machine into the initrd, so PCR 9 is another on every machine: put a file loader/boot-secret-mixin of 1 to 31 bytes on the ESP, and say so, or leave PCR 9 out"
    )]
    BootSecret,
    /// The initrd is served in another order than the sections passed in.
    #[error(
        "PCR 9 needs a second look at the UKI: its microcode, that of a profile or of an addon is served before its initrd, but did not pass before it; give the UKI's content"
    )]
    OrderLost,
    /// The stub chooses a section by the machine's hardware.
    #[error(
        "the stub chooses the section {section} by the machine's hardware, so PCR 11 is not the same everywhere: say which one that is (for .dtbauto), leave it out, or use .dtb"
    )]
    MachinesChoice {
        /// The section.
        section: &'static str,
    },
    /// The UKI has fewer profiles.
    #[error("the UKI has no profile @{number}; profiles are counted from 0")]
    NoProfile {
        /// The number that was asked for.
        number: usize,
    },
    /// A file beside the UKI has a name by which a stub would not find it.
    #[error(
        "stubs pass the file {name:?} over: its name must be ASCII, not begin with a dot, have at most 255 characters and end in {end}"
    )]
    Name {
        /// The file's name.
        name: String,
        /// How it would have to end.
        end: &'static str,
    },
    /// What an addon brings is not known.
    #[error("the addon {name} cannot be predicted: {why}")]
    Addon {
        /// Its name.
        name: String,
        /// The reason.
        why: String,
    },
    /// A file cannot be read.
    #[error("{name} cannot be read: {why}")]
    Unreadable {
        /// Its name.
        name: String,
        /// The reason.
        why: String,
    },
    /// Options that systemd-boot would change or that were never compared.
    #[error(
        "the options {text:?} of a Type #1 entry cannot be predicted: give printable ASCII, not empty, without a space at its ends"
    )]
    Options {
        /// The options.
        text: String,
    },
}

/// Why this register is refused on this boot path; none for those that can be predicted.
pub(super) fn why_not(pcr: u32, boot: &BootPath) -> Option<&'static str> {
    match pcr {
        4 | 5 | 7 | 9 | 11..=15 => None,
        0..=3 | 6 if boot.firmware.is_some() => None,
        0..=3 => Some(
            "it holds the firmware's own code and settings; give an event log of that machine, and its values",
        ),
        6 => Some(
            "its use is the manufacturer's choice; give an event log of that machine, and its values",
        ),
        8 => Some("it is GRUB's, which is not on this boot path"),
        10 => Some("it holds what IMA saw at run time"),
        16 => Some("it is for debugging: anybody may reset it"),
        17..=22 => Some("it belongs to a dynamic launch, which is not on this boot path"),
        23 => Some("it is for applications: anybody may reset it"),
        _ => Some("a TPM has only PCRs 0 to 23"),
    }
}
