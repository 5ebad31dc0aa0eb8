//! What goes over the agent's sockets.
//!
//! A connection carries frames in both directions. A frame is the length of its header (4 bytes, big endian, at most
//! [`HEADER_LIMIT`]), the header, a JSON object of UTF-8, and `size` bytes of payload as the header says:
//!
//! ```json
//! { "id": 7, "size": 52343808, "message": { "operation": "authenticode", "key": "db", "hash": "sha256" } }
//! ```
//!
//! A client may send requests before earlier ones are answered. The answers come in the order of the requests, each with the `id`
//! of its own. Unknown fields are refused; a header that is not understood is answered with `id` 0, and that ends the connection.
//!
//! No request carries a digest: what is to be signed goes over in full, or the agent has it already, and the agent computes the digest.
//!
//! # Files of the store
//!
//! A UKI is for the most part a copy of kernel and initrd, which lie in the store. A request of an image may name them instead of sending them:
//!
//! ```json
//! "fromStore": [ { "at": 151552, "size": 13312000, "file": "/nix/store/<hash>-linux/bzImage" } ]
//! ```
//!
//! The payload is the image without the bytes from `at` to `at + size`, for each of these parts. They ascend, do not overlap, and are at most
//! [`PARTS_LIMIT`]; payload and parts together are no longer than an image may be. A part is a whole regular file of the store that is no link and
//! to which none leads, of an input of the build that asks (to a person, of any valid path). The agent reads these bytes itself and computes its
//! digests of them: an image that is asked for in this way is judged and signed as if it had been sent. Where the agent has no such file, one of
//! another size, or one that is neither the kernel nor an initrd which the system names that the image boots, it answers `sendWhole`, and signs nothing;
//! the client asks once more and sends all.

mod answer;
mod frame;
mod key_name;
mod limits;
mod request;

pub use answer::{
    AgentStatus, Answer, Done, KeyFacts, KeyKind, LogStatus, OpenSocket, PendingGrant,
    ProfileSignatures, Refusal,
};
pub use frame::{Frame, FrameError, read, read_payload, write};
pub use key_name::{KeyName, NotAKeyName};
pub use limits::{HEADER_LIMIT, IMAGE_LIMIT, MANIFEST_LIMIT, PARTS_LIMIT, SMALL_LIMIT, TEXT_LIMIT};
pub use request::{ControlRequest, Request};

/// The version of the protocol that is described here.
pub const VERSION: u32 = 1;

/// Where a build finds its socket, inside of its sandbox.
pub const BUILD_SOCKET: &str = "/run/touchstone-agent/socket";

/// Where people and installers find the agent.
pub const DIRECT_SOCKET: &str = "/run/touchstone-agent/direct";

/// Where the pre-build hook and people who grant find it.
pub const CONTROL_SOCKET: &str = "/run/touchstone-agent/control";

/// The system feature by which a derivation asks for a socket.
pub const SYSTEM_FEATURE: &str = "touchstone-agent";

#[cfg(test)]
mod tests;
