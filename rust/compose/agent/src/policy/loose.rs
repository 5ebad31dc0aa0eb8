//! What a policy may not say: because it would let pass what nobody means, because it contradicts itself, or because it means nothing.

mod image;
mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use touchstone_measure::policy::check_reference;
use touchstone_store::STORE_DIR;

use super::fault::{Fault, refused};
use super::{
    Authenticode, Derivations, Document, GrantSettings, ImageConstraints, Key, ManifestOperation,
    Operation, Origin, PcrPolicy, Rule, VERSION,
};
use crate::log::Settings;
use crate::protocol::{KeyKind, KeyName};

/// Longest name of a rule, an image or a user, in bytes.
const NAME_MAX: usize = 64;
/// Longest time for which a grant holds, in seconds.
const WEEK: u64 = 7 * 24 * 60 * 60;
/// Most builds of a grant.
const BUILDS_MAX: u32 = 1000;

/// Looks at everything that the types let pass.
///
/// # Errors
/// The first [`Fault`].
pub(super) fn check(document: &Document) -> Result<(), Fault> {
    if document.version != VERSION {
        return Err(Fault::Version(document.version));
    }
    absolute("store", &document.store)?;
    key::check(&document.keys)?;
    for (name, image) in &document.images {
        let at = format!("images.{name}");
        named(&at, name)?;
        image::check(&at, image, &document.keys)?;
    }
    grants(&document.grants)?;
    document
        .limits
        .check()
        .map_err(|error| refused("limits", error.to_string(), "leave it out for the default"))?;
    log(&document.log)?;
    rules(document)
}

fn log(settings: &Settings) -> Result<(), Fault> {
    settings.check().map_err(|(field, fact)| {
        let help = "leave it out for the default";
        refused(format!("log.{field}"), fact, help)
    })?;
    secret("log.checkpointKey", &settings.checkpoint_key)?;
    let mut exports = settings.exports.iter();
    exports.try_for_each(|folder| absolute("log.exports", folder))
}

fn grants(grants: &GrantSettings) -> Result<(), Fault> {
    let fits = (1..=WEEK).contains(&grants.seconds) && (1..=BUILDS_MAX).contains(&grants.builds);
    match fits {
        true => Ok(()),
        false => Err(refused(
            "grants",
            "a grant holds for 1 to 604800 seconds and 1 to 1000 builds",
            "leave it out for the default",
        )),
    }
}

/// A secret's file is named by its whole path, outside of the store.
fn secret(at: &str, file: &Path) -> Result<(), Fault> {
    absolute(at, file)?;
    match file.starts_with(STORE_DIR) {
        false => Ok(()),
        true => Err(refused(
            at,
            format!(
                "{} lies in the Nix store, which every user and every build can read",
                file.display()
            ),
            "make a new one outside of the store",
        )),
    }
}

/// An absolute path without detours, so that it says where it leads.
pub(super) fn absolute(at: &str, file: &Path) -> Result<(), Fault> {
    let plain = file
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match file.is_absolute() && plain {
        true => Ok(()),
        false => Err(refused(
            at,
            format!("`{}` is no absolute path without `..`", file.display()),
            "write the whole path, from / on",
        )),
    }
}

fn rules(document: &Document) -> Result<(), Fault> {
    if document.rules.is_empty() {
        return Err(refused(
            "rules",
            "there is no rule: nothing could be signed",
            "write one",
        ));
    }
    let mut names = BTreeSet::new();
    for (index, rule) in document.rules.iter().enumerate() {
        let at = format!("rules[{index}]");
        named(&at, &rule.name)?;
        if !names.insert(&rule.name) {
            let fact = format!("another rule is called `{}`, too", rule.name);
            return Err(refused(
                at,
                fact,
                "the log names rules: call them differently",
            ));
        }
        self::rule(&at, rule, document)?;
    }
    Ok(())
}

/// Who is asking, as far as a rule knows: it decides what else must be constrained.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// A person, or a build that a person granted.
    Known,
    /// Whoever may use Nix: names of derivations are chosen by who writes them.
    Anybody,
}

fn rule(at: &str, rule: &Rule, document: &Document) -> Result<(), Fault> {
    let asker = match (&rule.derivations, rule.users.is_empty()) {
        (Some(derivations), true) => self::derivations(&format!("{at}.derivations"), derivations)?,
        (None, false) => {
            users(&format!("{at}.users"), &rule.users)?;
            Asker::Known
        }
        _ => {
            return Err(refused(
                at,
                "a rule has one of `derivations` and `users`",
                "write two rules, or say whom this one is for",
            ));
        }
    };
    if rule.operations.is_empty() {
        return Err(refused(
            at,
            "it has no operation",
            "say in `operations` what is signed",
        ));
    }
    for (index, operation) in rule.operations.iter().enumerate() {
        let at = format!("{at}.operations[{index}].{}", operation.name());
        self::operation(&at, operation, asker, document)?;
    }
    Ok(())
}

