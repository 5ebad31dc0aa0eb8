//! Who signs an image: a key that is open, or an agent that is shown the image.

use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::check_key;
use touchstone_sign::{Certificate, Hash};

use super::{Holder, OpenKey, SignatureDigest, SigningKey, check_validity, read_certificates};
use crate::agent::{AskedAgent, ShownImage};
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

    /// What the agent answers for an image.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn ask(&self, image: &ShownImage<'_>) -> Result<Answered<'_>, Error> {
        Ok(Answered {
            signer: self,
            signature: self.agent.image(self.digest, image)?,
        })
    }
}

/// What an agent answered for an image, perhaps before that was written.
pub(crate) struct Answered<'a> {
    pub(crate) signer: &'a AgentSigner<'a>,
    signature: Vec<u8>,
}

impl Answered<'_> {
    /// Whether it is of an image with this Authenticode SHA-256, as far as that can be said: a signature of another digest may be.
    pub(crate) fn is_of(&self, sha256: &[u8; 32]) -> bool {
        let is_sha256 = self.signer.hash() == Hash::Sha256;
        !is_sha256 || self.signature(&ImageDigest::sha256(sha256)).is_ok()
    }

    /// The signature, if it is that of the image with this Authenticode digest.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn signature(&self, digest: &ImageDigest) -> Result<Vec<u8>, Error> {
        let signer = self.signer;
        let confirmed = signer
            .agent
            .confirm(&self.signature, digest, &signer.certificates);
        confirmed.map(|()| self.signature.clone())
    }
}
