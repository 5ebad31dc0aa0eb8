//! Private keys that everybody has: programs of nearly every closure carry them along to test themselves, or print one as an example.
//!
//! Found by `closure.secrets` in the files of Debian 12 and 13 that are named here. They protect nothing, and never did.

const GNUTLS: &str = "a key of GnuTLS' tests of itself";
const NIX: &str = "the example of Nix' documentation";

/// Fingerprint and name.
const PUBLISHED: [(&str, &str); 13] = [
    (
        "0294b4406902e33bb02f89eaf4c691328790d7a9cd01b873d68edac994f310a1",
        GNUTLS,
    ),
    (
        "09f1c1a4680df80b9e8e6e587d3a787de7402a919e366426ad807a1c0f8c98c1",
        GNUTLS,
    ),
    (
        "215fde895c12883e29036f5bd38c22467657f3cabbc77d7e9e328ab5f4ae39f2",
        GNUTLS,
    ),
    (
        "5a9214aa789ffe021992636dd17ca313f340948e604d4122735160f3d46688a0",
        GNUTLS,
    ),
    (
        "5bd7bad40971be901e68d9b97405c3a3e996adbede885869b270185ad499108e",
        GNUTLS,
    ),
    (
        "6e1900f654edb2e599930c8a287c7263ea170f010826630893227e7cec221586",
        GNUTLS,
    ),
    (
        "803fc9d7eb40ea13dc82723b2d99780ac1e0335ba0b65d660e66994c613ed422",
        GNUTLS,
    ),
    (
        "87e288dc7dbc29a24241b596ec8c84f949d9f09f34fc0cf69242481fb2274770",
        GNUTLS,
    ),
    (
        "965237ca6ba836733f2b6436d66516dc01ef2d58825d3b4aa6b9061a76c7a9ce",
        GNUTLS,
    ),
    (
        "c305f632b9f12913e548002d5e48435fccfb7a54f4e6f2255c055d9b99794b69",
        GNUTLS,
    ),
    (
        "cc6c0dbf3e76a3d6dafb708e38556ecc6fbcd172dba90aa6a786677214febd4a",
        GNUTLS,
    ),
    (
        "d245e52c341a76645e1b0e56c58dc964cd4f3ecaea64a9c6d6db9897d4948a8a",
        GNUTLS,
    ),
    (
        "26b4c5c02672ecf83b238e400dcf05fb2ad8f35914208962dcf9a8b198daa2a1",
        NIX,
    ),
];

/// What a key of this fingerprint is, if everybody has it.
pub(super) fn name(fingerprint: &str) -> Option<&'static str> {
    let known = PUBLISHED.iter().find(|(known, _)| *known == fingerprint);
    known.map(|(_, name)| *name)
}
