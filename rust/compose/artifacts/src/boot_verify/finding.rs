//! What is otherwise than a document says.

use schemars::JsonSchema;
use serde::Serialize;

use super::ArtifactsVerdict;

/// Something that is otherwise: in which file, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The file, in the folder of artifacts.
    pub file: String,
    /// What should be the case.
    pub rule: Rule,
    /// What is the case instead.
    pub fact: String,
    /// The way out.
    pub help: String,
}

/// What should be the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// `boot.json` follows its specifications, and names what it speaks of.
    Document,
    /// A named file is there, as a regular file.
    Present,
    /// It has the size and SHA-256 that are named.
    Content,
    /// An image has the Authenticode digest that is named.
    Authenticode,
    /// Nothing else lies in the folder.
    Foreign,
    /// A UKI's kernel is that of the bootspec.
    Kernel,
    /// Its initrd is that of the bootspec: all of them, joined.
    Initrd,
    /// Its command line names the bootspec's init, and has its kernel parameters.
    CommandLine,
    /// Its os-release is that of the toplevel.
    OsRelease,
    /// Its profiles are those that are named.
    Profiles,
    /// What is predicted is what the files measure.
    Prediction,
    /// The manifest is canonical, of this toplevel, and signed by those who are trusted.
    Manifest,
    /// Firmware with the given variables starts the image.
    Signature,
}

impl Rule {
    /// The word by which documents name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Present => "present",
            Self::Content => "content",
            Self::Authenticode => "authenticode",
            Self::Foreign => "foreign",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::CommandLine => "command-line",
            Self::OsRelease => "os-release",
            Self::Profiles => "profiles",
            Self::Prediction => "prediction",
            Self::Manifest => "manifest",
            Self::Signature => "signature",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Document => "make the folder again with boot.artifacts of this release",
            Self::Present => "copy the folder whole, or build it again",
            Self::Content | Self::Authenticode => {
                "the file was changed after it was made: build it again, and find out what changed it"
            }
            Self::Foreign => "remove it: nothing says what it is, and nothing protects it",
            Self::Kernel | Self::Initrd | Self::CommandLine | Self::OsRelease | Self::Profiles => {
                "the UKI was made for another generation: make UKI and boot.json in one build"
            }
            Self::Prediction => "predict again from the files that will be booted",
            Self::Manifest => {
                "list the closure of this toplevel again, and let a trusted key sign it"
            }
            Self::Signature => {
                "sign the image with a key whose certificate is in db (touchstone pe verify explains the verdict)"
            }
        }
    }
}

impl Finding {
    /// The finding for a person.
    pub fn lines(&self) -> String {
        let rule = self.rule.word();
        format!("{}: {} ({rule})\n  {}", self.file, self.fact, self.help)
    }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
    compared: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    /// Something is otherwise.
    pub(super) fn otherwise(&mut self, file: &str, rule: Rule, fact: impl ToString) {
        let finding = Finding {
            file: file.to_owned(),
            rule,
            fact: fact.to_string(),
            help: rule.help().to_owned(),
        };
        // An image that several entries share is looked at for each.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Something was compared.
    pub(super) fn compared(&mut self, what: String) {
        if !self.compared.contains(&what) {
            self.compared.push(what);
        }
    }

    /// Something could not be compared.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn verdict(self) -> ArtifactsVerdict {
        ArtifactsVerdict {
            verified: self.findings.is_empty(),
            findings: self.findings,
            compared: self.compared,
            notes: self.notes,
        }
    }
}
