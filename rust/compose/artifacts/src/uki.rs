//! `uki.assemble`: a unified kernel image from a stub and its parts, signed if asked.

use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::UkiMeasurer;
use touchstone_pe::layout::{Content, Written};
use touchstone_pe::uki::{
    Compat, Kernel, UkiError, UkiParts, Uname, cmdline_from_words, plan, read_stub,
};
use touchstone_pe::{SectionName, SectionObserver};
use touchstone_sign::{FileSigner, Signer};

use crate::pcr11::{AskPcr11, UkiPcrs};
use crate::predict::NoPrediction;
use crate::sign::{SignedPe, SigningKey, append_signature};
use crate::source::{Text, TextFile, content, open};
use crate::{Context, Error, output};

/// The request of `uki.assemble`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssembleUki {
    /// The parts.
    #[serde(flatten)]
    pub parts: Parts,
    /// Who signs; unsigned without it.
    pub sign: Option<SigningKey>,
    /// Which values of PCR 11 the answer gives, computed in the same pass; none without it.
    pub measure: Option<AskPcr11>,
    /// Where the image is written.
    pub output: PathBuf,
}

/// What a UKI is made of. Texts are strings or `{"file": path}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// The systemd stub.
    pub stub: PathBuf,
    /// The kernel: a PE image of the stub's architecture.
    pub linux: PathBuf,
    /// Initrds, joined in this order, each padded to four bytes.
    #[serde(default)]
    pub initrds: Vec<PathBuf>,
    /// The kernel command line. As a string its words are joined by single spaces; a file's content is taken as it is.
    pub cmdline: Option<Text>,
    /// The os-release text.
    pub os_release: Option<Text>,
    /// The kernel's release; read from the kernel when not given.
    pub uname: Option<String>,
    /// SBAT entries, merged with the stub's and the kernel's; the default entry when there are none.
    #[serde(default)]
    pub sbat: Vec<Text>,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// A microcode archive.
    pub ucode: Option<PathBuf>,
    /// A device tree.
    pub dtb: Option<PathBuf>,
    /// The public key for PCR signatures.
    pub pcrpkey: Option<PathBuf>,
    /// Additional sections.
    #[serde(default)]
    pub sections: Vec<ExtraSection>,
    /// The ukify release whose byte rules are followed.
    #[serde(default)]
    pub compat: Ukify,
}

/// An additional section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraSection {
    /// Its name: a dot and up to seven characters.
    pub name: String,
    /// Its content; a file's may be of any kind.
    pub content: Text,
}

/// The release of ukify whose byte rules are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32")]
pub enum Ukify {
    /// ukify 257.
    V257,
    /// ukify 262.
    #[default]
    V262,
}

impl TryFrom<u32> for Ukify {
    type Error = String;

    fn try_from(release: u32) -> Result<Self, String> {
        match release {
            257 => Ok(Self::V257),
            262 => Ok(Self::V262),
            other => Err(format!(
                "the byte rules of ukify {other} are not known; there are 257 and 262"
            )),
        }
    }
}

impl From<Ukify> for u32 {
    fn from(release: Ukify) -> Self {
        match release {
            Ukify::V257 => 257,
            Ukify::V262 => 262,
        }
    }
}

impl From<Ukify> for Compat {
    fn from(release: Ukify) -> Self {
        match release {
            Ukify::V257 => Self::Ukify257,
            Ukify::V262 => Self::Ukify262,
        }
    }
}

/// An image that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssembledUki {
    /// Authenticode SHA-256 of the image, in hex; a signature does not change it.
    pub authenticode_sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Subject of the signer's certificate, when it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// The answer of `uki.assemble`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MeasuredAssembly {
    /// The image.
    #[serde(flatten)]
    pub uki: AssembledUki,
    /// Its PCR values, if `measure` asked for them.
    #[serde(flatten)]
    pub pcrs: Option<UkiPcrs>,
}

impl AssembleUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<MeasuredAssembly, Error> {
        let signer = self
            .sign
            .as_ref()
            .map(|key| key.open(context.keys))
            .transpose()?;
        let mut measurer = self
            .measure
            .as_ref()
            .map(|ask| UkiMeasurer::new(&ask.banks()));
        output::file(&self.output, |out| {
            let mut observers: Vec<&mut dyn SectionObserver> = Vec::new();
            if let Some(measurer) = &mut measurer {
                observers.push(measurer);
            }
            let (_, uki) = assemble(
                &self.parts,
                signer.as_ref(),
                &self.output,
                out,
                &mut observers,
                context,
            )?;
            let pcrs = self.pcrs(measurer)?;
            Ok(MeasuredAssembly { uki, pcrs })
        })
    }

    fn pcrs(&self, measurer: Option<UkiMeasurer>) -> Result<Option<UkiPcrs>, Error> {
        let Some((ask, measurer)) = self.measure.as_ref().zip(measurer) else {
            return Ok(None);
        };
        let measured = measurer.finish().map_err(|source| Error::Predict {
            file: Some(self.parts.stub.clone()),
            source: NoPrediction::Uki(source),
        })?;
        Ok(Some(ask.values(&measured)))
    }
}

