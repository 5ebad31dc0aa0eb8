//! Why there is no policy.

use crate::bank::Bank;

/// A policy cannot be made, or one that was made is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A session's hash must resist whoever makes two policies at once.
    #[error(
        "a policy's digest is of SHA-256, SHA-384 or SHA-512, never of SHA-1: name another hash"
    )]
    WeakHash,
    /// So must the registers' own hash.
    #[error(
        "a policy over the SHA-1 bank admits whoever can make two files with the same SHA-1: name the bank sha256, which every TPM 2.0 has"
    )]
    WeakBank,
    /// Nothing is selected.
    #[error("a policy without a register admits every machine: name at least one PCR of each bank")]
    NoPcr,
    /// The register says which UKI booted and nothing of what could have changed its boot.
    #[error(
        "a policy on PCR 11 alone opens its secret with Secure Boot off and with any command line from outside of the UKI: name 7, 11, 12 and 13"
    )]
    Pcr11Alone,
    /// A register that anybody may reset.
    #[error("PCR {0} holds nothing that can be relied on: anybody may reset it; leave it out")]
    Resettable(u32),
    /// There are only 24.
    #[error("a TPM has PCRs 0 to 23, not {0}")]
    NoSuchPcr(u32),
    /// The bank stands twice.
    #[error("the bank {0} is selected twice: name all its PCRs in one place")]
    BankTwice(Bank),
    /// A selection that cannot be read.
    #[error("`{0}` selects no PCRs: write banks as in `sha256:7,11` and join them by `+`")]
    Selection(String),
    /// A value that the policy wants is not known.
    #[error(
        "the value of PCR {pcr} in the bank {bank} is not known: give one for each selected PCR"
    )]
    NoValue {
        /// The bank.
        bank: Bank,
        /// The register.
        pcr: u32,
    },
    /// A value is of another bank.
    #[error("the value of PCR {pcr} is not one of the bank {bank}: it has another length")]
    OtherBank {
        /// The wanted bank.
        bank: Bank,
        /// The register.
        pcr: u32,
    },
    /// `TPM2_PolicyOR` takes 2 to 8.
    #[error("one PolicyOR is over 2 to 8 alternatives, not {0}: a tree takes any number")]
    Alternatives(usize),
    /// There is nothing to admit.
    #[error("a policy without an alternative admits no machine: give at least one variant")]
    NoAlternative,
    /// The alternatives are not of one hash.
    #[error("a session of {wanted} has no use for a digest of {found}: make both with one hash")]
    OtherHash {
        /// The session's.
        wanted: Bank,
        /// The other's.
        found: Bank,
    },
    /// A prediction does not say what is needed.
    #[error(
        "the prediction of `{name}` has no PCR {pcr} in the bank {bank}: predict it, or leave that PCR out of the policy"
    )]
    NotPredicted {
        /// The outcome.
        name: String,
        /// The register.
        pcr: u32,
        /// The bank.
        bank: Bank,
    },
    /// A prediction was changed by hand, or damaged.
    #[error(
        "the prediction of `{name}` contradicts itself: the measurements of PCR {pcr} do not add up to its value; predict anew"
    )]
    Contradiction {
        /// The outcome.
        name: String,
        /// The register.
        pcr: u32,
    },
    /// The outcomes are not of the same registers.
    #[error("the outcome `{0}` is of other PCRs than the first: predict the same PCRs of each")]
    OtherPcrs(String),
    /// One name for different outcomes.
    #[error("two outcomes are called `{0}`: give each variant a name of its own")]
    NameTwice(String),
    /// A policy file that was changed by hand, or damaged.
    #[error("the policy contradicts itself: {0} is not what its values make; create it anew")]
    Altered(&'static str),
    /// The key is not one whose signatures a TPM is known to check.
    #[error(
        "a policy cannot be signed by this key, which few TPMs can load: use RSA of 2048 or 3072 bits with the exponent 65537, P-256 or P-384"
    )]
    Key,
    /// systemd's reader of `.pcrsig` knows RSA alone.
    #[error(
        "systemd opens nothing with signatures of an elliptic curve in .pcrsig: sign with RSA of 2048 or 3072 bits"
    )]
    NotRsa,
    /// systemd's sessions are of SHA-256.
    #[error(
        "systemd's policy sessions are of SHA-256: signatures are over policies of that hash, not of {0}"
    )]
    SignedHash(Bank),
    /// A reference that the peers would not write in the same way.
    #[error("a policy reference is 1 or more printable ASCII characters")]
    Reference,
    /// The file is no set of signatures.
    #[error("this is no set of PCR signatures: {0}")]
    NoSignatures(String),
}
