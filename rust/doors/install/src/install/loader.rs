//! systemd-boot itself: its two copies, and shim in front of it.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::Sha256;
use touchstone_artifacts::progress::Progress;
use touchstone_artifacts::sign::SignPe;
use touchstone_artifacts::signing_key::SigningKey;
use touchstone_esp::order::LoaderVersion;
use touchstone_esp::{Content, EspPath, File, FileSystem};
use touchstone_pe::uki::loader_info;
use touchstone_pe::{Image, authenticode};

use super::error::{Incomplete, InstallError};
use super::images::{Work, check, context};
use super::judge::Judge;
use super::known::{Known, Placed, hex_of};
use super::place::{BEHIND_SHIM, FALLBACK, OWN, Place, arch};
use super::volumes::{Look, Partition};
use crate::Host;
use crate::generation::Generation;
use crate::settings::Settings;

/// Larger than any boot loader, in bytes.
const LIMIT: u64 = 64 << 20;

/// The programs that are to be on the partitions.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The boot loader.
    pub loader: Program,
    /// shim.
    pub shim: Option<Program>,
    /// How firmware calls the architecture: `x64`.
    arch: &'static str,
}

/// A program for the firmware.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is read, or, of one that this machine signs, what is signed.
    source: PathBuf,
    /// Its bytes' SHA-256.
    sha256: [u8; 32],
    size: u64,
    facts: Facts,
    /// Who signs it here; nobody where it is signed already, or signatures do not matter.
    sign: Option<SigningKey>,
}

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    authenticode: Option<[u8; 32]>,
    /// The version of systemd-boot; none of another program.
    version: Option<String>,
    /// Whether it carries a signature, whoever's.
    signed: bool,
}

impl Facts {
    /// Whether two programs are one but for their signatures.
    fn is_same(&self, other: &Self) -> bool {
        self.authenticode.is_some() && self.authenticode == other.authenticode
    }
}

impl Programs {
    /// The programs for a generation: its own signed ones, else those of the settings; none where the boot loader is left alone.
    ///
    /// # Errors
    /// [`InstallError::Loader`].
    pub fn of(
        host: &Host,
        settings: &Settings,
        generation: &Generation,
        key: Option<SigningKey>,
    ) -> Result<Option<Self>, InstallError> {
        let Some(loader) = &settings.loader else {
            return Ok(None);
        };
        let Some(arch) = arch(&generation.system) else {
            return Err(InstallError::Loader {
                file: loader.image.clone(),
                fact: format!("there is none for {}", generation.system),
                help: "set the loader to null, and install one by hand",
            });
        };
        let (path, key) = match &generation.loader {
            Some(own) => (&own.path, None),
            None => (&loader.image, key),
        };
        let loader = program(host, path, key)?;
        if loader.facts.version.is_none() {
            return Err(InstallError::Loader {
                file: path.clone(),
                fact: "is not systemd-boot".to_owned(),
                help: "name systemd-boot: its name begins with systemd-boot and ends in .efi",
            });
        }
        let shim = generation.shim.as_ref();
        let shim = shim.map(|shim| program(host, &shim.path, None));
        Ok(Some(Self {
            loader,
            shim: shim.transpose()?,
            arch,
        }))
    }

    /// The boot loader's version: `257.13-1~deb13u1`.
    pub fn version(&self) -> Option<&str> {
        self.loader.facts.version.as_deref()
    }

    /// Every path that may be written, in the order in which they are.
    pub fn paths(&self) -> Vec<(EspPath, &Program)> {
        let places = match &self.shim {
            Some(shim) => vec![
                (OWN, &self.loader),
                (BEHIND_SHIM, &self.loader),
                (FALLBACK, shim),
            ],
            None => vec![(OWN, &self.loader), (FALLBACK, &self.loader)],
        };
        let parsed = |(place, program): (Place, _)| {
            let path = EspPath::parse(&place.of(self.arch)).ok()?;
            Some((path, program))
        };
        places.into_iter().filter_map(parsed).collect()
    }
}

/// Whether a program that is there stays.
enum Stays {
    /// It is what is wanted.
    Same,
    /// It is another system's.
    Foreign,
    /// It is replaced.
    No,
}

