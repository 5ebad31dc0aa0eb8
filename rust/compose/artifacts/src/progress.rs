//! How an operation says what it is doing. The doors decide how that looks: a bar, plain lines, or Nix's phase lines.

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
