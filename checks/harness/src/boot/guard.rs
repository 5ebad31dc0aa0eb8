//! Child processes that never outlive their owner.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a namespace may take to die.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a short program to its end; an error has its last words.
pub(super) fn run(mut command: Command) -> Result<()> {
    let name = program(&command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name}: cannot be started"))?;
    if !output.status.success() {
        let mut words = String::from_utf8_lossy(&output.stderr).into_owned();
        words.push_str(&String::from_utf8_lossy(&output.stdout));
        bail!("{name} failed ({}): {}", output.status, tail(&words, 5));
    }
    Ok(())
}

/// A long-running program; it is killed when the value goes.
pub(super) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts the command, its standard input empty and its standard error going to the file `log`.
    pub(super) fn start(command: Command, log: &Path) -> Result<Self> {
        Running::start_with_input(command, log, Stdio::null())
    }

    /// The same with another standard input.
    pub(super) fn start_with_input(mut command: Command, log: &Path, input: Stdio) -> Result<Self> {
        let name = program(&command);
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name}: cannot be started"))?;
        Ok(Running { child, name })
    }

    /// The program's standard output; the second call has none.
    pub(super) fn stdout(&mut self) -> Result<std::process::ChildStdout> {
        self.child
            .stdout
            .take()
            .with_context(|| format!("{}: its output is taken already", self.name))
    }

    /// The program's standard input, where it was started with a pipe; the second call has none.
    pub(super) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// How the program ended, when it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| self.name.clone())
    }
}

impl Drop for Running {
    /// A program inside a root is the child of `unshare`. It is killed first, for when `unshare` sees it end,
    /// everything in its namespace has ended too; were `unshare` killed, swtpm could still write its state
    /// while its folder is removed.
    fn drop(&mut self) {
        let inner = children(self.child.id());
        for process in &inner {
            // It fails only when the program is gone already.
            let _ = kill_process(*process, Signal::KILL);
        }
        let begun = Instant::now();
        while !inner.is_empty()
            && begun.elapsed() < GRACE
            && matches!(self.child.try_wait(), Ok(None))
        {
            thread::sleep(Duration::from_millis(5));
        }
        // Both fail only when the program is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that this one has started and that still are.
fn children(process: u32) -> Vec<Pid> {
    let list = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(list).unwrap_or_default();
    let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

/// The last lines of a text, on one line.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    all.get(all.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join(" | ")
}

/// What a person calls the command: inside of a root, the last argument before its own is the program; outside, the program.
fn program(command: &Command) -> String {
    let mut words = command.get_args().skip_while(|word| *word != "--").skip(1);
    words
        .next()
        .unwrap_or_else(|| command.get_program())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_in_the_error() {
        let mut command = Command::new("ls");
        command.arg("/no/such/file");
        let error = run(command).unwrap_err().to_string();
        assert!(
            error.starts_with("ls failed") && error.contains("/no/such/file"),
            "{error}"
        );
    }

    #[test]
    fn a_dropped_program_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let running = Running::start(command, &folder.path().join("log")).unwrap();
        let process = format!("/proc/{}", running.child.id());
        assert!(Path::new(&process).exists());
        drop(running);
        assert!(!Path::new(&process).exists());
    }
    #[test]
    fn what_runs_in_a_namespace_is_gone_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork"]);
        command.args(["--kill-child", "sleep", "600"]);
        let running = Running::start(command, &folder.path().join("log")).unwrap();
        let begun = Instant::now();
        let inner = loop {
            if let Some(process) = children(running.child.id()).first() {
                break format!("/proc/{}", process.as_raw_nonzero());
            }
            assert!(begun.elapsed() < GRACE, "nothing was started");
            thread::sleep(Duration::from_millis(5));
        };
        drop(running);
        assert!(!Path::new(&inner).exists());
    }
}
