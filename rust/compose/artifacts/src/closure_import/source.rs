//! Where paths come from: folders of binary caches, or one stream.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, StdinLock};
use std::path::{Path, PathBuf};

use lzma_rust2::XzReader;
use rustix::fs::{self, CWD, FileType, Mode, OFlags, ResolveFlags};
use touchstone_store::closure::{Registry, references_first, stream, walk};
use touchstone_store::narinfo::{Archive, Compression};
use touchstone_store::{NarInfo, StorePath};

use super::error::{ImportError, failed};
use super::zstd::Frames;

/// Standard input.
const STDIN: &str = "-";
/// Most memory that an XZ file may need, in KiB: `xz -9` takes 65.
const XZ_MEMORY: u32 = 256 * 1024;
/// Bytes that are read at once.
const BUFFER: usize = 128 * 1024;

/// What the sources offer, references before referrers.
pub(super) struct Offer {
    /// What is said of each path.
    pub(super) infos: Vec<NarInfo>,
    nars: Nars,
}

enum Nars {
    /// The folder that each path is in.
    Folders(BTreeMap<StorePath, PathBuf>),
    /// All NARs, in the order of the entries.
    Stream {
        /// The file, or [`STDIN`].
        name: PathBuf,
        input: Box<dyn BufRead>,
    },
}

impl Offer {
    /// Looks at the sources: folders, or one stream (`-` is standard input). Of folders only what `wanted` reaches is read, or everything when
    /// nothing is named.
    pub(super) fn open(sources: &[PathBuf], wanted: &[StorePath]) -> Result<Self, ImportError> {
        if let [one] = sources
            && !is_folder(one)?
        {
            let mut input = open_stream(one)?;
            return Ok(Self {
                infos: stream::read_index(&mut input)?,
                nars: Nars::Stream {
                    name: one.clone(),
                    input,
                },
            });
        }
        for source in sources {
            if !is_folder(source)? {
                return Err(ImportError::Sources);
            }
        }
        let found = match wanted {
            [] => everything(sources)?,
            wanted => reached(sources, wanted)?,
        };
        let folders = found.iter();
        let folders = folders.map(|(path, (_, folder))| (path.clone(), folder.clone()));
        let nars = Nars::Folders(folders.collect());
        let infos = references_first(found.into_values().map(|(info, _)| info))?;
        Ok(Self { infos, nars })
    }

    /// Whether a path's NAR can be had, as far as that is known without reading it.
    pub(super) fn readable(&self, info: &NarInfo) -> Result<(), ImportError> {
        let Nars::Folders(_) = &self.nars else {
            return Ok(());
        };
        match archive(info)?.compression {
            Compression::Other(ref name) => Err(ImportError::Compression {
                path: info.entry.path.clone(),
                compression: name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Gives a path's NAR to `read`, which must read it to its end. Paths of a stream are asked for in its order.
    pub(super) fn nar(
        &mut self,
        info: &NarInfo,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let folders = match &mut self.nars {
            Nars::Stream { input, .. } => return read(input),
            Nars::Folders(folders) => folders,
        };
        let path = &info.entry.path;
        let folder = folders.get(path);
        let folder = folder.ok_or_else(|| ImportError::NoArchive(path.clone()))?;
        let (mut input, file) = open_archive(folder, archive(info)?)?;
        read(&mut input)?;
        let mut more = [0];
        match input.read(&mut more) {
            Ok(0) => Ok(()),
            // More of the content, or what is none of it.
            Ok(_) => Err(ImportError::Trailing(path.clone())),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(ImportError::Trailing(path.clone()))
            }
            Err(error) => Err(failed("reading", file)(error)),
        }
    }

    /// Passes over a path's NAR.
    pub(super) fn skip(&mut self, info: &NarInfo) -> Result<(), ImportError> {
        let Nars::Stream { name, input } = &mut self.nars else {
            return Ok(());
        };
        let length = info.entry.nar_size;
        let skipped = io::copy(&mut input.take(length), &mut io::sink());
        match skipped.map_err(failed("reading", &*name))? {
            skipped if skipped == length => Ok(()),
            _ => Err(ImportError::Stream(stream::StreamError::Short)),
        }
    }

    /// Checks that nothing follows the last NAR of a stream.
    pub(super) fn end(&mut self) -> Result<(), ImportError> {
        match &mut self.nars {
            Nars::Stream { input, .. } => Ok(stream::end(input)?),
            Nars::Folders(_) => Ok(()),
        }
    }
}

/// What folders say of paths, and the folder that has each: the first that has it.
type Found = BTreeMap<StorePath, (NarInfo, PathBuf)>;

fn everything(folders: &[PathBuf]) -> Result<Found, ImportError> {
    let mut found = Found::new();
    for folder in folders {
        for info in Registry::folder(folder).all()? {
            let path = info.entry.path.clone();
            found.entry(path).or_insert_with(|| (info, folder.clone()));
        }
    }
    Ok(found)
}

/// What is wanted and all that it refers to, as far as the folders have it.
fn reached(folders: &[PathBuf], wanted: &[StorePath]) -> Result<Found, ImportError> {
    let folders = folders.iter().map(|one| (Registry::folder(one), one));
    let folders: Vec<_> = folders.collect();
    let mut found = Found::new();
    walk(wanted.iter().cloned(), |path, _| {
        for (registry, folder) in &folders {
            if let Some(info) = registry.get(path)? {
                let references = info.entry.references.clone();
                found.insert(path.clone(), (info, (*folder).clone()));
                return Ok(references);
            }
        }
        Ok::<_, ImportError>(BTreeSet::new())
    })?;
    Ok(found)
}

fn is_folder(source: &Path) -> Result<bool, ImportError> {
    if source == Path::new(STDIN) {
        return Ok(false);
    }
    let found = std::fs::metadata(source).map_err(failed("opening", source))?;
    Ok(found.is_dir())
}

fn open_stream(source: &Path) -> Result<Box<dyn BufRead>, ImportError> {
    if source == Path::new(STDIN) {
        let input: StdinLock<'static> = io::stdin().lock();
        return Ok(Box::new(BufReader::with_capacity(BUFFER, input)));
    }
    let file = File::open(source).map_err(failed("opening", source))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
}

fn archive(info: &NarInfo) -> Result<&Archive, ImportError> {
    let archive = info.archive.as_ref();
    archive.ok_or_else(|| ImportError::NoArchive(info.entry.path.clone()))
}

/// Opens a file below the folder, wherever its links lead, and reads it unpacked.
fn open_archive(folder: &Path, archive: &Archive) -> Result<(Box<dyn Read>, PathBuf), ImportError> {
    let file = folder.join(&archive.url);
    let opened = open_below(folder, &archive.url).map_err(failed("opening", &file))?;
    let input = BufReader::with_capacity(BUFFER, opened);
    let input: Box<dyn Read> = match archive.compression {
        Compression::Xz => Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY)),
        Compression::Zstd => Box::new(Frames::new(input)),
        // What is compressed otherwise was refused before.
        Compression::None | Compression::Other(_) => Box::new(input),
    };
    Ok((input, file))
}

fn open_below(folder: &Path, url: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = fs::openat(CWD, folder, flags | OFlags::DIRECTORY, Mode::empty())?;
    // NONBLOCK: opening a FIFO must not wait.
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = fs::openat2(folder, url, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    match FileType::from_raw_mode(fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(io::Error::other("it is no regular file")),
    }
}
