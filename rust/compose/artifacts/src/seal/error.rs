//! Why a generation cannot be sealed.

use touchstone_store::StorePath;

/// What is wrong with the inner generation, or with what the request says of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The inner toplevel has a folder `touchstone` already.
    #[error("the inner generation has an entry `touchstone` itself: it is sealed already")]
    SealedAlready,
    /// The inner toplevel's document has the extension that the sealed one's will have.
    #[error("the inner generation's boot.json has the extension `org.touchstone.v1` itself")]
    DescribedAlready,
    /// A document that cannot be read.
    #[error("this is no Bootspec document: {0}")]
    Document(touchstone_bootspec::ReadError),
    /// A document that does not go into v2.
    #[error("this document cannot be described in Bootspec v2: {0}")]
    Upgrade(touchstone_bootspec::UpgradeError),
    /// v1 names a program that appends secrets to the initrd.
    #[error(
        "{of} names a program that appends secrets to the initrd (`initrdSecrets`), and nothing can be appended to the initrd in a UKI"
    )]
    InitrdSecrets {
        /// Whose document it is.
        of: String,
    },
    /// The extension of a sealed specialisation that cannot be read.
    #[error("the extension `org.touchstone.v1` is not usable: {0}")]
    Extension(touchstone_store::json::JsonError),
    /// A specialisation that is not sealed, or lies elsewhere than it says.
    #[error("this is not the sealed generation {expected}: its boot.json {says}")]
    NotSealed {
        /// Where it is said to be.
        expected: StorePath,
        /// What it says instead.
        says: String,
    },
    /// A sealed specialisation that has specialisations.
    #[error("a specialisation has specialisations of its own, which no boot loader shows")]
    Nested,
    /// The inner generation says something else than the request.
    #[error("{of} has the {field} {theirs}, where the request has {ours}")]
    Other {
        /// Whose document, link or extension it is.
        of: String,
        /// What differs.
        field: String,
        /// What is there.
        theirs: String,
        /// What the request says.
        ours: String,
    },
    /// An extension that the request and the inner generation both have, with another content.
    #[error("{of} and the request both have the extension `{name}`, and they say different things")]
    OtherExtension {
        /// Whose document it is.
        of: String,
        /// The extension.
        name: String,
    },
    /// Specialisations that not all of request, seal and inner generation name.
    #[error("the specialisation `{name}` is named by {by} and not by {not_by}")]
    Specialisation {
        /// Its name.
        name: String,
        /// Who names it.
        by: &'static str,
        /// Who does not.
        not_by: &'static str,
    },
    /// The inner generation can switch, and nothing says how the sealed one does.
    #[error(
        "the inner generation has bin/switch-to-configuration, which would install the inner generation"
    )]
    NoSwitch,
    /// The request says how to switch, and the inner generation cannot.
    #[error("`switch` is given, but the inner generation has no bin/switch-to-configuration")]
    NothingToSwitch,
    /// `switch` is given without the launcher.
    #[error("`switch` is given without `launcher`")]
    NoLauncher,
    /// The program is not one that can be started.
    #[error("the program of `switch` is not usable: {0}")]
    Program(String),
    /// A variable that no program can be given, or of which the sealed path is not a part.
    #[error("the environment of `switch` is not usable: {0}")]
    Environment(String),
    /// The launcher is no program, or one for another machine.
    #[error("the launcher is not usable: {0}")]
    Launcher(String),
}

impl SealError {
    /// What the person who reads this can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::SealedAlready | Self::DescribedAlready => {
                "seal the toplevel that NixOS itself makes: with `boot.touchstone.sealed.enable = lib.mkForce false`, as the modules do"
            }
            Self::InitrdSecrets { .. } => {
                "leave `boot.initrd.secrets` empty; where it is, as NixOS names the program even then, say so with `withoutInitrdSecrets`"
            }
            Self::Document(_) | Self::Upgrade(_) | Self::Extension(_) => {
                "build that generation again; `touchstone bootspec validate` shows what is wrong with a document"
            }
            Self::NotSealed { .. } => {
                "name the output of mkSealedGeneration for each specialisation"
            }
            Self::Nested => "leave the specialisation's own specialisations out",
            Self::Other { .. } => {
                "describe the generation as it is: `bootspec` of the request has to be that of the inner toplevel"
            }
            Self::OtherExtension { .. } => {
                "leave the extension out of the request: the inner generation's is kept as it is"
            }
            Self::Specialisation { .. } => {
                "give each specialisation of the inner generation in `bootspec.specialisations` and, sealed, in `seal.specialisations`"
            }
            Self::NoSwitch => {
                "give `switch`: the program <inner>/bin/.switch-to-configuration-wrapped and its variables, TOPLEVEL and OUT among them as { \"$sealed\": true }"
            }
            Self::NothingToSwitch => {
                "leave `switch` out for systems with `system.switch.enable = false`"
            }
            Self::NoLauncher | Self::Launcher(_) => {
                "name touchstone-launcher of the package `touchstone`, for the system of the generation"
            }
            Self::Program(_) => {
                "name an executable file by its absolute path: <inner>/bin/.switch-to-configuration-wrapped of NixOS"
            }
            Self::Environment(_) => {
                "give names without `=`, texts without NUL, and { \"$sealed\": true } where the program is to be told the generation's path"
            }
        }
    }
}
