//! Values while Nix evaluates, by real Nix with the plugin and without it, over the same expressions (`values.nix`): the same values, the
//! same contexts, the same derivations.

mod installed;
mod pure;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use touchstone_harness::Nix;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::show_keys;

use crate::real_nix::RealNix;

/// Who computes the values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Plugin,
    Builder,
}

const DOORS: [Door; 2] = [Door::Plugin, Door::Builder];

impl Door {
    fn name(self) -> &'static str {
        match self {
            Door::Plugin => "plugin",
            Door::Builder => "builder",
        }
    }

    /// One and the same Nix, with the plugin or without it. Its store is the one of both.
    fn nix(self, real: &RealNix) -> Nix {
        let (inputs, store) = (&real.work.inputs, real.work.path("store"));
        let nix = match self {
            Door::Plugin => Nix::with_plugin(inputs, store),
            Door::Builder => Nix::plugin_host_without_plugin(inputs, store),
        };
        real.seeing(nix.unwrap())
    }

    /// A program of it, bounded.
    fn command(self, real: &RealNix, program: &str) -> Command {
        bounded(&self.nix(real).command(program).unwrap())
    }

    /// Evaluates an attribute of the expressions.
    fn evaluate(self, real: &RealNix, attribute: &str, options: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.command(real, "nix-instantiate");
        // What is built, or derived from a derivation's path, needs that derivation written.
        let how = ["--eval", "--read-write-mode", "--strict", "--json"];
        command.args(how).args(["-A", attribute]);
        command.args(arguments(real)).args(options);
        Ok(serde_json::from_str(&output(command)?)?)
    }

    /// The same, which must succeed.
    fn value(self, real: &RealNix, attribute: &str, options: &[&str]) -> Value {
        let evaluated = self.evaluate(real, attribute, options);
        evaluated.unwrap_or_else(|error| panic!("{attribute}, {}: {error:#}", self.name()))
    }

    /// What Nix says when it refuses.
    fn refusal(self, real: &RealNix, attribute: &str, options: &[&str]) -> String {
        match self.evaluate(real, attribute, options) {
            Ok(value) => panic!("{attribute}, {}: {value}", self.name()),
            Err(error) => format!("{error:#}"),
        }
    }
}

/// The same command, with 4 GiB of memory and five minutes: what runs away fails a test, and not the machine.
fn bounded(command: &Command) -> Command {
    let mut bounded = Command::new("prlimit");
    bounded.args(["--as=4294967296", "timeout", "--signal=KILL", "300"]);
    bounded.arg(command.get_program()).args(command.get_args());
    let set = |(name, value): (&OsStr, Option<&OsStr>)| {
        value.map(|value| (name.to_owned(), value.to_owned()))
    };
    bounded.env_clear().envs(command.get_envs().filter_map(set));
    bounded
}

fn arguments(real: &RealNix) -> Vec<String> {
    let keys = show_keys(&real.work.path("keys"));
    let expressions = real.expressions_in("values.nix");
    expressions.into_iter().chain(keys).collect()
}

const FORBIDDEN: [&str; 3] = ["--option", "allow-import-from-derivation", "false"];

/// The kinds of `values.nix`, and their cases by name.
fn cases(of: &Value) -> BTreeMap<(String, String), Value> {
    let kinds = of.as_object().unwrap().iter();
    kinds
        .flat_map(|(kind, cases)| {
            let cases = cases.as_object().unwrap().iter();
            cases.map(|(name, case)| ((kind.clone(), name.clone()), case.clone()))
        })
        .collect()
}

