//! Signatures that renew a policy: `.pcrsig`, as systemd writes and reads it.

use std::collections::BTreeMap;
use std::io;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;
use touchstone_sign::{Hash, PublicKey, SignError, Signer};

use super::{PolicyDigest, PolicyError};
use crate::bank::{Bank, Digest};

/// PCR bank → signed policies: the JSON object that `systemd-measure sign` prints and that stubs hand to the initrd as
/// `tpm2-pcr-signature.json`.
///
/// The bank is that of the registers; the policies themselves are of SHA-256 in every bank.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PcrSignatures(pub BTreeMap<Bank, Vec<SignedDigest>>);

/// A policy with a signature, or with the bytes that are to be signed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedDigest {
    /// The registers of the policy.
    pub pcrs: Vec<u32>,
    /// Whose signature: [`fingerprint`], in hex.
    pub pkfp: String,
    /// The text of the policy reference (systemd 262; older ones know none).
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The policy: PolicyPCR of the registers' values.
    pub pol: PolicyDigest,
    /// What is to be signed, in hex, where it is signed elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tbs: Option<String>,
    /// The signature, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
}

/// How a policy is vouched for.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// By a signature of this key.
    Signed(&'a dyn Signer),
    /// By one that is made elsewhere with the private half of this key.
    Elsewhere(&'a PublicKey),
}

impl Proof<'_> {
    /// The key's public half.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Proof::Signed(signer) => signer.public_key(),
            Proof::Elsewhere(key) => key,
        }
    }
}

/// `pkfp`: SHA-256 of the key in DER, an RSAPublicKey (PKCS#1) or a point, without the SubjectPublicKeyInfo around it.
///
/// # Errors
/// [`SignError::Encode`].
pub fn fingerprint(key: &PublicKey) -> Result<Digest, SignError> {
    Ok(Bank::Sha256.hash(&key.to_inner_bytes()?))
}

/// `policyRef` of a reference's text, as systemd 262 has it: SHA-256 of the text; no byte without one.
pub fn policy_ref(text: Option<&str>) -> Vec<u8> {
    text.map(|text| Bank::Sha256.hash(text.as_bytes()).as_bytes().to_vec())
        .unwrap_or_default()
}

/// What a key signs to let this policy pass for its own: `approvedPolicy ‖ policyRef`, hashed by the signer with SHA-256
/// (part 3, section 23.16: `aHash`, with the hash of the key's name).
pub fn to_be_signed(policy: &PolicyDigest, policy_ref: &[u8]) -> Vec<u8> {
    [policy.digest().as_bytes(), policy_ref].concat()
}

impl SignedDigest {
    /// Vouches for the policy `pol` over `pcrs`. A signature that was made is verified before it is given out.
    ///
    /// # Errors
    /// The signer's own, or [`SignError::WrongSignature`].
    pub fn new(
        pcrs: Vec<u32>,
        pol: PolicyDigest,
        reference: Option<&str>,
        proof: Proof<'_>,
    ) -> Result<SignedDigest, SignError> {
        let message = to_be_signed(&pol, &policy_ref(reference));
        let (tbs, sig) = match proof {
            Proof::Elsewhere(_) => (Some(HEXLOWER.encode(&message)), None),
            Proof::Signed(signer) => {
                let signature = signer.sign(Hash::Sha256, &message)?;
                if !signer
                    .public_key()
                    .verify(Hash::Sha256, &message, &signature)
                {
                    return Err(SignError::WrongSignature {
                        signer: signer.describe(),
                    });
                }
                (None, Some(BASE64.encode(&signature)))
            }
        };
        Ok(SignedDigest {
            pcrs,
            pkfp: fingerprint(proof.public_key())?.to_string(),
            reference: reference.map(str::to_owned),
            pol,
            tbs,
            sig,
        })
    }

    /// Whether the signature is this key's over this policy and reference; no as well when there is none.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        let message = to_be_signed(&self.pol, &policy_ref(self.reference.as_deref()));
        let signature = self.sig.as_ref().map(|sig| BASE64.decode(sig.as_bytes()));
        let fits = fingerprint(key).is_ok_and(|digest| {
            let pkfp = HEXLOWER_PERMISSIVE.decode(self.pkfp.as_bytes());
            pkfp.is_ok_and(|pkfp| pkfp == digest.as_bytes())
        });
        match signature {
            Some(Ok(signature)) => fits && key.verify(Hash::Sha256, &message, &signature),
            _ => false,
        }
    }
}

impl PcrSignatures {
    /// Reads the JSON of any release.
    ///
    /// # Errors
    /// [`PolicyError::NoSignatures`].
    pub fn parse(json: &[u8]) -> Result<PcrSignatures, PolicyError> {
        serde_json::from_slice(json).map_err(|error| PolicyError::NoSignatures(error.to_string()))
    }

    /// Adds a policy over registers of this bank, unless it is there already.
    pub fn add(&mut self, bank: Bank, signed: SignedDigest) {
        let of_bank = self.0.entry(bank).or_default();
        if !of_bank.contains(&signed) {
            of_bank.push(signed);
        }
    }

    /// All policies, with the bank of their registers.
    pub fn iter<'a>(&'a self) -> impl Iterator<Item = (Bank, &'a SignedDigest)> {
        let all = |(bank, signed): (&'a Bank, &'a Vec<SignedDigest>)| {
            std::iter::repeat(*bank).zip(signed)
        };
        self.0.iter().flat_map(all)
    }

    /// As `systemd-measure sign` prints it: one line without a space, and its end.
    pub fn to_line(&self) -> String {
        self.written(serde_json::ser::CompactFormatter) + "\n"
    }

    /// As `ukify` puts it into `.pcrsig`: a space behind each comma and colon, no end of line.
    pub fn to_section(&self) -> String {
        self.written(Spaced)
    }

    fn written(&self, formatter: impl Formatter) -> String {
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        // Texts and numbers into memory: nothing can fail.
        let _ = self.serialize(&mut serializer);
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// JSON as Python's `json.dumps` writes it.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
    writer.write_all(if first { b"" } else { b", " })
}

/// Whether the text may be a policy reference: what systemd and Python write in the same way.
///
/// # Errors
/// [`PolicyError::Reference`].
pub fn check_reference(text: &str) -> Result<(), PolicyError> {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte);
    match !text.is_empty() && text.bytes().all(printable) {
        true => Ok(()),
        false => Err(PolicyError::Reference),
    }
}