/// Puts programs where they are not, or are others.
pub struct Placing<'a> {
    /// What earlier runs found out.
    pub known: &'a mut Known,
    /// Where programs are signed.
    pub work: &'a Work,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// What the firmware enforces.
    pub judge: Option<&'a Judge>,
}

impl Placing<'_> {
    /// The programs that are to be written on a partition, and what people should hear of.
    ///
    /// # Errors
    /// [`InstallError::Loader`], [`InstallError::Operation`].
    pub fn files(
        &mut self,
        programs: &Programs,
        partition: &Partition,
        look: &Look,
    ) -> Result<(Vec<File>, Vec<String>), InstallError> {
        let volume = partition.mount.display().to_string();
        let mut files = Vec::new();
        let mut notes = Vec::new();
        for (path, program) in programs.paths() {
            let there = match look.observed.file(&path) {
                Some(_) => Some(content(partition, &path)?),
                None => None,
            };
            let stays = match &there {
                Some(bytes) => self.stays(&volume, &path, program, bytes),
                None => Stays::No,
            };
            match stays {
                Stays::No => (),
                Stays::Foreign => {
                    notes.push(format!(
                        "{volume}/{path} is no systemd-boot, and stays as it is"
                    ));
                    continue;
                }
                Stays::Same => {
                    // What is wanted is what is there.
                    let content = Content::Bytes(there.unwrap_or_default());
                    files.push(File { path, content });
                    continue;
                }
            }
            let (content, sha256, file) = self.content(program)?;
            if let Some(judge) = self.judge {
                let judged = judge.loader(&file, &program.source);
                judged.map_err(|error| unsigned(program, &error))?;
            }
            self.place(&volume, &path, program, sha256);
            files.push(File { path, content });
        }
        Ok((files, notes))
    }

    /// Whether what is there is what is wanted, or nobody's business.
    fn stays(&mut self, volume: &str, path: &EspPath, program: &Program, bytes: &[u8]) -> Stays {
        let sha256 = hex_of(bytes);
        let placed = self.known.placed(volume, path.as_str());
        let ours = placed.is_some_and(|placed| placed.sha256 == sha256);
        if ours && placed.is_some_and(|placed| placed.of == program.of()) {
            return Stays::Same;
        }
        let facts = facts(&mut Cursor::new(bytes));
        let same = facts
            .as_ref()
            .is_some_and(|facts| facts.is_same(&program.facts));
        if same && program.is_signed(bytes, self.work, self.progress) {
            self.place(volume, path, program, sha256);
            return Stays::Same;
        }
        let foreign = facts.is_none_or(|facts| facts.version.is_none());
        match foreign && !ours && !same && in_common(path) {
            true => Stays::Foreign,
            false => Stays::No,
        }
    }

    fn place(&mut self, volume: &str, path: &EspPath, program: &Program, sha256: String) {
        let of = program.of();
        self.known
            .place(volume, path.as_str(), Placed { of, sha256 });
    }

    /// What is written: the program as it is, or signed now. Signed once for all partitions.
    fn content(&self, program: &Program) -> Result<(Content, String, PathBuf), InstallError> {
        let Some(key) = &program.sign else {
            let content = Content::Copy {
                source: program.source.clone(),
                size: program.size,
                sha256: program.sha256,
            };
            let sha256 = HEXLOWER.encode(&program.sha256);
            return Ok((content, sha256, program.source.clone()));
        };
        let name = format!("{}.loader", HEXLOWER.encode(&program.sha256));
        let output = self.work.place(&name);
        let output = output.map_err(|source| unread(&program.source, &source))?;
        if !output.exists() {
            let sign = SignPe {
                file: program.source.clone(),
                sign: Some(key.clone()),
                detached: None,
                replace: true,
                checksum: false,
                output: output.clone(),
            };
            sign.run(&context(self.progress))?;
            let checked = check(&output, &key.certificate, self.progress);
            checked.map_err(|error| unsigned(program, &error))?;
        }
        let bytes = std::fs::read(&output).map_err(|source| unread(&output, &source))?;
        let sha256 = hex_of(&bytes);
        Ok((Content::Bytes(bytes), sha256, output))
    }
}

