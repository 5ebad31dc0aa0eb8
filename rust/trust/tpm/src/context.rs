//! A TPM to speak to, and the objects in it.

use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::interface_types::resource_handles::Hierarchy as Seed;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    EccPoint, Private, Public, PublicBuilder, PublicEccParametersBuilder, PublicKeyRsa,
    PublicRsaParametersBuilder, RsaExponent, SymmetricDefinitionObject,
};
use tss_esapi::traits::{Marshall, UnMarshall};
use tss_esapi::{Context, tcti_ldr::TctiNameConf};

use crate::error::{TpmError, code, kind};
use crate::key::{Hierarchy, KeyFile, Parent};
use crate::tcti::Tcti;

/// A connection to a TPM. What was loaded through it is flushed when it is dropped.
pub(crate) struct Tpm(pub(crate) Context);

impl Tpm {
    /// # Errors
    /// [`TpmError::Unreachable`].
    pub(crate) fn connect(tcti: &Tcti) -> Result<Tpm, TpmError> {
        tcti.to_string()
            .parse::<TctiNameConf>()
            .and_then(Context::new)
            .map(Tpm)
            .map_err(TpmError::unreachable)
    }

    /// The object under a persistent handle.
    ///
    /// # Errors
    /// [`TpmError::EmptyHandle`] when there is none.
    pub(crate) fn persistent(&mut self, handle: u32) -> Result<KeyHandle, TpmError> {
        let failed = |error| match kind(error) {
            Some(Kind::Handle) => TpmError::EmptyHandle,
            _ => TpmError::failed("read the public area", error),
        };
        let handle = PersistentTpmHandle::new(handle).map_err(failed)?;
        let object = self.0.tr_from_tpm_public(TpmHandle::Persistent(handle));
        object.map(KeyHandle::from).map_err(failed)
    }

    /// Loads a key from its file. Its parent does not stay in the TPM.
    ///
    /// # Errors
    /// When the parent is not there or has an authorization value, or the TPM does not take the key.
    pub(crate) fn load(&mut self, file: &KeyFile) -> Result<KeyHandle, TpmError> {
        let damaged = |error| TpmError::Damaged(code(error));
        let public = Public::unmarshall(file.public()).map_err(damaged)?;
        // tpm2-tss reads as much as it needs: what stands behind it belongs to no key.
        if public.marshall().map_err(damaged)? != file.public() {
            return Err(TpmError::Damaged("its public area".to_owned()));
        }
        let private = Private::try_from(file.private()).map_err(damaged)?;
        match file.parent() {
            Parent::Persistent(handle) => {
                let parent = self.persistent(handle).map_err(|error| match error {
                    TpmError::EmptyHandle => TpmError::NoParent(handle),
                    other => other,
                })?;
                self.load_under(parent, private, public)
            }
            Parent::Primary { hierarchy, rsa } => {
                let parent = self.primary(hierarchy, rsa)?;
                let loaded = self.load_under(parent, private, public);
                self.flush(parent)?;
                loaded
            }
        }
    }

    fn load_under(
        &mut self,
        parent: KeyHandle,
        private: Private,
        public: Public,
    ) -> Result<KeyHandle, TpmError> {
        self.0
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.load(parent, private, public)
            })
            .map_err(TpmError::of_load)
    }

    /// What the TPM itself says of a key.
    ///
    /// # Errors
    /// When it does not answer, or tpm2-tss does not know such a key.
    pub(crate) fn public(&mut self, key: KeyHandle) -> Result<Public, TpmError> {
        let answer = self.0.read_public(key);
        answer
            .map(|(public, _, _)| public)
            .map_err(|error| match error {
                tss_esapi::Error::WrapperError(_) => TpmError::UnsupportedKey(error.to_string()),
                other => TpmError::failed("read the public area", other),
            })
    }

    /// Makes the storage primary of a hierarchy: the same key each time, from the hierarchy's seed.
    ///
    /// # Errors
    /// When the hierarchy is closed, or has an authorization value.
    pub(crate) fn primary(
        &mut self,
        hierarchy: Hierarchy,
        rsa: bool,
    ) -> Result<KeyHandle, TpmError> {
        let template = storage_template(rsa).map_err(TpmError::of_primary)?;
        let seed = match hierarchy {
            Hierarchy::Owner => Seed::Owner,
            Hierarchy::Endorsement => Seed::Endorsement,
            Hierarchy::Platform => Seed::Platform,
            Hierarchy::Null => Seed::Null,
        };
        self.0
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.create_primary(seed, template, None, None, None, None)
            })
            .map(|made| made.key_handle)
            .map_err(TpmError::of_primary)
    }

    /// Removes a transient object.
    ///
    /// # Errors
    /// When the TPM does not answer.
    pub(crate) fn flush(&mut self, key: KeyHandle) -> Result<(), TpmError> {
        self.0
            .flush_context(ObjectHandle::from(key))
            .map_err(|error| TpmError::failed("flush an object", error))
    }
}

/// The template of a storage primary, as the specification of key files says (section "Parent") and as tpm2-openssl makes it: without
/// protection against dictionary attacks, because it has no authorization value.
fn storage_template(rsa: bool) -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let template = PublicBuilder::new()
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes);
    let cipher = SymmetricDefinitionObject::AES_128_CFB;
    if rsa {
        let parameters = PublicRsaParametersBuilder::new_restricted_decryption_key(
            cipher,
            RsaKeyBits::Rsa2048,
            RsaExponent::default(),
        );
        template
            .with_public_algorithm(PublicAlgorithm::Rsa)
            .with_rsa_parameters(parameters.build()?)
            .with_rsa_unique_identifier(PublicKeyRsa::default())
            .build()
    } else {
        let parameters =
            PublicEccParametersBuilder::new_restricted_decryption_key(cipher, EccCurve::NistP256);
        template
            .with_public_algorithm(PublicAlgorithm::Ecc)
            .with_ecc_parameters(parameters.build()?)
            .with_ecc_unique_identifier(EccPoint::default())
            .build()
    }
}
