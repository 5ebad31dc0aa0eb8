//! Commands and responses as bytes (TPM 2.0 Library, Part 1, section 18), without a library: what a guest needs of a TPM is little.

use std::fmt;
use std::io::{self, Read, Write};

/// `TPM_ST_NO_SESSIONS` and `TPM_ST_SESSIONS` (Part 2, section 6.9).
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// `TPM_RS_PW` (Part 2, section 7.4): the authorization is a password, here the empty one.
const PASSWORD: u32 = 0x4000_0009;
/// Bytes of a header: tag, size, command or response code.
const HEADER: usize = 10;
/// No TPM of a machine gives a longer response (the kernel's `TPM_BUFSIZE`).
const LONGEST: usize = 4096;

/// Why a command brought no answer.
#[derive(Debug)]
pub enum TpmError {
    /// The way to the TPM is broken.
    Io(io::Error),
    /// The TPM refused the command with this response code (Part 2, section 6.6).
    Refused {
        /// The command's name, without `TPM2_`.
        command: &'static str,
        /// The response code.
        code: u32,
    },
    /// What came is no response to this command.
    Malformed(&'static str),
}

impl std::error::Error for TpmError {}

impl fmt::Display for TpmError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TpmError::Io(error) => write!(out, "the TPM cannot be reached: {error}"),
            TpmError::Refused { command, code } => write!(out, "{command} {code:#x}"),
            TpmError::Malformed(command) => write!(out, "{command}: the response makes no sense"),
        }
    }
}

/// A TPM behind a device file or a socket: it takes whole commands and gives whole responses.
pub struct Tpm<T: Read + Write>(T);

impl<T: Read + Write> Tpm<T> {
    /// The TPM that is reached in this way.
    pub fn new(transport: T) -> Self {
        Tpm(transport)
    }

    /// Sends a command; the answer is what stands behind the response's header.
    pub fn send(&mut self, command: Command) -> Result<Response, TpmError> {
        let name = command.name;
        self.0.write_all(&command.finish()).map_err(TpmError::Io)?;
        let bytes = self.receive().map_err(TpmError::Io)?;
        let mut response = Response { name, bytes };
        let (_tag, _size, code) = (response.u16()?, response.u32()?, response.u32()?);
        match code {
            0 => Ok(response),
            code => Err(TpmError::Refused {
                command: name,
                code,
            }),
        }
    }

    /// Reads as much as the response's header says. The kernel gives a response to one read alone, a socket may split it.
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; LONGEST];
        let mut length = 0;
        loop {
            let free = buffer.get_mut(length..).unwrap_or_default();
            let count = self.0.read(free)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += count;
            let size = buffer.get(2..6).and_then(|size| size.try_into().ok());
            let size = size.map_or(0, u32::from_be_bytes) as usize;
            if length >= HEADER && length >= size {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    }
}

/// A command that is being made.
pub struct Command {
    name: &'static str,
    code: u32,
    handles: Vec<u8>,
    authorization: Vec<u8>,
    parameters: Vec<u8>,
}

impl Command {
    /// A command with its name (for errors) and its code (Part 2, section 6.5.2).
    pub fn new(name: &'static str, code: u32) -> Self {
        Command {
            name,
            code,
            handles: Vec::new(),
            authorization: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// The next handle.
    pub fn handle(mut self, handle: u32) -> Self {
        self.handles.extend(handle.to_be_bytes());
        self
    }

    /// Authorizes the first handle with the empty password.
    pub fn with_password(self) -> Self {
        self.with_session(PASSWORD)
    }

    /// Authorizes the first handle with a session without a key: nonce and HMAC are empty (Part 1, section 19.6.5). The session ends with
    /// the command.
    pub fn with_session(mut self, session: u32) -> Self {
        self.authorization.extend(session.to_be_bytes());
        self.authorization.extend([0; 5]);
        self
    }

    /// A parameter of one byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.parameters.push(value);
        self
    }

    /// A parameter of two bytes.
    pub fn u16(mut self, value: u16) -> Self {
        self.parameters.extend(value.to_be_bytes());
        self
    }

    /// A parameter of four bytes.
    pub fn u32(mut self, value: u32) -> Self {
        self.parameters.extend(value.to_be_bytes());
        self
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.parameters.extend(bytes);
        self
    }

    /// A `TPM2B`: bytes behind their number. More than it can count are cut off, and the TPM refuses what comes of that.
    pub fn sized(self, bytes: &[u8]) -> Self {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(length).raw(bytes)
    }

    fn finish(self) -> Vec<u8> {
        let (tag, authorization) = if self.authorization.is_empty() {
            (NO_SESSIONS, Vec::new())
        } else {
            let size = self.authorization.len() as u32;
            (
                SESSIONS,
                [size.to_be_bytes().as_slice(), &self.authorization].concat(),
            )
        };
        let body = [self.handles, authorization, self.parameters].concat();
        let size = (HEADER + body.len()) as u32;
        [
            tag.to_be_bytes().as_slice(),
            &size.to_be_bytes(),
            &self.code.to_be_bytes(),
            &body,
        ]
        .concat()
    }
}

/// A response that is being read.
#[derive(Debug)]
pub struct Response {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Response {
    /// The next two bytes as a number.
    pub fn u16(&mut self) -> Result<u16, TpmError> {
        self.take(2)?
            .try_into()
            .map(u16::from_be_bytes)
            .map_err(|_| TpmError::Malformed(self.name))
    }

    /// The next four bytes as a number.
    pub fn u32(&mut self) -> Result<u32, TpmError> {
        self.take(4)?
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| TpmError::Malformed(self.name))
    }

    /// The next `TPM2B`.
    pub fn sized(&mut self) -> Result<Vec<u8>, TpmError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// Everything that is left.
    pub fn rest(self) -> Vec<u8> {
        self.bytes
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, TpmError> {
        if count > self.bytes.len() {
            return Err(TpmError::Malformed(self.name));
        }
        Ok(self.bytes.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in these pieces, and takes anything.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn send(pieces: &[&[u8]]) -> Result<Response, TpmError> {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Tpm::new(Pieces(pieces)).send(Command::new("Test", 1))
    }

    #[test]
    fn a_response_in_pieces_is_put_together() {
        let mut response = send(&[
            &[0x80, 1, 0],
            &[0, 0, 16, 0, 0, 0, 0],
            &[0, 1, 2],
            &[3, 4, 5],
        ])
        .unwrap();
        assert_eq!(response.u32().unwrap(), 0x0001_0203);
        assert_eq!(response.rest(), [4, 5]);
    }

    #[test]
    fn a_short_response_is_an_error_and_no_panic() {
        assert!(matches!(send(&[&[0x80, 1]]), Err(TpmError::Io(_))));
        assert!(matches!(send(&[&[0; 9]]), Err(TpmError::Io(_))));
        let mut response = send(&[&[0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 9]]).unwrap();
        assert!(matches!(response.sized(), Err(TpmError::Malformed("Test"))));
    }

    #[test]
    fn a_refusal_has_the_commands_name_and_the_response_code() {
        let refused = send(&[&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0xc4]]).unwrap_err();
        assert_eq!(refused.to_string(), "Test 0x1c4");
    }
}
