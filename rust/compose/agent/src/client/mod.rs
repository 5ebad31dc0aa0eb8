//! Asks an agent: what builds, installers, people and the pre-build hook do.
//!
//! [`SigningAgent`] is what doors lend to operations: it finds the socket when a key is first asked for. [`Connection`] asks what a
//! [`Request`](crate::protocol::Request) can ask, and [`Control`] what a [`ControlRequest`](crate::protocol::ControlRequest) can.

mod connection;
mod control;
mod signing;
mod socket;
mod wire;

pub use connection::Connection;
pub use control::Control;
pub use signing::{Place, SigningAgent};

#[cfg(test)]
mod tests;
