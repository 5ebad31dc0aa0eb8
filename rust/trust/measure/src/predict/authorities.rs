//! Who lets an image start: the entries that firmware and shim measure when they use them.
//!
//! Source: EDK II's `DxeImageVerificationLib` (BSD-2-Clause-Patent) and shim 16.1's `verify.c` (BSD-2-Clause), by their
//! behaviour; each rule was seen on a real boot (`tests/real_boots/firmware`).

use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::firmware::table::Entry;
use touchstone_sign::firmware::{Database, DigestKind, Verdict, judge, leads_to};
use uuid::{Uuid, uuid};

use super::PredictError;
use crate::boot_path::{Authority, Presented, Shim, StartedImage, Variables, Vouching};

/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: the vendor of db and dbx.
pub(super) const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// `SHIM_LOCK_GUID`: the vendor of shim's variables.
pub(super) const SHIM_LOCK: Uuid = uuid!("605dab50-e046-4300-abb6-3dd810dd8b23");

/// An entry of a list that let an image start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voucher {
    /// The vendor of the list's variable.
    pub vendor: Uuid,
    /// The variable's name.
    pub list: &'static str,
    /// The entry.
    pub entry: Authority,
}

impl Voucher {
    fn of_db(entry: Authority) -> Voucher {
        Voucher {
            vendor: IMAGE_SECURITY,
            list: "db",
            entry,
        }
    }

    fn of_owners(entry: Authority) -> Voucher {
        Voucher {
            vendor: SHIM_LOCK,
            list: "MokListRT",
            entry,
        }
    }
}

/// By which entries of db the firmware starts an image.
///
/// The first signature that an entry vouches for decides, and of several entries the first; of an image without
/// signatures every digest that db names.
pub(super) fn of_firmware(
    image: &StartedImage,
    variables: &Variables,
) -> Result<Vec<Voucher>, PredictError> {
    let (db, dbx) = (lists("db", &variables.db)?, lists("dbx", &variables.dbx)?);
    let entries = match &image.vouching {
        Vouching::Unknown => return Err(unknown(image)),
        Vouching::Promised(authority) => vec![promised(image, authority, &db, &dbx)?.clone()],
        Vouching::Stored(presented) => {
            let verdict = admitted(image, presented, &db, &dbx)?;
            match &presented.table {
                None => all_digests(presented, &db),
                Some(table) => table
                    .entries
                    .iter()
                    .zip(&verdict.signatures)
                    .filter(|(_, signature)| signature.ok)
                    .find_map(|(entry, signature)| {
                        let by_certificate = certificate(presented, entry.pkcs7()?, every(&db));
                        by_certificate.or_else(|| digest(presented, signature.hash?, &db))
                    })
                    .into_iter()
                    .collect(),
            }
        }
    };
    match entries.is_empty() {
        true => Err(unknown(image)),
        false => Ok(entries.into_iter().map(Voucher::of_db).collect()),
    }
}

/// By which entries of db and of the machine owner's list shim starts an image.
///
/// A digest in a list decides alone; else every signature that leads to an entry is measured, db before the owner's
/// list. Of a list of several certificates shim looks at the first.
pub(super) fn of_shim(
    image: &StartedImage,
    variables: &Variables,
    shim: &Shim,
) -> Result<Vec<Voucher>, PredictError> {
    let (db, owners) = (
        lists("db", &variables.db)?,
        lists("MokList", &shim.mok_list())?,
    );
    let admitted_by = [db.clone(), owners.clone()].concat();
    let mut denied = lists("dbx", &variables.dbx)?;
    denied.extend(lists("MokListX", &shim.mok_list_x())?);
    let presented = match &image.vouching {
        Vouching::Unknown => return Err(unknown(image)),
        Vouching::Promised(authority) => {
            let entry = promised(image, authority, &admitted_by, &denied)?;
            let in_db = find(&db, entry).is_some();
            let voucher = if in_db {
                Voucher::of_db
            } else {
                Voucher::of_owners
            };
            return Ok(vec![voucher(entry.clone())]);
        }
        Vouching::Stored(presented) => presented,
    };
    if presented.table.is_none() && presented.padded {
        return Err(super::not_compared(
            7,
            "an image without a signature that signers and firmware hash differently, behind shim",
        ));
    }
    let by_sha1 = |list: &SignatureList| DigestKind::of_images(list.kind) == Some(DigestKind::Sha1);
    let named = admitted_by.iter().chain(&denied).any(by_sha1);
    if named && !presented.digests.contains_key(&DigestKind::Sha1) {
        return Err(super::not_compared(
            7,
            "an image behind shim with SHA-1 digests in db, dbx or shim's lists",
        ));
    }
    let verdict = admitted(image, presented, &admitted_by, &denied)?;
    let by_digest = digest(presented, DigestKind::Sha256, &db)
        .or_else(|| digest(presented, DigestKind::Sha1, &db))
        .map(Voucher::of_db)
        .or_else(|| digest(presented, DigestKind::Sha256, &owners).map(Voucher::of_owners));
    if let Some(voucher) = by_digest {
        return Ok(vec![voucher]);
    }
    let signatures = presented.table.iter().flat_map(|table| &table.entries);
    let vouchers: Vec<Voucher> = signatures
        .zip(&verdict.signatures)
        .filter(|(_, judged)| {
            judged.ok && !judged.elliptic && judged.hash == Some(DigestKind::Sha256)
        })
        .filter_map(|(entry, _)| match entry {
            Entry::Signature(pkcs7) => certificate(presented, pkcs7, first_of_each(&db))
                .map(Voucher::of_db)
                .or_else(|| {
                    certificate(presented, pkcs7, first_of_each(&owners)).map(Voucher::of_owners)
                }),
            Entry::GuidSignature(_) | Entry::PassedOver(_) => None,
        })
        .collect();
    match vouchers.is_empty() {
        true => Err(PredictError::NotStarted {
            image: image.name.clone(),
            why: "shim takes RSA signatures over SHA-256 alone, and none of them leads to db or to the machine owner's list".to_owned(),
        }),
        false => Ok(vouchers),
    }
}

