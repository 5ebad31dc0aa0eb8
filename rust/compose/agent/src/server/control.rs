//! What the pre-build hook asks, and people who grant.

use std::path::PathBuf;
use std::time::Instant;

use super::answers::{Reply, not_written, stopping};
use super::builds::{Build, NoSocket};
use super::clock::now;
use super::connection::Connection;
use super::hold;
use super::room::Guest;
use crate::judge::Client;
use crate::log::{Event, Operation, Status};
use crate::protocol::{AgentStatus, ControlRequest, Done, LogStatus, Refusal};
use crate::{Derivation, Identity};

impl Connection {
    /// Answers a request.
    pub(super) fn control(&self, identity: &Identity, asked: ControlRequest) -> Reply {
        match asked {
            ControlRequest::Offer { derivation } => self.offer(identity, derivation),
            ControlRequest::Grant { derivation } => self.grant(identity, derivation),
            ControlRequest::Revoke { derivation } => self.revoke(identity, derivation),
            ControlRequest::Status {} => self.status(identity),
        }
    }

    fn offer(&self, identity: &Identity, derivation: Derivation) -> Reply {
        if !rules(identity) {
            return self.refuse(not_root(), Some(Operation::Offer), None, identity);
        }
        match self.offered(&derivation) {
            Ok((socket, rules)) => {
                let event = Event::Offered {
                    derivation: derivation.clone(),
                    rules,
                };
                self.written(event, Done::Offer { socket }, || {
                    self.agent.builds().close(&derivation);
                })
            }
            Err(refusal) => self.declined(refusal, derivation, identity),
        }
    }

    fn offered(&self, derivation: &Derivation) -> Result<(String, Vec<String>), Refusal> {
        let agent = &self.agent;
        if agent.signing.is_over() {
            return Err(stopping());
        }
        // As they are now, so that nobody waits while the derivation is read: the grant is looked for again when it is counted.
        let grants = agent.grants().clone();
        let admission = agent.judge.offer(derivation, &grants, Instant::now())?;
        let (rules, granted) = (admission.rules(), admission.is_granted());
        let build = Build {
            client: Client::Build(admission).into(),
            derivation: derivation.clone(),
        };
        let path = self.socket(build, granted)?;
        agent.ring();
        match path.into_os_string().into_string() {
            Ok(path) => Ok((path, rules)),
            Err(path) => Err(Refusal::new(
                "agent.socket",
                &format!("the path {} cannot be told to Nix", path.display()),
                "give `--builds` a folder whose path is plain text",
            )),
        }
    }

    /// The socket of a build, whose grant is counted when it has one.
    fn socket(&self, build: Build, granted: bool) -> Result<PathBuf, Refusal> {
        let agent = &self.agent;
        let derivation = build.derivation.clone();
        // Held to the end: whoever revokes takes the grant first, so either it is missed here, or they find the socket.
        let mut builds = agent.builds();
        let is_used = |build: &Derivation| agent.tray.has(&Guest::Build(build.clone()));
        let path = builds
            .offer(build, is_used)
            .map_err(|why| no_socket(&why))?;
        if granted && let Err(refusal) = agent.grants().count(&derivation, Instant::now()) {
            builds.close(&derivation);
            return Err(refusal);
        }
        Ok(path)
    }

    fn grant(&self, identity: &Identity, derivation: Derivation) -> Reply {
        let agent = &self.agent;
        if let Err(refusal) = agent.judge.may_grant(&derivation, identity) {
            return self.declined(refusal, derivation, identity);
        }
        let settings = &agent.policy.document().grants;
        let event = Event::Granted {
            derivation: derivation.clone(),
            by: identity.clone(),
        };
        let _turn = hold(&agent.granting);
        match agent.log.append(event) {
            // Only now: nothing is granted that is not in the log.
            Ok(entry) => {
                let now = Instant::now();
                agent.grants().grant(&derivation, identity, now, settings);
                Reply::done(Done::Grant {}).entry(entry)
            }
            Err(error) => not_written(&error).into(),
        }
    }

