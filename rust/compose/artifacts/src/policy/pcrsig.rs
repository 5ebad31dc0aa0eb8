//! Signatures of a UKI's PCR 11 values, made while the UKI is written: no byte of it is read twice.
//!
//! `.pcrsig` stands behind everything that it speaks about, and its length follows from keys, banks and phases alone. So
//! it is planned by its length, and its text is made when the writer comes to it, of the digests of what has passed.

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::policy::{
    KeyName, PcrSignatures, PolicyError, Proof, SignedDigest, check_reference, fingerprint,
};
use touchstone_measure::{Bank, BootPathError, PhasePath};
use touchstone_pe::layout::Content;
use touchstone_pe::{Section, SectionObserver};
use touchstone_sign::{PublicKey, Signer};

use super::agent::{AgentSignatures, AgentSigner};
use super::elsewhere::{FolderSigner, public_section};
use super::passed::Passed;
use super::sign::{AskSignatures, NotSigned};
use super::{PolicyKey, refused};
use crate::agent::ShownImage;
use crate::predict::NoPrediction;
use crate::{Context, Error, Files};

/// Which signatures of PCR 11 a UKI carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PcrSign {
    /// The banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
    /// Who signs what. With one key and without `pcrpkey`, its public half becomes `.pcrpkey`.
    pub keys: Vec<PcrSigningKey>,
}

/// A key of [`PcrSign`], and the moments for which it signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PcrSigningKey {
    /// As [`PolicyKey::key`], or `agent:…`; an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The folder of signatures that were made elsewhere, as `boot.sign` fills it, in the place of `key`; `publicKey` says whose they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<PathBuf>,
    /// As [`PolicyKey::passphrase_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// As [`PolicyKey::public_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PathBuf>,
    /// The phase paths; all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// The policy reference, for systemd 262 and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_ref: Option<String>,
}

impl PcrSign {
    /// Opens the keys.
    ///
    /// # Errors
    /// [`Error::Request`] without a key, [`Error::Policy`] for a key or reference that systemd does not know, else as [`PolicyKey::open`].
    pub(crate) fn open(&self, context: &Context<'_>) -> Result<PcrKeys, Error> {
        if self.keys.is_empty() {
            return Err(Error::Request {
                fact: "PCR 11 is to be signed, and by no key".to_owned(),
                help: "name a key in `keys`, or leave `pcrSign` out",
            });
        }
        let open = |key| Group::open(key, &self.banks, context);
        let groups: Vec<Group> = self.keys.iter().map(open).collect::<Result<_, _>>()?;
        Ok(PcrKeys(groups.into()))
    }
}

impl PcrSigningKey {
    /// The private key or the folder, in messages.
    fn name(&self) -> &str {
        let folder = self.signatures.as_deref().and_then(Path::to_str);
        self.key.as_deref().or(folder).unwrap_or_default()
    }

    /// Who signs, and what an agent answers where one does.
    fn open(
        &self,
        context: &Context<'_>,
    ) -> Result<(Box<dyn Signer>, Option<AgentSignatures>), Error> {
        match AgentSigner::find(self, context)? {
            Some(agent) => {
                let signatures = agent.signatures();
                Ok((Box::new(agent), Some(signatures)))
            }
            None => Ok((self.open_here(context)?, None)),
        }
    }

    fn open_here(&self, context: &Context<'_>) -> Result<Box<dyn Signer>, Error> {
        match (&self.key, &self.signatures, &self.public_key) {
            (Some(key), None, public_key) => PolicyKey {
                key: key.clone(),
                passphrase_file: self.passphrase_file.clone(),
                public_key: public_key.clone(),
            }
            .open(context),
            (None, Some(folder), Some(public)) => Ok(Box::new(FolderSigner::open(context.files, public, folder)?)),
            _ => Err(Error::Request {
                fact: "a key of `pcrSign` must have one of `key` and `signatures`, the latter with `publicKey`".to_owned(),
                help: "name a private key, or the public key and the folder of its signatures",
            }),
        }
    }

