//! The generations of the boot checks (`checks/generations.nix`), built by real Nix in its sandbox, with keys made on the spot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

mod bootable;

pub use self::bootable::Bootable;

use self::bootable::{Called, bootable};
use crate::boot::Variables;
use crate::inputs::Inputs;
use crate::nix::{Nix, output};
use crate::nix_inputs::{
    KEYS_IN_SANDBOX, make_keys, make_manifest_key, package, show_keys, touchstone_package,
};

/// Which generations are built.
#[derive(Debug, Clone)]
pub struct Flavour {
    /// The suite whose stub and systemd-boot are used.
    pub suite: &'static str,
    /// Whether the firmware of the prediction enforces signatures.
    pub secure_boot: bool,
}

impl Default for Flavour {
    /// Debian 13's systemd under Secure Boot.
    fn default() -> Flavour {
        Flavour {
            suite: "trixie",
            secure_boot: true,
        }
    }
}

/// Keys, and what was signed by them.
#[derive(Debug)]
pub struct Generations {
    keys: PathBuf,
    nix: Nix,
    host: Nix,
    generation1: String,
    generation2: String,
}

impl Generations {
    /// Makes keys in `folder` and builds both generations into a Nix store there: boot artifacts beside the first one, the second one
    /// sealed. The sealed one is signed as Nix signs, and taken over by the store of a host that trusts the signature and has no key.
    ///
    /// # Errors
    /// When an input is missing or a build fails, with what Nix said.
    pub fn build(
        inputs: &Inputs,
        checkout: &Path,
        folder: &Path,
        flavour: &Flavour,
    ) -> Result<Generations> {
        let touchstone = inputs
            .touchstone
            .as_ref()
            .context("the static binary is not built: run `cargo xtask setup`")?;
        let probe = inputs
            .probe
            .as_ref()
            .context("the static probe is not built: run `cargo xtask setup`")?;
        let keys = folder.join("keys");
        make_keys(touchstone, &keys)?;
        let nix = Nix::new(inputs, folder.join("store"))?
            .show(checkout)
            .bind(folder)
            .show(package_folder(inputs)?);
        let trusted = make_manifest_key(&nix, &keys, "nix")?;
        let mut arguments = vec![
            checkout
                .join("checks/generations.nix")
                .display()
                .to_string(),
        ];
        arguments.extend(show_keys(&keys));
        for (name, value) in [
            ("touchstone", touchstone_package(inputs, folder)?),
            ("probe", package(folder, probe)?),
            (
                "kernel",
                input(inputs.kernel.get("amd64").map(|kernel| &kernel.vmlinuz))?,
            ),
            (
                "stub",
                input(
                    inputs
                        .stub
                        .get(flavour.suite)
                        .and_then(|by_arch| by_arch.get("x64")),
                )?,
            ),
            (
                "loader",
                input(
                    inputs
                        .boot
                        .get(flavour.suite)
                        .and_then(|by_arch| by_arch.get("x64")),
                )?,
            ),
            ("certificate", keys.join("db.pem")),
        ] {
            arguments.extend([
                "--arg".to_owned(),
                name.to_owned(),
                value.display().to_string(),
            ]);
        }
        let variable =
            |name: &str| format!("{name} = {};", keys.join(format!("{name}.esl")).display());
        let variables = ["PK", "KEK", "db"].map(variable).join(" ");
        for (name, value) in [
            ("key", format!("\"{KEYS_IN_SANDBOX}/db.key\"")),
            ("manifestKey", format!("\"{KEYS_IN_SANDBOX}/nix.secret\"")),
            ("secureBoot", format!("{{ {variables} }}")),
            ("enforced", flavour.secure_boot.to_string()),
        ] {
            arguments.extend(["--arg".to_owned(), name.to_owned(), value]);
        }
        let wanted = ["-A", "artifacts.generation1", "-A", "sealed.generation2"];
        let built = nix.build(arguments.iter().map(String::as_str).chain(wanted))?;
        let [generation1, generation2] =
            <[String; 2]>::try_from(built).map_err(|built| anyhow!("nix-build named {built:?}"))?;
        let host = Nix::new(inputs, folder.join("host"))?;
        hand_over(
            &nix,
            &keys,
            trusted.trim(),
            &folder.join("host"),
            &generation2,
        )?;
        Ok(Generations {
            keys,
            nix,
            host,
            generation1,
            generation2,
        })
    }

    /// The folder of test keys: PK, KEK and db, each as `.key`, `.pem` and `.esl`.
    #[must_use]
    pub fn keys(&self) -> &Path {
        &self.keys
    }

    /// The Nix that built them.
    #[must_use]
    pub fn nix(&self) -> &Nix {
        &self.nix
    }

    /// Generation 1, whose boot artifacts lie beside it.
    ///
    /// # Errors
    /// When its files are not where they are named.
    pub fn generation1(&self) -> Result<Bootable> {
        let called = Called {
            name: "Generation 1",
            generation: "1",
            specialisation: None,
        };
        bootable(&self.nix, &self.generation1, &called)
    }

    /// Generation 2 and its specialisation, sealed, as they lie in the host's store.
    ///
    /// # Errors
    /// When their files are not where they are named.
    pub fn sealed(&self) -> Result<[Bootable; 2]> {
        let generation = Called {
            name: "Sealed generation 2",
            generation: "2",
            specialisation: None,
        };
        let rescue = Called {
            name: "Sealed generation 2, specialisation rescue",
            generation: "2-rescue",
            specialisation: Some("rescue"),
        };
        Ok([
            bootable(&self.host, &self.generation2, &generation)?,
            bootable(&self.host, &self.generation2, &rescue)?,
        ])
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

/// Signs the closure of a path with the key that manifests are signed by, and copies it to the store in `host`, which asks for that
/// signature.
fn hand_over(nix: &Nix, keys: &Path, trusted: &str, host: &Path, path: &str) -> Result<()> {
    let mut sign = nix.command("nix")?;
    sign.args(["store", "sign", "--recursive", "--key-file"]);
    sign.arg(keys.join("nix.secret")).arg(path);
    output(sign)?;
    let mut copy = nix.command("nix")?;
    copy.args(["copy", "--to", &format!("local?root={}", host.display())]);
    copy.args(["--option", "trusted-public-keys", trusted, path]);
    output(copy).map(drop)
}

fn input(path: Option<&PathBuf>) -> Result<PathBuf> {
    path.cloned()
        .context("a package is missing among the inputs: run `cargo xtask setup`")
}

/// The folder under which every unpacked package lies.
fn package_folder(inputs: &Inputs) -> Result<PathBuf> {
    let cache = inputs.roots.trixie.ancestors().nth(3);
    cache
        .map(|cache| cache.join("packages"))
        .context("the trixie root is not in a cache")
}
