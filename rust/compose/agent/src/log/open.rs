//! Opening a log: a new one, or one that was closed, killed or tampered with.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::checkpoint::Checkpoint;
use super::desk::{Desk, NEWEST};
use super::entry::{Entry, Link, Sequence, VERSION};
use super::error::LogError;
use super::event::Event;
use super::lines::{Lines, Piece};
use super::note::CheckpointSigner;
use super::scan::{Scan, scan};
use super::segment::{self, Fresh, NoSpace, set_aside, sync_folder};
use super::settings::Settings;
use super::space::Space;
use super::state::State;
use super::text::{Digest, Time};
use super::writer::{Shared, hold, lock};

/// Opens the log in this folder, or begins one.
pub(super) fn open(
    folder: &Path,
    settings: Settings,
    signer: Box<dyn CheckpointSigner>,
) -> Result<Shared, LogError> {
    let checked = settings.check();
    checked.map_err(|(field, fact)| LogError::Settings { field, fact })?;
    enter(folder)?;
    let lock = lock(folder)?;
    segment::remove_unfinished(folder)?;
    let desk = Desk::new(signer, folder, &settings.exports);
    let space = Space::new(&settings);
    let opened = match segment::list(folder)?.pop() {
        None => begin(folder, space, &desk)?,
        Some((number, file)) => reopen(folder, number, &file, space, &desk)?,
    };
    let shared = Shared {
        folder: folder.to_owned(),
        settings,
        name: opened.name,
        lock: Mutex::new(Some(lock)),
        state: Mutex::new(opened.state),
        desk: Mutex::new(desk),
        moved: Condvar::new(),
        wake: Condvar::new(),
    };
    if let Some(event) = opened.recovered {
        shared.append(event)?;
    }
    if opened.full {
        let mut state = hold(&shared.state);
        state.no_room()?;
        state.flush()?;
    }
    match &opened.checkpoint {
        Some(checkpoint) => shared.keep_again(checkpoint)?,
        None => find_last(&shared),
    }
    Ok(shared)
}

struct Opened {
    name: String,
    state: State,
    /// What to write down first.
    recovered: Option<Event>,
    /// The last checkpoint whose entry is in the last segment.
    checkpoint: Option<Checkpoint>,
    /// The disk has no room for the space that the settings want.
    full: bool,
}

/// The log's folder: made for its owner alone, and nobody else may write into it.
fn enter(folder: &Path) -> Result<(), LogError> {
    let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = folder.ancestors().take_while(missing).collect();
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    // A loss of power could take the whole log away, and the next start would begin another.
    let made = made.and_then(|()| missing.iter().try_for_each(|new| sync_folder(new)));
    made.map_err(LogError::system("the log's folder cannot be made", folder))?;
    let facts = fs::metadata(folder);
    let facts = facts.map_err(LogError::system(
        "the log's folder cannot be looked at",
        folder,
    ))?;
    let (owner, own) = (facts.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        let folder = folder.to_owned();
        return Err(LogError::Foreign { folder, owner, own });
    }
    let mode = facts.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        let folder = folder.to_owned();
        return Err(LogError::Loose { folder, mode });
    }
    Ok(())
}

fn of_space(reason: NoSpace, folder: &Path, bytes: u64) -> LogError {
    match reason {
        NoSpace::Other(error) => error,
        NoSpace::Full => LogError::NoRoom {
            folder: folder.to_owned(),
            bytes,
        },
    }
}

/// Begins a log where none is.
fn begin(folder: &Path, space: Space, desk: &Desk) -> Result<Opened, LogError> {
    let file = folder.join(NEWEST);
    if let Ok(note) = super::desk::read(&file) {
        // A checkpoint without any segment: somebody took them away.
        let signed = Checkpoint::unverified(&note).map_or(Sequence(1), |found| found.sequence);
        let last = Sequence(0);
        return Err(LogError::Truncated { file, signed, last });
    }
    let name = HEXLOWER.encode(&rand::random::<[u8; 16]>());
    // Whether the folders of exports are there.
    desk.known(&name)?;
    let entry = Entry {
        sequence: Sequence(1),
        time: Time::now(),
        previous: Digest::NONE,
        event: Event::Created {
            version: VERSION,
            log: name.clone(),
        },
    };
    let line = entry
        .line()
        .map_err(|error| LogError::Failed(error.to_string()))?;
    let begun = Fresh::prepare(folder, 1, space.whole()).and_then(|fresh| fresh.begin(&line));
    let file = begun.map_err(|reason| of_space(reason, folder, space.whole()))?;
    let head = Digest::of(&line);
    let mut state = State::new(space, 1, file, line.len() as u64, Sequence(1), head);
    state.unsigned = 1;
    Ok(Opened {
        name,
        state,
        recovered: None,
        checkpoint: None,
        full: false,
    })
}