/// Whether db has this entry, owner included.
pub(super) fn holds_in_db(variables: &Variables, entry: &[u8]) -> Result<bool, PredictError> {
    let db = lists("db", &variables.db)?;
    let mut entries = db.iter().flat_map(|list| &list.signatures);
    Ok(entries.any(|own| Authority::of(own).to_bytes() == entry))
}

fn unknown(image: &StartedImage) -> PredictError {
    PredictError::NoAuthority {
        image: image.name.clone(),
    }
}

/// The lists in a variable.
fn lists(variable: &'static str, content: &[u8]) -> Result<Vec<SignatureList>, PredictError> {
    esl::parse(content).map_err(|source| PredictError::Malformed { variable, source })
}

/// The entry by which an image will be signed, when it is there and is not revoked.
fn promised<'a>(
    image: &StartedImage,
    authority: &'a Authority,
    db: &[SignatureList],
    dbx: &[SignatureList],
) -> Result<&'a Authority, PredictError> {
    let refused = |why: &str| PredictError::NotStarted {
        image: image.name.clone(),
        why: why.to_owned(),
    };
    if find(db, authority).is_none() {
        return Err(refused("the certificate that is to sign it is not in db"));
    }
    let tbs = touchstone_sign::certificate::read(&authority.data)
        .ok()
        .and_then(|certificate| touchstone_sign::certificate::tbs_sha256(&certificate).ok());
    let revoked = dbx.iter().any(|list| {
        list.signatures.iter().any(|denied| match list.kind {
            esl::X509 => denied.data == authority.data,
            esl::X509_SHA256 => tbs.is_some_and(|tbs| denied.data.starts_with(&tbs)),
            _ => false,
        })
    });
    match revoked {
        true => Err(refused("dbx revokes the certificate that is to sign it")),
        false => Ok(authority),
    }
}

fn find<'a>(lists: &'a [SignatureList], authority: &Authority) -> Option<&'a SignatureList> {
    lists.iter().find(|list| {
        list.signatures
            .iter()
            .any(|entry| entry.owner == authority.owner && entry.data == authority.data)
    })
}

/// The verdict on an image that is let start.
fn admitted(
    image: &StartedImage,
    presented: &Presented,
    db: &[SignatureList],
    dbx: &[SignatureList],
) -> Result<Verdict, PredictError> {
    let (db, dbx) = (Database::new(db), Database::new(dbx));
    let verdict = judge(&presented.digests, presented.table.as_ref(), &db, &dbx);
    if verdict.boots {
        return Ok(verdict);
    }
    let why: Vec<&str> = verdict
        .reasons
        .iter()
        .map(|reason| reason.why.as_str())
        .collect();
    Err(PredictError::NotStarted {
        image: image.name.clone(),
        why: why.join("; "),
    })
}

/// The certificates of lists, with their owners, in the order in which firmware tries them.
fn every(lists: &[SignatureList]) -> impl Iterator<Item = &esl::Signature> {
    let certificates = lists.iter().filter(|list| list.kind == esl::X509);
    certificates.flat_map(|list| &list.signatures)
}

/// The same, as shim tries them.
fn first_of_each(lists: &[SignatureList]) -> impl Iterator<Item = &esl::Signature> {
    let certificates = lists.iter().filter(|list| list.kind == esl::X509);
    certificates.filter_map(|list| list.signatures.first())
}

/// The first of these certificates to which a signature leads.
fn certificate<'a>(
    presented: &Presented,
    pkcs7: &[u8],
    mut entries: impl Iterator<Item = &'a esl::Signature>,
) -> Option<Authority> {
    entries
        .find(|entry| leads_to(&presented.digests, pkcs7, &entry.data))
        .map(Authority::of)
}

/// The first entry that is the image's digest of this kind.
fn digest(presented: &Presented, kind: DigestKind, lists: &[SignatureList]) -> Option<Authority> {
    let digest = presented.digests.get(&kind)?;
    lists
        .iter()
        .filter(|list| DigestKind::of_images(list.kind) == Some(kind))
        .flat_map(|list| &list.signatures)
        .find(|entry| entry.data == *digest)
        .map(Authority::of)
}

/// One entry for each kind of digest, the longest first.
fn all_digests(presented: &Presented, lists: &[SignatureList]) -> Vec<Authority> {
    let kinds = DigestKind::ALL.into_iter().rev();
    kinds
        .filter_map(|kind| digest(presented, kind, lists))
        .collect()
}
