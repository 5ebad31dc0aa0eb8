//! The secrets of an initrd: which there are, and the additional initrd that holds them (docs/org.nixos.initrd-secrets.v1.md).

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use touchstone_artifacts::cpio::{self, Archive};
use touchstone_bootspec::{Extensions, INITRD_SECRETS, InitrdSecrets, InitrdSecretsError};

use super::Secrets;
use crate::Host;

/// Why the additional initrd cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A secret cannot be read.
    #[error("the secret `{name}` of the initrd cannot be read from {}: {source}\n  help: put the file back, or take it out of boot.initrd.secrets", .path.display())]
    Read {
        /// Its name.
        name: String,
        /// Its path.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A program would append secrets, and nobody else knows which.
    #[error("{} appends secrets to the initrd, and is never started\n  help: build the generation with Touchstone's modules, which name the secrets in boot.json, or without boot.initrd.secrets", .0.display())]
    Program(PathBuf),
    /// The partition's files can be read by everybody.
    #[error("{} can be read by others than root, and would hold secrets of the initrd\n  help: mount it with the option umask=0077", .0.display())]
    Open(PathBuf),
}

/// The secrets that a document names. `program` is v1's, which is only read: nixpkgs names one in every generation, and ends it before it does
/// anything where there are no secrets.
///
/// # Errors
/// [`InitrdSecretsError`].
pub(super) fn of(
    host: &Host,
    specialisation: Option<&str>,
    extensions: &Extensions,
    program: Option<&str>,
) -> Result<Secrets, InitrdSecretsError> {
    if let Some(extension) = extensions.get(INITRD_SECRETS) {
        let place = match specialisation {
            Some(name) => format!("{name}/{INITRD_SECRETS}"),
            None => INITRD_SECRETS.to_owned(),
        };
        let secrets = InitrdSecrets::read(&place, extension)?;
        let owned = |(name, path): (&str, &str)| (name.to_owned(), path.to_owned());
        let files: BTreeMap<String, String> = secrets.iter().map(owned).collect();
        return Ok(match files.is_empty() {
            true => Secrets::None,
            false => Secrets::Files(files),
        });
    }
    let Some(program) = program.map(PathBuf::from) else {
        return Ok(Secrets::None);
    };
    let text = host.resolve(&program).and_then(std::fs::read_to_string);
    match text.is_ok_and(|text| appends_nothing(&text)) {
        true => Ok(Secrets::None),
        false => Ok(Secrets::Program(program)),
    }
}

/// Whether nixpkgs' script ends before it does anything: its first command outside of the function and the conditions that look at its arguments
/// is `exit 0`. What is not laid out as that script is taken for one that appends something.
fn appends_nothing(script: &str) -> bool {
    let lines = script.lines().skip(1);
    let mut commands = lines.filter(|line| {
        let inner = line.starts_with([' ', '\t', '#']) || line.trim().is_empty();
        !inner && *line != "}" && *line != "fi"
    });
    let first = commands.find(|line| {
        !(line.starts_with("function usage {")
            || line.starts_with("if [ ") && line.ends_with("; then"))
    });
    script.starts_with("#!") && first == Some("exit 0")
}

/// The additional initrd: an archive "newc" of the secrets at their paths.
///
/// # Errors
/// [`SecretsError::Read`].
pub fn archive(host: &Host, secrets: &BTreeMap<String, String>) -> Result<Vec<u8>, SecretsError> {
    let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (name, path) in secrets {
        let content = read(host, Path::new(path)).map_err(|source| SecretsError::Read {
            name: name.clone(),
            path: path.into(),
            source,
        })?;
        files.insert(path.trim_start_matches('/'), content);
    }
    let mut archive = Archive::default();
    for member in cpio::sorted(files.keys().copied()) {
        match files.get(member.path).filter(|_| member.is_file) {
            Some(content) => archive.file(member.path, 0o400, content),
            None => archive.folder(member.path),
        }
    }
    Ok(archive.finish())
}

/// Refuses a file system whose files others than root can read, from what its root's mode says.
///
/// # Errors
/// [`SecretsError::Open`].
pub fn check_mount(mount: &Path) -> Result<(), SecretsError> {
    let open =
        std::fs::metadata(mount).map_or(true, |found| found.permissions().mode() & 0o077 != 0);
    match open {
        true => Err(SecretsError::Open(mount.to_owned())),
        false => Ok(()),
    }
}

fn read(host: &Host, path: &Path) -> io::Result<Vec<u8>> {
    let place = host.resolve(path)?;
    if !std::fs::metadata(&place)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    std::fs::read(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: &str = "#!/nix/store/x-bash/bin/bash -e\nfunction usage {\n  echo \"USAGE: $0 INITRD_FILE\" >&2\n}\n\nif [ $# -ne 1 ]; then\n  usage\n  exit 1\nfi\n\nif [ \"$1\"x = \"--helpx\" ]; then\n  usage\n  exit 0\nfi\n\nexit 0\nexport PATH=/nix/store\ncp -a x y\n";

    #[test]
    fn a_script_that_ends_at_once_appends_nothing() {
        assert!(appends_nothing(NOTHING));
        assert!(!appends_nothing(
            &NOTHING.replace("\nexit 0\nexport", "\n\nexport")
        ));
        assert!(!appends_nothing(
            &NOTHING.replace("\nexit 0\nexport", "\ncp a b\nexit 0\nexport")
        ));
        assert!(!appends_nothing("\u{7f}ELF"));
        assert!(!appends_nothing(""));
    }

    #[test]
    fn the_archive_has_folders_before_what_they_hold() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc/secrets")).unwrap();
        std::fs::write(root.path().join("etc/secrets/key"), "secret").unwrap();
        let host = Host::new(root.path());
        let secrets = BTreeMap::from([("key".to_owned(), "/etc/secrets/key".to_owned())]);
        let archive = archive(&host, &secrets).unwrap();
        let text = String::from_utf8(archive).unwrap();
        assert_eq!(text.len() % 4, 0);
        let names: Vec<_> = text
            .split("070701")
            .skip(1)
            .map(|member| member.get(104..).unwrap().split('\0').next().unwrap())
            .collect();
        assert_eq!(
            names,
            ["etc", "etc/secrets", "etc/secrets/key", "TRAILER!!!"]
        );
        let missing = BTreeMap::from([("key".to_owned(), "/etc/secrets/other".to_owned())]);
        assert!(super::archive(&host, &missing).is_err());
    }
}
