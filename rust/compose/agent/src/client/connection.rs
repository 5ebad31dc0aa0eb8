//! What builds, installers and people ask.

use std::cmp::Reverse;
use std::path::Path;

use touchstone_artifacts::agent::{AgentError, PcrValuesAsked, ShownImage, StorePart};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::policy::PcrSignatures;

use super::wire::{Answered, Payload, Wire};
use crate::protocol::{
    Done, IMAGE_LIMIT, KeyFacts, KeyKind, KeyName, MANIFEST_LIMIT, PARTS_LIMIT, ProfileSignatures,
    Request, SMALL_LIMIT, VERSION,
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

    /// Over a connection whose peer speaks our version.
    #[cfg(test)]
    pub(super) fn over(wire: Wire) -> Self {
        Self(wire)
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
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, AgentError> {
        let answer = self.show(image, |from_store| Request::Authenticode {
            key: key.clone(),
            hash,
            from_store,
        })?;
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
        uki: &ShownImage<'_>,
    ) -> Result<Vec<PcrSignatures>, AgentError> {
        let answer = self.show(uki, |from_store| Request::PcrPolicy {
            key: key.clone(),
            banks: values.banks.to_vec(),
            phases: values.phases.to_vec(),
            policy_ref: values.reference.map(str::to_owned),
            from_store,
        })?;
        match answer.done {
            Done::PcrPolicy {} => profiles(&answer.payload),
            other => Err(unasked(&other)),
        }
    }

    /// Shows an image: without what the agent may find in its store, and where it does not, whole.
    fn show(
        &mut self,
        image: &ShownImage<'_>,
        ask: impl Fn(Vec<StorePart>) -> Request,
    ) -> Result<Answered, AgentError> {
        fits(image.size(), IMAGE_LIMIT)?;
        let parts = largest(image.parts());
        if !parts.is_empty() {
            let payload = Payload::Image(image, &parts);
            let answer = self.0.ask(&ask(parts.clone()), payload, SMALL_LIMIT)?;
            if !matches!(answer.done, Done::SendWhole {}) {
                return Ok(answer);
            }
        }
        let payload = Payload::Image(image, &[]);
        self.0.ask(&ask(Vec::new()), payload, SMALL_LIMIT)
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

/// As many of the parts as one image may have, by their places.
fn largest(parts: &[StorePart]) -> Vec<StorePart> {
    let mut parts = parts.to_vec();
    parts.sort_by_key(|part| Reverse(part.size));
    parts.truncate(PARTS_LIMIT);
    parts.sort_by_key(|part| part.at);
    parts
}

fn profiles(payload: &[u8]) -> Result<Vec<PcrSignatures>, AgentError> {
    let read: Result<Vec<ProfileSignatures>, _> = serde_json::from_slice(payload);
    let read = read.map_err(|error| {
        AgentError::WrongAnswer(format!("it is no list of signatures: {error}"))
    })?;
    Ok(read.into_iter().map(|profile| profile.signatures).collect())
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
