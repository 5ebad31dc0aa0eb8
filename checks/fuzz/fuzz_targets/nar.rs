//! NARs: any bytes are read or refused; what was read is told so wholly that the same bytes can be written of it, and its hash is theirs.
//!
//! Seeds: `tree` is a folder with a file, a program, a link and an empty folder; `file`, `program` and `link` are one node each.
#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use touchstone_store::nar::{Sink, read};

/// Writes what it is told.
struct Writer {
    out: Vec<u8>,
    /// Bytes of the file that is open, of how many.
    file: (u64, u64),
    depth: usize,
}

impl Writer {
    fn words(&mut self, words: &[&[u8]]) {
        for word in words {
            self.out.extend((word.len() as u64).to_le_bytes());
            self.out.extend(*word);
            self.pad();
        }
    }

    fn pad(&mut self) {
        self.out.resize(self.out.len().next_multiple_of(8), 0);
    }

    /// A node ends, and the entry that it is.
    fn node_end(&mut self) {
        self.words(&[b")"]);
        if self.depth > 0 {
            self.words(&[b")"]);
        }
    }
}

impl Sink for Writer {
    type Error = Infallible;
    fn file(&mut self, executable: bool, size: u64) -> Result<(), Infallible> {
        self.words(&[b"(", b"type", b"regular"]);
        if executable {
            self.words(&[b"executable", b""]);
        }
        self.words(&[b"contents"]);
        self.out.extend(size.to_le_bytes());
        self.file = (0, size);
        Ok(())
    }
    fn data(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.file.0 += bytes.len() as u64;
        self.out.extend(bytes);
        Ok(())
    }
    fn file_end(&mut self) -> Result<(), Infallible> {
        assert_eq!(self.file.0, self.file.1);
        self.pad();
        self.node_end();
        Ok(())
    }
    fn link(&mut self, target: &[u8]) -> Result<(), Infallible> {
        assert!(!target.is_empty() && !target.contains(&0));
        self.words(&[b"(", b"type", b"symlink", b"target", target]);
        self.node_end();
        Ok(())
    }
    fn folder(&mut self) -> Result<(), Infallible> {
        self.words(&[b"(", b"type", b"directory"]);
        self.depth += 1;
        Ok(())
    }
    fn name(&mut self, name: &[u8]) -> Result<(), Infallible> {
        assert!(!matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0));
        self.words(&[b"entry", b"(", b"name", name, b"node"]);
        Ok(())
    }
    fn folder_end(&mut self) -> Result<(), Infallible> {
        self.depth -= 1;
        self.node_end();
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut writer = Writer {
        out: Vec::new(),
        file: (0, 0),
        depth: 0,
    };
    writer.words(&[b"nix-archive-1"]);
    let Ok(digest) = read(bytes, bytes.len() as u64, &mut writer) else {
        return;
    };
    let length = usize::try_from(digest.size).expect("no longer than the input");
    assert_eq!(writer.out, bytes[..length]);
    assert_eq!(digest.hash.bytes()[..], Sha256::digest(&writer.out)[..]);
});
