//! From a signer to a certificate of `db` or `dbx`.
//!
//! EDK II gives OpenSSL one certificate at a time as the only trusted one, and asks for a chain from
//! the signer to it through the certificates of the signature. Any certificate ends a chain, also one
//! that others issued; purposes, dates, sizes of keys and the strength of digests do not matter.

use super::certificate::{Certificate, NotIssuer};

/// OpenSSL follows a hundred levels; no hierarchy has ten.
const MOST_CERTIFICATES: usize = 64;

/// Why a signer does not lead to a trusted certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoChain {
    /// Nothing connects the two. `top` is the highest certificate that was reached.
    Apart {
        /// Its subject.
        top: String,
        /// Its issuer.
        missing: String,
    },
    /// The trusted certificate bears the issuer's name, but did not issue.
    Not {
        /// Whose certificate is concerned.
        issued: String,
        /// What speaks against it.
        why: NotIssuer,
    },
    /// An authority in between allows fewer levels below it.
    TooLong(String),
    /// A certificate of the chain has a critical extension that is not understood.
    Critical(String, der::asn1::ObjectIdentifier),
}

/// A certificate on the way up.
struct Step {
    /// Its place among the certificates of the signature; `None` for the signer.
    at: Option<usize>,
    /// Authorities below it that count for a path length.
    below: usize,
    /// Subjects from the signer to it.
    path: Vec<String>,
}

/// The subjects from `signer` to `anchor`, both included, through certificates of `pool`.
///
/// # Errors
/// Why there is no chain, as far as it can be told.
pub(super) fn find(
    signer: &Certificate,
    pool: &[Certificate],
    anchor: &Certificate,
) -> Result<Vec<String>, NoChain> {
    critical(signer)?;
    if signer.der == anchor.der {
        return Ok(vec![signer.subject()]);
    }
    critical(anchor)?;
    let pool = pool.get(..MOST_CERTIFICATES).unwrap_or(pool);
    let mut seen = vec![false; pool.len()];
    let mut steps = std::collections::VecDeque::from([Step {
        at: None,
        below: 0,
        path: vec![signer.subject()],
    }]);
    let mut failure = None;
    let mut top = signer;
    // Level by level, each certificate once.
    while let Some(step) = steps.pop_front() {
        let current = step.at.and_then(|at| pool.get(at)).unwrap_or(signer);
        match anchored(anchor, current, step.below) {
            Ok(()) => {
                let mut path = step.path;
                path.push(anchor.subject());
                return Ok(path);
            }
            Err(NoChain::Apart { .. }) => top = current,
            Err(other) => failure = failure.or(Some(other)),
        }
        for (at, (issuer, seen)) in pool.iter().zip(&mut seen).enumerate() {
            if *seen || issuer.der == current.der || issuer.issued(current).is_err() {
                continue;
            }
            *seen = true;
            match climb(issuer, &step, at) {
                Ok(step) => steps.push_back(step),
                Err(reason) => failure = failure.or(Some(reason)),
            }
        }
    }
    Err(failure.unwrap_or_else(|| NoChain::Apart {
        top: top.subject(),
        missing: top.issuer(),
    }))
}

/// Does the chain end here: did `anchor` issue `current`, with so many authorities below it?
fn anchored(anchor: &Certificate, current: &Certificate, below: usize) -> Result<(), NoChain> {
    match anchor.issued(current) {
        Ok(()) => room(anchor, below),
        Err(NotIssuer::OtherName) => Err(NoChain::Apart {
            top: String::new(),
            missing: String::new(),
        }),
        Err(why) => Err(NoChain::Not {
            issued: current.subject(),
            why,
        }),
    }
}

/// One level up, to the certificate `at` of the signature.
fn climb(issuer: &Certificate, step: &Step, at: usize) -> Result<Step, NoChain> {
    critical(issuer)?;
    room(issuer, step.below)?;
    let mut path = step.path.clone();
    path.push(issuer.subject());
    Ok(Step {
        at: Some(at),
        below: step.below + usize::from(!issuer.is_self_issued()),
        path,
    })
}

fn room(issuer: &Certificate, below: usize) -> Result<(), NoChain> {
    match issuer.path_length() {
        Some(length) if below > length => Err(NoChain::TooLong(issuer.subject())),
        _ => Ok(()),
    }
}

fn critical(certificate: &Certificate) -> Result<(), NoChain> {
    match certificate.unknown_critical_extension() {
        Some(id) => Err(NoChain::Critical(certificate.subject(), id)),
        None => Ok(()),
    }
}
