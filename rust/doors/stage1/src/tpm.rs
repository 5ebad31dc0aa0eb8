//! The TPM, as far as stage 1 needs it: extending registers, in the few bytes that it takes.
//!
//! `TPM2_PCR_Event` is used, not `TPM2_PCR_Extend`: the TPM hashes the text itself for every bank that is active, also for algorithms that are not known here, and
//! answers with the digests. Source: TCG, "TPM 2.0 Library, Part 3: Commands", TPM2_PCR_Event.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::text::printable;

/// The TPM behind the kernel's resource manager, and without it.
const DEVICES: [&str; 2] = ["/dev/tpmrm0", "/dev/tpm0"];
/// What tells on machines with ACPI whether there is a TPM 2.0 whose driver is not loaded.
const ACPI: &str = "/sys/firmware/acpi/tables";

/// Commands with one authorisation.
const WITH_SESSIONS: u16 = 0x8002;
const PCR_EVENT: u32 = 0x13c;
/// The authorisation by an empty password, which registers have: handle, no nonce, no attributes, no password.
const PASSWORD: [u8; 9] = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
/// The longest text that the command takes, in bytes.
const TEXT_LIMIT: usize = 1024;
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4096;

/// Why a register was not extended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("there is no TPM (/dev/tpmrm0)")]
    Missing,
    /// There may be one whose driver is not loaded: what is sealed to it would still open.
    #[error(
        "a TPM may be there, but not /dev/tpmrm0: its driver must be in the initrd and loaded before"
    )]
    Hidden,
    /// The device does not answer.
    #[error("{device} does not answer: {source}")]
    Device {
        /// The device.
        device: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The TPM says no.
    #[error("the TPM does not extend register {pcr}: its answer is 0x{code:03x}")]
    Refused {
        /// The register.
        pcr: u32,
        /// Its response code.
        code: u32,
    },
    /// The answer is not of the form that it must have.
    #[error("the TPM's answer about register {pcr} is not one: {fact}")]
    Answer {
        /// The register.
        pcr: u32,
        /// What is wrong.
        fact: &'static str,
    },
    /// The text is too long.
    #[error("`{0}` is longer than the 1024 bytes that a TPM takes")]
    TooLong(String),
}

/// A digest that the TPM made: the algorithm's number (TPM_ALG_ID) and the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// TPM_ALG_ID: 4 is SHA-1, 0x0b SHA-256.
    pub algorithm: u16,
    /// 20 to 64 bytes.
    pub bytes: Vec<u8>,
}

impl Digest {
    /// What systemd calls the algorithm.
    pub fn algorithm_name(&self) -> &'static str {
        ALGORITHMS
            .iter()
            .find(|(number, _, _)| *number == self.algorithm)
            .map_or("unknown", |(_, _, name)| name)
    }
}

/// Algorithms of banks: number, length of a digest in bytes, name. Source: TCG Algorithm Registry.
const ALGORITHMS: [(u16, usize, &str); 8] = [
    (0x04, 20, "sha1"),
    (0x0b, 32, "sha256"),
    (0x0c, 48, "sha384"),
    (0x0d, 64, "sha512"),
    (0x12, 32, "sm3_256"),
    (0x27, 32, "sha3_256"),
    (0x28, 48, "sha3_384"),
    (0x29, 64, "sha3_512"),
];

/// What takes a command and gives its answer.
pub trait Channel: Read + Write {}

impl<T: Read + Write> Channel for T {}

/// A TPM 2.0.
pub struct Tpm {
    device: String,
    channel: Box<dyn Channel>,
}

