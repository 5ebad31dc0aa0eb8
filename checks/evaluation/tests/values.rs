//! Values come out as they went in, and each function answers what its operation does.

use serde_json::json;

use crate::support::{Desk, bootspec};

/// What a request may hold, through an extension of a Bootspec document and back.
const ECHO: &str = r#"
    echo = value: (touchstone.bootspec (generation { extensions."org.example" = { inherit value; }; })).document."org.example".value;
    same = value: echo value == value && builtins.typeOf (echo value) == builtins.typeOf value;
"#;

#[test]
fn numbers_texts_and_structures_come_back_as_they_went_in() {
    let desk = Desk::new();
    let answer = desk.value(&format!(
        r#"let {ECHO} in builtins.mapAttrs (name: same) {{
          zero = 0;
          least = -9223372036854775807 - 1;
          greatest = 9223372036854775807;
          afterExact = 9007199254740993;
          fraction = 0.1;
          whole = 1.0;
          tiny = 2.2250738585072014e-308;
          huge = 1.7976931348623157e308;
          third = 1.0 / 3;
          yes = true;
          no = false;
          text = "a text";
          empty = "";
          unicode = "Grüße, 世界 🦀 \u{{2028}} e\u{{301}}";
          escapes = "\"\\/\n\r\t \${{x}} \u{{7f}}";
          control = builtins.fromJSON ''"\u0001\u001f\u007f\u0080\uffff"'';
          json = ''{{"operation":"store.path"}}'';
          list = [ ];
          nested = [ [ ] [ [ 1 ] ] {{ }} ];
          set = {{ }};
          names = {{ "" = 1; "a.b" = 2; "a\"b" = 3; "ü" = 4; "\n" = 5; "or" = 6; "$output" = "out"; "operation" = "x"; "output" = "y"; }};
          many = builtins.genList (n: n) 100000;
          wide = builtins.listToAttrs (builtins.genList (n: {{ name = "name-${{toString n}}"; value = n; }}) 10000);
          long = builtins.foldl' (text: _: text + text) "0123456789abcdef" (builtins.genList (n: n) 16);
          deep = builtins.foldl' (value: _: [ value ]) 1 (builtins.genList (n: n) 60);
        }}"#,
    ));
    let all = answer.as_object().unwrap();
    let wrong: Vec<_> = all.iter().filter(|(_, same)| *same != true).collect();
    assert!(all.len() == 25 && wrong.is_empty(), "{wrong:?}");
}

#[test]
fn null_is_as_good_as_absent_among_a_requests_attributes_and_a_value_inside_of_documents() {
    let desk = Desk::new();
    let answer = desk.value(&format!(
        r#"let {ECHO} in [
          (touchstone.bootspec (generation {{ fdtdir = null; specialisations = null; v1 = null; }}) == touchstone.bootspec (generation {{ }}))
          (echo null) (echo [ null ]) (echo {{ a = null; }})
        ]"#,
    ));
    assert_eq!(answer, json!([true, null, [null], { "a": null }]));
}

