//! Signatures of PCR 11 values by an agent.
//!
//! An agent signs no value that it is told: it is shown the UKI, whose `.pcrsig` are blank, and answers the signatures of all that it measures.
//! Then the image is written once more, and each signature is found by what it signs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use touchstone_measure::policy::{policy_ref, to_be_signed};
use touchstone_sign::{Fault, Hash, PublicKey, SignError, Signer};

use super::key::read_public;
use super::pcrsig::PcrSigningKey;
use super::sign::AskSignatures;
use crate::agent::{AskedAgent, PcrValuesAsked, ShownImage};
use crate::{Context, Error};

/// An agent in the place of a key.
pub(super) struct AgentSigner {
    public: PublicKey,
    answered: AgentSignatures,
}

/// What an agent answered, by what is signed.
#[derive(Clone)]
pub(super) struct AgentSignatures {
    /// The key, as the request names it.
    key: String,
    signatures: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl AgentSigner {
    /// The agent that holds the key; none where it is no agent's.
    ///
    /// # Errors
    /// [`Error::Agent`], [`Error::Request`] where it is not the only one that is named; [`Error::Open`] and [`Error::SignatureData`] of the public key.
    pub(super) fn find(key: &PcrSigningKey, context: &Context<'_>) -> Result<Option<Self>, Error> {
        let named = key.key.as_deref().unwrap_or_default();
        let Some(agent) = AskedAgent::of(named, context)? else {
            return Ok(None);
        };
        if key.signatures.is_some() || key.passphrase_file.is_some() {
            return Err(Error::Request {
                fact: "a key of `pcrSign` that an agent holds has neither `signatures` nor `passphraseFile`".to_owned(),
                help: "name it by `key`, and its public half by `publicKey`",
            });
        }
        let public = match &key.public_key {
            Some(file) => read_public(context.files, file)?,
            None => agent.pcr_public_key()?,
        };
        Ok(Some(Self {
            public,
            answered: AgentSignatures {
                key: named.to_owned(),
                signatures: Arc::default(),
            },
        }))
    }

    /// What the agent answers.
    pub(super) fn signatures(&self) -> AgentSignatures {
        self.answered.clone()
    }
}

impl AgentSignatures {
    /// Shows the agent a UKI.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(super) fn ask(
        &self,
        ask: &AskSignatures<'_>,
        public: &PublicKey,
        uki: &ShownImage<'_>,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let Some(agent) = AskedAgent::of(&self.key, context)? else {
            return Ok(());
        };
        let asked = PcrValuesAsked {
            banks: &ask.banks,
            phases: &ask.phases,
            reference: ask.reference,
        };
        let signed = agent.pcr_signatures(&asked, public, uki)?;
        let reference = policy_ref(ask.reference);
        let signatures = signed.into_iter().filter_map(|signed| {
            let signature = BASE64.decode(signed.sig?.as_bytes()).ok()?;
            Some((to_be_signed(&signed.pol, &reference), signature))
        });
        let answered = self.signatures.lock();
        answered
            .unwrap_or_else(PoisonError::into_inner)
            .extend(signatures);
        Ok(())
    }
}

impl Signer for AgentSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, _hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signatures = &self.answered.signatures;
        let signatures = signatures.lock().unwrap_or_else(PoisonError::into_inner);
        let found = signatures.get(message).cloned();
        found.ok_or_else(|| SignError::Holder {
            signer: self.describe(),
            fault: Fault::Failed,
            what:
                "its answer has no signature of a value that this image has: it measures otherwise"
                    .to_owned(),
        })
    }

    fn describe(&self) -> String {
        format!("the signing agent, by {}", self.answered.key)
    }
}
