//! SBAT.