#[test]
fn each_function_answers_what_its_operation_does() {
    let desk = desk();
    let answer = desk.value(
        r#"
        let
          same = operation: function: request:
            let
              text = touchstone.run (builtins.toJSON ({ inherit operation; } // request));
              value = function request;
            in {
              same = builtins.fromJSON (builtins.unsafeDiscardStringContext text) == value;
              contexts = contexts value == [ (getContext text) ];
              size = builtins.stringLength text > 40;
            };
          predicted = { loader = ./loader.efi; uki = ./uki.efi; measure.pcrs = [ 11 12 ]; };
          prediction = builtins.toFile "prediction" (builtins.unsafeDiscardStringContext (touchstone.run (builtins.toJSON ({ operation = "measure.predict"; } // predicted))));
          policy = {
            operation = "policy.create";
            variants = [ { name = "a"; inherit prediction; } ];
            pcrs = [ 11 12 ];
            withoutRunning = true;
          };
          paths = [
            (same "bootspec.emit" touchstone.bootspec (generation { specialisations.a = generation { }; }))
            (same "measure.predict" touchstone.predictPcrs predicted)
            (same "pe.verify" touchstone.verify { file = ./loader.efi; db = ./db.esl; })
            (same "bootspec.show" touchstone.parse.bootspec { file = ./boot.json; })
            (same "uki.inspect" touchstone.parse.pe { file = ./uki.efi; banks = [ "sha256" "sha384" ]; })
            (same "eventlog.show" touchstone.parse.eventLog { file = ./event-log; })
            (same "store.path" touchstone.parse.storePath { path = "${./boot.json}"; })
            (same "policy.show" touchstone.parse.pcrPolicy { file = builtins.toFile "policy" (builtins.unsafeDiscardStringContext (touchstone.run (builtins.toJSON policy))); })
          ];
        in builtins.filter (one: one != { same = true; contexts = true; size = true; }) paths"#,
    );
    assert_eq!(answer, json!([]));
}

#[test]
fn run_answers_the_bytes_that_the_command_line_prints() {
    let desk = desk();
    desk.write(
        "request.json",
        json!({ "operation": "uki.inspect", "file": desk.path("uki.efi") }).to_string(),
    );
    let mut command = std::process::Command::new(desk.inputs.touchstone.as_ref().unwrap());
    command.arg("run").arg(desk.path("request.json"));
    let printed = desk.run(command);
    assert_eq!(printed.status, Some(0), "{printed:?}");
    let answer = desk.evaluate("builtins.touchstone.run (builtins.readFile ./request.json)");
    let answer = answer.value().as_str().unwrap().to_owned();
    let folder = desk.folder().to_str().unwrap();
    assert!(answer.ends_with("}\n"));
    assert_eq!(
        answer.replace(folder, "$FOLDER"),
        printed.output.replace(folder, "$FOLDER")
    );
}

#[test]
fn operations_are_listed_by_what_they_do() {
    let desk = Desk::new();
    let answer = desk.value("touchstone.operations");
    let of = |effect: &str| -> Vec<String> {
        let names = answer[effect].as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let values = of("value");
    for name in [
        "bootspec.emit",
        "measure.predict",
        "pe.verify",
        "store.path",
        "uki.inspect",
    ] {
        assert!(values.iter().any(|value| value == name), "{name}: {answer}");
    }
    assert!(of("files").contains(&"uki.assemble".to_owned()), "{answer}");
    assert!(
        of("world").contains(&"keys.generate".to_owned()),
        "{answer}"
    );
}

/// No Value operation may be talked into writing: not by `output`, and not by any other field that names a file to be written.
#[test]
fn no_request_makes_the_evaluator_write_a_file() {
    let desk = desk();
    for operation in [
        r#"{ operation = "bootspec.emit"; output = target; } // generation { }"#,
        r#"{ operation = "bootspec.upgrade"; file = ./boot.json; output = target; }"#,
        r#"{ operation = "bootspec.validate"; files = [ ./boot.json ]; output = target; }"#,
        r#"{ operation = "measure.predict"; uki = ./uki.efi; measure.pcrs = [ 11 ]; output = target; }"#,
        r#"{ operation = "policy.create"; variants = [ { name = "a"; inherit prediction; } ]; pcrs = [ 11 12 ]; withoutRunning = true; digest = target; }"#,
    ] {
        let said = desk.refusal(&format!(
            r#"
            let
              target = "{}";
              predicted = {{ operation = "measure.predict"; uki = ./uki.efi; measure.pcrs = [ 11 12 ]; }};
              prediction = builtins.toFile "prediction" (builtins.unsafeDiscardStringContext (touchstone.run (builtins.toJSON predicted)));
            in touchstone.run (builtins.toJSON ({operation}))"#,
            desk.path("written").display()
        ));
        assert!(!desk.path("written").exists(), "{operation}");
        assert!(said.contains("output") || said.contains("digest"), "{said}");
    }
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.copy(&desk.inputs.boot["trixie"]["x64"], "loader.efi");
    desk.copy(&desk.inputs.stub["trixie"]["x64"], "stub.efi");
    desk.write("boot.json", bootspec(r#""x": [1, 2.5, null]"#));
    let log = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fuzz/corpus/event_log/ovmf-2025.02"
    );
    desk.copy(log, "event-log");
    desk.touchstone(&["keys", "generate", "--test", "keys"]);
    desk.copy(desk.path("keys/db.esl"), "db.esl");
    desk.uki("uki.efi");
    desk
}
