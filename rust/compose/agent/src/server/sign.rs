//! What is signed: judged first, then signed, then written down, and only then given out.

use std::fs::File;

use super::answers::{Reply, not_written, unasked};
use super::connection::Connection;
use super::requests::named;
use crate::Identity;
use crate::judge::{ApprovedImage, ApprovedManifest, ApprovedPolicies, Client, Judge};
use crate::keyring::{Keyring, NotSigned};
use crate::log::{Digest, Signed, Subject};
use crate::protocol::{Done, Refusal, Request};

/// What the judge lets pass.
enum Approved {
    Image(ApprovedImage),
    Policies(ApprovedPolicies),
    Manifest(ApprovedManifest),
}

impl Connection {
    /// Answers a request for a signature of what is in this file.
    pub(super) fn sign(
        &self,
        client: &Client,
        identity: &Identity,
        asked: &Request,
        payload: File,
    ) -> Result<Reply, Refusal> {
        let agent = &self.agent;
        let (operation, Some(key)) = named(asked) else {
            return Err(unasked());
        };
        let approved = Approved::by(&agent.judge, client, asked, payload)?;
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
        mut payload: File,
    ) -> Result<Self, Refusal> {
        Ok(match asked {
            Request::Authenticode { key, hash } => {
                Self::Image(judge.image(client, key, *hash, &mut payload)?)
            }
            Request::PcrPolicy {
                key,
                banks,
                phases,
                policy_ref,
            } => {
                let reference = policy_ref.as_deref();
                Self::Policies(judge.pcrs(client, key, banks, phases, reference, &mut payload)?)
            }
            Request::Manifest { key } => {
                Self::Manifest(judge.manifest(client, key, &mut payload)?)
            }
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

fn not_signed(why: NotSigned) -> Refusal {
    Refusal::new(why.code(), &why.to_string(), why.help())
}
