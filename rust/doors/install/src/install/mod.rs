//! `touchstone-install TOPLEVEL`: what every generation needs is put on every partition, in one transaction.

pub mod candidates;
mod carry_out;
pub mod conf;
pub mod decide;
pub mod error;
mod firmware;
pub mod images;
pub mod judge;
pub mod known;
pub mod loader;
pub mod manifests;
mod notes;
mod partitions;
pub mod place;
pub mod policy;
pub mod present;
pub mod report;
mod run;
pub mod running;
pub mod volumes;
pub mod wishes;

pub use error::InstallError;
pub use report::Report;
pub use run::{Order, install};
