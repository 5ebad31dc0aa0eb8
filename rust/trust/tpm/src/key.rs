//! Keys that a TPM made and that are kept in a file: "ASN.1 Specification for TPM 2.0 Key Files"
//! (draft-bottomley-tpm2-keys), which tpm2-openssl and OpenSSL's older TPM engines write.

use der::asn1::{ContextSpecific, ObjectIdentifier, OctetStringRef};
use der::{AnyRef, Decode, Document, SliceReader, Tag, TagNumber, Tagged};
use touchstone_sign::Fault;

/// The PEM label.
const LABEL: &str = "TSS2 PRIVATE KEY";
const LOADABLE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.10.1.3");
const IMPORTABLE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.10.1.4");
const SEALED: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.10.1.5");

/// A key that one TPM alone can load: its private half is encrypted under the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    parent: Parent,
    empty_auth: bool,
    public: Vec<u8>,
    private: Vec<u8>,
}

/// What a key was made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// A persistent object, by its handle.
    Persistent(u32),
    /// The storage primary of a hierarchy, which is made anew for each use.
    Primary {
        /// Its seed.
        hierarchy: Hierarchy,
        /// Whether it is an RSA key (2048 bits), not one on P-256.
        rsa: bool,
    },
}

/// A hierarchy of a TPM (TPM 2.0 Part 2, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// TPM_RH_OWNER.
    Owner,
    /// TPM_RH_ENDORSEMENT.
    Endorsement,
    /// TPM_RH_PLATFORM: closed while an operating system runs.
    Platform,
    /// TPM_RH_NULL: gone with the next reset.
    Null,
}

/// Why a file is no key that can be loaded. Nothing of its content is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Neither PEM nor DER of that form.
    #[error(
        "the file is no TPM key: it holds neither `TSS2 PRIVATE KEY` (PEM) nor the same in DER"
    )]
    NotAKey,
    /// PEM of something else.
    #[error(
        "the file holds `{0}`, not `TSS2 PRIVATE KEY`: a key file of another kind is named by its path alone"
    )]
    OtherPem(String),
    /// A key that is cut short, longer than it says, or has fields that the specification does not know.
    #[error("the key file is damaged, or has fields that are not known")]
    Damaged,
    /// A key for another use.
    #[error(
        "the file holds a key of type {0}, which cannot be loaded: use a loadable key (2.23.133.10.1.3)"
    )]
    Type(ObjectIdentifier),
    /// A key that is to be imported first.
    #[error(
        "the file holds an importable key: import it into the TPM (tpm2_import) and write the outcome as a loadable key"
    )]
    Importable,
    /// Sealed data.
    #[error("the file holds sealed data, not a key")]
    Sealed,
    /// A key that wants a policy to be met.
    #[error(
        "the key is bound to a policy, which is not supported: use a key with an authorization value or none"
    )]
    Policy,
    /// A parent that no key can have.
    #[error("the key's parent {0:#010x} is neither a hierarchy nor a persistent handle")]
    Parent(u32),
}

impl KeyFileError {
    /// The kind of failure, which names what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotAKey | Self::OtherPem(_) => Fault::NotAKey,
            Self::Damaged | Self::Parent(_) => Fault::Damaged,
            Self::Type(_) | Self::Importable | Self::Sealed | Self::Policy => Fault::Unsupported,
        }
    }
}

impl KeyFile {
    /// Reads a key in PEM or DER.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN ") => read_pem(text),
            _ => read_der(bytes),
        }
    }

    /// What the key was made under.
    pub fn parent(&self) -> Parent {
        self.parent
    }

    /// Whether the file says that the key has an empty authorization value. It is a hint alone: the TPM knows.
    pub fn has_empty_auth(&self) -> bool {
        self.empty_auth
    }

    /// The public area: a marshalled TPMT_PUBLIC.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The encrypted private area: the content of a TPM2B_PRIVATE.
    pub fn private(&self) -> &[u8] {
        &self.private
    }
}

fn read_pem(text: &str) -> Result<KeyFile, KeyFileError> {
    match Document::from_pem(text) {
        Ok((LABEL, document)) => read_der(document.as_bytes()),
        Ok((label, _)) => Err(KeyFileError::OtherPem(label.to_owned())),
        Err(_) => Err(KeyFileError::Damaged),
    }
}

