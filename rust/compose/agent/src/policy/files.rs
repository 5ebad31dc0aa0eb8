//! Who may read and write the files that a policy names.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use touchstone_store::STORE_DIR;

use super::{ImageConstraints, Policy};

/// Others may write.
const OTHERS_WRITE: u32 = 0o022;
/// Others may do anything.
const OTHERS: u32 = 0o077;
/// Who may write to a folder may not rename or remove what is another's in it.
const STICKY: u32 = 0o1000;
/// Most links that are followed on the way to a file.
const LINKS: usize = 40;

/// A file of a policy that cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It cannot be looked at.
    #[error("{role} {} cannot be read: {fact}", file.display())]
    Unreadable {
        /// What it is to the policy.
        role: String,
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        fact: String,
    },
    /// Others than root and the agent's user may change it.
    #[error(
        "{role} lies at {}, which {fact}: who can change that decides what is signed; make it root's, and writable for nobody else",
        file.display()
    )]
    Writable {
        /// What it is to the policy.
        role: String,
        /// The file, or a folder above it.
        file: PathBuf,
        /// Who may write it.
        fact: String,
    },
    /// A secret lies in the Nix store.
    #[error(
        "{role} {} leads into the Nix store, which every user and every build can read: make a new one outside of it",
        file.display()
    )]
    Store {
        /// What it is to the policy.
        role: String,
        /// The file.
        file: PathBuf,
    },
    /// Others may read a secret.
    #[error(
        "{role} {} can be read by others (mode {mode:04o}): make a new one, and give it the mode 0600",
        file.display()
    )]
    Readable {
        /// What it is to the policy.
        role: String,
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// Looks at the policy itself and at every file that it names.
///
/// # Errors
/// The first [`FileFault`].
pub(super) fn check(policy: &Policy) -> Result<(), FileFault> {
    trusted("the policy", policy.file())?;
    secret(
        "the key of checkpoints",
        &policy.document().log.checkpoint_key,
    )?;
    for (name, key) in policy.keys() {
        let passphrase = key.passphrase_file.as_deref();
        let secrets = [Some(Path::new(&key.key)), passphrase];
        for secret in secrets
            .into_iter()
            .flatten()
            .filter(|path| path.is_absolute())
        {
            self::secret(&format!("the key `{name}`"), secret)?;
        }
        let public = [key.certificate.as_deref(), key.public_key.as_deref()];
        for file in public.into_iter().flatten() {
            trusted(&format!("what is public of the key `{name}`"), file)?;
        }
    }
    for (name, image) in &policy.document().images {
        for file in image.files() {
            trusted(&format!("a file of the image `{name}`"), file)?;
        }
    }
    Ok(())
}

impl ImageConstraints {
    /// Every file that is named.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let sections;
        let mut files: Vec<&PathBuf> = match self {
            Self::Uki(uki) => {
                sections = Some(&uki.sections);
                let parts = [&uki.stub.files, &uki.kernel.files, &uki.initrd.files];
                parts.into_iter().flatten().collect()
            }
            Self::Loader(loader) => {
                sections = None;
                loader.files.iter().collect()
            }
            Self::Addon(addon) => {
                sections = Some(&addon.sections);
                addon.stub.files.iter().collect()
            }
        };
        let contents = sections.into_iter().flat_map(|sections| sections.values());
        files.extend(contents.flat_map(|content| &content.files));
        files.into_iter().map(PathBuf::as_path).collect()
    }
}

/// Sees that nobody but root and the agent's own user decides what a path leads to: every folder, link and file on the way.
fn trusted(role: &str, path: &Path) -> Result<(), FileFault> {
    let mut waiting = vec![path.to_owned()];
    for _ in 0..LINKS {
        let Some(path) = waiting.pop() else {
            return Ok(());
        };
        if let Some(target) = walk(role, &path)? {
            waiting.push(target);
        }
    }
    Err(unreadable(role, path, "it leads through too many links"))
}

/// Looks at each component of an absolute path. The answer is where the path goes on behind its first link.
fn walk(role: &str, path: &Path) -> Result<Option<PathBuf>, FileFault> {
    let mut at = PathBuf::new();
    let mut components = path.components();
    let mut sticky = false;
    while let Some(component) = components.next() {
        at.push(component);
        let failed = |error: io::Error| unreadable(role, &at, &error.to_string());
        let found = std::fs::symlink_metadata(&at).map_err(failed)?;
        let (owner, mode) = (found.uid(), found.mode());
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(writable(role, &at, format!("belongs to the user {owner}")));
        }
        if found.is_symlink() {
            // A link has no rights of its own; the folder that it lies in has been looked at.
            let target = std::fs::read_link(&at).map_err(failed)?;
            at.pop();
            return Ok(Some(at.join(target).join(components.as_path())));
        }
        // In a sticky folder a file of ours stays ours.
        let keeps = found.is_dir() && mode & STICKY != 0;
        if mode & OTHERS_WRITE != 0 && !keeps {
            let mode = mode & 0o7777;
            return Err(writable(
                role,
                &at,
                format!("others may write (mode {mode:04o})"),
            ));
        }
        sticky = keeps;
    }
    match sticky {
        true => Err(writable(role, &at, "is a folder".to_owned())),
        false => Ok(None),
    }
}

fn secret(role: &str, path: &Path) -> Result<(), FileFault> {
    trusted(role, path)?;
    private(role, path)?;
    outside_of_the_store(role, path)
}

fn private(role: &str, path: &Path) -> Result<(), FileFault> {
    let failed = |error: io::Error| unreadable(role, path, &error.to_string());
    let mode = std::fs::metadata(path).map_err(failed)?.mode() & 0o7777;
    match mode & OTHERS {
        0 => Ok(()),
        _ => Err(FileFault::Readable {
            role: role.to_owned(),
            file: path.to_owned(),
            mode,
        }),
    }
}

/// A link outside of the store makes no key in it private.
fn outside_of_the_store(role: &str, path: &Path) -> Result<(), FileFault> {
    let failed = |error: io::Error| unreadable(role, path, &error.to_string());
    let leads_to = std::fs::canonicalize(path).map_err(failed)?;
    match leads_to.starts_with(STORE_DIR) {
        false => Ok(()),
        true => Err(FileFault::Store {
            role: role.to_owned(),
            file: path.to_owned(),
        }),
    }
}

fn unreadable(role: &str, file: &Path, fact: &str) -> FileFault {
    FileFault::Unreadable {
        role: role.to_owned(),
        file: file.to_owned(),
        fact: fact.to_owned(),
    }
}

fn writable(role: &str, file: &Path, fact: String) -> FileFault {
    FileFault::Writable {
        role: role.to_owned(),
        file: file.to_owned(),
        fact,
    }
}
