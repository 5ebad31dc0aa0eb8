//! One request and its answer.

use std::io::{self, BufReader, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use touchstone_artifacts::agent::{AgentError, ShownImage, StorePart};

use super::socket;
use crate::protocol::{self, Answer, Done, Frame, FrameError};

/// A connection to an agent, on which one thing after the other is asked.
pub(super) struct Wire {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    /// The last request's.
    id: u64,
}

/// What goes behind a request's header.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// An image, without these parts of it.
    Image(&'a ShownImage<'a>, &'a [StorePart]),
}

/// An answer that says that it is done.
pub(super) struct Answered {
    pub(super) done: Done,
    pub(super) payload: Vec<u8>,
}

/// Why there is no answer.
enum Failed {
    /// What is sent cannot be read.
    Input(io::Error),
    /// The connection.
    Frame(FrameError),
}

impl<E: Into<FrameError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Frame(error.into())
    }
}

impl Wire {
    /// Connects to the agent at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, AgentError> {
        let stream = socket::open(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => AgentError::NoSocket {
                sockets: vec![path.to_owned()],
                in_build: false,
            },
            _ => AgentError::Connection {
                socket: path.to_owned(),
                source,
            },
        })?;
        Ok(Self::over(stream, path))
    }

    /// Speaks over a socket that is connected to `path`.
    pub(super) fn over(stream: UnixStream, path: &Path) -> Self {
        Self {
            stream: BufReader::new(stream),
            path: path.to_owned(),
            id: 0,
        }
    }

    /// Asks, and waits for the answer, whose payload has at most `limit` bytes. After any failure but a refusal the connection is of no
    /// more use.
    pub(super) fn ask(
        &mut self,
        message: &impl Serialize,
        payload: Payload<'_>,
        limit: u64,
    ) -> Result<Answered, AgentError> {
        self.id += 1;
        let sent = self.send(message, payload);
        // Whoever refuses need not listen to the end: its answer says more than that the connection broke.
        let received = match sent {
            Err(Failed::Input(source)) => return Err(AgentError::Unreadable(source)),
            Err(Failed::Frame(broken)) => self.last_words(limit).map_err(|_| broken),
            Ok(()) => self.receive(limit),
        };
        match received.map_err(|error| self.failed(error))? {
            (Answer::Done { done, .. }, payload) => Ok(Answered { done, payload }),
            (Answer::Refused(refusal), _) => Err(AgentError::Refused {
                code: refusal.code,
                what: refusal.what,
                help: refusal.help,
                entry: refusal.entry,
            }),
        }
    }

    fn send(&mut self, message: &impl Serialize, payload: Payload<'_>) -> Result<(), Failed> {
        let size = match payload {
            Payload::Nothing => 0,
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Image(image, parts) => {
                let ranges = image.beside(parts).into_iter();
                ranges.map(|range| range.end - range.start).sum()
            }
        };
        let stream = self.stream.get_mut();
        let id = self.id;
        protocol::write(stream, &Frame { id, size, message })?;
        match payload {
            Payload::Nothing => Ok(()),
            Payload::Bytes(bytes) => Ok(stream.write_all(bytes)?),
            Payload::Image(image, parts) => {
                let mut ranges = image.beside(parts).into_iter();
                ranges.try_for_each(|range| send_range(image, range, stream))
            }
        }
    }

    /// The answer to the last request.
    fn receive(&mut self, limit: u64) -> Result<(Answer, Vec<u8>), FrameError> {
        let frame = protocol::read::<Answer>(&mut self.stream)?.ok_or(FrameError::Cut)?;
        let payload = protocol::read_payload(&mut self.stream, frame.size, limit)?;
        // A header that was not understood has no number.
        let is_ours =
            frame.id == self.id || (frame.id == 0 && matches!(frame.message, Answer::Refused(_)));
        match is_ours {
            true => Ok((frame.message, payload)),
            false => Err(FrameError::OtherId {
                id: frame.id,
                expected: self.id,
            }),
        }
    }

    /// What the agent said before it stopped to listen.
    fn last_words(&mut self, limit: u64) -> Result<(Answer, Vec<u8>), FrameError> {
        self.stream.get_ref().set_read_timeout(Some(LAST_WORDS))?;
        self.receive(limit)
    }

    fn failed(&self, error: FrameError) -> AgentError {
        let source = match error {
            FrameError::Connection(source) => match source.kind() {
                ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "it takes too long"),
                _ => source,
            },
            FrameError::Cut => {
                io::Error::new(ErrorKind::UnexpectedEof, FrameError::Cut.to_string())
            }
            other => return AgentError::WrongAnswer(other.to_string()),
        };
        AgentError::Connection {
            socket: self.path.clone(),
            source,
        }
    }
}

/// How much of an image is sent at once.
const BLOCK: usize = 256 << 10;

/// Sends a range of an image, which may still be written. One that is shorter than it should be cannot be sent.
fn send_range(
    image: &ShownImage<'_>,
    range: Range<u64>,
    stream: &mut UnixStream,
) -> Result<(), Failed> {
    let Range { start: mut at, end } = range;
    let mut block = vec![0; usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK)];
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(BLOCK).min(block.len());
        let room = block.get_mut(..left).unwrap_or_default();
        let got = match image.read_at(room, at) {
            Ok(0) => return Err(Failed::Input(ErrorKind::UnexpectedEof.into())),
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Input(error)),
        };
        stream.write_all(room.get(..got).unwrap_or_default())?;
        at += got as u64;
    }
    Ok(())
}

/// What an agent says that no longer listens has been said already.
const LAST_WORDS: Duration = Duration::from_secs(2);
