//! The generations of the boot checks (`checks/generations.nix`), built by real Nix in its sandbox, with keys made on the spot.

use std::path::Path;

use anyhow::{Result, anyhow};

mod bootable;
mod evaluated;
mod given;
mod workshop;

pub use self::bootable::{Bootable, Called, bootable};
pub use self::evaluated::Evaluated;
pub use self::workshop::Workshop;

use crate::boot::Variables;
use crate::inputs::Inputs;
use crate::nix::Nix;

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
    workshop: Workshop,
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
        let workshop = Workshop::new(inputs, checkout, folder, flavour)?;
        let wanted = ["artifacts.generation1", "sealed.generation2"];
        let built = workshop.build(&wanted, &[])?;
        let [generation1, generation2] =
            <[String; 2]>::try_from(built).map_err(|built| anyhow!("nix-build named {built:?}"))?;
        let host = Nix::new(inputs, folder.join("host"))?;
        hand_over(&workshop, &folder.join("host"), &generation2)?;
        Ok(Generations {
            workshop,
            host,
            generation1,
            generation2,
        })
    }

    /// The folder of test keys: PK, KEK and db, each as `.key`, `.pem` and `.esl`.
    #[must_use]
    pub fn keys(&self) -> &Path {
        self.workshop.keys()
    }

    /// The Nix that built them.
    #[must_use]
    pub fn nix(&self) -> &Nix {
        self.workshop.nix()
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
        bootable(self.workshop.nix(), &self.generation1, &called)
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

    /// What the plugin predicts of them while Nix evaluates.
    ///
    /// # Errors
    /// When the plugin is not built, or Nix refuses.
    pub fn evaluated(&self, inputs: &Inputs) -> Result<Evaluated> {
        self.workshop.evaluated(inputs)
    }

    /// The keys as the firmware is given them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn variables(&self, secure_boot: bool) -> Result<Variables> {
        self.workshop.variables(secure_boot)
    }
}

/// Signs the closure of a path with the key that manifests are signed by, and copies it to the store in `host`, which asks for that
/// signature.
fn hand_over(workshop: &Workshop, host: &Path, path: &str) -> Result<()> {
    workshop.sign(path)?;
    let to = format!("local?root={}", host.display());
    let trusted = ["--option", "trusted-public-keys", workshop.trusted()];
    workshop.copy(&to, &trusted, &[path])
}
