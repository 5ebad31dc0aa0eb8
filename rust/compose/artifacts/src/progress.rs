//! How an operation says what it is doing. The doors decide how that looks: a bar, plain lines, or Nix's phase lines.

use std::sync::mpsc::{Sender, channel};

/// Receives the phases of an operation and the bytes it has written.
pub trait Progress {
    /// A new phase begins: a short present participle, such as `assembling uki.efi`.
    fn phase(&self, name: &str);
    /// `done` of `total` bytes of the present phase are written.
    fn bytes(&self, done: u64, total: u64);
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _name: &str) {}
    fn bytes(&self, _done: u64, _total: u64) {}
}

/// What a thread tells the one that shows it.
enum Said {
    Phase(String),
    Bytes(u64, u64),
}

/// Passes on to the thread that may show.
struct Relay(Sender<Said>);

impl Progress for Relay {
    fn phase(&self, name: &str) {
        // Nobody listens any more: then nothing is shown.
        let _ = self.0.send(Said::Phase(name.to_owned()));
    }
    fn bytes(&self, done: u64, total: u64) {
        let _ = self.0.send(Said::Bytes(done, total));
    }
}

/// Does `work` in a thread of its own, for what changes the thread that it is done in or begins others, and shows its progress from this
/// one.
pub fn in_a_thread<T: Send>(
    progress: &dyn Progress,
    work: impl FnOnce(&(dyn Progress + Sync)) -> T + Send,
) -> T {
    std::thread::scope(|scope| {
        let (sender, said) = channel();
        let worker = scope.spawn(move || work(&Relay(sender)));
        for said in said {
            match said {
                Said::Phase(name) => progress.phase(&name),
                Said::Bytes(done, total) => progress.bytes(done, total),
            }
        }
        match worker.join() {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
