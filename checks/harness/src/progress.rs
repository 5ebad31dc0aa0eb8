//! How long work is shown: a bar on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One piece of work that a person may have to wait for.
#[derive(Debug)]
pub struct Stage {
    bar: ProgressBar,
    name: String,
    begun: Instant,
}

impl Stage {
    /// Begins a stage without a known length.
    pub fn begin(name: impl Into<String>) -> Stage {
        Stage::with(
            name.into(),
            ProgressBar::new_spinner(),
            "{spinner} {msg} {elapsed}",
        )
    }

    /// Begins a stage of `total` steps.
    pub fn of_steps(name: impl Into<String>, total: u64) -> Stage {
        Stage::with(
            name.into(),
            ProgressBar::new(total),
            "{spinner} {msg} [{bar:30}] {pos}/{len} {elapsed}",
        )
    }

    /// Begins a stage of `total` bytes.
    pub fn of_bytes(name: impl Into<String>, total: u64) -> Stage {
        Stage::with(
            name.into(),
            ProgressBar::new(total),
            "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {eta}",
        )
    }

    fn with(name: String, bar: ProgressBar, template: &str) -> Stage {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(name.clone());
        if bar.is_hidden() {
            eprintln!("{name} …");
        } else {
            bar.enable_steady_tick(Duration::from_millis(150));
        }
        Stage {
            bar,
            name,
            begun: Instant::now(),
        }
    }

    /// One step further.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Says how many steps there are, once that is known.
    pub fn total(&self, steps: u64) {
        self.bar.set_length(steps);
    }

    /// At this many steps or bytes.
    pub fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Ends the stage; the line that stays says how long it took.
    pub fn done(self, remark: &str) {
        self.bar.finish_and_clear();
        let seconds = self.begun.elapsed().as_secs_f64();
        eprintln!("{}: {remark} ({seconds:.1} s)", self.name);
    }
}
