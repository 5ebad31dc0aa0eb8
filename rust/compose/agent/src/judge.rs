//! The judge: what is signed, and what is refused.
//!
//! Whoever asks hands in bytes, and names files of the store that stand between them; the judge takes them apart, holds them against the
//! [policy](crate::policy) and against the store of this machine, and computes what is to be signed itself. [`ApprovedImage`],
//! [`ApprovedPolicies`] and [`ApprovedManifest`] have no other maker than this module: what can be signed was judged.
//!
//! Nothing that a client says is believed. A build is who its socket was made for ([`Judge::offer`]); a derivation is what the store holds
//! under a name that was made of its content; a store path is what hashing it gives.

mod addon;
mod approved;
mod command_line;
mod compare;
mod facts;
mod grants;
mod hashing;
mod initrd;
mod inputs;
mod known;
mod loader;
mod manifest;
mod measured;
mod offer;
mod parts;
mod pcr_sections;
mod profiles;
mod refuse;
mod sbat;
mod sections;
mod store;
mod structure;
mod stub;
mod system;
mod uki;

use std::collections::{BTreeMap, BTreeSet};

use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::{Bank, PhasePath};
use touchstone_store::StorePath;

pub use approved::{ApprovedImage, ApprovedManifest, ApprovedPolicies};
pub use grants::Grants;
pub use known::JudgeError;
pub use offer::Admission;
use store::Store;
pub use stub::stub_digest;

use crate::identity::Identity;
use crate::payload::Payload;
use crate::policy::{ManifestOperation, Operation, PcrPolicy, Policy, Rule};
use crate::protocol::{KeyFacts, KeyKind, KeyName, Refusal, Request};
use facts::{Facts, Wanted};
use known::{KnownImage, PcrKey};
use refuse::refuse;
use uki::Purpose;

/// Holds what is asked for against a policy.
#[derive(Debug)]
pub struct Judge {
    policy: Policy,
    store: Store,
    images: BTreeMap<String, KnownImage>,
    pcr_keys: BTreeMap<KeyName, PcrKey>,
}

/// Who asks.
#[derive(Debug)]
pub enum Client {
    /// The build to which a socket was given: there is no other way to an [`Admission`] than [`Judge::offer`].
    Build(Admission),
    /// A process of a user, as the kernel says.
    User(Identity),
}

impl Client {
    /// A process of a user.
    pub fn of_user(identity: &Identity) -> Self {
        Self::User(identity.clone())
    }

    /// For the log and for messages.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Build(admission) => Identity::Build {
                derivation: admission.derivation().clone(),
            },
            Self::User(user) => user.clone(),
        }
    }
}

/// Whether a user is one of these, by name.
fn is_among<'a>(user: &Identity, names: impl IntoIterator<Item = &'a String>) -> bool {
    match user {
        Identity::User {
            name: Some(own), ..
        } => names.into_iter().any(|name| name == own),
        _ => false,
    }
}

/// What is asked for the values of PCR 11.
struct PcrRequest<'a> {
    key: &'a KeyName,
    banks: &'a [Bank],
    phases: &'a [PhasePath],
    reference: Option<&'a str>,
}

