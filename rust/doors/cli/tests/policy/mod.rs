//! `touchstone policy`, beside tpm2-tools and systemd, each with a software TPM.

pub mod shorthand;
