//! Which private key of a token a URI names, and its public half.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use touchstone_sign::PublicKey;

use crate::error::TokenError;
use crate::public_key;
use crate::uri::{self, Uri};

/// A private key in a session.
pub(crate) struct Key<'a> {
    pub(crate) session: &'a Session,
    pub(crate) handle: ObjectHandle,
}

impl<'a> Key<'a> {
    /// The one private key that the URI names.
    pub(crate) fn find(session: &'a Session, uri: &Uri) -> Result<Self, TokenError> {
        let named = named(&uri.object);
        let private = [
            vec![Attribute::Class(ObjectClass::PRIVATE_KEY)],
            named.clone(),
        ]
        .concat();
        let keys = session.find_objects(&private)?;
        match keys.as_slice() {
            [handle] => Ok(Self {
                session,
                handle: *handle,
            }),
            [] => Err(missing(session, &named)?),
            several => Err(TokenError::SeveralKeys {
                count: several.len(),
                there: names(session, several)?,
            }),
        }
    }

    /// Whether the PIN is wanted for each signature.
    pub(crate) fn always_authenticates(&self) -> Result<bool, TokenError> {
        let attribute = attribute(self.session, self.handle, AttributeType::AlwaysAuthenticate)?;
        Ok(matches!(
            attribute,
            Some(Attribute::AlwaysAuthenticate(true))
        ))
    }

    /// Its public half: as the token tells it, else the certificate's.
    pub(crate) fn public_key(
        &self,
        certificate: Option<&PublicKey>,
    ) -> Result<PublicKey, TokenError> {
        let key_type = match attribute(self.session, self.handle, AttributeType::KeyType)? {
            Some(Attribute::KeyType(KeyType::RSA)) => public_key::Algorithm::Rsa,
            Some(Attribute::KeyType(KeyType::EC)) => public_key::Algorithm::Ec,
            Some(Attribute::KeyType(other)) => {
                return Err(TokenError::UnsupportedKey(format!("keys of type {other}")));
            }
            _ => {
                return Err(TokenError::UnsupportedKey(
                    "keys of an unknown type".to_owned(),
                ));
            }
        };
        let own = |kind| bytes(self.session, self.handle, kind);
        let others = self.public_objects()?;
        let other = |kind| {
            for &object in &others {
                if let Some(value) = bytes(self.session, object, kind)? {
                    return Ok(Some(value));
                }
            }
            Ok(None)
        };
        public_key::find(key_type, &own, &other, certificate)
    }

    /// The public key objects that belong to it: of the same identifier, else of the same label.
    fn public_objects(&self) -> Result<Vec<ObjectHandle>, TokenError> {
        let id = bytes(self.session, self.handle, AttributeType::Id)?.map(Attribute::Id);
        let label = bytes(self.session, self.handle, AttributeType::Label)?.map(Attribute::Label);
        match id.or(label) {
            Some(same) => Ok(self
                .session
                .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), same])?),
            None => Ok(Vec::new()),
        }
    }
}

fn named(object: &uri::Object) -> Vec<Attribute> {
    let label = object.label.as_ref();
    let label = label.map(|label| Attribute::Label(label.as_bytes().to_vec()));
    label
        .into_iter()
        .chain(object.id.clone().map(Attribute::Id))
        .collect()
}

/// Why there is no private key of this name.
fn missing(session: &Session, named: &[Attribute]) -> Result<TokenError, TokenError> {
    let others = session.find_objects(named)?;
    Ok(match (others.is_empty(), named.is_empty()) {
        (false, false) => TokenError::NotAPrivateKey,
        (_, false) => TokenError::ObjectMissing { hint: "" },
        (_, true) => TokenError::ObjectMissing {
            hint: ": it holds no private key that may be seen",
        },
    })
}

fn names(session: &Session, objects: &[ObjectHandle]) -> Result<String, TokenError> {
    let mut names = Vec::new();
    for &object in objects {
        let label = bytes(session, object, AttributeType::Label)?;
        let object = uri::Object {
            label: label.map(|label| String::from_utf8_lossy(&label).into_owned()),
            id: bytes(session, object, AttributeType::Id)?,
        };
        let uri = Uri {
            object,
            ..Uri::default()
        };
        names.push(uri.name());
    }
    Ok(names.join(", "))
}

/// One attribute at a time: modules disagree about what they answer where one of several is not known to them.
fn attribute(
    session: &Session,
    object: ObjectHandle,
    kind: AttributeType,
) -> Result<Option<Attribute>, TokenError> {
    match session.get_attributes(object, &[kind]) {
        Ok(attributes) => Ok(attributes.into_iter().next()),
        Err(Error::Pkcs11(RvError::DeviceRemoved, _)) => Err(TokenError::Removed),
        Err(_) => Ok(None),
    }
}

/// The value of an attribute that is a sequence of bytes; none where it is not there or empty, as where it was never set.
fn bytes(
    session: &Session,
    object: ObjectHandle,
    kind: AttributeType,
) -> Result<Option<Vec<u8>>, TokenError> {
    let value = match attribute(session, object, kind)? {
        Some(
            Attribute::Label(bytes)
            | Attribute::Id(bytes)
            | Attribute::Modulus(bytes)
            | Attribute::PublicExponent(bytes)
            | Attribute::EcParams(bytes)
            | Attribute::EcPoint(bytes)
            | Attribute::PublicKeyInfo(bytes),
        ) => Some(bytes),
        _ => None,
    };
    Ok(value.filter(|bytes| !bytes.is_empty()))
}
