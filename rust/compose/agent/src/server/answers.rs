//! What is answered.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::Agent;
use super::timed::Timed;
use crate::log::{Event, LogError, Sequence};
use crate::protocol::{self, Answer, Done, Frame, FrameError, Refusal};

/// An answer and its payload.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) payload: Vec<u8>,
}

impl Reply {
    /// Done, with nothing behind it.
    pub(super) fn done(done: Done) -> Self {
        Self::with(done, Vec::new())
    }

    /// Done, with a payload.
    pub(super) fn with(done: Done, payload: Vec<u8>) -> Self {
        let answer = Answer::Done { done, entry: None };
        Self { answer, payload }
    }

    /// Names the entry of the log.
    pub(super) fn entry(mut self, Sequence(number): Sequence) -> Self {
        match &mut self.answer {
            Answer::Done { entry, .. } => *entry = Some(number),
            Answer::Refused(refusal) => refusal.entry = Some(number),
        }
        self
    }

    /// Sends it, in so many seconds.
    pub(super) fn send(self, stream: &UnixStream, id: u64, seconds: u64) -> Result<(), FrameError> {
        let frame = Frame {
            id,
            size: self.payload.len() as u64,
            message: self.answer,
        };
        let mut to = Timed::new(stream, seconds);
        protocol::write(&mut to, &frame)?;
        Ok(to.write_all(&self.payload)?)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self {
            answer: Answer::Refused(refusal),
            payload: Vec::new(),
        }
    }
}

impl Agent {
    /// The refusal, written down; where the log has no room for an entry, without one.
    pub(super) fn refused(&self, refusal: Refusal, event: Event) -> Reply {
        match self.log.append(event) {
            Ok(entry) => Reply::from(refusal).entry(entry),
            Err(LogError::Counted) => refusal.into(),
            Err(error) => not_written(&error).into(),
        }
    }
}

/// Nothing is given out that is not in the log.
pub(super) fn not_written(error: &LogError) -> Refusal {
    Refusal::new(error.code(), &error.to_string(), error.help())
}

/// Too late.
pub(super) fn stopping() -> Refusal {
    Refusal::new(
        "agent.stopping",
        "the agent is told to end, and signs nothing more",
        "ask again when it has been started again",
    )
}

/// Why a request has not arrived, if that can still be told.
pub(super) fn not_read(error: &FrameError) -> Refusal {
    match error {
        FrameError::Connection(source) if source.kind() == std::io::ErrorKind::TimedOut => {
            Refusal::new(
                "agent.slow",
                "the request did not arrive in time",
                "send it faster, or let `limits` of the policy give it more time",
            )
        }
        error => Refusal::new(
            error.code(),
            &error.to_string(),
            "speak the agent's protocol, version 1: touchstone does, of the same release",
        ),
    }
}

/// A request that is answered elsewhere.
pub(super) fn unasked() -> Refusal {
    Refusal::new("protocol.malformed", "nothing is asked to be signed", "")
}
