//! Boot loaders: one of those that are known, to the byte.

use data_encoding::HEXLOWER;
use touchstone_store::StorePath;

use super::facts::Facts;
use super::known::KnownLoader;
use super::refuse::refuse;
use crate::protocol::Refusal;

/// Sees that an image is a boot loader that the policy names.
///
/// # Errors
/// [`Refusal`].
pub(super) fn judge(known: &KnownLoader, facts: &Facts<'_>) -> Result<Vec<StorePath>, Refusal> {
    let digest = facts.sha256()?;
    match known.0.contains(&digest) {
        true => Ok(Vec::new()),
        false => Err(refuse(
            "image.loader",
            format!(
                "the image is none of the boot loaders that the policy names: its Authenticode digest is {}",
                HEXLOWER.encode(&digest)
            ),
            "name its file or digest in `loader` of the policy, if you know where it comes from",
        )),
    }
}
