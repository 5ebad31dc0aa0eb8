//! `touchstone bootspec`.

use touchstone_artifacts::Context;
use touchstone_artifacts::bootspec::{
    ShowBootspec, ShownBootspec, ShownGeneration, SynthesizeBootspec, UpgradeBootspec,
    ValidBootspec, ValidateBootspec,
};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::Bootspec;

/// Works on Bootspec documents.
///
/// # Errors
/// [`Failure`].
pub fn run(words: Bootspec, context: &Context<'_>) -> Result<Verdict, Failure> {
    match words {
        Bootspec::Validate(words) => {
            let json = words.json;
            let answer = perform(&ValidateBootspec::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                answer.documents.iter().try_for_each(valid)?;
            }
        }
        Bootspec::Upgrade(words) => {
            let (json, silent) = (words.json, words.output.is_some());
            let answer = perform(&UpgradeBootspec::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else if !silent {
                print::line(answer.document.text().trim_end())?;
            }
        }
        Bootspec::Synthesize(words) => {
            let (json, silent) = (words.json, words.output.is_some());
            let answer = perform(&SynthesizeBootspec::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else if !silent {
                print::line(answer.document.text().trim_end())?;
            }
        }
        Bootspec::Show(words) => {
            let json = words.json;
            let answer = perform(&ShowBootspec::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                show(&answer)?;
            }
        }
    }
    Ok(Verdict::Done)
}

fn valid(document: &ValidBootspec) -> Result<(), Failure> {
    let mut facts = vec![format!("Bootspec {}", versions(&document.versions))];
    if !document.specialisations.is_empty() {
        let names = document.specialisations.join(", ");
        facts.push(format!("specialisations: {names}"));
    }
    if !document.extensions.is_empty() {
        facts.push(format!("extensions: {}", document.extensions.join(", ")));
    }
    print::line(&format!(
        "{}: {}",
        document.file.display(),
        facts.join("; ")
    ))
}

fn versions(versions: &[u8]) -> String {
    let each = versions.iter().map(|version| format!("v{version}"));
    each.collect::<Vec<_>>().join(" and ")
}

fn show(answer: &ShownBootspec) -> Result<(), Failure> {
    generation("", &answer.generation)?;
    print::line(&format!("bootspec:     {}", versions(&answer.versions)))?;
    for (name, extension) in &answer.extensions {
        print::line(&format!("extension:    {name} {extension}"))?;
    }
    for (name, one) in &answer.specialisations {
        print::line(&format!("\nspecialisation {name}"))?;
        generation("  ", &one.generation)?;
        for (name, extension) in &one.extensions {
            print::line(&format!("  extension:    {name} {extension}"))?;
        }
    }
    Ok(())
}

fn generation(indent: &str, shown: &ShownGeneration) -> Result<(), Failure> {
    let line = |what: &str, value: &str| print::line(&format!("{indent}{what:<13} {value}"));
    line("label:", &shown.label)?;
    line("system:", &shown.system)?;
    line("toplevel:", &shown.toplevel)?;
    line("kernel:", &shown.kernel)?;
    shown
        .initrds
        .iter()
        .try_for_each(|initrd| line("initrd:", initrd))?;
    let optional = [
        ("secrets by:", &shown.initrd_secrets),
        ("fdtdir:", &shown.fdtdir),
        ("devicetree:", &shown.devicetree),
    ];
    for (what, value) in optional {
        value.iter().try_for_each(|value| line(what, value))?;
    }
    line("command line:", &shown.command_line)
}
