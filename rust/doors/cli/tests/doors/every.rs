//! Every operation through every door that it has: `touchstone run`, the C ABI, the builder of a derivation, the plugin. The bytes of the
//! answers are the same, and so are those of the files.

mod c_door;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use touchstone_harness::Nix;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::{KEYS_IN_SANDBOX as KEYS, show_keys};

use super::{OUTPUT, references_graph, remove_output, resolved};
use crate::real_nix::{RealNix, assert_same_tree, tree};
use crate::shorthand::{text, words};
use c_door::CDoor;

/// The doors, open.
struct Doors<'a> {
    real: &'a RealNix,
    c: CDoor,
    closure: Value,
}

/// What a request came to.
struct Done {
    answer: String,
    /// What was written, where something was.
    files: Option<PathBuf>,
}

impl<'a> Doors<'a> {
    fn new(real: &'a RealNix) -> Doors<'a> {
        let c = CDoor::new(real);
        let closure = references_graph(real);
        Doors { real, c, closure }
    }

    /// Through `touchstone run` and through the C ABI: the same answer, the same files. What was written stays as the folder `kept`.
    fn run_and_c(&self, request: &Value, kept: &str) -> Done {
        let operation = text(request, "operation");
        let mut by_run = self.real.touchstone_beside_store();
        by_run.args(["run", "-"]);
        let (answer, _) = told(by_run, request);
        let written = self.real.work.path(OUTPUT);
        let files = written.exists().then(|| self.real.work.path(kept));
        if let Some(files) = &files {
            fs::rename(&written, files).unwrap();
        }
        let (by_c, said) = told(self.c.beside_store(self.real), request);
        assert_eq!(said, "", "{operation}: the library prints nothing");
        if random(operation) {
            assert_eq!(names(files.as_ref().unwrap()), names(&written));
        } else {
            assert_eq!(by_c, answer, "{operation}: C ABI, run");
            assert_eq!(written.exists(), files.is_some(), "{operation}");
            if let Some(files) = &files {
                assert_same_tree(&format!("{operation}: C ABI, run"), &written, files);
            }
        }
        remove_output(self.real);
        Done { answer, files }
    }
}

/// The one operation whose answer is another each time.
fn random(operation: &str) -> bool {
    operation == "keys.generate"
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let names: Vec<PathBuf> = tree(folder).into_iter().map(|(name, _)| name).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

/// What a program answers to a request, and what it says beside.
fn told(mut command: Command, request: &Value) -> (String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(request.to_string().as_bytes()).unwrap();
    drop(pipe);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{command:?}: {said} to {request}");
    (String::from_utf8(stdout).unwrap(), said)
}

/// One Nix, with the plugin or without it, over the same store.
struct Evaluator<'a> {
    real: &'a RealNix,
    nix: Nix,
}

impl<'a> Evaluator<'a> {
    fn both(real: &'a RealNix) -> [Evaluator<'a>; 2] {
        let (inputs, store) = (&real.work.inputs, real.work.path("store"));
        let with = Nix::with_plugin(inputs, &store).unwrap();
        let without = Nix::plugin_host_without_plugin(inputs, &store).unwrap();
        [with, without].map(|nix| Evaluator {
            real,
            nix: real.seeing(nix),
        })
    }

    fn arguments(&self) -> Vec<String> {
        let expressions = self.real.expressions_in("doors/every.nix");
        let keys = show_keys(&self.real.work.path("keys"));
        expressions.into_iter().chain(keys).collect()
    }

    fn evaluate(&self, attribute: &str) -> anyhow::Result<Value> {
        let mut command = self.nix.command("nix-instantiate")?;
        let how = ["--eval", "--read-write-mode", "--strict", "--json"];
        command.args(how).args(["-A", attribute]);
        command.args(self.arguments());
        Ok(serde_json::from_str(&output(command)?)?)
    }

    fn value(&self, attribute: &str) -> Value {
        let value = self.evaluate(attribute);
        value.unwrap_or_else(|error| panic!("{attribute}: {error:#}"))
    }

