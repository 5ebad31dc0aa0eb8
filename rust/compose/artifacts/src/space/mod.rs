//! `boot.space`: whether so many generations fit on an EFI system partition, and what each costs there.

mod size;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::touchstone::{Image, NamedFile};
use touchstone_esp::fat::{Fat, LARGEST_FILE, NoFat, RESERVE};

use crate::generation::described;
use crate::refuted::Refuted;
use crate::source::about;
use crate::{Context, Error, Files, output};
pub use size::Size;

/// The request of `boot.space`. Sizes are numbers of bytes, or texts such as `512M`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasureSpace {
    /// Folders of boot artifacts, a kept generation each.
    pub artifacts: Vec<PathBuf>,
    /// How many generations are kept: the number of folders when not given. Those that are not named count as much as the largest that
    /// is, and share nothing with others.
    pub generations: Option<u64>,
    /// The partition.
    pub size: Size,
    /// The clusters of its file system: by the rule of `mkfs.vfat` when not given.
    pub cluster_size: Option<Size>,
    /// Its sectors: 512 bytes when not given.
    pub sector_size: Option<Size>,
    /// What is to stay free: 1 MiB when not given.
    pub reserve: Option<Size>,
    /// Other files on the partition: their paths there, and where they are read.
    #[serde(default)]
    pub shared: BTreeMap<String, PathBuf>,
    /// Whether it is an error when they do not fit, as it is in a build.
    #[serde(default)]
    pub required: bool,
    /// Where the answer is written as well; not when the request is refused.
    pub output: Option<PathBuf>,
}

/// The answer of `boot.space`. Sizes in bytes, rounded up to clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpaceVerdict {
    /// Whether all fits.
    pub fits: bool,
    /// What the file system has for files and folders.
    pub room: u64,
    /// The size of a cluster.
    pub cluster_size: u64,
    /// What everything needs: generations, folders, loader, other files, reserve.
    pub needed: u64,
    /// How many generations are counted: those that are kept, and the one that is written before the oldest of them goes.
    pub generations: u64,
    /// The named ones.
    pub each: Vec<GenerationSpace>,
    /// What a generation counts that is not named.
    pub largest: u64,
    /// The boot loader, which is there twice and once more while it is replaced, its settings, and the other files.
    pub shared: u64,
    /// The folders.
    pub folders: u64,
    /// What is to stay free.
    pub reserve: u64,
    /// How many more generations fit, each as large as the largest.
    pub more: u64,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GenerationSpace {
    /// Its folder.
    pub artifacts: PathBuf,
    /// How many different files it has on the partition.
    pub files: usize,
    /// What they take.
    pub size: u64,
    /// What they take beyond the files of the generations before it in this list: files of the same content are there once.
    pub new: u64,
}

/// `EFI`, `EFI/BOOT`, `EFI/systemd`, `EFI/nixos`, `loader`, `loader/entries`, `loader/keys` and the root: each has few entries.
const SMALL_FOLDERS: u64 = 8;
/// `loader.conf`, `entries.srel`, `random-seed` and `boot-secret-mixin`: a cluster each.
const SMALL_FILES: u64 = 4;
/// The longest name that FAT has, in UTF-16 units.
const LONGEST_NAME: u64 = 255;
/// Both names of the loader, and the copy that replaces one of them.
const LOADERS: u64 = 3;

