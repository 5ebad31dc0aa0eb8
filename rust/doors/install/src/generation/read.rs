//! Reading a generation: Bootspec v2, else v1, else what the toplevel's links say.

use std::io;
use std::path::{Path, PathBuf};

use touchstone_artifacts::bootspec::synthesized;
use touchstone_bootspec::touchstone::{self, NamedFile, Touchstone};
use touchstone_bootspec::{Core, Document, Extensions, ReadError, V1, V2};
use touchstone_store::json::JsonError;

use super::{Boot, Form, Generation, Parts, Recipe, StoredFile, secrets};
use crate::Host;
use crate::settings::{Settings, SettingsError};

/// Why a generation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A file of it is missing or unreadable.
    #[error("{} cannot be read: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Its `boot.json` breaks a rule.
    #[error("boot.json: {0}")]
    Document(#[from] ReadError),
    /// What it says of its boot artifacts breaks a rule.
    #[error("boot.json: {0}")]
    Artifacts(JsonError),
    /// It has no `boot.json`, and none can be made.
    #[error("it has no boot.json, and none can be made: {}", of(.0))]
    Synthesize(Box<touchstone_artifacts::Error>),
    /// Its artifacts are those of another path.
    #[error("its boot.json is that of {sealed}")]
    OfAnother {
        /// The sealed generation that is named.
        sealed: String,
    },
    /// A specialisation has no image.
    #[error("its specialisation `{0}` has no image")]
    NoImage(String),
    /// The secrets of its initrd break a rule.
    #[error("boot.json: {0}")]
    Secrets(#[from] touchstone_bootspec::InitrdSecretsError),
    /// Its `install.json` is there, and says nothing that is understood: whether its initrd verifies it is not known.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// What an operation stopped at, and in which file.
fn of(error: &touchstone_artifacts::Error) -> String {
    match error.file() {
        Some(file) => format!("{error} ({})", file.display()),
        None => error.to_string(),
    }
}

/// A document is no larger than this, in bytes.
const LIMIT: u64 = 1 << 26;
/// nixpkgs' extension for boot loaders that read entries of Type #1.
const SYSTEMD_BOOT: &str = "org.nixos.systemd-boot";

/// Reads the generation whose toplevel this is.
///
/// # Errors
/// [`Malformed`].
pub fn read(host: &Host, toplevel: &Path) -> Result<Generation, Malformed> {
    let document = document(host, toplevel)?;
    let artifacts = document
        .extensions
        .get(touchstone::KEY)
        .map(|extension| Touchstone::read(extension.to_value()))
        .transpose()
        .map_err(Malformed::Artifacts)?;
    let system = system(&document);
    let described = described(host, document)?;
    match artifacts {
        Some(artifacts) => sealed(toplevel, system, described, &artifacts),
        None => Ok(Generation {
            system,
            boots: described,
            loader: None,
            shim: None,
        }),
    }
}

fn document(host: &Host, toplevel: &Path) -> Result<Document, Malformed> {
    let file = toplevel.join("boot.json");
    match text(host, &file) {
        Ok(text) => Ok(Document::read(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let follow = |path: &Path| host.canonical(path);
            synthesized(toplevel, &follow, &|path| host.at(path))
                .map_err(|error| Malformed::Synthesize(Box::new(error)))
        }
        Err(source) => Err(Malformed::Read { file, source }),
    }
}

fn text(host: &Host, file: &Path) -> io::Result<Vec<u8>> {
    let place = host.resolve(file)?;
    if std::fs::metadata(&place)?.len() > LIMIT {
        return Err(io::Error::other(format!("more than {LIMIT} bytes")));
    }
    std::fs::read(place)
}

fn system(document: &Document) -> String {
    let v2 = document.v2.as_ref().map(|one| &one.core.system);
    let v1 = document.v1.as_ref().map(|one| &one.core.system);
    v2.or(v1).cloned().unwrap_or_default()
}

/// What is booted by kernel and initrds: v2 where there is one.
fn described(host: &Host, document: Document) -> Result<Vec<Boot>, Malformed> {
    let own = &document.extensions;
    if let Some(generation) = &document.v2 {
        let mut boots = vec![of_v2(host, None, &generation.core, own)?];
        for (name, one) in &generation.specialisations {
            boots.push(of_v2(host, Some(name), &one.core, &one.extensions)?);
        }
        return Ok(boots);
    }
    let mut boots = Vec::new();
    if let Some(generation) = &document.v1 {
        boots.push(of_v1(host, None, &generation.core, own)?);
        for (name, one) in &generation.specialisations {
            boots.push(match &one.beside {
                Some(core) => of_v2(host, Some(name), core, &one.extensions)?,
                None => of_v1(host, Some(name), &one.core, &one.extensions)?,
            });
        }
    }
    Ok(boots)
}

fn of_v2(
    host: &Host,
    name: Option<&String>,
    core: &V2,
    extensions: &Extensions,
) -> Result<Boot, Malformed> {
    let own = own(host, core.toplevel.as_str())?;
    let files = core.initrds.iter();
    let parts = Parts {
        kernel: core.kernel.as_str().into(),
        initrds: files.map(|file| file.as_str().into()).collect(),
        command_line: core.command_line(),
        devicetree: core
            .devicetree
            .as_ref()
            .map(|file| file.as_str().into())
            .or_else(|| devicetree(extensions)),
        sort_key: sort_key(extensions),
        secrets: secrets::of(host, name.map(String::as_str), extensions, None)?,
        recipe: own.as_ref().and_then(Recipe::of),
    };
    let verify = own.and_then(|own| own.verify);
    Ok(Boot {
        specialisation: name.cloned(),
        label: core.label.clone(),
        toplevel: core.toplevel.as_str().into(),
        verify,
        form: Form::Parts(Box::new(parts)),
    })
}

fn of_v1(
    host: &Host,
    name: Option<&String>,
    core: &V1,
    extensions: &Extensions,
) -> Result<Boot, Malformed> {
    let own = own(host, core.toplevel.as_str())?;
    let program = core.initrd_secrets.as_ref().map(|file| file.as_str());
    let parts = Parts {
        kernel: core.kernel.as_str().into(),
        initrds: core
            .initrd
            .iter()
            .map(|file| file.as_str().into())
            .collect(),
        command_line: core.command_line(),
        devicetree: devicetree(extensions),
        sort_key: sort_key(extensions),
        secrets: secrets::of(host, name.map(String::as_str), extensions, program)?,
        recipe: own.as_ref().and_then(Recipe::of),
    };
    let verify = own.and_then(|own| own.verify);
    Ok(Boot {
        specialisation: name.cloned(),
        label: core.label.clone(),
        toplevel: core.toplevel.as_str().into(),
        verify,
        form: Form::Parts(Box::new(parts)),
    })
}

/// The settings of a generation itself. Those of before, and those of others, have none.
fn own(host: &Host, toplevel: &str) -> Result<Option<Settings>, Malformed> {
    match Settings::of(host, Path::new(toplevel)) {
        Err(SettingsError::Missing(_)) => Ok(None),
        other => Ok(other.map(Some)?),
    }
}

fn sort_key(extensions: &Extensions) -> Option<String> {
    of_systemd_boot(extensions, "sortKey")
}

fn devicetree(extensions: &Extensions) -> Option<PathBuf> {
    of_systemd_boot(extensions, "devicetree").map(PathBuf::from)
}

/// What nixpkgs' extension says, where it says it.
fn of_systemd_boot(extensions: &Extensions, key: &str) -> Option<String> {
    let value = extensions.get(SYSTEMD_BOOT)?.to_value();
    Some(value.get(key)?.as_str()?.to_owned())
}

/// The same generation, booted by the images that it holds.
fn sealed(
    toplevel: &Path,
    system: String,
    described: Vec<Boot>,
    artifacts: &Touchstone,
) -> Result<Generation, Malformed> {
    match &artifacts.sealed {
        Some(path) if Path::new(path.as_str()) == toplevel => (),
        other => {
            let named = other.as_ref().map(|path| path.to_string());
            let sealed = named.unwrap_or_else(|| "artifacts beside a generation".to_owned());
            return Err(Malformed::OfAnother { sealed });
        }
    }
    let stored = |file: &NamedFile| stored(toplevel, file);
    let mut boots = Vec::new();
    for boot in described {
        let form = match &boot.specialisation {
            None => Form::Sealed {
                image: stored(&artifacts.uki.file),
                prediction: artifacts.pcrs.as_ref().map(stored),
            },
            Some(name) => {
                let one = artifacts.specialisations.get(name);
                let one = one.ok_or_else(|| Malformed::NoImage(name.clone()))?;
                let prediction = one.pcrs.as_ref().map(stored);
                match &one.profile {
                    Some(profile) => Form::Shared {
                        profile: profile.to_string(),
                        prediction,
                    },
                    None => Form::Sealed {
                        image: stored(&one.uki.file),
                        prediction,
                    },
                }
            }
        };
        boots.push(Boot { form, ..boot });
    }
    Ok(Generation {
        system,
        boots,
        loader: artifacts.loader.as_ref().map(|image| stored(&image.file)),
        shim: artifacts.shim.as_ref().map(|image| stored(&image.file)),
    })
}

fn stored(toplevel: &Path, file: &NamedFile) -> StoredFile {
    StoredFile {
        path: toplevel.join(file.path.as_str()),
        sha256: file.sha256.to_string(),
        size: file.size,
    }
}
