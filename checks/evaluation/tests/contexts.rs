//! Every string of an answer carries what the request's strings carried, exactly.

use serde_json::{Map, Value, json};

use crate::support::Desk;

const CASES: &str = include_str!("contexts.nix");

/// What each string's context is, in short: kinds of elements.
const KINDS: [(&str, &[&str]); 27] = [
    ("none", &[]),
    ("output", &["one.drv: out"]),
    ("outputByName", &["one.drv: dev"]),
    ("allOutputsByName", &["one.drv: dev doc out"]),
    ("partOfAnOutput", &["one.drv: doc"]),
    ("drvPath", &["one.drv: all"]),
    ("drvPathAsSource", &["one.drv: path"]),
    ("drvPathMadeDeep", &["one.drv: all"]),
    ("drvPathAndOutput", &["one.drv: all dev"]),
    ("fixedOutput", &["fixed.drv: out"]),
    ("outputOfInputs", &["twice.drv: out"]),
    ("sourceFile", &["file: path"]),
    ("sourceFolder", &["source: path"]),
    ("belowSource", &["source: path"]),
    ("namedSource", &["renamed: path"]),
    ("filteredSource", &["source: path"]),
    ("textFile", &["text: path"]),
    ("textFileWithReference", &["referring: path"]),
    ("fetched", &["file: path"]),
    ("fetchedTree", &["source: path"]),
    ("storePath", &["file: path"]),
    ("appended", &["one.drv: dev", "source: path"]),
    ("discarded", &[]),
    ("placeholder", &[]),
    ("substring", &["one.drv: dev"]),
    (
        "severalKinds",
        &["one.drv: all out", "other.drv: out", "source: path"],
    ),
    ("replaced", &["one.drv: out", "other.drv: out"]),
];

#[test]
fn a_context_is_on_every_string_of_an_answer_and_nothing_else_is() {
    let desk = desk();
    let Value::Object(cases) = desk.evaluate(CASES).value() else {
        panic!()
    };
    let names: Vec<&String> = cases.keys().collect();
    let mut expected: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (name, kinds) in KINDS {
        let Value::Object(before) = &cases[name]["before"] else {
            panic!()
        };
        assert_eq!(in_short(before), kinds, "{name}");
        let once = json!([before]);
        assert_eq!(cases[name]["alone"], once, "{name}");
        assert_eq!(cases[name]["below"], once, "{name}");
        assert_eq!(&cases[name]["text"], &cases[name]["before"], "{name}");
    }
}

/// What is no string becomes one as `derivation` and `builtins.toJSON` make it one.
#[test]
fn paths_derivations_and_sets_that_name_themselves_bring_their_contexts() {
    let desk = desk();
    let answer = desk.value(
        r#"
        let
          one = unbuilt { name = "one"; outputs = [ "out" "dev" ]; };
          label = value:
            let answer = (touchstone.bootspec (generation { label = value; })).document;
            in { label = answer."org.nixos.bootspec.v2".label; contexts = contexts answer; };
          same = value: text: label value == label text;
        in builtins.filter (same: !same) (attrValues {
          path = same ./source/file "${./source/file}";
          pathOfFolder = same ./source "${./source}";
          derivation = same one "${one}";
          output = same one.dev "${one.dev}";
          outPath = same { outPath = one.dev; } "${one.dev}";
          outPathTwice = same { outPath = { outPath = one; }; } "${one}";
          outPathOfPath = same { outPath = ./source/file; } "${./source/file}";
          toString = same { __toString = self: "a ${self.of}"; of = one; } "a ${one}";
          toStringBeforeOutPath = same { __toString = _: "x"; outPath = one; } "x";
        })"#,
    );
    assert_eq!(answer, json!([]));
}

