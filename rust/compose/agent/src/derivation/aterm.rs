//! The text of a derivation: an ATerm of strings, lists and tuples, without white space.

use super::DerivationError;

/// Reads from the front.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What stands before the outputs.
    pub(super) fn begin(&mut self) -> Result<(), DerivationError> {
        if self.bytes.starts_with(b"DrvWithVersion(") {
            return Err(DerivationError::Dynamic);
        }
        self.word(b"Derive(", "`Derive(`")
    }

    /// What stands behind everything, and that nothing follows.
    pub(super) fn finish(&mut self) -> Result<(), DerivationError> {
        self.close()?;
        match self.bytes.len() == self.at {
            true => Ok(()),
            false => Err(self.wrong("the end of the file")),
        }
    }

    pub(super) fn open(&mut self) -> Result<(), DerivationError> {
        self.word(b"(", "`(`")
    }

    pub(super) fn close(&mut self) -> Result<(), DerivationError> {
        self.word(b")", "`)`")
    }

    pub(super) fn comma(&mut self) -> Result<(), DerivationError> {
        self.word(b",", "`,`")
    }

    /// A list, each of whose elements `element` reads.
    pub(super) fn list(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), DerivationError>,
    ) -> Result<(), DerivationError> {
        self.word(b"[", "`[`")?;
        if self.next_is(b']') {
            return self.word(b"]", "`]`");
        }
        loop {
            element(self)?;
            if self.next_is(b']') {
                return self.word(b"]", "`]`");
            }
            self.word(b",", "`,` or `]`")?;
        }
    }

    /// A string: in quotes, with `\n`, `\r` and `\t`, and `\` before any other byte that stands for itself.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, DerivationError> {
        self.word(b"\"", "`\"`")?;
        let mut string = Vec::new();
        loop {
            let end = self.wrong("the end of a string");
            match self.byte().ok_or(end)? {
                b'"' => return Ok(string),
                b'\\' => {
                    let cut = self.wrong("a character behind `\\`");
                    string.push(match self.byte().ok_or(cut)? {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                }
                other => string.push(other),
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn next_is(&self, byte: u8) -> bool {
        self.bytes.get(self.at) == Some(&byte)
    }

    fn word(&mut self, word: &[u8], wanted: &'static str) -> Result<(), DerivationError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(self.wrong(wanted)),
        }
    }

    fn wrong(&self, wanted: &'static str) -> DerivationError {
        DerivationError::Syntax {
            at: self.at,
            wanted,
        }
    }
}
