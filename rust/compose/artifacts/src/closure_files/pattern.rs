//! Patterns of paths, with which a request allows what lies in known places.

/// A pattern of paths: `*` is any text without `/`, `**` any text, and everything else itself.
pub(crate) struct Pattern(Vec<Piece>);

/// A part of a pattern.
enum Piece {
    Letter(char),
    /// Any text without `/`.
    Name,
    /// Any text.
    Anything,
}

impl Pattern {
    /// Reads a pattern: every text is one.
    pub(crate) fn of(text: &str) -> Pattern {
        let mut pieces = Vec::new();
        for letter in text.chars() {
            match (letter, pieces.last_mut()) {
                ('*', Some(last @ Piece::Name)) => *last = Piece::Anything,
                ('*', _) => pieces.push(Piece::Name),
                (other, _) => pieces.push(Piece::Letter(other)),
            }
        }
        Pattern(pieces)
    }

    /// Whether the whole path is of this pattern; in time of pattern times path, whatever they are.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let letters: Vec<char> = path.chars().collect();
        // Whether the pattern so far can end before each letter of the path.
        let mut ends = vec![false; letters.len() + 1];
        if let Some(first) = ends.first_mut() {
            *first = true;
        }
        for piece in &self.0 {
            ends = piece.after(&ends, &letters);
        }
        ends.last() == Some(&true)
    }
}

impl Piece {
    /// Where the pattern can end with this piece, which can begin at `starts`.
    fn after(&self, starts: &[bool], letters: &[char]) -> Vec<bool> {
        let mut ends = vec![false; starts.len()];
        let mut open = false;
        for (place, slot) in ends.iter_mut().enumerate() {
            let here = starts.get(place).copied().unwrap_or_default();
            let before = place.checked_sub(1).and_then(|before| letters.get(before));
            *slot = match self {
                Piece::Letter(wanted) => {
                    let there = place.checked_sub(1).and_then(|before| starts.get(before));
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
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        Pattern::of(pattern).matches(path)
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
