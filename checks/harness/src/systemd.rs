//! systemd's own tools of several releases: the peers beside which UKIs and their measurements are compared.

use anyhow::Result;

use crate::enter::{Root, Visit};
use crate::inputs::Inputs;

/// One release of `ukify` and `systemd-measure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemd {
    /// The release, as `touchstone uki build --compat` takes it.
    pub release: u32,
    root: Root,
}

impl Systemd {
    /// Begins a visit to the root in which this release runs.
    #[must_use]
    pub fn visit(&self) -> Visit {
        self.root.visit()
    }

    /// The program `systemd-measure`, as a path inside of the root.
    #[must_use]
    pub fn measure(&self) -> &'static str {
        "/usr/lib/systemd/systemd-measure"
    }

    /// What `ukify --version` says of itself, such as `ukify 257.13 (257.13-1~deb13u1)`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn version(&self) -> Result<String> {
        let mut command = self.root.command("ukify")?;
        command.arg("--version");
        crate::nix::output(command)
    }
}

/// Every release that is there: 257 of Debian 13 always, 262 where Debian's rolling release could be had.
///
/// Its absence is said here, by each test that it concerns, and by `cargo xtask test` in its summary: this is the one place where it
/// is decided what happens then.
#[must_use]
pub fn systemds(inputs: &Inputs) -> Vec<Systemd> {
    let mut found = vec![Systemd {
        release: 257,
        root: inputs.trixie(),
    }];
    match inputs.sid() {
        Some(root) => found.push(Systemd { release: 262, root }),
        None => eprintln!("note: sid does not answer: nothing is compared with systemd 262"),
    }
    found
}
