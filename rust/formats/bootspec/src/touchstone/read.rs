//! The strict reader.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use touchstone_store::json::{JsonError, Object};

use super::{Image, KEY, NamedFile, Profile, ProfileId, RelativePath, Specialisation, Touchstone};

/// Reads the extension.
///
/// # Errors
/// [`JsonError`].
pub(super) fn touchstone(value: Value) -> Result<Touchstone, JsonError> {
    let mut object = Object::new(KEY, value)?;
    let uki = image(&at(&object, "uki"), object.required("uki")?)?;
    let loader = optional(&mut object, "loader", image)?;
    let shim = optional(&mut object, "shim", image)?;
    let pcrs = optional(&mut object, "pcrs", file)?;
    let manifest = optional(&mut object, "manifest", file)?;
    let specialisations = optional(&mut object, "specialisations", specialisations)?;
    let sealed = object.optional_parsed("sealed")?;
    let extension = Touchstone {
        uki,
        loader,
        shim,
        pcrs,
        manifest,
        specialisations: specialisations.unwrap_or_default(),
        sealed,
    };
    one_file_a_path(&object, &extension)?;
    object.close()?;
    Ok(extension)
}

fn at(object: &Object, key: &str) -> String {
    format!("{}/{key}", object.at())
}

fn optional<T>(
    object: &mut Object,
    key: &str,
    read: impl FnOnce(&str, Value) -> Result<T, JsonError>,
) -> Result<Option<T>, JsonError> {
    let at = at(object, key);
    object
        .optional(key)?
        .map(|value| read(&at, value))
        .transpose()
}

fn file(at: &str, value: Value) -> Result<NamedFile, JsonError> {
    let mut object = Object::new(at, value)?;
    let file = members_of_file(&mut object)?;
    object.close()?;
    Ok(file)
}

fn members_of_file(object: &mut Object) -> Result<NamedFile, JsonError> {
    Ok(NamedFile {
        path: object.parsed("path")?,
        sha256: object.parsed("sha256")?,
        size: object.number("size")?,
    })
}

fn image(at: &str, value: Value) -> Result<Image, JsonError> {
    let mut object = Object::new(at, value)?;
    let image = Image {
        file: members_of_file(&mut object)?,
        authenticode_sha256: object.parsed("authenticodeSha256")?,
        profiles: profiles(&mut object)?,
    };
    object.close()?;
    Ok(image)
}

fn profiles(object: &mut Object) -> Result<Vec<Profile>, JsonError> {
    let key = "profiles";
    let Some(value) = object.optional(key)? else {
        return Ok(Vec::new());
    };
    let Value::Array(values) = value else {
        return Err(object.kind(key, "a list of profiles"));
    };
    let at = at(object, key);
    let profiles: Vec<Profile> = values
        .into_iter()
        .enumerate()
        .map(|(number, value)| profile(&format!("{at}/{number}"), value))
        .collect::<Result<_, _>>()?;
    if profiles.len() < 2 {
        return Err(object.value_error(
            key,
            "an image that is divided into profiles has two at least; leave the key out of others",
        ));
    }
    let mut seen = BTreeSet::new();
    match profiles.iter().find(|profile| !seen.insert(&profile.id)) {
        Some(twice) => {
            Err(object.value_error(key, format_args!("the ID `{}` comes twice", twice.id)))
        }
        None => Ok(profiles),
    }
}

fn profile(at: &str, value: Value) -> Result<Profile, JsonError> {
    let mut object = Object::new(at, value)?;
    let profile = Profile {
        id: object.parsed("id")?,
        title: object.optional_parsed("title")?,
    };
    object.close()?;
    Ok(profile)
}

fn specialisations(at: &str, value: Value) -> Result<BTreeMap<String, Specialisation>, JsonError> {
    let members = Object::new(at, value)?.rest();
    let read = |(name, value): (String, Value)| {
        if is_unusable(&name) {
            return Err(JsonError::Value {
                at: at.to_owned(),
                key: name.escape_debug().to_string(),
                why: "this is no name for a specialisation: it cannot be empty, `.` or `..` or hold `/` or control characters".to_owned(),
            });
        }
        let one = specialisation(&format!("{at}/{name}"), value)?;
        Ok((name, one))
    };
    members.into_iter().map(read).collect()
}

/// As the names of specialisations in the document itself.
fn is_unusable(name: &str) -> bool {
    matches!(name, "" | "." | "..") || name.contains(|c: char| c == '/' || c.is_control())
}

fn specialisation(at: &str, value: Value) -> Result<Specialisation, JsonError> {
    let mut object = Object::new(at, value)?;
    let one = Specialisation {
        uki: image(&format!("{at}/uki"), object.required("uki")?)?,
        profile: object.optional_parsed("profile")?,
        pcrs: optional(&mut object, "pcrs", file)?,
    };
    let has = |id: &ProfileId| one.uki.profiles.iter().any(|profile| profile.id == *id);
    if let Some(id) = one.profile.as_ref().filter(|id| !has(id)) {
        let why = format_args!("the image has no profile `{id}`");
        return Err(object.value_error("profile", why));
    }
    object.close()?;
    Ok(one)
}

/// What is named twice, as the UKI that specialisations share is, is described as the same both times.
fn one_file_a_path(object: &Object, extension: &Touchstone) -> Result<(), JsonError> {
    let mut files: BTreeMap<&str, &NamedFile> = BTreeMap::new();
    for file in extension.files() {
        let known = files.entry(file.path.as_str()).or_insert(file);
        if *known != file {
            return Err(differs(object, &file.path));
        }
    }
    let mut images: BTreeMap<&str, &Image> = BTreeMap::new();
    for image in extension.images() {
        let known = images.entry(image.file.path.as_str()).or_insert(image);
        if *known != image {
            return Err(differs(object, &image.file.path));
        }
    }
    Ok(())
}

fn differs(object: &Object, path: &RelativePath) -> JsonError {
    object.value_error(
        "path",
        format_args!("`{path}` is named twice and described in two ways"),
    )
}
