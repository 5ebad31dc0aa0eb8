//! Why an agent signed nothing.

use std::io;
use std::path::PathBuf;

/// Why an agent signed nothing.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The text names no key of an agent.
    #[error("{0}")]
    Name(String),
    /// This door leads to no agent.
    #[error("nobody is asked for signatures here: this program speaks to no signing agent")]
    NoAgent,
    /// There is no socket.
    #[error("there is no socket of a signing agent at {}", listed(.sockets))]
    NoSocket {
        /// Where one was looked for.
        sockets: Vec<PathBuf>,
        /// Whether it is a build that looks.
        in_build: bool,
    },
    /// The socket leads to nobody, or the connection ended too early or stood still for too long.
    #[error("the signing agent at {} does not answer: {source}", .socket.display())]
    Connection {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is to be signed cannot be read.
    #[error("what is to be signed cannot be shown to the signing agent: {0}")]
    Unreadable(#[source] io::Error),
    /// It is larger than any agent takes.
    #[error("what is to be signed has {size} bytes; a signing agent takes at most {limit}")]
    TooLarge {
        /// How many bytes it has.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// The agent said no.
    #[error("the signing agent refuses: {what} [{code}{}]", in_the_log(.entry))]
    Refused {
        /// A stable name of the reason.
        code: String,
        /// The reason.
        what: String,
        /// What to do, as the agent has it.
        help: String,
        /// The entry of its log that says so.
        entry: Option<u64>,
    },
    /// What the agent answered is not what was asked.
    #[error("the signing agent's answer is not used: {0}")]
    WrongAnswer(String),
}

fn listed(sockets: &[PathBuf]) -> String {
    let shown = sockets.iter().map(|path| path.display().to_string());
    shown.collect::<Vec<_>>().join(" or ")
}

fn in_the_log(entry: &Option<u64>) -> String {
    entry.map_or_else(String::new, |entry| format!(", entry {entry} of its log"))
}

impl AgentError {
    /// A stable name of the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "agent.name",
            Self::NoAgent => "agent.none",
            Self::NoSocket { .. } | Self::Connection { .. } => "agent.unreachable",
            Self::Unreadable(_) | Self::TooLarge { .. } => "agent.request",
            Self::Refused { .. } => "agent.refused",
            Self::WrongAnswer(_) => "agent.wrong-answer",
        }
    }

    /// What the person who reads this can do.
    pub fn help(&self) -> &str {
        match self {
            Self::Name(_) => {
                "name the key as the agent's policy has it: agent:NAME, or agent:NAME?socket=/absolute/path"
            }
            Self::NoAgent => {
                "sign by the command line, by a build (`touchstone builder`) or by `touchstone-install`, or attach a signature that was made elsewhere"
            }
            Self::NoSocket { in_build: true, .. } => {
                "give the derivation `requiredSystemFeatures = [ \"touchstone-agent\" ]`; if it has it, `touchstone agent log show` on the machine that builds says why the agent declined, and that machine needs the module boot.touchstone.agent"
            }
            Self::NoSocket { .. } => {
                "start the agent (the module boot.touchstone.agent, or `touchstone agent serve`), or name its socket: agent:NAME?socket=/absolute/path"
            }
            Self::Connection { .. } => {
                "look whether the agent runs, and what its journal says: `touchstone agent status`, `systemctl status touchstone-agent`"
            }
            Self::Unreadable(_) => "try again; nothing was signed",
            Self::TooLarge { .. } => "make it smaller: firmware starts nothing of this size either",
            Self::Refused { help, .. } => help,
            Self::WrongAnswer(_) => {
                "ask with the certificate or public key that the agent has, and the same touchstone on both sides; nothing was written"
            }
        }
    }
}
