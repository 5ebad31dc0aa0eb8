//! `closure.verify`: whether a toplevel's closure in a store is what trusted keys signed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::closure::{self, Expected, Refused, Settings, Trusted};
use touchstone_store::manifest::{Class, ClosureError, VerifyError};
use touchstone_store::{PublicKey, StorePath, Trust};

use crate::closure_known::Known;
use crate::manifest::MANIFEST_LIMIT;
use crate::progress::in_a_thread;
use crate::source::read_small;
use crate::{Context, Error, Files};

/// The request of `closure.verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifyClosure {
    /// The path that is verified, with all that it refers to.
    pub toplevel: StorePath,
    /// The keys that are trusted.
    pub trusted_public_keys: Vec<PublicKey>,
    /// How many different ones of them must have signed each path.
    #[serde(default = "one")]
    pub sigs_needed: usize,
    /// The folder below which `nix/store` lies, such as a disk that is mounted there; the running system when none is named.
    pub root: Option<PathBuf>,
    /// Nix' database, where hashes, references and signatures are found. Without it, `signatures` and `manifest`: the database of the
    /// store's own Nix, or the registry of a machine without Nix.
    pub nix_database: Option<PathBuf>,
    /// A folder of `.narinfo` files that says them, as `nix copy --to file://FOLDER` makes it.
    pub signatures: Option<PathBuf>,
    /// A manifest that says them.
    pub manifest: Option<PathBuf>,
    /// The class of machines that the manifest as a whole must be signed for. Only with `manifest`.
    pub class: Option<Class>,
}

fn one() -> usize {
    1
}

/// The answer of `closure.verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClosureVerdict {
    /// Whether every path is signed, and in the store as it was signed.
    pub verified: bool,
    /// How many paths the toplevel reaches, itself included; 0 when not all of them are signed.
    pub paths: usize,
    /// The sum of their NAR sizes in bytes.
    pub nar_size: u64,
    /// What is wrong. When something is not signed, that alone: then it is not known what the store should hold.
    pub findings: Vec<ClosureFinding>,
}

/// One thing that is wrong with a closure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClosureFinding {
    /// The path, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<StorePath>,
    /// What is wrong, in a sentence.
    pub fact: String,
}

impl VerifyClosure {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Refused`] when the keys can decide nothing, when what is known cannot be read, or when others may write to the store;
    /// [`Error::NixDatabase`], [`Error::Request`], [`Error::Open`], [`Error::Manifest`]. What is not as it was signed is no error.
    pub fn run(&self, context: &Context<'_>) -> Result<ClosureVerdict, Error> {
        let keys = self.trusted_public_keys.clone();
        let trust = Trust::new(keys, self.sigs_needed);
        let trust = trust.map_err(|error| Error::refused(error.into()))?;
        let known = self.known();
        context
            .progress
            .phase("reading what is known of the closure");
        let trusted = match self.trusted(context.files, &known, &trust)? {
            Err(refused @ (Refused::Registry(_) | Refused::Manifest(_))) => {
                return Err(Error::refused(refused));
            }
            Err(refused) => return Ok(unsigned(&refused)),
            Ok(trusted) => trusted,
        };
        let store = known.store()?;
        context.progress.phase("hashing the closure");
        let lies = in_a_thread(context.progress, |progress| {
            let lies = closure::lies(&store, &trusted, &Settings::default(), &|done| {
                progress.bytes(done.bytes, done.of_bytes);
            });
            lies.into_iter().map(finding).collect::<Vec<_>>()
        });
        Ok(ClosureVerdict {
            verified: lies.is_empty(),
            paths: trusted.paths().len(),
            nar_size: trusted.nar_size(),
            findings: lies,
        })
    }

    /// What is signed of the closure.
    fn trusted(
        &self,
        files: &dyn Files,
        known: &Known<'_>,
        trust: &Trust,
    ) -> Result<Result<Trusted, Refused>, Error> {
        let Some(class) = &self.class else {
            let registry = known.of(files, &self.toplevel)?;
            return Ok(Trusted::from_registry(&self.toplevel, &registry, trust));
        };
        let (Some(file), None, None) = (&self.manifest, &self.nix_database, &self.signatures)
        else {
            return Err(Error::Request {
                fact: "a class is asked for, and no manifest alone is named".to_owned(),
                help: "only manifests are signed for a class of machines: name one",
            });
        };
        let bytes = read_small(files, "manifest", file, MANIFEST_LIMIT)?;
        let class = Some(class);
        Ok(Trusted::from_manifest(
            &*bytes,
            trust,
            &self.toplevel,
            class,
        ))
    }

    fn known(&self) -> Known<'_> {
        Known {
            root: self.root.as_deref(),
            nix_database: self.nix_database.as_deref(),
            signatures: self.signatures.as_deref(),
            manifest: self.manifest.as_deref(),
        }
    }
}

fn finding((expected, refused): (&Expected, Refused)) -> ClosureFinding {
    ClosureFinding {
        path: Some(expected.path.clone()),
        fact: refused.to_string(),
    }
}

fn unsigned(refused: &Refused) -> ClosureVerdict {
    let finding = ClosureFinding {
        path: path_of(refused).cloned(),
        fact: refused.to_string(),
    };
    ClosureVerdict {
        verified: false,
        paths: 0,
        nar_size: 0,
        findings: vec![finding],
    }
}

/// The path that makes a closure one that nobody signed.
fn path_of(refused: &Refused) -> Option<&StorePath> {
    match refused {
        Refused::Unknown(path) | Refused::Incomplete { missing: path, .. } => Some(path),
        Refused::Signatures(error)
        | Refused::Address {
            unsigned: error, ..
        } => match error {
            VerifyError::TooFewSignatures { path, .. } => Some(path),
            _ => None,
        },
        Refused::Closure(ClosureError::NoSize(path)) => Some(path),
        _ => None,
    }
}
