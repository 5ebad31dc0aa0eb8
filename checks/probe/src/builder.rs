//! A derivation's builder: attributes in, one output out, no shell.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{ask, initrd, many, parts, same, switch, toplevel};

/// What is common to all modes.
#[derive(Deserialize)]
struct Attributes {
    outputs: BTreeMap<String, PathBuf>,
    #[serde(flatten)]
    work: Work,
}

/// The attribute `mode` and the attributes that belong to it.
#[derive(Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
enum Work {
    Initrd(initrd::Attributes),
    Toplevel(Box<toplevel::Attributes>),
    Recorders(switch::Attributes),
    Many(many::Attributes),
    Parts(parts::Attributes),
    Same(same::Attributes),
    Ask(ask::Attributes),
}

/// Builds what the attribute file asks for.
pub fn main(attributes: &Path) -> ExitCode {
    match build(attributes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("touchstone-probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(attributes: &Path) -> Result<()> {
    let text = fs::read(attributes)
        .with_context(|| format!("{}: cannot be read", attributes.display()))?;
    let attributes = parse(&text)?;
    let out = attributes
        .outputs
        .get("out")
        .context("attribute outputs: there is no output \"out\"; set __structuredAttrs = true and leave outputs alone")?;
    match attributes.work {
        Work::Many(work) => many::build(&work, &attributes.outputs),
        Work::Parts(work) => parts::build(&work, &attributes.outputs),
        Work::Same(work) => same::build(&work, out),
        Work::Ask(work) => ask::build(&work, out),
        Work::Initrd(work) => initrd::build(&work, out),
        Work::Toplevel(work) => toplevel::build(&work, out),
        Work::Recorders(work) => switch::build(&work, out),
    }
}

fn parse(text: &[u8]) -> Result<Attributes> {
    serde_json::from_slice(text)
        .context("the attributes are not as the README says (mode = \"initrd\", \"toplevel\", \"recorders\", \"many\", \"parts\", \"same\" or \"ask\", each with its own)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_nix_itself_are_passed_over() {
        let text = br#"{"mode":"initrd","outputs":{"out":"/o"},"name":"n","system":"x86_64-linux","builder":"/b","generation":"2"}"#;
        assert!(matches!(parse(text).unwrap().work, Work::Initrd(_)));
    }

    #[test]
    fn an_error_names_the_attribute() {
        let missing = parse(br#"{"mode":"toplevel","outputs":{"out":"/o"},"kernel":"/k"}"#)
            .err()
            .unwrap();
        assert!(format!("{missing:#}").contains("initrd"), "{missing:#}");
        let unknown = parse(br#"{"mode":"disk","outputs":{"out":"/o"}}"#)
            .err()
            .unwrap();
        assert!(format!("{unknown:#}").contains("disk"), "{unknown:#}");
    }
}
