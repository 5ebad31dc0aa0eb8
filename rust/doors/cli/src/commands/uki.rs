//! `touchstone uki`.

use touchstone_artifacts::Context;
use touchstone_artifacts::diff::DiffUki;
use touchstone_artifacts::extra_initrd::Verification;
use touchstone_artifacts::inspect_uki::InspectUki;
use touchstone_artifacts::pcr11::AskPcr11;
use touchstone_artifacts::uki::{AssembleUki, ExtraSection, FirmwareImage, Parts};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::{Uki, UkiBuild};
use crate::inspect;

/// Builds, inspects or compares images.
///
/// # Errors
/// [`Failure`].
pub fn run(uki: Uki, context: &Context<'_>) -> Result<Verdict, Failure> {
    let done = match uki {
        Uki::Build(uki) => build(*uki, context),
        Uki::Inspect { file, bank, json } => {
            inspect_image(&InspectUki { file, banks: bank }, json, context)
        }
        Uki::Diff { a, b, json } => return diff(&DiffUki { a, b }, json, context),
    };
    done.map(|()| Verdict::Done)
}

fn build(build: UkiBuild, context: &Context<'_>) -> Result<(), Failure> {
    let json = build.pcr11.json;
    let answer = perform(&request(build)?, context)?;
    match answer.pcrs {
        _ if json => print::json(&answer),
        Some(pcrs) => print::pcrs(&pcrs),
        None => Ok(()),
    }
}

fn request(build: UkiBuild) -> Result<AssembleUki, Failure> {
    let sign = build.key.named();
    let parts = Parts {
        stub: build.stub,
        linux: build.linux,
        initrds: build.initrd,
        verify: build.verify.map(|manifest| Verification { manifest }),
        cmdline: build.cmdline.map(|text| text.0),
        os_release: build.os_release.map(|text| text.0),
        uname: build.uname,
        sbat: build.sbat.into_iter().map(|text| text.0).collect(),
        splash: build.splash,
        ucode: build.ucode,
        dtb: build.dtb,
        dtbauto: build.dtbauto,
        hwids: build.hwids,
        efifw: build.efifw.into_iter().map(FirmwareImage::Folder).collect(),
        pcrpkey: build.pcrpkey,
        pcrsig: build.pcrsig.map(|text| text.0),
        profile: build.profile.map(|text| text.0),
        join_profiles: build.join_profile,
        profile_texts: Vec::new(),
        sections: build
            .section
            .into_iter()
            .map(|section| ExtraSection {
                name: section.name,
                content: section.text,
            })
            .collect(),
        compat: build.compat,
        checksum: build.checksum,
    };
    let measure = build.pcr11.measure.then_some(AskPcr11 {
        phases: build.pcr11.phase,
        banks: build.pcr11.bank,
    });
    Ok(AssembleUki {
        parts,
        sign,
        pcr_sign: build.pcr_sign.named()?,
        measure,
        output: build.output,
    })
}

fn inspect_image(request: &InspectUki, json: bool, context: &Context<'_>) -> Result<(), Failure> {
    let answer = perform(request, context)?;
    match json {
        true => print::json(&answer),
        false => print::line(&inspect::image(request, &answer)),
    }
}

fn diff(request: &DiffUki, json: bool, context: &Context<'_>) -> Result<Verdict, Failure> {
    let answer = perform(request, context)?;
    match json {
        true => print::json(&answer)?,
        false => print::line(&inspect::differences(&answer))?,
    }
    Ok(match answer.equal {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}
