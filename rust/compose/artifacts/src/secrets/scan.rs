//! Finding private keys in a stream of any length, with a window of bounded size over it.

use std::io::{self, Read};

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use super::{Secret, der, pem, text};

/// The longest key that is found, in bytes: a block of RSA with 16 384 bits has 13 000.
const LONGEST: usize = 64 << 10;
/// What is kept of the bytes before the place that is looked at: a name, and the letters of a key of Nix.
const BEHIND: usize = 512;
/// How much is read at once.
const WINDOW: usize = 1 << 20;

/// A key and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// From the beginning of the stream, in bytes.
    pub offset: u64,
    /// The key.
    pub secret: Secret,
}

/// Looks through streams. Its window, which may have held a key, is wiped when it is dropped.
pub struct Scanner {
    window: Zeroizing<Vec<u8>>,
    begin: Finder<'static>,
    age: Finder<'static>,
    nix: Finder<'static>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::with_window(WINDOW)
    }
}

impl Scanner {
    /// A scanner that reads so many bytes at once: how many changes nothing of what it finds.
    pub fn with_window(window: usize) -> Scanner {
        Scanner {
            window: Zeroizing::new(vec![0; BEHIND + LONGEST + window.max(1)]),
            begin: Finder::new(pem::BEGIN),
            age: Finder::new(text::AGE),
            nix: Finder::new(text::NIX_END),
        }
    }

    /// The keys in a stream, by their places, and the stream's length in bytes.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn scan(&mut self, input: &mut dyn Read) -> io::Result<(Vec<Placed>, u64)> {
        let mut found = Vec::new();
        // The window's place in the stream, how much of it is filled, and from where on nothing was looked for yet.
        let (mut place, mut filled, mut from) = (0_u64, 0, 0);
        loop {
            let ended = self.fill(input, &mut filled)?;
            let window = self.window.get(..filled).unwrap_or_default();
            if place == 0 && ended {
                found.extend(whole(window));
            }
            let until = if ended { filled } else { filled - LONGEST };
            let here = self.look(window, from, until);
            found.extend(here.into_iter().map(|(at, secret)| Placed {
                offset: place + at as u64,
                secret,
            }));
            if ended {
                found.sort_by_key(|found| found.offset);
                return Ok((found, place + filled as u64));
            }
            let kept = until.saturating_sub(BEHIND);
            self.window.copy_within(kept..filled, 0);
            (place, filled, from) = (place + kept as u64, filled - kept, until - kept);
        }
    }

    /// Fills the window; whether the stream has ended.
    fn fill(&mut self, input: &mut dyn Read, filled: &mut usize) -> io::Result<bool> {
        while let Some(room) = self
            .window
            .get_mut(*filled..)
            .filter(|room| !room.is_empty())
        {
            match input.read(room) {
                Ok(0) => return Ok(true),
                Ok(got) => *filled += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// What is found by a mark that stands in `from..until`.
    fn look(&self, window: &[u8], from: usize, until: usize) -> Vec<(usize, Secret)> {
        let marks = |finder: &Finder<'static>| -> Vec<usize> {
            // A mark that begins in the range may end behind it.
            let end = (until + finder.needle().len() - 1).min(window.len());
            let range = window.get(from..end).unwrap_or_default();
            finder.find_iter(range).map(|at| from + at).collect()
        };
        let ahead = |at: usize| {
            let end = (at + LONGEST).min(window.len());
            window.get(at..end).unwrap_or_default()
        };
        let blocks = marks(&self.begin).into_iter();
        let mut found: Vec<(usize, Secret)> = blocks
            .filter_map(|at| Some((at, pem::read(ahead(at))?)))
            .collect();
        let words = marks(&self.age).into_iter();
        found.extend(words.filter_map(|at| Some((at, text::age(ahead(at))?))));
        let ends = marks(&self.nix).into_iter();
        found.extend(ends.filter_map(|at| text::nix(window, at)));
        found
    }
}

/// The key that a whole file is, in DER.
fn whole(file: &[u8]) -> Option<Placed> {
    if file.len() > LONGEST || file.first() != Some(&0x30) {
        return None;
    }
    der::read(file).map(|secret| Placed { offset: 0, secret })
}
