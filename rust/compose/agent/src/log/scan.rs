//! What an agent finds when it opens its log again: the last segment, read whole.

use std::io::{self, Read};

use super::entry::{Link, Sequence, VERSION};
use super::lines::{Lines, Piece};
use super::text::{Digest, Time};

/// A segment whose entries hang together, up to where it was cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The log's name.
    pub log: String,
    /// What the first entry says is before it: the number of that entry (0: none) and its digest.
    pub before: (Sequence, Digest),
    /// The last entry.
    pub last: Sequence,
    /// The digest of its line.
    pub head: Digest,
    /// Bytes of the entries: what is behind them was not finished.
    pub bytes: u64,
    /// The last checkpoint in it: number, digest and time of the entry.
    pub checkpoint: Option<(Sequence, Digest, Time)>,
    /// Entries behind that.
    pub since_checkpoint: u64,
    /// Whether the segment is longer than its entries.
    pub torn: bool,
}

/// A line that no agent leaves, even one that was killed or lost power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its number, the first is 1.
    pub line: u64,
    /// What is wrong.
    pub fact: String,
}

/// Reads the segment of this number; `seen` is told each entry's number and digest.
///
/// What a killed agent leaves is whole entries and then at most one that is cut short. What a machine that lost power leaves may have zeros
/// where entries were not written yet, and anything behind them. Everything else is damage, which nobody may cut off unseen.
///
/// # Errors
/// What the reader answers; and, inside, [`Damage`].
pub fn scan(
    segment: impl Read,
    number: u64,
    mut seen: impl FnMut(Sequence, Digest),
) -> io::Result<Result<Scan, Damage>> {
    let mut lines = Lines::new(segment);
    let first = lines.advance()?;
    let begun = match begin(&lines, first, number) {
        Ok(begun) => begun,
        Err(fact) => return Ok(Err(Damage { line: 1, fact })),
    };
    let mut scan = begun;
    seen(scan.last, scan.head);
    loop {
        let piece = lines.advance()?;
        if piece == Piece::End {
            return Ok(Ok(scan));
        }
        match follows(&lines, piece, &scan) {
            Ok(link) => {
                scan.take(&link, &lines);
                seen(scan.last, scan.head);
            }
            Err(Wrong::Unreadable) => {
                scan.torn = true;
                let damage = behind(&mut lines, piece)?;
                return Ok(damage.map_or(Ok(scan), Err));
            }
            Err(Wrong::Entry(fact)) => {
                let line = lines.number;
                return Ok(Err(Damage { line, fact }));
            }
        }
    }
}

/// What is wrong with a line.
enum Wrong {
    /// It is no entry at all.
    Unreadable,
    /// It is one, and does not belong there.
    Entry(String),
}

impl Scan {
    fn take<R>(&mut self, link: &Link, lines: &Lines<R>) {
        self.last = link.sequence;
        self.head = lines.digest;
        self.bytes = lines.at + lines.line.len() as u64;
        if link.event == "checkpoint" {
            self.checkpoint = Some((link.sequence, lines.digest, link.time));
            self.since_checkpoint = 0;
        } else {
            self.since_checkpoint += 1;
        }
    }
}

fn begin<R>(lines: &Lines<R>, piece: Piece, number: u64) -> Result<Scan, String> {
    let link = match piece {
        Piece::Whole => Link::parse(&lines.line).map_err(|_| "it is no entry".to_owned())?,
        Piece::End => return Err("the file is empty".to_owned()),
        Piece::TooLong | Piece::Unfinished => return Err("it is no entry".to_owned()),
    };
    let Some((log, said)) = link.begins_segment() else {
        return Err("it does not say which segment begins".to_owned());
    };
    if said != number {
        return Err(format!(
            "it begins segment {said}, and the file is number {number}"
        ));
    }
    if link.version != Some(VERSION) {
        return Err("its form is not one that this agent writes".to_owned());
    }
    let before = Sequence(link.sequence.0.saturating_sub(1));
    if (link.sequence.0 == 0) || (number == 1) != (before.0 == 0) {
        return Err(format!(
            "segment {number} does not begin with entry {}",
            link.sequence
        ));
    }
    let mut scan = Scan {
        log: super::checkpoint::log_name(log)
            .ok_or("the log has no name")?
            .to_owned(),
        before: (before, link.previous),
        last: before,
        head: link.previous,
        bytes: 0,
        checkpoint: None,
        since_checkpoint: 0,
        torn: false,
    };
    scan.take(&link, lines);
    Ok(scan)
}

fn follows<R>(lines: &Lines<R>, piece: Piece, scan: &Scan) -> Result<Link, Wrong> {
    if piece != Piece::Whole {
        return Err(Wrong::Unreadable);
    }
    let link = Link::parse(&lines.line).map_err(|_| Wrong::Unreadable)?;
    let expected = scan.last.next();
    if link.sequence != expected {
        let fact = format!(
            "entry {} stands where entry {expected} belongs",
            link.sequence
        );
        return Err(Wrong::Entry(fact));
    }
    if link.previous != scan.head {
        let fact = format!("entry {expected} does not continue entry {}", scan.last);
        return Err(Wrong::Entry(fact));
    }
    Ok(link)
}

/// What stands behind the first line that is none: nothing that is whole, unless the disk lost what was before it.
fn behind<R: Read>(lines: &mut Lines<R>, piece: Piece) -> io::Result<Option<Damage>> {
    let (line, lost_power) = (lines.number, lines.line.contains(&0));
    let mut piece = piece;
    while piece == Piece::Whole || piece == Piece::TooLong {
        piece = lines.advance()?;
        let entry = piece == Piece::Whole && Link::parse(&lines.line).is_ok();
        if entry && !lost_power {
            let fact = "it is no entry, and entries stand behind it".to_owned();
            return Ok(Some(Damage { line, fact }));
        }
    }
    Ok(None)
}
