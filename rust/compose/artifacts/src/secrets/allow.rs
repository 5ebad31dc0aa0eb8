//! Keys that a request allows: known ones, and those in known places.

use crate::Error;

use super::FoundSecret;

/// What a request allows.
pub(super) struct Allowed<'a>(Vec<Entry<'a>>);

struct Entry<'a> {
    text: &'a str,
    rule: Rule,
}

enum Rule {
    /// In small letters.
    Fingerprint(String),
    Path(Vec<Piece>),
}

/// A part of a pattern of paths.
enum Piece {
    Letter(char),
    /// Any text without `/`.
    Name,
    /// Any text.
    Anything,
}

impl<'a> Allowed<'a> {
    /// Reads the entries of a request.
    ///
    /// # Errors
    /// [`Error::Request`] for one that is neither.
    pub(super) fn parse(entries: &'a [String]) -> Result<Allowed<'a>, Error> {
        let entries = entries.iter().map(|text| Entry::parse(text));
        entries.collect::<Result<_, _>>().map(Allowed)
    }

    /// Whether an entry allows this key.
    pub(super) fn has(&self, found: &FoundSecret) -> bool {
        self.0.iter().any(|entry| entry.allows(found))
    }

    /// The entries that allow none of these.
    pub(super) fn unused(&self, found: &[FoundSecret]) -> Vec<String> {
        let unused = |entry: &&Entry<'_>| !found.iter().any(|found| entry.allows(found));
        let texts = self.0.iter().filter(unused).map(|entry| entry.text);
        texts.map(str::to_owned).collect()
    }
}

impl Entry<'_> {
    fn parse(text: &str) -> Result<Entry<'_>, Error> {
        let hex = text.len() == 64 && text.bytes().all(|letter| letter.is_ascii_hexdigit());
        let rule = match text.starts_with('/') {
            true => Rule::Path(pieces(text)),
            false if hex => Rule::Fingerprint(text.to_ascii_lowercase()),
            false => {
                return Err(Error::Request {
                    fact: format!(
                        "{text:?} in `allow` is neither a fingerprint nor a pattern of paths"
                    ),
                    help: "give 64 hex digits, as a finding prints them, or a pattern that begins with `/`",
                });
            }
        };
        Ok(Entry { text, rule })
    }

    fn allows(&self, found: &FoundSecret) -> bool {
        match &self.rule {
            Rule::Fingerprint(known) => *known == found.secret.fingerprint,
            Rule::Path(pattern) => matches(pattern, &found.path.to_string_lossy()),
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for letter in text.chars() {
        match (letter, pieces.last_mut()) {
            ('*', Some(last @ Piece::Name)) => *last = Piece::Anything,
            ('*', _) => pieces.push(Piece::Name),
            (other, _) => pieces.push(Piece::Letter(other)),
        }
    }
    pieces
}

/// In time of pattern times path, whatever they are.
fn matches(pattern: &[Piece], path: &str) -> bool {
    let letters: Vec<char> = path.chars().collect();
    // Whether the pattern so far can end before each letter of the path.
    let mut ends = vec![false; letters.len() + 1];
    if let Some(first) = ends.first_mut() {
        *first = true;
    }
    for piece in pattern {
        let mut next = vec![false; ends.len()];
        let mut open = false;
        for (place, slot) in next.iter_mut().enumerate() {
            let here = ends.get(place).copied().unwrap_or_default();
            let before = place.checked_sub(1).and_then(|before| letters.get(before));
            *slot = match piece {
                Piece::Letter(wanted) => {
                    let there = place.checked_sub(1).and_then(|before| ends.get(before));
                    there == Some(&true) && before == Some(wanted)
                }
                Piece::Name => {
                    open = here || (open && before != Some(&'/'));
                    open
                }
                Piece::Anything => {
                    open |= here;
                    open
                }
            };
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        matches(&pieces(pattern), path)
    }

    #[test]
    fn one_star_stays_in_a_folder_and_two_leave_it() {
        assert!(fits(
            "/nix/store/*-openssl-*/test/key.pem",
            "/nix/store/abc-openssl-3.5/test/key.pem"
        ));
        assert!(!fits(
            "/nix/store/*-openssl-*/key.pem",
            "/nix/store/abc-openssl-3.5/test/key.pem"
        ));
        assert!(fits(
            "/nix/store/*-openssl-**.pem",
            "/nix/store/abc-openssl-3.5/test/key.pem"
        ));
        assert!(fits("/**", "/anything/at/all"));
        assert!(fits("/a/**", "/a/"));
        assert!(!fits("/a", "/a/b"));
        assert!(!fits("/*", "/a/b"));
    }
}
