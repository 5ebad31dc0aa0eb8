//! What `checks/generations.nix` is given, as arguments of `nix-build` and as an expression of a flake.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Flavour;
use crate::inputs::Inputs;
use crate::nix_inputs::{KEYS_IN_SANDBOX, package, touchstone_package};

/// The value of one argument.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// A file or folder.
    Path(PathBuf),
    /// Files by name.
    Paths(Vec<(&'static str, PathBuf)>),
    /// A Nix expression that names no file of this machine.
    Expression(String),
}

impl Given {
    /// The value as a Nix expression; `placed` says how that names a path.
    pub(super) fn expression(
        &self,
        mut placed: impl FnMut(&Path) -> Result<String>,
    ) -> Result<String> {
        Ok(match self {
            Given::Path(path) => placed(path)?,
            Given::Paths(paths) => {
                let mut text = "{ ".to_owned();
                for (name, path) in paths {
                    text += &format!("{name} = {}; ", placed(path)?);
                }
                text + "}"
            }
            Given::Expression(text) => text.clone(),
        })
    }
}

/// All arguments by name. Programs are copied into the folder, as packages.
pub(super) fn given(
    inputs: &Inputs,
    folder: &Path,
    keys: &Path,
    flavour: &Flavour,
) -> Result<Vec<(&'static str, Given)>> {
    let probe = inputs.probe.as_ref();
    let probe = probe.context("the static probe is not built: run `cargo xtask setup`")?;
    let kernel = inputs.kernel.get("amd64").map(|kernel| &kernel.vmlinuz);
    let stub = inputs.stub.get(flavour.suite);
    let stub = stub.and_then(|by_arch| by_arch.get("x64"));
    let loader = inputs.boot.get(flavour.suite);
    let loader = loader.and_then(|by_arch| by_arch.get("x64"));
    let variables = ["PK", "KEK", "db"].map(|name| (name, keys.join(format!("{name}.esl"))));
    let in_sandbox = |name: &str| Given::Expression(format!("\"{KEYS_IN_SANDBOX}/{name}\""));
    Ok(vec![
        (
            "touchstone",
            Given::Path(touchstone_package(inputs, folder)?),
        ),
        ("probe", Given::Path(package(folder, probe)?)),
        ("kernel", input(kernel)?),
        ("stub", input(stub)?),
        ("loader", input(loader)?),
        ("certificate", Given::Path(keys.join("db.pem"))),
        ("key", in_sandbox("db.key")),
        ("manifestKey", in_sandbox("nix.secret")),
        ("secureBoot", Given::Paths(variables.into())),
        (
            "enforced",
            Given::Expression(flavour.secure_boot.to_string()),
        ),
    ])
}

fn input(path: Option<&PathBuf>) -> Result<Given> {
    let path = path.context("a package is missing among the inputs: run `cargo xtask setup`")?;
    Ok(Given::Path(path.clone()))
}
