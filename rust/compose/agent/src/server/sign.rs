//! What is signed: judged first, then signed, then written down, and only then given out.

use std::panic::resume_unwind;
use std::thread;

use super::answers::{Reply, not_written, unasked};
use super::connection::Connection;
use super::requests::{Failed, named};
use super::spool::{self, BLOCK, NotReceived};
use super::timed::Timed;
use crate::Identity;
use crate::judge::{ApprovedImage, ApprovedManifest, ApprovedPolicies, Client, Judge};
use crate::keyring::{Keyring, NotSigned};
use crate::log::{Digest, Signed, Subject};
use crate::payload::{Composed, Payload};
use crate::protocol::{Done, Refusal, Request};

/// What the judge lets pass.
enum Approved {
    Image(ApprovedImage),
    Policies(ApprovedPolicies),
    Manifest(ApprovedManifest),
}

impl Connection {
    /// Answers a request for a signature of the `size` bytes that follow. What is large is judged while it comes in.
    pub(super) fn sign(
        &self,
        client: &Client,
        identity: &Identity,
        asked: &Request,
        size: u64,
    ) -> Result<Reply, Failed> {
        let agent = &self.agent;
        let last = |why| Failed::Last(self.not_received(why));
        let is_large = size > BLOCK as u64 || !asked.from_store().is_empty();
        if is_large {
            // Nobody fills the disk with what nobody would sign, nor has us look for it.
            agent.judge.may_ask(client, asked).map_err(Failed::Last)?;
        }
        let parts = agent.judge.open_parts(client, asked);
        let Some(parts) = parts.map_err(Failed::Last)? else {
            spool::pass_over(size, &mut self.timed()).map_err(last)?;
            return Ok(Reply::done(Done::SendWhole {}));
        };
        let sent = agent.spool.payload(size);
        let sent = sent.map_err(|error| last(NotReceived::Disk(error)))?;
        let payload =
            Composed::new(&sent, parts).map_err(|error| last(NotReceived::Disk(error)))?;
        let payload = payload.ok_or_else(|| Failed::Last(not_composed()))?;
        // Until it is judged and signed it takes room.
        let mut waiting = self.seat.waiting();
        let room = waiting.add(payload.named());
        room.map_err(|why| last(NotReceived::NoRoom(why)))?;
        let judge = || Approved::by(&agent.judge, client, asked, &payload);
        let approved = thread::scope(|scope| {
            let beside = match is_large {
                true => thread::Builder::new().spawn_scoped(scope, judge).ok(),
                false => None,
            };
            let received = spool::receive(&sent, &mut self.timed(), &mut waiting);
            let begun = received.map_err(last).and_then(|()| self.begin());
            begun.inspect_err(|_| payload.give_up())?;
            let approved = match beside {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                None => judge(),
            };
            Ok::<_, Failed>(approved?)
        })?;
        if !payload.is_passed() {
            return Ok(Reply::done(Done::SendWhole {}));
        }
        Ok(self.signed(identity, asked, &approved)?)
    }

    /// What a payload is read from.
    fn timed(&self) -> Timed<'_> {
        let limits = &self.agent.policy.document().limits;
        Timed::new(&self.stream, limits.payload_seconds)
    }

    /// Signs what was approved.
    fn signed(
        &self,
        identity: &Identity,
        asked: &Request,
        approved: &Approved,
    ) -> Result<Reply, Refusal> {
        let agent = &self.agent;
        let (operation, Some(key)) = named(asked) else {
            return Err(unasked());
        };
        // Room for the entry is kept from here on.
        let permit = agent.log.may_sign().map_err(|error| not_written(&error))?;
        let (done, signature) = approved.signed(&agent.keyring)?;
        let (rule, subjects) = approved.named();
        let written = permit.record(Signed {
            client: identity.clone(),
            key,
            operation,
            rule: Some(rule),
            subjects,
            signatures: vec![Digest::of(&signature)],
        });
        let entry = written.map_err(|error| not_written(&error))?;
        Ok(Reply::with(done, signature).entry(entry))
    }
}

impl Approved {
    fn by(
        judge: &Judge,
        client: &Client,
        asked: &Request,
        payload: &dyn Payload,
    ) -> Result<Self, Refusal> {
        Ok(match asked {
            Request::Authenticode { key, hash, .. } => {
                Self::Image(judge.image(client, key, *hash, payload)?)
            }
            Request::PcrPolicy {
                key,
                banks,
                phases,
                policy_ref,
                ..
            } => {
                let reference = policy_ref.as_deref();
                Self::Policies(judge.pcrs(client, key, banks, phases, reference, payload)?)
            }
            Request::Manifest { key } => Self::Manifest(judge.manifest(client, key, payload)?),
            Request::Hello { .. } | Request::Key { .. } => return Err(unasked()),
        })
    }

    /// What is given out: its SHA-256 is in the log.
    fn signed(&self, keyring: &Keyring) -> Result<(Done, Vec<u8>), Refusal> {
        Ok(match self {
            Self::Image(image) => {
                let signature = keyring.authenticode(image).map_err(not_signed)?;
                (Done::Authenticode {}, signature)
            }
            Self::Policies(policies) => {
                let signatures = keyring.pcr_policy(policies).map_err(not_signed)?;
                let signatures = serde_json::to_vec(&signatures);
                let wrong = |error: serde_json::Error| {
                    let what = format!("the signatures cannot be written: {error}");
                    Refusal::new("key.failed", &what, "see the agent's journal")
                };
                (Done::PcrPolicy {}, signatures.map_err(wrong)?)
            }
            Self::Manifest(manifest) => {
                let signed = keyring.manifest(manifest).map_err(not_signed)?;
                (Done::Manifest {}, signed.to_json().into_bytes())
            }
        })
    }

    /// The rule that lets it pass, and what it is.
    fn named(&self) -> (String, Vec<Subject>) {
        match self {
            Self::Image(image) => (image.rule().to_owned(), image.subjects()),
            Self::Policies(policies) => (policies.rule().to_owned(), policies.subjects()),
            Self::Manifest(manifest) => (manifest.rule().to_owned(), manifest.subjects()),
        }
    }
}

fn not_composed() -> Refusal {
    Refusal::new(
        "protocol.malformed",
        "the parts of `fromStore` do not ascend, overlap, or lie behind the end of the image",
        "send the parts by their places, or the whole image",
    )
}

fn not_signed(why: NotSigned) -> Refusal {
    Refusal::new(why.code(), &why.to_string(), why.help())
}
