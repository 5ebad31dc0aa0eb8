//! Which UKIs a generation is made of, and which profiles they have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::touchstone::{Profile, ProfileId, Title};
use touchstone_bootspec::{INITRD_SECRETS, V2};
use touchstone_pe::uki::stub_version;

use super::verification::Verified;
use super::{BootArtifacts, Places};
use crate::bootspec::DescribedSpecialisation;
use crate::extra_initrd;
use crate::parts::ProfileTexts;
use crate::source::open_image;
use crate::{Error, Files};

/// One more profile of each UKI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DescribedProfile {
    /// What it is called by programs: 1 to 64 ASCII letters, digits, `-`, `_` and `.`; not `main`, which is the UKI's own.
    pub id: String,
    /// What a person reads in the boot menu.
    pub title: Option<String>,
    /// Kernel parameters, behind those of the generation.
    #[serde(default)]
    pub kernel_params: Vec<String>,
}

/// The UKIs that will be made.
pub(super) struct Plan<'a> {
    /// The generation's.
    pub(super) generation: PlannedUki<'a>,
    /// Those that specialisations have for themselves.
    pub(super) specialisations: BTreeMap<&'a str, PlannedUki<'a>>,
}

/// A UKI that will be made.
pub(super) struct PlannedUki<'a> {
    /// The folder of its files, below that of all artifacts.
    pub(super) folder: PathBuf,
    /// What it boots.
    pub(super) core: &'a V2,
    /// Its profiles behind its own; none where it is not divided into profiles.
    pub(super) profiles: Vec<PlannedProfile>,
    /// What stage 1 verifies the system by.
    pub(super) verified: Verified,
}

/// A profile that will be made.
#[derive(Clone)]
pub(super) struct PlannedProfile {
    pub(super) id: ProfileId,
    pub(super) title: Option<Title>,
    /// The whole command line.
    cmdline: String,
    /// The specialisation that it is.
    pub(super) specialisation: Option<String>,
}

/// What `ukify` calls a UKI's own profile.
pub(super) const MAIN: &str = "main";

/// Profiles came with this release of the stub.
const FIRST_STUB: u32 = 257;

/// The UKIs of a generation.
///
/// # Errors
/// [`Error::Request`].
pub(super) fn plan<'a>(
    files: &dyn Files,
    request: &'a BootArtifacts,
    places: &Places<'_>,
) -> Result<Plan<'a>, Error> {
    let share = request.share_specialisations;
    if share && places.sealed.is_some() {
        return Err(refused(
            "specialisations of a sealed generation are sealed by themselves, and `shareSpecialisations` is set",
            "leave `shareSpecialisations` out",
        ));
    }
    let described = &request.bootspec;
    let mut generation = PlannedUki::of(None, &described.core, request)?;
    let mut specialisations = BTreeMap::new();
    for (name, specialisation) in &described.specialisations {
        if places.elsewhere.contains_key(name) {
            continue;
        }
        let core = &specialisation.core;
        if share && is_shared(request, specialisation) {
            let cmdline = request.command_line(core);
            generation.profiles.push(shared(name, cmdline)?);
        } else {
            let uki = PlannedUki::of(Some(name), core, request)?;
            specialisations.insert(name.as_str(), uki);
        }
    }
    generation.check(request)?;
    if !generation.profiles.is_empty() {
        check_stub(files, request)?;
    }
    Ok(Plan {
        generation,
        specialisations,
    })
}

impl<'a> PlannedUki<'a> {
    /// The UKI that boots `core`, the generation's or a specialisation's, with the profiles of the request.
    fn of(
        specialisation: Option<&str>,
        core: &'a V2,
        request: &BootArtifacts,
    ) -> Result<Self, Error> {
        Ok(Self {
            folder: specialisation.map(inner_folder).unwrap_or_default(),
            core,
            profiles: profiles(request, core)?,
            verified: request.verification(specialisation)?,
        })
    }

    /// Its profiles as the document lists them, its own first; none where it is not divided into profiles.
    ///
    /// # Errors
    /// [`Error::Request`].
    pub(super) fn described(&self) -> Result<Vec<Profile>, Error> {
        if self.profiles.is_empty() {
            return Ok(Vec::new());
        }
        let main = Profile {
            id: profile_id(MAIN)?,
            title: None,
        };
        let others = self.profiles.iter().map(|profile| Profile {
            id: profile.id.clone(),
            title: profile.title.clone(),
        });
        Ok(std::iter::once(main).chain(others).collect())
    }

    /// Whether a specialisation is one of its profiles.
    pub(super) fn is_shared(&self) -> bool {
        let mut profiles = self.profiles.iter();
        profiles.any(|profile| profile.specialisation.is_some())
    }

