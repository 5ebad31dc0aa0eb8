//! Why a UKI cannot be made.

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
    /// A zboot image: stubs start it, but its version is within the compressed part.
    #[error("is a compressed zboot image, whose version cannot be read: give its `uname -r`")]
    ZbootVersion,
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
