//! Which mirror and keyring the machine itself uses for Debian.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The suites by which an entry is recognised as one of Debian's main archive.
const SUITES: [&str; 9] = [
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "bullseye",
];

/// Keyrings of the archive that Debian installs, for entries that name none.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Where packages come from, and by which keys their index is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// As it stands in the package sources.
    pub uri: String,
    /// The keyring; without it apt's own trusted keys count.
    pub keyring: Option<PathBuf>,
}

/// The mirror to use: `$TOUCHSTONE_DEBIAN_MIRROR`, else the first one of Debian's main archive in the
/// machine's own package sources.
///
/// # Errors
/// When neither names one.
pub fn mirror() -> Result<Mirror> {
    let system = system_sources(Path::new("/etc/apt"));
    let mut found = match std::env::var("TOUCHSTONE_DEBIAN_MIRROR") {
        Ok(uri) if !uri.is_empty() => Mirror {
            uri,
            keyring: system.and_then(|mirror| mirror.keyring),
        },
        _ => match system {
            Some(mirror) => mirror,
            None => bail!(
                "this machine's package sources name no mirror of Debian: set TOUCHSTONE_DEBIAN_MIRROR to the URI of one"
            ),
        },
    };
    if found.keyring.is_none() {
        found.keyring = KEYRINGS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists());
    }
    Ok(found)
}

fn system_sources(etc: &Path) -> Option<Mirror> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        match file.extension()?.to_str()? {
            "list" => text.lines().find_map(one_line),
            "sources" => text.split("\n\n").find_map(stanza),
            _ => None,
        }
    })
}

/// One line of a `.list` file: `deb [options] uri suite component…`.
fn one_line(line: &str) -> Option<Mirror> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    if !SUITES.contains(&suite) || !words.any(|component| component == "main") {
        return None;
    }
    let keyring = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="));
    Some(Mirror {
        uri: uri.to_owned(),
        keyring: keyring.and_then(keyring_path),
    })
}

/// One stanza of a `.sources` file (deb822).
fn stanza(text: &str) -> Option<Mirror> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    };
    let has = |name: &str, accepted: &[&str]| {
        field(name).is_some_and(|value| {
            value
                .split_whitespace()
                .any(|word| accepted.contains(&word))
        })
    };
    let enabled = field("Enabled").is_none_or(|value| !value.eq_ignore_ascii_case("no"));
    if !enabled
        || !has("Types", &["deb"])
        || !has("Suites", &SUITES)
        || !has("Components", &["main"])
    {
        return None;
    }
    let uri = field("URIs")?.split_whitespace().next()?;
    Some(Mirror {
        uri: uri.to_owned(),
        keyring: field("Signed-By").and_then(keyring_path),
    })
}

/// A keyring named by its path; keys that stand in the sources themselves are not read.
fn keyring_path(value: &str) -> Option<PathBuf> {
    let first = value.split([',', ' ']).next()?;
    first.starts_with('/').then(|| PathBuf::from(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_with_options() {
        let mirror = one_line(
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian trixie main contrib",
        )
        .unwrap();
        assert_eq!(mirror.uri, "http://mirror.test/debian");
        assert_eq!(mirror.keyring, Some(PathBuf::from("/k.gpg")));
    }

    #[test]
    fn passes_over_other_archives_sources_and_comments() {
        for line in [
            "# deb http://mirror.test/debian trixie main",
            "deb-src http://mirror.test/debian trixie main",
            "deb http://mirror.test/debian-security trixie-security main",
            "deb http://mirror.test/tools tools-bookworm main",
            "deb",
        ] {
            assert_eq!(one_line(line), None, "{line}");
        }
    }

    #[test]
    fn reads_a_stanza_and_passes_over_a_disabled_one() {
        let text = "Types: deb\n# a comment\nURIs: http://mirror.test/debian http://other.test/\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n";
        assert_eq!(stanza(text).unwrap().uri, "http://mirror.test/debian");
        assert_eq!(stanza(&format!("Enabled: no\n{text}")), None);
    }

    #[test]
    fn the_first_archive_of_debian_in_the_folder_counts() {
        let etc = tempfile::tempdir().unwrap();
        let parts = etc.path().join("sources.list.d");
        fs::create_dir(&parts).unwrap();
        fs::write(
            parts.join("a.list"),
            "deb http://vendor.test/x stable-x main\n",
        )
        .unwrap();
        fs::write(
            parts.join("debian.sources"),
            "Types: deb\nURIs: http://s.test/\nSuites: trixie-security\nComponents: main\n\nTypes: deb\nURIs: http://m.test/\nSuites: trixie\nComponents: main\n",
        )
        .unwrap();
        assert_eq!(system_sources(etc.path()).unwrap().uri, "http://m.test/");
    }
}
