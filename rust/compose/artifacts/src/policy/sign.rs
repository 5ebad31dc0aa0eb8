//! `policy.sign`: policies that a key vouches for, so that what was sealed once opens for generations to come.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::policy::{
    KeyName, PcrPolicy, PcrSignatures, PcrValues, PolicyDigest, PolicyError, Proof, SignedDigest,
    check_reference, policy_ref,
};
use touchstone_measure::{Bank, BootPathError, Digest, PhasePath, measure_uki};
use touchstone_sign::{PublicKey, SignError};

use super::key::read_public;
use super::{PolicyKey, read_json, refused};
use crate::predict::NoPrediction;
use crate::source::open_image;
use crate::{Context, Error, Files, output};

/// The request of `policy.sign`. One of `policy` and `uki`; one of `sign` and `publicKey`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignPolicy {
    /// The answer of `policy.create`: each of its branches is signed.
    pub policy: Option<PathBuf>,
    /// A unified kernel image: its values of PCR 11 are signed, at the end of each phase path and in each bank, as `systemd-measure sign`
    /// does.
    pub uki: Option<PathBuf>,
    /// With `uki`: the phase paths; all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// With `uki`: the banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
    /// The key that signs.
    pub sign: Option<PolicyKey>,
    /// The public half of a key that signs elsewhere, in PEM or DER, or a certificate of it: the answer has what is to be signed.
    pub public_key: Option<PathBuf>,
    /// The policy reference: signatures hold for objects that were sealed with the same only. systemd knows it from release 262 on.
    pub policy_ref: Option<String>,
    /// Where the signatures are written as well, in the bytes of `systemd-measure sign`: what `.pcrsig` and
    /// `tpm2-pcr-signature.json` hold.
    pub output: Option<PathBuf>,
}

/// The answer of `policy.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedPolicy {
    /// The signatures, or what is to be signed (`tbs`), by bank.
    pub signatures: PcrSignatures,
    /// The public key in PEM: what `.pcrpkey` and `tpm2-pcr-public-key.pem` hold.
    pub public_key: String,
    /// The key's `TPMT_PUBLIC`, in hex.
    pub public_area: String,
    /// The key's Name, in hex.
    pub key_name: String,
    /// `policyRef`, in hex; empty without a reference.
    pub policy_ref: String,
    /// The policy to which something is sealed that any of these signatures opens: PolicyAuthorize of key and reference, in SHA-256.
    pub policy: PolicyDigest,
}

