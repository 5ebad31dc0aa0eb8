//! What the pre-build hook asks, and people who grant.

use std::path::{Path, PathBuf};

use touchstone_artifacts::agent::AgentError;

use super::connection::unasked;
use super::wire::{Answered, Payload, Wire};
use crate::identity::Derivation;
use crate::protocol::{AgentStatus, ControlRequest, Done, SMALL_LIMIT};

/// A connection to an agent's control socket.
pub struct Control(Wire);

impl Control {
    /// Connects to the control socket at `socket`.
    ///
    /// # Errors
    /// [`AgentError::NoSocket`], [`AgentError::Connection`].
    pub fn open(socket: &Path) -> Result<Self, AgentError> {
        Wire::open(socket).map(Self)
    }

    /// A socket for the build of this derivation.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn offer(&mut self, derivation: &Derivation) -> Result<PathBuf, AgentError> {
        let derivation = derivation.clone();
        match self.ask(&ControlRequest::Offer { derivation })?.done {
            Done::Offer { socket } if is_plain(&socket) => Ok(socket.into()),
            Done::Offer { socket } => Err(AgentError::WrongAnswer(format!(
                "{socket:?} is no absolute path that Nix can be told"
            ))),
            other => Err(unasked(&other)),
        }
    }

    /// Lets a derivation have what rules with `requesters` give.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn grant(&mut self, derivation: &Derivation) -> Result<(), AgentError> {
        let derivation = derivation.clone();
        match self.ask(&ControlRequest::Grant { derivation })?.done {
            Done::Grant {} => Ok(()),
            other => Err(unasked(&other)),
        }
    }

    /// Takes it back.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn revoke(&mut self, derivation: &Derivation) -> Result<(), AgentError> {
        let derivation = derivation.clone();
        match self.ask(&ControlRequest::Revoke { derivation })?.done {
            Done::Revoke {} => Ok(()),
            other => Err(unasked(&other)),
        }
    }

    /// What the agent has open.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn status(&mut self) -> Result<AgentStatus, AgentError> {
        let answer = self.ask(&ControlRequest::Status {})?;
        let Done::Status {} = answer.done else {
            return Err(unasked(&answer.done));
        };
        serde_json::from_slice(&answer.payload)
            .map_err(|error| AgentError::WrongAnswer(format!("it is no status: {error}")))
    }

    fn ask(&mut self, request: &ControlRequest) -> Result<Answered, AgentError> {
        self.0.ask(request, Payload::Nothing, SMALL_LIMIT)
    }
}

/// Whether a path can stand in a line behind `=`, as Nix reads what a hook prints.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.contains(|at: char| at == '=' || at.is_whitespace())
}
