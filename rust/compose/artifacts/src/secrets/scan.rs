//! Finding private keys in a stream of any length, with a window of bounded size over it.

use std::io::{self, Read};

use memchr::memmem::Finder;

use crate::closure_files::window::{View, Window};

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
    window: Window,
    marks: Marks,
}

/// What keys are known by, before they are read.
struct Marks {
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
            window: Window::new(BEHIND, LONGEST, window),
            marks: Marks {
                begin: Finder::new(pem::BEGIN),
                age: Finder::new(text::AGE),
                nix: Finder::new(text::NIX_END),
            },
        }
    }

    /// The keys in a stream, by their places, and the stream's length in bytes.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn scan(&mut self, input: &mut dyn Read) -> io::Result<(Vec<Placed>, u64)> {
        let mut found = Vec::new();
        let marks = &self.marks;
        let length = self.window.each(input, &mut |view| {
            if view.place == 0 && view.ended {
                found.extend(whole(view.bytes));
            }
            found.extend(marks.look(view).into_iter().map(|(at, secret)| Placed {
                offset: view.place + at as u64,
                secret,
            }));
        })?;
        found.sort_by_key(|found| found.offset);
        Ok((found, length))
    }
}

impl Marks {
    /// What is found by a mark that stands where nothing was looked for yet.
    fn look(&self, view: &View<'_>) -> Vec<(usize, Secret)> {
        let marks = |finder: &Finder<'static>| -> Vec<usize> {
            let range = view.fresh(finder.needle().len());
            finder.find_iter(range).map(|at| view.from + at).collect()
        };
        let ahead = |at: usize| {
            let end = (at + LONGEST).min(view.bytes.len());
            view.bytes.get(at..end).unwrap_or_default()
        };
        let blocks = marks(&self.begin).into_iter();
        let mut found: Vec<(usize, Secret)> = blocks
            .filter_map(|at| Some((at, pem::read(ahead(at))?)))
            .collect();
        let words = marks(&self.age).into_iter();
        found.extend(words.filter_map(|at| Some((at, text::age(ahead(at))?))));
        let ends = marks(&self.nix).into_iter();
        found.extend(ends.filter_map(|at| text::nix(view.bytes, at)));
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