    /// What becomes `.pcrpkey`.
    fn public_section(&self, files: &dyn Files, public: &PublicKey) -> Result<Vec<u8>, Error> {
        if let Some(file) = &self.public_key {
            return public_section(files, file);
        }
        let pem = public.to_pem().map_err(|source| Error::Signer {
            key: self.name().to_owned(),
            source,
        })?;
        Ok(pem.into_bytes())
    }
}

/// The open keys of a [`PcrSign`].
pub(crate) struct PcrKeys(Rc<[Group]>);

impl PcrKeys {
    /// What signs one image.
    pub(crate) fn signer(&self) -> PcrSigner {
        PcrSigner::new(Rc::clone(&self.0), Text::Signed)
    }
}

/// An open key, and what it signs.
struct Group {
    signer: Box<dyn Signer>,
    /// What an agent answers, where one signs: it sees the whole image first.
    agent: Option<AgentSignatures>,
    banks: Vec<Bank>,
    phases: Vec<PhasePath>,
    reference: Option<String>,
    /// What becomes `.pcrpkey`.
    public: Vec<u8>,
}

impl Group {
    fn open(key: &PcrSigningKey, banks: &[Bank], context: &Context<'_>) -> Result<Self, Error> {
        let (signer, agent) = key.open(context)?;
        let name = Path::new(key.name());
        let wrong = |source: PolicyError| refused(Some(name), source);
        if let Some(reference) = &key.policy_ref {
            check_reference(reference).map_err(wrong)?;
        }
        if !matches!(signer.public_key(), PublicKey::Rsa(_)) {
            return Err(wrong(PolicyError::NotRsa));
        }
        KeyName::of(signer.public_key()).map_err(wrong)?;
        let AskSignatures { phases, banks, .. } = AskSignatures::new(&key.phases, banks, None);
        Ok(Group {
            banks,
            phases,
            reference: key.policy_ref.clone(),
            public: key.public_section(context.files, signer.public_key())?,
            signer,
            agent,
        })
    }

    fn ask(&self) -> AskSignatures<'_> {
        AskSignatures {
            phases: self.phases.clone(),
            banks: self.banks.clone(),
            reference: self.reference.as_deref(),
        }
    }
}

/// Signs while a UKI is written.
pub(crate) struct PcrSigner {
    shared: Rc<Shared>,
}

/// What the observer fills and each `.pcrsig` reads, on the thread of the writer.
struct Shared {
    groups: Rc<[Group]>,
    passed: RefCell<Passed>,
    /// Why there is no text: a reader can only say that something failed.
    failure: RefCell<Option<NotMade>>,
    text: Text,
}

/// What stands in a `.pcrsig`.
#[derive(Clone, Copy)]
enum Text {
    /// The signatures.
    Signed,
    /// As many bytes, for an agent that has to see the image before there are signatures.
    Blank,
}

/// Why there are no signatures.
enum NotMade {
    Measured(BootPathError),
    Signed(NotSigned),
}

impl PcrSigner {
    fn new(groups: Rc<[Group]>, text: Text) -> Self {
        let banks = groups.first().map(|group| group.banks.as_slice());
        let passed = Passed::new(banks.unwrap_or_default());
        PcrSigner {
            shared: Rc::new(Shared {
                groups,
                passed: RefCell::new(passed),
                failure: RefCell::new(None),
                text,
            }),
        }
    }

    /// Whether an agent has to see the image before it is written.
    pub(crate) fn asks_an_agent(&self) -> bool {
        self.shared.groups.iter().any(|group| group.agent.is_some())
    }

    /// What writes the image that agents see: everything in it is final but the signatures, which are not measured.
    pub(crate) fn blank(&self) -> PcrSigner {
        Self::new(Rc::clone(&self.shared.groups), Text::Blank)
    }

