//! shim, the loader that firmware starts by Microsoft's signature.

use super::StartedImage;

/// shim in front of the boot loader.
#[derive(Clone, Debug)]
pub struct Shim {
    /// Its PE image.
    pub image: StartedImage,
}
