//! Who signs the images of a generation.

use super::BootArtifacts;
use crate::boot_signatures::{DetachedSignatures, OpenFolder};
use crate::sign::By;
use crate::signing_key::{ImageKey, SigningKey};
use crate::{Context, Error};

/// Who signs the images.
pub(super) enum ImageSigner<'a> {
    /// A key or an agent, now.
    Key(ImageKey<'a>),
    /// Somebody did, elsewhere.
    Elsewhere(OpenFolder),
}

impl<'a> ImageSigner<'a> {
    /// The signer that a request names, if it names one.
    ///
    /// # Errors
    /// [`Error::Request`] when it names two, and whatever opening the one returns.
    pub(super) fn open(
        request: &BootArtifacts,
        context: &Context<'a>,
    ) -> Result<Option<Self>, Error> {
        let by_key = |key: &SigningKey| key.for_images(context).map(Self::Key);
        let elsewhere = |folder: &DetachedSignatures| folder.open(context).map(Self::Elsewhere);
        match (&request.sign, &request.detached) {
            (Some(_), Some(_)) => Err(Error::Request {
                fact: "both `sign` and `detached` are given".to_owned(),
                help: "name a key, or the signatures that were made elsewhere",
            }),
            (Some(key), None) => by_key(key).map(Some),
            (None, folder) => folder.as_ref().map(elsewhere).transpose(),
        }
    }

    /// For each image.
    pub(super) fn by(&self) -> By<'_> {
        match self {
            Self::Key(key) => By::from(key),
            Self::Elsewhere(folder) => By::Folder(folder),
        }
    }
}
