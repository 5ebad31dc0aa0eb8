//! `SpcIndirectDataContent`: the statement that is signed, "this PE image has this digest".
//!
//! ```text
//! SpcIndirectDataContent ::= SEQUENCE {
//!     data          SpcAttributeTypeAndOptionalValue,
//!     messageDigest DigestInfo }
//! ```

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Any, Decode, Sequence};
use spki::AlgorithmIdentifierOwned;

use super::ImageDigest;

/// `SPC_INDIRECT_DATA_OBJID`: the content type of every Authenticode signature.
pub(crate) const CONTENT_TYPE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SPC_PE_IMAGE_DATAOBJ`: what has the digest is a PE image.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");

/// `SpcPeImageData`, as sbsign writes it: no flags, and the file name that the specification asks
/// for.
#[rustfmt::skip]
const PE_IMAGE_VALUE: &[u8] = &[
    0x30, 0x25,                          // SEQUENCE
        0x03, 0x01, 0x00,                //   flags BIT STRING: empty
        0xa0, 0x20,                      //   file [0] EXPLICIT SpcLink
            0xa2, 0x1e,                  //     file [2] EXPLICIT SpcString
                0x80, 0x1c,              //       unicode [0] IMPLICIT BMPString: "<<<Obsolete>>>"
                    0, b'<', 0, b'<', 0, b'<', 0, b'O', 0, b'b', 0, b's', 0, b'o',
                    0, b'l', 0, b'e', 0, b't', 0, b'e', 0, b'>', 0, b'>', 0, b'>',
];

#[derive(Sequence)]
struct IndirectData {
    data: TypeAndValue,
    message_digest: DigestInfo,
}

#[derive(Sequence)]
struct TypeAndValue {
    kind: ObjectIdentifier,
    #[asn1(optional = "true")]
    value: Option<Any>,
}

#[derive(Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// The statement that a PE image has the Authenticode `digest`.
pub(super) fn encode(digest: &ImageDigest) -> Result<Any, der::Error> {
    Any::encode_from(&IndirectData {
        data: TypeAndValue {
            kind: PE_IMAGE_DATA,
            value: Some(Any::from_der(PE_IMAGE_VALUE)?),
        },
        message_digest: DigestInfo {
            algorithm: digest.hash().identifier(),
            digest: OctetString::new(digest.as_bytes())?,
        },
    })
}
