//! The predicted PCR values of what was made.

use std::fs::File;
use std::path::Path;

use touchstone_measure::{
    Bank, Branch, Companions, DeviceTree, Digest, Digests, Loader, Program, Shim, StartedImage,
    Uki, UkiMeasurer, Vouching, authenticode_digests,
};
use touchstone_pe::layout::Written;
use touchstone_store::manifest::CREDENTIAL;

use super::maker::{LOADER, Maker};
use crate::companions::{self, companions};
use crate::firmware::Firmware;
use crate::output::STAGED;
use crate::predict::NoPrediction;
use crate::sign::By;
use crate::{Error, Files, predict};

/// A UKI that was made and measured while it was.
pub(super) struct Started<'a> {
    /// What it is predicted for.
    pub(super) firmware: &'a Firmware,
    /// Its path below the folder of artifacts.
    pub(super) name: String,
    /// The kernel in it.
    pub(super) kernel: &'a Path,
    /// What was measured.
    pub(super) measurer: UkiMeasurer,
    /// Its Authenticode digests.
    pub(super) authenticode: Digests,
    /// The manifest that lies beside it.
    pub(super) manifest: Option<&'a Path>,
}

/// Which profiles of a UKI a prediction is about.
pub(super) enum Chosen {
    /// All that can be chosen.
    All,
    /// These, by number and ID.
    Profiles(Vec<(usize, String)>),
}

/// Everything on the way to the UKI, and the UKI.
pub(super) struct BootPrediction<'a> {
    firmware: &'a Firmware,
    shim: Option<Shim>,
    loader: Option<Loader>,
    uki: Uki,
}

impl Maker<'_> {
    /// What is predicted of a UKI.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn prediction<'a>(
        &self,
        started: Started<'a>,
        folder: &Path,
    ) -> Result<BootPrediction<'a>, Error> {
        let firmware = started.firmware;
        self.context.progress.phase("predicting");
        let refused = |source| Error::Predict {
            file: Some(self.request.stub.clone()),
            source,
        };
        let measured = started.measurer.finish();
        let measured = measured.map_err(|source| refused(NoPrediction::Uki(source)))?;
        let signer = self.signer();
        let certificate = signer.as_ref().and_then(By::certificate);
        let authority = firmware.authority_of_signer(certificate)?;
        let image = StartedImage {
            name: format!("the UKI {}", started.name),
            authenticode: started.authenticode,
            // Its sections end at a multiple of the file alignment: signing does not pad it.
            vouching: authority
                .clone()
                .map_or(Vouching::Unknown, Vouching::Promised),
        };
        let uki = Uki {
            image,
            measured,
            kernel: firmware.kernel_digests(self.context.files, started.kernel)?,
            extra: beside(self.context.files, firmware, started.manifest)?,
            profile: None,
            device_tree: self.request.device_tree.map(DeviceTree::from),
            content: None,
        };
        let named = self.request.loader.as_ref();
        // As it will be started: signing may pad it.
        let loader =
            named.map(|named| firmware.loader(&STAGED, &folder.join(LOADER), named, authority));
        let shim = self
            .request
            .shim
            .as_ref()
            .map(|shim| shim.open(self.context.files, firmware));
        Ok(BootPrediction {
            firmware,
            shim: shim.transpose()?,
            loader: loader.transpose()?,
            uki,
        })
    }
}

impl BootPrediction<'_> {
    /// Writes the prediction of the chosen profiles to `file`.
    ///
    /// # Errors
    /// [`Error::Predict`], [`Error::Write`].
    pub(super) fn write(&self, chosen: &Chosen, file: &Path) -> Result<(), Error> {
        let program = |profile| {
            let uki = self.uki.clone();
            Program::Uki(Box::new(Uki { profile, ..uki }))
        };
        let name = &self.uki.image.name;
        let entries = match chosen {
            Chosen::All => vec![Branch::named(name, program(None))],
            Chosen::Profiles(profiles) => profiles
                .iter()
                .map(|(number, id)| {
                    let name = format!("{name}, profile @{number} ({id})");
                    Branch::named(name, program(Some(*number)))
                })
                .collect(),
        };
        let prediction = self.firmware.predict(
            self.shim.clone(),
            self.loader.clone(),
            entries,
            Companions::default(),
        )?;
        predict::publish(&STAGED, &prediction, Some(file))
    }
}

/// The files beside a UKI: its manifest, if one lies there.
fn beside(
    files: &dyn Files,
    firmware: &Firmware,
    manifest: Option<&Path>,
) -> Result<Companions, Error> {
    let manifest = manifest.map(|file| (CREDENTIAL.to_owned(), file.to_owned()));
    companions(
        files,
        firmware,
        &manifest.into_iter().collect(),
        companions::of_extra_folder,
    )
}

/// The Authenticode digests of an image that was just written: the SHA-256 one was computed on the way, others need a second pass.
///
/// # Errors
/// [`Error::Pe`].
pub(super) fn digests(
    written: &Written,
    out: &mut File,
    banks: &[Bank],
    target: &Path,
) -> Result<Digests, Error> {
    if banks == [Bank::Sha256] {
        return Ok(Digest::from_bytes(&written.authenticode_sha256)
            .into_iter()
            .collect());
    }
    authenticode_digests(&written.image, out, banks).map_err(|source| Error::Pe {
        role: "UKI",
        file: target.to_owned(),
        source,
    })
}
