//! A socket that has to be done by a time.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

/// A socket for as long as it may take: each call waits no longer than what is left of the time, so that whoever sends or takes a byte now and then gets no
/// more of it.
pub(super) struct Timed<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl<'a> Timed<'a> {
    /// The socket, for so many seconds from now on.
    pub(super) fn new(stream: &'a UnixStream, seconds: u64) -> Self {
        Self {
            stream,
            until: Instant::now() + Duration::from_secs(seconds),
        }
    }

    /// Waits for the first bytes and leaves them where they are.
    pub(super) fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(self.left()?)?;
            match rustix::net::recv(self.stream, &mut *room, RecvFlags::PEEK) {
                // A signal: it was not for this.
                Err(Errno::INTR) => (),
                read => return Ok(read?.0),
            }
        }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        let mut stream = self.stream;
        stream.read(room).map_err(in_time)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        let mut stream = self.stream;
        stream.write(bytes).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The kernel says that it would have to wait longer.
fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}