/// Writes the image of `parts` into `out` in one pass, showing its sections to `observers`, and signs it. `shown` is the output's
/// name in messages.
///
/// # Errors
/// See [`Error`].
pub(crate) fn assemble(
    parts: &Parts,
    signer: Option<&FileSigner>,
    shown: &Path,
    out: &mut File,
    observers: &mut [&mut dyn SectionObserver],
    context: &Context<'_>,
) -> Result<(Written, AssembledUki), Error> {
    context.progress.phase("assembling the UKI");
    let refused = |source| Error::Uki {
        file: parts.at_fault(&source),
        source,
    };
    let mut stub_file = open("stub", &parts.stub)?;
    let stub = read_stub(&mut stub_file).map_err(refused)?;
    let layout = plan(&stub, &mut stub_file, parts.opened()?).map_err(refused)?;
    let total = layout.len();
    let written = layout
        .write(&mut stub_file, out, observers, &mut |done| {
            context.progress.bytes(done, total)
        })
        .map_err(|source| Error::WriteImage {
            file: shown.to_owned(),
            source,
        })?;
    let Some(signer) = signer else {
        let answer = AssembledUki {
            authenticode_sha256: crate::hex(&written.authenticode_sha256),
            size: total,
            signed_by: None,
        };
        return Ok((written, answer));
    };
    context.progress.phase("signing the UKI");
    let signer: &dyn Signer = signer;
    let SignedPe {
        authenticode_sha256,
        size,
        signed_by,
    } = append_signature(
        out,
        &written.image,
        &written.authenticode_sha256,
        signer,
        shown,
    )?;
    Ok((
        written,
        AssembledUki {
            authenticode_sha256,
            size,
            signed_by: Some(signed_by),
        },
    ))
}

impl Parts {
    /// The parts with their files open.
    fn opened(&self) -> Result<UkiParts<'static>, Error> {
        let optional = |role, path: &Option<PathBuf>| {
            path.as_deref().map(|path| content(role, path)).transpose()
        };
        Ok(UkiParts {
            linux: Some(Kernel::new(open("kernel", &self.linux)?)),
            initrds: self
                .initrds
                .iter()
                .map(|path| content("initrd", path))
                .collect::<Result<_, _>>()?,
            cmdline: self.read_cmdline()?,
            os_release: self.read_os_release()?,
            uname: self.uname.clone().map_or(Uname::Detect, Uname::Given),
            sbat: self
                .sbat
                .iter()
                .map(|text| text.read("SBAT text"))
                .collect::<Result<_, _>>()?,
            splash: optional("splash", &self.splash)?,
            ucode: optional("microcode", &self.ucode)?,
            dtb: optional("device tree", &self.dtb)?,
            pcrpkey: optional("PCR public key", &self.pcrpkey)?,
            extra: self
                .sections
                .iter()
                .map(ExtraSection::opened)
                .collect::<Result<_, _>>()?,
            compat: self.compat.into(),
            ..UkiParts::default()
        })
    }

    /// As ukify has it: an empty text is as good as none, an empty file is an empty section.
    fn read_cmdline(&self) -> Result<Option<String>, Error> {
        let Some(text) = &self.cmdline else {
            return Ok(None);
        };
        let read = text.read("command line")?;
        Ok(match text {
            Text::Inline(_) => Some(cmdline_from_words(&read)).filter(|words| !words.is_empty()),
            Text::File(_) => Some(read),
        })
    }

    /// Likewise.
    fn read_os_release(&self) -> Result<Option<Vec<u8>>, Error> {
        match &self.os_release {
            None => Ok(None),
            Some(Text::Inline(text)) if text.is_empty() => Ok(None),
            Some(text) => text.read("os-release").map(|text| Some(text.into_bytes())),
        }
    }

    /// The file that the error is about.
    fn at_fault(&self, error: &UkiError) -> Option<PathBuf> {
        let of = |text: &Option<Text>| match text {
            Some(Text::File(TextFile { file })) => Some(file.clone()),
            _ => None,
        };
        match error {
            UkiError::Kernel(_) => Some(self.linux.clone()),
            UkiError::CmdlineNul(_) => of(&self.cmdline),
            UkiError::OsRelease { .. } => of(&self.os_release),
            UkiError::Uname(_)
            | UkiError::Sbat(_)
            | UkiError::DuplicateSection(_)
            | UkiError::SectionName(_)
            | UkiError::TooLarge(_) => None,
            _ => Some(self.stub.clone()),
        }
    }
}

impl ExtraSection {
    fn opened(&self) -> Result<(SectionName, Content<'static>), Error> {
        let name = self.name.parse().map_err(|source| Error::Uki {
            file: None,
            source: UkiError::SectionName(source),
        })?;
        let content = match &self.content {
            Text::Inline(text) => Content::bytes(text.clone().into_bytes()),
            Text::File(TextFile { file }) => content("section's content", file)?,
        };
        Ok((name, content))
    }
}
