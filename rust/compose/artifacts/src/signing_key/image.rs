//! Who signs an image: a key that is open, or an agent that is shown the image.

use std::fs::File;

use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::check_key;
use touchstone_sign::{Certificate, Hash};

use super::{Holder, OpenKey, SignatureDigest, SigningKey, check_validity, read_certificates};
use crate::agent::AskedAgent;
use crate::{Context, Error};

/// Who signs an image.
pub(crate) enum ImageKey<'a> {
    /// A key, now.
    Open(Box<OpenKey>),
    /// An agent.
    Agent(Box<AgentSigner<'a>>),
}

/// An agent, and what its signatures have to look like.
pub(crate) struct AgentSigner<'a> {
    agent: AskedAgent<'a>,
    digest: SignatureDigest,
    /// The signer's, and its chain.
    certificates: Vec<Certificate>,
}

impl SigningKey {
    /// Opens the key for images, or finds the agent that holds it.
    ///
    /// # Errors
    /// As [`SigningKey::open`]; [`Error::Agent`] where there is no agent.
    pub(crate) fn for_images<'a>(&self, context: &Context<'a>) -> Result<ImageKey<'a>, Error> {
        match AskedAgent::of(&self.key, context)? {
            None => Ok(ImageKey::Open(Box::new(self.open(context)?))),
            Some(agent) => Ok(ImageKey::Agent(Box::new(self.by_agent(agent, context)?))),
        }
    }

    fn by_agent<'a>(
        &self,
        agent: AskedAgent<'a>,
        context: &Context<'a>,
    ) -> Result<AgentSigner<'a>, Error> {
        let holder = Holder {
            key: &self.key,
            passphrase_file: self.passphrase_file.as_deref(),
        };
        holder.refuse_passphrase()?;
        let certificates = read_certificates(context.files, &self.certificate)?;
        if let Some(certificate) = certificates.first() {
            let checked = check_key(certificate)
                .and_then(|_| check_validity(certificate, self.allow_expired, context));
            checked.map_err(|source| Error::Signer {
                key: self.key.clone(),
                source,
            })?;
        }
        Ok(AgentSigner {
            agent,
            digest: self.digest,
            certificates,
        })
    }
}

impl AgentSigner<'_> {
    /// The digest of image and signature.
    pub(crate) fn hash(&self) -> Hash {
        self.digest.into()
    }

    /// The signer's certificate.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// The signature of `image`, whose Authenticode digest is `digest`.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn signature(
        &self,
        image: &mut File,
        digest: &ImageDigest,
    ) -> Result<Vec<u8>, Error> {
        self.agent
            .image(self.digest, image, digest, &self.certificates)
    }
}
