//! The life of an agent: it lets in who comes, until it is told to end.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sd_notify::NotifyState;

use super::answers::Reply;
use super::builds::Build;
use super::connection::{Connection, Visitor};
use super::room::{Guest, ROOT};
use super::sockets::{Sockets, peer};
use super::start::{Started, start, system};
use super::{Agent, ServeError, Settings};
use crate::Identity;
use crate::judge::{Client, Judge};
use crate::protocol::Refusal;

/// Serves until it is told to end.
///
/// # Errors
/// [`ServeError`].
pub fn serve(settings: &Settings) -> Result<(), ServeError> {
    let Started {
        agent,
        sockets,
        bell,
        end,
        holder_ended,
    } = start(settings)?;
    tell(NotifyState::Ready);
    let waited = let_in(&agent, &sockets, &bell, &end);
    tell(NotifyState::Stopping);
    drop(sockets);
    let finished = finish(&agent);
    // Where that is gone, the log's last checkpoint fails as well; this is why.
    if holder_ended.load(Ordering::SeqCst) {
        return Err(ServeError::HolderEnded);
    }
    finished.and(waited)
}

/// Who started the agent may want to know; a systemd that does not is no reason to fail.
fn tell(state: NotifyState<'_>) {
    let _ = sd_notify::notify(&[state]);
}

/// Nobody gets in any more. What has come in whole is signed, the keys go, also those that hang, answers are taken, and the log is closed.
fn finish(agent: &Agent) -> Result<(), ServeError> {
    let drain = Duration::from_secs(agent.policy.document().limits.drain_seconds);
    agent.builds().clear();
    agent.signing.announce_end();
    // Each connection ends by itself when all that it has received is answered.
    agent.tray.end_reading();
    agent.tray.settle(drain);
    agent.signing.end();
    agent.keyring.close();
    agent.tray.drain(drain);
    Ok(agent.log.close()?)
}

/// A socket at which somebody may knock.
enum Door<'a> {
    Control(&'a UnixListener),
    Direct(&'a UnixListener),
    Build(Arc<UnixListener>, Build),
}

/// How often sockets of builds are looked at whose time may be over.
const OFTEN: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

fn let_in(
    agent: &Arc<Agent>,
    sockets: &Sockets,
    bell: &UnixStream,
    end: &UnixStream,
) -> Result<(), ServeError> {
    loop {
        let doors = doors(agent, sockets);
        let knocked = {
            let mut waits = vec![
                PollFd::new(end, PollFlags::IN),
                PollFd::new(bell, PollFlags::IN),
            ];
            waits.extend(
                doors
                    .iter()
                    .map(|door| PollFd::new(door.listener(), PollFlags::IN)),
            );
            match poll(&mut waits, Some(&OFTEN)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => (),
                Err(error) => return Err(system("nothing can be waited for")(error.into())),
            }
            waits
                .iter()
                .map(|wait| !wait.revents().is_empty())
                .collect::<Vec<_>>()
        };
        let mut knocked = knocked.into_iter();
        if knocked.next() == Some(true) {
            return Ok(());
        }
        if knocked.next() == Some(true) {
            let _ = { bell }.read(&mut [0; 64]);
        }
        for (door, _) in doors.iter().zip(knocked).filter(|(_, knocked)| *knocked) {
            if let Err(error) = door.open(agent) {
                // Too many files or threads: whoever ends next makes room.
                eprintln!("touchstone: a connection was not let in: {error}");
                thread::sleep(Duration::from_millis(50));
            }
        }
        agent.builds().expire();
    }
}

fn doors<'a>(agent: &Agent, sockets: &'a Sockets) -> Vec<Door<'a>> {
    let mut doors = vec![
        Door::Control(&sockets.control),
        Door::Direct(&sockets.direct),
    ];
    let builds = agent.builds().listeners();
    doors.extend(
        builds
            .into_iter()
            .map(|(listener, build)| Door::Build(listener, build)),
    );
    doors
}

impl Door<'_> {
    fn listener(&self) -> &UnixListener {
        match self {
            Door::Control(listener) | Door::Direct(listener) => listener,
            Door::Build(listener, _) => listener,
        }
    }

    /// Lets one in.
    fn open(&self, agent: &Arc<Agent>) -> io::Result<()> {
        // Held until the connection is in the tray: whoever revokes closes the socket, and then ends what is in there.
        let _held = match self {
            Door::Control(_) | Door::Direct(_) => None,
            Door::Build(listener, build) => {
                let builds = agent.builds();
                if !builds.is_open(&build.derivation, listener) {
                    return Ok(());
                }
                Some(builds)
            }
        };
        let (stream, _) = match self.listener().accept() {
            Err(error) if is_gone(&error) => return Ok(()),
            accepted => accepted?,
        };
        let visitor = match self {
            Door::Control(_) => Visitor::Control(peer(&stream)?),
            Door::Direct(_) => Visitor::User(peer(&stream)?),
            // Who it is the socket says: the user is one of Nix', or even root.
            Door::Build(_, build) => Visitor::Build(build.clone()),
        };
        receive(agent, stream, visitor)
    }
}

/// Whoever knocked has left.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | Interrupted | WouldBlock)
}

fn receive(agent: &Arc<Agent>, stream: UnixStream, visitor: Visitor) -> io::Result<()> {
    let guest = visitor.guest(&agent.judge);
    let seat = match agent.room.enter(&guest) {
        Ok(seat) => seat,
        Err(why) => return turn_away(&stream, why.0),
    };
    let entry = agent.tray.put(&guest, &stream)?;
    let connection = Connection {
        agent: Arc::clone(agent),
        stream,
        seat,
        entry,
    };
    thread::Builder::new()
        .name("connection".to_owned())
        .spawn(move || connection.serve(visitor))
        .map(drop)
}

/// Says so, if that does not take any time.
fn turn_away(stream: &UnixStream, why: &str) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let refusal = Refusal::new("agent.busy", why, "ask again later");
    let _ = Reply::from(refusal).send(stream, 0, 1);
    Ok(())
}

impl Visitor {
    /// Whose share it has. Users are many to whom the policy gives nothing: one that can be several has no more of the agent for it.
    fn guest(&self, judge: &Judge) -> Guest {
        match self {
            Self::Build(build) => Guest::Build(build.derivation.clone()),
            Self::User(Identity::User { uid, .. }) if *uid == ROOT => Guest::User(ROOT),
            Self::User(user) if judge.keys(&Client::of_user(user)).is_empty() => Guest::Strangers,
            Self::User(identity) | Self::Control(identity) => match identity {
                Identity::User { uid, .. } => Guest::User(*uid),
                Identity::Build { derivation } => Guest::Build(derivation.clone()),
            },
        }
    }
}
