//! Reading X.509 certificates, PEM or DER.

use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;

use crate::pem;

/// Why bytes are not a certificate that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Neither PEM with a CERTIFICATE block nor DER.
    #[error("no X.509 certificate found: give a PEM file with a CERTIFICATE block, or DER")]
    NotACertificate,
    /// A certificate is there, but it cannot be decoded.
    #[error("damaged X.509 certificate: {0}")]
    Damaged(#[source] der::Error),
    /// The certificate would change when written again, which breaks its own signature.
    #[error(
        "the certificate is not encoded in DER: have it issued again by a tool that writes DER"
    )]
    NotDer,
    /// The certificate is not valid at the time of signing.
    #[error("the certificate of {subject} is valid from {from} to {to}, not now")]
    NotValid {
        /// Whose it is.
        subject: String,
        /// When its validity begins.
        from: String,
        /// When it ends.
        to: String,
    },
}

/// Is the certificate valid at the time `now`, in seconds since 1970-01-01 UTC? Both ends are within (RFC 5280 section 4.1.2.5).
///
/// # Errors
/// [`CertificateError::NotValid`].
pub fn check_validity(certificate: &Certificate, now: u64) -> Result<(), CertificateError> {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
    if (seconds(&validity.not_before)..=seconds(&validity.not_after)).contains(&now) {
        return Ok(());
    }
    Err(CertificateError::NotValid {
        subject: subject(certificate),
        from: validity.not_before.to_string(),
        to: validity.not_after.to_string(),
    })
}

/// The DER form of a certificate.
///
/// # Errors
/// When a part of it is longer than DER can express.
pub fn to_der(certificate: &Certificate) -> Result<Vec<u8>, der::Error> {
    der::Encode::to_der(certificate)
}

/// SHA-256 of the signed part of a certificate (its TBSCertificate), by which dbx revokes it.
///
/// # Errors
/// As [`to_der`].
pub fn tbs_sha256(certificate: &Certificate) -> Result<[u8; 32], der::Error> {
    let signed = der::Encode::to_der(certificate.tbs_certificate())?;
    Ok(Sha256::digest(signed).into())
}

/// The certificate in `bytes`; the first where there are several.
///
/// # Errors
/// As [`read_all`].
pub fn read(bytes: &[u8]) -> Result<Certificate, CertificateError> {
    read_all(bytes)?
        .into_iter()
        .next()
        .ok_or(CertificateError::NotACertificate)
}

/// All certificates in `bytes`: one or more PEM blocks (other blocks and text are passed over), or
/// one in DER. Never empty.
///
/// # Errors
/// When there is none, or one of them is damaged or not in canonical DER.
pub fn read_all(bytes: &[u8]) -> Result<Vec<Certificate>, CertificateError> {
    let certificates = match pem::text(bytes) {
        Some(text) => pem::blocks(text)
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| from_pem(block.text))
            .collect::<Result<Vec<_>, _>>()?,
        None => vec![from_der(bytes)?],
    };
    if certificates.is_empty() {
        Err(CertificateError::NotACertificate)
    } else {
        Ok(certificates)
    }
}

fn from_pem(block: &str) -> Result<Certificate, CertificateError> {
    let (_, document) = der::Document::from_pem(block).map_err(CertificateError::Damaged)?;
    from_der(document.as_bytes())
}

fn from_der(bytes: &[u8]) -> Result<Certificate, CertificateError> {
    // 0x30 is SEQUENCE: what does not begin with it was never meant to be a certificate.
    if bytes.first() != Some(&0x30) {
        return Err(CertificateError::NotACertificate);
    }
    let certificate = Certificate::from_der(bytes).map_err(CertificateError::Damaged)?;
    match certificate.to_der() {
        Ok(again) if again == bytes => Ok(certificate),
        _ => Err(CertificateError::NotDer),
    }
}

/// The subject as people read it (RFC 4514), for messages.
pub fn subject(certificate: &Certificate) -> String {
    let subject = certificate.tbs_certificate().subject();
    if subject.is_empty() {
        "(no subject)".to_owned()
    } else {
        subject.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys;

    #[test]
    fn is_valid_from_its_first_second_to_its_last() {
        let certificate = test_keys::certificate(test_keys::rsa());
        let request = test_keys::request("db");
        for (now, valid) in [
            (request.not_before - 1, false),
            (request.not_before, true),
            (request.not_after, true),
            (request.not_after + 1, false),
        ] {
            assert_eq!(check_validity(&certificate, now).is_ok(), valid, "{now}");
        }
    }

    #[test]
    fn reads_pem_and_der_alike() {
        let pem = test_keys::rsa().certificate_pem.clone();
        let from_pem = read(pem.as_bytes()).unwrap();
        assert_eq!(read(&from_pem.to_der().unwrap()).unwrap(), from_pem);
    }

    #[test]
    fn reads_all_certificates_of_a_file_and_passes_over_the_rest() {
        let [a, b] = [test_keys::rsa(), test_keys::other_rsa()];
        let file = format!(
            "text\n{}{}{}",
            a.certificate_pem, *a.key_pem, b.certificate_pem
        );
        assert_eq!(read_all(file.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn says_why_bytes_are_no_certificate() {
        assert!(matches!(read(b""), Err(CertificateError::NotACertificate)));
        assert!(matches!(
            read(b"hello"),
            Err(CertificateError::NotACertificate)
        ));
        assert!(matches!(
            read(b"\x30\x03\x02\x01\x01"),
            Err(CertificateError::Damaged(_))
        ));
        assert!(matches!(
            read(test_keys::rsa().key_pem.as_bytes()),
            Err(CertificateError::NotACertificate)
        ));
        let der = read(test_keys::rsa().certificate_pem.as_bytes())
            .unwrap()
            .to_der()
            .unwrap();
        assert!(matches!(
            read(&der[..der.len() - 1]),
            Err(CertificateError::Damaged(_))
        ));
    }
}
