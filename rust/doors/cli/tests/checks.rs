//! The checks for users' own flakes: each builds when what it claims holds, and fails with the finding otherwise.

mod artifacts;
mod built;
mod nix;
mod secrets;
pub mod shorthand;
mod space;

/// The os-release of the generations (checks/generations.nix).
const OS_RELEASE: &str = "ID=touchstone-check\nNAME=\"Touchstone check\"\nPRETTY_NAME=\"Touchstone check\"\nVERSION_ID=1\n";
