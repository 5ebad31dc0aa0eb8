//! A claim that a check was asked to prove, and that does not hold: what fails a build.

/// What was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuted {
    /// A folder of boot artifacts is what its documents say.
    Artifacts,
    /// The generations fit on the EFI system partition.
    Space,
    /// No private keys lie in the closure.
    NoSecrets,
    /// No interpreter lies in the closure, and nothing that needs one.
    NoInterpreters,
}

impl Refuted {
    /// That it does not hold, in a sentence.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Artifacts => "the boot artifacts are not what their documents say",
            Self::Space => "the generations do not fit on the EFI system partition",
            Self::NoSecrets => "private keys lie where everybody can read them",
            Self::NoInterpreters => "there are interpreters, or files that need one",
        }
    }

    /// A stable name, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Artifacts => "artifacts.refuted",
            Self::Space => "esp.full",
            Self::NoSecrets => "secrets.found",
            Self::NoInterpreters => "interpreters.found",
        }
    }

    /// What to do.
    pub fn help(self) -> &'static str {
        match self {
            Self::Artifacts => {
                "build the artifacts again from their parts; if they were changed on purpose, change the parts and not what was built from them"
            }
            Self::Space => {
                "keep fewer generations, let specialisations share their initrd and kernel, make the initrd smaller, or make the partition larger"
            }
            Self::NoSecrets => {
                "take the key out of the configuration (name its path as a string, or use a systemd credential), and replace it: whoever could read the store has it; a key that is known to be a test's is allowed by its fingerprint"
            }
            Self::NoInterpreters => {
                "remove what the chain of references begins with, or replace it by something that needs no interpreter; what has to stay is allowed by its store path, with a reason"
            }
        }
    }
}