impl Judge {
    /// A judge by a policy. Reads what the policy names as known: stubs, kernels, boot loaders, public keys of PCR policies. No private key.
    ///
    /// # Errors
    /// [`JudgeError`] when such a file cannot be read or is not what it should be.
    pub fn new(policy: Policy) -> Result<Self, JudgeError> {
        let document = policy.document();
        let images = document.images.iter();
        let images = images.map(|(name, image)| Ok((name.clone(), KnownImage::read(image)?)));
        let pcr_keys = policy.keys().filter_map(|(name, key)| {
            let file = key.public_key.as_deref()?;
            Some(known::pcr_key(file).map(|public| (name.clone(), public)))
        });
        Ok(Self {
            store: Store::at(&document.store),
            images: images.collect::<Result<_, JudgeError>>()?,
            pcr_keys: pcr_keys.collect::<Result<_, JudgeError>>()?,
            policy,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The keys that some rule has for a client, and what they sign.
    pub fn keys(&self, client: &Client) -> Vec<KeyFacts> {
        let rules = self.rules_of(client);
        let operations = rules.iter().flat_map(|rule| &rule.operations);
        let names: BTreeSet<_> = operations.map(Operation::key).collect();
        let keys = &self.policy.document().keys;
        let facts = names.into_iter().filter_map(|name| {
            let kind = keys.get(name)?.kind;
            Some(KeyFacts {
                name: name.clone(),
                kind,
            })
        });
        facts.collect()
    }

    /// Whether some rule could sign what is asked, whatever it is.
    ///
    /// # Errors
    /// [`Refusal`] when none could: what is to be signed need not be looked at.
    pub fn may_ask(&self, client: &Client, asked: &Request) -> Result<(), Refusal> {
        match asked {
            Request::Authenticode { key, .. } => self.of_images(client, key).map(drop),
            Request::PcrPolicy { key, .. } => self.of_pcrs(client, key).map(drop),
            Request::Manifest { key } => self.of_manifests(client, key).map(drop),
            Request::Hello { .. } | Request::Key { .. } => Ok(()),
        }
    }

    /// Judges an image that is to be signed, and computes its digest.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn image(
        &self,
        client: &Client,
        key: &KeyName,
        hash: SignatureDigest,
        image: &dyn Payload,
    ) -> Result<ApprovedImage, Refusal> {
        let rules = self.of_images(client, key)?;
        let wanted = Wanted {
            banks: Vec::new(),
            banks_of_signatures: self.pcr_banks(),
            but: self.not_hashed(rules.iter().map(|(_, name)| *name)),
        };
        let ((rule, boots), digest) = Facts::judge(image, &wanted, hash, |facts| {
            first(rules, |(rule, name)| {
                let boots = self.judge_image(client, name, facts, Purpose::Image)?;
                Ok((rule, boots))
            })
        })?;
        Ok(approved::image(key, rule, digest, boots))
    }

    /// Judges a UKI whose values of PCR 11 are to be signed, and computes the policies of each profile.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn pcrs(
        &self,
        client: &Client,
        key: &KeyName,
        banks: &[Bank],
        phases: &[PhasePath],
        reference: Option<&str>,
        image: &dyn Payload,
    ) -> Result<ApprovedPolicies, Refusal> {
        let request = PcrRequest {
            key,
            banks,
            phases,
            reference,
        };
        let rules = self.of_pcrs(client, key)?;
        // Before the image is read.
        first(rules.clone(), |(_, operation)| {
            measured::allows(operation, &request)
        })?;
        let wanted = Wanted {
            banks: banks.to_vec(),
            ..Wanted::default()
        };
        let facts = Facts::read(image, &wanted)?;
        first(rules, |(rule, operation)| {
            measured::allows(operation, &request)?;
            let boots = self.judge_image(client, &operation.image, &facts, Purpose::Pcrs)?;
            let profiles = measured::policies(&facts, &request)?;
            Ok(approved::policies(&request, rule, profiles, boots))
        })
    }

    /// Judges a manifest whose paths are to be signed.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn manifest(
        &self,
        client: &Client,
        key: &KeyName,
        document: &dyn Payload,
    ) -> Result<ApprovedManifest, Refusal> {
        let rules = self.of_manifests(client, key)?;
        let manifest = manifest::read(document)?;
        let inputs = self.sight(client, [manifest.toplevel().clone()].into())?;
        let rule = first(rules, |(rule, operation)| {
            manifest::judge(&manifest, operation, &inputs)?;
            Ok(rule)
        })?;
        manifest::rehash(&manifest, &self.store)?;
        Ok(approved::manifest(key, rule, manifest))
    }

    /// The rules for a client.
    fn rules_of(&self, client: &Client) -> Vec<&Rule> {
        let rules = &self.policy.document().rules;
        match client {
            Client::Build(admission) => {
                let numbers = admission.numbers().iter();
                numbers.filter_map(|number| rules.get(*number)).collect()
            }
            Client::User(user) => {
                let own = |rule: &&Rule| is_among(user, &rule.users);
                rules.iter().filter(own).collect()
            }
        }
    }

    /// The operations that sign images, by what the policy calls the images.
    fn of_images(&self, client: &Client, key: &KeyName) -> Result<Vec<(&str, &str)>, Refusal> {
        self.operations(client, key, KeyKind::Image, |operation| match operation {
            Operation::Authenticode(operation) => Some(operation.image.as_str()),
            _ => None,
        })
    }

