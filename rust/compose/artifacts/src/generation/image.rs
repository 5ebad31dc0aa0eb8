//! Makes the UKIs of a generation.

use std::collections::BTreeMap;
use std::path::Path;

use touchstone_bootspec::Core;
use touchstone_bootspec::touchstone::{Profile, ProfileId, ValueError};
use touchstone_measure::UkiMeasurer;

use super::files::{MadeFile, MadeImage, create, described, written};
use super::maker::Maker;
use super::plan::{MAIN, PlannedUki, inner_folder};
use super::prediction::{Chosen, Started, digests};
use crate::Error;
use crate::policy::PcrKeys;
use crate::source::{Text, open};
use crate::uki::{Parts, Signers, assemble};

/// A UKI that was made, and the predictions of what boots with it.
#[derive(Debug)]
pub(super) struct MadeUki {
    pub(super) image: MadeImage,
    /// Its profiles, where it is divided into some.
    pub(super) profiles: Vec<Profile>,
    pub(super) pcrs: Option<MadeFile>,
    /// The specialisations that are profiles of it.
    pub(super) shared: BTreeMap<String, SharedSpecialisation>,
}

/// A specialisation that is a profile.
#[derive(Debug)]
pub(super) struct SharedSpecialisation {
    pub(super) profile: ProfileId,
    pub(super) pcrs: Option<MadeFile>,
}

impl Maker<'_> {
    /// Makes a UKI in `folder`, and its predictions.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn uki(&self, planned: &PlannedUki<'_>, folder: &Path) -> Result<MadeUki, Error> {
        let inner = &planned.folder;
        create(&folder.join(inner))?;
        let parts = self.parts(planned);
        let name = inner.join("uki.efi").display().to_string();
        let pcr_signer = self.pcr_keys.as_ref().map(PcrKeys::signer);
        let signers = Signers {
            image: self.signer(),
            pcrs: pcr_signer.as_ref(),
        };
        let made = |image, pcrs, shared| -> Result<MadeUki, Error> {
            Ok(MadeUki {
                image,
                profiles: profiles(planned).map_err(unnamed)?,
                pcrs,
                shared,
            })
        };
        let Some(firmware) = &self.firmware else {
            let image = written(folder, &name, |out, target| {
                Ok(assemble(&parts, signers, target, out, &mut [], self.context)?.1)
            })?;
            return made(image, None, shared(planned, |_, _| Ok(None))?);
        };
        let mut measurer = UkiMeasurer::new(&firmware.ask.banks);
        announce_microcode(&parts, &mut measurer)?;
        let mut authenticode = None;
        let image = written(folder, &name, |out, target| {
            let observers = &mut [&mut measurer as _];
            let (layout, answer) = assemble(&parts, signers, target, out, observers, self.context)?;
            authenticode = Some(digests(&layout, out, &firmware.ask.banks, target)?);
            Ok(answer)
        })?;
        let started = Started {
            name: &name,
            kernel: Path::new(planned.core.kernel.as_str()),
            measurer,
            authenticode: authenticode.unwrap_or_default(),
        };
        let prediction = self.prediction(firmware, started, folder)?;
        let predicted = |inner: &Path, chosen: &Chosen| {
            let path = inner.join("pcrs.json").display().to_string();
            prediction.write(chosen, &folder.join(&path))?;
            described(folder, path).map(Some)
        };
        let pcrs = predicted(inner, &own(planned))?;
        let shared = shared(planned, |name, chosen| {
            let inner = inner_folder(name);
            create(&folder.join(&inner))?;
            predicted(&inner, chosen)
        })?;
        made(image, pcrs, shared)
    }

    fn parts(&self, planned: &PlannedUki<'_>) -> Parts {
        let (request, core) = (self.request, planned.core);
        let initrds = core.initrds.iter();
        let profiles = planned.profiles.iter();
        Parts {
            stub: request.stub.clone(),
            linux: Some(core.kernel.as_str().into()),
            initrds: initrds.map(|path| path.as_str().into()).collect(),
            cmdline: Some(Text::Inline(core.command_line())),
            os_release: request.os_release.clone(),
            sbat: request.sbat.clone(),
            splash: request.splash.clone(),
            ucode: request.ucode.clone(),
            dtb: core.devicetree.as_ref().map(|path| path.as_str().into()),
            dtbauto: request.dtbauto.clone(),
            hwids: request.hwids.clone(),
            pcrpkey: request.pcrpkey.clone(),
            sections: request.sections.clone(),
            profile_texts: profiles.map(|profile| profile.texts()).collect(),
            compat: request.compat,
            checksum: false,
            ..Parts::default()
        }
    }
}

/// The profiles as the document lists them, the UKI's own first.
fn profiles(planned: &PlannedUki<'_>) -> Result<Vec<Profile>, ValueError> {
    if planned.profiles.is_empty() {
        return Ok(Vec::new());
    }
    let main = Profile {
        id: ProfileId::parse(MAIN)?,
        title: None,
    };
    let others = planned.profiles.iter().map(|profile| Profile {
        id: profile.id.clone(),
        title: profile.title.clone(),
    });
    Ok(std::iter::once(main).chain(others).collect())
}

/// Which profiles are not specialisations.
fn own(planned: &PlannedUki<'_>) -> Chosen {
    if !planned.is_shared() {
        return Chosen::All;
    }
    let profiles = planned.profiles.iter().zip(1..);
    let own = profiles.filter(|(profile, _)| profile.specialisation.is_none());
    let own = own.map(|(profile, number)| (number, profile.id.to_string()));
    Chosen::Profiles(std::iter::once((0, MAIN.to_owned())).chain(own).collect())
}

/// The specialisations among the profiles, each with its prediction by `predict`.
fn shared(
    planned: &PlannedUki<'_>,
    predict: impl Fn(&str, &Chosen) -> Result<Option<MadeFile>, Error>,
) -> Result<BTreeMap<String, SharedSpecialisation>, Error> {
    let profiles = planned.profiles.iter().zip(1..);
    let shared = profiles.filter_map(|(profile, number)| {
        let name = profile.specialisation.as_ref()?;
        Some((name, profile, number))
    });
    let made = shared.map(|(name, profile, number)| {
        let chosen = Chosen::Profiles(vec![(number, profile.id.to_string())]);
        let one = SharedSpecialisation {
            profile: profile.id.clone(),
            pcrs: predict(name, &chosen)?,
        };
        Ok((name.clone(), one))
    });
    made.collect()
}

fn unnamed(error: ValueError) -> Error {
    Error::Request {
        fact: error.to_string(),
        help: "give profiles names of letters, digits and dashes",
    }
}

/// Microcode stands behind the initrds in an image, and in front of them in what the stub hands on.
fn announce_microcode(parts: &Parts, measurer: &mut UkiMeasurer) -> Result<(), Error> {
    let Some(path) = &parts.ucode else {
        return Ok(());
    };
    let role = "microcode";
    measurer
        .announce_microcode(&mut open(role, path)?)
        .map_err(|source| Error::Open {
            role,
            file: path.clone(),
            source,
        })
}
