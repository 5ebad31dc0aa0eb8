//! The signing agent, as operations see it: it holds keys, reads what is to be signed in full, and signs what its policy admits.
//!
//! Operations reach it through the [`Context`](crate::Context): a door lends them an [`Agent`], or none. What it answers is verified before it
//! is used.

mod asked;
mod error;
mod shown;

use std::path::PathBuf;

use touchstone_measure::policy::PcrSignatures;
use touchstone_measure::{Bank, PhasePath};

pub(crate) use asked::AskedAgent;
pub use error::AgentError;
pub(crate) use shown::{Progress, Shown};
pub use shown::{ShownImage, StorePart};

use crate::signing_key::SignatureDigest;

/// Asks a signing agent.
pub trait Agent: Sync {
    /// The public half of a key: of one for images its certificate and the chain behind it in PEM, of one for PCR values the key in PEM, of a Nix
    /// key `name:base64`.
    ///
    /// # Errors
    /// [`AgentError`].
    fn public_half(&self, key: &AgentKey) -> Result<Vec<u8>, AgentError>;

    /// The Authenticode signature of an image, of which it sees each byte, by itself in its store or because it is shown it: what stands in the image's certificate table.
    ///
    /// # Errors
    /// [`AgentError`].
    fn authenticode(
        &self,
        key: &AgentKey,
        digest: SignatureDigest,
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, AgentError>;

    /// Signatures of a UKI's PCR 11 values, for each of its profiles. What its `.pcrsig` hold does not matter.
    ///
    /// # Errors
    /// [`AgentError`].
    fn pcr_policy(
        &self,
        key: &AgentKey,
        ask: &PcrValuesAsked<'_>,
        uki: &ShownImage<'_>,
    ) -> Result<Vec<PcrSignatures>, AgentError>;

    /// The manifest with signatures by the key.
    ///
    /// # Errors
    /// [`AgentError`].
    fn manifest(&self, key: &AgentKey, manifest: &[u8]) -> Result<Vec<u8>, AgentError>;
}

/// Which values of PCR 11 are to be signed.
#[derive(Clone, Copy, Debug)]
pub struct PcrValuesAsked<'a> {
    /// In which banks.
    pub banks: &'a [Bank],
    /// At the end of which phase paths.
    pub phases: &'a [PhasePath],
    /// The policy reference.
    pub reference: Option<&'a str>,
}

/// A key that an agent holds: `agent:NAME`, or `agent:NAME?socket=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKey {
    /// Its name in the agent's policy.
    pub name: String,
    /// The agent's socket, where it is not at its usual place.
    pub socket: Option<PathBuf>,
}

const SCHEME: &str = "agent:";
const SOCKET: &str = "socket=";

impl AgentKey {
    /// The key that a text names; nothing where it names none of an agent.
    ///
    /// # Errors
    /// [`AgentError::Name`] where the text begins with `agent:` and is none.
    pub fn parse(text: &str) -> Option<Result<Self, AgentError>> {
        Some(Self::parse_name(text.strip_prefix(SCHEME)?))
    }

    fn parse_name(text: &str) -> Result<Self, AgentError> {
        let (name, rest) = match text.split_once('?') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest)),
        };
        if name.is_empty() {
            return Err(AgentError::Name("it names no key".to_owned()));
        }
        let socket = rest.map(|rest| match rest.strip_prefix(SOCKET) {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            Some(_) => Err(AgentError::Name(
                "its socket is no absolute path".to_owned(),
            )),
            None => Err(AgentError::Name(format!(
                "behind `?` stands something other than `{SOCKET}`"
            ))),
        });
        Ok(Self {
            name: name.to_owned(),
            socket: socket.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_the_policys_name_and_perhaps_a_socket() {
        let key = |name: &str, socket: Option<&str>| AgentKey {
            name: name.to_owned(),
            socket: socket.map(PathBuf::from),
        };
        let parsed = |text: &str| AgentKey::parse(text).unwrap().unwrap();
        assert_eq!(parsed("agent:db"), key("db", None));
        assert_eq!(
            parsed("agent:db?socket=/run/a?b"),
            key("db", Some("/run/a?b"))
        );
        for other in ["db.key", "/keys/agent:db", "pkcs11:token=a", "agent"] {
            assert!(AgentKey::parse(other).is_none(), "{other}");
        }
        for wrong in [
            "agent:",
            "agent:?socket=/a",
            "agent:db?",
            "agent:db?socket=",
            "agent:db?socket=a",
            "agent:db?pin=1",
        ] {
            let refused = AgentKey::parse(wrong).unwrap();
            assert!(matches!(refused, Err(AgentError::Name(_))), "{wrong}");
        }
    }
}