    /// The operations that sign values of PCR 11.
    fn of_pcrs(&self, client: &Client, key: &KeyName) -> Result<Vec<(&str, &PcrPolicy)>, Refusal> {
        self.operations(client, key, KeyKind::Pcr, |operation| match operation {
            Operation::PcrPolicy(operation) => Some(operation),
            _ => None,
        })
    }

    /// The operations that sign manifests.
    fn of_manifests(
        &self,
        client: &Client,
        key: &KeyName,
    ) -> Result<Vec<(&str, &ManifestOperation)>, Refusal> {
        self.operations(client, key, KeyKind::Nix, |operation| match operation {
            Operation::Manifest(operation) => Some(operation),
            _ => None,
        })
    }

    /// What `wanted` takes of the operations with a key that some rule has for a client, each with the name of its rule.
    fn operations<'a, T>(
        &'a self,
        client: &Client,
        key: &KeyName,
        kind: KeyKind,
        wanted: impl Fn(&'a Operation) -> Option<T>,
    ) -> Result<Vec<(&'a str, T)>, Refusal> {
        let mut found = Vec::new();
        for rule in self.rules_of(client) {
            let operations = rule.operations.iter();
            let own = operations.filter(|operation| operation.key() == key);
            let taken = own.filter_map(&wanted);
            found.extend(taken.map(|operation| (rule.name.as_str(), operation)));
        }
        match found.is_empty() {
            false => Ok(found),
            true => Err(self.no_operation(client, key, kind)),
        }
    }

    fn no_operation(&self, client: &Client, key: &KeyName, kind: KeyKind) -> Refusal {
        let what = match self.policy.document().keys.get(key) {
            None => format!("there is no key `{key}`"),
            Some(found) if found.kind != kind => format!("the key `{key}` does not sign that"),
            Some(_) => format!(
                "no rule signs this with the key `{key}` for {}",
                client.identity()
            ),
        };
        let help =
            "see `touchstone agent status` for the keys, and the policy for who may have what";
        refuse("policy.operation", what, help)
    }

    /// Holds an image against what the policy calls by a name; the answer is what it boots.
    fn judge_image(
        &self,
        client: &Client,
        name: &str,
        facts: &Facts<'_>,
        purpose: Purpose,
    ) -> Result<Vec<StorePath>, Refusal> {
        facts.judge_anew();
        match self.images.get(name) {
            Some(KnownImage::Uki(known)) => uki::judge(self, client, known, facts, purpose),
            Some(KnownImage::Loader(known)) => loader::judge(known, facts),
            Some(KnownImage::Addon(known)) => addon::judge(known, facts),
            None => Err(refuse(
                "policy.operation",
                format!("the policy has no image `{name}`"),
                "see `images` of the policy",
            )),
        }
    }

    /// Large sections whose digest none of these images of the policy asks for.
    fn not_hashed<'a>(&self, names: impl Iterator<Item = &'a str>) -> BTreeSet<&'static str> {
        let images = names.filter_map(|name| self.images.get(name));
        let each = images.map(KnownImage::not_hashed);
        each.reduce(|one, other| &one & &other).unwrap_or_default()
    }

    /// The banks in which some rule signs values of PCR 11.
    fn pcr_banks(&self) -> Vec<Bank> {
        let rules = self.policy.document().rules.iter();
        let operations = rules.flat_map(|rule| &rule.operations);
        let banks = operations.flat_map(|operation| match operation {
            Operation::PcrPolicy(operation) => operation.banks.iter().copied().collect(),
            _ => Vec::new(),
        });
        banks.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The first that is not refused; of several refusals the first.
fn first<T, A>(
    candidates: Vec<A>,
    mut judge: impl FnMut(A) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut refused = None;
    for candidate in candidates {
        match judge(candidate) {
            Ok(approved) => return Ok(approved),
            Err(refusal) => drop(refused.get_or_insert(refusal)),
        }
    }
    let nothing = || refuse("policy.operation", "no rule signs this", "see the policy");
    Err(refused.unwrap_or_else(nothing))
}
