//! Whether a build asks for a socket of the agent, and which it gets.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use memchr::memmem;
use touchstone_agent::Derivation;
use touchstone_agent::client::Control;
use touchstone_agent::derivation::{LIMIT, Recipe};
use touchstone_agent::protocol::SYSTEM_FEATURE;
use touchstone_artifacts::agent::AgentError;

use crate::fault::Fault;

/// How long the agent may think: Nix waits for this program, and with it all that its client builds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket for the build of this derivation; none where it does not ask for one.
///
/// # Errors
/// [`Fault`]: it gets none, though it asks, or may ask, for one.
pub fn socket_for(derivation: &OsStr, control: &Path) -> Result<Option<PathBuf>, Fault> {
    let path = derivation.to_string_lossy();
    let bytes = bytes_of(&path, derivation)?;
    if !asks(&path, &bytes)? {
        return Ok(None);
    }
    let derivation = Derivation::parse(&path).map_err(|source| Fault::Path {
        path: path.into_owned(),
        source,
    })?;
    offered(derivation, control).map(Some)
}

/// The derivation's file, and a byte more than is read of the longest.
fn bytes_of(path: &str, derivation: &OsStr) -> Result<Vec<u8>, Fault> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let most = LIMIT as u64 + 1;
        File::open(derivation)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let derivation = path.to_owned();
    read().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Fault::Absent { derivation },
        _ => Fault::Unreadable { derivation, source },
    })
}

/// Whether the derivation requires the system feature. What does not even name it is not read any further: it is some other build.
fn asks(path: &str, bytes: &[u8]) -> Result<bool, Fault> {
    if memmem::find(bytes, SYSTEM_FEATURE.as_bytes()).is_none() {
        return Ok(false);
    }
    let recipe = Recipe::read(bytes).map_err(|source| Fault::Derivation {
        derivation: path.to_owned(),
        source,
    })?;
    let asks = recipe.asks_for_the_agent();
    asks.map_err(|source| Fault::Features {
        derivation: path.to_owned(),
        source,
    })
}

/// The socket that the agent makes.
fn offered(derivation: Derivation, control: &Path) -> Result<PathBuf, Fault> {
    let (tell, told) = mpsc::channel();
    let (asked, at) = (derivation.clone(), control.to_owned());
    thread::spawn(move || tell.send(ask(&at, &asked)));
    let answer = told.recv_timeout(PATIENCE);
    let (derivation, control) = (derivation.path().to_string(), control.to_owned());
    match answer {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(source)) => Err(Fault::Agent {
            derivation,
            control,
            source: Box::new(source),
        }),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Fault::Silent {
            derivation,
            control,
            after: PATIENCE,
        }),
    }
}

fn ask(control: &Path, derivation: &Derivation) -> Result<PathBuf, AgentError> {
    Control::open(control)?.offer(derivation)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A derivation with these attributes, as Nix writes it.
    fn derivation(environment: &str) -> Vec<u8> {
        let out = format!("/nix/store/{}-a", "0".repeat(32));
        format!(
            r#"Derive([("out","{out}","","")],[],[],"x86_64-linux","/bin/a",[],[{environment}])"#
        )
        .into_bytes()
    }

    fn asked(environment: &str) -> Result<bool, Fault> {
        asks("/nix/store/a.drv", &derivation(environment))
    }

    #[test]
    fn a_derivation_asks_by_the_system_feature() {
        for asking in [
            r#"("requiredSystemFeatures","touchstone-agent")"#,
            r#"("requiredSystemFeatures","kvm touchstone-agent")"#,
            r#"("__json","{\"requiredSystemFeatures\":[\"touchstone-agent\"]}")"#,
        ] {
            assert!(asked(asking).unwrap(), "{asking}");
        }
    }

    #[test]
    fn a_derivation_that_only_speaks_of_it_does_not_ask() {
        for other in [
            "",
            r#"("name","touchstone-agent")"#,
            r#"("requiredSystemFeatures","not-touchstone-agent touchstone-agent-not")"#,
            r#"("__json","{\"description\":\"touchstone-agent\"}"),("requiredSystemFeatures","touchstone-agent")"#,
        ] {
            assert!(!asked(other).unwrap(), "{other}");
        }
    }

    #[test]
    fn what_is_not_read_is_none_of_our_builds_unless_it_names_the_feature() {
        for other in [&b""[..], b"Derive(", b"\xff\xff", b"DrvWithVersion(\"xp\")"] {
            assert!(!asks("/nix/store/a.drv", other).unwrap(), "{other:?}");
        }
        let fault = asks("/nix/store/a.drv", b"Derive(touchstone-agent").unwrap_err();
        assert!(matches!(fault, Fault::Derivation { .. }), "{fault}");
        let fault = asked(r#"("__json","{\"requiredSystemFeatures\":\"touchstone-agent\"}")"#);
        assert!(matches!(fault, Err(Fault::Features { .. })), "{fault:?}");
    }
}
