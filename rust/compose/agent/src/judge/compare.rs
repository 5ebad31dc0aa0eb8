//! Whether two things that are read are the same, byte by byte.

use std::io::{self, Read};

/// What is compared at once.
const CHUNK: usize = 256 << 10;

/// How many bytes `other` has, if all of them are what `content` begins with. `content` stands behind them then.
pub(super) fn begins_with(content: &mut dyn Read, other: &mut dyn Read) -> io::Result<Option<u64>> {
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut len = 0;
    loop {
        let got = full(other, &mut theirs)?;
        if got == 0 {
            return Ok(Some(len));
        }
        let ours = ours.get_mut(..got).unwrap_or_default();
        if full(content, ours)? != got || *ours != *theirs.get(..got).unwrap_or_default() {
            return Ok(None);
        }
        len += got as u64;
    }
}

/// Whether `len` zeros follow, or fewer and then the end.
pub(super) fn is_followed_by_zeros(content: &mut dyn Read, len: u64) -> io::Result<bool> {
    let mut content = content.take(len);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(CHUNK).min(CHUNK)];
    loop {
        let got = full(&mut content, &mut bytes)?;
        let read = bytes.get(..got).unwrap_or_default();
        if got == 0 || read.iter().any(|byte| *byte != 0) {
            return Ok(got == 0);
        }
    }
}

/// Whether nothing follows.
pub(super) fn is_at_its_end(content: &mut dyn Read) -> io::Result<bool> {
    Ok(full(content, &mut [0])? == 0)
}

/// Reads until the room is full or nothing comes any more.
fn full(source: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = room.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_long_a_beginning_is_that_is_the_same() {
        let whole = vec![7; CHUNK + 9];
        let begins = |other: &[u8]| begins_with(&mut &*whole, &mut &*other).unwrap();
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 9] {
            assert_eq!(begins(&whole[..len]), Some(len as u64));
        }
        assert_eq!(begins(&[7; CHUNK + 10]), None);
        let mut other = whole.clone();
        *other.last_mut().unwrap() = 8;
        assert_eq!(begins(&other), None);
    }

    #[test]
    fn sees_what_follows() {
        let mut content = &[1, 0, 0, 2][..];
        assert_eq!(begins_with(&mut content, &mut &[1][..]).unwrap(), Some(1));
        assert!(is_followed_by_zeros(&mut content, 2).unwrap());
        assert!(!is_at_its_end(&mut content).unwrap());
        assert!(is_at_its_end(&mut content).unwrap());
    }
}
