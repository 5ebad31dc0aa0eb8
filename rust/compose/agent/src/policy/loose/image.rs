//! What constraints of images may not leave open.

use std::collections::BTreeMap;

use touchstone_pe::SectionName;

use super::super::fault::{Fault, refused};
use super::super::{
    Addon, CommandLine, Content, ImageConstraints, Key, Pattern, Program, SectionContent, Uki,
};
use super::{absolute, of_kind, origin, trusted_origin};
use crate::protocol::{KeyKind, KeyName};

/// Sections whose content the judge decides about itself.
const DECIDED: [&str; 7] = [
    ".cmdline", ".linux", ".initrd", ".sbat", ".profile", ".pcrpkey", ".pcrsig",
];
/// Sections that the machine takes for what it boots with, or beside: an early initrd, a description of the hardware, firmware.
const TAKEN: [&str; 4] = [".ucode", ".dtb", ".dtbauto", ".efifw"];
/// Words that start another program than the system does.
const STARTERS: [&str; 2] = ["init=", "rdinit="];

/// Looks at the constraints of an image, whoever asks for it.
pub(super) fn check(
    at: &str,
    image: &ImageConstraints,
    keys: &BTreeMap<KeyName, Key>,
) -> Result<(), Fault> {
    for file in image.files() {
        absolute(at, file)?;
    }
    match image {
        ImageConstraints::Uki(uki) => self::uki(&format!("{at}.uki"), uki, keys),
        ImageConstraints::Addon(addon) => self::addon(&format!("{at}.addon"), addon),
        ImageConstraints::Loader(loader) => {
            let named = !loader.files.is_empty() || !loader.sha256.is_empty();
            some(&format!("{at}.loader"), named, "any boot loader")
        }
    }
}

fn uki(at: &str, uki: &Uki, keys: &BTreeMap<KeyName, Key>) -> Result<(), Fault> {
    stub(&format!("{at}.stub"), &uki.stub, &uki.sbat)?;
    origin(&format!("{at}.toplevel"), &uki.toplevel)?;
    content(&format!("{at}.kernel"), &uki.kernel, "any kernel")?;
    content(&format!("{at}.initrd"), &uki.initrd, "any initrd")?;
    words(&format!("{at}.cmdline.allowed"), &uki.cmdline)?;
    sections(&format!("{at}.sections"), &uki.sections)?;
    generations(&format!("{at}.sbat"), &uki.sbat)?;
    let mut pcr_keys = uki.pcr_keys.iter();
    pcr_keys.try_for_each(|key| of_kind(&format!("{at}.pcrKeys"), key, KeyKind::Pcr, keys))
}

fn addon(at: &str, addon: &Addon) -> Result<(), Fault> {
    stub(&format!("{at}.stub"), &addon.stub, &addon.sbat)?;
    words(&format!("{at}.cmdline.allowed"), &addon.cmdline)?;
    sections(&format!("{at}.sections"), &addon.sections)?;
    generations(&format!("{at}.sbat"), &addon.sbat)
}

/// A stub that is known by its digest does not show which entries its `.sbat` had.
fn stub(at: &str, stub: &Program, sbat: &BTreeMap<String, u32>) -> Result<(), Fault> {
    some(at, !stub.is_empty(), "any stub")?;
    match !stub.sha256.is_empty() && sbat.is_empty() {
        false => Ok(()),
        true => Err(refused(
            at,
            "its stubs are known by digests, which do not say what their `.sbat` holds, and `sbat` says nothing either: an image could hide from a revocation",
            "name the stubs' files, or say in `sbat` which generation `systemd-stub` has",
        )),
    }
}

fn content(at: &str, content: &Content, what: &str) -> Result<(), Fault> {
    some(at, !content.is_empty(), what)?;
    let Some(of_toplevel) = &content.of_toplevel else {
        return Ok(());
    };
    let at = format!("{at}.ofToplevel");
    origin(&at, &of_toplevel.origin())?;
    match of_toplevel.names.is_empty() {
        false => Ok(()),
        true => Err(refused(
            format!("{at}.names"),
            "it names no store path, and a key signs more than kernels and initrds",
            "write the names of their store paths, such as `linux-*` or `initrd-linux-*`",
        )),
    }
}

