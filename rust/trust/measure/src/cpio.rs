//! The small cpio archives by which the stub hands files to the initrd.
//!
//! Format: "newc", as the kernel's documentation *initramfs buffer format* describes it; the fields that are free
//! (inode numbers, modes, owners, times) are as systemd-stub 252 to 262 fill them.

use std::fmt::Write as _;
use std::io::{self, Read};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// A folder of the initrd in which the stub puts files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Its path, whose parents have the mode 0555.
    pub(crate) path: &'static str,
    /// Its own mode.
    pub(crate) mode: u32,
    /// The mode of the files in it.
    pub(crate) files: u32,
}

/// What the UKI says about itself.
pub(crate) const META: Folder = Folder::open(".extra");
/// Credentials, which only the superuser may read.
pub(crate) const CREDENTIALS: Folder = Folder::secret(".extra/credentials");
/// The same for all UKIs.
pub(crate) const GLOBAL_CREDENTIALS: Folder = Folder::secret(".extra/global_credentials");
/// System extensions.
pub(crate) const SYSEXT: Folder = Folder::open(".extra/sysext");
/// The same for all UKIs.
pub(crate) const GLOBAL_SYSEXT: Folder = Folder::open(".extra/global_sysext");
/// Configuration extensions.
pub(crate) const CONFEXT: Folder = Folder::open(".extra/confext");
/// The same for all UKIs.
pub(crate) const GLOBAL_CONFEXT: Folder = Folder::open(".extra/global_confext");

impl Folder {
    const fn open(path: &'static str) -> Folder {
        Folder {
            path,
            mode: 0o555,
            files: 0o444,
        }
    }

    const fn secret(path: &'static str) -> Folder {
        Folder {
            path,
            mode: 0o500,
            files: 0o400,
        }
    }
}

/// Writes an archive piece by piece: nothing of it is kept.
pub(crate) struct Archive<'a> {
    folder: Folder,
    inode: u32,
    sink: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Archive<'a> {
    /// Begins with the folder and its parents.
    pub(crate) fn new(folder: Folder, sink: &'a mut dyn FnMut(&[u8])) -> Archive<'a> {
        let mut archive = Archive {
            folder,
            inode: 1,
            sink,
        };
        for (end, _) in folder.path.match_indices('/') {
            let parent = folder.path.get(..end).unwrap_or_default();
            archive.header(DIRECTORY | 0o555, parent, 0);
        }
        archive.header(DIRECTORY | folder.mode, folder.path, 0);
        archive
    }

    /// Adds a file of this length in bytes.
    pub(crate) fn file(
        &mut self,
        name: &str,
        length: u32,
        content: &mut impl Read,
    ) -> io::Result<()> {
        self.header(
            FILE | self.folder.files,
            &format!("{}/{name}", self.folder.path),
            length,
        );
        let mut seen = 0_u64;
        crate::hash::feed(content, |bytes| {
            seen = seen.saturating_add(bytes.len() as u64);
            (self.sink)(bytes);
        })?;
        if seen != u64::from(length) {
            return Err(io::Error::other(format!(
                "it has {seen} bytes where {length} were expected"
            )));
        }
        self.pad(length as usize);
        Ok(())
    }

    /// The end mark. Its one upper-case digit is the stub's: the digest depends on it.
    pub(crate) fn finish(self) {
        (self.sink)(b"07070100000000000000000000000000000000000000010000000000000000");
        (self.sink)(b"000000000000000000000000000000000000000B00000000TRAILER!!!\0\0\0\0");
    }

    fn header(&mut self, mode: u32, name: &str, size: u32) {
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let mut header = String::from("070701");
        for field in fields {
            // Writing to a String cannot fail.
            let _ = write!(header, "{field:08x}");
        }
        header.push_str(name);
        header.push('\0');
        (self.sink)(header.as_bytes());
        self.pad(header.len());
        self.inode = self.inode.saturating_add(1);
    }

    /// Fills up to a multiple of four bytes.
    fn pad(&mut self, length: usize) {
        let missing = length.next_multiple_of(4) - length;
        (self.sink)([0; 3].get(..missing).unwrap_or_default());
    }
}

/// The archive with the one file `.extra/<name>`; `content` is one of the sections that are kept whole.
pub(crate) fn extra_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len().saturating_add(400));
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let mut archive = Archive::new(META, &mut sink);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    // Reading memory cannot fail, and kept sections are far smaller than 4 GiB.
    let _ = archive.file(name, length, &mut &*content);
    archive.finish();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_archive_byte_for_byte() {
        let zero = "00000000";
        let expected = [
            // `.extra`: inode 1, directory 0555, one link, 7 bytes of name
            "070701",
            "00000001",
            "0000416d",
            zero,
            zero,
            "00000001",
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            "00000007",
            zero,
            ".extra\0",
            "\0\0\0",
            // `.extra/os-release`: inode 2, file 0444, one link, 5 bytes, 18 bytes of name
            "070701",
            "00000002",
            "00008124",
            zero,
            zero,
            "00000001",
            zero,
            "00000005",
            zero,
            zero,
            zero,
            zero,
            "00000012",
            zero,
            ".extra/os-release\0",
            "ID=x\n",
            "\0\0\0",
            "070701",
            zero,
            zero,
            zero,
            zero,
            "00000001",
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            "0000000B",
            zero,
            "TRAILER!!!\0",
            "\0\0\0",
        ]
        .concat();
        assert_eq!(
            String::from_utf8(extra_file("os-release", b"ID=x\n")).unwrap(),
            expected
        );
    }

    #[test]
    fn makes_parents_and_numbers_members_one_by_one() {
        let mut bytes = Vec::new();
        let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
        let mut archive = Archive::new(CREDENTIALS, &mut sink);
        archive.file("a.cred", 1, &mut &b"1"[..]).unwrap();
        archive.finish();
        let text = String::from_utf8(bytes).unwrap();
        let members: Vec<&str> = text.split("070701").skip(1).collect();
        for (member, (start, name)) in members.iter().zip([
            ("000000010000416d", ".extra\0"),
            ("0000000200004140", ".extra/credentials\0"),
            ("0000000300008100", ".extra/credentials/a.cred\0"),
        ]) {
            assert!(
                member.starts_with(start) && member.contains(name),
                "{member}"
            );
        }
        assert_eq!(members.len(), 4);
    }

    #[test]
    fn notices_a_file_that_changed_its_length() {
        let mut sink = |_: &[u8]| {};
        let mut archive = Archive::new(SYSEXT, &mut sink);
        assert!(archive.file("a.raw", 2, &mut &b"1"[..]).is_err());
    }

    #[test]
    fn is_always_a_multiple_of_four_long() {
        for length in 0..9 {
            assert_eq!(extra_file("profile", &vec![7; length]).len() % 4, 0);
        }
    }
}
