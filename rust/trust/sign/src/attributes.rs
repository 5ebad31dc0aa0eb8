//! Signed attributes (RFC 5652 section 5.3).

use cms::signed_data::SignedAttributes;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};

/// The one value of the one attribute `oid`.
pub(crate) fn value<T: for<'a> Decode<'a>>(
    attributes: &SignedAttributes,
    oid: ObjectIdentifier,
) -> Option<T> {
    let attribute = only(attributes.iter().filter(|attribute| attribute.oid == oid))?;
    T::from_der(&only(attribute.values.iter())?.to_der().ok()?).ok()
}

/// The only item there is.
fn only<T>(items: impl IntoIterator<Item = T>) -> Option<T> {
    let mut items = items.into_iter();
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
