//! A kernel that the boot loader starts by itself.

use super::{Companion, StartedImage};

/// What a Type #1 entry (Boot Loader Specification) starts.
#[derive(Clone, Debug)]
pub struct Linux {
    /// The kernel's PE image.
    pub image: StartedImage,
    /// The initrds in the entry's order; each name is the path on the ESP as the entry writes it, such as
    /// `/nixos/initrd.efi`.
    pub initrds: Vec<Companion>,
    /// The entry's `options`, joined by single spaces as systemd-boot joins them.
    pub options: String,
}
