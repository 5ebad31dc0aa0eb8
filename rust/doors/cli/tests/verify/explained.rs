//! Where a peer says otherwise, and why. Every line must be true: see [`super::peers_agree_or_their_disagreement_is_explained`].

/// A peer, the cases in which it says the opposite of `touchstone pe verify`, and why.
pub struct Explained {
    pub peer: &'static str,
    pub cases: &'static [&'static str],
    pub why: &'static str,
}

const fn explained(
    peer: &'static str,
    cases: &'static [&'static str],
    why: &'static str,
) -> Explained {
    Explained { peer, cases, why }
}

/// Cases with a certificate table that firmware refuses.
const MALFORMED: &[&str] = &[
    "table-without-padding",
    "garbage-in-table",
    "zeros-in-table",
    "entry-too-short",
];

pub const EXPLAINED: &[Explained] = &[
    explained(
        "sbverify",
        &[
            "touchstone-sha384",
            "touchstone-p384-sha384",
            "osslsigncode-sha384",
            "osslsigncode-sha512",
            "osslsigncode-sha1",
        ],
        "It compares every signature with the SHA-256 digest of the image; firmware computes the one that the signature names.",
    ),
    explained(
        "sbverify",
        &["certificate-for-web-servers"],
        "It asks that a certificate which names purposes names code signing; firmware accepts any purpose.",
    ),
    explained(
        "sbverify",
        &[
            "table-without-padding",
            "garbage-in-table",
            "zeros-in-table",
            "entry-too-short",
            "entry-too-long",
        ],
        "It takes the entries that it can read and warns at most; firmware refuses a table whose entries do not fill it exactly.",
    ),
    explained(
        "sbverify",
        &["entry-of-guid-type", "other-type-and-own"],
        "It gives up at an entry of another type than PKCS#7 signed data; firmware knows a second one and passes over the others.",
    ),
    explained(
        "osslsigncode",
        &["osslsigncode-md5"],
        "It verifies MD5, as Windows did; firmware does not compute that digest.",
    ),
    explained(
        "osslsigncode",
        &[
            "first-signature-trusted",
            "second-signature-trusted",
            "signed-in-two-digests",
            "own-twice",
            "entry-of-guid-type",
            "other-type-and-own",
        ],
        "It expects one entry of the certificate table, of PKCS#7 signed data; firmware walks through all.",
    ),
    explained(
        "osslsigncode",
        &[
            "chain-ends-at-intermediate",
            "intermediate-trusted",
            "signer-itself-trusted",
        ],
        "It follows the chain to a self-signed root; firmware lets it end at any certificate in db.",
    ),
    explained(
        "osslsigncode",
        &["expired"],
        "It looks at dates; firmware has no clock that it trusts.",
    ),
    explained(
        "osslsigncode",
        &["certificate-for-web-servers"],
        "It asks for the purpose code signing; firmware accepts any purpose.",
    ),
    explained(
        "osslsigncode",
        &["hole-between-sections"],
        "It hashes the bytes between sections; firmware counts them, and hashes as many fewer at the end.",
    ),
    explained(
        "pesigcheck",
        &[
            "touchstone-p256",
            "touchstone-p384",
            "osslsigncode-p256",
            "touchstone-p384-sha384",
        ],
        "It does not accept ECDSA signatures.",
    ),
    explained(
        "pesigcheck",
        &[
            "touchstone-sha384",
            "osslsigncode-sha384",
            "osslsigncode-sha512",
            "osslsigncode-sha1",
            "signed-in-two-digests",
            "unsigned-in-db-sha384",
        ],
        "It computes SHA-256 (and SHA-1 for lists of digests), and every signature must be right.",
    ),
    explained(
        "pesigcheck",
        &["certificate-for-web-servers", "version-1-authority"],
        "It follows the rules of NSS: a signer is for code signing, and a certificate of version 1 is no authority.",
    ),
    explained(
        "pesigcheck",
        &["unknown-critical-extension"],
        "It does not mind an unknown critical extension in a certificate that is trusted itself; OpenSSL in firmware does.",
    ),
    explained(
        "pesigcheck",
        MALFORMED,
        "It takes the entries that it can read.",
    ),
    explained(
        "pesigcheck",
        &[
            "entry-of-guid-type",
            "entry-of-other-type",
            "other-type-and-own",
        ],
        "It knows one type of entries and takes every entry of another number for one of it or for damage.",
    ),
    explained(
        "pesigcheck",
        &["half-a-signature-in-db"],
        "It gives up at a signature that it cannot read; firmware without a dbx then looks for the digest in db.",
    ),
    explained(
        "pesigcheck",
        &["unsigned-of-odd-length-in-db"],
        "It hashes zeros up to a multiple of 8 bytes, as signers do; firmware hashes the file as it is.",
    ),
    explained(
        "pesigcheck",
        &[
            "signer-by-hash-in-dbx",
            "signer-by-sha384-in-dbx",
            "signer-revoked-later",
            "root-by-hash-in-dbx",
        ],
        "It does not know the entries that name a certificate by the digest of its signed part.",
    ),
    explained(
        "LIEF",
        &["osslsigncode-md5", "md5-with-digest-in-db"],
        "It verifies MD5; firmware does not compute that digest.",
    ),
    explained("LIEF", &["expired"], "It looks at dates."),
    explained(
        "LIEF",
        &["hole-between-sections"],
        "It hashes the bytes between sections, or not as many of the others.",
    ),
    explained(
        "LIEF",
        &["unknown-critical-extension"],
        "It cannot read such a certificate; the signature is good all the same, and refused by firmware only because of the chain.",
    ),
    explained(
        "LIEF",
        &["entry-of-guid-type"],
        "It does not know the second type of entries.",
    ),
    explained(
        "virt-firmware",
        &[
            "certificate-signed-in-sha1",
            "issuer-no-authority",
            "path-too-long",
            "unknown-critical-extension",
        ],
        "It looks whether a certificate of the signature was issued by one in db, and no further: not for authorities and extensions, and not where the issuer signed with SHA-1.",
    ),
    explained(
        "virt-firmware",
        &[
            "unsigned-in-db-sha384",
            "unsigned-in-db-sha1",
            "unsigned-in-dbx-sha1",
            "sha384-digest-in-dbx",
        ],
        "It looks up SHA-256 digests only.",
    ),
    explained(
        "virt-firmware",
        &["unsigned-of-odd-length-in-db"],
        "It hashes zeros up to a multiple of 8 bytes; firmware hashes the file as it is.",
    ),
    explained(
        "virt-firmware",
        &[
            "signer-by-hash-in-dbx",
            "signer-by-sha384-in-dbx",
            "signer-revoked-later",
            "root-by-hash-in-dbx",
        ],
        "It does not know the entries that name a certificate by the digest of its signed part.",
    ),
    explained(
        "virt-firmware",
        &["entry-of-guid-type"],
        "It does not know the second type of entries.",
    ),
];
