//! `uki.assemble`: a unified kernel image from a stub and its parts, signed if asked.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use touchstone_measure::{MeasuredUki, UkiMeasurer};
use touchstone_pe::SectionObserver;
use touchstone_pe::layout::Written;
use touchstone_pe::uki::{plan, read_stub};

pub use crate::efifw::{FirmwareImage, NamedFirmware};
use crate::input::{Input, write_failed};
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
        write(parts, Some(&blank), shown, out, &mut [], context)?;
        context
            .progress
            .phase("asking the signing agent for signatures of PCR 11");
        signer.ask_agents(out, context)?;
        emptied(out, shown)?;
    }
    context.progress.phase("assembling the UKI");
    let (written, total) = write(parts, signers.pcrs, shown, out, observers, context)?;
    let Some(by) = signers.image else {
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
    emptied.map_err(|source| Error::Write {
        file: shown.to_owned(),
        source,
    })
}

/// Writes the image of `parts`, not signed, and says how long it is.
fn write(
    parts: &Parts,
    pcrs: Option<&PcrSigner>,
    shown: &Path,
    out: &mut File,
    observers: &mut [&mut dyn SectionObserver],
    context: &Context<'_>,
) -> Result<(Written, u64), Error> {
    let refused = |source| Error::Uki {
        file: parts.at_fault(&source),
        source,
    };
    let mut stub_file = Input::open(context.files, "stub", &parts.stub)?;
    let stub = read_stub(&mut stub_file).map_err(refused)?;
    let layout = plan(
        &stub,
        &mut stub_file,
        parts.opened_for(context.files, pcrs, shown)?,
    )
    .map_err(refused)?;
    let total = layout.len();
    let mut passing = pcrs.map(PcrSigner::observer);
    let mut observers: Vec<&mut dyn SectionObserver> = observers
        .iter_mut()
        .map(|observer| &mut **observer as &mut dyn SectionObserver)
        .chain(
            passing
                .as_mut()
                .map(|passing| passing as &mut dyn SectionObserver),
        )
        .collect();
    let written = layout
        .write(&mut stub_file, out, &mut observers, &mut |done| {
            context.progress.bytes(done, total)
        })
        .map_err(|error| {
            let failed = write_failed(error, ("stub", &parts.stub), shown);
            let why = pcrs.and_then(|signer| signer.failure(&parts.stub, shown));
            why.unwrap_or(failed)
        })?;
    Ok((written, total))
}
