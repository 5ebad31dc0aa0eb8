//! The TPM policy: it admits everything that is kept, and is on the disk before what needs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use touchstone_artifacts::policy::{CreatePolicy, Running as RunningVariant, Variant};
use touchstone_artifacts::progress::Progress;
use touchstone_esp::{Content, EspPath};
use touchstone_store::manifest::CREDENTIAL;

use super::candidates::Default;
use super::decide::Decision;
use super::error::InstallError;
use super::images::{Identity, Wanted, Work, context};
use super::known::{Known, hex_of};
use super::present::Presents;
use super::running::Running;
use crate::Host;
use crate::generation::Boot;
use crate::settings::PolicySettings;

/// The registers that depend on what lies beside an image.
const OF_MANIFESTS: [u32; 2] = [9, 12];

/// A policy that is made, and where it belongs.
#[derive(Debug)]
pub struct Policy {
    /// Where it is written.
    pub place: Place,
    /// What it says.
    pub content: Vec<u8>,
    /// How many generations and specialisations it admits.
    pub admits: usize,
}

/// Where a policy is written.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Machine(PathBuf),
    /// On each partition.
    Partitions(EspPath),
}

/// What a policy is made of.
pub struct Parts<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What is asked for.
    pub settings: &'a PolicySettings,
    /// What is kept.
    pub decision: &'a Decision<'a>,
    /// What boots next.
    pub default: &'a Default,
    /// The generation that was booted.
    pub booted: Option<&'a Identity>,
    /// What the machine runs.
    pub running: &'a Running,
    /// The entries of the first partition.
    pub present: &'a Presents,
}

