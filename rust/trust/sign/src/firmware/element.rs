//! DER taken apart one level at a time, so that the bytes that were hashed and signed stay as they
//! are.

use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// A TLV.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    /// Tag, length and value.
    pub(super) whole: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Element<'_> {
    /// Is it the constructed `[number]`?
    pub(super) fn is_context(&self, number: u32) -> bool {
        let tag = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(number),
        };
        self.tag == tag
    }
}

/// The element at the beginning of `bytes`; what follows is not looked at.
pub(super) fn first(bytes: &[u8]) -> Option<Element<'_>> {
    let whole = SliceReader::new(bytes).ok()?.tlv_bytes().ok()?;
    let any = AnyRef::from_der(whole).ok()?;
    Some(Element {
        tag: any.tag(),
        whole,
        value: any.value(),
    })
}

/// The elements that `contents` consists of.
pub(super) fn all(contents: &[u8]) -> Option<Vec<Element<'_>>> {
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
pub(super) fn sequence(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let sequence = first(bytes).filter(|element| element.tag == Tag::Sequence)?;
    all(sequence.value)
}
