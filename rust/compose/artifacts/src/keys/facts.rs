//! What an entry of a signature list and a certificate say.

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_sign::auth::EfiTime;
use touchstone_sign::esl::{self, Signature, SignatureList};
use touchstone_sign::keys::is_test_key;
use touchstone_sign::{Certificate, KeyKind, PublicKey, certificate};
use uuid::{Uuid, uuid};

/// Microsoft's owner GUID, beside the entries of theirs.
pub(super) const MICROSOFT: Uuid = uuid!("77fa9abd-0359-4d32-bd60-28f4e78f784b");

/// Owners that are known by name.
const OWNERS: [(Uuid, &str); 5] = [
    (MICROSOFT, "Microsoft"),
    (super::OWNER, "Touchstone"),
    (uuid!("6dc40ae4-2ee8-9c4c-a314-0fc7b2008710"), "Canonical"),
    (
        uuid!("a0baa8a3-041d-48a8-bc87-c36d121b5e3d"),
        "OVMF's EnrollDefaultKeys",
    ),
    (
        uuid!("605dab50-e046-4300-abb6-3dd810dd8b23"),
        "shim (efitools' default)",
    ),
];

/// One entry of a signature list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `x509`, `sha256`, `x509-sha256`, or the GUID of another type.
    #[serde(rename = "type")]
    pub kind: String,
    /// GUID of who put it there; firmware ignores it.
    pub owner: String,
    /// Whose GUID that is, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_name: Option<&'static str>,
    /// What the certificate says, of `x509`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// The digest in hex: of `sha256` the Authenticode digest of an image, of `x509-sha256` that of a certificate's signed part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// From when on the certificate is revoked, of `x509-sha256`; absent when always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_from: Option<String>,
    /// Length of the entry without its owner, in bytes.
    pub size: usize,
    /// What is wrong with the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateFacts {
    /// Whose it is (RFC 4514).
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Serial number, in hex.
    pub serial: String,
    /// Beginning of the validity.
    pub not_before: String,
    /// End of the validity.
    pub not_after: String,
    /// Kind and size of the key, such as `RSA 2048`, or the object identifier of an unknown kind.
    pub key: String,
    /// SHA-256 of the certificate, in hex.
    pub sha256: String,
    /// SHA-256 of the certificate's signed part, by which dbx revokes it, in hex.
    pub tbs_sha256: String,
    /// Whether it is marked as a test key's.
    pub test_key: bool,
}

impl Entry {
    /// All entries, in their order.
    pub(super) fn of(lists: &[SignatureList]) -> Vec<Self> {
        lists
            .iter()
            .flat_map(|list| {
                list.signatures
                    .iter()
                    .map(|entry| Self::of_one(list.kind, entry))
            })
            .collect()
    }

    fn of_one(kind: Uuid, entry: &Signature) -> Self {
        let mut facts = Self {
            kind: kind.to_string(),
            owner: entry.owner.to_string(),
            owner_name: OWNERS
                .iter()
                .find(|(owner, _)| *owner == entry.owner)
                .map(|(_, name)| *name),
            certificate: None,
            digest: None,
            revoked_from: None,
            size: entry.data.len(),
            problem: None,
        };
        match kind {
            esl::X509 => {
                "x509".clone_into(&mut facts.kind);
                match certificate::read(&entry.data) {
                    Ok(certificate) => facts.certificate = CertificateFacts::of(&certificate),
                    Err(error) => facts.problem = Some(error.to_string()),
                }
            }
            esl::SHA256 => {
                "sha256".clone_into(&mut facts.kind);
                facts.digest = Some(crate::hex(&entry.data));
            }
            esl::X509_SHA256 => {
                "x509-sha256".clone_into(&mut facts.kind);
                facts.revocation(&entry.data);
            }
            _ => {}
        }
        facts
    }

    fn revocation(&mut self, data: &[u8]) {
        let parts = data.split_first_chunk::<32>();
        let Some((digest, Ok(from))) =
            parts.map(|(digest, from)| (digest, <[u8; 16]>::try_from(from)))
        else {
            self.problem = Some("it has not the length of a digest and a time".to_owned());
            return;
        };
        self.digest = Some(crate::hex(digest));
        if from == [0; 16] {
            return;
        }
        match EfiTime::from_bytes(from) {
            Some(from) => self.revoked_from = Some(from.to_string()),
            None => self.problem = Some("its time is not in UTC, or finer than seconds".to_owned()),
        }
    }
}

impl CertificateFacts {
    /// What `certificate` says; none when a part of it cannot be encoded, which what was read can.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let tbs = certificate.tbs_certificate();
        let der = certificate::to_der(certificate).ok()?;
        Some(Self {
            subject: certificate::subject(certificate),
            issuer: tbs.issuer().to_string(),
            serial: crate::hex(tbs.serial_number().as_bytes()),
            not_before: tbs.validity().not_before.to_string(),
            not_after: tbs.validity().not_after.to_string(),
            key: key(certificate),
            sha256: crate::hex(&touchstone_sign::Hash::Sha256.digest(&der)),
            tbs_sha256: crate::hex(&certificate::tbs_sha256(certificate).ok()?),
            test_key: is_test_key(certificate),
        })
    }
}

fn key(certificate: &Certificate) -> String {
    match PublicKey::of(certificate) {
        Ok(key) => match key.kind() {
            KeyKind::Rsa => format!("RSA {}", key.bits()),
            KeyKind::P256 => "P-256".to_owned(),
            KeyKind::P384 => "P-384".to_owned(),
        },
        Err(algorithm) => algorithm.to_string(),
    }
}