impl Tpm {
    /// Opens this machine's.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Device`].
    pub fn open() -> Result<Self, Error> {
        for device in DEVICES {
            match OpenOptions::new().read(true).write(true).open(device) {
                Ok(file) => return Ok(Self::over(device, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(source) => {
                    let device = device.to_owned();
                    return Err(Error::Device { device, source });
                }
            }
        }
        Err(Error::Missing)
    }

    /// The TPM at the other end of a channel, by the name that errors call it.
    pub fn over(device: impl Into<String>, channel: impl Channel + 'static) -> Self {
        Self {
            device: device.into(),
            channel: Box::new(channel),
        }
    }

    /// Extends a register in every active bank by the text's digests, and returns them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn extend(&mut self, pcr: u32, text: &[u8]) -> Result<Vec<Digest>, Error> {
        let command = command(pcr, text).ok_or_else(|| Error::TooLong(printable(text)))?;
        let answer = self.ask(&command).map_err(|source| Error::Device {
            device: self.device.clone(),
            source,
        })?;
        digests(pcr, &answer)
    }

    /// The kernel takes a command in one write and gives its answer in one read.
    fn ask(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.channel.write_all(command)?;
        let mut answer = vec![0; ANSWER_LIMIT];
        let length = self.channel.read(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    }
}

/// Makes all registers from 0 to 15 useless, so that nothing that is sealed to any of them opens until the machine starts again.
///
/// # Errors
/// [`Error`]: also where nobody can tell whether there is a TPM.
pub fn spoil(text: &[u8]) -> Result<(), Error> {
    let mut tpm = match Tpm::open() {
        Err(Error::Missing) if has_none(Path::new(ACPI)) => return Ok(()),
        Err(Error::Missing) => return Err(Error::Hidden),
        tpm => tpm?,
    };
    for pcr in 0..=15 {
        tpm.extend(pcr, text)?;
    }
    Ok(())
}

/// Whether ACPI says that there is no TPM 2.0. Without ACPI nobody says so.
fn has_none(acpi: &Path) -> bool {
    acpi.join("DSDT").exists() && !acpi.join("TPM2").exists()
}

/// The bytes of the command; none when the text is too long.
fn command(pcr: u32, text: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(text.len())
        .ok()
        .filter(|_| text.len() <= TEXT_LIMIT)?;
    let mut body = Vec::new();
    body.extend(pcr.to_be_bytes());
    body.extend((PASSWORD.len() as u32).to_be_bytes());
    body.extend(PASSWORD);
    body.extend(length.to_be_bytes());
    body.extend(text);
    let size = u32::try_from(body.len() + 10).ok()?;
    let mut command = Vec::from(WITH_SESSIONS.to_be_bytes());
    command.extend(size.to_be_bytes());
    command.extend(PCR_EVENT.to_be_bytes());
    command.extend(body);
    Some(command)
}

/// The digests of an answer.
fn digests(pcr: u32, answer: &[u8]) -> Result<Vec<Digest>, Error> {
    let cut = || Error::Answer {
        pcr,
        fact: "it is cut off",
    };
    let mut rest = Bytes(answer);
    let (_tag, size) = (rest.u16().ok_or_else(cut)?, rest.u32().ok_or_else(cut)?);
    let code = rest.u32().ok_or_else(cut)?;
    if code != 0 {
        return Err(Error::Refused { pcr, code });
    }
    if usize::try_from(size).ok() != Some(answer.len()) {
        return Err(cut());
    }
    let _parameters = rest.u32().ok_or_else(cut)?;
    let count = rest.u32().ok_or_else(cut)?;
    let mut digests = Vec::new();
    for _ in 0..count {
        let algorithm = rest.u16().ok_or_else(cut)?;
        let length = length(algorithm).ok_or(Error::Answer {
            pcr,
            fact: "it has a digest of an unknown algorithm",
        })?;
        let bytes = rest.take(length).ok_or_else(cut)?.to_vec();
        digests.push(Digest { algorithm, bytes });
    }
    if digests.is_empty() {
        return Err(Error::Answer {
            pcr,
            fact: "no bank is active",
        });
    }
    Ok(digests)
}

/// The length of an algorithm's digests in bytes.
fn length(algorithm: u16) -> Option<usize> {
    let known = ALGORITHMS
        .iter()
        .find(|(number, _, _)| *number == algorithm);
    known.map(|(_, length, _)| *length)
}

/// Numbers, most significant byte first.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests;
