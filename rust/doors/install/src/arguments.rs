//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::Host;

/// Installs NixOS generations on EFI system partitions.
///
/// NixOS calls it with the new generation as the only argument (`system.build.installBootLoader`); what to install where stands in that generation,
/// in `touchstone/install.json`.
///
/// Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 looked at, and the answer is no.
#[derive(Debug, Parser)]
#[command(
    name = "touchstone-install",
    version,
    propagate_version = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    /// Something else than installing.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Without a word, the program installs.
    #[command(flatten)]
    pub install: Install,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is on the partitions and what the machine will make of it: exit status 3 when something that should boot will not
    Status(Status),
    /// Mark the entry that was booted, or another, as good: its counter goes
    Bless(Assess),
    /// Mark the entry that was booted, or another, as bad: no attempt is left
    Bad(Assess),
    /// Verify the closure of a generation by the keys that the running system trusts, make it a generation of a profile, and install it
    Boot(Boot),
    /// Make the generation before the current one of a profile the current one, and install it
    Rollback(Rollback),
    /// Remove what the firmware remembers as the default entry (LoaderEntryDefault, LoaderEntryPreferred), which goes before all settings
    ClearEntryDefault(ClearEntryDefault),
}

/// `touchstone-install status`
#[derive(Clone, Debug, Args)]
pub struct Status {
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

/// `touchstone-install bless`, `touchstone-install bad`
#[derive(Clone, Debug, Args)]
pub struct Assess {
    /// The entry, by the name that `status` shows; the one that the boot loader counts when not given
    pub entry: Option<String>,
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

/// `touchstone-install boot`
#[derive(Clone, Debug, Args)]
pub struct Boot {
    /// The toplevel, in the store
    pub toplevel: PathBuf,
    /// Another profile than the system's: /nix/var/nix/profiles/system-profiles/NAME
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The closure's signatures: a folder of .narinfo files, such as a binary cache is
    #[arg(long, value_name = "FOLDER")]
    pub signatures: Option<PathBuf>,
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

/// `touchstone-install rollback`
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// Another profile than the system's: /nix/var/nix/profiles/system-profiles/NAME
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

/// `touchstone-install clear-entry-default`
#[derive(Clone, Debug, Args)]
pub struct ClearEntryDefault {
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// Where the machine's `/` is
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/",
        hide_default_value = true
    )]
    pub root: PathBuf,
    /// Take folders for partitions, whatever file system they are on
    #[arg(long, hide = true)]
    pub any_file_system: bool,
}

impl Common {
    /// The machine.
    pub fn host(&self) -> Host {
        Host::new(&self.root)
    }
}

/// `touchstone-install TOPLEVEL`
#[derive(Clone, Debug, Args)]
pub struct Install {
    /// The generation that the machine boots next: a toplevel of NixOS, sealed or not
    #[arg(required = true)]
    toplevel: Option<PathBuf>,
    /// Say what would be done and what it costs, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Read every file on the partitions again, whatever earlier runs found
    #[arg(long)]
    pub verify: bool,
    #[allow(missing_docs)]
    #[command(flatten)]
    pub common: Common,
}

impl Install {
    /// Installs this generation, with nothing else asked for.
    pub fn of(toplevel: PathBuf, common: Common) -> Self {
        Self {
            toplevel: Some(toplevel),
            dry_run: false,
            verify: false,
            common,
        }
    }

    /// The generation that the machine boots next. The command line has always one where no other command is named.
    pub fn toplevel(&self) -> PathBuf {
        self.toplevel.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_toplevel_without_a_word_is_installed() {
        let arguments =
            Arguments::try_parse_from(["touchstone-install", "--dry-run", "/nix/store/a"]).unwrap();
        assert!(arguments.command.is_none());
        assert!(arguments.install.dry_run);
        assert_eq!(arguments.install.toplevel(), PathBuf::from("/nix/store/a"));
    }

    #[test]
    fn nothing_at_all_is_wrong_usage() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["touchstone-install"]).is_err());
    }
}
