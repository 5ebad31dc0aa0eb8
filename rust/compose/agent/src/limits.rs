//! How much of the agent one client, and all of them together, can have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::IMAGE_LIMIT;

/// How much of the agent one client, and all of them together, can have. A client is the build of a derivation, or a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Connections at the same time.
    pub connections: u32,
    /// Connections at the same time of one client.
    pub connections_per_client: u32,
    /// Builds that have a socket at the same time.
    pub builds: u32,
    /// Seconds after which the socket of a build is closed, if the build does not end before: nobody tells the agent when that is.
    pub build_seconds: u64,
    /// Bytes of one image or manifest.
    pub payload_bytes: u64,
    /// Bytes of images and manifests that wait to be judged, those of files of the store in them included.
    pub waiting_bytes: u64,
    /// The same, of one client.
    pub waiting_bytes_per_client: u64,
    /// Seconds in which a request's header must have arrived, since its first byte.
    pub header_seconds: u64,
    /// Seconds in which its image or manifest must have arrived: images are shown while they are written.
    pub payload_seconds: u64,
    /// Seconds in which an answer must be taken.
    pub answer_seconds: u64,
    /// Seconds that a connection may be silent between requests.
    pub idle_seconds: u64,
    /// Seconds for answers to be taken when the agent ends.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_client: 64,
            builds: 256,
            build_seconds: 24 * 60 * 60,
            payload_bytes: 1 << 30,
            waiting_bytes: 8 << 30,
            waiting_bytes_per_client: 2 << 30,
            header_seconds: 10,
            payload_seconds: 120,
            answer_seconds: 30,
            idle_seconds: 300,
            drain_seconds: 30,
        }
    }
}

/// A limit that lets nobody in, or holds nobody back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{name}` is {value}; it must be between 1 and {most}")]
pub struct NoLimit {
    /// The field.
    pub name: &'static str,
    /// What it says.
    pub value: u64,
    /// The most that it can say.
    pub most: u64,
}

/// As many connections as there may be threads for, and open files: a score for each.
const CONNECTIONS: u64 = 4096;
/// A week.
const SECONDS: u64 = 7 * 24 * 60 * 60;
/// The most bytes that wait.
const WAITING: u64 = 1 << 40;

impl Limits {
    /// Refuses what is no limit.
    ///
    /// # Errors
    /// [`NoLimit`].
    pub fn check(&self) -> Result<(), NoLimit> {
        let all = [
            ("connections", self.connections.into(), CONNECTIONS),
            (
                "connectionsPerClient",
                self.connections_per_client.into(),
                self.connections.into(),
            ),
            ("builds", self.builds.into(), CONNECTIONS),
            ("buildSeconds", self.build_seconds, SECONDS),
            ("payloadBytes", self.payload_bytes, IMAGE_LIMIT),
            ("waitingBytes", self.waiting_bytes, WAITING),
            (
                "waitingBytesPerClient",
                self.waiting_bytes_per_client,
                self.waiting_bytes,
            ),
            ("headerSeconds", self.header_seconds, SECONDS),
            ("payloadSeconds", self.payload_seconds, SECONDS),
            ("answerSeconds", self.answer_seconds, SECONDS),
            ("idleSeconds", self.idle_seconds, SECONDS),
            ("drainSeconds", self.drain_seconds, SECONDS),
        ];
        let loose = all
            .into_iter()
            .find(|&(_, value, most)| !(1..=most).contains(&value));
        match loose {
            Some((name, value, most)) => Err(NoLimit { name, value, most }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_limits() {
        assert_eq!(Limits::default().check(), Ok(()));
        assert_eq!(
            serde_json::from_str::<Limits>("{}").unwrap(),
            Limits::default()
        );
    }

    #[test]
    fn refuses_what_lets_nobody_in_or_holds_nobody_back() {
        for (text, name) in [
            (r#"{"connections":0}"#, "connections"),
            (r#"{"connectionsPerClient":257}"#, "connectionsPerClient"),
            (r#"{"payloadBytes":4294967297}"#, "payloadBytes"),
            (
                r#"{"waitingBytesPerClient":8589934593}"#,
                "waitingBytesPerClient",
            ),
            (r#"{"idleSeconds":604801}"#, "idleSeconds"),
        ] {
            let limits: Limits = serde_json::from_str(text).unwrap();
            assert_eq!(limits.check().unwrap_err().name, name, "{text}");
        }
        serde_json::from_str::<Limits>(r#"{"connection":1}"#).unwrap_err();
    }
}
