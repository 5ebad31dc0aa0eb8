//! The order of versions.
//!
//! Source: UAPI.10 Version Format Specification.

use std::cmp::Ordering;
use std::iter::Peekable;

/// Orders two versions, the older one first.
///
/// Both are read piece by piece. `~` makes older than anything, the end too; then the end is older than what goes on; then `-`, `^` and
/// `.`, in this order, are older than their absence. Between them are numbers, compared by value, and words of ASCII letters, compared by bytes, longer
/// ones being newer; a number is newer than a word. Whatever else there is parts pieces and counts for nothing.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (Pieces::of(one), Pieces::of(other));
    loop {
        one.skip_unknown();
        other.skip_unknown();
        if let decided @ (Ordering::Less | Ordering::Greater) = without(&mut one, &mut other, b'~')
        {
            return decided;
        }
        match (one.is_at_end(), other.is_at_end()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let decided = without(&mut one, &mut other, b'-')
            .then_with(|| without(&mut one, &mut other, b'^'))
            .then_with(|| without(&mut one, &mut other, b'.'))
            .then_with(|| piece(&mut one, &mut other));
        if decided != Ordering::Equal {
            return decided;
        }
    }
}

/// The one that has this mark is older; where both have it, it is taken.
fn without(one: &mut Pieces<'_>, other: &mut Pieces<'_>, mark: u8) -> Ordering {
    let absent = (one.peek() != Some(mark), other.peek() != Some(mark));
    if absent == (false, false) {
        one.bytes.next();
        other.bytes.next();
    }
    absent.0.cmp(&absent.1)
}

/// Compares a number or a word of each.
fn piece(one: &mut Pieces<'_>, other: &mut Pieces<'_>) -> Ordering {
    let is_number =
        |pieces: &mut Pieces<'_>| pieces.peek().is_some_and(|byte| byte.is_ascii_digit());
    let numbers = (is_number(one), is_number(other));
    if numbers == (false, false) {
        return one.word().cmp(&other.word());
    }
    numbers
        .0
        .cmp(&numbers.1)
        .then_with(|| by_value(&one.number(), &other.number()))
}

/// Compares digits without leading zeros by the value that they stand for.
fn by_value(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

struct Pieces<'a> {
    bytes: Peekable<std::str::Bytes<'a>>,
}

impl<'a> Pieces<'a> {
    /// A NUL ends a text in the loader.
    fn of(text: &'a str) -> Self {
        let text = text.split('\0').next().unwrap_or(text);
        Self {
            bytes: text.bytes().peekable(),
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.bytes.peek().copied()
    }

    fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    fn skip_unknown(&mut self) {
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"~-^.".contains(byte);
        while self.bytes.next_if(|byte| !known(byte)).is_some() {}
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Vec<u8> {
        std::iter::from_fn(|| self.bytes.next_if(|byte| wanted(*byte))).collect()
    }

    fn word(&mut self) -> Vec<u8> {
        self.take(|byte| byte.is_ascii_alphabetic())
    }

    fn number(&mut self) -> Vec<u8> {
        while self.bytes.next_if_eq(&b'0').is_some() {}
        self.take(|byte| byte.is_ascii_digit())
    }
}