impl MeasureSpace {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Text`] and [`Error::NotAsDescribed`] when a folder cannot be relied on; [`Error::Request`] when there
    /// is no such file system; [`Error::Refuted`] when it does not fit and that is `required`; [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<SpaceVerdict, Error> {
        context.progress.phase("counting clusters");
        let verdict = self.count(context.files, self.fat()?)?;
        if self.required && !verdict.fits {
            return Err(Error::Refuted {
                claim: Refuted::Space,
                file: None,
                findings: verdict.lines().join("\n  "),
            });
        }
        output::answer(context.files, self.output.as_deref(), &verdict)?;
        Ok(verdict)
    }

    fn fat(&self) -> Result<Fat, Error> {
        let bytes = |size: Option<Size>| size.map(Size::bytes);
        let sector = bytes(self.sector_size).unwrap_or(512);
        let size = self.size.bytes();
        Fat::of(size, sector, bytes(self.cluster_size)).map_err(|why| {
            let (fact, help) = match why {
                NoFat::Sector => (
                    format!("FAT32 has no sectors of {sector} bytes"),
                    "give 512, 1024, 2048 or 4096 bytes",
                ),
                NoFat::Cluster => (
                    "FAT32 has no clusters of this size".to_owned(),
                    "give a cluster of 1, 2, 4, … 128 sectors",
                ),
                NoFat::TooFewClusters(clusters) => (
                    format!("{size} bytes make {clusters} clusters, and FAT32 has 65525 at least"),
                    "give a larger partition, or smaller clusters",
                ),
                NoFat::TooLarge => (
                    format!("{size} bytes are more than FAT32 has"),
                    "give a smaller partition, or larger sectors and clusters",
                ),
            };
            Error::Request { fact, help }
        })
    }

    fn count(&self, files: &dyn Files, fat: Fat) -> Result<SpaceVerdict, Error> {
        let named = self.artifacts.len() as u64;
        if named == 0 || self.generations == Some(0) {
            return Err(Error::Request {
                fact: "no generation is named, or none is kept".to_owned(),
                help: "give a folder of boot artifacts at least, and a number of generations from 1 on",
            });
        }
        let counted = Counted::of(files, &self.artifacts, fat)?;
        // The new one is written before the oldest goes.
        let generations = self
            .generations
            .unwrap_or(named)
            .max(named)
            .saturating_add(1);
        let unnamed = generations.saturating_sub(named);
        let own: u64 = counted.each.iter().map(|one| one.new).sum();
        let largest = counted
            .each
            .iter()
            .map(|one| one.size)
            .max()
            .unwrap_or_default();
        let names = counted
            .most_names
            .saturating_mul(unnamed)
            .saturating_add(counted.names);
        let folders = fat.folder(names, LONGEST_NAME) + SMALL_FOLDERS * fat.folder(16, 32);
        let shared =
            counted.loaders * LOADERS + SMALL_FILES * fat.cluster_size + self.others(files, fat)?;
        let reserve = self.reserve.map_or(RESERVE, Size::bytes);
        let parts = [
            own,
            largest.saturating_mul(unnamed),
            folders,
            shared,
            reserve,
        ];
        let needed = parts.into_iter().fold(0, u64::saturating_add);
        let room = fat.room();
        // A further one brings its names along.
        let further = largest + fat.folder(counted.most_names, LONGEST_NAME);
        Ok(SpaceVerdict {
            fits: needed <= room,
            room,
            cluster_size: fat.cluster_size,
            needed,
            generations,
            each: counted.each,
            largest,
            shared,
            folders,
            reserve,
            more: room.saturating_sub(needed) / further.max(1),
        })
    }

    /// The other files, and folders that only they need.
    fn others(&self, files: &dyn Files, fat: Fat) -> Result<u64, Error> {
        let (mut sum, mut folders) = (0_u64, BTreeSet::new());
        for (path, file) in &self.shared {
            let about = about(files, file).map_err(|source| unreadable(file, source))?;
            sum = sum.saturating_add(fat.rounded(about.len()));
            folders.extend(Path::new(path).ancestors().skip(1));
        }
        Ok(sum + folders.len() as u64 * fat.cluster_size)
    }
}

/// What the named generations take.
struct Counted {
    each: Vec<GenerationSpace>,
    /// Boot loader and shim, of the generation whose are the largest.
    loaders: u64,
    /// How many entries the menu has of all of them, and of the one with the most specialisations.
    names: u64,
    most_names: u64,
}

impl Counted {
    fn of(files: &dyn Files, artifacts: &[PathBuf], fat: Fat) -> Result<Counted, Error> {
        let mut counted = Counted {
            each: Vec::new(),
            loaders: 0,
            names: 0,
            most_names: 0,
        };
        let mut known = BTreeSet::new();
        for folder in artifacts {
            let touchstone = described(files, folder)?;
            let mut loaders = 0;
            for image in touchstone.loader.iter().chain(&touchstone.shim) {
                loaders += fat.rounded(size_of(files, folder, &image.file)?);
            }
            counted.loaders = counted.loaders.max(loaders);
            let names = touchstone.specialisations.len() as u64 + 1;
            counted.names += names;
            counted.most_names = counted.most_names.max(names);
            let specialisations = touchstone.specialisations.values();
            let ukis = specialisations.map(|one| &one.uki).chain([&touchstone.uki]);
            counted
                .each
                .push(generation(files, fat, folder, ukis, &mut known)?);
        }
        Ok(counted)
    }
}

/// The files of a generation; `known` are those that are there already.
fn generation<'a>(
    files: &dyn Files,
    fat: Fat,
    folder: &Path,
    images: impl Iterator<Item = &'a Image>,
    known: &mut BTreeSet<String>,
) -> Result<GenerationSpace, Error> {
    let (mut own, mut size, mut new) = (BTreeSet::new(), 0_u64, 0_u64);
    for image in images {
        let digest = image.file.sha256.as_str().to_owned();
        if !own.insert(digest.clone()) {
            continue;
        }
        let rounded = fat.rounded(size_of(files, folder, &image.file)?);
        size = size.saturating_add(rounded);
        if known.insert(digest) {
            new = new.saturating_add(rounded);
        }
    }
    Ok(GenerationSpace {
        artifacts: folder.to_owned(),
        files: own.len(),
        size,
        new,
    })
}

/// The size that a document gives, which must be that of the file.
fn size_of(files: &dyn Files, folder: &Path, named: &NamedFile) -> Result<u64, Error> {
    let file = folder.join(named.path.as_str());
    let about = about(files, &file).map_err(|source| unreadable(&file, source))?;
    let fact = match about.len() {
        there if there != named.size => format!("it has {there} bytes, named are {}", named.size),
        there if there > LARGEST_FILE => {
            format!("it has {there} bytes, and FAT32 has no files of 4 GiB")
        }
        there => return Ok(there),
    };
    Err(Error::NotAsDescribed { file, fact })
}

fn unreadable(file: &Path, source: std::io::Error) -> Error {
    Error::Open {
        role: "file of the partition",
        file: file.to_owned(),
        source,
    }
}

impl SpaceVerdict {
    /// The count, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .each
            .iter()
            .map(|one| {
                let name = one.artifacts.display();
                format!(
                    "{name}: {} in {} files, of which {} are its own",
                    mib(one.size),
                    one.files,
                    mib(one.new)
                )
            })
            .collect();
        let unnamed = self.generations.saturating_sub(self.each.len() as u64);
        lines.push(format!(
            "{unnamed} more generations (one is written before the oldest goes), each {}",
            mib(self.largest)
        ));
        lines.push(format!(
            "loader, its settings and other files: {}",
            mib(self.shared)
        ));
        lines.push(format!(
            "folders: {}; to stay free: {}",
            mib(self.folders),
            mib(self.reserve)
        ));
        let has = format!(
            "{} are needed for {} generations; the file system has {} in clusters of {} bytes",
            mib(self.needed),
            self.generations,
            mib(self.room),
            self.cluster_size
        );
        lines.push(match self.fits {
            true => format!("{has}: {} more would fit", self.more),
            false => format!(
                "{has}: {} are missing",
                mib(self.needed.saturating_sub(self.room))
            ),
        });
        lines
    }
}

/// In MiB with two digits, rounded up: for people.
fn mib(bytes: u64) -> String {
    let hundredths = u128::from(bytes).saturating_mul(100).div_ceil(1 << 20);
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}
