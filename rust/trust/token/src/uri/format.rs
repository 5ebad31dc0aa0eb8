//! Writing a URI.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::attributes::{PLAIN, Part};
use super::{Module, Uri};

impl Uri {
    /// The part that names the key: `pkcs11:` and the path, without the query.
    pub fn name(&self) -> String {
        let version = self
            .library
            .version
            .map(|(major, minor)| format!("{major}.{minor}"));
        let slot = self.slot.id.map(|id| id.to_string());
        let texts = [
            ("library-manufacturer", &self.library.manufacturer),
            ("library-description", &self.library.description),
            ("library-version", &version),
            ("slot-id", &slot),
            ("slot-description", &self.slot.description),
            ("slot-manufacturer", &self.slot.manufacturer),
            ("token", &self.token.label),
            ("manufacturer", &self.token.manufacturer),
            ("serial", &self.token.serial),
            ("model", &self.token.model),
            ("object", &self.object.label),
        ];
        let texts = texts.into_iter().filter_map(|(name, value)| {
            Some(format!(
                "{name}={}",
                encoded(value.as_ref()?.as_bytes(), Part::Path)
            ))
        });
        // All of it, as RFC 7512 section 2.3 recommends: it is no text.
        let id = self.object.id.as_ref().map(|id| {
            let digits: String = id.iter().map(|byte| format!("%{byte:02X}")).collect();
            format!("id={digits}")
        });
        let attributes: Vec<_> = texts.chain(id).collect();
        format!("pkcs11:{}", attributes.join(";"))
    }

    fn query(&self) -> Vec<String> {
        let path = |name: &str, path: &Path| {
            format!(
                "{name}={}",
                encoded(path.as_os_str().as_bytes(), Part::Query)
            )
        };
        let mut query = match &self.module {
            Module::System => Vec::new(),
            Module::File(file) => vec![path("module-path", file)],
            Module::InFolder { folder, name } => vec![
                path("module-path", folder),
                format!("module-name={}", encoded(name.as_bytes(), Part::Query)),
            ],
        };
        query.extend(
            self.pin_source
                .as_ref()
                .map(|file| path("pin-source", file)),
        );
        if self.last_try {
            query.push("x-touchstone-last-try=yes".to_owned());
        }
        query
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        let query = self.query();
        if query.is_empty() {
            return Ok(());
        }
        write!(f, "?{}", query.join("&"))
    }
}

/// What may stand for itself does, but for `|`, which would make a command of a file's name, and `=`: so no label reads as
/// `pin-value=`.
fn encoded(bytes: &[u8], part: Part) -> String {
    let plain = |byte: u8| {
        let character = char::from(byte);
        byte.is_ascii_alphanumeric()
            || (PLAIN.contains(character) && byte != b'=')
            || (part.plain().contains(character) && byte != b'|')
    };
    let written = |&byte: &u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().map(written).collect()
}
