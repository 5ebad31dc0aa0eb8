//! An image of what a client sends, and of files of the store that it only names.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use touchstone_artifacts::agent::StorePart;
use touchstone_store::StoreFile;

use super::Payload;

/// A file of the store that is open, and its place in an image.
#[derive(Debug)]
pub struct OpenPart {
    at: u64,
    size: u64,
    name: StoreFile,
    file: File,
}

impl OpenPart {
    /// The part, if the file has the size that it is said to have.
    pub(crate) fn new(part: &StorePart, file: File) -> Option<Self> {
        let is_so = file.metadata().is_ok_and(|about| about.len() == part.size);
        is_so.then(|| Self {
            at: part.at,
            size: part.size,
            name: part.file.clone(),
            file,
        })
    }
}

/// Files of the store, each at its place, and around them what is sent.
pub struct Composed<'a> {
    sent: &'a dyn Payload,
    parts: Vec<Placed>,
    size: u64,
    given_up: AtomicBool,
}

struct Placed {
    part: OpenPart,
    /// How many bytes in front of it are sent.
    sent: u64,
    /// Somebody has seen that it is the file that it has to be.
    passed: AtomicBool,
}

impl<'a> Composed<'a> {
    /// `parts` at their places, and `sent` around them; none where the parts do not ascend, overlap, or lie behind the end.
    pub fn new(sent: &'a dyn Payload, parts: Vec<OpenPart>) -> io::Result<Option<Self>> {
        let around = sent.size()?;
        let (mut placed, mut end, mut named) = (Vec::new(), 0, 0_u64);
        for part in parts {
            let Some(behind) = part.at.checked_add(part.size).filter(|_| part.at >= end) else {
                return Ok(None);
            };
            // What is not named in front of it is sent: `named` is at most `at`.
            let sent = part.at.saturating_sub(named);
            (end, named) = (behind, named.saturating_add(part.size));
            let passed = AtomicBool::new(false);
            placed.push(Placed { part, sent, passed });
        }
        let size = around.checked_add(named).filter(|size| end <= *size);
        Ok(size.map(|size| Self {
            sent,
            parts: placed,
            size,
            given_up: AtomicBool::new(false),
        }))
    }

    /// Whether each part is a file that was asked for where it stands, by its name. What was judged by what was read is judged by what is sent: that is in a file
    /// that nobody else can write to, and is the same to everybody who reads it.
    pub fn is_passed(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|placed| placed.passed.load(Ordering::Relaxed))
    }

    /// How many bytes the parts have.
    pub(crate) fn named(&self) -> u64 {
        let sizes = self.parts.iter().map(|placed| placed.part.size);
        sizes.fold(0, u64::saturating_add)
    }
}

impl Payload for Composed<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let next = self.parts.partition_point(|placed| placed.part.at <= at);
        let last = next.checked_sub(1).and_then(|last| self.parts.get(last));
        let within = last.and_then(|placed| {
            let behind = at - placed.part.at;
            (behind < placed.part.size).then_some((&placed.part, behind))
        });
        if let Some((part, behind)) = within {
            let room = first(room, part.size - behind);
            return match FileExt::read_at(&part.file, room, behind)? {
                // It was longer when it was opened.
                0 if !room.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
                got => Ok(got),
            };
        }
        let before = last.map_or(at, |placed| {
            placed.sent + (at - placed.part.at - placed.part.size)
        });
        let end = self.parts.get(next).map_or(self.size, |next| next.part.at);
        self.sent
            .read_at(first(room, end.saturating_sub(at)), before)
    }

    fn pass(&self, file: &StoreFile, at: u64, most: u64) -> Option<u64> {
        let mut parts = self.parts.iter();
        let Placed { part, passed, .. } = parts.find(|placed| {
            let part = &placed.part;
            part.at == at && part.size <= most && part.name == *file
        })?;
        passed.store(true, Ordering::Relaxed);
        Some(part.size)
    }

    fn forget_passed(&self) {
        let parts = self.parts.iter();
        parts.for_each(|placed| placed.passed.store(false, Ordering::Relaxed));
    }

    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.sent.give_up();
    }
}