    /// Shows the image to the agents, for the signatures that are written next.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn ask_agents(
        &self,
        uki: &ShownImage<'_>,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        for group in self.shared.groups.iter() {
            if let Some(agent) = &group.agent {
                agent.ask(&group.ask(), group.signer.public_key(), uki, context)?;
            }
        }
        Ok(())
    }

    /// What becomes `.pcrpkey`, where one key signs.
    pub(crate) fn public_key(&self) -> Option<Content<'static>> {
        match &*self.shared.groups {
            [only] => Some(Content::bytes(only.public.clone())),
            _ => None,
        }
    }

    /// A `.pcrsig` about the profile that ends where it stands. `uki` is the image's name in messages.
    ///
    /// # Errors
    /// [`Error::Policy`].
    pub(crate) fn section(&self, uki: &Path) -> Result<Content<'static>, Error> {
        let len = self.shared.planned().map_err(|source| source.of(uki))?;
        let reader = SectionText {
            shared: Rc::clone(&self.shared),
            text: None,
        };
        Ok(Content::reader(len, Box::new(reader)))
    }

    /// Sees the sections pass.
    pub(crate) fn observer(&self) -> Observer {
        Observer(Rc::clone(&self.shared))
    }

    /// Why a section's text could not be made: the writer knows only that it could not.
    pub(crate) fn failure(&self, stub: &Path, uki: &Path) -> Option<Error> {
        Some(match self.shared.failure.take()? {
            NotMade::Signed(source) => source.of(uki),
            NotMade::Measured(source) => Error::Predict {
                file: Some(stub.to_owned()),
                source: NoPrediction::BootPath(source),
            },
        })
    }
}

impl Shared {
    /// The length that the text will have.
    fn planned(&self) -> Result<u64, NotSigned> {
        Ok(self.blank()?.len() as u64)
    }

    /// A text of this length: signatures of an RSA key are as long as its modulus.
    fn blank(&self) -> Result<String, NotSigned> {
        let mut signatures = PcrSignatures::default();
        for group in self.groups.iter() {
            let key = group.signer.public_key();
            let pkfp = fingerprint(key)?.to_string();
            let blank = BASE64.encode(&vec![0; key.bits().div_ceil(8) as usize]);
            let value =
                |bank: Bank, phase: &PhasePath| Some(bank.hash(phase.to_string().as_bytes()));
            for (bank, pol) in group.ask().policies(value)? {
                let signed = SignedDigest {
                    pcrs: vec![11],
                    pkfp: pkfp.clone(),
                    reference: group.reference.clone(),
                    pol,
                    tbs: None,
                    sig: Some(blank.clone()),
                };
                signatures.add(bank, signed);
            }
        }
        Ok(signatures.to_section())
    }

    /// The text, of what has passed.
    fn text(&self) -> Result<String, NotMade> {
        if let Text::Blank = self.text {
            return self.blank().map_err(NotMade::Signed);
        }
        let values = self
            .passed
            .borrow()
            .last_profile()
            .map_err(NotMade::Measured)?;
        let mut signatures = PcrSignatures::default();
        for group in self.groups.iter() {
            let value = |bank: Bank, phase: &PhasePath| {
                let start = values.pcr11(bank)?;
                let words = phase.words().map(|word| bank.hash(word.as_bytes()));
                Some(words.fold(start, |value, word| value.extended(&word)))
            };
            group
                .ask()
                .sign(&mut signatures, value, Proof::Signed(&*group.signer))
                .map_err(NotMade::Signed)?;
        }
        Ok(signatures.to_section())
    }
}

/// Notes what passes.
pub(crate) struct Observer(Rc<Shared>);

impl SectionObserver for Observer {
    fn begin(&mut self, section: &Section) {
        self.0.passed.borrow_mut().begin(section);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.0.passed.borrow_mut().data(bytes);
    }

    fn end(&mut self) {
        self.0.passed.borrow_mut().end();
    }
}

/// The text of a `.pcrsig`, made when it is first read.
struct SectionText {
    shared: Rc<Shared>,
    text: Option<Cursor<Vec<u8>>>,
}

impl Read for SectionText {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.text.is_none() {
            let text = self.shared.text().map_err(|reason| {
                self.shared.failure.replace(Some(reason));
                io::Error::other("PCR 11 cannot be signed")
            })?;
            self.text = Some(Cursor::new(text.into_bytes()));
        }
        match &mut self.text {
            Some(text) => text.read(room),
            None => Ok(0),
        }
    }
}
