//! Everything that an agent needs before it lets anybody in.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::builds::Builds;
use super::clock::now;
use super::room::Room;
use super::sockets::Sockets;
use super::spool::Spool;
use super::{Agent, ServeError, Settings};
use crate::hygiene;
use crate::judge::Judge;
use crate::keyring::{Keyring, open_checkpoint_key};
use crate::log::{Digest, Event, Log};
use crate::policy::{self, Policy};

/// An agent, and what tells it something.
pub(super) struct Started {
    pub(super) agent: Arc<Agent>,
    pub(super) sockets: Sockets,
    /// What it waits for has changed.
    pub(super) bell: UnixStream,
    /// It is to end.
    pub(super) end: UnixStream,
    /// Because a process that holds keys is gone.
    pub(super) holder_ended: Arc<AtomicBool>,
}

/// Opens everything.
pub(super) fn start(settings: &Settings) -> Result<Started, ServeError> {
    hygiene::no_dumps().map_err(system("the process cannot be kept from being dumped"))?;
    let (policy, digest) = read_policy(&settings.policy)?;
    let sockets = Sockets::open(&settings.control, &settings.direct)?;
    let (end, told) = pair()?;
    let holder_ended = Arc::new(AtomicBool::new(false));
    let ended = || -> Result<_, ServeError> {
        let told = told.try_clone().map_err(system("a socket cannot be had"))?;
        let flag = Arc::clone(&holder_ended);
        Ok(move || {
            flag.store(true, Ordering::SeqCst);
            let _ = io::Write::write(&mut &told, &[0]);
        })
    };
    let document = policy.document();
    let checkpoints = open_checkpoint_key(&document.log.checkpoint_key, &settings.holder, ended()?)
        .map_err(ServeError::CheckpointKey)?;
    let judge = Judge::new(policy.clone())?;
    let keyring = Keyring::open(&policy, &settings.holder, ended()?)?;
    // Not earlier: until here a signal ends it at once, also where a token hangs, and what holds keys has the limits that the agent was started with.
    for signal in [SIGTERM, SIGINT] {
        let told = told.try_clone().map_err(system("a signal cannot be had"))?;
        signal_hook::low_level::pipe::register(signal, told)
            .map_err(system("a signal cannot be had"))?;
    }
    open_files().map_err(system("the number of open files cannot be raised"))?;
    let folder = |folder: &Path| {
        let folder = folder.to_owned();
        move |source| ServeError::Folder { folder, source }
    };
    let public = checkpoints.public_text();
    let log = Log::open(
        &settings.state.join("log"),
        document.log.clone(),
        Box::new(checkpoints),
    )?;
    // From here on there is no other agent of this state, whose builds' sockets might lie there.
    let limits = &document.limits;
    let lasts = Duration::from_secs(limits.build_seconds);
    let builds = Builds::new(&settings.builds, limits.builds, lasts);
    let builds = builds.map_err(folder(&settings.builds))?;
    let spool = Spool::new(settings.state.join("spool")).map_err(folder(&settings.state))?;
    log.append(Event::Started {
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        policy: digest,
        keys: keyring.logged(),
        checkpoint_key: public,
    })?;
    let (bell, rings) = pair()?;
    let agent = Agent {
        judge,
        keyring,
        log,
        grants: Mutex::default(),
        granting: Mutex::default(),
        builds: Mutex::new(builds),
        room: Room::new(limits),
        tray: Arc::default(),
        penalties: super::Penalties::default(),
        signing: super::Signing::default(),
        spool,
        bell: rings,
        since: now(),
        policy,
    };
    Ok(Started {
        agent: Arc::new(agent),
        sockets,
        bell,
        end,
        holder_ended,
    })
}

/// The policy and the SHA-256 of its file.
fn read_policy(file: &Path) -> Result<(Policy, Digest), ServeError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let most = policy::LIMIT as u64 + 1;
        File::open(file)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| ServeError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let policy = Policy::read(file, &bytes)?;
    policy.check_files()?;
    Ok((policy, Digest::of(&bytes)))
}

/// As many files as this process may have open.
fn open_files() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// Two ends of which neither waits.
fn pair() -> Result<(UnixStream, UnixStream), ServeError> {
    let made = UnixStream::pair().and_then(|(one, other)| {
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((one, other))
    });
    made.map_err(system("a socket cannot be had"))
}

pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}
