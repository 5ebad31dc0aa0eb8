//! A machine with a signing agent: a nix-daemon whose pre-build hook asks it, and the agent, each in namespaces of its own over the same store.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::NixDaemon;
use crate::inputs::Inputs;
use crate::nix::output;
use crate::nix_inputs::{package, touchstone_package};

/// How long the agent may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where builds, hooks and people look for the agent's sockets.
const RUN: &str = "/run/touchstone-agent";

/// The folder that every sandbox of the machine shows, for builds that meet the host.
const MEETING_IN_SANDBOX: &str = "/meeting";

/// A machine. Its folder has the packages `touchstone`, `touchstone-probe` and `touchstone-pre-build-hook`, the agent's folders `run` and
/// `state`, what the agent says (`agent.said`), `meeting`, and the daemon's store.
#[derive(Debug)]
pub struct AgentMachine {
    folder: PathBuf,
    program: PathBuf,
    daemon: NixDaemon,
}

/// An agent that serves. It is killed with this value.
#[derive(Debug)]
pub struct ServingAgent {
    program: PathBuf,
    visit: Child,
}

impl AgentMachine {
    /// A machine in this folder, without an agent yet. `program` is the dynamic `touchstone`; everything on the machine sees the checkout, and
    /// may write into the folder.
    ///
    /// # Errors
    /// When a static program is not built, or the daemon does not begin.
    pub fn start(
        inputs: &Inputs,
        folder: &Path,
        program: &Path,
        checkout: &Path,
    ) -> Result<AgentMachine> {
        touchstone_package(inputs, folder)?;
        for program in [&inputs.probe, &inputs.hook] {
            let program = program.as_ref();
            let program =
                program.context("the static binaries are not built: run `cargo xtask setup`")?;
            package(folder, program)?;
        }
        for name in ["run", "state", "meeting"] {
            fs::create_dir(folder.join(name)).with_context(|| format!("making {name}"))?;
        }
        rustix::fs::chmod(folder.join("meeting"), 0o777.into())?;
        let hook = folder.join("touchstone-pre-build-hook/bin/touchstone-pre-build-hook");
        let settings = format!(
            "extra-system-features = touchstone-agent\npre-build-hook = {}\nextra-sandbox-paths = {MEETING_IN_SANDBOX}={}\ncompress-build-log = false\n",
            hook.display(),
            folder.join("meeting").display(),
        );
        let daemon = NixDaemon::start(inputs, folder, &settings, |visit| {
            let visit = visit.show(checkout).show(program).bind(folder);
            visit.bind_at(folder.join("run"), RUN).folder(folder)
        })?;
        Ok(AgentMachine {
            folder: folder.to_owned(),
            program: program.to_owned(),
            daemon,
        })
    }

    /// The nix-daemon.
    #[must_use]
    pub fn daemon(&self) -> &NixDaemon {
        &self.daemon
    }

    /// Starts the agent by this policy (JSON), which is written to `policy.json`, and waits until it takes requests.
    ///
    /// # Errors
    /// When it does not begin, with what it said.
    pub fn serve(&self, policy: &str) -> Result<ServingAgent> {
        let file = self.folder.join("policy.json");
        fs::write(&file, policy)?;
        rustix::fs::chmod(&file, 0o600.into())?;
        let mut command = self.daemon.beside(&self.program)?;
        command.args([
            "agent",
            "serve",
            "--policy",
            "policy.json",
            "--state",
            "state",
        ]);
        self.begin(command)
    }

    /// Starts an agent by this command, and waits until it takes requests.
    ///
    /// # Errors
    /// When it does not begin, with what it said.
    pub fn begin(&self, mut command: Command) -> Result<ServingAgent> {
        let file = self.folder.join("agent.said");
        let said = fs::File::create(&file)?;
        command.stdout(said.try_clone()?).stderr(said);
        let mut agent = ServingAgent {
            program: fs::canonicalize(&self.program)?,
            visit: command.spawn().context("starting the agent")?,
        };
        let begun = Instant::now();
        while !self.agent(["status"])?.status.success() {
            if agent.visit.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                bail!("the agent did not begin: {}", fs::read_to_string(&file)?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(agent)
    }

    /// Runs `touchstone agent …` beside the agent, as root.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn agent<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Output> {
        Ok(self.agent_command(arguments)?.output()?)
    }

    /// The same, which must end well; the answer is what it printed.
    ///
    /// # Errors
    /// When it does not, with what it said.
    pub fn agent_done<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        output(self.agent_command(arguments)?)
    }

    fn agent_command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Command> {
        let mut command = self.daemon.beside(&self.program)?;
        command.arg("agent").args(arguments);
        Ok(command)
    }
}

impl ServingAgent {
    /// The processes that run the agent's program, as the host numbers them: the agent first, then those that hold keys.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let runs_it = |pid: &u32| {
            let runs = fs::read_link(format!("/proc/{pid}/exe"));
            runs.is_ok_and(|runs| runs == self.program)
        };
        let all = descendants(self.visit.id()).into_iter();
        all.filter(runs_it).collect()
    }

    /// Ends the agent as a service manager does, and waits for it.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn stop(mut self) -> Result<()> {
        let first = self.processes().first().copied();
        signal(first.context("no process of the agent")?, Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.visit.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the agent ended with {status}"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        bail!("the agent does not end")
    }

    /// Crashes its processes, those that hold keys first.
    ///
    /// # Errors
    /// When they cannot be waited for.
    pub fn crash(mut self) -> Result<()> {
        for pid in self.processes().into_iter().rev() {
            // What the death of another one ended is gone.
            let _ = signal(pid, Signal::ABORT);
        }
        self.visit.wait()?;
        Ok(())
    }
}

impl Drop for ServingAgent {
    /// What runs in its namespaces dies with it.
    fn drop(&mut self) {
        let _ = self.visit.kill();
        let _ = self.visit.wait();
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(kill_process(
        pid.context("no process has such a number")?,
        signal,
    )?)
}

/// The process's children and theirs, the elder first.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let own = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let mut all: Vec<u32> = own.collect();
    for child in all.clone() {
        all.extend(descendants(child));
    }
    all
}