impl SignPolicy {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Policy`], [`Error::Request`], and what opening key and files refuses. Nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<SignedPolicy, Error> {
        context.progress.phase("signing the policy");
        let by_no_file = |source: PolicyError| refused(None, source);
        let reference = self.policy_ref.as_deref();
        reference
            .map_or(Ok(()), check_reference)
            .map_err(by_no_file)?;
        let (signer, elsewhere) = match (&self.sign, &self.public_key) {
            (Some(key), None) => (Some(key.open(context)?), None),
            (None, Some(file)) => (None, Some(read_public(context.files, file)?)),
            _ => return Err(one_of("`sign` and `publicKey`")),
        };
        let proof = match (&signer, &elsewhere) {
            (Some(signer), _) => Proof::Signed(&**signer),
            (None, Some(key)) => Proof::Elsewhere(key),
            (None, None) => return Err(one_of("`sign` and `publicKey`")),
        };
        let name = KeyName::of(proof.public_key()).map_err(by_no_file)?;
        let sealed_to = PolicyDigest::authorize(Bank::Sha256, &name, &policy_ref(reference))
            .map_err(by_no_file)?;
        let (subject, signatures) = match (&self.policy, &self.uki) {
            (Some(policy), None) if self.phases.is_empty() && self.banks.is_empty() => (
                policy,
                sign_branches(context.files, policy, reference, proof)?,
            ),
            (None, Some(uki)) => (uki, self.sign_uki(context.files, uki, proof)?),
            _ => return Err(one_of("`policy` (without phases and banks) and `uki`")),
        };
        if let Some(path) = &self.output {
            output::bytes(context.files, path, signatures.to_line().as_bytes())?;
        }
        Ok(SignedPolicy {
            signatures,
            public_key: proof
                .public_key()
                .to_pem()
                .map_err(|source| signing_failed(subject, source))?,
            public_area: crate::hex(name.public_area()),
            key_name: crate::hex(name.as_bytes()),
            policy_ref: crate::hex(&policy_ref(reference)),
            policy: sealed_to,
        })
    }

    fn sign_uki(
        &self,
        files: &dyn Files,
        uki: &Path,
        proof: Proof<'_>,
    ) -> Result<PcrSignatures, Error> {
        if !matches!(proof.public_key(), PublicKey::Rsa(_)) {
            return Err(refused(None, PolicyError::NotRsa));
        }
        let ask = AskSignatures::new(&self.phases, &self.banks, self.policy_ref.as_deref());
        let (mut file, image) = open_image(files, "UKI", uki)?;
        let measured = measure_uki(&image, &mut file, &ask.banks)
            .and_then(|uki| Ok(uki.sole()?))
            .map_err(|source| refused_uki(uki, source))?;
        let mut signatures = PcrSignatures::default();
        ask.sign(
            &mut signatures,
            |bank, phase| measured.pcr11(bank, phase),
            proof,
        )
        .map_err(|source| source.of(uki))?;
        Ok(signatures)
    }
}

/// Signs each branch of a policy that was created before.
fn sign_branches(
    files: &dyn Files,
    file: &Path,
    reference: Option<&str>,
    proof: Proof<'_>,
) -> Result<PcrSignatures, Error> {
    let policy: PcrPolicy = read_json(files, "policy", file)?;
    let wrong = |source: PolicyError| refused(Some(file), source);
    policy.check().map_err(wrong)?;
    if policy.hash != Bank::Sha256 {
        return Err(wrong(PolicyError::SignedHash(policy.hash)));
    }
    let mut signatures = PcrSignatures::default();
    for branch in &policy.branches {
        let signed = SignedDigest::new(policy.pcrs.clone(), branch.policy_pcr, reference, proof)
            .map_err(|source| signing_failed(file, source))?;
        signatures.add(policy.bank, signed);
    }
    Ok(signatures)
}

/// Which signatures of PCR 11 are wanted.
pub(crate) struct AskSignatures<'a> {
    pub(crate) phases: Vec<PhasePath>,
    pub(crate) banks: Vec<Bank>,
    pub(crate) reference: Option<&'a str>,
}

impl<'a> AskSignatures<'a> {
    /// In the order of systemd-measure: banks by size, phase paths by their bytes, without repetitions.
    pub(crate) fn new(phases: &[PhasePath], banks: &[Bank], reference: Option<&'a str>) -> Self {
        let banks: BTreeSet<Bank> = match banks {
            [] => BTreeSet::from([Bank::Sha256]),
            banks => banks.iter().copied().collect(),
        };
        let mut phases = match phases {
            [] => PhasePath::standard(),
            phases => phases.to_vec(),
        };
        phases.sort_by_key(PhasePath::to_string);
        phases.dedup();
        AskSignatures {
            phases,
            banks: banks.into_iter().collect(),
            reference,
        }
    }

    /// The policies over these values of PCR 11, each with its bank.
    ///
    /// # Errors
    /// [`PolicyError::NoValue`].
    pub(crate) fn policies(
        &self,
        value: impl Fn(Bank, &PhasePath) -> Option<Digest>,
    ) -> Result<Vec<(Bank, PolicyDigest)>, PolicyError> {
        let mut policies = Vec::new();
        for bank in &self.banks {
            for phase in &self.phases {
                let value = value(*bank, phase).ok_or(PolicyError::NoValue {
                    bank: *bank,
                    pcr: 11,
                })?;
                let values = PcrValues::of_bank(*bank, &[(11, value)].into())?;
                policies.push((*bank, PolicyDigest::start(Bank::Sha256)?.pcr(&values)));
            }
        }
        Ok(policies)
    }

    /// Adds the signatures of these values of PCR 11.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub(crate) fn sign(
        &self,
        signatures: &mut PcrSignatures,
        value: impl Fn(Bank, &PhasePath) -> Option<Digest>,
        proof: Proof<'_>,
    ) -> Result<(), NotSigned> {
        for (bank, pol) in self.policies(value)? {
            let signed = SignedDigest::new(vec![11], pol, self.reference, proof)?;
            signatures.add(bank, signed);
        }
        Ok(())
    }
}

/// Why a value was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSigned {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl NotSigned {
    /// The refusal, about this file.
    pub(crate) fn of(self, file: &Path) -> Error {
        match self {
            NotSigned::Policy(source) => refused(Some(file), source),
            NotSigned::Sign(source) => signing_failed(file, source),
        }
    }
}

fn refused_uki(file: &Path, source: impl Into<BootPathError>) -> Error {
    Error::Predict {
        file: Some(file.to_owned()),
        source: NoPrediction::BootPath(source.into()),
    }
}

fn signing_failed(file: &Path, source: SignError) -> Error {
    Error::Sign {
        file: file.to_owned(),
        source,
    }
}

fn one_of(what: &'static str) -> Error {
    Error::Request {
        fact: format!("exactly one of {what} is wanted"),
        help: "compare the request with `touchstone schema policy.sign`",
    }
}
