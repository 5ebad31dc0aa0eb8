//! Verification: whether a log hangs together, and is what its checkpoints have signed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::checkpoint::{self, Checkpoint};
use super::desk::{self, NEWEST};
use super::entry::{Link, Sequence};
use super::error::LogError;
use super::finding::{Fault, Finding};
use super::lines::{Lines, Piece};
use super::note::PublicKey;
use super::segment;
use super::text::{Digest, Time};

/// How many findings are told at most: a log of which every line is wrong tells nothing more.
const MOST: usize = 1000;

/// What a log is held against.
#[derive(Clone, Debug, Default)]
pub struct Trusted {
    /// The public keys of checkpoints. Without any, the chain alone is looked at.
    pub keys: Vec<PublicKey>,
    /// Checkpoints, or folders of them: every file there that ends with `.checkpoint`.
    pub checkpoints: Vec<PathBuf>,
}

/// What verification says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The log's name.
    pub log: Option<String>,
    /// How many segments are there.
    pub segments: u64,
    /// The first entry that is there; 0: none.
    pub first: Sequence,
    /// The last entry that is there.
    pub last: Sequence,
    /// The digest of its line.
    pub head: Digest,
    /// Checkpoints with which the log agrees.
    pub checkpoints: u64,
    /// Checkpoints of entries that lie before the first segment that is there.
    pub earlier: u64,
    /// The last entry that one of them covers.
    pub covered: Option<Covered>,
    /// Bytes behind the last entry: what an agent was writing, or had not finished when it was killed.
    pub unfinished: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Up to where checkpoints reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The entry.
    pub sequence: Sequence,
    /// When that checkpoint was made.
    pub time: Time,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies the log in this folder; an agent may be writing it.
///
/// # Errors
/// [`LogError::System`] when something cannot be read. What is wrong with the log is no error but a finding.
pub fn verify(folder: &Path, trusted: &Trusted) -> Result<Report, LogError> {
    let mut walk = Walk::new();
    // Before the segments: entries are on the disk before checkpoints of them are.
    let notes = notes(folder, trusted)?;
    let segments = segment::list(folder)?;
    let log = segments
        .iter()
        .find_map(|(number, file)| name(*number, file));
    walk.admit(log.as_deref(), &notes, &trusted.keys);
    walk.report.log = log;
    walk.report.segments = segments.len() as u64;
    let last = segments.last().map(|(number, _)| *number);
    for (number, file) in &segments {
        let failed = |source| LogError::system("the log cannot be read", file)(source);
        walk.begin(*number, file);
        walk.segment(*number, file, Some(*number) == last)
            .map_err(failed)?;
    }
    walk.end(!trusted.keys.is_empty());
    Ok(walk.report)
}

/// A checkpoint's file.
struct Note {
    file: PathBuf,
    bytes: Vec<u8>,
    /// Whether it was named, or found in a folder where others may have theirs.
    named: bool,
}

fn notes(folder: &Path, trusted: &Trusted) -> Result<Vec<Note>, LogError> {
    let mut notes = Vec::new();
    if trusted.keys.is_empty() {
        return Ok(notes);
    }
    let mut add = |file: PathBuf, named| {
        let bytes = desk::read(&file);
        let bytes = bytes.map_err(LogError::system("a checkpoint cannot be read", &file))?;
        notes.push(Note { file, bytes, named });
        Ok::<(), LogError>(())
    };
    let own = folder.join(NEWEST);
    if own.exists() {
        add(own, true)?;
    }
    for path in &trusted.checkpoints {
        if !path.is_dir() {
            add(path.clone(), true)?;
            continue;
        }
        let failed =
            |source| LogError::system("a folder of checkpoints cannot be read", path)(source);
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        files.sort();
        let ends = |file: &PathBuf| file.to_string_lossy().ends_with(checkpoint::SUFFIX);
        files
            .into_iter()
            .filter(ends)
            .try_for_each(|file| add(file, false))?;
    }
    Ok(notes)
}

/// The log's name, as the first line of a segment of this number says.
fn name(number: u64, file: &Path) -> Option<String> {
    let mut lines = Lines::new(File::open(file).ok()?);
    if lines.advance().ok()? != Piece::Whole {
        return None;
    }
    let link = Link::parse(&lines.line).ok()?;
    let (log, said) = link.begins_segment()?;
    (said == number).then(|| log.to_owned())
}

/// A line, as findings name it.
#[derive(Clone, Copy)]
struct At<'a> {
    file: &'a Path,
    line: u64,
    byte: u64,
}

struct Walk {
    report: Report,
    /// The number of the segment before.
    before: u64,
    /// The entry that comes next, and what it names; nothing before the first.
    expected: Option<(Sequence, Digest)>,
    /// Checkpoints by the entry that they name.
    wanted: BTreeMap<Sequence, Vec<(PathBuf, Checkpoint)>>,
}

impl Walk {
    fn new() -> Self {
        let report = Report {
            log: None,
            segments: 0,
            first: Sequence(0),
            last: Sequence(0),
            head: Digest::NONE,
            checkpoints: 0,
            earlier: 0,
            covered: None,
            unfinished: 0,
            findings: Vec::new(),
        };
        Self {
            report,
            before: 0,
            expected: None,
            wanted: BTreeMap::new(),
        }
    }

    fn find(&mut self, fault: Fault, file: Option<&Path>, at: Option<At<'_>>) {
        if self.report.findings.len() < MOST {
            self.report.findings.push(Finding {
                fault,
                file: file.or(at.map(|at| at.file)).map(Path::to_owned),
                line: at.map(|at| at.line),
                byte: at.map(|at| at.byte),
            });
        }
    }

