//! Why bytes are no event log.

use crate::bank::Bank;

/// Why bytes are no event log, or one that contradicts itself. Events are counted from 0, the header event included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    /// There is nothing.
    #[error("it is empty: the firmware kept no log, or the machine has no TPM")]
    Empty,
    /// It is far bigger than a log.
    #[error("it has {0} bytes; no event log is larger than 64 MiB")]
    TooBig(usize),
    /// It ends inside of an event.
    #[error("it ends inside of event {event} at byte {offset}: it is truncated, or no event log")]
    Truncated {
        /// The event's number.
        event: usize,
        /// Where reading stopped, in bytes.
        offset: usize,
    },
    /// From here on there are zeros alone: the buffer of the firmware instead of the log in it.
    #[error(
        "from event {event} at byte {offset} on it holds zeros alone: copy the file that the kernel shows instead of the firmware's buffer"
    )]
    Zeros {
        /// The number that the next event would have.
        event: usize,
        /// Where the zeros begin, in bytes.
        offset: usize,
    },
    /// The header event contradicts itself.
    #[error("its header event is malformed: {0}")]
    Header(#[from] HeaderError),
    /// A header stands behind the first event.
    #[error("event {event} is a second header: two logs were joined, or it is forged")]
    SecondHeader {
        /// The event's number.
        event: usize,
    },
    /// An event has a digest of an algorithm that the header did not announce.
    #[error(
        "event {event} has a digest of algorithm {algorithm:#06x}, which the header does not announce"
    )]
    Algorithm {
        /// The event's number.
        event: usize,
        /// The `TPM_ALG_ID`.
        algorithm: u16,
    },
    /// An event has more digests than there are algorithms.
    #[error(
        "event {event} has {count} digests, but the header announces only {announced} algorithms"
    )]
    TooManyDigests {
        /// The event's number.
        event: usize,
        /// How many it claims.
        count: u32,
        /// How many there may be.
        announced: usize,
    },
    /// An event has two digests of one algorithm: which one was extended is not said.
    #[error("event {event} has two digests of algorithm {algorithm:#06x}")]
    DuplicateDigest {
        /// The event's number.
        event: usize,
        /// The `TPM_ALG_ID`.
        algorithm: u16,
    },
    /// An event lacks a digest that other events have.
    #[error(
        "event {event} has no digest of algorithm {algorithm:#06x}, which other events have: a register of that bank cannot follow from it"
    )]
    MissingDigest {
        /// The event's number.
        event: usize,
        /// The `TPM_ALG_ID`.
        algorithm: u16,
    },
    /// An event extends a register that no TPM of a PC has.
    #[error("event {event} extends PCR {pcr}; a TPM of a PC has PCRs 0 to 23")]
    Register {
        /// The event's number.
        event: usize,
        /// The register.
        pcr: u32,
    },
    /// An event extends a register whose beginning a dynamic launch decides, and which firmware cannot extend.
    #[error(
        "event {event} extends PCR {pcr}, which firmware may not: PCRs 17 to 22 belong to a dynamic launch"
    )]
    DynamicRegister {
        /// The event's number.
        event: usize,
        /// The register.
        pcr: u32,
    },
    /// A note of the startup locality has not the specification's form.
    #[error(
        "event {event} notes the startup locality in another form than that of the specification"
    )]
    LocalityForm {
        /// The event's number.
        event: usize,
    },
    /// The noted startup locality is none that there is.
    #[error("event {event} notes startup locality {locality}; there are 0, 3 and 4")]
    Locality {
        /// The event's number.
        event: usize,
        /// The locality.
        locality: u8,
    },
    /// The startup locality is noted twice.
    #[error("event {event} notes the startup locality a second time")]
    LocalityTwice {
        /// The event's number.
        event: usize,
    },
    /// The startup locality is noted behind what it is the beginning of.
    #[error("event {event} notes the startup locality when PCR 0 has been extended already")]
    LocalityLate {
        /// The event's number.
        event: usize,
    },
    /// The H-CRTM is measured elsewhere than at the beginning of PCR 0.
    #[error(
        "event {event} measures the H-CRTM, which can only be the first measurement of PCR 0, once"
    )]
    Hcrtm {
        /// The event's number.
        event: usize,
    },
    /// H-CRTM and startup locality contradict one another.
    #[error(
        "event {event} measures the H-CRTM, which begins at locality 4, but startup locality {locality} is noted"
    )]
    HcrtmLocality {
        /// The event's number.
        event: usize,
        /// What is noted.
        locality: u8,
    },
    /// Startup locality 4 is noted, which only an H-CRTM has.
    #[error("event {event} notes startup locality 4, but no event measures the H-CRTM")]
    LocalityWithoutHcrtm {
        /// The event's number.
        event: usize,
    },
    /// The log has no digests of a bank at all.
    #[error("it has no {0} digests: ask for a bank that it has")]
    NoBank(Bank),
    /// The log cannot be replayed in a bank.
    #[error("event {event} has no {bank} digest: the log cannot be replayed in that bank")]
    NoDigest {
        /// The event's number.
        event: usize,
        /// The bank.
        bank: Bank,
    },
}

/// How a header event (`TCG_EfiSpecIDEvent`) contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It ends before its last field.
    #[error("it ends before its list of algorithms does, or has no vendor data field")]
    Short,
    /// It announces nothing.
    #[error("it announces no algorithm")]
    NoAlgorithm,
    /// It announces more algorithms than any TPM has.
    #[error("it announces {0} algorithms, more than any TPM has")]
    TooManyAlgorithms(u32),
    /// It announces an algorithm twice.
    #[error("it announces algorithm {0:#06x} twice")]
    DuplicateAlgorithm(u16),
    /// It gives an algorithm a length that its digests do not have.
    #[error("it gives algorithm {algorithm:#06x} digests of {length} bytes")]
    DigestLength {
        /// The `TPM_ALG_ID`.
        algorithm: u16,
        /// The length, in bytes.
        length: u16,
    },
    /// Its vendor data do not end where the event ends.
    #[error("it says that {claimed} bytes of vendor data follow, where {found} do")]
    VendorData {
        /// What the length field says, in bytes.
        claimed: u8,
        /// What is left of the event, in bytes.
        found: usize,
    },
    /// It names a register.
    #[error("it names PCR {0}, where a header has 0")]
    Register(u32),
    /// It has a digest.
    #[error("it has a digest, where a header has zeros")]
    Digest,
}
