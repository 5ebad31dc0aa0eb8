//! A socket that does not wait for ever.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// How long an agent may let a part of a request lie.
const SENDING: Duration = Duration::from_secs(60);

/// How long an agent may take for an answer: it hashes whole closures, and tokens are slow.
const ANSWERING: Duration = Duration::from_secs(15 * 60);

/// Connects to the socket at `path`.
pub(super) fn open(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // Before connecting: an agent that accepts nobody lets that wait, too.
    set_socket_timeout(&socket, Timeout::Send, Some(SENDING))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(ANSWERING))?;
    connect(&socket, &address)?;
    Ok(socket.into())
}
