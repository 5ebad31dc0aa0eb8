//! DER taken apart one level at a time, so that the bytes that were hashed and signed stay as they
//! are.

use der::{AnyRef, Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// A TLV.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    /// Tag, length and value.
    pub(crate) whole: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Element<'_> {
    /// Is it the constructed `[number]`?
    pub(crate) fn is_context(&self, number: u32) -> bool {
        let tag = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(number),
        };
        self.tag == tag
    }
}

/// The element at the beginning of `bytes`; what follows is not looked at.
pub(crate) fn first(bytes: &[u8]) -> Option<Element<'_>> {
    let whole = SliceReader::new(bytes).ok()?.tlv_bytes().ok()?;
    let any = AnyRef::from_der(whole).ok()?;
    Some(Element {
        tag: any.tag(),
        whole,
        value: any.value(),
    })
}

/// The elements that `contents` consists of.
pub(crate) fn all(contents: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut rest = contents;
    while !rest.is_empty() {
        let element = first(rest)?;
        rest = rest.get(element.whole.len()..)?;
        elements.push(element);
    }
    Some(elements)
}

/// The elements of the SEQUENCE at the beginning of `bytes`.
pub(crate) fn sequence(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let sequence = first(bytes).filter(|element| element.tag == Tag::Sequence)?;
    all(sequence.value)
}

/// Signed attributes as what is signed: `contents` as they stand in the file, in a SET OF instead of
/// the `[0]` of the SignerInfo (RFC 5652 section 5.4). Others do not always sort them, and decoding
/// would.
pub(crate) fn set_of(contents: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(Tag::Set, contents).ok()?.to_der().ok()
}
