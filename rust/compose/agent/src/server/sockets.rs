//! The sockets at which the agent listens: systemd's, or its own.

use std::env;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::users;
use crate::Identity;

/// Why there are no sockets.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// One cannot be made.
    #[error("the socket {} cannot be made: {source}", path.display())]
    Bind {
        /// Its path.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Somebody listens there.
    #[error("an agent listens at {} already", path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// systemd handed over other ones.
    #[error(
        "systemd handed over a socket called {name:?}, which is none of ours, or one of them twice, or no stream socket"
    )]
    Foreign {
        /// Its name.
        name: String,
    },
    /// systemd handed over one and not the other.
    #[error("systemd handed over no socket called {0:?}")]
    Missing(&'static str),
}

/// The two sockets of an agent.
pub(super) struct Sockets {
    /// For the pre-build hook, and people who grant.
    pub(super) control: UnixListener,
    /// For installers and people.
    pub(super) direct: UnixListener,
    /// Those that were made here, and go when the agent ends.
    made: Vec<PathBuf>,
}

const CONTROL: &str = "control";
const DIRECT: &str = "direct";

impl Sockets {
    /// The sockets that systemd hands over (`FileDescriptorName=control` and `direct`); without any, ones at these paths.
    pub(super) fn open(control: &Path, direct: &Path) -> Result<Self, SocketError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut handed = ListenFd::from_env();
        if handed.len() > 0 {
            return Self::handed_over(&mut handed, &names);
        }
        for path in [control, direct] {
            make_folder(path)?;
        }
        // Only root's hook offers; others grant where their group may open it.
        let mut sockets = Self {
            control: bind(control, 0o660)?,
            direct: bind(direct, 0o666)?,
            made: Vec::new(),
        };
        sockets.made = vec![control.to_owned(), direct.to_owned()];
        Ok(sockets)
    }

    fn handed_over(handed: &mut ListenFd, names: &str) -> Result<Self, SocketError> {
        let (mut control, mut direct) = (None, None);
        for (number, name) in (0..handed.len()).zip(names.split(':').chain(std::iter::repeat(""))) {
            let foreign = || SocketError::Foreign {
                name: name.to_owned(),
            };
            let place = match name {
                CONTROL => &mut control,
                DIRECT => &mut direct,
                _ => return Err(foreign()),
            };
            let listener = handed.take_unix_listener(number).ok().flatten();
            let listener = listener.ok_or_else(foreign)?;
            listener.set_nonblocking(true).map_err(|_| foreign())?;
            if place.replace(listener).is_some() {
                return Err(foreign());
            }
        }
        Ok(Self {
            control: control.ok_or(SocketError::Missing(CONTROL))?,
            direct: direct.ok_or(SocketError::Missing(DIRECT))?,
            made: Vec::new(),
        })
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.made {
            let _ = fs::remove_file(path);
        }
    }
}

/// The folder of a socket that everybody may reach, where there is none.
fn make_folder(socket: &Path) -> Result<(), SocketError> {
    let Some(folder) = socket.parent().filter(|folder| !folder.exists()) else {
        return Ok(());
    };
    let made = fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)));
    made.map_err(|source| SocketError::Bind {
        path: socket.to_owned(),
        source,
    })
}

/// A socket at this path, with this mode; one that nobody listens at is replaced.
pub(super) fn bind(path: &Path, mode: u32) -> Result<UnixListener, SocketError> {
    let failed = |source| SocketError::Bind {
        path: path.to_owned(),
        source,
    };
    if UnixStream::connect(path).is_ok() {
        return Err(SocketError::Taken {
            path: path.to_owned(),
        });
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => (),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Whose process is at the other end, as the kernel says. Not by rustix: the number of a process in a foreign PID namespace, as in a container, is 0,
/// which rustix takes for an error.
pub(super) fn peer(stream: &UnixStream) -> io::Result<Identity> {
    let peer = getsockopt(stream, PeerCredentials)?;
    let (uid, gid) = (peer.uid(), peer.gid());
    let name = users::name(uid);
    Ok(Identity::User { uid, gid, name })
}
