//! Rows and keys that do not fit on their page.

use std::borrow::Cow;

use super::pages::Pages;
use super::{Fault, u32_at};
use crate::Damage;

/// Where a row or a key lies on its page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its first byte.
    pub(super) at: usize,
    /// Bytes that it has.
    pub(super) length: usize,
    /// Bytes of it that are on the page itself; the number of the page with the next ones follows them, if there are more.
    pub(super) local: usize,
}

impl Place {
    /// Where something of this length lies, of which a page takes `most` bytes.
    pub(super) fn new(at: usize, length: usize, most: usize, usable: usize) -> Self {
        let local = local(length, most, usable);
        Self { at, length, local }
    }

    /// What follows it on its page.
    pub(super) fn end(self) -> usize {
        let pointer = if self.local < self.length { 4 } else { 0 };
        self.at + self.local + pointer
    }

    /// Its bytes. `damage` is what is wrong when they are not where they should be.
    pub(super) fn read<'a>(
        self,
        pages: &Pages,
        page: &'a [u8],
        damage: &Damage,
    ) -> Result<Cow<'a, [u8]>, Fault> {
        let wrong = || Fault::from(damage.clone());
        let rest = page.get(self.at..).ok_or_else(wrong)?;
        let (here, behind) = rest.split_at_checked(self.local).ok_or_else(wrong)?;
        if self.local == self.length {
            return Ok(Cow::Borrowed(here));
        }
        let mut whole = here.to_vec();
        let mut next = u32_at(behind, 0).ok_or_else(wrong)?;
        while whole.len() < self.length {
            let page = pages.page(next)?;
            next = u32_at(&page, 0).ok_or_else(wrong)?;
            let content = page.get(4..).unwrap_or_default();
            let part = content.get(..content.len().min(self.length - whole.len()));
            whole.extend_from_slice(part.unwrap_or_default());
        }
        Ok(Cow::Owned(whole))
    }
}

/// How many bytes of a row or a key are on its page itself.
fn local(length: usize, most: usize, usable: usize) -> usize {
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}
