//! Which measurements of a register were replaced by which: the words of a comparison.

use crate::measurement::Measurement;

/// Sequences beyond this many pairs are compared place by place.
const PAIRS: usize = 1 << 22;

/// What happened between two sequences of one register in one bank, one sentence each, in their order.
pub(super) fn changes(expected: &[&Measurement], actual: &[&Measurement]) -> Vec<String> {
    let (gone, new) = unmatched(expected, actual);
    let mut new: Vec<Option<&Measurement>> = new.into_iter().map(Some).collect();
    let mut changes = Vec::new();
    for gone in gone {
        match take_successor(gone, &mut new) {
            Some(successor) => changes.push(replaced(gone, successor)),
            None => changes.push(format!("no longer measured: {}", gone.why)),
        }
    }
    let new = new.into_iter().flatten();
    changes.extend(new.map(|new| format!("newly measured: {}", new.why)));
    changes
}

/// The measurements of each side that are not in a longest common subsequence.
fn unmatched<'a>(
    expected: &[&'a Measurement],
    actual: &[&'a Measurement],
) -> (Vec<&'a Measurement>, Vec<&'a Measurement>) {
    if expected.len().saturating_mul(actual.len()) > PAIRS {
        let differ = |(one, other): &(&&Measurement, &&Measurement)| one.digest != other.digest;
        let pairs = expected.iter().zip(actual).filter(differ);
        let (mut gone, mut new): (Vec<&Measurement>, Vec<&Measurement>) = pairs.unzip();
        gone.extend(expected.iter().skip(actual.len()));
        new.extend(actual.iter().skip(expected.len()));
        return (gone, new);
    }
    let lengths = common_lengths(expected, actual);
    let length = |i: usize, j: usize| {
        let row = lengths.get(i);
        row.and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    let (mut i, mut j) = (0, 0);
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    loop {
        match (expected.get(i), actual.get(j)) {
            (Some(one), Some(other)) if one.digest == other.digest => (i, j) = (i + 1, j + 1),
            (Some(one), Some(_)) if length(i + 1, j) >= length(i, j + 1) => {
                gone.push(*one);
                i += 1;
            }
            (_, Some(other)) => {
                new.push(*other);
                j += 1;
            }
            (Some(one), None) => {
                gone.push(*one);
                i += 1;
            }
            (None, None) => return (gone, new),
        }
    }
}

/// For each pair of places the length of a longest common subsequence of what follows.
fn common_lengths(expected: &[&Measurement], actual: &[&Measurement]) -> Vec<Vec<u32>> {
    let mut below = vec![0_u32; actual.len() + 1];
    let mut rows = vec![below.clone()];
    for one in expected.iter().rev() {
        let mut row = vec![0_u32];
        for (j, other) in actual.iter().enumerate().rev() {
            let at = |row: &[u32], place: usize| row.get(place).copied().unwrap_or(0);
            let right = row.last().copied().unwrap_or(0);
            row.push(if one.digest == other.digest {
                at(&below, j + 1) + 1
            } else {
                right.max(at(&below, j))
            });
        }
        row.reverse();
        below.clone_from(&row);
        rows.push(row);
    }
    rows.reverse();
    rows
}

/// The measurement that stands for `gone` now: of the same kind, the one whose reason begins most alike.
fn take_successor<'a>(
    gone: &Measurement,
    new: &mut [Option<&'a Measurement>],
) -> Option<&'a Measurement> {
    let mut best: Option<(usize, &mut Option<&Measurement>)> = None;
    for candidate in new {
        let Some(measurement) = candidate else {
            continue;
        };
        if measurement.kind != gone.kind {
            continue;
        }
        let alike = common(&gone.why, &measurement.why);
        if best.as_ref().is_none_or(|(length, _)| alike > *length) {
            best = Some((alike, candidate));
        }
    }
    best.and_then(|(_, candidate)| candidate.take())
}

/// The length of the common beginning, in bytes.
fn common(one: &str, other: &str) -> usize {
    let same = one.char_indices().zip(other.chars());
    same.take_while(|((_, one), other)| one == other)
        .map(|((at, character), _)| at + character.len_utf8())
        .last()
        .unwrap_or(0)
}

/// "the content of the UKI's section .initrd, 12 bytes → 300 bytes".
fn replaced(gone: &Measurement, new: &Measurement) -> String {
    if gone.why == new.why {
        let why = &gone.why;
        if gone.digest == new.digest {
            return format!("{why}: measured at another place");
        }
        return format!(
            "{why}: {}… → {}…",
            beginning(&gone.digest.to_string()),
            beginning(&new.digest.to_string())
        );
    }
    let rest = new.why.get(word(&gone.why, common(&gone.why, &new.why))..);
    format!("{} → {}", gone.why, rest.unwrap_or(&new.why))
}

/// The place where the word begins that byte `at` of a text is in; a quotation is one word.
fn word(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    if before.matches('"').count() % 2 == 1 {
        return before.rfind('"').unwrap_or(0);
    }
    before.rfind(' ').map_or(0, |space| space + 1)
}

fn beginning(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