    fn build(&self, attribute: &str) {
        let which = words(["--keep-going", "-A", attribute]);
        let built = self.nix.build([self.arguments(), which].concat());
        assert!(built.unwrap().len() > 30);
    }
}

/// The operations by what they do to the world, as the program says.
fn effects(real: &RealNix) -> BTreeMap<String, String> {
    let printed = real.work.done(["schema"]);
    let effects: BTreeMap<String, String> = printed
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    assert!(effects.len() > 45, "{effects:?}");
    effects
}

fn keys(value: &Value) -> BTreeSet<&str> {
    let fields = value.as_object().unwrap().keys();
    fields.map(String::as_str).collect()
}

/// What no build can be asked for: it is about the store of a machine, or made of randomness. Each may use what those before it left, under
/// the name beside it.
fn requests_of_machines(toplevel: &str, key: &str) -> Vec<(Value, &'static str)> {
    let trusted = |mut request: Value| {
        request["trustedPublicKeys"] = json!([key]);
        request["sigsNeeded"] = json!(1);
        request
    };
    vec![
        (
            json!({ "operation": "closure.manifest", "toplevel": toplevel, "output": OUTPUT }),
            "listed",
        ),
        (
            json!({ "operation": "closure.sign", "toplevel": toplevel, "key": format!("{KEYS}/nix.secret"), "output": OUTPUT }),
            "signed",
        ),
        (
            trusted(
                json!({ "operation": "closure.verify", "toplevel": toplevel, "manifest": "signed" }),
            ),
            "nothing",
        ),
        (
            json!({ "operation": "closure.export", "toplevels": [toplevel], "manifest": "signed", "form": "cache", "output": OUTPUT }),
            "cache",
        ),
        (
            trusted(
                json!({ "operation": "closure.import", "sources": ["cache"], "paths": [toplevel], "root": OUTPUT }),
            ),
            "imported",
        ),
        (
            json!({ "operation": "closure.registration", "root": "imported", "output": OUTPUT }),
            "registered",
        ),
        (
            json!({ "operation": "keys.generate", "output": OUTPUT, "test": true }),
            "generated",
        ),
    ]
}

#[test]
fn every_operation_gives_the_same_bytes_through_command_line_c_builder_and_plugin() {
    let real = RealNix::new();
    let modules = real.work.path("modules/lib/modules/6.1.0");
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("modules.builtin"), "").unwrap();
    let [with, without] = Evaluator::both(&real);
    // The plugin changes no derivation, and is loaded while they are built.
    let derivations = with.value("drvPaths");
    assert_eq!(derivations, without.value("drvPaths"));
    with.build("built");
    let requests = with.value("requests");
    let outputs = with.value("outputs");
    let said = with.value("said");
    let toplevel = real.evaluate("toplevel");
    let effects = effects(&real);
    let files: BTreeSet<&str> = of_effect(&effects, "files");
    let written = with.value("files");
    let written = written.as_array().unwrap().iter();
    assert_eq!(files, written.map(|name| name.as_str().unwrap()).collect());
    assert_eq!(keys(&said), of_effect(&effects, "value"));

    let key = fs::read_to_string(real.work.path("keys/nix.public")).unwrap();
    let of_machines = requests_of_machines(toplevel.as_str().unwrap(), key.trim());
    let mut tested: BTreeSet<String> = BTreeSet::new();
    for operation in effects.keys().filter(|name| effects[*name] != "value") {
        assert_refused_by_the_plugin(&with, operation, &effects[operation]);
    }
    let store = real.store("store");
    let on_host = |path: &Value| store.on_host(path.as_str().unwrap());
    let doors = Doors::new(&real);
    for (operation, request) in requests.as_object().unwrap() {
        let request = resolved(request, &doors.real.work.path(OUTPUT), &doors.closure);
        let done = doors.run_and_c(&request, "kept");
        let outputs = &outputs[operation];
        let is_files = files.contains(operation.as_str());
        let answer = if is_files { "answer" } else { "out" };
        let by_builder = fs::read_to_string(on_host(&outputs[answer])).unwrap();
        assert_eq!(by_builder, done.answer, "{operation}: builder, run");
        assert_eq!(done.files.is_some(), is_files, "{operation}");
        if let Some(files) = done.files {
            let what = format!("{operation}: builder, run");
            assert_same_tree(&what, &on_host(&outputs["out"]), &files);
            fs::rename(&files, doors.real.work.path(operation)).unwrap();
        }
        if let Some(by_plugin) = said[operation].as_str() {
            assert_eq!(by_plugin, done.answer, "{operation}: plugin, run");
        }
        tested.insert(operation.clone());
    }
    for (request, kept) in of_machines {
        doors.run_and_c(&request, kept);
        tested.insert(text(&request, "operation").to_owned());
    }
    let all: BTreeSet<String> = effects.into_keys().collect();
    assert_eq!(all, tested, "an operation without a row");
}

fn of_effect<'a>(effects: &'a BTreeMap<String, String>, wanted: &str) -> BTreeSet<&'a str> {
    let found = effects.iter().filter(|(_, effect)| *effect == wanted);
    found.map(|(name, _)| name.as_str()).collect()
}

/// What is no value is refused while Nix evaluates, in the words of docs/plugin.md.
fn assert_refused_by_the_plugin(nix: &Evaluator<'_>, operation: &str, effect: &str) {
    let attribute = format!("refused.\"{operation}\"");
    let refusal = match nix.evaluate(&attribute) {
        Ok(value) => panic!("{operation}: {value}"),
        Err(error) => format!("{error:#}"),
    };
    let sentence = match effect {
        "files" => format!("the operation `{operation}` makes files, "),
        _ => format!("the operation `{operation}` does more "),
    };
    assert!(refusal.contains(&sentence), "{operation}: {refusal}");
}
