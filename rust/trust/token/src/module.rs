//! PKCS#11 modules, loaded once each.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use crate::error::TokenError;
use crate::uri;

/// p11-kit's proxy, as the dynamic linker finds it: under its own name, and under the name of the library that it is part of.
const SYSTEM: [&str; 2] = ["p11-kit-proxy.so", "libp11-kit.so.0"];

/// The modules in use. PKCS#11 has one state per process and module: two signers share it, and only the last may end it.
static IN_USE: Mutex<BTreeMap<PathBuf, InUse>> = Mutex::new(BTreeMap::new());

struct InUse {
    context: Pkcs11,
    users: usize,
    /// Whether it was initialized here, and not by another part of the process.
    ours: bool,
}

/// A module that is loaded and initialized, until the last of its users is gone.
pub(crate) struct Module {
    context: Pkcs11,
    file: PathBuf,
}

impl Module {
    pub(crate) fn open(name: &uri::Module) -> Result<Self, TokenError> {
        let candidates = candidates(name);
        let mut first_error = None;
        for file in &candidates {
            match Self::load(file) {
                Ok(module) => return Ok(module),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let module = candidates
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(" or ");
        Err(match first_error {
            Some(Error::LibraryLoading(error)) => TokenError::Load {
                module,
                what: error.to_string(),
            },
            Some(Error::MissingSymbol(symbol)) => TokenError::Load {
                module,
                what: format!("it has no function {symbol}, as PKCS#11 modules do"),
            },
            Some(other) => other.into(),
            None => TokenError::Module("it has no name".to_owned()),
        })
    }

    fn load(file: &Path) -> Result<Self, Error> {
        // One module under two names is still one; a bare name is the dynamic linker's to find.
        let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let mut in_use = in_use();
        if let Some(module) = in_use.get_mut(&file) {
            module.users = module.users.saturating_add(1);
            let context = module.context.clone();
            return Ok(Self { context, file });
        }
        let context = Pkcs11::new(&file)?;
        let ours = match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) => true,
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => false,
            Err(error) => return Err(error),
        };
        let module = InUse {
            context: context.clone(),
            users: 1,
            ours,
        };
        in_use.insert(file.clone(), module);
        Ok(Self { context, file })
    }
}

impl Deref for Module {
    type Target = Pkcs11;

    fn deref(&self) -> &Pkcs11 {
        &self.context
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let mut in_use = in_use();
        let Some(module) = in_use.get_mut(&self.file) else {
            return;
        };
        module.users = module.users.saturating_sub(1);
        if module.users > 0 {
            return;
        }
        let ended = in_use.remove(&self.file).filter(|module| module.ours);
        // What a module answers to its end changes nothing any more.
        let _ = ended.map(|module| module.context.finalize());
    }
}

fn in_use() -> MutexGuard<'static, BTreeMap<PathBuf, InUse>> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn candidates(name: &uri::Module) -> Vec<PathBuf> {
    match name {
        uri::Module::System => SYSTEM.map(PathBuf::from).to_vec(),
        uri::Module::File(file) => vec![file.clone()],
        uri::Module::InFolder { folder, name } => vec![
            folder.join(format!("lib{name}.so")),
            folder.join(format!("{name}.so")),
        ],
    }
}