#[test]
fn the_strings_of_an_answer_carry_what_all_strings_of_the_request_do_together() {
    let desk = desk();
    let answer = desk.value(
        r#"
        let
          one = unbuilt { name = "one"; outputs = [ "out" "dev" ]; };
          other = unbuilt { name = "other"; };
          answer = touchstone.bootspec (generation {
            label = "a ${one}";
            kernelParams = [ "x=${other.drvPath}" "y" ];
            extensions."org.example".deep = [ { of = [ one.dev 1 null true ]; } ];
            specialisations = { };
          });
        in [
          (contexts answer == [ (getContext "${one}${one.dev}${other.drvPath}") ])
          (builtins.length (strings answer) > 10)
        ]"#,
    );
    assert_eq!(answer, json!([true, true]));
}

#[test]
fn a_file_that_is_read_leaves_its_context_on_the_answer() {
    let desk = desk();
    desk.copy(&desk.inputs.stub["trixie"]["x64"], "stub.efi");
    let answer = desk.value(
        r#"
        let answer = touchstone.parse.pe { file = ./stub.efi; };
        in [ (contexts answer) (getContext "${./stub.efi}") ]"#,
    );
    let [after, before] = answer.as_array().unwrap().as_slice() else {
        panic!()
    };
    assert_eq!(after, &json!([before]));
}

/// What Nix makes of a context: the inputs of what is derived.
#[test]
fn a_derivation_that_is_made_of_an_answer_has_the_inputs_that_the_request_had() {
    let desk = desk();
    let shown = derivation(
        &desk,
        r#"
        let
          one = unbuilt { name = "one"; outputs = [ "out" "dev" ]; };
          answer = touchstone.bootspec (generation {
            kernel = { outPath = one.dev; };
            label = "${./source/file}";
            extensions."org.example" = { drv = (unbuilt { name = "deep"; }).drvPath; };
          });
        in unbuilt {
          name = "derived";
          document = builtins.toJSON answer.document;
        }"#,
    );
    let by_hand = derivation(
        &desk,
        r#"
        let one = unbuilt { name = "one"; outputs = [ "out" "dev" ]; };
        in unbuilt {
          name = "derived";
          inputs = [ one.dev ./source/file (unbuilt { name = "deep"; }).drvPath ];
        }"#,
    );
    assert_eq!(shown["inputDrvs"], by_hand["inputDrvs"]);
    assert_eq!(shown["inputSrcs"], by_hand["inputSrcs"]);
    let inputs = shown["inputDrvs"].as_object().unwrap();
    let outputs = |name: &str| {
        let input = inputs.iter().find(|(path, _)| path.ends_with(name));
        &input.unwrap().1["outputs"]
    };
    assert_eq!(outputs("-one.drv"), &json!(["dev"]));
    assert_eq!(outputs("-deep.drv"), &json!(["out"]));
    assert_eq!(shown["inputSrcs"].as_array().unwrap().len(), 2, "{shown:#}");
}

/// What `nix derivation show` says of an expression's derivation.
fn derivation(desk: &Desk, expression: &str) -> Value {
    desk.write(
        "expression.nix",
        format!("with import ./prelude.nix;\n{expression}"),
    );
    let mut command = desk.command("nix");
    command.args(["derivation", "show", "--file"]);
    command.arg(desk.path("expression.nix"));
    let shown = desk.run(command).value();
    shown.as_object().unwrap().values().next().unwrap().clone()
}

/// `[NAME: KIND…]` of `builtins.getContext`, sorted.
fn in_short(context: &Map<String, Value>) -> Vec<String> {
    let mut elements: Vec<String> = context
        .iter()
        .map(|(path, kinds)| one(path, kinds))
        .collect();
    elements.sort();
    elements
}

fn one(path: &str, kinds: &Value) -> String {
    let (_, name) = path.split_once('-').unwrap();
    let mut words = vec![format!("{name}:")];
    if kinds["allOutputs"] == true {
        words.push("all".to_owned());
    }
    if kinds["path"] == true {
        words.push("path".to_owned());
    }
    let outputs = kinds["outputs"].as_array().into_iter().flatten();
    words.extend(outputs.map(|output| output.as_str().unwrap().to_owned()));
    words.join(" ")
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("source/file", "a file\n");
    desk.write("source/other", "another\n");
    desk
}
