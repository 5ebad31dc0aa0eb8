//! The system that a command line names: where it comes from, and what its `boot.json` says.

use touchstone_bootspec::{Document, V1, V2};
use touchstone_pe::uki::{Kernel, KernelError};
use touchstone_store::{StoreFile, StorePath};

use super::compare;
use super::hashing::Hashing;
use super::inputs::Inputs;
use super::refuse::refuse;
use super::{Store, command_line};
use crate::payload::Reader;
use crate::policy::{OfToplevel, Origin};
use crate::protocol::Refusal;

/// Longest `boot.json` in bytes.
const LIMIT: u64 = 16 << 20;
/// What a system is described by.
const DOCUMENT: &str = "boot.json";

/// A system that an image boots.
#[derive(Debug)]
pub(super) struct System {
    pub(super) toplevel: StorePath,
    /// What it says of itself, where it does.
    pub(super) described: Option<Described>,
}

/// What a system's `boot.json` says.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) kernel: StoreFile,
    pub(super) initrds: Vec<StoreFile>,
    pub(super) parameters: Vec<String>,
}

/// The toplevel that `init=` names.
///
/// # Errors
/// [`Refusal`] when it is no program `init` of a store path.
pub(super) fn toplevel(init: Option<&str>) -> Result<StorePath, Refusal> {
    let Some(init) = init else {
        return Err(command_line::wrong(
            "there is no `init=`, and the machine would start what it finds",
        ));
    };
    let path = init.strip_suffix("/init").map(StorePath::parse);
    path.and_then(Result::ok).ok_or_else(|| {
        command_line::wrong(format!(
            "`init={init}` is not the program `init` of a store path: write init=/nix/store/<hash>-<name>/init"
        ))
    })
}

/// Finds a system among the inputs.
///
/// # Errors
/// [`Refusal`] when it is none of them, comes from elsewhere than it may, was changed, or leads out of the store.
pub(super) fn find(
    store: &Store,
    inputs: &Inputs,
    toplevel: StorePath,
    origin: &Origin,
) -> Result<System, Refusal> {
    let known = inputs.get(&toplevel).ok_or_else(|| {
        refuse(
            "image.init",
            format!("the command line starts {toplevel}/init, and {toplevel} is none of the inputs (or no valid path)"),
            "make the system that the image boots an input of the derivation that asks",
        )
    })?;
    inputs.verify(store, known, origin)?;
    let valid = |path: &StorePath| inputs.get(path).is_some();
    let init = file(&toplevel, "init")?;
    let program = store.resolve(&init, valid)?;
    if !store.is_executable(&program)? {
        return Err(refuse(
            "image.init",
            format!("{init} leads to {program}, which is no program"),
            "name a system whose `init` can be started",
        ));
    }
    let described = described(store, &toplevel, &init, valid)?;
    Ok(System {
        toplevel,
        described,
    })
}

fn described(
    store: &Store,
    toplevel: &StorePath,
    init: &StoreFile,
    valid: impl Fn(&StorePath) -> bool,
) -> Result<Option<Described>, Refusal> {
    let document = file(toplevel, DOCUMENT)?;
    if !store.exists(&document)? {
        return Ok(None);
    }
    let bytes = store.read_file(&store.resolve(&document, valid)?, LIMIT)?;
    let document = Document::read(&bytes).map_err(|error| wrong(toplevel, error.to_string()))?;
    let (own, named, described) = match (document.v2, document.v1) {
        (Some(v2), _) => of_v2(v2.core),
        (None, Some(v1)) => of_v1(v1.core),
        (None, None) => return Err(wrong(toplevel, "it has no core object")),
    };
    match own == *toplevel && named == *init {
        true => Ok(Some(described)),
        false => Err(wrong(
            toplevel,
            format!("it is of {own}, and starts {named}"),
        )),
    }
}

fn of_v2(core: V2) -> (StorePath, StoreFile, Described) {
    let described = Described {
        kernel: core.kernel,
        initrds: core.initrds,
        parameters: core.kernel_params,
    };
    (core.toplevel, core.init, described)
}

fn of_v1(core: V1) -> (StorePath, StoreFile, Described) {
    let described = Described {
        kernel: core.kernel,
        initrds: core.initrd.into_iter().collect(),
        parameters: core.kernel_params,
    };
    (core.toplevel, core.init, described)
}

/// A file that a system names, when it comes from where the policy says: what it leads to. Its path is hashed anew meanwhile.
///
/// # Errors
/// [`Refusal`].
pub(super) fn named(
    hashing: &Hashing<'_, '_>,
    file: &StoreFile,
    wanted: &OfToplevel,
) -> Result<StoreFile, Refusal> {
    let (store, inputs) = (hashing.store(), hashing.inputs());
    let leads_to = store.resolve(file, |path| inputs.get(path).is_some())?;
    let path = leads_to.store_path();
    if !wanted.names.iter().any(|name| name.matches(path.name())) {
        return Err(refuse(
            "store.name",
            format!(
                "{file} lies in a store path called `{}`, which the policy does not name for it",
                path.name()
            ),
            "add the name to `names` of the policy, if it is one of those that are meant",
        ));
    }
    match inputs.get(path) {
        Some(known) => hashing.begin(known, &wanted.origin())?,
        None => return Err(wrong(path, "it is none of the inputs")),
    }
    Ok(leads_to)
}

/// Whether `.linux` holds what it does of a kernel in the store.
///
/// # Errors
/// [`Refusal`].
pub(super) fn is_kernel(
    store: &Store,
    file: &StoreFile,
    mut section: Reader<'_>,
) -> Result<bool, Refusal> {
    let damaged = |fact: String| {
        refuse(
            "image.kernel",
            format!("{file} is no kernel for a UKI: {fact}"),
            "see whether boot.json of the system names the right file",
        )
    };
    let unusable = |error: KernelError| damaged(error.to_string());
    let kernel = Kernel::new(store.open(file)?);
    let same = match section.pass(file) {
        // What is compressed does not start as it is.
        Some(_) => Ok(kernel.is_plain().map_err(unusable)?),
        None => {
            let mut content = kernel.decompressed().map_err(unusable)?;
            compare::begins_with(&mut section, &mut *content).map(|len| len.is_some())
        }
    };
    let ends = same.and_then(|same| Ok(same && compare::is_at_its_end(&mut section)?));
    ends.map_err(|error| damaged(error.to_string()))
}

fn file(toplevel: &StorePath, name: &str) -> Result<StoreFile, Refusal> {
    StoreFile::parse(&format!("{toplevel}/{name}"))
        .map_err(|error| wrong(toplevel, error.to_string()))
}

fn wrong(toplevel: &StorePath, fact: impl AsRef<str>) -> Refusal {
    refuse(
        "image.system",
        format!(
            "boot.json of {toplevel} does not describe it: {}",
            fact.as_ref()
        ),
        "build the system anew with `boot.bootspec` as NixOS has it",
    )
}
