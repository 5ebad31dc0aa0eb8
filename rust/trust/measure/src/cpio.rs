//! The small cpio archives by which the stub hands files to the initrd.
//!
//! Format: "newc", as the kernel's documentation *initramfs buffer format* describes it; the fields that are free
//! (inode numbers, modes, owners, times) are as systemd-stub 252 to 262 fill them.

use std::fmt::Write as _;

const DIRECTORY: u32 = 0o040_555;
const FILE: u32 = 0o100_444;

/// The archive with the one file `.extra/<name>`.
pub(crate) fn extra_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = Vec::with_capacity(content.len().saturating_add(400));
    entry(&mut archive, 1, DIRECTORY, ".extra", &[]);
    entry(&mut archive, 2, FILE, &format!(".extra/{name}"), content);
    trailer(&mut archive);
    archive
}

/// One member: header, name with NUL, padding, content, padding.
fn entry(archive: &mut Vec<u8>, inode: u32, mode: u32, name: &str, content: &[u8]) {
    let fields = [
        inode,
        mode,
        0,
        0,
        1,
        0,
        length(content.len()),
        0,
        0,
        0,
        0,
        length(name.len() + 1),
        0,
    ];
    let mut header = String::from("070701");
    for field in fields {
        // Writing to a String cannot fail.
        let _ = write!(header, "{field:08x}");
    }
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(content);
    pad(archive);
}

/// The end mark. Its one upper-case digit is the stub's: the digest depends on it.
fn trailer(archive: &mut Vec<u8>) {
    archive.extend_from_slice(b"07070100000000000000000000000000000000000000010000000000000000");
    archive.extend_from_slice(b"000000000000000000000000000000000000000B00000000TRAILER!!!\0");
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// The archives hold sections that were kept whole, which are far smaller than 4 GiB.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
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
    fn is_always_a_multiple_of_four_long() {
        for length in 0..9 {
            assert_eq!(extra_file("profile", &vec![7; length]).len() % 4, 0);
        }
    }
}
