//! What builds, installers and people ask.

use super::answers::{Reply, not_read, stopping};
use super::connection::Connection;
use super::spool::NotReceived;
use crate::Identity;
use crate::judge::Client;
use crate::log::Operation;
use crate::protocol::{
    Done, Frame, FrameError, KeyName, MANIFEST_LIMIT, PARTS_LIMIT, Refusal, Request, VERSION,
};

/// An answer, and whether the connection is of use behind it.
pub(super) struct Answered {
    pub(super) reply: Reply,
    pub(super) goes_on: bool,
}

/// Why there is no other answer than a refusal.
pub(super) enum Failed {
    /// What was asked is refused.
    Refused(Refusal),
    /// Nobody knows where the next request begins, or there shall be none.
    Last(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Connection {
    /// Answers a request, whose payload is still to be read.
    pub(super) fn request(
        &self,
        client: &Client,
        identity: &Identity,
        frame: Frame<Request>,
    ) -> Answered {
        let (operation, key) = named(&frame.message);
        let (refusal, goes_on) = match self.replied(client, identity, &frame) {
            Ok(reply) => {
                return Answered {
                    reply,
                    goes_on: true,
                };
            }
            Err(Failed::Refused(refusal)) => (refusal, true),
            Err(Failed::Last(refusal)) => (refusal, false),
        };
        Answered {
            reply: self.refuse(refusal, Some(operation), key, identity),
            goes_on,
        }
    }

    fn replied(
        &self,
        client: &Client,
        identity: &Identity,
        frame: &Frame<Request>,
    ) -> Result<Reply, Failed> {
        self.fits(frame).map_err(Failed::Last)?;
        match &frame.message {
            Request::Hello { version } => {
                self.begin()?;
                Ok(self.hello(client, *version)?)
            }
            Request::Key { key } => {
                self.begin()?;
                Ok(self.key(client, key)?)
            }
            asked => self.sign(client, identity, asked, frame.size),
        }
    }

    /// Begins with what has come in whole.
    pub(super) fn begin(&self) -> Result<(), Failed> {
        match self.agent.signing.may_begin() {
            true => Ok(()),
            false => Err(Failed::Last(stopping())),
        }
    }

    /// Sees that a payload is not too large.
    fn fits(&self, frame: &Frame<Request>) -> Result<(), Refusal> {
        let limits = &self.agent.policy.document().limits;
        let limit = match &frame.message {
            Request::Hello { .. } | Request::Key { .. } => 0,
            Request::Authenticode { .. } | Request::PcrPolicy { .. } => limits.payload_bytes,
            Request::Manifest { .. } => limits.payload_bytes.min(MANIFEST_LIMIT),
        };
        let parts = frame.message.from_store();
        if parts.len() > PARTS_LIMIT {
            return Err(Refusal::new(
                "protocol.too-large",
                &format!(
                    "an image of {} files of the store is announced; it has at most {PARTS_LIMIT}",
                    parts.len()
                ),
                "send the whole image",
            ));
        }
        let size = parts
            .iter()
            .fold(frame.size, |size, part| size.saturating_add(part.size));
        match size > limit {
            true => Err(not_read(&FrameError::PayloadSize { size, limit })),
            false => Ok(()),
        }
    }

    pub(super) fn not_received(&self, why: NotReceived) -> Refusal {
        match why {
            // What was cut was cut by us, when we are to end.
            NotReceived::Connection(FrameError::Cut) if self.agent.signing.is_over() => stopping(),
            NotReceived::Connection(error) => not_read(&error),
            NotReceived::NoRoom(why) => Refusal::new("agent.busy", why.0, "ask again later"),
            NotReceived::Disk(error) => Refusal::new(
                "agent.disk",
                &format!("what is to be signed cannot be kept: {error}"),
                "make room in the agent's state folder",
            ),
        }
    }

    fn hello(&self, client: &Client, version: u32) -> Result<Reply, Refusal> {
        if version != VERSION {
            return Err(Refusal::new(
                "protocol.version",
                &format!("this agent speaks version {VERSION} of the protocol, and not {version}"),
                "use a touchstone of the agent's release",
            ));
        }
        Ok(Reply::done(Done::Hello {
            version,
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            keys: self.agent.judge.keys(client),
        }))
    }

    fn key(&self, client: &Client, key: &KeyName) -> Result<Reply, Refusal> {
        let known = self.agent.judge.keys(client);
        let known = known.iter().any(|facts| facts.name == *key);
        let half = self.agent.keyring.public_half(key).filter(|_| known);
        match half {
            Some((kind, public)) => Ok(Reply::with(Done::Key { kind }, public)),
            None => Err(Refusal::new(
                "policy.key",
                &format!("there is no key `{key}` for this client"),
                "name one that a rule of the policy gives it",
            )),
        }
    }
}

/// What a request asks for, and by which key.
pub(super) fn named(request: &Request) -> (Operation, Option<KeyName>) {
    match request {
        Request::Hello { .. } => (Operation::Hello, None),
        Request::Key { key } => (Operation::Key, Some(key.clone())),
        Request::Authenticode { key, .. } => (Operation::Authenticode, Some(key.clone())),
        Request::PcrPolicy { key, .. } => (Operation::PcrPolicy, Some(key.clone())),
        Request::Manifest { key } => (Operation::Manifest, Some(key.clone())),
    }
}
