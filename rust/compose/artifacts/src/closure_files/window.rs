//! A window of bounded size that goes over a stream of any length.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The window. What it held is wiped when it is dropped: it may have been a key.
pub(crate) struct Window {
    bytes: Zeroizing<Vec<u8>>,
    behind: usize,
    ahead: usize,
}

/// What is seen at one step.
pub(crate) struct View<'a> {
    /// All that is in the window.
    pub(crate) bytes: &'a [u8],
    /// Where the window begins in the stream, in bytes.
    pub(crate) place: u64,
    /// From where on in `bytes` nothing was looked for yet.
    pub(crate) from: usize,
    /// Until where things are to be looked for that begin there: what is ahead of that is in `bytes` as well.
    pub(crate) until: usize,
    /// Whether the stream ends with these bytes.
    pub(crate) ended: bool,
}

impl View<'_> {
    /// The bytes in which those begin that are new, and so many more that one of `longest` bytes that begins at their end is whole.
    pub(crate) fn fresh(&self, longest: usize) -> &[u8] {
        let end = (self.until + longest.saturating_sub(1)).min(self.bytes.len());
        self.bytes.get(self.from..end).unwrap_or_default()
    }
}

impl Window {
    /// A window that reads `step` bytes at once, and keeps `behind` bytes before and `ahead` bytes after a place that is looked at.
    pub(crate) fn new(behind: usize, ahead: usize, step: usize) -> Window {
        Window {
            bytes: Zeroizing::new(vec![0; behind + ahead + step.max(1)]),
            behind,
            ahead,
        }
    }

    /// Goes over the stream, calling `look` at each step, and gives its length in bytes.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn each(
        &mut self,
        input: &mut dyn Read,
        look: &mut dyn FnMut(&View<'_>),
    ) -> io::Result<u64> {
        let (mut place, mut filled, mut from) = (0_u64, 0, 0);
        loop {
            let ended = self.fill(input, &mut filled)?;
            let until = if ended { filled } else { filled - self.ahead };
            look(&View {
                bytes: self.bytes.get(..filled).unwrap_or_default(),
                place,
                from,
                until,
                ended,
            });
            if ended {
                return Ok(place + filled as u64);
            }
            let kept = until.saturating_sub(self.behind);
            self.bytes.copy_within(kept..filled, 0);
            (place, filled, from) = (place + kept as u64, filled - kept, until - kept);
        }
    }

    /// Fills the window; whether the stream has ended.
    fn fill(&mut self, input: &mut dyn Read, filled: &mut usize) -> io::Result<bool> {
        while let Some(room) = self
            .bytes
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
}
