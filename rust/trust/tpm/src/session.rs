//! Using an object without showing its authorization value to who listens on the bus.

use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Auth, SymmetricDefinition};
use tss_esapi::{Context, Error, WrapperErrorKind};

use crate::context::Tpm;
use crate::error::TpmError;
use crate::key::Hierarchy;

impl Tpm {
    /// Runs `command`, authorized for `key` with this value, or with none.
    ///
    /// A value goes into an HMAC session (TPM 2.0 Part 1, section 17.6) whose key is salted: neither the value nor what it could be guessed
    /// from crosses the bus. The salt is encrypted to a primary of the null hierarchy, which every TPM lets anybody make.
    ///
    /// # Errors
    /// What `failed` makes of the command's failure, or that of a step before it.
    pub(crate) fn authorized<T>(
        &mut self,
        key: KeyHandle,
        auth: Option<&[u8]>,
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
        failed: impl FnOnce(Error) -> TpmError,
    ) -> Result<T, TpmError> {
        let Some(auth) = auth else {
            let answer = self
                .0
                .execute_with_session(Some(AuthSession::Password), command);
            return answer.map_err(failed);
        };
        self.set_auth(key, auth)?;
        let session = self.salted_session()?;
        let answer = self.0.execute_with_session(Some(session), command);
        // The command's own failure says more than one of what follows it.
        let flushed = self
            .0
            .flush_context(ObjectHandle::from(SessionHandle::from(session)));
        let answer = answer.map_err(failed)?;
        flushed.map_err(|error| TpmError::failed("end a session", error))?;
        Ok(answer)
    }

    fn set_auth(&mut self, key: KeyHandle, auth: &[u8]) -> Result<(), TpmError> {
        // `Auth` and what tss-esapi makes of it are wiped when they are dropped.
        Auth::try_from(auth)
            .and_then(|auth| self.0.tr_set_auth(ObjectHandle::from(key), auth))
            .map_err(|error| TpmError::failed("take an authorization value", error))
    }

    fn salted_session(&mut self) -> Result<AuthSession, TpmError> {
        let salt_key = self.primary(Hierarchy::Null, false)?;
        let session = self.0.execute_without_session(|context| {
            context.start_auth_session(
                Some(salt_key),
                None,
                None,
                SessionType::Hmac,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        });
        let flushed = self.flush(salt_key);
        let session = session
            .and_then(|session| {
                session.ok_or(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))
            })
            .map_err(|error| TpmError::failed("begin a session", error))?;
        flushed?;
        Ok(session)
    }
}
