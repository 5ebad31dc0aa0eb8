//! A connection: one request after the other, until its client has no more.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Agent;
use super::answers::{Reply, not_read, stopping};
use super::builds::Build;
use super::room::Seat;
use super::timed::Timed;
use super::tray::Entry;
use crate::Identity;
use crate::judge::Client;
use crate::log::{Event, Operation};
use crate::protocol::{self, ControlRequest, Frame, FrameError, KeyName, Refusal, Request};

/// Who is at the other end, and of which socket.
pub(super) enum Visitor {
    /// The socket of a build.
    Build(Build),
    /// The direct socket.
    User(Identity),
    /// The control socket.
    Control(Identity),
}

/// An open connection.
pub(super) struct Connection {
    pub(super) agent: Arc<Agent>,
    pub(super) stream: UnixStream,
    pub(super) seat: Seat,
    pub(super) entry: Entry,
}

/// What is read next.
enum Next<T> {
    Request(Frame<T>),
    /// No more.
    End,
    /// Nothing that can be answered in its own right.
    Broken(FrameError),
}

impl Connection {
    /// Serves it to its end.
    pub(super) fn serve(&self, visitor: Visitor) {
        match visitor {
            Visitor::Build(build) => {
                let Build { client, derivation } = build;
                self.answer_requests(&client, &Identity::Build { derivation });
            }
            Visitor::User(identity) => {
                let client = Client::of_user(&identity);
                self.answer_requests(&client, &identity);
            }
            Visitor::Control(identity) => self.answer_control(&identity),
        }
    }

    fn answer_requests(&self, client: &Client, identity: &Identity) {
        loop {
            let frame = match self.next::<Request>() {
                Next::Request(frame) => frame,
                Next::End => return,
                Next::Broken(error) => return self.broken(&error, identity),
            };
            let id = frame.id;
            let answered = self.request(client, identity, frame);
            let goes_on = answered.goes_on;
            if self.send(answered.reply, id).is_err() || !goes_on {
                return;
            }
        }
    }

    fn answer_control(&self, identity: &Identity) {
        loop {
            let frame = match self.next::<ControlRequest>() {
                Next::Request(frame) => frame,
                Next::End => return,
                Next::Broken(error) => return self.broken(&error, identity),
            };
            if frame.size > 0 {
                let (size, limit) = (frame.size, 0);
                return self.broken(&FrameError::PayloadSize { size, limit }, identity);
            }
            let reply = self.control(identity, frame.message);
            if self.send(reply, frame.id).is_err() {
                return;
            }
        }
    }

    /// The next request's header: whoever has said nothing yet has longer than who is in the middle of it.
    fn next<T: DeserializeOwned>(&self) -> Next<T> {
        let limits = &self.agent.policy.document().limits;
        let mut first = [0];
        let mut idle = Timed::new(&self.stream, limits.idle_seconds);
        match idle.peek(&mut first) {
            Ok(1..) => (),
            // Silent for too long, or gone.
            _ => return Next::End,
        }
        match protocol::read(&mut Timed::new(&self.stream, limits.header_seconds)) {
            Ok(Some(frame)) => Next::Request(frame),
            Ok(None) => Next::End,
            Err(error) => Next::Broken(error),
        }
    }

    /// Says why the connection ends. A header that was not understood has no number.
    fn broken(&self, error: &FrameError, identity: &Identity) {
        let refusal = match self.agent.signing.is_over() {
            false => not_read(error),
            true => stopping(),
        };
        let reply = self.refuse(refusal, None, None, identity);
        let _ = self.send(reply, 0);
    }

    /// A refusal, written down and waited for.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        operation: Option<Operation>,
        key: Option<KeyName>,
        identity: &Identity,
    ) -> Reply {
        self.agent
            .penalties
            .pay(self.seat.guest(), &self.agent.signing);
        let event = Event::Refused {
            client: identity.clone(),
            operation,
            key,
            code: refusal.code.clone(),
            what: refusal.what.clone(),
        };
        self.agent.refused(refusal, event)
    }

    fn send(&self, reply: Reply, id: u64) -> Result<(), FrameError> {
        let limits = &self.agent.policy.document().limits;
        self.entry
            .answer(|| reply.send(&self.stream, id, limits.answer_seconds))
    }
}