impl Parts<'_> {
    /// Makes the policy. Nothing on any partition is changed by then.
    ///
    /// # Errors
    /// [`InstallError::Policy`] when a prediction is missing, or the running generation is not among what is kept.
    pub fn make(
        &self,
        known: &mut Known,
        work: &Work,
        progress: &dyn Progress,
    ) -> Result<Policy, InstallError> {
        let place = self.place()?;
        self.refuse_unpredicted()?;
        self.refuse_other_manifests()?;
        let variants = self.variants()?;
        let running = self.running_variant()?;
        let next = name(
            &self.default.identity,
            self.default.specialisation.as_deref(),
        );
        let admits = variants.len();
        let request = CreatePolicy {
            variants,
            pcrs: self
                .settings
                .pcrs
                .iter()
                .copied()
                .collect::<BTreeSet<u32>>(),
            bank: self.bank()?,
            hash: touchstone_measure::Bank::Sha256,
            running: running.clone().map(|variant| RunningVariant {
                variant: Some(variant),
                ..RunningVariant::default()
            }),
            without_running: running.is_none(),
            next: Some(next),
            kept: Vec::new(),
            output: None,
            digest: None,
        };
        let of = fingerprint(&request);
        let content = match self.made_before(known, &of, &place) {
            Some(content) => content,
            None => {
                let unwritable = |error: std::io::Error| InstallError::Policy {
                    fact: error.to_string(),
                    help: "check that the folder of the state file has space".to_owned(),
                };
                let output = work.place("policy.json").map_err(unwritable)?;
                let request = CreatePolicy {
                    output: Some(output.clone()),
                    ..request
                };
                request
                    .run(&context(progress))
                    .map_err(|error| refused(&error))?;
                std::fs::read(&output).map_err(unwritable)?
            }
        };
        known.keep_policy(of, hex_of(&content));
        Ok(Policy {
            place,
            content,
            admits,
        })
    }

    fn place(&self) -> Result<Place, InstallError> {
        let output = &self.settings.output;
        if output.is_absolute() {
            return Ok(Place::Machine(output.clone()));
        }
        let path = EspPath::parse(&output.to_string_lossy());
        let path = path.map_err(|error| InstallError::Policy {
            fact: error.to_string(),
            help: "correct the policy's output in the configuration".to_owned(),
        })?;
        Ok(Place::Partitions(path))
    }

    fn bank(&self) -> Result<touchstone_measure::Bank, InstallError> {
        self.settings
            .bank
            .parse()
            .map_err(|_| InstallError::Policy {
                fact: format!("there is no bank {}", self.settings.bank),
                help: "name sha256, sha384 or sha512".to_owned(),
            })
    }

    /// What stays on a partition without being installed now may be booted as well, and nobody knows what it measures.
    fn refuse_unpredicted(&self) -> Result<(), InstallError> {
        let mut skipped = self.decision.skipped.iter();
        let stays = skipped
            .find(|skipped| skipped.stays && self.present.of(&skipped.identity).next().is_some());
        match stays {
            None => Ok(()),
            Some(skipped) => Err(InstallError::Policy {
                fact: format!(
                    "{} stays on the partitions, and cannot be read: {}",
                    name(&skipped.identity, None),
                    skipped.why
                ),
                help: "repair that generation, or delete it from its profile".to_owned(),
            }),
        }
    }

    /// A manifest beside an image is measured with it, and a prediction speaks of the one that the generation holds.
    fn refuse_other_manifests(&self) -> Result<(), InstallError> {
        let mut pcrs = self.settings.pcrs.iter();
        if !pcrs.any(|pcr| OF_MANIFESTS.contains(pcr)) {
            return Ok(());
        }
        for kept in &self.decision.kept {
            for boot in &kept.generation.boots {
                let mut entries = kept.entries.iter();
                let entry = entries.find(|one| one.name.specialisation == boot.specialisation);
                if entry.is_some_and(|entry| !self.is_as_predicted(entry, boot)) {
                    let name = name(&kept.identity, boot.specialisation.as_deref());
                    return Err(InstallError::Policy {
                        fact: format!("the manifest beside {name} is not the one that was predicted with it, and PCRs 9 and 12 depend on it"),
                        help: "sign the manifest when the generation is built, let it lie on the root file system, or bind the policy to neither".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn is_as_predicted(&self, entry: &Wanted, boot: &Boot) -> bool {
        let mut artifacts = entry.artifacts.iter();
        let Some(beside) = artifacts.find(|file| file.path.name() == CREDENTIAL) else {
            return true;
        };
        let built = boot.built_manifest();
        let place = built.and_then(|built| self.host.resolve(built).ok());
        let content = place.and_then(|place| std::fs::read(place).ok());
        content.is_some_and(|built| Content::Bytes(built).sha256() == beside.content.sha256())
    }

    fn variants(&self) -> Result<Vec<Variant>, InstallError> {
        let mut variants = Vec::new();
        for kept in &self.decision.kept {
            for boot in &kept.generation.boots {
                let name = name(&kept.identity, boot.specialisation.as_deref());
                variants.push(Variant {
                    prediction: self.prediction(&name, boot)?,
                    name,
                });
            }
        }
        Ok(variants)
    }

    fn prediction(&self, name: &str, boot: &Boot) -> Result<PathBuf, InstallError> {
        let missing = |fact: &str| {
            InstallError::Policy {
            fact: format!("{name} {fact}"),
            help: "build it with `boot.touchstone.measuredBoot.enable` and `boot.touchstone.sealed.enable`, delete it from its profile, or lower the limit of generations".to_owned(),
        }
        };
        let file = boot
            .prediction()
            .ok_or_else(|| missing("has no predicted PCR values"))?;
        let place = self.host.resolve(&file.path);
        let place = place.ok().filter(|place| place.is_file());
        place.ok_or_else(|| missing("has lost its predicted PCR values"))
    }

    /// The name of what runs; none on a machine that runs nothing of its own yet.
    fn running_variant(&self) -> Result<Option<String>, InstallError> {
        let Some(booted) = &self.running.booted else {
            return Ok(None);
        };
        let kept = self.decision.kept.iter();
        let mut kept = kept.filter(|kept| Some(&kept.identity) == self.booted);
        let found = kept.next().and_then(|kept| {
            let boots = kept.generation.boots.iter();
            let mut boots = boots.filter(|boot| boot.toplevel == *booted);
            Some(name(
                &kept.identity,
                boots.next()?.specialisation.as_deref(),
            ))
        });
        match found {
            Some(name) => Ok(Some(name)),
            None if first_install() => Ok(None),
            None => Err(InstallError::Policy {
                fact: format!(
                    "the running system, {}, is not among the kept generations, and would be locked out",
                    booted.display()
                ),
                help: "boot a generation of a profile first".to_owned(),
            }),
        }
    }

    /// The policy of these parts, if it still lies where it was written.
    fn made_before(&self, known: &Known, of: &str, place: &Place) -> Option<Vec<u8>> {
        let sha256 = known.policy(of)?;
        let file = match place {
            Place::Machine(path) => self.host.resolve(path).ok()?,
            Place::Partitions(path) => self.present.root().join(path.as_str()),
        };
        let content = std::fs::read(file).ok()?;
        (hex_of(&content) == sha256).then_some(content)
    }
}

/// Whether NixOS installs a boot loader for the first time.
pub fn first_install() -> bool {
    ["NIXOS_INSTALL_BOOTLOADER", "NIXOS_INSTALL_GRUB"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| value == "1"))
}

/// What people and policies call a generation or specialisation.
pub fn name(identity: &Identity, specialisation: Option<&str>) -> String {
    let profile = identity.profile.as_ref();
    let profile = profile
        .map(|name| format!(" of profile {name}"))
        .unwrap_or_default();
    let specialisation = specialisation.map(|name| format!(", specialisation {name}"));
    format!(
        "generation {}{profile}{}",
        identity.number,
        specialisation.unwrap_or_default()
    )
}

/// Predictions lie in the store, so that a path stands for its content.
fn fingerprint(request: &CreatePolicy) -> String {
    let version = env!("CARGO_PKG_VERSION");
    hex_of(
        format!(
            "{version}\n{}",
            serde_json::to_string(request).unwrap_or_default()
        )
        .as_bytes(),
    )
}

fn refused(error: &touchstone_artifacts::Error) -> InstallError {
    let file = error
        .file()
        .map(|file: &Path| format!(" ({})", file.display()));
    InstallError::Policy {
        fact: format!("{error}{}", file.unwrap_or_default()),
        help: error.help().to_owned(),
    }
}
