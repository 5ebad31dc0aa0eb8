//! Certificates as firmware's OpenSSL sees them.

use const_oid::db::rfc5280::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE, ID_CE_INHIBIT_ANY_POLICY, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS, ID_CE_SUBJECT_ALT_NAME,
};
use der::Decode;
use der::asn1::ObjectIdentifier;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};

use super::digest::{DigestKind, of_signature};
use crate::element;
use crate::public_key::PublicKey;

/// A certificate with its bytes as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// What its issuer signed, header included.
    tbs: Vec<u8>,
    pub(super) parsed: x509_cert::Certificate,
}

/// Netscape's certificate type, critical in Debian's CA.
const NETSCAPE_CERT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");

/// `id-pkix-ocsp-nocheck`
const OCSP_NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");

/// Extensions that OpenSSL knows when they are critical.
const KNOWN: [ObjectIdentifier; 12] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_KEY_USAGE,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_NAME_CONSTRAINTS,
    NETSCAPE_CERT_TYPE,
    OCSP_NO_CHECK,
];

/// Why a certificate that has the right name did not issue another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotIssuer {
    /// It has another name: most certificates.
    OtherName,
    /// It is no certificate authority.
    NoAuthority,
    /// It is of another key, as the identifiers of the keys say.
    OtherKey,
    /// The signature does not verify with its key.
    BadSignature,
}

impl Certificate {
    /// The certificate at the beginning of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let der = element::first(bytes)?.whole;
        let tbs = element::sequence(der)?.first()?.whole.to_vec();
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        Some(Self {
            der: der.to_vec(),
            tbs,
            parsed,
        })
    }

    pub(super) fn subject(&self) -> String {
        crate::certificate::subject(&self.parsed)
    }

    pub(super) fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// The digest by which `dbx` names a certificate without holding it.
    pub(super) fn tbs_digest(&self, kind: DigestKind) -> Vec<u8> {
        kind.digest(&self.tbs)
    }

    pub(super) fn is_elliptic(&self) -> bool {
        matches!(
            PublicKey::of(&self.parsed),
            Ok(PublicKey::P256(_) | PublicKey::P384(_))
        )
    }

    pub(super) fn is_self_issued(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        tbs.issuer() == tbs.subject()
    }

    /// How many intermediate certificates may stand below this one; `None` for any number.
    pub(super) fn path_length(&self) -> Option<usize> {
        let tbs = self.parsed.tbs_certificate();
        let constraints = tbs.get_extension::<BasicConstraints>().ok().flatten();
        constraints
            .and_then(|(_, constraints)| constraints.path_len_constraint)
            .map(usize::from)
    }

    /// A critical extension that nobody understands.
    pub(super) fn unknown_critical_extension(&self) -> Option<ObjectIdentifier> {
        let extensions = self.parsed.tbs_certificate().extensions()?.iter();
        extensions
            .filter(|extension| extension.critical)
            .map(|extension| extension.extn_id)
            .find(|id| !KNOWN.contains(id))
    }

    /// Did this certificate's key sign `other`, as an authority may?
    ///
    /// # Errors
    /// What speaks against it.
    pub(super) fn issued(&self, other: &Self) -> Result<(), NotIssuer> {
        let tbs = other.parsed.tbs_certificate();
        if self.parsed.tbs_certificate().subject() != tbs.issuer() {
            return Err(NotIssuer::OtherName);
        }
        if !self.is_key_named_by(other) {
            return Err(NotIssuer::OtherKey);
        }
        if !self.may_issue() {
            return Err(NotIssuer::NoAuthority);
        }
        self.signed(other)
            .then_some(())
            .ok_or(NotIssuer::BadSignature)
    }

    fn signed(&self, other: &Self) -> bool {
        let algorithm = other.parsed.signature_algorithm();
        let Ok(key) = PublicKey::of(&self.parsed) else {
            return false;
        };
        let kind = of_signature(algorithm.oid, key.kind());
        let signature = other.parsed.signature().as_bytes();
        other.parsed.tbs_certificate().signature() == algorithm
            && kind
                .zip(signature)
                .is_some_and(|(kind, signature)| kind.verifies(&key, &other.tbs, signature))
    }

    /// Where both say which key signed, they must say the same.
    fn is_key_named_by(&self, other: &Self) -> bool {
        let own = self.parsed.tbs_certificate();
        let wanted = other.parsed.tbs_certificate();
        let own = own.get_extension::<SubjectKeyIdentifier>();
        let wanted = wanted.get_extension::<AuthorityKeyIdentifier>();
        match (own, wanted) {
            (Ok(Some((_, own))), Ok(Some((_, wanted)))) => {
                wanted.key_identifier.is_none_or(|wanted| wanted == own.0)
            }
            _ => true,
        }
    }

    /// As OpenSSL sees an authority: basic constraints or, where there are none, an old root of
    /// version 1 or a key usage that allows it.
    fn may_issue(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let usage = match tbs.get_extension::<KeyUsage>() {
            Ok(usage) => usage.map(|(_, usage)| usage.key_cert_sign()),
            Err(_) => Some(false),
        };
        match tbs.get_extension::<BasicConstraints>() {
            _ if usage == Some(false) => false,
            Ok(Some((_, constraints))) => constraints.ca,
            Ok(None) => usage.is_some() || (tbs.version() == Version::V1 && self.is_self_issued()),
            Err(_) => false,
        }
    }
}
