//! An agent that is asked with one of its keys, and whose answers are verified.

use touchstone_measure::policy::SignedDigest;
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached;
use touchstone_sign::{Certificate, PublicKey};
use touchstone_store::manifest::whole_text;
use touchstone_store::{Manifest, Trust};

use super::{Agent, AgentError, AgentKey, PcrValuesAsked, ShownImage};
use crate::signing_key::SignatureDigest;
use crate::{Context, Error};

/// An agent, and the key with which it is to sign.
pub(crate) struct AskedAgent<'a> {
    agent: &'a dyn Agent,
    key: AgentKey,
    /// The key, as the request names it.
    named: String,
}

impl<'a> AskedAgent<'a> {
    /// The agent that holds the key `named`; none where an agent does not hold it.
    ///
    /// # Errors
    /// [`Error::Agent`] where the text is wrong, or the door leads to no agent.
    pub(crate) fn of(named: &str, context: &Context<'a>) -> Result<Option<Self>, Error> {
        let failed = |source| failed(named, source);
        let Some(key) = AgentKey::parse(named) else {
            return Ok(None);
        };
        Ok(Some(Self {
            key: key.map_err(failed)?,
            agent: context.agent.ok_or(AgentError::NoAgent).map_err(failed)?,
            named: named.to_owned(),
        }))
    }

    /// What it answers for `image`, not [confirmed](Self::confirm).
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn image(
        &self,
        hash: SignatureDigest,
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, Error> {
        let signature = self.agent.authenticode(&self.key, hash, image);
        signature.map_err(|source| self.failed(source))
    }

    /// Sees that the answer is the signature of the image with this Authenticode digest that the key of these certificates would have made here.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn confirm(
        &self,
        signature: &[u8],
        digest: &ImageDigest,
        certificates: &[Certificate],
    ) -> Result<(), Error> {
        detached::confirm(signature, digest, certificates)
            .map_err(|error| self.wrong(error.to_string()))
    }

    /// The public half of a key for values of PCR 11.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn pcr_public_key(&self) -> Result<PublicKey, Error> {
        let half = self.public_half()?;
        PublicKey::read(&half).map_err(|error| self.wrong(format!("no public key: {error}")))
    }

    /// The signatures of a UKI's values of PCR 11 by the key whose public half this is, of whatever profile.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn pcr_signatures(
        &self,
        asked: &PcrValuesAsked<'_>,
        public: &PublicKey,
        uki: &ShownImage<'_>,
    ) -> Result<Vec<SignedDigest>, Error> {
        let profiles = self.agent.pcr_policy(&self.key, asked, uki);
        let profiles = profiles.map_err(|source| self.failed(source))?;
        let signed = profiles.into_iter().flat_map(|profile| profile.0);
        let signed: Vec<SignedDigest> = signed.flat_map(|(_, signed)| signed).collect();
        let is_good = |signed: &SignedDigest| {
            signed.reference.as_deref() == asked.reference && signed.is_by(public)
        };
        match signed.iter().all(is_good) {
            true => Ok(signed),
            false => {
                Err(self.wrong("a signature is by another key, or of something else".to_owned()))
            }
        }
    }

    /// The public half of a Nix key.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn nix_public_key(&self) -> Result<touchstone_store::PublicKey, Error> {
        let half = self.public_half()?;
        let text = std::str::from_utf8(&half).unwrap_or_default();
        touchstone_store::PublicKey::parse(text.trim_end())
            .map_err(|error| self.wrong(format!("no public key of Nix: {error}")))
    }

    /// The manifest with the signatures of the key whose public half this is, and nothing else that is new.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn manifest(
        &self,
        manifest: &Manifest,
        public: &touchstone_store::PublicKey,
    ) -> Result<Manifest, Error> {
        let shown = manifest.to_json();
        let signed = self.agent.manifest(&self.key, shown.as_bytes());
        let signed = signed.map_err(|source| self.failed(source))?;
        let signed =
            Manifest::read(&signed).map_err(|error| self.wrong(format!("no manifest: {error}")))?;
        check_signed(manifest, &signed, public).map_err(|fact| self.wrong(fact))?;
        Ok(signed)
    }

    fn public_half(&self) -> Result<Vec<u8>, Error> {
        let half = self.agent.public_half(&self.key);
        half.map_err(|source| self.failed(source))
    }

    fn wrong(&self, fact: String) -> Error {
        self.failed(AgentError::WrongAnswer(fact))
    }

    fn failed(&self, source: AgentError) -> Error {
        failed(&self.named, source)
    }
}

fn failed(key: &str, source: AgentError) -> Error {
    Error::Agent {
        key: key.to_owned(),
        source: Box::new(source),
    }
}

/// Whether `signed` is `manifest` with good signatures of the key everywhere, and nothing else that is new.
fn check_signed(
    manifest: &Manifest,
    signed: &Manifest,
    public: &touchstone_store::PublicKey,
) -> Result<(), String> {
    let is_same = signed.toplevel() == manifest.toplevel()
        && signed.class() == manifest.class()
        && signed.digest() == manifest.digest();
    if !is_same {
        return Err("it is the manifest of something else".to_owned());
    }
    let trust = Trust::new(vec![public.clone()], 1).map_err(|error| error.to_string())?;
    for (before, after) in manifest.entries().zip(signed.entries()) {
        trust.check(after).map_err(|error| error.to_string())?;
        let text = after.fingerprint();
        let mut new = after.signatures.difference(&before.signatures);
        let kept = before.signatures.is_subset(&after.signatures);
        if !kept || !new.all(|signature| public.verifies(&text, signature)) {
            return Err(format!("it has other signatures of {}", after.path));
        }
    }
    let (Some(before), Some(after)) = (manifest.whole(), signed.whole()) else {
        return Ok(());
    };
    let verified = signed.verify_whole(&trust, &after.class);
    verified.map_err(|error| error.to_string())?;
    let text = whole_text(signed.toplevel(), &after.class, signed.digest());
    let mut new = after.signatures.difference(&before.signatures);
    let is_by_key = |signature| public.verifies(&text, signature);
    match before.signatures.is_subset(&after.signatures) && new.all(is_by_key) {
        true => Ok(()),
        false => Err("it has other signatures of the whole".to_owned()),
    }
}
