//! Images that are made on this machine, of generations that hold none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_agent::client::{Place, SigningAgent};
use touchstone_artifacts::extra_initrd::{self, Verification};
use touchstone_artifacts::progress::Progress;
use touchstone_artifacts::signing_key::{KeyPolicy, SigningKey};
use touchstone_artifacts::source::{Text, TextFile};
use touchstone_artifacts::uki::{AssembleUki, Parts as UkiParts, ProfileTexts};
use touchstone_artifacts::verify::VerifyPe;
use touchstone_artifacts::{Context, HostFiles};
use touchstone_bootspec::touchstone::{ProfileId, Title};
use touchstone_esp::{Content, sha256};

use super::{Incomplete, Maker, fingerprint};
use crate::generation::secrets::SecretsError;
use crate::generation::{Boot, Parts, Recipe, Secrets};
use crate::install::known::{Image, Known};
use crate::settings::{Carrier, Settings, Signing};

/// Images that are being made: each is made when somebody needs its bytes, because most are on the partitions already.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    /// Removes a folder that is not the state file's.
    _guard: Option<TempDir>,
    /// By the path where it will be: what it is made of.
    planned: BTreeMap<PathBuf, Planned>,
}

#[derive(Clone, Debug)]
struct Planned {
    request: AssembleUki,
    of: String,
    image: Image,
}

/// What came of making an image that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is what it was before.
    Same,
    /// It is another one, as signatures of some keys are: everything has to be planned again.
    Different,
}

impl Work {
    /// A folder for images, beside the state file; it is made when there is something for it. What a killed run left there goes: installers
    /// that write take turns. One that only looks has a folder elsewhere.
    ///
    /// # Errors
    /// Those of making and removing folders.
    pub fn open(state: &Path, only_looks: bool) -> io::Result<Self> {
        let mut guard = None;
        let folder = if only_looks {
            let made = tempfile::Builder::new().prefix("touchstone-").tempdir()?;
            let folder = made.path().to_owned();
            guard = Some(made);
            folder
        } else {
            let folder = state.with_extension("work");
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            folder
        };
        Ok(Self {
            folder,
            _guard: guard,
            planned: BTreeMap::new(),
        })
    }

    /// The folder itself, which is there when something was made.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// A path for a file that is made, in a folder that is there.
    ///
    /// # Errors
    /// Those of making it.
    pub fn place(&self, name: &str) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(self.folder.join(name))
    }

    /// Makes the image that is to lie at this path, if it is one of these and not there yet.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub fn provide(
        &self,
        path: &Path,
        known: &mut Known,
        progress: &dyn Progress,
    ) -> Result<Again, Incomplete> {
        let Some(planned) = self.planned.get(path).filter(|_| !path.exists()) else {
            return Ok(Again::Same);
        };
        let made = make(&planned.request, progress)?;
        if made == planned.image {
            return Ok(Again::Same);
        }
        known.made(planned.of.clone(), made);
        Ok(Again::Different)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays goes at the next run.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Maker<'_> {
    /// The image of kernel and initrds: its digest, and where its bytes will be.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub(super) fn assemble(
        &mut self,
        boot: &Boot,
        parts: &Parts,
        manifest: Option<&Path>,
    ) -> Result<([u8; 32], Content), Incomplete> {
        let mut request = self.request(boot, parts, manifest)?;
        let of = fingerprint::of(&request)?;
        let path = self.work.folder.join(format!("{of}.efi"));
        request.output = path.clone();
        let image = match self.known.image(&of) {
            Some(image) => image,
            None => {
                let made = make(&request, self.progress)?;
                self.known.made(of.clone(), made.clone());
                made
            }
        };
        let sha256 = data_encoding::HEXLOWER
            .decode(image.sha256.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| Incomplete::Changed(path.clone()))?;
        let content = Content::Copy {
            source: path.clone(),
            size: image.size,
            sha256,
        };
        self.work
            .planned
            .insert(path, Planned { request, of, image });
        Ok((sha256, content))
    }

    fn request(
        &mut self,
        boot: &Boot,
        parts: &Parts,
        manifest: Option<&Path>,
    ) -> Result<AssembleUki, Incomplete> {
        match &parts.secrets {
            Secrets::None => (),
            Secrets::Files(_) => return Err(Incomplete::SecretsInImage),
            Secrets::Program(program) => {
                return Err(SecretsError::Program(program.clone()).into());
            }
        }
        let recipe = parts.recipe.clone().or_else(|| Recipe::of(self.settings));
        let recipe = recipe.ok_or(Incomplete::NotSealed)?;
        let place = |path: &Path| self.place(path);
        let places = |paths: &[PathBuf]| paths.iter().map(|path| place(path)).collect();
        let initrds: Result<Vec<PathBuf>, Incomplete> = places(&parts.initrds);
        let stub = place(&recipe.stub)?;
        self.check_stub(boot, &stub)?;
        let verify = boot.verify.as_ref().map(|verify| {
            let carried = manifest.filter(|_| verify.carrier == Carrier::Image);
            Verification {
                manifest: carried.map(Path::to_owned),
            }
        });
        let ended = |line: String| match &verify {
            Some(_) => extra_initrd::ended(line),
            None => line,
        };
        let mut profile_texts = profiles(&recipe, parts)?;
        for texts in &mut profile_texts {
            texts.cmdline = ended(std::mem::take(&mut texts.cmdline));
        }
        Ok(AssembleUki {
            parts: UkiParts {
                stub,
                linux: Some(place(&parts.kernel)?),
                initrds: initrds?,
                cmdline: Some(Text::Inline(ended(parts.command_line.clone()))),
                verify,
                os_release: Some(self.os_release(boot)),
                splash: recipe.splash.as_deref().map(place).transpose()?,
                dtb: parts.devicetree.as_deref().map(place).transpose()?,
                sections: recipe.sections.clone(),
                profile_texts,
                ..UkiParts::default()
            },
            sign: signing_key(self.host, self.settings),
            pcr_sign: recipe.pcr_sign.clone(),
            measure: None,
            output: PathBuf::new(),
        })
    }

    fn place(&self, path: &Path) -> Result<PathBuf, Incomplete> {
        let missing = |source| Incomplete::Missing {
            file: path.to_owned(),
            source,
        };
        let place = self.host.resolve(path).map_err(missing)?;
        match place.is_file() {
            true => Ok(place),
            false => Err(missing(io::ErrorKind::NotFound.into())),
        }
    }

    /// That of the toplevel, by which images of sealed generations are sorted, too.
    pub(super) fn os_release(&self, boot: &Boot) -> Text {
        let file = self.host.resolve(boot.toplevel.join("etc/os-release"));
        match file.ok().filter(|file| file.is_file()) {
            Some(file) => Text::File(TextFile { file }),
            None => Text::Inline(format!(
                "NAME=\"{distro}\"\nID={key}\nPRETTY_NAME=\"{distro}\"\n",
                distro = self.settings.distro,
                key = self.settings.sort_key
            )),
        }
    }
}