fn read_der(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
    // A DER sequence that begins with one of the types: anything else never was a key.
    let (kind, sequence) = of_type(bytes)?;
    match kind {
        LOADABLE => (),
        IMPORTABLE => return Err(KeyFileError::Importable),
        SEALED => return Err(KeyFileError::Sealed),
        other => return Err(KeyFileError::Type(other)),
    }
    let fields =
        Fields::read(sequence.ok_or(KeyFileError::Damaged)?).map_err(|_| KeyFileError::Damaged)?;
    if fields.policy {
        return Err(KeyFileError::Policy);
    }
    if fields.secret {
        return Err(KeyFileError::Importable);
    }
    Ok(KeyFile {
        parent: Parent::of(fields.parent, fields.rsa_parent)?,
        empty_auth: fields.empty_auth,
        public: sized(fields.public)?,
        private: sized(fields.private)?,
    })
}

/// The type of a key, and its fields when they are all there.
fn of_type(bytes: &[u8]) -> Result<(ObjectIdentifier, Option<AnyRef<'_>>), KeyFileError> {
    let not_a_key = |_| KeyFileError::NotAKey;
    let mut reader = SliceReader::new(bytes).map_err(not_a_key)?;
    let header = der::Header::decode(&mut reader).map_err(not_a_key)?;
    if header.tag() != Tag::Sequence {
        return Err(KeyFileError::NotAKey);
    }
    let kind: ObjectIdentifier = ObjectIdentifier::decode(&mut reader).map_err(not_a_key)?;
    Ok((kind, AnyRef::from_der(bytes).ok()))
}

struct Fields<'a> {
    empty_auth: bool,
    policy: bool,
    secret: bool,
    rsa_parent: bool,
    parent: u32,
    public: &'a [u8],
    private: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(sequence: AnyRef<'a>) -> der::Result<Fields<'a>> {
        sequence.sequence(|reader| {
            let _type: ObjectIdentifier = ObjectIdentifier::decode(reader)?;
            let empty_auth = boolean(tagged(reader, 0)?)?;
            let policy = tagged(reader, 1)?.is_some();
            let secret = tagged(reader, 2)?.is_some();
            // authPolicy: alternatives, each of them a policy.
            let alternatives = tagged(reader, 3)?.is_some();
            let _description = tagged(reader, 4)?;
            Ok(Fields {
                empty_auth,
                policy: policy || alternatives,
                secret,
                rsa_parent: boolean(tagged(reader, 5)?)?,
                parent: u32::decode(reader)?,
                public: <&OctetStringRef>::decode(reader)?.as_bytes(),
                private: <&OctetStringRef>::decode(reader)?.as_bytes(),
            })
        })
    }
}

fn tagged<'a>(reader: &mut SliceReader<'a>, number: u32) -> der::Result<Option<AnyRef<'a>>> {
    let field = ContextSpecific::<AnyRef<'a>>::decode_explicit(reader, TagNumber(number))?;
    Ok(field.map(|field| field.value))
}

/// A BOOLEAN of one byte: some programs write TRUE as 1, which DER does not know.
fn boolean(field: Option<AnyRef<'_>>) -> der::Result<bool> {
    let Some(field) = field else { return Ok(false) };
    field.tag().assert_eq(Tag::Boolean)?;
    match field.value() {
        [byte] => Ok(*byte != 0),
        _ => Err(Tag::Boolean.length_error().into()),
    }
}

/// The content of a TPM2B structure, which begins with its length (TPM 2.0 Part 2, section 10.4).
fn sized(bytes: &[u8]) -> Result<Vec<u8>, KeyFileError> {
    match bytes.split_first_chunk() {
        Some((length, content))
            if !content.is_empty() && usize::from(u16::from_be_bytes(*length)) == content.len() =>
        {
            Ok(content.to_vec())
        }
        _ => Err(KeyFileError::Damaged),
    }
}

impl Parent {
    fn of(handle: u32, rsa: bool) -> Result<Parent, KeyFileError> {
        let hierarchy = match handle {
            0x4000_0001 => Hierarchy::Owner,
            0x4000_0007 => Hierarchy::Null,
            0x4000_000B => Hierarchy::Endorsement,
            0x4000_000C => Hierarchy::Platform,
            _ if handle >> 24 == 0x81 => return Ok(Parent::Persistent(handle)),
            _ => return Err(KeyFileError::Parent(handle)),
        };
        Ok(Parent::Primary { hierarchy, rsa })
    }
}

#[cfg(test)]
mod tests;