/// One is named at least.
fn some(at: &str, named: bool, what: &str) -> Result<(), Fault> {
    match named {
        true => Ok(()),
        false => Err(refused(
            at,
            format!("nothing is named here, and {what} would be signed"),
            "name files or digests",
        )),
    }
}

fn words(at: &str, line: &CommandLine) -> Result<(), Fault> {
    match line.allowed.iter().find(|pattern| starts_programs(pattern)) {
        None => Ok(()),
        Some(pattern) => Err(refused(
            at,
            format!("`{pattern}` could be `init=` or `rdinit=`, by which any program is started"),
            "`init=` is judged by itself, and `rdinit=` is never signed: write a pattern that is neither",
        )),
    }
}

/// Whether a word that starts a program could match.
fn starts_programs(pattern: &Pattern) -> bool {
    let start = pattern.start();
    let could = |starter: &str| match pattern.is_exact() {
        true => start.starts_with(starter),
        false => start.starts_with(starter) || starter.starts_with(start),
    };
    STARTERS.iter().any(|starter| could(starter))
}

fn sections(at: &str, sections: &BTreeMap<String, SectionContent>) -> Result<(), Fault> {
    for (name, content) in sections {
        let at = format!("{at}.{name}");
        if let Err(error) = name.parse::<SectionName>() {
            return Err(refused(
                at,
                error.to_string(),
                "name a section as it stands in the image",
            ));
        }
        // Stubs before systemd 257 look at as many characters of a name as the one has that they look for.
        if DECIDED.iter().any(|decided| name.starts_with(decided)) {
            let fact = "what this section holds is decided by the other constraints (or an old stub takes it for one of which that is so)";
            return Err(refused(at, fact, "leave it out here"));
        }
        if content.any && TAKEN.contains(&name.as_str()) {
            let fact = "the machine boots with what this section holds, and `any` lets whoever asks choose it";
            return Err(refused(at, fact, "name files or digests"));
        }
        let named = !content.files.is_empty() || !content.sha256.is_empty();
        if content.any && named {
            let fact = "`any` stands beside files or digests, and means all others as well";
            return Err(refused(at, fact, "leave one of both out"));
        }
        some(&at, content.any || named, "any content")?;
    }
    Ok(())
}

fn generations(at: &str, sbat: &BTreeMap<String, u32>) -> Result<(), Fault> {
    match sbat.iter().find(|(_, generation)| **generation == 0) {
        None => Ok(()),
        Some((name, _)) => Err(refused(
            format!("{at}.{name}"),
            "no component has the generation 0",
            "write the generation that the stub's `.sbat` gives it",
        )),
    }
}

/// What is signed for anybody may hold nothing that anybody can build.
pub(super) fn closed(at: &str, image: &ImageConstraints, user: &str) -> Result<(), Fault> {
    let (at, sections) = match image {
        ImageConstraints::Loader(_) => return Ok(()),
        ImageConstraints::Addon(addon) => (format!("{at}.addon"), &addon.sections),
        ImageConstraints::Uki(uki) => {
            let at = format!("{at}.uki");
            trusted_origin(&format!("{at}.toplevel"), &uki.toplevel, user)?;
            for (field, content) in [("kernel", &uki.kernel), ("initrd", &uki.initrd)] {
                if let Some(of_toplevel) = &content.of_toplevel {
                    let at = format!("{at}.{field}.ofToplevel");
                    trusted_origin(&at, &of_toplevel.origin(), user)?;
                }
            }
            (at, &uki.sections)
        }
    };
    match sections.iter().find(|(_, content)| content.any) {
        None => Ok(()),
        Some((name, _)) => Err(refused(
            format!("{at}.sections.{name}.any"),
            format!("{user} lets anybody ask who may use Nix, and they may put anything there"),
            "name `requesters`, who grant the derivations that are meant, or name the content",
        )),
    }
}
