//! The list that `nix-store --load-db` reads and `nix-store --dump-db` writes.

use std::fmt::Write;

use data_encoding::HEXLOWER;

use crate::NarInfo;

/// The entries as that list: of each path, a line each, the path, its NAR hash (hexadecimal, no algorithm named), its NAR size, its
/// deriver (empty where it is not known), the number of references, and these. Signatures and content addresses have no place in it.
///
/// Source: Nix 2.26, `makeValidityRegistration` (behaviour).
pub fn registration<'a>(infos: impl IntoIterator<Item = &'a NarInfo>) -> String {
    let mut text = String::new();
    for info in infos {
        let entry = &info.entry;
        let hash = HEXLOWER.encode(entry.nar_hash.bytes());
        let deriver = info.deriver.as_ref().map_or("", |path| path.as_str());
        let lines = [
            entry.path.as_str(),
            &hash,
            &entry.nar_size.to_string(),
            deriver,
            &entry.references.len().to_string(),
        ];
        let references = entry.references.iter().map(|path| path.as_str());
        for line in lines.into_iter().chain(references) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{line}");
        }
    }
    text
}
