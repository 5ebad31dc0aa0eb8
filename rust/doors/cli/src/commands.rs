//! What each command does: make a request, perform it, print the answer.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use touchstone_artifacts::diff::DiffUki;
use touchstone_artifacts::inspect::{DigestPe, MeasureUki};
use touchstone_artifacts::inspect_uki::InspectUki;
use touchstone_artifacts::keys::GenerateKeys;
use touchstone_artifacts::pcr11::{AskPcr11, UkiPcrs};
use touchstone_artifacts::predict::Prediction;
use touchstone_artifacts::sign::{KeyPolicy, SignPe, SigningKey};
use touchstone_artifacts::uki::{AssembleUki, ExtraSection, FirmwareImage, Parts};
use touchstone_artifacts::{Context, Progress};
use touchstone_operations::{Failure, dispatch, operations, perform};

use crate::arguments::{Arguments, Command, Keys, Measure, Pe, Uki, UkiBuild};
use crate::{builder, console, inspect};

/// How a command ended that did not fail.
pub enum Verdict {
    /// Done.
    Done,
    /// Looked at, and the answer is no.
    Negative,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] of the operation, or of printing its answer.
pub fn run(arguments: Arguments) -> Result<Verdict, Failure> {
    if matches!(arguments.command, Command::Builder) {
        return build().map(|()| Verdict::Done);
    }
    let progress = console::of_the_command_line();
    let context = Context {
        progress: &*progress,
        keys: KeyPolicy::Any,
    };
    let done = match arguments.command {
        Command::Builder => build(),
        Command::Run { request } => print_json(&dispatch(read_request(&request)?, &context)?),
        Command::Schema { operation } => schema(operation.as_deref()),
        Command::Uki(Uki::Build(build)) => uki_build(*build, &context),
        Command::Uki(Uki::Inspect { file, bank, json }) => {
            inspect_command(&InspectUki { file, banks: bank }, json, &context)
        }
        Command::Uki(Uki::Diff { a, b, json }) => {
            return diff_command(&DiffUki { a, b }, json, &context);
        }
        Command::Pe(pe) => pe_command(pe, &context),
        Command::Measure(measure) => measure_command(measure, &context),
        Command::Keys(Keys::Generate { folder }) => {
            perform(&GenerateKeys { output: folder }, &context).map(drop)
        }
    };
    done.map(|()| Verdict::Done)
}

/// The builder door. Its answer is the derivation's output; what is printed is only the log.
fn build() -> Result<(), Failure> {
    let progress: &dyn Progress = &console::NixPhases::new();
    let context = Context {
        progress,
        keys: KeyPolicy::TestKeysOnly,
    };
    dispatch(builder::request()?, &context).map(drop)
}

fn uki_build(build: UkiBuild, context: &Context<'_>) -> Result<(), Failure> {
    let json = build.pcr11.json;
    let answer = perform(&uki(build), context)?;
    match answer.pcrs {
        _ if json => print_json(&answer),
        Some(pcrs) => print_pcrs(&pcrs),
        None => Ok(()),
    }
}

fn uki(build: UkiBuild) -> AssembleUki {
    let sign = build
        .key
        .key
        .zip(build.key.certificate)
        .map(|(key, certificate)| SigningKey { key, certificate });
    let parts = Parts {
        stub: build.stub,
        linux: build.linux,
        initrds: build.initrd,
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
    AssembleUki {
        parts,
        sign,
        measure,
        output: build.output,
    }
}

fn inspect_command(request: &InspectUki, json: bool, context: &Context<'_>) -> Result<(), Failure> {
    let answer = perform(request, context)?;
    match json {
        true => print_json(&answer),
        false => print_line(&inspect::image(request, &answer)),
    }
}

fn diff_command(request: &DiffUki, json: bool, context: &Context<'_>) -> Result<Verdict, Failure> {
    let answer = perform(request, context)?;
    match json {
        true => print_json(&answer)?,
        false => print_line(&inspect::differences(&answer))?,
    }
    Ok(match answer.equal {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn pe_command(pe: Pe, context: &Context<'_>) -> Result<(), Failure> {
    match pe {
        Pe::Digest { file, json } => {
            let answer = perform(&DigestPe { file: file.clone() }, context)?;
            if json {
                return print_json(&answer);
            }
            print_line(&format!("{}  {}", answer.sha256, file.display()))
        }
        Pe::Sign {
            key,
            certificate,
            checksum,
            output,
            file,
        } => {
            let request = SignPe {
                file,
                sign: SigningKey { key, certificate },
                checksum,
                output,
            };
            perform(&request, context).map(drop)
        }
    }
}

fn measure_command(measure: Measure, context: &Context<'_>) -> Result<(), Failure> {
    match measure {
        Measure::Uki {
            file,
            phase,
            bank,
            json,
        } => {
            let answer = perform(
                &MeasureUki {
                    file,
                    phases: phase,
                    banks: bank,
                },
                context,
            )?;
            if json {
                return print_json(&answer);
            }
            print_pcrs(&answer)
        }
        Measure::Predict { request, json } => {
            let mut request = read_request(&request)?;
            if let Value::Object(fields) = &mut request {
                fields
                    .entry("operation")
                    .or_insert("measure.predict".into());
            }
            let answer = dispatch(request, context)?;
            let answer: Prediction = serde_json::from_value(answer)
                .map_err(|error| Failure::malformed(format!("measure.predict: {error}")))?;
            if json {
                print_json(&answer)
            } else {
                print_prediction(&answer)
            }
        }
    }
}

fn print_pcrs(answer: &UkiPcrs) -> Result<(), Failure> {
    for (pcr, banks) in &answer.pcrs {
        for (bank, phases) in banks {
            for (phase, digest) in phases {
                print_line(&format!("{pcr}:{bank}={digest}  # {phase}"))?;
            }
        }
    }
    Ok(())
}

fn print_prediction(prediction: &Prediction) -> Result<(), Failure> {
    for leaf in &prediction.leaves {
        print_line(&leaf.path.join(" → "))?;
        for (pcr, banks) in &leaf.pcrs {
            for (bank, digest) in banks {
                print_line(&format!("  {pcr}:{bank}={digest}"))?;
            }
        }
    }
    prediction
        .assumptions
        .iter()
        .try_for_each(|text| print_line(&format!("assumed: {text}")))
}

fn schema(operation: Option<&str>) -> Result<(), Failure> {
    let known = operations();
    let Some(wanted) = operation else {
        return known
            .iter()
            .try_for_each(|known| print_line(&format!("{:<18} {}", known.name, known.about)));
    };
    let Some(found) = known.iter().find(|known| known.name == wanted) else {
        return Err(Failure::malformed(format!(
            "there is no operation `{wanted}`"
        )));
    };
    print_json(&json!({ "request": found.request_schema(), "answer": found.answer_schema() }))
}

fn read_request(path: &Path) -> Result<Value, Failure> {
    let failed = |what: String| Failure {
        file: Some(path.to_owned()),
        ..Failure::malformed(what)
    };
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| failed(format!("the request cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| failed(format!("the request is no JSON: {error}")))
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::malformed(error.to_string()))?;
    print_line(&text)
}

fn print_line(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| Failure {
        code: "output.failed".to_owned(),
        what: format!("the answer cannot be printed: {error}"),
        file: None,
        help: "check where standard output goes".to_owned(),
    })
}
