//! Everything that the checks and `cargo xtask` need of the outside world.
#![forbid(unsafe_code)]