#[test]
fn values_and_contexts_and_what_is_derived_from_them_are_the_same_through_both_doors() {
    let real = RealNix::new();
    let [plugin, builder] = DOORS.map(|door| {
        assert_eq!(door.value(&real, "door", &[]), door.name());
        cases(&door.value(&real, "said", &[]))
    });
    assert!(plugin.len() >= 25, "{:?}", plugin.keys());
    for (case, by_plugin) in &plugin {
        assert_eq!(by_plugin, &builder[case], "{case:?}");
        let contexts = by_plugin["contexts"].as_array().unwrap();
        assert_eq!(contexts.len(), 1, "{case:?}: each string has the same one");
        let is_empty = contexts[0] == json!({});
        assert_eq!(is_empty, case.1.ends_with("without a context"), "{case:?}");
    }
    assert_eq!(plugin.len(), builder.len());
    let distinct: std::collections::BTreeSet<_> = plugin
        .values()
        .map(|case| case["value"].to_string())
        .collect();
    assert!(distinct.len() >= 20, "{}", distinct.len());
}

#[test]
fn every_function_that_makes_files_makes_the_same_derivation_with_the_plugin_and_without() {
    let real = RealNix::new();
    for (attribute, least) in [("files", 20), ("asked", 25)] {
        let [plugin, builder] = DOORS.map(|door| door.value(&real, attribute, &FORBIDDEN));
        assert!(plugin.as_object().unwrap().len() >= least, "{plugin}");
        assert_eq!(plugin, builder, "{attribute}");
    }
}

#[test]
fn import_from_derivation_is_used_for_outputs_that_are_read_and_where_there_is_no_plugin() {
    let real = RealNix::new();
    for kind in ["unbuilt", "named", "sources"] {
        let attribute = format!("said.{kind}");
        let without = Door::Plugin.value(&real, &attribute, &FORBIDDEN);
        assert_eq!(
            without,
            Door::Builder.value(&real, &attribute, &[]),
            "{kind}"
        );
    }
    let names = Door::Plugin.value(&real, "names", &FORBIDDEN);
    let forbidden = |door: Door, kind: &str| {
        for name in names[kind].as_array().unwrap() {
            let attribute = format!("said.{kind}.{name}.value");
            let refusal = door.refusal(&real, &attribute, &FORBIDDEN);
            assert!(
                refusal.contains("'allow-import-from-derivation' is disabled"),
                "{attribute}: {refusal}"
            );
        }
    };
    forbidden(Door::Plugin, "outputs");
    for kind in ["unbuilt", "named", "sources", "outputs"] {
        forbidden(Door::Builder, kind);
    }
}

#[test]
fn answers_are_built_without_import_from_derivation_and_are_the_values() {
    let real = RealNix::new();
    let values = cases(&Door::Plugin.value(&real, "said", &[]));
    // What the others name, nobody can build.
    let buildable: Vec<_> = values
        .iter()
        .filter(|((kind, _), _)| kind != "unbuilt")
        .collect();
    assert!(buildable.len() >= 18, "{buildable:?}");
    let attributes = buildable
        .iter()
        .flat_map(|((kind, name), _)| ["-A".to_owned(), format!("answered.{kind}.\"{name}\"")]);
    let mut arguments = arguments(&real);
    arguments.extend(FORBIDDEN.map(str::to_owned).into_iter().chain(attributes));
    let nix = Door::Builder.nix(&real);
    let built = nix.build(arguments).unwrap();
    assert_eq!(built.len(), buildable.len());
    for (path, (case, value)) in built.iter().zip(buildable) {
        let answer: Value = serde_json::from_slice(&fs::read(nix.on_host(path)).unwrap()).unwrap();
        assert_eq!(answer, value["value"], "{case:?}");
    }
}

#[test]
fn a_value_has_no_output_and_what_is_thrown_inside_is_caught_through_both_doors() {
    let real = RealNix::new();
    for door in DOORS {
        for attribute in ["refused.output", "refused.answered"] {
            let refusal = door.refusal(&real, attribute, &[]);
            assert!(refusal.contains("a value has no output: use"), "{refusal}");
        }
        let caught = door.value(&real, "caught", &[]);
        assert_eq!(caught, json!({ "output": false, "thrown": false }));
    }
}

