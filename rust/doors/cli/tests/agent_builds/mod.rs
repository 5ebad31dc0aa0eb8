//! The signing agent as a machine has it: real Nix, real builds, keys that none of them is shown.

mod builds;
mod forged;
mod hostile;
mod needles;
mod secrets;
mod world;