    fn check(&self, request: &BootArtifacts) -> Result<(), Error> {
        let mut seen = BTreeSet::from([MAIN]);
        let mut ids = self.profiles.iter().map(|profile| profile.id.as_str());
        if let Some(id) = ids.find(|id| !seen.insert(id)) {
            return Err(refused(
                format!("the UKI would have two profiles `{id}`"),
                "give each profile and each shared specialisation a name of its own, other than `main`",
            ));
        }
        if self.is_shared() && self.verified.beside.is_some() {
            return Err(refused(
                "the manifest of one system is to lie beside an image that boots several, its shared specialisations",
                "let the manifests lie on the root file system, or leave `shareSpecialisations` out",
            ));
        }
        if self.is_shared() && request.measure.is_some() && request.loader.is_none() {
            return Err(refused(
                "a prediction of specialisations that are profiles is asked for without a boot loader, and the firmware by itself starts the first profile only",
                "give `loader`, or leave `shareSpecialisations` out",
            ));
        }
        Ok(())
    }
}

/// The folder of a specialisation's files.
pub(super) fn inner_folder(name: &str) -> PathBuf {
    PathBuf::from("specialisation").join(name)
}

impl PlannedProfile {
    /// The sections.
    pub(super) fn texts(&self) -> ProfileTexts {
        let title = self.title.as_ref();
        let title = title.map_or_else(String::new, |title| format!("\nTITLE={title}"));
        ProfileTexts {
            profile: format!("ID={}{title}", self.id),
            cmdline: self.cmdline.clone(),
        }
    }
}

/// The profiles of the request, for a UKI that boots `core`.
fn profiles(request: &BootArtifacts, core: &V2) -> Result<Vec<PlannedProfile>, Error> {
    let profile = |described: &DescribedProfile| {
        let id = &described.id;
        let mut with_more = core.clone();
        let more = described.kernel_params.iter().cloned();
        extra_initrd::with_more(&mut with_more.kernel_params, more);
        Ok(PlannedProfile {
            id: profile_id(id)?,
            title: described
                .title
                .as_deref()
                .map(|text| title(id, text))
                .transpose()?,
            cmdline: request.command_line(&checked(id, &with_more)?),
            specialisation: None,
        })
    };
    request.profiles.iter().map(profile).collect()
}

/// A specialisation as a profile.
fn shared(name: &str, cmdline: String) -> Result<PlannedProfile, Error> {
    Ok(PlannedProfile {
        id: profile_id(name)?,
        title: Some(title(name, name)?),
        cmdline,
        specialisation: Some(name.to_owned()),
    })
}

/// Whether a specialisation differs from the generation in nothing but its command line, and what stands in the menu.
fn is_shared(request: &BootArtifacts, specialisation: &DescribedSpecialisation) -> bool {
    let generation = &request.bootspec;
    let (own, other) = (&generation.core, &specialisation.core);
    let secrets = |extensions: &touchstone_bootspec::Extensions| {
        extensions
            .get(INITRD_SECRETS)
            .map(|secrets| secrets.to_value())
    };
    own.system == other.system
        && own.kernel == other.kernel
        && own.initrds == other.initrds
        && own.devicetree == other.devicetree
        && own.fdtdir == other.fdtdir
        && secrets(&generation.extensions) == secrets(&specialisation.extensions)
}

/// The core object, by the rules of its format.
fn checked(id: &str, core: &V2) -> Result<V2, Error> {
    let value = serde_json::to_value(core).and_then(serde_json::from_value);
    value.map_err(|error| {
        refused(
            format!("the profile `{id}`: {error}"),
            "correct its kernel parameters",
        )
    })
}

fn profile_id(id: &str) -> Result<ProfileId, Error> {
    ProfileId::parse(id).map_err(|error| {
        refused(
            format!("`{}`: {error}", id.escape_debug()),
            "rename the profile, or the specialisation that becomes one (or leave `shareSpecialisations` out)",
        )
    })
}

fn title(id: &str, text: &str) -> Result<Title, Error> {
    Title::parse(text).map_err(|error| {
        refused(
            format!("the profile `{id}`: {error}"),
            "give the profile another title",
        )
    })
}

fn check_stub(files: &dyn Files, request: &BootArtifacts) -> Result<(), Error> {
    let (mut file, image) = open_image(files, "stub", &request.stub)?;
    let version = stub_version(&image, &mut file).map_err(|source| Error::Pe {
        role: "stub",
        file: request.stub.clone(),
        source,
    })?;
    let version = version.unwrap_or_default();
    let major = version.split(|c: char| !c.is_ascii_digit()).next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        // What is no stub is refused where it is used.
        Some(major) if major < FIRST_STUB => Err(refused(
            format!("the stub is that of systemd {version}, which knows no profiles"),
            "take a stub of systemd 257 or newer, or leave `profiles` and `shareSpecialisations` out",
        )),
        _ => Ok(()),
    }
}

fn refused(fact: impl Into<String>, help: &'static str) -> Error {
    Error::Request {
        fact: fact.into(),
        help,
    }
}
