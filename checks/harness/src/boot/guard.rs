//! Child processes that never outlive their owner.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

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
    /// Starts the command, its standard error going to the file `log`.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let name = program(&command);
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
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

    /// How the program ended, when it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| self.name.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the program is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
}
