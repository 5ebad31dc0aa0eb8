//! How much of what goes over a socket at most. A policy can allow less, never more.

/// Bytes of a frame's header.
pub const HEADER_LIMIT: usize = 64 << 10;

/// Bytes of an image: a file of 4 GiB is more than firmware starts.
pub const IMAGE_LIMIT: u64 = 4 << 30;

/// Bytes of a manifest.
pub const MANIFEST_LIMIT: u64 = touchstone_store::manifest::DOCUMENT_LIMIT as u64;

/// Bytes of every other payload: certificates, signatures, the status.
pub const SMALL_LIMIT: u64 = 4 << 20;

/// Bytes of each text of a refusal.
pub const TEXT_LIMIT: usize = 8 << 10;

/// Files of the store in an image.
pub const PARTS_LIMIT: usize = 16;
