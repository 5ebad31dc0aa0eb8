//! `uki.assemble`: a unified kernel image from a stub and its parts, signed if asked.

mod planned;

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use touchstone_measure::{MeasuredUki, UkiMeasurer};
use touchstone_pe::SectionObserver;
use touchstone_pe::layout::Written;

use planned::PlannedUki;

use crate::agent::ShownImage;
pub use crate::efifw::{FirmwareImage, NamedFirmware};
pub use crate::parts::{ExtraSection, Parts, ProfileTexts, Ukify};
use crate::pcr11::{AskPcr11, UkiPcrs};
use crate::policy::{PcrSign, PcrSigner};
use crate::predict::NoPrediction;
use crate::request::Fields;
use crate::sign::{By, Seal, SignedPe, append_signature};
use crate::signing_key::SigningKey;
use crate::{Context, Error, output};

/// The request of `uki.assemble`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssembleUki {
    /// The parts.
    #[serde(flatten)]
    pub parts: Parts,
    /// Who signs; unsigned without it.
    pub sign: Option<SigningKey>,
    /// Who signs its values of PCR 11, for a `.pcrsig` of each profile; nobody without it.
    pub pcr_sign: Option<PcrSign>,
    /// Which values of PCR 11 the answer gives, computed in the same pass; none without it.
    pub measure: Option<AskPcr11>,
    /// Where the image is written.
    pub output: PathBuf,
}

impl<'de> Deserialize<'de> for AssembleUki {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::read(deserializer)?;
        let output: Option<PathBuf> = fields.take("output")?;
        Ok(Self {
            sign: fields.take("sign")?,
            pcr_sign: fields.take("pcrSign")?,
            measure: fields.take("measure")?,
            output: output.ok_or_else(|| serde::de::Error::missing_field("output"))?,
            parts: fields.rest()?,
        })
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
        let key = self
            .sign
            .as_ref()
            .map(|key| key.for_images(context))
            .transpose()?;
        let pcr_signer = self.pcr_signer(context)?;
        let mut measurer = self
            .measure
            .as_ref()
            .map(|ask| UkiMeasurer::new(&ask.banks()));
        output::file(context.files, &self.output, |out| {
            let mut observers: Vec<&mut dyn SectionObserver> = Vec::new();
            if let Some(measurer) = &mut measurer {
                observers.push(measurer);
            }
            let signers = Signers {
                image: key.as_ref().map(By::from),
                pcrs: pcr_signer.as_ref(),
            };
            let (_, uki) = assemble(
                &self.parts,
                signers,
                &self.output,
                out,
                &mut observers,
                context,
            )?;
            let pcrs = self.pcrs(measurer)?;
            Ok(MeasuredAssembly { uki, pcrs })
        })
    }

    fn pcr_signer(&self, context: &Context<'_>) -> Result<Option<PcrSigner>, Error> {
        let Some(sign) = &self.pcr_sign else {
            return Ok(None);
        };
        let refused = |fact: &str, help| Error::Request {
            fact: fact.to_owned(),
            help,
        };
        if self.parts.pcrsig.is_some() {
            return Err(refused(
                "signatures of PCR 11 are to be made, and others are given",
                "give `pcrSign` or `pcrsig`",
            ));
        }
        if self.parts.linux.is_none() {
            return Err(refused(
                "nothing without a kernel is measured into PCR 11 by itself",
                "sign the UKI to which this addon or profile belongs",
            ));
        }
        Ok(Some(sign.open(context)?.signer()))
    }

    fn pcrs(&self, measurer: Option<UkiMeasurer>) -> Result<Option<UkiPcrs>, Error> {
        let Some((ask, measurer)) = self.measure.as_ref().zip(measurer) else {
            return Ok(None);
        };
        let measured = measurer.finish().and_then(MeasuredUki::sole);
        let measured = measured.map_err(|source| Error::Predict {
            file: Some(self.parts.stub.clone()),
            source: NoPrediction::Uki(source),
        })?;
        Ok(Some(ask.values(&measured)))
    }
}

/// Who signs what of an image.
#[derive(Clone, Copy, Default)]
pub(crate) struct Signers<'a> {
    /// The image itself.
    pub(crate) image: Option<By<'a>>,
    /// Its values of PCR 11. A signer is for one image.
    pub(crate) pcrs: Option<&'a PcrSigner>,
}

/// Writes the image of `parts` into `out` in one pass, showing its sections to `observers`, and signs it. `shown` is the output's
/// name in messages.
///
/// # Errors
/// See [`Error`].
pub(crate) fn assemble(
    parts: &Parts,
    signers: Signers<'_>,
    shown: &Path,
    out: &mut File,
    observers: &mut [&mut dyn SectionObserver],
    context: &Context<'_>,
) -> Result<(Written, AssembledUki), Error> {
    if let Some(signer) = signers.pcrs.filter(|signer| signer.asks_an_agent()) {
        let blank = signer.blank();
        context
            .progress
            .phase("assembling the UKI for the signing agent");
        let image = PlannedUki::new(parts, Some(&blank), shown, context)?;
        let in_store = image.in_store().to_vec();
        image.write(shown, out, &mut [], context)?;
        context
            .progress
            .phase("asking the signing agent for signatures of PCR 11");
        let whole = ShownImage::whole(out).map_err(|source| unwritable(shown, source))?;
        signer.ask_agents(&whole.with_parts(&in_store), context)?;
        emptied(out, shown)?;
    }
    context.progress.phase("assembling the UKI");
    let image = PlannedUki::new(parts, signers.pcrs, shown, context)?;
    let total = image.len();
    let mut answered = None;
    let written = match signers.image {
        Some(By::Agent(agent)) => {
            let (written, answer) = image.write_shown(agent, shown, out, observers, context)?;
            answered = Some(answer);
            written
        }
        _ => image.write(shown, out, observers, context)?,
    };
    let by = answered.as_ref().map(By::Answered).or(signers.image);
    let Some(by) = by else {
        let answer = AssembledUki {
            authenticode_sha256: crate::hex(&written.authenticode_sha256),
            size: total,
            signed_by: None,
        };
        return Ok((written, answer));
    };
    context.progress.phase("signing the UKI");
    let seal = Seal::beside(by, parts.checksum);
    let SignedPe {
        authenticode_sha256,
        size,
        signed_by,
    } = append_signature(
        context.files,
        out,
        &written.image,
        &written.authenticode_sha256,
        seal,
        shown,
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

/// Makes a file empty that was written.
fn emptied(out: &mut File, shown: &Path) -> Result<(), Error> {
    let emptied = out.set_len(0).and_then(|()| out.rewind());
    emptied.map_err(|source| unwritable(shown, source))
}

fn unwritable(shown: &Path, source: io::Error) -> Error {
    Error::Write {
        file: shown.to_owned(),
        source,
    }
}
