//! Why a UKI cannot be made.

use super::HwidsError;
use super::unwrap::Compression;
use crate::layout::PlanError;
use crate::sbat::SbatError;
use crate::{Machine, ReadError, SectionName, SectionNameError};

/// Why a UKI or an addon cannot be made of these parts.
#[derive(Debug, thiserror::Error)]
pub enum UkiError {
    /// The stub is no PE image.
    #[error("the stub is {0}")]
    StubNotPe(ReadError),
    /// The stub is a PE image that cannot be read.
    #[error("the stub: {0}")]
    Stub(ReadError),
    /// The stub is signed: adding sections would break the signature.
    #[error("the stub is signed: give the unsigned stub, and sign the UKI")]
    StubSigned,
    /// A PE image, but no stub of systemd.
    #[error(
        "the stub is no systemd stub ({found}): give linux<arch>.efi.stub, or for an addon \
         addon<arch>.efi.stub"
    )]
    NotAStub {
        /// What it says in `.sdmagic`.
        found: String,
    },
    /// The stub's SBAT is malformed.
    #[error("the stub's .sbat {0}")]
    StubSbat(SbatError),
    /// The kernel cannot be used.
    #[error("the kernel {0}")]
    Kernel(#[from] KernelError),
    /// A NUL in the command line: the kernel would see only what stands before it.
    #[error("the command line contains a NUL (byte {0}): remove it")]
    CmdlineNul(usize),
    /// Not a file of `KEY=value` lines.
    #[error("os-release: line {line} is no KEY=value line, comment or empty line")]
    OsRelease {
        /// Counted from 1.
        line: usize,
    },
    /// A profile that is not made of `KEY=value` lines, as an os-release is.
    #[error("profile: line {line} is no KEY=value line, comment or empty line")]
    ProfileText {
        /// Counted from 1.
        line: usize,
    },
    /// A profile to be joined cannot be used.
    #[error("the profile {source}")]
    Profile {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        source: ProfileError,
    },
    /// Hardware IDs that make no `.hwids`.
    #[error("the hardware IDs: {0}")]
    Hwids(#[from] HwidsError),
    /// The ID of a firmware image that is empty, or contains a NUL.
    #[error("the firmware ID {0:?} is empty or contains a NUL: name the image's folder otherwise")]
    FirmwareId(String),
    /// An empty firmware image.
    #[error("the firmware {0:?} is empty")]
    NoFirmware(String),
    /// A section that came with a later release.
    #[error("ukify 257 knows no section {0}: use the rules of 262")]
    NotIn257(SectionName),
    /// A version with white space or control characters.
    #[error(
        "the kernel version {0:?} contains white space or a control character: give what `uname \
         -r` prints"
    )]
    Uname(String),
    /// An SBAT text that is none.
    #[error("the SBAT text {0}")]
    Sbat(SbatError),
    /// A profile keeps the stub's SBAT, and gets lost with the stub when it is joined.
    #[error("a profile takes no SBAT: give it to the UKI to which the profile is joined")]
    SbatOfProfile,
    /// Signatures of a profile are made for the UKI to which it is joined.
    #[error(
        "a profile takes no PCR signature: its measurements are known when it is joined to a UKI"
    )]
    PcrsigOfProfile,
    /// Two sections of one name.
    #[error("the section {0} is given twice: give it once")]
    DuplicateSection(SectionName),
    /// A section that the stub already has for itself.
    #[error(
        "the stub has a section {0} of its own: choose another name, or a stub that is no UKI yet"
    )]
    SectionOfStub(SectionName),
    /// A name that no section can have.
    #[error(transparent)]
    SectionName(#[from] SectionNameError),
    /// No room for more section headers in the stub.
    #[error(
        "the stub has room for {free} more sections, {wanted} are wanted: use a newer stub or \
         fewer sections"
    )]
    NoHeaderRoom {
        /// How many section headers still fit.
        free: usize,
        /// How many are to be added.
        wanted: usize,
    },
    /// The parts are larger than a PE image can be.
    #[error("the image would be larger than 4 GiB (at section {0}): make the parts smaller")]
    TooLarge(SectionName),
    /// The stub does not fit the layout rules in another way.
    #[error("the stub: {0}")]
    Layout(PlanError),
}

impl From<PlanError> for UkiError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Signed => Self::StubSigned,
            PlanError::NoHeaderRoom { free, wanted } => Self::NoHeaderRoom { free, wanted },
            PlanError::TooLarge(section) => Self::TooLarge(section),
            other => Self::Layout(other),
        }
    }
}

/// Why a kernel cannot go into a UKI.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Compressed as a whole: the stub cannot start it.
    #[error("is compressed with {0}, so that no stub can start it: decompress it first")]
    Compressed(&'static str),
    /// Compressed as a whole (or the payload of a zboot image is), and damaged.
    #[error("cannot be decompressed with {compression} ({source}): fetch it again")]
    Damaged {
        /// How it is compressed.
        compression: Compression,
        /// What the decoder found.
        source: std::io::Error,
    },
    /// Compressed as a whole, and no image of use within.
    #[error("is compressed with {compression}, and within it is {source}")]
    Within {
        /// How it is compressed.
        compression: Compression,
        /// Why it cannot be read.
        source: ReadError,
    },
    /// A zboot image: stubs start it, but its version is within the compressed part.
    #[error(
        "is a zboot image compressed with {0:?}, in which the version cannot be looked for: give \
         its `uname -r`"
    )]
    Zboot(String),
    /// Neither a PE image nor a known wrapping.
    #[error("is {0}")]
    NotPe(ReadError),
    /// A PE image that cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The stub is for another architecture.
    #[error("is for {kernel}, the stub for {stub}: give both for the same machine")]
    Architecture {
        /// The kernel's.
        kernel: Machine,
        /// The stub's.
        stub: Machine,
    },
    /// The kernel's SBAT is malformed.
    #[error("has a .sbat section that {0}")]
    Sbat(SbatError),
}

/// Why a profile cannot be joined to a UKI.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No PE image, or one that cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The image is for another architecture.
    #[error("is for {profile}, the stub for {stub}: make both for the same machine")]
    Architecture {
        /// The profile's.
        profile: Machine,
        /// The stub's.
        stub: Machine,
    },
    /// The first section that a UKI knows is not `.profile`.
    #[error(
        "does not begin with a section .profile ({}): make it with a profile text, of an addon \
         stub, which has no .sbat of its own",
        first.map_or_else(|| "it has none".to_owned(), |name| format!("but with {name}"))
    )]
    NoProfile {
        /// The first such section, where there is one.
        first: Option<SectionName>,
    },
    /// An image of several profiles: a UKI.
    #[error("has several sections .profile: join each profile by itself")]
    SeveralProfiles,
    /// A section that would silently be lost.
    #[error(
        "has a section {0}, which these rules of ukify do not take over: give it to the UKI to \
         which the profile is joined"
    )]
    Lost(SectionName),
    /// A section that is longer in memory than in the file.
    #[error("has a section {0} that is not wholly stored: make it afresh")]
    NotStored(SectionName),
    /// Texts that are no profile.
    #[error("needs `KEY=value` lines and a command line without a NUL")]
    Texts,
    /// The profile's own kernel cannot be used.
    #[error("has a kernel that {0}")]
    Kernel(#[from] KernelError),
}
