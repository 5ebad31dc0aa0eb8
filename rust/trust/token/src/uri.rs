//! RFC 7512: the names of keys in PKCS#11 tokens.
//!
//! The grammar is followed to the letter, and where it leaves a choice, what could name another key than the one that was meant is
//! refused: attributes that are not known (in the path they narrow the choice, in the query they say how to log in), attributes
//! that stand there twice, characters that should have been percent-encoded.

use std::path::PathBuf;
use std::str::FromStr;

mod attributes;
mod error;
mod format;

pub use error::UriError;

use attributes::{Attribute, Part};

/// The name of a private key in a token, and how to get at it. It never holds a PIN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uri {
    /// What the module says of itself.
    pub library: Library,
    /// The slot that the token is in.
    pub slot: Slot,
    /// The token.
    pub token: Token,
    /// The key.
    pub object: Object,
    /// The module to load.
    pub module: Module,
    /// The file whose first line is the PIN (`pin-source`).
    pub pin_source: Option<PathBuf>,
    /// Whether the PIN is tried although the token says that one more wrong PIN locks it (`x-touchstone-last-try=yes`).
    pub last_try: bool,
}

/// What the path says of the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// `library-manufacturer`.
    pub manufacturer: Option<String>,
    /// `library-description`.
    pub description: Option<String>,
    /// `library-version`: major, minor.
    pub version: Option<(u8, u8)>,
}

/// What the path says of the slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// `slot-id`.
    pub id: Option<u64>,
    /// `slot-description`.
    pub description: Option<String>,
    /// `slot-manufacturer`.
    pub manufacturer: Option<String>,
}

/// What the path says of the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// `token`: the label.
    pub label: Option<String>,
    /// `manufacturer`.
    pub manufacturer: Option<String>,
    /// `serial`.
    pub serial: Option<String>,
    /// `model`.
    pub model: Option<String>,
}

/// What the path says of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// `object`: CKA_LABEL.
    pub label: Option<String>,
    /// `id`: CKA_ID.
    pub id: Option<Vec<u8>>,
}

/// The module that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Module {
    /// None is named: p11-kit's proxy, which stands for the modules that the machine is configured with.
    #[default]
    System,
    /// `module-path` names the file.
    File(PathBuf),
    /// `module-path` names the folder, `module-name` the module in it, without `lib` and `.so`.
    InFolder {
        /// The folder.
        folder: PathBuf,
        /// The name.
        name: String,
    },
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(UriError::Scheme)?;
        // Wherever it stands: behind a `&` in the path it would be part of a label, which messages show.
        if rest.contains("pin-value=") {
            return Err(UriError::PinValue);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for attribute in attributes::split(path, Part::Path)? {
            uri.set_in_path(&attribute)?;
        }
        let mut module = ModuleAttributes::default();
        for attribute in attributes::split(query, Part::Query)? {
            uri.set_in_query(&attribute, &mut module)?;
        }
        uri.module = module.together()?;
        Ok(uri)
    }
}

impl Uri {
    fn set_in_path(&mut self, attribute: &Attribute<'_>) -> Result<(), UriError> {
        match attribute.name {
            "token" => self.token.label = Some(attribute.text()?),
            "manufacturer" => self.token.manufacturer = Some(attribute.text()?),
            "serial" => self.token.serial = Some(attribute.text()?),
            "model" => self.token.model = Some(attribute.text()?),
            "library-manufacturer" => self.library.manufacturer = Some(attribute.text()?),
            "library-description" => self.library.description = Some(attribute.text()?),
            "library-version" => self.library.version = Some(attribute.version()?),
            "slot-id" => self.slot.id = Some(attribute.number()?),
            "slot-description" => self.slot.description = Some(attribute.text()?),
            "slot-manufacturer" => self.slot.manufacturer = Some(attribute.text()?),
            "object" => self.object.label = Some(attribute.text()?),
            "id" => self.object.id = Some(attribute.bytes()?),
            "type" if attribute.bytes()? == b"private" => (),
            "type" => return Err(UriError::NotPrivate),
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }

    fn set_in_query(
        &mut self,
        attribute: &Attribute<'_>,
        module: &mut ModuleAttributes,
    ) -> Result<(), UriError> {
        match attribute.name {
            "pin-source" => self.pin_source = Some(attribute.pin_source()?),
            "module-path" => module.path = Some(attribute.absolute_path()?),
            "module-name" => module.name = Some(attribute.file_name()?),
            "x-touchstone-last-try" if attribute.bytes()? == b"yes" => self.last_try = true,
            "x-touchstone-last-try" => return Err(UriError::LastTry),
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }
}

/// What the query says of the module.
#[derive(Default)]
struct ModuleAttributes {
    path: Option<PathBuf>,
    name: Option<String>,
}

impl ModuleAttributes {
    fn together(self) -> Result<Module, UriError> {
        match (self.path, self.name) {
            (None, None) => Ok(Module::System),
            (Some(file), None) => Ok(Module::File(file)),
            (Some(folder), Some(name)) => Ok(Module::InFolder { folder, name }),
            (None, Some(_)) => Err(UriError::NameWithoutPath),
        }
    }
}

#[cfg(test)]
mod tests;
