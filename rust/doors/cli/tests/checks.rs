//! The checks for users' own flakes: each builds when what it claims holds, and fails with the finding otherwise.

mod secrets;
pub mod shorthand;