/// A set that the builder replaces would be a set as any other to the plugin.
#[test]
fn what_a_build_would_replace_is_refused_through_both_doors_by_the_same_words() {
    let real = RealNix::new();
    let said = |place: &str, name: &str| {
        format!("touchstone: `extensions.\"org.example\"{place}` is a set with `{name}` alone,")
    };
    for (kind, says) in [
        ("attribute", said(".\"a b\"[1].deep", "$attribute")),
        ("output", said("", "$output")),
    ] {
        for door in DOORS {
            for result in ["value", "answer"] {
                let attribute = format!("references.{kind}.{result}");
                let refusal = door.refusal(&real, &attribute, &[]);
                assert!(refusal.contains(&says), "{attribute}: {refusal}");
            }
        }
    }
}

/// The library of another checkout, whose version is this and whose file `contract` is that; this one's where nothing is given.
fn library(real: &RealNix, name: &str, version: Option<&str>, contract: Option<&str>) -> PathBuf {
    let library = real.work.path(&format!("{name}/nix-plugin/lib"));
    fs::create_dir_all(&library).unwrap();
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    for entry in fs::read_dir(format!("{checkout}/nix-plugin/lib")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, library.join(path.file_name().unwrap())).unwrap();
    }
    let version = version.unwrap_or(env!("CARGO_PKG_VERSION"));
    let manifest = format!("[workspace.package]\nversion = \"{version}\"\n");
    real.work.write(&format!("{name}/Cargo.toml"), manifest);
    if let Some(contract) = contract {
        fs::write(library.join("contract"), contract).unwrap();
    }
    library
}

/// What a library makes of a Nix: its door, and a value; and what was said beside.
fn asked(door: Door, real: &RealNix, library: &Path) -> (Value, String) {
    let touchstone = real.work.path("touchstone");
    let mut command = door.command(real, "nix-instantiate");
    let how = ["--eval", "--read-write-mode", "--strict", "--json"];
    command.args(how).arg("--expr");
    command.arg(format!(
        "let inherit (import {} {{ touchstone = {}; system = \"x86_64-linux\"; }}) values; in [ values.door \
         (values.parse.storePath {{ path = \"/nix/store/00000000000000000000000000000000-a\"; }}).name ]",
        library.display(),
        touchstone.display()
    ));
    let done = command.output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    (serde_json::from_slice(&done.stdout).unwrap(), said)
}

#[test]
fn a_plugin_of_another_release_or_commit_is_warned_of_and_left_alone() {
    let real = RealNix::new();
    let contract = "0".repeat(64) + "\n";
    for (library, warning) in [
        (
            library(&real, "release", Some("0.0.0-other"), None),
            "and this library is 0.0.0-other: values are built",
        ),
        (
            library(&real, "commit", None, Some(&contract)),
            concat!(
                "is of another commit of Touchstone ",
                env!("CARGO_PKG_VERSION"),
                " than this library, with other operations: values are built"
            ),
        ),
    ] {
        let (with, said) = asked(Door::Plugin, &real, &library);
        assert_eq!(with, json!(["builder", "a"]));
        assert_eq!(said.matches(warning).count(), 1, "{said}");
        let (without, said) = asked(Door::Builder, &real, &library);
        assert_eq!((without, said.contains(warning)), (with, false));
    }
}

#[test]
fn a_plugin_with_the_same_operations_is_used_and_nothing_is_said() {
    let real = RealNix::new();
    let library = library(&real, "same", None, None);
    let (with, said) = asked(Door::Plugin, &real, &library);
    assert_eq!((with, said.as_str()), (json!(["plugin", "a"]), ""));
    let contract = fs::read_to_string(library.join("contract")).unwrap();
    let mut command = Door::Plugin.command(&real, "nix-instantiate");
    command.args(["--eval", "--json", "--expr", "builtins.touchstone.contract"]);
    let of_plugin: String = serde_json::from_str(&output(command).unwrap()).unwrap();
    assert_eq!(of_plugin + "\n", contract);
}
