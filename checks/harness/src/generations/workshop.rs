//! Keys and a Nix that builds generations with them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Flavour;
use super::evaluated::{Evaluated, evaluate};
use super::given::{Given, given};
use crate::boot::Variables;
use crate::inputs::Inputs;
use crate::nix::{Nix, output};
use crate::nix_inputs::{make_keys, make_manifest_key, show_keys};

/// The store's folder.
const STORE: &str = "store";

/// A store, and the keys by which what it builds is signed.
#[derive(Debug)]
pub struct Workshop {
    checkout: PathBuf,
    folder: PathBuf,
    keys: PathBuf,
    nix: Nix,
    trusted: String,
    given: Vec<(&'static str, Given)>,
    arguments: Vec<String>,
}

impl Workshop {
    /// Makes keys and a store in `folder`.
    ///
    /// # Errors
    /// When an input is missing.
    pub fn new(
        inputs: &Inputs,
        checkout: &Path,
        folder: &Path,
        flavour: &Flavour,
    ) -> Result<Workshop> {
        let touchstone = inputs
            .touchstone
            .as_ref()
            .context("the static binary is not built: run `cargo xtask setup`")?;
        let keys = folder.join("keys");
        make_keys(touchstone, &keys)?;
        let nix = Nix::new(inputs, folder.join(STORE))?
            .show(checkout)
            .bind(folder)
            .show(package_folder(inputs)?);
        let trusted = make_manifest_key(&nix, &keys, "nix")?;
        let given = given(inputs, folder, &keys, flavour)?;
        Ok(Workshop {
            checkout: checkout.to_owned(),
            folder: folder.to_owned(),
            nix,
            trusted: trusted.trim().to_owned(),
            arguments: arguments(checkout, &keys, &given)?,
            keys,
            given,
        })
    }

    /// The folder of test keys: PK, KEK and db, each as `.key`, `.pem` and `.esl`; and the key that Nix signs with, `nix.secret`.
    #[must_use]
    pub fn keys(&self) -> &Path {
        &self.keys
    }

    /// The Nix that builds.
    #[must_use]
    pub fn nix(&self) -> &Nix {
        &self.nix
    }

    /// The public half of the key that Nix signs with, as Nix writes it.
    #[must_use]
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// Builds attributes of `checks/generations.nix` with further arguments; the answer is their store paths.
    ///
    /// # Errors
    /// When a build fails, with what Nix said.
    pub fn build(&self, attributes: &[&str], more: &[String]) -> Result<Vec<String>> {
        let wanted = attributes.iter().flat_map(|name| ["-A", name]);
        let given = self.arguments.iter().chain(more).map(String::as_str);
        self.nix.build(given.chain(wanted))
    }

    /// What the plugin predicts of the generations while Nix evaluates, once [`Workshop::build`] has built them.
    ///
    /// # Errors
    /// When the plugin is not built, Nix refuses, or a derivation is another one than was built.
    pub fn evaluated(&self, inputs: &Inputs) -> Result<Evaluated> {
        let store = self.folder.join(STORE);
        evaluate(inputs, &self.checkout, &self.folder, &store, &self.given)
    }

    /// Signs the closure of a path with the key that manifests are signed by.
    ///
    /// # Errors
    /// When Nix refuses.
    pub fn sign(&self, path: &str) -> Result<()> {
        let mut sign = self.nix.command("nix")?;
        sign.args(["store", "sign", "--recursive", "--key-file"]);
        sign.arg(self.keys.join("nix.secret")).arg(path);
        output(sign).map(drop)
    }

    /// Copies the closures of paths to another store, as Nix names stores; `options` are of `nix copy`.
    ///
    /// # Errors
    /// When Nix refuses.
    pub fn copy(&self, to: &str, options: &[&str], paths: &[&str]) -> Result<()> {
        let mut copy = self.nix.command("nix")?;
        copy.args(["copy", "--to", to]).args(options).args(paths);
        output(copy).map(drop)
    }

    /// The keys as the firmware is given them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn variables(&self, secure_boot: bool) -> Result<Variables> {
        let read = |name: &str| {
            let path = self.keys.join(format!("{name}.esl"));
            fs::read(&path).with_context(|| format!("reading {}", path.display()))
        };
        Ok(Variables {
            pk: read("PK")?,
            kek: read("KEK")?,
            db: read("db")?,
            dbx: Vec::new(),
            secure_boot,
        })
    }
}

/// The file of the generations, and its arguments.
fn arguments(checkout: &Path, keys: &Path, given: &[(&'static str, Given)]) -> Result<Vec<String>> {
    let file = checkout.join("checks/generations.nix");
    let mut arguments = vec![file.display().to_string()];
    arguments.extend(show_keys(keys));
    for (name, value) in given {
        let value = value.expression(|path| Ok(path.display().to_string()))?;
        arguments.extend(["--arg".to_owned(), (*name).to_owned(), value]);
    }
    Ok(arguments)
}

/// The folder under which every unpacked package lies.
fn package_folder(inputs: &Inputs) -> Result<PathBuf> {
    let cache = inputs.roots.trixie.ancestors().nth(3);
    cache
        .map(|cache| cache.join("packages"))
        .context("the trixie root is not in a cache")
}
