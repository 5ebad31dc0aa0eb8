//! Progress, in the form that fits where the program runs.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use touchstone_artifacts::Progress;

/// A bar on a terminal, nothing elsewhere: the command's answer is what scripts read.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar on standard error.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }
}

impl Progress for Bar {
    fn phase(&self, name: &str) {
        self.bar.reset();
        self.bar.set_message(name.to_owned());
    }

    fn bytes(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Plain lines, one a phase.
pub struct Lines;

impl Progress for Lines {
    fn phase(&self, name: &str) {
        eprintln!("touchstone: {name}");
    }

    fn bytes(&self, _done: u64, _total: u64) {}
}

/// Nix's own phase lines: what `nix build` shows beside the derivation's name.
pub struct NixPhases {
    log: RefCell<std::io::Stderr>,
}

impl NixPhases {
    /// Writes to the log descriptor of the build, which Nix makes the builder's standard error (`NIX_LOG_FD=2`).
    pub fn new() -> Self {
        Self {
            log: RefCell::new(std::io::stderr()),
        }
    }
}

impl Progress for NixPhases {
    fn phase(&self, name: &str) {
        let line = serde_json::json!({ "action": "setPhase", "phase": name });
        // A log that cannot be written is no reason to fail a build.
        let _ = writeln!(self.log.borrow_mut(), "@nix {line}");
    }

    fn bytes(&self, _done: u64, _total: u64) {}
}

/// The progress display of the command line.
pub fn of_the_command_line() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines)
    }
}
