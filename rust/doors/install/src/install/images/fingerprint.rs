//! What an image is made of, in one text: by it, an image that was made before is found again.

use std::fs::File;
use std::path::Path;

use touchstone_artifacts::Error;
use touchstone_artifacts::uki::AssembleUki;
use touchstone_esp::sha256;

use super::Incomplete;
use crate::install::known::hex_of;

/// What an image is made of. Paths in the store stand for their content; of others, size and time stamp do.
pub(super) fn of(request: &AssembleUki) -> Result<String, Incomplete> {
    let text = serde_json::to_string(&by_content(request)?).unwrap_or_default();
    let profiles = format!("{:?}", request.parts.profile_texts);
    let keys = request.pcr_sign.iter().flat_map(|sign| &sign.keys);
    let files = keys.flat_map(|key| {
        let secret = key.key.as_deref().map(Path::new);
        secret.into_iter().chain(key.public_key.as_deref())
    });
    let mut stamps: Vec<String> = files.map(stamp).collect();
    if let Some(key) = &request.sign {
        let certificate = std::fs::read(&key.certificate).map_err(|source| Error::Open {
            role: "signing certificate",
            file: key.certificate.clone(),
            source,
        })?;
        stamps.push(hex_of(&certificate));
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(hex_of(
        format!("{version}\n{text}\n{profiles}\n{stamps:?}").as_bytes(),
    ))
}

/// The request with a digest in the place of its manifest, which lies elsewhere at the next run.
fn by_content(request: &AssembleUki) -> Result<AssembleUki, Incomplete> {
    let mut request = request.clone();
    let verify = request.parts.verify.as_mut();
    if let Some(file) = verify.and_then(|verify| verify.manifest.as_mut()) {
        let digest = File::open(&*file).and_then(sha256);
        let digest = digest.map_err(|source| Incomplete::Missing {
            file: file.clone(),
            source,
        })?;
        *file = data_encoding::HEXLOWER.encode(&digest).into();
    }
    Ok(request)
}

fn stamp(file: &Path) -> String {
    match std::fs::metadata(file) {
        Ok(found) => format!(
            "{} {} {:?}",
            file.display(),
            found.len(),
            found.modified().ok()
        ),
        Err(_) => file.display().to_string(),
    }
}
