//! What a Nix signature signs.

use std::collections::BTreeSet;

use crate::{NarHash, StorePath};

/// The fingerprint of a path, the text that Nix signatures are made over:
/// `1;<path>;sha256:<NAR hash in base 32>;<NAR size in bytes>;<references, whole paths, sorted, with commas between>`.
///
/// Source: Nix manual, "Signatures"; `ValidPathInfo::fingerprint` (behaviour).
pub fn fingerprint(
    path: &StorePath,
    hash: &NarHash,
    size: u64,
    references: &BTreeSet<StorePath>,
) -> String {
    let references: Vec<&str> = references.iter().map(StorePath::as_str).collect();
    format!(
        "1;{path};{};{size};{}",
        hash.to_base32(),
        references.join(",")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The fingerprint of a path that cache.nixos.org has served and signed.
    pub(crate) fn curl() -> String {
        let path = |base: &str| StorePath::parse(&format!("/nix/store/{base}")).unwrap();
        // Not in order: the fingerprint sorts.
        let references = [
            "yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n",
            "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0",
            "j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12",
            "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115",
        ];
        let hash =
            NarHash::parse("sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0").unwrap();
        let curl = path("syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin");
        fingerprint(
            &curl,
            &hash,
            196_040,
            &references.map(path).into_iter().collect(),
        )
    }

    #[test]
    fn is_one_line_with_sorted_references() {
        assert_eq!(
            curl(),
            "1;/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin;\
             sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;\
             /nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0,\
             /nix/store/6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115,\
             /nix/store/j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12,\
             /nix/store/yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n"
        );
    }

    #[test]
    fn ends_with_a_semicolon_where_nothing_is_referenced() {
        let path = StorePath::parse("/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a").unwrap();
        assert!(
            fingerprint(&path, &NarHash::new([0; 32]), 120, &BTreeSet::new()).ends_with(";120;")
        );
    }
}
