//! An agent in the memory of the test, which can be made to lie: no real one does.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use touchstone_artifacts::agent::{Agent, AgentError, AgentKey, PcrValuesAsked, ShownImage};
use touchstone_artifacts::policy::{PolicyKey, SignPolicy};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::policy::PcrSignatures;
use touchstone_pe::{Image, authenticode};
use touchstone_sign::authenticode::{ImageDigest, signature};
use touchstone_sign::certificate::read_all;
use touchstone_sign::{CertifiedSigner, FileSigner, PublicKey};
use touchstone_store::{Manifest, SecretKey};

use crate::work::{KEYS, context, nix_key};

/// What the agent does otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    OtherKey,
    OtherImage,
    MoreCertificates,
    Behind,
    Nothing,
    Fewer,
    OtherReference,
    Unsigned,
    OtherSignatures,
    OtherClosure,
}

pub struct InMemory(pub Lie);

/// All of an image, as it comes.
fn shown(image: &ShownImage<'_>) -> Result<Vec<u8>, AgentError> {
    let mut bytes = vec![0; usize::try_from(image.size()).unwrap()];
    let mut at = 0;
    while at < bytes.len() {
        let room = (at + 70_000).min(bytes.len());
        let got = image.read_at(&mut bytes[at..room], at as u64);
        let got = got.map_err(AgentError::Unreadable)?;
        assert!(got > 0);
        at += got;
    }
    Ok(bytes)
}

impl InMemory {
    fn pem(&self) -> (&'static [u8], &'static str) {
        let [db, other] = &*KEYS;
        let key = match self.0 {
            Lie::OtherKey => other,
            _ => db,
        };
        (key.key_pem.as_bytes(), &key.certificate_pem)
    }
}

impl Agent for InMemory {
    fn public_half(&self, key: &AgentKey) -> Result<Vec<u8>, AgentError> {
        if key.name == "nix" {
            return Ok(nix_key().public_key().to_string().into_bytes());
        }
        let certificate = touchstone_sign::certificate::read(KEYS[0].certificate_pem.as_bytes());
        let key = PublicKey::of(&certificate.unwrap()).unwrap();
        Ok(key.to_pem().unwrap().into_bytes())
    }

    fn authenticode(
        &self,
        _key: &AgentKey,
        _digest: SignatureDigest,
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, AgentError> {
        let mut file = Cursor::new(shown(image)?);
        let image = Image::read(&mut file).unwrap();
        let mut digest = authenticode::sha256(&image, &mut file).unwrap();
        if self.0 == Lie::OtherImage {
            digest[0] ^= 1;
        }
        let (key, certificate) = self.pem();
        let mut certificates = read_all(certificate.as_bytes()).unwrap();
        if self.0 == Lie::MoreCertificates {
            certificates.extend(read_all(KEYS[1].certificate_pem.as_bytes()).unwrap());
        }
        let signer = Box::new(FileSigner::new(key).unwrap());
        let signer = CertifiedSigner::new(signer, certificates).unwrap();
        let mut made = signature(&ImageDigest::sha256(&digest), &signer).unwrap();
        match self.0 {
            Lie::Behind => made.push(0),
            Lie::Nothing => made.clear(),
            _ => (),
        }
        Ok(made)
    }

    fn pcr_policy(
        &self,
        _key: &AgentKey,
        ask: &PcrValuesAsked<'_>,
        uki: &ShownImage<'_>,
    ) -> Result<Vec<PcrSignatures>, AgentError> {
        let folder = tempfile::tempdir().unwrap();
        let (copy, key) = (folder.path().join("uki"), folder.path().join("key"));
        std::fs::write(&copy, shown(uki)?).unwrap();
        std::fs::write(&key, self.pem().0).unwrap();
        let other = (self.0 == Lie::OtherReference).then(|| "other".to_owned());
        let sign = SignPolicy {
            policy: None,
            uki: Some(copy),
            phases: ask.phases.to_vec(),
            banks: ask.banks.to_vec(),
            sign: Some(PolicyKey {
                key: key.display().to_string(),
                passphrase_file: None,
                public_key: None,
            }),
            public_key: None,
            policy_ref: other.or(ask.reference.map(str::to_owned)),
            output: None,
        };
        let mut signed = sign.run(&context(None)).unwrap().signatures;
        if self.0 == Lie::Fewer {
            signed.0.pop_last();
        }
        Ok(vec![signed])
    }

    fn manifest(&self, _key: &AgentKey, manifest: &[u8]) -> Result<Vec<u8>, AgentError> {
        let mut manifest = Manifest::read(manifest).unwrap();
        let other = SecretKey::from_seed("other", &[8; 32].into()).unwrap();
        match self.0 {
            Lie::Unsigned => (),
            Lie::OtherKey => drop(manifest.sign(&other)),
            Lie::OtherSignatures => {
                manifest.sign(&other);
                manifest.sign(&nix_key());
            }
            Lie::OtherClosure => {
                let entries = manifest.entries().cloned().map(|mut entry| {
                    entry.nar_size += 1;
                    entry
                });
                let class = manifest.class().cloned();
                let toplevel = manifest.toplevel().clone();
                manifest = Manifest::new(toplevel, entries.collect::<Vec<_>>())
                    .unwrap()
                    .for_class(class.unwrap());
                manifest.sign(&nix_key());
            }
            _ => drop(manifest.sign(&nix_key())),
        }
        Ok(manifest.to_json().into_bytes())
    }
}

/// An agent that refuses the first image at its first byte, for this reason.
pub struct Hurried {
    code: &'static str,
    asked: AtomicUsize,
}

impl Hurried {
    pub fn new(code: &'static str) -> Hurried {
        Hurried {
            code,
            asked: AtomicUsize::new(0),
        }
    }

    /// How many images it was asked to sign.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Agent for Hurried {
    fn public_half(&self, key: &AgentKey) -> Result<Vec<u8>, AgentError> {
        InMemory(Lie::None).public_half(key)
    }

    fn authenticode(
        &self,
        key: &AgentKey,
        digest: SignatureDigest,
        image: &ShownImage<'_>,
    ) -> Result<Vec<u8>, AgentError> {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err(AgentError::Refused {
                code: self.code.to_owned(),
                what: "no".to_owned(),
                help: String::new(),
                entry: None,
            }),
            _ => InMemory(Lie::None).authenticode(key, digest, image),
        }
    }

    fn pcr_policy(
        &self,
        key: &AgentKey,
        ask: &PcrValuesAsked<'_>,
        uki: &ShownImage<'_>,
    ) -> Result<Vec<PcrSignatures>, AgentError> {
        InMemory(Lie::None).pcr_policy(key, ask, uki)
    }

    fn manifest(&self, key: &AgentKey, manifest: &[u8]) -> Result<Vec<u8>, AgentError> {
        InMemory(Lie::None).manifest(key, manifest)
    }
}
