//! A part of a file, as if it were a file.

use std::io::{self, Read, Seek, SeekFrom};

/// Reads `len` bytes from `start` on; positions are counted from there.
pub(crate) struct Window<'a, S> {
    source: &'a mut S,
    start: u64,
    len: u64,
    position: u64,
}

impl<'a, S> Window<'a, S> {
    pub(crate) fn new(source: &'a mut S, start: u64, len: u64) -> Self {
        Window {
            source,
            start,
            len,
            position: 0,
        }
    }
}

impl<S: Read + Seek> Read for Window<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        self.source
            .seek(SeekFrom::Start(self.start.saturating_add(self.position)))?;
        let count = (&mut self.source).take(left).read(buffer)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl<S> Seek for Window<'_, S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn shows_a_window_as_if_it_were_a_file() {
        let mut file = Cursor::new(b"..kernel..".to_vec());
        let mut window = Window::new(&mut file, 2, 6);
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "kernel");
        assert_eq!(window.seek(SeekFrom::End(-3)).unwrap(), 3);
        text.clear();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "nel");
        assert!(window.seek(SeekFrom::Current(-7)).is_err());
    }
}