fn derivations(at: &str, derivations: &Derivations) -> Result<Asker, Fault> {
    if derivations.names.is_empty() {
        return Err(refused(
            at,
            "it names no derivation",
            "write their names, or patterns of them, in `names`",
        ));
    }
    users(&format!("{at}.requesters"), &derivations.requesters)?;
    Ok(match derivations.requesters.is_empty() {
        true => Asker::Anybody,
        false => Asker::Known,
    })
}

fn users(at: &str, users: &BTreeSet<String>) -> Result<(), Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let odd = |name: &&String| name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(known);
    match users.iter().find(odd) {
        None => Ok(()),
        Some(name) => Err(refused(
            at,
            format!("{name:?} is no user's name"),
            "write names as they stand in /etc/passwd, without a pattern",
        )),
    }
}

fn operation(
    at: &str,
    operation: &Operation,
    asker: Asker,
    document: &Document,
) -> Result<(), Fault> {
    let (kind, image) = match operation {
        Operation::Authenticode(Authenticode { image, .. }) => (KeyKind::Image, Some(image)),
        Operation::PcrPolicy(PcrPolicy { image, .. }) => (KeyKind::Pcr, Some(image)),
        Operation::Manifest(_) => (KeyKind::Nix, None),
    };
    of_kind(&format!("{at}.key"), operation.key(), kind, &document.keys)?;
    if let Some(image) = image {
        let constraints = document.images.get(image).ok_or_else(|| {
            let fact = format!("there is no image `{image}`");
            refused(format!("{at}.image"), fact, "name one of `images`")
        })?;
        if asker == Asker::Anybody {
            image::closed(&format!("images.{image}"), constraints, at)?;
        }
        if let (Operation::PcrPolicy(policy), constraints) = (operation, constraints) {
            pcr_policy(at, policy, constraints)?;
        }
    }
    match operation {
        Operation::Manifest(manifest) => self::manifest(at, manifest, asker),
        _ => Ok(()),
    }
}

fn pcr_policy(at: &str, policy: &PcrPolicy, image: &ImageConstraints) -> Result<(), Fault> {
    if !matches!(image, ImageConstraints::Uki(_)) {
        let fact = format!(
            "`{}` is no UKI, and PCR 11 is measured of UKIs alone",
            policy.image
        );
        return Err(refused(format!("{at}.image"), fact, "name one with `uki`"));
    }
    for (field, empty) in [
        ("banks", policy.banks.is_empty()),
        ("phases", policy.phases.is_empty()),
    ] {
        if empty {
            let at = format!("{at}.{field}");
            return Err(refused(
                at,
                "it is empty: nothing could be signed",
                "name what may be asked for",
            ));
        }
    }
    policy.policy_refs.iter().try_for_each(|reference| {
        check_reference(reference).map_err(|error| {
            refused(
                format!("{at}.policyRefs"),
                error.to_string(),
                "write printable ASCII",
            )
        })
    })
}

fn manifest(at: &str, manifest: &ManifestOperation, asker: Asker) -> Result<(), Fault> {
    let at = format!("{at}.origin");
    origin(&at, &manifest.origin)?;
    match asker {
        Asker::Anybody => trusted_origin(&at, &manifest.origin, "rules"),
        Asker::Known => Ok(()),
    }
}

/// Something comes from somewhere.
fn origin(at: &str, origin: &Origin) -> Result<(), Fault> {
    match origin.is_empty() {
        false => Ok(()),
        true => Err(refused(
            at,
            "nothing has such an origin: neither `trustedPublicKeys` nor `builtHere`",
            "say whose signatures count, or that paths may be built on this machine",
        )),
    }
}

/// What anybody asks for comes from keys: whoever may use Nix may build anything here.
fn trusted_origin(at: &str, origin: &Origin, user: &str) -> Result<(), Fault> {
    match origin.built_here {
        false => Ok(()),
        true => Err(refused(
            format!("{at}.builtHere"),
            format!("{user} lets anybody ask who may use Nix, and they may build anything here"),
            "name `requesters`, who grant the derivations that are meant, or trust signatures alone",
        )),
    }
}

pub(super) fn of_kind(
    at: &str,
    name: &KeyName,
    kind: KeyKind,
    keys: &BTreeMap<KeyName, Key>,
) -> Result<(), Fault> {
    match keys.get(name) {
        Some(key) if key.kind == kind => Ok(()),
        Some(_) => Err(refused(
            at,
            format!("the key `{name}` is of another kind than this signs with"),
            "a key signs one thing alone: name one of the right kind",
        )),
        None => Err(refused(
            at,
            format!("there is no key `{name}`"),
            "name one of `keys`",
        )),
    }
}

/// Names stand in logs and messages.
fn named(at: &str, name: &str) -> Result<(), Fault> {
    let shown = |character: char| !character.is_control();
    match (1..=NAME_MAX).contains(&name.len()) && name.chars().all(shown) {
        true => Ok(()),
        false => Err(refused(
            at,
            format!("its name {name:?} has not 1 to {NAME_MAX} bytes of text"),
            "give it a short name, for the log",
        )),
    }
}
