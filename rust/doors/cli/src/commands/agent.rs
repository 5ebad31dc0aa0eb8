//! `touchstone agent`.

use touchstone_operations::Failure;

use super::{Verdict, agent_log};
use crate::arguments::Agent;

/// What has to do with the signing agent.
///
/// # Errors
/// [`Failure`].
pub fn run(agent: Agent) -> Result<Verdict, Failure> {
    match agent {
        Agent::Log(words) => agent_log::run(words),
    }
}