impl Program {
    /// What it is made of, for the record.
    fn of(&self) -> String {
        let certificate = self
            .sign
            .as_ref()
            .map(|key| std::fs::read(&key.certificate));
        let certificate = certificate.and_then(Result::ok).map(|bytes| hex_of(&bytes));
        format!(
            "{} {}",
            HEXLOWER.encode(&self.sha256),
            certificate.unwrap_or_default()
        )
    }

    /// Whether bytes with the same Authenticode digest will do: they carry the signature of who signs here, or nobody signs here and
    /// they are these, or these have no signature.
    fn is_signed(&self, bytes: &[u8], work: &Work, progress: &dyn Progress) -> bool {
        let Some(key) = &self.sign else {
            // A signature that somebody added by hand is more than the program has by itself.
            return !self.facts.signed || hex_of(bytes) == HEXLOWER.encode(&self.sha256);
        };
        let Ok(copy) = work.place("there.efi") else {
            return false;
        };
        std::fs::write(&copy, bytes).is_ok() && check(&copy, &key.certificate, progress).is_ok()
    }
}

/// The version of the systemd-boot that is on a partition already.
pub fn installed(partition: &Partition, system: &str) -> Option<LoaderVersion> {
    let path = EspPath::parse(&OWN.of(arch(system)?)).ok()?;
    let bytes = content(partition, &path).ok()?;
    read_version(facts(&mut Cursor::new(bytes))?.version.as_deref())
}

/// A version as it can be compared.
pub fn read_version(version: Option<&str>) -> Option<LoaderVersion> {
    LoaderVersion::read(&format!("systemd-boot {}", version?))
}

/// Where programs of others lie as well.
fn in_common(path: &EspPath) -> bool {
    path.as_str().starts_with("EFI/BOOT/")
}

fn program(host: &Host, path: &Path, sign: Option<SigningKey>) -> Result<Program, InstallError> {
    let source = host.resolve(path).map_err(|error| unread(path, &error))?;
    let bytes = std::fs::read(&source).map_err(|error| unread(path, &error))?;
    let facts = facts(&mut Cursor::new(&bytes)).ok_or_else(|| InstallError::Loader {
        file: path.to_owned(),
        fact: "is no program for the firmware".to_owned(),
        help: "name systemd-boot, or look with `nix store verify` whether it is damaged",
    })?;
    Ok(Program {
        source,
        sha256: sha2::Digest::finalize(<Sha256 as sha2::Digest>::new_with_prefix(&bytes)).into(),
        size: bytes.len() as u64,
        facts,
        sign,
    })
}

fn facts(file: &mut (impl Read + io::Seek)) -> Option<Facts> {
    let image = Image::read(file).ok()?;
    let info = loader_info(&image, file).ok().flatten();
    let info = info.filter(|info| info.program == "systemd-boot");
    let authenticode = authenticode::stored_digest::<Sha256, _>(&image, file).ok();
    Some(Facts {
        authenticode: authenticode.and_then(|digest| digest.as_slice().try_into().ok()),
        version: info.map(|info| info.version),
        signed: image.certificate_table().is_some(),
    })
}

fn content(partition: &Partition, path: &EspPath) -> Result<Vec<u8>, InstallError> {
    let mut bytes = Vec::new();
    let file = partition.mount.join(path.as_str());
    let reader = partition.fs.open(path);
    reader
        .and_then(|reader| reader.take(LIMIT).read_to_end(&mut bytes))
        .map_err(|error| unread(&file, &error))?;
    Ok(bytes)
}

fn unsigned(program: &Program, error: &Incomplete) -> InstallError {
    InstallError::Loader {
        file: program.source.clone(),
        fact: error.to_string(),
        help: "look at the key and its certificate; where a shim that this program did not install starts it, leave the boot loader alone, too (`installLoader = false`)",
    }
}

fn unread(file: &Path, error: &io::Error) -> InstallError {
    InstallError::Loader {
        file: file.to_owned(),
        fact: format!("cannot be read: {error}"),
        help: "look with `nix store verify`, or with fsck.fat, what is damaged",
    }
}
