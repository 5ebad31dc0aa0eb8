//! UKIs.
