//! Who takes turns, and how each is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, Root, Usage, Visit};

use super::store::Store;

/// What makes the kernel forget what it has read.
const FORGET: &str = "/proc/sys/vm/drop_caches";

/// Has a program read all files, a process for each list at a time.
const EACH: &str = r#"
for list; do
    while mapfile -d '' -n 400 -t files && (( ${#files[@]} )); do "$0" -- "${files[@]}"; done <"$list" >/dev/null &
done
wait
"#;

/// Who takes turns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Ours,
    Nix,
    Sha256sum,
    Read,
    HashFiles,
    HashOnly,
}

impl Who {
    pub const COLD: [Who; 4] = [Who::Ours, Who::Nix, Who::Sha256sum, Who::Read];
    pub const WARM: [Who; 6] = [
        Who::Ours,
        Who::Nix,
        Who::Sha256sum,
        Who::Read,
        Who::HashFiles,
        Who::HashOnly,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Who::Ours => "touchstone-stage1 verify",
            Who::Nix => "nix store verify",
            Who::Sha256sum => "sha256sum, one a processor",
            Who::Read => "cat, one a processor",
            Who::HashFiles => "open, read, SHA-256, nothing else",
            Who::HashOnly => "SHA-256 alone, out of the cache",
        }
    }
}

/// All that the contestants work with.
pub struct Race<'a> {
    store: &'a Store,
    root: Root,
    hash_only: PathBuf,
    usage: PathBuf,
}

impl<'a> Race<'a> {
    pub fn new(inputs: &Inputs, store: &'a Store, folder: &Path) -> Result<Self> {
        let probe = inputs.probe.as_ref().context("the probe is not built")?;
        let hash_only = folder.join("hash-only");
        fs::copy(probe.with_file_name("hash-only"), &hash_only)
            .context("hash-only is not built")?;
        Ok(Self {
            store,
            root: inputs.trixie(),
            hash_only,
            usage: folder.join("usage"),
        })
    }

    /// Runs one, and says what it used.
    pub fn run(&self, who: Who) -> Result<Usage> {
        let mut command = self.command(who, true)?;
        command.args(self.arguments(who));
        output(command).with_context(|| who.name())?;
        Ok(serde_json::from_slice(&fs::read(&self.usage)?)?)
    }

    /// Has the kernel forget the store. The program that runs next is started once: its own files are not what is measured.
    pub fn forget(&self, who: Who) -> Result<()> {
        output(self.root.command("sync")?)?;
        fs::write(FORGET, "3").with_context(|| {
            format!("{FORGET}: only root can have the kernel forget what it has read")
        })?;
        let mut command = self.command(who, false)?;
        match who {
            // It says what it is for, and fails.
            Who::Ours => command.arg("help").output().map(|_| ())?,
            _ => output({
                command.arg("--version");
                command
            })
            .map(|_| ())?,
        }
        Ok(())
    }

    fn command(&self, who: Who, timed: bool) -> Result<Command> {
        let program = match who {
            Who::Ours => "/bin/touchstone-stage1".into(),
            Who::Nix => "nix".into(),
            Who::Sha256sum | Who::Read => "bash".into(),
            Who::HashFiles | Who::HashOnly => self.hash_only.clone(),
        };
        let visit = self.visit(who);
        let visit = if timed {
            visit.usage(&self.usage)
        } else {
            visit
        };
        visit.command(program)
    }

    fn visit(&self, who: Who) -> Visit {
        let store = self.store;
        let nix = store.root.join("nix");
        match who {
            Who::Ours => Root::at(&store.initrd)
                .visit()
                .bind_at(nix, "/sysroot/nix")
                .bind_at(&store.line, "/proc/cmdline"),
            _ => {
                let visit = self.root.visit().bind_at(nix, "/nix");
                let shown = store.lists.iter().chain([&self.hash_only]);
                shown.fold(visit, |visit, file| visit.show(file))
            }
        }
    }

    fn arguments(&self, who: Who) -> Vec<String> {
        let store = self.store;
        let processors = store.lists.len();
        let each = |program: &str| {
            let mut words = vec!["-c".to_owned(), EACH.to_owned(), program.to_owned()];
            words.extend(store.lists.iter().map(|list| list.display().to_string()));
            words
        };
        let words = match who {
            Who::Ours => "verify".to_owned(),
            Who::Nix => format!(
                "store verify --recursive --sigs-needed 1 --option trusted-public-keys {} {}",
                store.key, store.toplevel
            ),
            Who::Sha256sum => return each("sha256sum"),
            Who::Read => return each("cat"),
            Who::HashFiles => {
                let lists = store.lists.iter();
                let lists: Vec<_> = lists.map(|list| list.display().to_string()).collect();
                lists.join(" ")
            }
            Who::HashOnly => format!("{} {processors}", store.bytes),
        };
        words.split(' ').map(str::to_owned).collect()
    }
}
