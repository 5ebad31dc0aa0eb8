//! The answer.

use super::digest::DigestKind;

/// What firmware does with an image, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether firmware starts it.
    pub boots: bool,
    /// What decided: when it boots, all that speaks for it; when not, all that speaks against it.
    pub reasons: Vec<Reason>,
    /// Each entry of the certificate table, in its order.
    pub signatures: Vec<SignatureVerdict>,
    /// What else whoever relies on the verdict should know, in sentences.
    pub notes: Vec<String>,
}

impl Verdict {
    /// The image is refused for this, whatever firmware would say.
    pub fn refuse(&mut self, reasons: Vec<Reason>) {
        if reasons.is_empty() {
            return;
        }
        if self.boots {
            self.reasons.clear();
        }
        self.boots = false;
        self.reasons.extend(reasons);
    }
}

/// A rule, and what it was applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule.
    pub rule: Rule,
    /// A sentence.
    pub why: String,
}

/// What firmware makes of one entry of the certificate table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureVerdict {
    /// Subject of the signer's certificate, when it can be read.
    pub signer: Option<String>,
    /// Issuer of the signer's certificate.
    pub issuer: Option<String>,
    /// Subject of the certificate in `db` to which it leads.
    pub trusted_by: Option<String>,
    /// The entry of `dbx` that forbids it, in words.
    pub forbidden_by: Option<String>,
    /// The digest that firmware computes of the image for it.
    pub hash: Option<DigestKind>,
    /// Whether it, or a certificate in it, is of an elliptic curve: not all firmware verifies those.
    pub elliptic: bool,
    /// Whether it lets the image start, were it the only one.
    pub ok: bool,
    /// The rule that decides, and why.
    pub reason: Reason,
}

/// The rules, by which reasons are told apart. `docs/verify.md` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The image's digest is in `db`.
    DigestInDb,
    /// A good signature leads to a certificate in `db`.
    SignatureTrusted,
    /// The image's digest is in `dbx`.
    DigestInDbx,
    /// A signature leads to a certificate in `dbx`.
    CertificateInDbx,
    /// `dbx` names the signer's certificate by the digest of its signed part.
    TbsInDbx,
    /// `dbx` so names the certificate in `db` that would be trusted.
    AnchorTbsInDbx,
    /// There is a `dbx`, and it cannot be told who signed.
    SignerUnreadable,
    /// The certificate table is malformed.
    TableMalformed,
    /// There is no signature, and `db` has no digest of the image.
    NotSigned,
    /// An entry of the certificate table is of a type that firmware passes over.
    TypeSkipped,
    /// The signature announces a digest that firmware does not compute.
    HashUnknown,
    /// The signature cannot be read.
    Unreadable,
    /// The signature is of another image, or the image was changed.
    ImageChanged,
    /// The signature was not made by its signer's key, or what is signed was changed.
    SignatureBad,
    /// No chain leads from the signer to a certificate in `db`.
    NoChain,
    /// Headers, sections or the certificate table do not lie in the file: firmware does not load the
    /// image. Under shim also: signers hash it otherwise than firmware does.
    ImageMalformed,
    /// Under shim: what lets the image start is over a digest that shim does not compute.
    ShimDigest,
    /// Under shim: what lets the image start is of an elliptic curve.
    ShimEllipticCurve,
    /// Under shim: what lets the image start is in an entry of the GUID type.
    ShimType,
    /// Under shim: the image has no section `.sbat`.
    SbatMissing,
    /// Under shim: the section `.sbat` cannot be read.
    SbatUnreadable,
    /// Under shim: the level revokes a component of the image.
    SbatRevoked,
}

impl Rule {
    /// Its name in JSON and in `docs/verify.md`.
    pub fn word(self) -> &'static str {
        match self {
            Self::DigestInDb => "digest-in-db",
            Self::SignatureTrusted => "signature-trusted",
            Self::DigestInDbx => "digest-in-dbx",
            Self::CertificateInDbx => "certificate-in-dbx",
            Self::TbsInDbx => "tbs-in-dbx",
            Self::AnchorTbsInDbx => "anchor-tbs-in-dbx",
            Self::SignerUnreadable => "signer-unreadable",
            Self::TableMalformed => "table-malformed",
            Self::NotSigned => "not-signed",
            Self::TypeSkipped => "type-skipped",
            Self::HashUnknown => "hash-unknown",
            Self::Unreadable => "unreadable",
            Self::ImageChanged => "image-changed",
            Self::SignatureBad => "signature-bad",
            Self::NoChain => "no-chain",
            Self::ImageMalformed => "image-malformed",
            Self::ShimDigest => "shim-digest",
            Self::ShimEllipticCurve => "shim-elliptic-curve",
            Self::ShimType => "shim-type",
            Self::SbatMissing => "sbat-missing",
            Self::SbatUnreadable => "sbat-unreadable",
            Self::SbatRevoked => "sbat-revoked",
        }
    }

    /// Does it refuse the whole image, whatever else speaks for it?
    pub fn forbids(self) -> bool {
        matches!(
            self,
            Self::DigestInDbx
                | Self::CertificateInDbx
                | Self::TbsInDbx
                | Self::SignerUnreadable
                | Self::TableMalformed
        )
    }
}
