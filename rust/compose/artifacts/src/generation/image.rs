//! Makes the UKIs of a generation.

use std::collections::BTreeMap;
use std::path::Path;

use touchstone_bootspec::touchstone::{Profile, ProfileId};
use touchstone_measure::{Digests, UkiMeasurer};
use touchstone_pe::SectionObserver;

use super::files::{MadeFile, MadeImage, create, described, written};
use super::maker::Maker;
use super::plan::{MAIN, PlannedUki, inner_folder};
use super::prediction::{Chosen, Started, digests};
use crate::firmware::Firmware;
use crate::policy::PcrKeys;
use crate::source::{Text, open};
use crate::uki::{Parts, Signers, assemble};
use crate::{Error, Files};

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
        let (image, started) = self.image(planned, folder)?;
        let prediction = started.map(|started| self.prediction(started, folder));
        let prediction = prediction.transpose()?;
        let predicted = |inner: &Path, chosen: &Chosen| {
            let Some(prediction) = &prediction else {
                return Ok(None);
            };
            create(&folder.join(inner))?;
            let path = inner.join("pcrs.json").display().to_string();
            prediction.write(chosen, &folder.join(&path))?;
            described(folder, path).map(Some)
        };
        Ok(MadeUki {
            image,
            profiles: planned.described()?,
            pcrs: predicted(inner, &own(planned))?,
            shared: shared(planned, |name, chosen| {
                predicted(&inner_folder(name), chosen)
            })?,
        })
    }

    /// Writes the image, and measures it on the way if a prediction is wanted.
    fn image<'a>(
        &'a self,
        planned: &'a PlannedUki<'_>,
        folder: &Path,
    ) -> Result<(MadeImage, Option<Started<'a>>), Error> {
        let parts = self.parts(planned);
        let name = planned.folder.join("uki.efi").display().to_string();
        let pcr_signer = self.pcr_keys.as_ref().map(PcrKeys::signer);
        let signers = Signers {
            image: self.signer(),
            pcrs: pcr_signer.as_ref(),
        };
        let firmware = self.firmware.as_ref();
        let measurer = firmware.map(|firmware| measurer(self.context.files, firmware, &parts));
        let mut measurer = measurer.transpose()?;
        let mut authenticode = Digests::default();
        let image = written(folder, &name, |out, target| {
            let mut observers: Vec<&mut dyn SectionObserver> = Vec::new();
            observers.extend(measurer.as_mut().map(|it| it as &mut dyn SectionObserver));
            let (layout, answer) =
                assemble(&parts, signers, target, out, &mut observers, self.context)?;
            if let Some(firmware) = firmware {
                authenticode = digests(&layout, out, &firmware.ask.banks, target)?;
            }
            Ok(answer)
        })?;
        let started = firmware.zip(measurer).map(|(firmware, measurer)| Started {
            firmware,
            name,
            kernel: Path::new(planned.core.kernel.as_str()),
            measurer,
            authenticode,
            manifest: planned.verified.beside.as_deref(),
        });
        Ok((image, started))
    }

    fn parts(&self, planned: &PlannedUki<'_>) -> Parts {
        let (request, core) = (self.request, planned.core);
        let initrds = core.initrds.iter();
        let profiles = planned.profiles.iter();
        Parts {
            stub: request.stub.clone(),
            linux: Some(core.kernel.as_str().into()),
            initrds: initrds.map(|path| path.as_str().into()).collect(),
            verify: planned.verified.initrd.clone(),
            cmdline: Some(Text::Inline(request.command_line(core))),
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

/// Measures an image while it is written. Its microcode is read before: it stands behind the initrds in an image, and in front of them in
/// what the stub hands on.
fn measurer(files: &dyn Files, firmware: &Firmware, parts: &Parts) -> Result<UkiMeasurer, Error> {
    let mut measurer = UkiMeasurer::new(&firmware.ask.banks);
    let Some(path) = &parts.ucode else {
        return Ok(measurer);
    };
    let role = "microcode";
    let announced = measurer.announce_microcode(&mut open(files, role, path)?);
    announced.map_err(|source| Error::Open {
        role,
        file: path.clone(),
        source,
    })?;
    Ok(measurer)
}
