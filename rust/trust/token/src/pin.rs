//! Logging in, with a PIN that is read from its file and wiped.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::RawAuthPin;
use zeroize::Zeroizing;

use crate::error::TokenError;
use crate::uri::Uri;

/// No token takes a PIN as long as this, in bytes.
const LIMIT: usize = 1024;

/// How a user shows who they are. It has no text form.
pub(crate) enum Pin {
    /// With these bytes, which are wiped when dropped.
    Known(RawAuthPin),
    /// On the reader's own keys.
    OnReader,
}

impl Pin {
    /// How to log into this token; nothing where it wants no login.
    pub(crate) fn for_token(token: &TokenInfo, uri: &Uri) -> Result<Option<Self>, TokenError> {
        let pin = match &uri.pin_source {
            Some(file) => Self::Known(read(file)?),
            None if !token.login_required() => return Ok(None),
            None if token.protected_authentication_path() => Self::OnReader,
            None => return Err(TokenError::PinNeeded),
        };
        if token.user_pin_locked() {
            return Err(TokenError::Locked);
        }
        if token.user_pin_final_try() && !uri.last_try {
            return Err(TokenError::LastTry);
        }
        Ok(Some(pin))
    }

    /// Logs in. That another signer did it already is no failure: a login is for all sessions of the process.
    pub(crate) fn log_in(&self, session: &Session) -> Result<(), TokenError> {
        match self.show(session, UserType::User) {
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Allows the signature that was begun (CKA_ALWAYS_AUTHENTICATE).
    pub(crate) fn allow(&self, session: &Session) -> Result<(), TokenError> {
        Ok(self.show(session, UserType::ContextSpecific)?)
    }

    fn show(&self, session: &Session, user: UserType) -> Result<(), Error> {
        match self {
            Self::Known(pin) => session.login_with_raw(user, pin),
            Self::OnReader => session.login(user, None),
        }
    }
}

/// The first line of the file, without its end. One that is longer than a PIN can be is refused.
fn read(file: &Path) -> Result<RawAuthPin, TokenError> {
    let failed = |source| TokenError::PinFile {
        file: file.to_owned(),
        source,
    };
    let no_pin = |what| TokenError::NoPin {
        file: file.to_owned(),
        what,
    };
    // A buffer of a fixed size: one that grows leaves copies behind.
    let mut buffer = Zeroizing::new([0; LIMIT + 1]);
    let length = fill(&mut File::open(file).map_err(failed)?, &mut *buffer).map_err(failed)?;
    let line = buffer
        .get(..length)
        .and_then(|read| read.split(|&byte| byte == b'\n').next())
        .unwrap_or_default();
    match line.len() {
        0 => Err(no_pin("is empty")),
        1..=LIMIT => Ok(RawAuthPin::new(Box::new(line.to_vec()))),
        _ => Err(no_pin("is longer than any PIN")),
    }
}

/// Reads until the buffer is full or there is no more; the answer is how much.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while let Some(free) = buffer.get_mut(length..).filter(|free| !free.is_empty()) {
        match file.read(free) {
            Ok(0) => break,
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(content: &[u8]) -> Result<(), TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pin");
        std::fs::write(&file, content).unwrap();
        read(&file).map(drop)
    }

    #[test]
    fn takes_the_first_line_of_the_file() {
        for content in [b"1234".as_slice(), b"1234\n", b"1234\nmore", &[b'1'; LIMIT]] {
            assert!(reads(content).is_ok());
        }
    }

    #[test]
    fn refuses_a_line_that_is_no_pin() {
        for content in [
            b"".as_slice(),
            b"\n1234",
            &[b'1'; LIMIT + 1],
            &[b'1'; 4 * LIMIT],
        ] {
            assert!(matches!(reads(content), Err(TokenError::NoPin { .. })));
        }
    }

    #[test]
    fn says_that_the_file_cannot_be_read() {
        let missing = read(Path::new("/does/not/exist")).map(drop);
        assert!(matches!(missing, Err(TokenError::PinFile { .. })));
    }
}
