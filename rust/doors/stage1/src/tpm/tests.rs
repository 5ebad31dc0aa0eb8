use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// A TPM that gives an answer, whatever it is asked.
struct Parrot(Cursor<Vec<u8>>);

impl Read for Parrot {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Parrot {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn answered(answer: &[u8]) -> Result<Vec<Digest>, Error> {
    let mut tpm = Tpm::over("parrot", Parrot(Cursor::new(answer.to_vec())));
    tpm.extend(15, b"text")
}

/// An answer with a SHA-1 and a SM3 digest.
fn answer() -> Vec<u8> {
    let mut body = vec![0, 0, 0, 60, 0, 0, 0, 2, 0, 4];
    body.extend([7; 20]);
    body.extend([0, 0x12]);
    body.extend([8; 32]);
    // The authorisation's part.
    body.extend([0, 0, 1, 0, 0]);
    let size = u32::try_from(body.len() + 10).unwrap();
    let head = [&[0x80, 2], &size.to_be_bytes()[..], &[0, 0, 0, 0]].concat();
    [head, body].concat()
}

#[test]
fn the_command_is_the_specifications() {
    let expected = [
        &[0x80, 0x02, 0, 0, 0, 31, 0, 0, 0x01, 0x3c][..],
        &[0, 0, 0, 15],
        &[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0],
        &[0, 2, b'h', b'i'],
    ];
    let expected = expected.concat();
    assert_eq!(command(15, b"hi").unwrap(), expected);
    assert!(command(15, &[0; 1025]).is_none());
}

#[test]
fn digests_of_algorithms_that_nobody_computes_here_are_taken_too() {
    let digests = answered(&answer()).unwrap();
    let names: Vec<_> = digests.iter().map(Digest::algorithm_name).collect();
    assert_eq!(names, ["sha1", "sm3_256"]);
    assert_eq!(digests[1].bytes, [8; 32]);
}

#[test]
fn a_no_is_an_error_with_its_code() {
    let error = answered(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x1f]).unwrap_err();
    assert!(error.to_string().contains("0x11f"), "{error}");
}

#[test]
fn an_answer_that_is_cut_off_or_grown_is_none() {
    let whole = answer();
    for end in 0..whole.len() {
        assert!(answered(&whole[..end]).is_err(), "{end}");
    }
    assert!(answered(&[whole, vec![0]].concat()).is_err());
}

#[test]
fn without_acpi_nobody_knows_that_there_is_no_tpm() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!has_none(folder.path()));
    std::fs::write(folder.path().join("DSDT"), "").unwrap();
    assert!(has_none(folder.path()));
    std::fs::write(folder.path().join("TPM2"), "").unwrap();
    assert!(!has_none(folder.path()));
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(answer in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = answered(&answer);
    }
}
