//! A nix-daemon of Debian's root with build users of its own: several clients build in one store at the same time, as on a machine.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::enter::Visit;
use crate::inputs::Inputs;
use crate::nix::{Nix, store};

/// How many derivations may be built at the same time.
const BUILD_USERS: u32 = 8;

/// The group's ID, and the first user's but one.
const FIRST: u32 = 30_000;

/// How long a daemon may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running nix-daemon, whose store is below a folder that the caller names; itself, it is Nix as its client. It ends with this value.
#[derive(Debug)]
pub struct NixDaemon {
    client: Nix,
    visit: Visit,
    said: PathBuf,
    daemon: Child,
}

impl NixDaemon {
    /// Starts a daemon with these lines of `nix.conf` beside the harness' own. Its store is `folder/store/nix/store`; it and its clients see
    /// what the visit shows.
    ///
    /// Build users take more than one user ID, which only root has to give: for anybody else the builds are the caller's own.
    ///
    /// # Errors
    /// When it does not begin, with what it said.
    pub fn start(
        inputs: &Inputs,
        folder: impl Into<PathBuf>,
        settings: &str,
        visit: impl FnOnce(Visit) -> Visit,
    ) -> Result<NixDaemon> {
        let folder = std::path::absolute(folder.into())?;
        let (store, nix) = store(folder.join("store"))?;
        let users = Users::write(&folder)?;
        let inside = inputs.trixie().visit().bind_at(nix, "/nix");
        let inside = inside.show_at(users.group, "/etc/group");
        let visit = visit(inside.show_at(users.passwd, "/etc/passwd"));

        let said = folder.join("nix-daemon.said");
        let log = fs::File::create(&said)?;
        let mut command = visit.command("nix-daemon")?;
        command.env(
            "NIX_CONFIG",
            format!("build-users-group = {}\n{settings}", users.name),
        );
        command.stdout(log.try_clone()?).stderr(log);
        let daemon = command.spawn().context("starting nix-daemon")?;
        let mut started = NixDaemon {
            client: Nix::of_daemon(visit.clone(), store),
            visit,
            said,
            daemon,
        };
        started.wait()?;
        Ok(started)
    }

    /// Waits until it takes clients.
    fn wait(&mut self) -> Result<()> {
        let socket = self.on_host("/nix/var/nix/daemon-socket/socket");
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if self.daemon.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                bail!("nix-daemon did not begin: {}", self.said()?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Any program that sees what the daemon sees.
    ///
    /// # Errors
    /// When no xtask binary is known.
    pub fn beside(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.visit.command(program)
    }

    /// What the daemon, and the hooks that it ran, have said so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn said(&self) -> Result<String> {
        let mut said = String::new();
        fs::File::open(&self.said)?.read_to_string(&mut said)?;
        Ok(said)
    }
}

impl Deref for NixDaemon {
    type Target = Nix;

    fn deref(&self) -> &Nix {
        &self.client
    }
}

impl Drop for NixDaemon {
    /// What runs in its namespaces dies with it.
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The files that say who the build users are.
struct Users {
    /// The group; nothing where there are none.
    name: &'static str,
    group: PathBuf,
    passwd: PathBuf,
}

impl Users {
    fn write(folder: &Path) -> Result<Users> {
        let names: Vec<String> = (1..=BUILD_USERS).map(|n| format!("nixbld{n}")).collect();
        let mut passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n".to_owned();
        for (name, id) in names.iter().zip(FIRST + 1..) {
            passwd += &format!("{name}:x:{id}:{FIRST}:{name}:/var/empty:/usr/sbin/nologin\n");
        }
        let group = format!(
            "root:x:0:\nnogroup:x:65534:\nnixbld:x:{FIRST}:{}\n",
            names.join(",")
        );
        let file = |name: &str, content: String| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
            Ok(path)
        };
        Ok(Users {
            name: match rustix::process::geteuid().is_root() {
                true => "nixbld",
                false => "",
            },
            group: file("nix-daemon.group", group)?,
            passwd: file("nix-daemon.passwd", passwd)?,
        })
    }
}
