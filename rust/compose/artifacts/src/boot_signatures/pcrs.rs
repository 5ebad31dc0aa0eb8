//! What is to be signed of the values of PCR 11 that a folder of boot artifacts gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::policy::{check_reference, policy_ref, to_be_signed};
use touchstone_measure::{Bank, MeasuredUki, PhasePath, measure_uki};

use crate::firmware::boot_path;
use crate::output::STAGED;
use crate::policy::{AskSignatures, NoPolicy, PCR_DATA, PolicyError, named, public_section};
use crate::source::open_image;
use crate::{Error, Files, output};

/// Which signatures of PCR 11 are wanted: as a key of `pcrSign` in `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestedPcrs {
    /// The public half of the key that will sign, in PEM or DER, or a certificate of it: the UKIs' `.pcrpkey`.
    pub public_key: PathBuf,
    /// The banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
    /// The phase paths; all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// The policy reference, for systemd 262 and later.
    pub policy_ref: Option<String>,
}

/// One file to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedPolicy {
    /// The file in the folder.
    pub file: String,
    /// The UKIs that give such values, as `boot.json` names them.
    pub images: Vec<String>,
}

impl RequestedPcrs {
    /// Writes what is to be signed of these images (their names, and where they are) into `folder`.
    ///
    /// # Errors
    /// [`Error::Policy`], [`Error::Request`] of a UKI that has another `.pcrpkey` or none, and what reading the files returns.
    pub(super) fn write(
        &self,
        files: &dyn Files,
        images: &[(&str, PathBuf)],
        folder: &Path,
    ) -> Result<Vec<RequestedPolicy>, Error> {
        let reference = self.policy_ref.as_deref();
        let wrong = |source: PolicyError| refused(&self.public_key, source);
        reference.map_or(Ok(()), check_reference).map_err(wrong)?;
        let key = public_section(files, &self.public_key)?;
        let ask = AskSignatures::new(&self.phases, &self.banks, reference);
        let mut policies: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, path) in images {
            let uki = measured(files, path, &ask.banks)?;
            if uki.text(".pcrpkey") != Some(&key) {
                return Err(Error::Request {
                    fact: format!(
                        "the UKI {name} does not have this public key as its section .pcrpkey"
                    ),
                    help: "build the artifacts with `pcrpkey`, the same file: PCR 11 depends on it",
                });
            }
            for message in messages(&uki, path, &ask)? {
                let file = named(&message, PCR_DATA);
                output::bytes(&STAGED, &folder.join(&file), &message)?;
                let of = policies.entry(file).or_default();
                if !of.iter().any(|known| known == name) {
                    of.push((*name).to_owned());
                }
            }
        }
        let policies = policies.into_iter();
        Ok(policies
            .map(|(file, images)| RequestedPolicy { file, images })
            .collect())
    }
}

fn measured(files: &dyn Files, path: &Path, banks: &[Bank]) -> Result<MeasuredUki, Error> {
    let (mut file, image) = open_image(files, "UKI", path)?;
    measure_uki(&image, &mut file, banks).map_err(|source| boot_path("UKI", path, source))
}

/// What is to be signed for each profile, in each bank, at each moment.
fn messages(
    uki: &MeasuredUki,
    path: &Path,
    ask: &AskSignatures<'_>,
) -> Result<Vec<Vec<u8>>, Error> {
    let reference = policy_ref(ask.reference);
    let mut messages = Vec::new();
    for profile in 0..uki.profiles() {
        let policies = ask.policies(|bank, phase| uki.pcr11_of(profile, bank, phase));
        let policies = policies.map_err(|source| refused(path, source))?;
        let policies = policies.iter();
        messages.extend(policies.map(|(_, policy)| to_be_signed(policy, &reference)));
    }
    Ok(messages)
}

fn refused(file: &Path, source: PolicyError) -> Error {
    Error::Policy {
        file: Some(file.to_owned()),
        source: NoPolicy::Policy(source),
    }
}
