//! Entries of Type #1: a text that names a kernel, its initrds and a device tree.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use touchstone_esp::type1::{Key, Type1, Type1Error};
use touchstone_esp::{Content, EntryKind, EspPath, File, escape};

use super::{Identity, Incomplete, Maker, Wanted, half, wanted};
use crate::generation::{Boot, Parts, Secrets, secrets};
use crate::settings::Volume;

/// Where kernels and initrds lie.
const FOLDER: &str = "EFI/nixos";

impl Maker<'_> {
    /// The entry, and the files that it names. `label` is that of the generation, also for its specialisations: the version comes before the
    /// name in the order of entries, and a generation comes right before its specialisations.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub(super) fn text(
        &mut self,
        of: &Identity,
        boot: &Boot,
        parts: &Parts,
        label: &str,
    ) -> Result<Wanted, Incomplete> {
        let mut artifacts = vec![self.artifact(&parts.kernel, ".efi")?];
        for initrd in &parts.initrds {
            artifacts.push(self.artifact(initrd, "")?);
        }
        artifacts.extend(self.secrets(&parts.secrets)?);
        let initrds = artifacts.len();
        if let Some(tree) = &parts.devicetree {
            artifacts.push(self.artifact(tree, "")?);
        }
        let mut names = artifacts.iter().map(|file| format!("/{}", file.path));
        let mut entry = Type1::default();
        let mut push =
            |key: Key, value: String| -> Result<(), Type1Error> { entry.push(key, value) };
        let written = (|| {
            push(Key::Title, self.title(of, boot))?;
            push(Key::SortKey, self.sort_key(of, parts))?;
            push(Key::Version, format!("{} {label}", of.number))?;
            if let Some(id) = &self.machine_id {
                push(Key::MachineId, id.clone())?;
            }
            for number in 0..initrds {
                let key = if number == 0 { Key::Linux } else { Key::Initrd };
                push(key, names.next().unwrap_or_default())?;
            }
            push(Key::Options, parts.command_line.trim().to_owned())?;
            match names.next() {
                Some(tree) => push(Key::Devicetree, tree),
                None => Ok(()),
            }
        })();
        written.map_err(|error| Incomplete::Text(error.to_string()))?;
        let bytes = entry.to_string().into_bytes();
        let sha256 = Sha256::digest(&bytes).into();
        let content = Content::Bytes(bytes);
        wanted(of, boot, EntryKind::Type1, sha256, content, artifacts)
    }

    fn title(&self, of: &Identity, boot: &Boot) -> String {
        let profile = of.profile.as_ref().map(|name| format!(" [{name}]"));
        let specialisation = boot
            .specialisation
            .as_ref()
            .map(|name| format!(" ({name})"));
        let parts = [profile, specialisation].into_iter().flatten();
        format!("{}{}", self.settings.distro, parts.collect::<String>())
    }

    /// The one that the generation asked for, else that of the settings. Other profiles come behind the system's own, whatever their numbers.
    fn sort_key(&self, of: &Identity, parts: &Parts) -> String {
        let key = parts.sort_key.as_ref().unwrap_or(&self.settings.sort_key);
        match &of.profile {
            None => key.clone(),
            Some(profile) => format!("{key}-{}", escape(profile)),
        }
    }

    /// A file in the folder of files that entries name, called by its content.
    fn artifact(&mut self, path: &Path, end: &str) -> Result<File, Incomplete> {
        let (file, sha256) = self.file(path)?;
        let source = self
            .host
            .resolve(path)
            .map_err(|source| Incomplete::Missing {
                file: path.to_owned(),
                source,
            })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = without_store_hash(path, &name);
        let name = name.strip_suffix(end).unwrap_or(name);
        Ok(File {
            path: place(&sha256, &format!("{}{end}", plain(name)))?,
            content: Content::Copy {
                source,
                size: file.size,
                sha256,
            },
        })
    }

    /// The additional initrd with the secrets.
    fn secrets(&self, secrets: &Secrets) -> Result<Option<File>, Incomplete> {
        let files = match secrets {
            Secrets::None => return Ok(None),
            Secrets::Program(program) => {
                return Err(secrets::SecretsError::Program(program.clone()).into());
            }
            Secrets::Files(files) => files,
        };
        for Volume { esp, xbootldr } in &self.settings.volumes {
            secrets::check_mount(&self.host.at(xbootldr.as_ref().unwrap_or(esp)))?;
        }
        let archive = secrets::archive(self.host, files)?;
        let sha256: [u8; 32] = Sha256::digest(&archive).into();
        Ok(Some(File {
            path: place(&sha256, "secrets")?,
            content: Content::Bytes(archive),
        }))
    }
}

/// The name of a file that is a store path itself begins with the hash of what made it.
fn without_store_hash<'n>(path: &Path, name: &'n str) -> &'n str {
    let is_store_path = path.parent() == Some(Path::new("/nix/store"));
    let rest = is_store_path.then(|| name.split_once('-')).flatten();
    rest.map_or(name, |(_, rest)| rest)
}

fn place(sha256: &[u8; 32], name: &str) -> Result<EspPath, Incomplete> {
    let hash = HEXLOWER.encode(&half(sha256));
    EspPath::parse(&format!("{FOLDER}/{hash}-{name}"))
        .map_err(|error| Incomplete::Text(error.to_string()))
}

/// A name that every system reads alike on FAT.
fn plain(name: &str) -> String {
    let plain = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => character,
        _ => '_',
    };
    name.chars().map(plain).take(100).collect()
}