/// Goes on with a log.
fn reopen(
    folder: &Path,
    number: u64,
    path: &Path,
    space: Space,
    desk: &Desk,
) -> Result<Opened, LogError> {
    let failed = |source| LogError::system("the log cannot be read", path)(source);
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).open(path).map_err(failed)?;
    let known = match name(&file).map_err(failed)? {
        Some(name) => desk.known(&name)?,
        None => Vec::new(),
    };
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let found = read(&file, number, path, &known)?;
    let recovered = match found.torn {
        true => Some(cut(&mut file, found.bytes).map_err(failed)?),
        false => None,
    };
    let space = space.around(found.bytes);
    let there = segment::room(&file, found.bytes);
    let (space, full) = match set_aside(&file, there, space.whole(), folder) {
        Ok(()) => (space, false),
        Err(NoSpace::Full) => (space.within(there), true),
        Err(NoSpace::Other(error)) => return Err(error),
    };
    let mut state = State::new(space, number, file, found.bytes, found.last, found.head);
    if found.checkpoint.is_some() {
        state.owe();
    }
    state.unsigned += found.since_checkpoint;
    let checkpoint = found.checkpoint.map(|(sequence, head, time)| Checkpoint {
        log: found.log.clone(),
        sequence,
        head,
        time,
    });
    Ok(Opened {
        name: found.log,
        state,
        recovered,
        checkpoint,
        full,
    })
}

/// The log's name, as the first line of a segment says.
fn name(file: &File) -> io::Result<Option<String>> {
    let mut lines = Lines::new(file);
    let link = match lines.advance()? {
        Piece::Whole => Link::parse(&lines.line).ok(),
        _ => None,
    };
    Ok(link.and_then(|link| link.log))
}

/// Reads the last segment, and holds it against the checkpoints that are known.
fn read(
    file: &File,
    number: u64,
    path: &Path,
    known: &[(PathBuf, Checkpoint)],
) -> Result<Scan, LogError> {
    let mut rewritten = None;
    let mut hold_against = |sequence, digest| {
        let other = |(_, checkpoint): &&(PathBuf, Checkpoint)| {
            checkpoint.sequence == sequence && checkpoint.head != digest
        };
        if let (None, Some((file, _))) = (&rewritten, known.iter().find(other)) {
            rewritten = Some((file.clone(), sequence));
        }
    };
    let found = scan(file, number, &mut hold_against);
    let found = found.map_err(LogError::system("the log cannot be read", path))?;
    let found = found.map_err(|damage| LogError::Damaged {
        file: path.to_owned(),
        line: damage.line,
        fact: damage.fact,
    })?;
    hold_against(found.before.0, found.before.1);
    if let Some((file, sequence)) = rewritten {
        return Err(LogError::Rewritten { file, sequence });
    }
    let last = found.last;
    let later = known
        .iter()
        .find(|(_, checkpoint)| checkpoint.sequence > last);
    if let Some((file, Checkpoint { sequence, .. })) = later {
        let (file, signed) = (file.clone(), *sequence);
        return Err(LogError::Truncated { file, signed, last });
    }
    Ok(found)
}

/// Cuts off what was not finished; the answer says what it was.
fn cut(file: &mut File, at: u64) -> io::Result<Event> {
    file.seek(SeekFrom::Start(at))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, [0; 8192]);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            break;
        };
        hash.update(piece);
        bytes += piece.len() as u64;
    }
    file.set_len(at)?;
    file.sync_all()?;
    Ok(Event::Recovered {
        bytes,
        sha256: Digest::new(hash.finalize().into()),
    })
}

/// The last checkpoint of a log whose last segment has none.
fn find_last(shared: &Shared) {
    let mut desk = hold(&shared.desk);
    let note = super::desk::read(&shared.folder.join(NEWEST)).ok();
    let note = note.and_then(|note| String::from_utf8(note).ok());
    desk.last = note.and_then(|note| Some((desk.signed(note.as_bytes(), &shared.name)?, note)));
}
