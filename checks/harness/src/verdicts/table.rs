//! The cases: which image, which lists, which verdict.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256, Sha384};

use super::Case;
use super::bytes::Image;
use super::lists::{Entry, write_list};

/// A case before its lists are written: name, image, `db`, `dbx`, the rule that decides, and what it decides.
struct Row {
    name: &'static str,
    image: &'static str,
    db: Vec<Trust>,
    dbx: Vec<Trust>,
    rule: &'static str,
    boots: bool,
}

/// What a list holds, by names of files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The certificate of this name.
    Key(&'static str),
    /// SHA-256 of this image.
    Image(&'static str),
    /// SHA-384 of this image.
    Image384(&'static str),
    /// SHA-1 of `plain.efi`.
    PlainSha1,
    /// SHA-256 of what is signed in this certificate: revoked for ever.
    Tbs(&'static str),
    /// The same in SHA-384.
    Tbs384(&'static str),
    /// The same as [`Trust::Tbs`], revoked since the year 2040.
    TbsLater(&'static str),
}
use Trust::{Image384, Key, PlainSha1, Tbs, Tbs384, TbsLater};

/// The year 2040 as an `EFI_TIME`.
const LATER: [u8; 16] = [0xf8, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn boots(name: &'static str, image: &'static str, db: &[Trust]) -> Row {
    let rule = "signature-trusted";
    Row {
        name,
        image,
        db: db.to_vec(),
        dbx: Vec::new(),
        rule,
        boots: true,
    }
}

fn refused(name: &'static str, image: &'static str, db: &[Trust], rule: &'static str) -> Row {
    Row {
        rule,
        boots: false,
        ..boots(name, image, db)
    }
}

impl Row {
    fn by(self, rule: &'static str) -> Row {
        Row { rule, ..self }
    }

    fn dbx(self, dbx: &[Trust]) -> Row {
        Row {
            dbx: dbx.to_vec(),
            ..self
        }
    }
}

const OWN: &[Trust] = &[Key("own")];
const ROOT: &[Trust] = &[Key("root")];
const PLAIN: &[Trust] = &[Trust::Image("plain.efi")];

fn signers() -> Vec<Row> {
    vec![
        boots("touchstone-rsa-2048", "own.efi", OWN),
        boots("touchstone-rsa-3072", "rsa3072.efi", &[Key("rsa3072")]),
        boots("touchstone-rsa-4096", "rsa4096.efi", &[Key("rsa4096")]),
        boots("touchstone-p256", "p256.efi", &[Key("p256")]),
        boots("touchstone-p384", "p384.efi", &[Key("p384")]),
        boots("touchstone-sha384", "own-sha384.efi", OWN),
        boots("touchstone-p384-sha384", "p384-sha384.efi", &[Key("p384")]),
        boots("sbsign", "by-sbsign.efi", OWN),
        boots("sbsign-rsa-1024", "rsa1024.efi", &[Key("rsa1024")]),
        boots("systemd-sbsign", "by-systemd-sbsign.efi", OWN),
        boots("pesign", "by-pesign.efi", OWN),
        boots("osslsigncode", "by-osslsigncode.efi", OWN),
        boots("osslsigncode-sha384", "sha384.efi", OWN),
        boots("osslsigncode-sha512", "sha512.efi", OWN),
        boots("osslsigncode-sha1", "sha1.efi", OWN),
        refused("osslsigncode-md5", "md5.efi", OWN, "hash-unknown"),
        boots("osslsigncode-p256", "ecdsa.efi", &[Key("p256")]),
        boots("second-signature-trusted", "stranger-and-own.efi", OWN),
        boots("first-signature-trusted", "own-and-stranger.efi", OWN),
        boots("signed-in-two-digests", "own-in-both.efi", OWN),
    ]
}

fn chains() -> Vec<Row> {
    let none = "no-chain";
    vec![
        boots("issued-by-root", "by-root.efi", ROOT),
        boots("chain-of-two", "by-middle.efi", ROOT),
        boots("chain-of-three", "by-lower.efi", ROOT),
        boots("chain-of-three-by-osslsigncode", "chain-of-three.efi", ROOT),
        boots("chain-with-root-in-it", "chain-with-root.efi", ROOT),
        boots(
            "chain-ends-at-intermediate",
            "by-lower.efi",
            &[Key("middle")],
        ),
        boots(
            "intermediate-trusted",
            "by-middle-alone.efi",
            &[Key("middle")],
        ),
        boots("signer-itself-trusted", "by-root.efi", &[Key("by-root")]),
        boots("expired", "expired.efi", &[Key("expired")]),
        boots(
            "certificate-for-web-servers",
            "web-server.efi",
            &[Key("web-server")],
        ),
        boots("certificate-signed-in-sha1", "by-root-in-sha1.efi", ROOT),
        boots("version-1-authority", "by-version1.efi", &[Key("version1")]),
        refused("intermediate-missing", "by-middle-alone.efi", ROOT, none),
        refused(
            "issuer-no-authority",
            "by-no-authority.efi",
            &[Key("no-authority")],
            none,
        ),
        refused("path-too-long", "by-below-short.efi", ROOT, none),
        refused(
            "unknown-critical-extension",
            "critical.efi",
            &[Key("critical")],
            none,
        ),
        refused("another-key-trusted", "own.efi", &[Key("stranger")], none),
        refused("root-not-trusted", "chain-with-root.efi", OWN, none),
        refused("nothing-in-db", "own.efi", &[], none),
    ]
}

fn spoiled() -> Vec<Row> {
    let (changed, table) = ("image-changed", "table-malformed");
    vec![
        boots("hole-between-sections", "hole-signed.efi", OWN),
        boots("checksum-changed", "byte-in-checksum.efi", OWN),
        refused("byte-in-section", "byte-in-section.efi", OWN, changed),
        refused("byte-in-header", "byte-in-header.efi", OWN, changed),
        refused("byte-in-dos-header", "byte-in-dos-header.efi", OWN, changed),
        refused("zeros-before-table", "zeros-before-table.efi", OWN, changed),
        refused(
            "signature-of-another-image",
            "of-another-image.efi",
            OWN,
            changed,
        ),
        refused("stated-digest-changed", "stated-digest.efi", OWN, changed),
        refused("data-behind-table", "data-behind-table.efi", OWN, changed),
        refused("file-cut-off", "file-cut-off.efi", OWN, "image-malformed"),
        refused(
            "table-size-too-small",
            "table-size-too-small.efi",
            OWN,
            table,
        ),
        refused(
            "table-without-padding",
            "table-without-padding.efi",
            OWN,
            table,
        ),
        refused("garbage-in-table", "garbage-in-table.efi", OWN, table),
        refused("zeros-in-table", "zeros-in-table.efi", OWN, table),
        refused("entry-too-long", "entry-too-long.efi", OWN, table),
        refused("entry-too-short", "entry-too-short.efi", OWN, table),
        boots("entry-of-guid-type", "entry-of-guid-type.efi", OWN),
        refused(
            "entry-of-other-guid",
            "entry-of-other-guid.efi",
            OWN,
            "type-skipped",
        ),
        refused(
            "entry-of-other-type",
            "entry-of-other-type.efi",
            OWN,
            "type-skipped",
        ),
        boots("other-type-and-own", "other-type-and-own.efi", OWN),
        boots("own-twice", "own-twice.efi", OWN),
        refused("signature-bit", "signature-bit.efi", OWN, "signature-bad"),
        refused(
            "half-a-signature",
            "half-a-signature.efi",
            OWN,
            "unreadable",
        ),
        refused(
            "noise-as-signature",
            "noise-as-signature.efi",
            OWN,
            "hash-unknown",
        ),
        boots("zeros-behind-signature", "zeros-behind-signature.efi", OWN),
    ]
}

fn lists() -> Vec<Row> {
    let (allowed, denied) = ("digest-in-db", "digest-in-dbx");
    let (revoked, hash) = ("certificate-in-dbx", "tbs-in-dbx");
    vec![
        refused("unsigned", "plain.efi", OWN, "not-signed"),
        boots("unsigned-in-db", "plain.efi", PLAIN).by(allowed),
        boots(
            "unsigned-in-db-sha384",
            "plain.efi",
            &[Image384("plain.efi")],
        )
        .by(allowed),
        boots("unsigned-in-db-sha1", "plain.efi", &[PlainSha1]).by(allowed),
        boots(
            "unsigned-of-odd-length-in-db",
            "odd.efi",
            &[Trust::Image("odd.efi")],
        )
        .by(allowed),
        refused("unsigned-in-both", "plain.efi", PLAIN, denied).dbx(PLAIN),
        refused("unsigned-in-dbx-sha1", "plain.efi", PLAIN, denied).dbx(&[PlainSha1]),
        boots("stranger-with-digest-in-db", "stranger.efi", PLAIN).by(allowed),
        boots("harmless-dbx", "own.efi", OWN).dbx(&[Trust::Image("other.efi"), Key("stranger")]),
        refused("digest-in-dbx", "own.efi", OWN, denied).dbx(PLAIN),
        // Firmware looks for the digest that the signature is over, and for no other.
        boots("other-digest-in-dbx", "own.efi", OWN).dbx(&[Image384("plain.efi")]),
        refused("sha384-digest-in-dbx", "own-sha384.efi", OWN, denied)
            .dbx(&[Image384("plain.efi")]),
        refused("signer-in-dbx", "own.efi", OWN, revoked).dbx(OWN),
        refused("root-in-dbx", "by-lower.efi", ROOT, revoked).dbx(ROOT),
        refused("intermediate-in-dbx", "by-lower.efi", ROOT, revoked).dbx(&[Key("middle")]),
        refused("one-signature-in-dbx", "own-and-stranger.efi", OWN, revoked)
            .dbx(&[Key("stranger")]),
        refused("signer-by-hash-in-dbx", "own.efi", OWN, hash).dbx(&[Tbs("own")]),
        refused("signer-by-sha384-in-dbx", "own.efi", OWN, hash).dbx(&[Tbs384("own")]),
        refused("signer-revoked-later", "own.efi", OWN, hash).dbx(&[TbsLater("own")]),
        refused(
            "root-by-hash-in-dbx",
            "by-lower.efi",
            ROOT,
            "anchor-tbs-in-dbx",
        )
        .dbx(&[Tbs("root")]),
        // Of what stands between signer and db, firmware does not look up the hash.
        boots("intermediate-by-hash-in-dbx", "by-lower.efi", ROOT).dbx(&[Tbs("middle")]),
        refused(
            "half-a-signature-and-dbx",
            "half-a-signature.efi",
            PLAIN,
            "signer-unreadable",
        )
        .dbx(&[Key("stranger")]),
        boots("half-a-signature-in-db", "half-a-signature.efi", PLAIN).by(allowed),
        refused(
            "noise-with-digest-in-db",
            "noise-as-signature.efi",
            PLAIN,
            "hash-unknown",
        ),
        refused("md5-with-digest-in-db", "md5.efi", PLAIN, "hash-unknown"),
    ]
}

/// All cases, with their lists written.
pub(super) fn cases(folder: &Path) -> Result<Vec<Case>> {
    fs::create_dir_all(folder.join("lists"))?;
    let rows = [signers(), chains(), spoiled(), lists()];
    let rows = rows.into_iter().flatten();
    rows.map(|row| case(folder, row)).collect()
}

fn case(folder: &Path, row: Row) -> Result<Case> {
    let list = |kind: &str, entries: &[Trust]| -> Result<PathBuf> {
        let path = folder.join("lists").join(format!("{}.{kind}", row.name));
        let entries = entries.iter().map(|trust| entry(folder, *trust));
        write_list(&path, &entries.collect::<Result<Vec<Entry>>>()?)?;
        Ok(path)
    };
    let certificate = match (&row.db[..], &row.dbx[..]) {
        ([Key(name)], []) => Some(folder.join("keys").join(format!("{name}.pem"))),
        _ => None,
    };
    Ok(Case {
        name: row.name,
        image: folder.join(row.image),
        db: list("db", &row.db)?,
        dbx: match row.dbx.is_empty() {
            true => None,
            false => Some(list("dbx", &row.dbx)?),
        },
        boots: row.boots,
        rule: row.rule,
        certificate,
    })
}

fn entry(folder: &Path, trust: Trust) -> Result<Entry> {
    let read = |name: String| fs::read(folder.join(&name)).with_context(|| name);
    let key = |name: &str, kind: &str| read(format!("keys/{name}.{kind}"));
    Ok(match trust {
        Key(name) => Entry::Certificate(key(name, "der")?),
        Trust::Image(name) => Entry::Digest(Image(read(name.to_owned())?).sha256()?),
        Image384(name) => Entry::Digest(Image(read(name.to_owned())?).sha384()?),
        PlainSha1 => Entry::Digest(read("plain.sha1".to_owned())?),
        Tbs(name) => Entry::Revoked(Sha256::digest(key(name, "tbs")?).to_vec(), [0; 16]),
        Tbs384(name) => Entry::Revoked(Sha384::digest(key(name, "tbs")?).to_vec(), [0; 16]),
        TbsLater(name) => Entry::Revoked(Sha256::digest(key(name, "tbs")?).to_vec(), LATER),
    })
}
