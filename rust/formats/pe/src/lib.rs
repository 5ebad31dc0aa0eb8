//! PE images for UEFI: a checked reader, the Authenticode digest, and a writer that plans a layout
//! first and writes bytes second.
//!
//! Nothing here holds a section's data: images are [`Image`]s (headers and section table), and
//! bytes pass through `Read + Seek` sources in chunks of [`CHUNK`] bytes. Others see the bytes of
//! sections pass through a [`SectionObserver`].
//!
//! Sources: Microsoft's "PE Format" and "Windows Authenticode Portable Executable Signature
//! Format", UEFI specification 2.11 section 32.2.4, UAPI.5 (Unified Kernel Image).
#![forbid(unsafe_code)]

pub mod authenticode;
pub mod certificates;
pub mod checksum;
mod error;
mod facts;
mod header;
mod image;
mod io;
pub mod layout;
mod name;
mod observe;
mod rules;
pub mod sbat;
mod symbols;
pub mod uki;

pub use error::{NotPe, ReadError, WriteError};
pub use facts::HeaderFacts;
pub use image::{Image, Machine, Section};
pub use io::CHUNK;
pub use name::{SectionName, SectionNameError};
pub use observe::{SectionObserver, observe_sections, observe_some_sections};
