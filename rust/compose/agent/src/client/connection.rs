//! What builds, installers and people ask.

use std::fs::File;
use std::path::Path;

use touchstone_artifacts::agent::{AgentError, PcrValuesAsked};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::policy::PcrSignatures;

use super::wire::{Payload, Wire};
use crate::protocol::{
    Done, IMAGE_LIMIT, KeyFacts, KeyKind, KeyName, MANIFEST_LIMIT, ProfileSignatures, Request,
    SMALL_LIMIT, VERSION,
};

/// A connection to an agent that signs. What it answers has not been verified.
pub struct Connection(Wire);

impl Connection {
    /// Connects to the agent at `socket`, and looks whether both speak the same version.
    ///
    /// # Errors
    /// [`AgentError::NoSocket`], [`AgentError::Connection`], [`AgentError::Refused`].
    pub fn open(socket: &Path) -> Result<Self, AgentError> {
        let mut connection = Self(Wire::open(socket)?);
        connection.hello()?;
        Ok(connection)
    }

    /// The agent's version, and the keys that it has for us.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn hello(&mut self) -> Result<(String, Vec<KeyFacts>), AgentError> {
        let ask = Request::Hello { version: VERSION };
        match self.0.ask(&ask, Payload::Nothing, 0)?.done {
            Done::Hello {
                version: VERSION,
                agent,
                keys,
            } => Ok((agent, keys)),
            other => Err(unasked(&other)),
        }
    }

    /// What a key signs, and its public half, as [`Request::Key`] says.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn key(&mut self, key: &KeyName) -> Result<(KeyKind, Vec<u8>), AgentError> {
        let ask = Request::Key { key: key.clone() };
        let answer = self.0.ask(&ask, Payload::Nothing, SMALL_LIMIT)?;
        match answer.done {
            Done::Key { kind } => Ok((kind, answer.payload)),
            other => Err(unasked(&other)),
        }
    }

    /// The signature of an image.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn authenticode(
        &mut self,
        key: &KeyName,
        hash: SignatureDigest,
        image: &mut File,
    ) -> Result<Vec<u8>, AgentError> {
        check_size(image, IMAGE_LIMIT)?;
        let key = key.clone();
        let ask = Request::Authenticode { key, hash };
        let answer = self.0.ask(&ask, Payload::File(image), SMALL_LIMIT)?;
        match answer.done {
            Done::Authenticode {} => Ok(answer.payload),
            other => Err(unasked(&other)),
        }
    }

    /// The signatures of a UKI's PCR 11 values, for each of its profiles.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn pcr_policy(
        &mut self,
        key: &KeyName,
        values: &PcrValuesAsked<'_>,
        uki: &mut File,
    ) -> Result<Vec<PcrSignatures>, AgentError> {
        check_size(uki, IMAGE_LIMIT)?;
        let ask = Request::PcrPolicy {
            key: key.clone(),
            banks: values.banks.to_vec(),
            phases: values.phases.to_vec(),
            policy_ref: values.reference.map(str::to_owned),
        };
        let answer = self.0.ask(&ask, Payload::File(uki), SMALL_LIMIT)?;
        match answer.done {
            Done::PcrPolicy {} => profiles(&answer.payload),
            other => Err(unasked(&other)),
        }
    }

    /// The manifest, signed.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn manifest(&mut self, key: &KeyName, manifest: &[u8]) -> Result<Vec<u8>, AgentError> {
        fits(manifest.len() as u64, MANIFEST_LIMIT)?;
        let ask = Request::Manifest { key: key.clone() };
        let payload = Payload::Bytes(manifest);
        let answer = self.0.ask(&ask, payload, MANIFEST_LIMIT)?;
        match answer.done {
            Done::Manifest {} => Ok(answer.payload),
            other => Err(unasked(&other)),
        }
    }
}

fn profiles(payload: &[u8]) -> Result<Vec<PcrSignatures>, AgentError> {
    let read: Result<Vec<ProfileSignatures>, _> = serde_json::from_slice(payload);
    let read = read.map_err(|error| {
        AgentError::WrongAnswer(format!("it is no list of signatures: {error}"))
    })?;
    Ok(read.into_iter().map(|profile| profile.signatures).collect())
}

fn check_size(file: &File, limit: u64) -> Result<(), AgentError> {
    fits(
        file.metadata().map_err(AgentError::Unreadable)?.len(),
        limit,
    )
}

fn fits(size: u64, limit: u64) -> Result<(), AgentError> {
    match size <= limit {
        true => Ok(()),
        false => Err(AgentError::TooLarge { size, limit }),
    }
}

/// An answer to something else than was asked.
pub(super) fn unasked(done: &Done) -> AgentError {
    AgentError::WrongAnswer(format!("it is the answer to something else: {done:?}"))
}
