//! Progress: a bar on a terminal, nothing elsewhere.

use std::cell::RefCell;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use touchstone_artifacts::progress;

/// How far an installation is.
pub struct Console {
    bar: RefCell<ProgressBar>,
}

/// A bar on standard error, if that is a terminal and one is wanted.
pub fn bar(wanted: bool) -> ProgressBar {
    let bar = match wanted && std::io::stderr().is_terminal() {
        true => ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

impl Console {
    /// A bar on standard error, if that is a terminal and one is wanted.
    pub fn new(wanted: bool) -> Self {
        Self {
            bar: RefCell::new(bar(wanted)),
        }
    }

    fn begin(&self, name: &str) {
        let bar = self.bar.borrow();
        bar.reset();
        bar.set_message(name.to_owned());
    }

    fn show(&self, done: u64, total: u64) {
        let bar = self.bar.borrow();
        bar.set_length(total);
        bar.set_position(done);
    }
}

impl progress::Progress for Console {
    fn phase(&self, name: &str) {
        self.begin(name);
    }

    fn bytes(&self, done: u64, total: u64) {
        self.show(done, total);
    }
}

impl touchstone_esp::Progress for &Console {
    fn phase(&mut self, name: &str) {
        self.begin(name);
    }

    fn bytes(&mut self, done: u64, total: u64) {
        self.show(done, total);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.bar.borrow().finish_and_clear();
    }
}