/// The profiles of an image, as `boot.artifacts` makes them.
fn profiles(recipe: &Recipe, parts: &Parts) -> Result<Vec<ProfileTexts>, Incomplete> {
    let text = |id: &str, fact: String| Incomplete::Text(format!("the profile `{id}`: {fact}"));
    recipe
        .profiles
        .iter()
        .map(|profile| {
            let id = &profile.id;
            ProfileId::parse(id).map_err(|error| text(id, error.to_string()))?;
            let title = match &profile.title {
                Some(title) => {
                    Title::parse(title).map_err(|error| text(id, error.to_string()))?;
                    format!("\nTITLE={title}")
                }
                None => String::new(),
            };
            let mut words = profile.kernel_params.iter();
            if words.any(|word| word.starts_with("init=")) {
                let fact = "its kernel parameters name another init".to_owned();
                return Err(text(id, fact));
            }
            let words = parts.command_line.split(' ').map(str::to_owned);
            let mut line = words.collect();
            extra_initrd::with_more(&mut line, profile.kernel_params.iter().cloned());
            Ok(ProfileTexts {
                profile: format!("ID={id}{title}"),
                cmdline: line.join(" "),
            })
        })
        .collect()
}

/// Who signs on this machine.
pub(crate) fn signing_key(host: &crate::Host, settings: &Settings) -> Option<SigningKey> {
    let Signing {
        key,
        certificate,
        pin_source,
    } = settings.signing.as_ref()?;
    let place = |path: &Path| host.resolve(path).unwrap_or_else(|_| host.at(path));
    let is_file = Path::new(key).is_absolute();
    Some(SigningKey {
        key: match is_file {
            true => place(Path::new(key)).display().to_string(),
            false => key.clone(),
        },
        certificate: place(certificate),
        passphrase_file: pin_source.as_deref().map(place),
        digest: Default::default(),
        allow_expired: false,
    })
}

/// Assembles, signs, and looks whether firmware that knows the certificate would start it.
fn make(request: &AssembleUki, progress: &dyn Progress) -> Result<Image, Incomplete> {
    let failed = |source| Incomplete::Missing {
        file: request.output.clone(),
        source,
    };
    if let Some(folder) = request.output.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let made = request.run(&context(progress))?.uki;
    if let Some(key) = &request.sign {
        check(&request.output, &key.certificate, progress)?;
    }
    let digest = File::open(&request.output).and_then(sha256);
    let digest = digest.map_err(failed)?;
    Ok(Image {
        sha256: data_encoding::HEXLOWER.encode(&digest),
        size: made.size,
    })
}

/// Whether firmware whose `db` has this certificate alone would start the image.
///
/// # Errors
/// [`Incomplete::Unbootable`].
pub(crate) fn check(
    image: &Path,
    certificate: &Path,
    progress: &dyn Progress,
) -> Result<(), Incomplete> {
    let verdict = VerifyPe {
        file: image.to_owned(),
        certificates: vec![certificate.to_owned()],
        ..VerifyPe::default()
    };
    let verdict = verdict.run(&context(progress))?;
    if verdict.boots {
        return Ok(());
    }
    let reasons: Vec<String> = verdict
        .reasons
        .into_iter()
        .map(|reason| reason.why)
        .collect();
    Err(Incomplete::Unbootable {
        file: image.to_owned(),
        fact: reasons.join("; "),
    })
}

/// Who holds keys that are named `agent:…`.
const AGENT: SigningAgent = SigningAgent::new(Place::Machine);

/// What operations are lent on the machine itself.
pub(crate) fn context(progress: &dyn Progress) -> Context<'_> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Context {
        files: &HostFiles,
        progress,
        keys: KeyPolicy::Any,
        agent: Some(&AGENT),
        now: now.ok().map(|since| since.as_secs()),
    }
}
