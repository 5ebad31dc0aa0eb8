//! Why an operation was refused: what happened, to which file, and what to do.

mod help;

use std::path::{Path, PathBuf};

use touchstone_sign::authenticode::detached::DetachedError;

use crate::refuted::Refuted;

/// The failure of an operation. The cause keeps the type that its room gave it; the file and its role are added here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input is missing, not readable, or no regular file.
    #[error("the {role} cannot be read: {source}")]
    Open {
        /// What the file is for.
        role: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// An input was written to, or replaced by a shorter or longer one, while it was read.
    #[error("the {role} changed while it was read: {fact}")]
    InputChanged {
        /// What the file is for.
        role: &'static str,
        /// The file.
        file: PathBuf,
        /// How that was seen.
        fact: String,
    },
    /// A text input has the wrong form.
    #[error("the {role} is not usable: {fact}")]
    Text {
        /// What the text is for.
        role: &'static str,
        /// The file it was read from.
        file: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
    /// An input is no PE image, or a damaged one.
    #[error("the {role} is not usable: {source}")]
    Pe {
        /// What the image is for.
        role: &'static str,
        /// The file.
        file: PathBuf,
        /// What the reader found.
        source: touchstone_pe::ReadError,
    },
    /// The parts do not make a UKI.
    #[error("{source}")]
    Uki {
        /// The file that is at fault, where one is.
        file: Option<PathBuf>,
        /// The rule that is broken.
        source: touchstone_pe::uki::UkiError,
    },
    /// The image could not be written.
    #[error("the image cannot be written: {source}")]
    WriteImage {
        /// The output.
        file: PathBuf,
        /// What went wrong.
        source: touchstone_pe::WriteError,
    },
    /// An output cannot be written.
    #[error("the output cannot be written: {source}")]
    Write {
        /// The output.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// An output folder exists already.
    #[error("the output exists already")]
    Exists {
        /// The output.
        file: PathBuf,
    },
    /// A key cannot be used.
    #[error("the signing key cannot be used: {fact}")]
    Key {
        /// The key's file or URI (never its content).
        key: String,
        /// Why.
        fact: String,
        /// What to do.
        help: &'static str,
    },
    /// The signing key cannot be opened, or its certificate does not fit.
    #[error("the signing key cannot be used: {source}")]
    Signer {
        /// The key's file or URI (never its content).
        key: String,
        /// Why.
        source: touchstone_sign::SignError,
    },
    /// The signing agent signed nothing.
    #[error("{source}")]
    Agent {
        /// The key, as the request names it.
        key: String,
        /// Why.
        source: Box<crate::agent::AgentError>,
    },
    /// Signing failed.
    #[error("signing failed: {source}")]
    Sign {
        /// The file that was to be signed.
        file: PathBuf,
        /// Why.
        source: touchstone_sign::SignError,
    },
    /// A signature that was made elsewhere cannot be attached.
    #[error("the detached signature cannot be attached: {source}")]
    Detached {
        /// The signed data or the signature, whichever is at fault.
        file: PathBuf,
        /// Why.
        source: DetachedError,
    },
    /// An image was to be signed by a signature that was made elsewhere, and there is none.
    #[error("there is no signature of {}, which was to be made elsewhere", .image.display())]
    NoSignature {
        /// The file that is missing.
        file: PathBuf,
        /// The image.
        image: PathBuf,
    },
    /// A file is not what was said of it where it is named by digest.
    #[error("a file is not the one that is named: {fact}")]
    NotAsDescribed {
        /// The file.
        file: PathBuf,
        /// What is otherwise.
        fact: String,
    },
    /// A certificate or signature list has the wrong form.
    #[error("the {role} is not usable: {fact}")]
    SignatureData {
        /// What it is for.
        role: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fact: String,
    },
    /// An event log cannot be read, or does not say what is needed.
    #[error("the event log is not usable: {source}")]
    EventLog {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: touchstone_measure::eventlog::EventLogError,
    },
    /// A log of what systemd measured cannot be read, or does not say what is needed.
    #[error("the log of systemd's measurements is not usable: {source}")]
    UserspaceLog {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: touchstone_measure::eventlog::userspace::UserspaceLogError,
    },
    /// No exact prediction can be made.
    #[error("no exact prediction can be made: {source}")]
    Predict {
        /// The file at fault, where one is.
        file: Option<PathBuf>,
        /// The reason.
        source: crate::predict::NoPrediction,
    },
    /// No policy can be made, or it is not what it says.
    #[error("the policy is refused: {source}")]
    Policy {
        /// The file at fault, where one is.
        file: Option<PathBuf>,
        /// The reason.
        source: crate::policy::NoPolicy,
    },
    /// Several predictions make no reference document, or one cannot be judged by.
    #[error("{source}")]
    Reference {
        /// The file at fault, where one is.
        file: Option<PathBuf>,
        /// The reason.
        source: touchstone_measure::reference::ReferenceError,
    },
    /// systemd-pcrlock cannot admit these predictions.
    #[error("no component files of systemd-pcrlock can be made: {source}")]
    Pcrlock {
        /// The reason.
        source: touchstone_measure::pcrlock::PcrlockError,
    },
    /// A prediction is not the one that is pinned.
    #[error("the PCR values are not the pinned ones:\n  {fact}")]
    Moved {
        /// The pinned file.
        file: PathBuf,
        /// What moved, and how the new values are accepted.
        fact: String,
    },
    /// What a check was to prove does not hold.
    #[error("{}:\n  {findings}", claim.headline())]
    Refuted {
        /// What was claimed.
        claim: Refuted,
        /// The first file at fault, where one is.
        file: Option<PathBuf>,
        /// What is otherwise, a line each.
        findings: String,
    },
    /// The manifest cannot be made.
    #[error("the manifest cannot be made: {source}")]
    Manifest {
        /// The file at fault, where one is.
        file: Option<PathBuf>,
        /// The reason.
        source: crate::manifest::ManifestError,
    },
    /// The generation cannot be sealed.
    #[error("the generation cannot be sealed: {source}")]
    Seal {
        /// The file or folder at fault, where one is.
        file: Option<PathBuf>,
        /// The reason.
        source: Box<crate::seal::SealError>,
    },
    /// The Bootspec document cannot be made.
    #[error("the Bootspec document is refused: {source}")]
    Bootspec {
        /// The rule that is broken.
        source: touchstone_bootspec::EmitError,
    },
    /// A file is no Bootspec document, or none can be made of it.
    #[error("the Bootspec document is refused: {source}")]
    NoBootspec {
        /// The document, or the toplevel that has none.
        file: PathBuf,
        /// The rule that is broken.
        source: Box<crate::bootspec::NoBootspec>,
    },
    /// The closure is neither imported nor exported.
    #[error("the closure is refused: {0}")]
    Closure(Box<crate::closure_import::ImportError>),
    /// Nix' database does not say what it knows.
    #[error("Nix' database is not usable: {source}")]
    NixDatabase {
        /// What is wrong with it.
        source: Box<touchstone_nix_database::DatabaseError>,
    },
    /// A closure is not what it must be.
    #[error("the closure is refused: {source}")]
    Refused {
        /// The first thing that is wrong.
        source: Box<touchstone_store::closure::Refused>,
    },
    /// The request contradicts itself.
    #[error("the request is refused: {fact}")]
    Request {
        /// The contradiction.
        fact: String,
        /// What to do.
        help: &'static str,
    },
}

impl Error {
    /// The failure of a closure.
    pub(crate) fn refused(source: touchstone_store::closure::Refused) -> Self {
        let source = Box::new(source);
        Self::Refused { source }
    }

    /// A stable name of the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "input.unreadable",
            Self::InputChanged { .. } => "input.changed",
            Self::Text { .. } => "input.text",
            Self::Pe { .. } => "input.not-pe",
            Self::Uki { .. } => "uki.refused",
            Self::WriteImage { .. } | Self::Write { .. } => "output.failed",
            Self::Exists { .. } => "output.exists",
            Self::Key { .. } => "key.refused",
            Self::Agent { source, .. } => source.code(),
            Self::Signer { source, .. } | Self::Sign { source, .. } => source.fault().code(),
            Self::Detached { source, .. } => match source {
                DetachedError::OtherImage => "detached.other-image",
                DetachedError::WrongSignature { .. } => "detached.wrong-signature",
                DetachedError::NotAttributes | DetachedError::NotOfAnImage(_) => {
                    "detached.signed-data"
                }
                DetachedError::Sign(source) => source.fault().code(),
            },
            Self::NoSignature { .. } => "detached.missing",
            Self::NotAsDescribed { .. } => "input.not-as-described",
            Self::SignatureData { .. } => "input.signature-data",
            Self::EventLog { .. } | Self::UserspaceLog { .. } => "input.event-log",
            Self::Predict { .. } => "predict.refused",
            Self::Policy { .. } => "policy.refused",
            Self::Reference { .. } => "reference.refused",
            Self::Pcrlock { .. } => "pcrlock.refused",
            Self::Moved { .. } => "pcrs.moved",
            Self::Refuted { claim, .. } => claim.code(),
            Self::Manifest { .. } => "manifest.refused",
            Self::Seal { .. } => "seal.refused",
            Self::Bootspec { .. } | Self::NoBootspec { .. } => "bootspec.refused",
            Self::Closure(_) | Self::Refused { .. } => "closure.refused",
            Self::NixDatabase { .. } => "input.nix-database",
            Self::Request { .. } => "request.refused",
        }
    }

    /// The file (or key) that the failure is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Open { file, .. }
            | Self::InputChanged { file, .. }
            | Self::Text { file, .. }
            | Self::Pe { file, .. }
            | Self::WriteImage { file, .. }
            | Self::Write { file, .. }
            | Self::Exists { file }
            | Self::Sign { file, .. }
            | Self::EventLog { file, .. }
            | Self::UserspaceLog { file, .. }
            | Self::Moved { file, .. }
            | Self::NoBootspec { file, .. }
            | Self::Detached { file, .. }
            | Self::NoSignature { file, .. }
            | Self::NotAsDescribed { file, .. }
            | Self::SignatureData { file, .. } => Some(file),
            Self::Key { key, .. } | Self::Signer { key, .. } | Self::Agent { key, .. } => {
                Some(Path::new(key))
            }
            Self::Uki { file, .. }
            | Self::Predict { file, .. }
            | Self::Policy { file, .. }
            | Self::Reference { file, .. }
            | Self::Refuted { file, .. }
            | Self::Manifest { file, .. }
            | Self::Seal { file, .. } => file.as_deref(),
            Self::Closure(source) => source.file(),
            Self::NixDatabase { source } => Some(source.file()),
            Self::Bootspec { .. }
            | Self::Pcrlock { .. }
            | Self::Refused { .. }
            | Self::Request { .. } => None,
        }
    }
}
