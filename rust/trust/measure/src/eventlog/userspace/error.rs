//! Why bytes are no log of systemd's.

use crate::bank::Bank;

/// Why bytes are no log of systemd's measurements. Records are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserspaceLogError {
    /// There is nothing.
    #[error("it is empty: systemd measured nothing")]
    Empty,
    /// It is far bigger than a log.
    #[error("it has {0} bytes; no log of systemd's is larger than 64 MiB")]
    TooBig(usize),
    /// It does not begin as a sequence of JSON texts does.
    #[error("it does not begin with a record separator (0x1e): it is no sequence of JSON texts")]
    NoSequence,
    /// A record does not end with a line feed, which every one does.
    #[error("record {record} has no line feed at its end: it is truncated")]
    Truncated {
        /// The record's number.
        record: usize,
    },
    /// A record is no JSON, or not of the form that systemd writes.
    #[error("record {record} is not a measurement: {fact}")]
    Form {
        /// The record's number.
        record: usize,
        /// What is wrong.
        fact: String,
    },
    /// A record names neither a register nor an NV index, or both.
    #[error(
        "record {record} does not say what was extended: it has `pcr` and `nv_index`, or neither"
    )]
    Target {
        /// The record's number.
        record: usize,
    },
    /// A record extends a register that no TPM of a PC has.
    #[error("record {record} extends PCR {pcr}; a TPM of a PC has PCRs 0 to 23")]
    Register {
        /// The record's number.
        record: usize,
        /// The register.
        pcr: u64,
    },
    /// A record extends a register whose beginning a dynamic launch decides.
    #[error(
        "record {record} extends PCR {pcr}: what PCRs 17 to 22 begin with depends on a dynamic launch"
    )]
    DynamicRegister {
        /// The record's number.
        record: usize,
        /// The register.
        pcr: u64,
    },
    /// A record has no digest.
    #[error("record {record} has no digest")]
    NoDigest {
        /// The record's number.
        record: usize,
    },
    /// A record has two digests of one algorithm.
    #[error("record {record} has two digests of {algorithm}")]
    DuplicateDigest {
        /// The record's number.
        record: usize,
        /// The algorithm.
        algorithm: String,
    },
    /// A digest is not of its bank.
    #[error("record {record} has a {bank} digest that is none")]
    Digest {
        /// The record's number.
        record: usize,
        /// The bank.
        bank: Bank,
    },
    /// Records are of several boots, whose registers began anew.
    #[error("record {record} is of another boot than those before it: keep the records of one")]
    OtherBoot {
        /// The record's number.
        record: usize,
    },
    /// The log has no digests of a bank at all.
    #[error("it has no {0} digests: ask for a bank that it has")]
    NoBank(Bank),
}