/// At most so many bytes of a room.
fn first(room: &mut [u8], most: u64) -> &mut [u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(room.len());
    room.get_mut(..most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use proptest::prelude::*;

    use super::super::Reader;
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn name(name: &str) -> StoreFile {
        StoreFile::parse(&format!(
            "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-{name}"
        ))
        .unwrap()
    }

    fn part(at: u64, size: u64, of: &str, bytes: &[u8]) -> Option<OpenPart> {
        let file_name = name(of);
        let part = StorePart {
            at,
            size,
            file: file_name,
        };
        OpenPart::new(&part, file(bytes))
    }

    #[test]
    fn files_of_the_store_stand_at_their_places() {
        let sent = file(b"headpadtail");
        let parts = vec![
            part(4, 6, "kernel", b"kernel").unwrap(),
            part(13, 6, "initrd", b"initrd").unwrap(),
            part(19, 3, "more", b"and").unwrap(),
        ];
        let image = Composed::new(&sent, parts).unwrap().unwrap();
        let whole = b"headkernelpadinitrdandtail";
        assert_eq!(image.size().unwrap(), whole.len() as u64);
        let mut read = Vec::new();
        Reader::new(&image).read_to_end(&mut read).unwrap();
        assert_eq!(read, whole);
        for at in 0..whole.len() + 2 {
            let (mut reader, mut read) = (Reader::new(&image), Vec::new());
            reader.seek(SeekFrom::Start(at as u64)).unwrap();
            reader.read_to_end(&mut read).unwrap();
            assert_eq!(read, whole.get(at..).unwrap_or_default(), "{at}");
        }
        // Whoever compares passes them.
        assert!(!image.is_passed());
        let mut reader = Reader::part(&image, 4, 15);
        assert_eq!(reader.pass(&name("initrd")), None);
        assert_eq!(reader.pass(&name("kernel")), Some(6));
        assert_eq!(reader.pass(&name("initrd")), None);
        reader.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(reader.pass(&name("initrd")), Some(6));
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(!image.is_passed());
        Reader::part(&image, 19, 3).pass(&name("more")).unwrap();
        assert!(image.is_passed());
        image.forget_passed();
        assert!(!image.is_passed());
        // But not where the section ends before.
        assert_eq!(Reader::part(&image, 4, 5).pass(&name("kernel")), None);
        image.give_up();
        assert!(Reader::new(&image).read(&mut [0]).is_err());
    }

    proptest! {
        #[test]
        fn an_image_of_parts_reads_as_one(
            pieces in proptest::collection::vec((0..40_usize, 0..40_usize), 0..8),
            tail in 0..40_usize,
            reads in proptest::collection::vec((0..700_u64, 1..90_usize), 1..20),
        ) {
            let mut next = (0_u8..=255).cycle();
            let (mut whole, mut outside, mut parts) = (Vec::new(), Vec::new(), Vec::new());
            for (before, size) in pieces {
                let between: Vec<u8> = next.by_ref().take(before).collect();
                let content: Vec<u8> = next.by_ref().take(size).collect();
                whole.extend_from_slice(&between);
                parts.push(part(whole.len() as u64, size as u64, "a", &content).unwrap());
                whole.extend_from_slice(&content);
                outside.extend(between);
            }
            let end: Vec<u8> = next.take(tail).collect();
            whole.extend_from_slice(&end);
            outside.extend(end);
            let sent = file(&outside);
            let image = Composed::new(&sent, parts).unwrap().unwrap();
            for (at, size) in reads {
                let mut room = vec![0; size];
                let got = image.read_at(&mut room, at).unwrap();
                let expected = whole.get(at as usize..).unwrap_or_default();
                prop_assert_eq!(&room[..got], &expected[..got.min(expected.len())]);
                prop_assert!(got > 0 || expected.is_empty());
            }
        }
    }

    #[test]
    fn an_empty_file_passes_for_no_other_at_its_place() {
        let sent = file(b"");
        let parts = vec![
            part(0, 0, "empty", b"").unwrap(),
            part(0, 6, "initrd", b"initrd").unwrap(),
        ];
        let image = Composed::new(&sent, parts).unwrap().unwrap();
        let mut reader = Reader::new(&image);
        assert_eq!(reader.pass(&name("empty")), Some(0));
        assert!(!image.is_passed());
        assert_eq!(reader.pass(&name("other")), None);
        assert_eq!(reader.pass(&name("initrd")), Some(6));
        assert!(image.is_passed());
    }

    #[test]
    fn parts_that_do_not_fit_make_no_image() {
        let sent = file(b"12345");
        let fits = |parts: &[(u64, u64)]| {
            let parts = parts.iter().map(|(at, size)| {
                let bytes = vec![0; usize::try_from(*size).unwrap()];
                part(*at, *size, "a", &bytes).unwrap()
            });
            let image = Composed::new(&sent, parts.collect()).unwrap();
            image.is_some()
        };
        assert!(fits(&[]) && fits(&[(5, 2)]) && fits(&[(0, 2), (2, 1), (8, 9)]));
        assert!(!fits(&[(6, 2)]));
        assert!(!fits(&[(0, 2), (1, 2)]));
        assert!(!fits(&[(3, 2), (0, 2)]));
        assert!(!fits(&[(u64::MAX, 2)]));
        assert!(part(0, 3, "a", b"12").is_none());
    }
}
