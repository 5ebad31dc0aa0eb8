//! `closure.secrets`: whether private keys lie in store paths, which everybody can read.
//!
//! A key is known by its whole form, never by a word: a library that knows what a PEM file begins with holds no key. docs/checks.md
//! says which kinds are found, and which cannot be.

mod allow;
mod der;
mod pem;
mod published;
mod scan;
#[cfg(test)]
mod tests;
mod text;

use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::closure_files::{graph, walk};
use crate::refuted::Refuted;
use crate::{Context, Error, Files, output};
use allow::Allowed;
pub use scan::{Placed, Scanner};

/// The request of `closure.secrets`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FindSecrets {
    /// Files and folders: every regular file in them is read. Symbolic links are not followed: what they point to in the store is a
    /// path of the closure itself.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
    /// The list that Nix' `exportReferencesGraph` gives: all of its paths are looked at as well.
    pub closure: Option<Value>,
    /// Keys that may be there: a fingerprint (64 hex digits), or a pattern of paths, which begins with `/` and in which `*` is any text
    /// without `/` and `**` any text.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whether a key that only one TPM can use counts (`TSS2 PRIVATE KEY`).
    #[serde(default)]
    pub tpm_bound: bool,
    /// Whether it is an error when a key is found, as it is in a build.
    #[serde(default)]
    pub required: bool,
    /// Where the answer is written as well; not when the request is refused.
    pub output: Option<PathBuf>,
}

/// The answer of `closure.secrets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsVerdict {
    /// Whether no key was found but those that are allowed.
    pub clean: bool,
    /// The keys, by their places.
    pub found: Vec<FoundSecret>,
    /// Those that the request allows, and those that everybody has.
    pub allowed: Vec<FoundSecret>,
    /// What the request allows and was not there.
    pub unused: Vec<String>,
    /// How many store paths (or named paths) were looked at.
    pub paths: usize,
    /// How many files were read.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// A key, without a byte of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FoundSecret {
    /// The file.
    pub path: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// What it is.
    #[serde(flatten)]
    pub secret: Secret,
    /// For a key that everybody has, and that is therefore allowed: where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<&'static str>,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Secret {
    /// In which form it is written.
    pub kind: Kind,
    /// Whether a passphrase protects it, which can be guessed wherever it is read.
    pub encrypted: bool,
    /// SHA-256, in hex, of the public half: of its SubjectPublicKeyInfo, for OpenSSH of its blob. Where the public half does not follow
    /// (keys under a passphrase, in a TPM, and of rare algorithms): of the key's DER or, in openssl's traditional encryption, its cipher text.
    pub fingerprint: String,
}

/// The forms of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// PKCS#8 (`PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`), of any algorithm.
    Pkcs8,
    /// RSA (`RSA PRIVATE KEY`).
    Pkcs1,
    /// An elliptic curve (`EC PRIVATE KEY`).
    Sec1,
    /// DSA in OpenSSL's form (`DSA PRIVATE KEY`).
    Dsa,
    /// OpenSSH (`OPENSSH PRIVATE KEY`).
    OpenSsh,
    /// A key that a TPM wrapped (`TSS2 PRIVATE KEY`).
    Tss2,
    /// A signing key of Nix.
    Nix,
    /// An identity of age.
    Age,
}

impl Secret {
    fn plain(kind: Kind, fingerprint: String) -> Secret {
        Secret {
            kind,
            encrypted: false,
            fingerprint,
        }
    }

    fn encrypted(kind: Kind, fingerprint: String) -> Secret {
        Secret {
            encrypted: true,
            ..Secret::plain(kind, fingerprint)
        }
    }
}

impl Kind {
    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pkcs8 => "a private key (PKCS#8)",
            Kind::Pkcs1 => "a private RSA key (PKCS#1)",
            Kind::Sec1 => "a private key of an elliptic curve (SEC 1)",
            Kind::Dsa => "a private DSA key",
            Kind::OpenSsh => "a private key of OpenSSH",
            Kind::Tss2 => "a private key that one TPM can use (TSS2)",
            Kind::Nix => "a signing key of Nix",
            Kind::Age => "an identity of age",
        }
    }
}

impl FoundSecret {
    /// The finding in a line.
    pub fn line(&self) -> String {
        let under = match self.secret.encrypted {
            true => ", under a passphrase",
            false => "",
        };
        let published = self.published.map(|name| format!(" ({name})"));
        format!(
            "{}: {}{under} at byte {}, fingerprint {}{}",
            self.path.display(),
            self.secret.kind.name(),
            self.offset,
            self.secret.fingerprint,
            published.unwrap_or_default()
        )
    }
}

impl FindSecrets {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`] when something cannot be read: what was not looked at may hold a key. [`Error::Request`] when nothing is named or
    /// an entry of `allow` is of no form; [`Error::Refuted`] when a key is found and that is `required` not to be; [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<SecretsVerdict, Error> {
        context.progress.phase("looking for private keys");
        let allowed = Allowed::parse(&self.allow)?;
        let paths = graph::all_paths(&self.paths, self.closure.as_ref())?;
        let mut search = Search {
            scanner: Scanner::default(),
            verdict: SecretsVerdict {
                clean: true,
                found: Vec::new(),
                allowed: Vec::new(),
                unused: Vec::new(),
                paths: paths.len(),
                files: 0,
                bytes: 0,
            },
            found: Vec::new(),
        };
        for path in &paths {
            walk::files(context.files, path, &mut |file| {
                search.file(context.files, file)
            })?;
        }
        let verdict = search.judge(&allowed, self.tpm_bound);
        if self.required && !verdict.clean {
            return Err(refuted(&verdict));
        }
        output::answer(context.files, self.output.as_deref(), &verdict)?;
        Ok(verdict)
    }
}

/// What was found so far.
struct Search {
    scanner: Scanner,
    verdict: SecretsVerdict,
    found: Vec<FoundSecret>,
}

impl Search {
    fn file(&mut self, files: &dyn Files, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Open {
            role: "file that is searched for keys",
            file: path.to_owned(),
            source,
        };
        let mut file = files.locate(path).and_then(File::open).map_err(failed)?;
        let (found, length) = self.scanner.scan(&mut file).map_err(failed)?;
        self.verdict.files += 1;
        self.verdict.bytes += length;
        self.found
            .extend(found.into_iter().map(|placed| FoundSecret {
                path: path.to_owned(),
                offset: placed.offset,
                published: published::name(&placed.secret.fingerprint),
                secret: placed.secret,
            }));
        Ok(())
    }

    fn judge(self, allowed: &Allowed<'_>, tpm_bound: bool) -> SecretsVerdict {
        let counts = |found: &FoundSecret| tpm_bound || found.secret.kind != Kind::Tss2;
        let (mut verdict, found) = (self.verdict, self.found);
        let found: Vec<FoundSecret> = found.into_iter().filter(counts).collect();
        verdict.unused = allowed.unused(&found);
        (verdict.allowed, verdict.found) = found
            .into_iter()
            .partition(|found| found.published.is_some() || allowed.has(found));
        verdict.clean = verdict.found.is_empty();
        verdict
    }
}

fn refuted(verdict: &SecretsVerdict) -> Error {
    let lines = verdict.found.iter().map(FoundSecret::line);
    Error::Refuted {
        claim: Refuted::NoSecrets,
        file: verdict.found.first().map(|found| found.path.clone()),
        findings: lines.collect::<Vec<_>>().join("\n  "),
    }
}
