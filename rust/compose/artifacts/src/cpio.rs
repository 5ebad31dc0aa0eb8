//! Small archives "newc", as initrds are made of.
//!
//! Format: *initramfs buffer format* of the kernel's documentation. Owners, times and devices are zero, so that the same files give the same
//! bytes.

use std::collections::BTreeSet;

/// The mode of folders.
const FOLDER: u32 = 0o040_755;
/// What makes a mode that of a regular file.
const REGULAR: u32 = 0o100_000;
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// A member of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member<'p> {
    /// Its path, without a leading slash.
    pub path: &'p str,
    /// Whether it is a file, and not a folder on the way to one.
    pub is_file: bool,
}

/// These files, and every folder on the way to them once, by the bytes of their names: a folder comes before what it holds.
pub fn sorted<'p>(files: impl IntoIterator<Item = &'p str>) -> BTreeSet<Member<'p>> {
    let of_file = |path: &'p str| {
        let folders = folders(path).map(|path| Member {
            path,
            is_file: false,
        });
        folders.chain([Member {
            path,
            is_file: true,
        }])
    };
    files.into_iter().flat_map(of_file).collect()
}

/// Writes an archive, member by member.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    members: usize,
}

impl Archive {
    /// Adds a folder.
    pub fn folder(&mut self, name: &str) {
        self.header(FOLDER, 2, name, 0);
    }

    /// Adds a regular file. `permissions` are the lower bits of its mode.
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        self.begin_file(name, permissions, length);
        self.bytes.extend(content);
        self.pad();
    }

    /// Adds everything of a regular file but its content, `length` bytes, which is to follow, with zeros up to a multiple of four.
    pub fn begin_file(&mut self, name: &str, permissions: u32, length: u32) {
        self.header(REGULAR | permissions, 1, name, length);
    }

    /// What was written since the last time: a multiple of four bytes.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The rest, with the end mark.
    pub fn finish(mut self) -> Vec<u8> {
        self.member(0, 0, 1, TRAILER, 0);
        self.bytes
    }

    fn header(&mut self, mode: u32, links: u32, name: &str, size: u32) {
        self.members += 1;
        self.member(self.members, mode, links, name, size);
    }

    fn member(&mut self, inode: usize, mode: u32, links: u32, name: &str, size: u32) {
        let header = format!(
            "070701{inode:08x}{mode:08x}{zero}{zero}{links:08x}{zero}{size:08x}{zero}{zero}{zero}{zero}{length:08x}{zero}{name}\0",
            zero = "00000000",
            length = name.len() + 1,
        );
        self.bytes.extend(header.as_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Every folder on the way to a path.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .filter_map(|(slash, _)| path.get(..slash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_once_and_before_what_it_holds() {
        let members = sorted(["etc/secrets/key", "etc-file", "etc/other"]);
        let members: Vec<_> = members.iter().map(|one| (one.path, one.is_file)).collect();
        let expected = [
            ("etc", false),
            ("etc-file", true),
            ("etc/other", true),
            ("etc/secrets", false),
            ("etc/secrets/key", true),
        ];
        assert_eq!(members, expected);
    }

    #[test]
    fn content_may_follow_by_itself() {
        let mut whole = Archive::default();
        whole.folder("a");
        whole.file("a/b", 0o444, b"12345");
        let mut pieces = Archive::default();
        pieces.folder("a");
        pieces.begin_file("a/b", 0o444, 5);
        let mut bytes = pieces.take();
        assert_eq!(bytes.len() % 4, 0);
        bytes.extend(b"12345\0\0\0");
        bytes.extend(pieces.finish());
        assert_eq!(bytes, whole.finish());
    }
}
