//! `boot.verify`: whether a folder of boot artifacts is what its documents say, file by file and section by section.

mod content;
mod document;
mod files;
mod finding;
mod image;
mod prediction;
mod trust;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::firmware::Measure;
use crate::machine::ShimFiles;
use crate::predict::TakenDeviceTree;
use crate::refuted::Refuted;
use crate::{Context, Error, output};
use document::Documented;
use finding::Report;
pub use finding::{Finding, Rule};

/// The request of `boot.verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifyArtifacts {
    /// The folder with `boot.json`: made by `boot.artifacts`, or a sealed generation.
    pub artifacts: PathBuf,
    /// What was predicted: the same as `boot.artifacts` was given. Every value of the predictions is then predicted once more from the
    /// files as they are. Without it, PCR 11 and the images that PCR 4 measures are compared.
    pub measure: Option<Measure>,
    /// shim's variables, where shim stands in front of the boot loader and `measure` is given; its image is that of the folder.
    pub shim: Option<ShimFiles>,
    /// Which of the sections `.dtbauto` the machine takes, as the prediction was told.
    pub device_tree: Option<TakenDeviceTree>,
    /// The value of `db`: EFI signature lists. Firmware with it must start every image.
    pub db: Option<PathBuf>,
    /// The value of `dbx`; no such variable when not given.
    pub dbx: Option<PathBuf>,
    /// Public keys of Nix, `name:base64`, of which `sigsNeeded` must have signed every entry of the manifest.
    #[serde(default)]
    pub trusted_keys: Vec<String>,
    /// How many different keys must have signed each entry: 1 when not given.
    pub sigs_needed: Option<usize>,
    /// Whether it is an error when something is otherwise, as it is in a build.
    #[serde(default)]
    pub required: bool,
    /// Where the answer is written as well; not when the request is refused.
    pub output: Option<PathBuf>,
}

/// The answer of `boot.verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ArtifactsVerdict {
    /// Whether everything that was looked at is as it should be.
    pub verified: bool,
    /// What is otherwise.
    pub findings: Vec<Finding>,
    /// What was compared, in words.
    pub compared: Vec<String>,
    /// What could not be looked at with what the request gives.
    pub notes: Vec<String>,
}

impl VerifyArtifacts {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`] when there is no `boot.json`, or a list or key that the request names cannot be read; [`Error::Request`];
    /// [`Error::Refuted`] when something is otherwise and that is `required` not to be; [`Error::Write`]. That a file is damaged is an
    /// answer.
    pub fn run(&self, context: &Context<'_>) -> Result<ArtifactsVerdict, Error> {
        context.progress.phase("verifying");
        let trust = trust::Trust::of(self)?;
        let mut report = Report::default();
        if let Some(documented) = Documented::read(context.files, &self.artifacts, &mut report)? {
            let intact = files::verify(&documented, &mut report, context);
            for booted in documented.booted() {
                if !intact.contains(booted.image.file.path.as_str()) {
                    continue;
                }
                image::verify(context.files, &documented, &booted, &mut report);
                prediction::verify(self, &documented, &booted, &intact, &mut report, context);
            }
            trust.verify(self, &documented, &intact, &mut report, context);
        }
        let verdict = report.verdict();
        if self.required && !verdict.verified {
            return Err(self.refuted(&verdict));
        }
        output::answer(context.files, self.output.as_deref(), &verdict)?;
        Ok(verdict)
    }

    fn refuted(&self, verdict: &ArtifactsVerdict) -> Error {
        let lines = verdict.findings.iter().map(Finding::lines);
        let first = verdict.findings.first();
        Error::Refuted {
            claim: Refuted::Artifacts,
            file: first.map(|finding| self.artifacts.join(&finding.file)),
            findings: lines.collect::<Vec<_>>().join("\n").replace('\n', "\n  "),
        }
    }
}
