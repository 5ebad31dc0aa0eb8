//! Sockets of builds: each of its own, at a path that nobody can guess, shown to that one sandbox alone.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::clock::seconds;
use super::sockets::{SocketError, bind};
use crate::Derivation;
use crate::judge::Client;
use crate::protocol::OpenSocket;

/// A build that may ask.
#[derive(Clone)]
pub(super) struct Build {
    /// Who it is, and which rules it may use.
    pub(super) client: Arc<Client>,
    /// What is built.
    pub(super) derivation: Derivation,
}

/// The sockets of all builds.
pub(super) struct Builds {
    folder: PathBuf,
    most: usize,
    lasts: Duration,
    open: BTreeMap<Derivation, Open>,
}

/// The socket of a build, gone when this is dropped.
struct Open {
    listener: Arc<UnixListener>,
    folder: PathBuf,
    build: Build,
    since: SystemTime,
    until: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Why a build has no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSocket {
    /// As many use one as can have one.
    #[error("{0} builds use a socket, as many as can have one")]
    Many(usize),
    /// It cannot be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// The name of the socket in its folder.
const SOCKET: &str = "socket";

impl Builds {
    /// None yet; what an agent that was killed left in the folder is removed.
    pub(super) fn new(folder: &Path, most: u32, lasts: Duration) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        for left in fs::read_dir(folder)? {
            fs::remove_dir_all(left?.path())?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            lasts,
            open: BTreeMap::new(),
        })
    }

    /// A socket for this build. Nix builds a derivation once at a time: an earlier socket is of a build that has ended. Where there are as many as there can be, the
    /// oldest goes that is not used (that has no connection): nobody tells the agent when a build ends.
    pub(super) fn offer(
        &mut self,
        build: Build,
        is_used: impl Fn(&Derivation) -> bool,
    ) -> Result<PathBuf, NoSocket> {
        self.open.remove(&build.derivation);
        if self.open.len() >= self.most {
            self.close_oldest(is_used)?;
        }
        let folder = self.folder.join(format!("{:032x}", rand::random::<u128>()));
        let path = folder.join(SOCKET);
        let failed = |source| SocketError::Bind {
            path: path.clone(),
            source,
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(failed)?;
        let derivation = build.derivation.clone();
        // The build's user is another one; the folders above are closed, and the sandbox shows the socket alone.
        let open = Open {
            listener: Arc::new(bind(&path, 0o666)?),
            folder,
            build,
            since: SystemTime::now(),
            until: Instant::now() + self.lasts,
        };
        self.open.insert(derivation, open);
        Ok(path)
    }

    fn close_oldest(&mut self, is_used: impl Fn(&Derivation) -> bool) -> Result<(), NoSocket> {
        let unused = self.open.iter().filter(|(build, _)| !is_used(build));
        let oldest = unused.min_by_key(|(_, open)| open.until);
        let oldest = oldest.map(|(build, _)| build.clone());
        let oldest = oldest.ok_or(NoSocket::Many(self.most))?;
        self.open.remove(&oldest);
        Ok(())
    }

    /// Whether this is still the socket of a build.
    pub(super) fn is_open(&self, derivation: &Derivation, listener: &Arc<UnixListener>) -> bool {
        let open = self.open.get(derivation);
        open.is_some_and(|open| Arc::ptr_eq(&open.listener, listener))
    }

    /// Closes the socket of a build; whether there was one.
    pub(super) fn close(&mut self, derivation: &Derivation) -> bool {
        self.open.remove(derivation).is_some()
    }

    /// Closes those whose time is over.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        self.open.retain(|_, open| open.until > now);
    }

    /// Closes all.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// All sockets, each with whose it is.
    pub(super) fn listeners(&self) -> Vec<(Arc<UnixListener>, Build)> {
        let open = self.open.values();
        open.map(|open| (Arc::clone(&open.listener), open.build.clone()))
            .collect()
    }

    /// What is told of them.
    pub(super) fn status(&self) -> Vec<OpenSocket> {
        let told = |(derivation, open): (&Derivation, &Open)| OpenSocket {
            derivation: derivation.clone(),
            since: seconds(open.since),
        };
        self.open.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::Identity;

    fn build(name: &str) -> Build {
        let path = format!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-{name}.drv");
        // Only the judge makes the client of a build; here nobody asks it anything.
        let client = Client::of_user(&Identity::User {
            uid: 0,
            gid: 0,
            name: None,
        });
        Build {
            client: Arc::new(client),
            derivation: Derivation::parse(&path).unwrap(),
        }
    }

    fn builds(folder: &Path, most: u32) -> Builds {
        Builds::new(folder, most, Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn builds_that_have_ended_keep_no_socket_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut builds = builds(folder.path(), 2);
        let first = builds.offer(build("one"), |_| false).unwrap();
        let second = builds.offer(build("two"), |_| false).unwrap();
        // The oldest is in use.
        let used = |one: &Derivation| *one == build("one").derivation;
        let third = builds.offer(build("three"), used).unwrap();
        UnixStream::connect(first).unwrap();
        UnixStream::connect(third).unwrap();
        assert!(UnixStream::connect(&second).is_err() && !second.exists());
        let refused = builds.offer(build("four"), |_| true).unwrap_err();
        assert!(refused.to_string().contains("2 builds use"), "{refused}");
        assert_eq!(builds.status().len(), 2);
    }

    #[test]
    fn a_socket_that_was_closed_is_known_by_who_still_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut builds = builds(folder.path(), 2);
        let derivation = build("one").derivation;
        builds.offer(build("one"), |_| false).unwrap();
        let (held, _) = builds.listeners().remove(0);
        assert!(builds.is_open(&derivation, &held));
        builds.close(&derivation);
        assert!(!builds.is_open(&derivation, &held));
        // Nor is it the one that was made in its place.
        builds.offer(build("one"), |_| false).unwrap();
        assert!(!builds.is_open(&derivation, &held));
    }
}
