//! Which systemd-stub and which systemd-boot: what is measured depends on it.

use std::fmt;
use std::io::{Read, Seek};

use touchstone_pe::{Image, ReadError};

/// The systemd versions whose measurements were compared with real boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// systemd 252 (Debian 12).
    V252,
    /// systemd 257 (Debian 13).
    V257,
    /// systemd 262.
    V262,
}

impl Release {
    const KNOWN: [(u32, Release); 3] = [
        (252, Release::V252),
        (257, Release::V257),
        (262, Release::V262),
    ];

    /// The release with this major version, when its behaviour is known.
    pub fn of_major(major: u32) -> Option<Release> {
        Release::KNOWN
            .into_iter()
            .find(|(number, _)| *number == major)
            .map(|(_, release)| release)
    }

    /// The major version.
    pub fn major(self) -> u32 {
        match self {
            Release::V252 => 252,
            Release::V257 => 257,
            Release::V262 => 262,
        }
    }
}

/// The two programs that carry their version in a section `.sdmagic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The stub at the front of a UKI.
    Stub,
    /// The boot loader.
    Boot,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Component::Stub => "systemd-stub",
            Component::Boot => "systemd-boot",
        })
    }
}

/// A version that was read from a file and whose behaviour is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which behaviour it has.
    pub release: Release,
    /// The version as the file writes it, such as `257.13-1~deb13u1`.
    pub text: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a version could not be read, or is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There is no section `.sdmagic`.
    #[error(
        "the file has no section .sdmagic, so it does not say which {0} it is; only files of systemd 252, 257 and 262 can be predicted"
    )]
    Missing(Component),
    /// The section's text is not what systemd writes.
    #[error(
        "the section .sdmagic holds {found:?} where `#### LoaderInfo: {component} VERSION ####` was expected"
    )]
    Malformed {
        /// What was looked for.
        component: Component,
        /// The text found, shortened.
        found: String,
    },
    /// The version's behaviour has not been compared with real boots.
    #[error(
        "what {component} {found} measures is not known here: only versions 252, 257 and 262 were compared with real boots; use one of them"
    )]
    Unknown {
        /// What was looked for.
        component: Component,
        /// The version found.
        found: String,
    },
}

/// More than any text that systemd writes there.
const SDMAGIC_LIMIT: u64 = 64 * 1024;

impl Version {
    /// The version that an image names in its section `.sdmagic`.
    ///
    /// # Errors
    /// The outer one when the file cannot be read, the inner one when it names no version, or none that is known.
    pub fn of_image<S: Read + Seek>(
        component: Component,
        image: &Image,
        source: &mut S,
    ) -> Result<Result<Version, VersionError>, ReadError> {
        let Some(section) = image.section(".sdmagic") else {
            return Ok(Err(VersionError::Missing(component)));
        };
        let magic = image.section_bytes(source, section, SDMAGIC_LIMIT)?;
        Ok(Version::of_sdmagic(component, &magic))
    }

    /// Reads the content of a section `.sdmagic`: `#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####`.
    pub fn of_sdmagic(component: Component, section: &[u8]) -> Result<Version, VersionError> {
        let malformed = || VersionError::Malformed {
            component,
            found: String::from_utf8_lossy(section)
                .trim_end_matches('\0')
                .chars()
                .take(80)
                .collect(),
        };
        let text = std::str::from_utf8(section)
            .map_err(|_| malformed())?
            .trim_end_matches('\0');
        let text = text
            .strip_prefix("#### LoaderInfo: ")
            .and_then(|rest| rest.strip_suffix(" ####"))
            .and_then(|rest| rest.strip_prefix(&component.to_string()))
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(malformed)?;
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let unknown = || VersionError::Unknown {
            component,
            found: text.to_owned(),
        };
        let release = digits
            .parse()
            .ok()
            .and_then(Release::of_major)
            .ok_or_else(unknown)?;
        // `262~rc1` and `262-rc1` are not 262.
        if text
            .get(digits.len()..)
            .is_some_and(|rest| rest.starts_with("~") || rest.starts_with("-rc"))
        {
            return Err(unknown());
        }
        Ok(Version {
            release,
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stub(text: &str) -> Result<Version, VersionError> {
        Version::of_sdmagic(Component::Stub, text.as_bytes())
    }

    #[test]
    fn reads_debians_versions() {
        let version = stub("#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####\0").unwrap();
        assert_eq!(
            (version.release, version.text.as_str()),
            (Release::V257, "257.13-1~deb13u1")
        );
        assert_eq!(
            stub("#### LoaderInfo: systemd-stub 262.1-1 ####")
                .unwrap()
                .release,
            Release::V262
        );
        assert_eq!(
            stub("#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####")
                .unwrap()
                .release,
            Release::V252
        );
    }

    #[test]
    fn refuses_a_version_that_was_never_compared() {
        for version in ["258.1", "262~rc1", "262-rc2", "1000", "", "v257"] {
            let error = stub(&format!("#### LoaderInfo: systemd-stub {version} ####")).unwrap_err();
            assert!(
                matches!(error, VersionError::Unknown { .. }),
                "{version}: {error}"
            );
        }
    }

    #[test]
    fn refuses_the_loader_in_the_place_of_the_stub() {
        let error = stub("#### LoaderInfo: systemd-boot 257.13 ####").unwrap_err();
        assert!(matches!(error, VersionError::Malformed { .. }));
    }
}
