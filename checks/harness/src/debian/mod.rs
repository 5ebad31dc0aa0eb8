//! Packages of Debian: found, verified and fetched by the machine's own apt under a private state.

mod apt;
mod sources;

pub use apt::{Apt, Package};
pub use sources::{Mirror, mirror};

/// A Debian release that the checks take packages from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// The rolling release: it may be unreachable or its index expired, and the checks say so.
    Sid,
}

impl Suite {
    /// The name in package sources.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
            Suite::Sid => "sid",
        }
    }

    /// The architectures whose packages are looked for, in Debian's names; the first is the machine's.
    #[must_use]
    pub fn architectures(self) -> &'static [&'static str] {
        match self {
            Suite::Bookworm => &["amd64", "arm64"],
            Suite::Trixie => &["amd64", "arm64", "riscv64", "i386"],
            Suite::Sid => &["amd64", "arm64", "riscv64"],
        }
    }

    /// Whether source packages are taken from it.
    #[must_use]
    pub fn has_sources(self) -> bool {
        self == Suite::Trixie
    }

    /// Whether a set-up goes on without it.
    #[must_use]
    pub fn optional(self) -> bool {
        self == Suite::Sid
    }
}