    fn revoke(&self, identity: &Identity, derivation: Derivation) -> Reply {
        let agent = &self.agent;
        if let Err(refusal) = self.may_revoke(identity, &derivation) {
            return self.declined(refusal, derivation, identity);
        }
        let turn = hold(&agent.granting);
        let granted = agent.grants().revoke(&derivation);
        let open = agent.builds().close(&derivation);
        agent.tray.end(&Guest::Build(derivation.clone()));
        agent.ring();
        if !granted && !open {
            drop(turn);
            let refusal = Refusal::new(
                "grant.missing",
                &format!("{derivation} has no grant, and its build no socket"),
                "see `touchstone agent status`",
            );
            return self.declined(refusal, derivation, identity);
        }
        let by = identity.clone();
        self.written(Event::Revoked { derivation, by }, Done::Revoke {}, || ())
    }

    /// Whoever may grant; and root, whatever has become of the derivation.
    fn may_revoke(&self, identity: &Identity, derivation: &Derivation) -> Result<(), Refusal> {
        match rules(identity) {
            true => Ok(()),
            false => self.agent.judge.may_grant(derivation, identity),
        }
    }

    fn status(&self, identity: &Identity) -> Reply {
        if !rules(identity) {
            return self.refuse(not_root(), Some(Operation::Status), None, identity);
        }
        let agent = &self.agent;
        let log = agent.log.status();
        let status = AgentStatus {
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            since: agent.since,
            keys: agent.keyring.facts().collect(),
            sockets: agent.builds().status(),
            grants: agent.grants().pending(Instant::now(), now()),
            connections: agent.room.connections().into(),
            entry: log.last.0,
            log: log_status(log),
        };
        match serde_json::to_vec(&status) {
            Ok(payload) => Reply::with(Done::Status {}, payload),
            Err(error) => {
                let what = format!("the status is no JSON: {error}");
                Refusal::new("agent.system", &what, "report this with the message").into()
            }
        }
    }

    /// Done and written down; what cannot be written down is undone.
    fn written(&self, event: Event, done: Done, undo: impl FnOnce()) -> Reply {
        match self.agent.log.append(event) {
            Ok(entry) => Reply::done(done).entry(entry),
            Err(error) => {
                undo();
                not_written(&error).into()
            }
        }
    }

    fn declined(&self, refusal: Refusal, derivation: Derivation, identity: &Identity) -> Reply {
        // Root asks for whoever builds: if its hook waited, so would the builds of others, whose places it has.
        if !rules(identity) {
            let agent = &self.agent;
            agent.penalties.pay(self.seat.guest(), &agent.signing);
        }
        let event = Event::Declined {
            derivation,
            code: refusal.code.clone(),
            what: refusal.what.clone(),
        };
        self.agent.refused(refusal, event)
    }
}

fn log_status(log: Status) -> LogStatus {
    let exports = log.failing_exports.iter();
    LogStatus {
        name: log.log,
        segment: log.segment,
        without_checkpoint: log.without_checkpoint,
        full: log.full,
        failure: log.failure,
        checkpoint_failure: log.checkpoint_failure,
        failing_exports: exports.map(|folder| folder.display().to_string()).collect(),
    }
}

/// Root, and the user that the agent runs as.
fn rules(identity: &Identity) -> bool {
    let own = rustix::process::geteuid().as_raw();
    matches!(identity, Identity::User { uid, .. } if *uid == 0 || *uid == own)
}

fn not_root() -> Refusal {
    Refusal::new(
        "agent.not-root",
        "only root asks for this, or the user that the agent runs as",
        "let root ask: the pre-build hook does, and sudo",
    )
}

fn no_socket(why: &NoSocket) -> Refusal {
    let help = match why {
        NoSocket::Many(_) => {
            "build again when some of them have their signatures, or raise `limits.builds` of the policy"
        }
        NoSocket::Socket(_) => {
            "see that the folder of builds' sockets is there and the agent's own"
        }
    };
    Refusal::new("agent.socket", &why.to_string(), help)
}
