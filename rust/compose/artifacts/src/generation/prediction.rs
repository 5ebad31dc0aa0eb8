//! The predicted PCR values of what was made.

use std::fs::File;
use std::path::Path;

use touchstone_measure::{
    Bank, Branch, Companions, Digest, Digests, Program, StartedImage, Uki, UkiMeasurer, Vouching,
    authenticode_digests,
};
use touchstone_pe::layout::Written;

use super::maker::{LOADER, Maker};
use crate::firmware::Firmware;
use crate::predict::NoPrediction;
use crate::sign::By;
use crate::{Error, predict};

/// A UKI that was made and measured while it was.
pub(super) struct Started<'a> {
    /// Its path below the folder of artifacts.
    pub(super) name: &'a str,
    /// The kernel in it.
    pub(super) kernel: &'a Path,
    /// What was measured.
    pub(super) measurer: UkiMeasurer,
    /// Its Authenticode digests.
    pub(super) authenticode: Digests,
}

impl Maker<'_> {
    /// Writes the prediction of what boots with a UKI to `folder/path`.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn predict(
        &self,
        firmware: &Firmware,
        started: Started<'_>,
        folder: &Path,
        path: &str,
    ) -> Result<(), Error> {
        self.context.progress.phase("predicting");
        let Some(named) = &self.request.loader else {
            return Err(Error::Request {
                fact: "a prediction is asked for without a boot loader".to_owned(),
                help: "give `loader`: PCR values depend on what starts the UKI",
            });
        };
        let refused = |source| Error::Predict {
            file: Some(self.request.stub.clone()),
            source,
        };
        let measured = started.measurer.finish();
        let measured = measured.map_err(|source| refused(NoPrediction::Uki(source)))?;
        let signer = self.signer();
        let certificate = signer.as_ref().and_then(By::certificate);
        let authority = firmware.authority_of_signer(certificate)?;
        let name = format!("the UKI {}", started.name);
        let image = StartedImage {
            name: name.clone(),
            authenticode: started.authenticode,
            // Its sections end at a multiple of the file alignment: signing does not pad it.
            vouching: authority
                .clone()
                .map_or(Vouching::Unknown, Vouching::Promised),
        };
        let uki = Uki {
            image,
            measured,
            kernel: firmware.kernel_digests(started.kernel)?,
            extra: Companions::default(),
            profile: None,
            device_tree: None,
            content: None,
        };
        // As it will be started: signing may pad it.
        let loader = firmware.loader(&folder.join(LOADER), named, authority)?;
        let prediction = firmware.predict(
            None,
            Some(loader),
            vec![Branch::named(name, Program::Uki(Box::new(uki)))],
            Companions::default(),
        )?;
        predict::publish(&prediction, Some(&folder.join(path)))
    }
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