    /// Takes the checkpoints that are of this log.
    fn admit(&mut self, log: Option<&str>, notes: &[Note], keys: &[PublicKey]) {
        let mut others = BTreeMap::new();
        for note in notes {
            match Checkpoint::open(&note.bytes, keys) {
                Ok(found) if Some(found.log.as_str()) == log => {
                    let at = self.wanted.entry(found.sequence).or_default();
                    at.push((note.file.clone(), found));
                }
                Ok(found) => {
                    // The last of each other log.
                    others.insert(found.log, (found.sequence, &note.file));
                }
                Err(super::note::NoteError::Foreign(_)) if !note.named => {}
                Err(error) => {
                    let fact = error.to_string();
                    self.find(Fault::Unbelieved { fact }, Some(&note.file), None);
                }
            }
        }
        for (log, (signed, file)) in others {
            self.find(Fault::OtherLog { log, signed }, Some(file), None);
        }
    }

    /// Whether segments are missing before this one.
    fn begin(&mut self, number: u64, file: &Path) {
        let (first, last) = (self.before + 1, number.saturating_sub(1));
        if first <= last && self.before > 0 {
            self.find(Fault::MissingSegments { first, last }, Some(file), None);
            self.expected = None;
        }
        self.before = number;
    }

    fn segment(&mut self, number: u64, file: &Path, is_last: bool) -> io::Result<()> {
        let mut lines = Lines::new(File::open(file)?);
        loop {
            let piece = lines.advance()?;
            let (line, byte) = (lines.number, lines.at);
            let at = At { file, line, byte };
            let link = match piece {
                Piece::End if line > 1 => return Ok(()),
                Piece::End => None,
                Piece::Unfinished if is_last && line > 1 => {
                    self.report.unfinished = lines.line.len() as u64;
                    return Ok(());
                }
                Piece::Whole => Link::parse(&lines.line).ok(),
                Piece::TooLong | Piece::Unfinished => None,
            };
            if line == 1
                && let Some(fact) = self.foreign(link.as_ref(), number)
            {
                self.find(Fault::ForeignSegment { fact }, None, Some(at));
                return Ok(());
            }
            self.entry(link, lines.digest, at);
            if piece == Piece::Unfinished {
                return Ok(());
            }
        }
    }

    /// Why a first line does not begin the segment of this number, if so.
    fn foreign(&self, link: Option<&Link>, number: u64) -> Option<String> {
        let Some((log, said)) = link.and_then(Link::begins_segment) else {
            return Some("its first line does not say which segment begins".to_owned());
        };
        if said != number {
            return Some(format!("its first line begins segment {said}"));
        }
        match &self.report.log {
            Some(name) if name != log => Some(format!("its first line is of the log {log}")),
            _ => None,
        }
    }

    /// A line and, if it is one, the entry in it.
    fn entry(&mut self, link: Option<Link>, digest: Digest, at: At<'_>) {
        let expected = self.expected;
        let Some(link) = link else {
            let next = expected.map_or(Sequence(1), |(next, _)| next);
            self.find(Fault::NoEntry { expected: next }, None, Some(at));
            self.expected = Some((next.next(), digest));
            return;
        };
        let sequence = link.sequence;
        match expected {
            None => self.first(&link),
            Some((next, _)) if next != sequence => {
                let (expected, found) = (next, sequence);
                self.find(Fault::Gap { expected, found }, None, Some(at));
            }
            Some((_, previous)) if previous != link.previous => {
                self.find(Fault::Broken { sequence }, None, Some(at));
            }
            Some(_) => {}
        }
        if at.line > 1 && link.begins_segment().is_some() {
            self.find(Fault::Misplaced { sequence }, None, Some(at));
        }
        self.hold_against(sequence, digest);
        self.report.last = sequence;
        self.report.head = digest;
        self.expected = Some((sequence.next(), digest));
    }

    /// The first entry that is there, or the first behind missing segments.
    fn first(&mut self, link: &Link) {
        let before = Sequence(link.sequence.0.saturating_sub(1));
        if self.report.first.0 == 0 {
            self.report.first = link.sequence;
        }
        let begins = before.0 == 0 && link.previous == Digest::NONE;
        if begins || self.hold_against(before, link.previous) {
            return;
        }
        let first = link.sequence;
        self.find(Fault::NoBeginning { first }, None, None);
    }

    /// Holds an entry against the checkpoints that name it; whether there is one with which it agrees.
    fn hold_against(&mut self, sequence: Sequence, digest: Digest) -> bool {
        let Some(checkpoints) = self.wanted.remove(&sequence) else {
            return false;
        };
        let mut agrees = false;
        for (file, checkpoint) in checkpoints {
            if checkpoint.head == digest {
                agrees = true;
                self.report.checkpoints += 1;
                let time = checkpoint.time;
                self.report.covered = Some(Covered { sequence, time });
            } else {
                let covered = self.report.covered.as_ref();
                let agreed = covered.map_or(Sequence(0), |covered| covered.sequence);
                let signed = sequence;
                self.find(Fault::Rewritten { agreed, signed }, Some(&file), None);
            }
        }
        agrees
    }

    /// What no entry was found for.
    fn end(&mut self, with_keys: bool) {
        if self.report.segments == 0 {
            self.find(Fault::Empty, None, None);
        }
        let (first, last) = (self.report.first, self.report.last);
        for (signed, checkpoints) in std::mem::take(&mut self.wanted) {
            for (file, _) in checkpoints {
                if signed > last {
                    self.find(Fault::Truncated { last, signed }, Some(&file), None);
                } else if signed >= first {
                    self.find(Fault::Missing { signed }, Some(&file), None);
                } else {
                    self.report.earlier += 1;
                }
            }
        }
        if with_keys && self.report.covered.is_none() && self.report.holds() {
            self.find(Fault::NoCheckpoint, None, None);
        }
    }
}
