//! The agent of an operation.

use std::path::PathBuf;

use touchstone_artifacts::agent::{Agent, AgentError, AgentKey, PcrValuesAsked, ShownImage};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::policy::PcrSignatures;

use super::Connection;
use crate::protocol::{BUILD_SOCKET, DIRECT_SOCKET, KeyName};

/// Where an agent is looked for that no key names the socket of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The socket that was made for this build, and no other.
    Build,
    /// That of the agent itself; in a build's sandbox, the build's.
    Machine,
}

impl Place {
    fn sockets(self) -> &'static [&'static str] {
        match self {
            Self::Build => &[BUILD_SOCKET],
            Self::Machine => &[BUILD_SOCKET, DIRECT_SOCKET],
        }
    }

    /// The first socket that is there.
    fn find(self) -> Result<PathBuf, AgentError> {
        let mut sockets = self.sockets().iter().map(PathBuf::from);
        let absent = || AgentError::NoSocket {
            sockets: self.sockets().iter().map(PathBuf::from).collect(),
            in_build: self == Self::Build,
        };
        sockets.find(|path| path.exists()).ok_or_else(absent)
    }
}

/// The agent at a place. Each request has a connection of its own: several may be asked at once, each while its image is written.
#[derive(Clone, Copy, Debug)]
pub struct SigningAgent {
    place: Place,
}

impl SigningAgent {
    /// The agent that is at this place.
    pub const fn new(place: Place) -> Self {
        Self { place }
    }

    fn ask<T>(
        &self,
        key: &AgentKey,
        ask: impl FnOnce(&mut Connection, &KeyName) -> Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        let name =
            KeyName::parse(&key.name).map_err(|error| AgentError::Name(error.to_string()))?;
        let socket = match &key.socket {
            Some(socket) => socket.clone(),
            None => self.place.find()?,
        };
        ask(&mut Connection::open(&socket)?, &name)
    }
}

impl Agent for SigningAgent {
    fn public_half(&self, key: &AgentKey) -> Result<Vec<u8>, AgentError> {
        self.ask(key, |agent, name| Ok(agent.key(name)?.1))
    }

    fn authenticode(
        &self,
        key: &AgentKey,
        digest: SignatureDigest,
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, AgentError> {
        self.ask(key, |agent, name| agent.authenticode(name, digest, image))
    }

    fn pcr_policy(
        &self,
        key: &AgentKey,
        ask: &PcrValuesAsked<'_>,
        uki: &ShownImage<'_>,
    ) -> Result<Vec<PcrSignatures>, AgentError> {
        self.ask(key, |agent, name| agent.pcr_policy(name, ask, uki))
    }

    fn manifest(&self, key: &AgentKey, manifest: &[u8]) -> Result<Vec<u8>, AgentError> {
        self.ask(key, |agent, name| agent.manifest(name, manifest))
    }
}
