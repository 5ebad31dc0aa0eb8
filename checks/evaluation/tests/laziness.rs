//! What is not needed is not evaluated; what is needed is evaluated once.

use serde_json::json;

use crate::support::Desk;

#[test]
fn to_look_at_the_functions_evaluates_nothing_and_calls_nothing() {
    let desk = Desk::new();
    let answer = desk.value(
        r#"
        let t = builtins.touchstone; in [
          (builtins ? touchstone)
          (t ? parse && t.parse ? pe && !(t ? parsed) && !(t ? fault))
          (builtins.attrNames t)
          (builtins.attrNames t.parse)
          (map builtins.typeOf [ t.bootspec t.predictPcrs t.verify t.run t.parse.pe t.parse t.version t.nixVersion t.operations ])
          (builtins.length (map t.parse.pe [ (throw "an argument of a call that is not needed") ]))
          (t.nixVersion == builtins.nixVersion)
        ]"#,
    );
    assert_eq!(
        answer,
        json!([
            true,
            true,
            [
                "bootspec",
                "contract",
                "nixVersion",
                "operations",
                "parse",
                "predictPcrs",
                "run",
                "verify",
                "version"
            ],
            ["bootspec", "eventLog", "pcrPolicy", "pe", "storePath"],
            [
                "lambda", "lambda", "lambda", "lambda", "lambda", "set", "string", "string", "set"
            ],
            1,
            true
        ])
    );
}

#[test]
fn the_global_scope_has_no_name_more() {
    let desk = Desk::new();
    let said = desk.evaluate("touchstone").refusal();
    assert!(said.contains("undefined variable 'touchstone'"), "{said}");
    let said = desk.evaluate("__touchstone ? parse").messages;
    assert!(said.is_empty(), "{said}");
}

#[test]
fn what_a_derivation_has_beside_its_path_is_not_evaluated() {
    let desk = Desk::new();
    let answer = desk.value(
        r#"
        let
          bomb = builtins.abort "not needed";
          path = fake "linux";
          storePath = value: (touchstone.parse.storePath { path = value; }).name;
        in map storePath [
          { type = "derivation"; outPath = path; name = bomb; drvPath = bomb; meta = bomb; all = bomb; }
          { outPath = path; anything = bomb; }
          { __toString = self: self.text; text = path; outPath = bomb; anything = bomb; }
        ]"#,
    );
    assert_eq!(answer, json!(["linux", "linux", "linux"]));
}

#[test]
fn every_attribute_is_evaluated_once() {
    let desk = Desk::new();
    let said = desk.evaluate(
        r#"
        with import ./prelude.nix;
        let seen = name: builtins.trace "seen ${name}";
        in builtins.length (strings (touchstone.bootspec (seen "request" (generation {
          label = seen "label" "a label";
          kernelParams = seen "list" [ (seen "first" "a") (seen "second" "b") ];
          specialisations = seen "specialisations" (seen "forced" { });
          v1 = seen "null" null;
        })))) > 0"#,
    );
    assert_eq!(said.output.trim(), "true", "{said:?}");
    let mut lines: Vec<&str> = said.messages.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "trace: seen first",
            "trace: seen forced",
            "trace: seen label",
            "trace: seen list",
            "trace: seen null",
            "trace: seen request",
            "trace: seen second",
            "trace: seen specialisations"
        ]
    );
}

#[test]
fn an_attribute_that_nobody_knows_is_refused_unevaluated() {
    let desk = Desk::new();
    for expression in [
        r#"touchstone.parse.storePath { path = fake "a"; pth = builtins.abort "evaluated"; }"#,
        r#"touchstone.parse.storePath { pth = builtins.abort "evaluated"; }"#,
        r#"touchstone.bootspec (generation { lable = builtins.abort "evaluated"; })"#,
        r#"touchstone.predictPcrs { uki = fake "a"; measure.pcr = builtins.abort "evaluated"; }"#,
        r#"touchstone.predictPcrs { entries = [ { uki = fake "a"; dtb = builtins.abort "evaluated"; } ]; }"#,
    ] {
        let said = desk.refusal(expression);
        assert!(!said.contains("aborted"), "{said}");
        assert!(said.contains("has no attribute"), "{said}");
    }
}

#[test]
fn try_eval_catches_what_an_argument_throws_and_the_next_call_is_as_good_as_the_first() {
    let desk = Desk::new();
    let answer = desk.value(
        r#"
        let
          name = value: (touchstone.parse.storePath { path = value; }).name;
          caught = value: builtins.tryEval (name value);
          good = fake "good";
          thrown = [
            (throw "thrown")
            (assert false; good)
            { outPath = throw "thrown"; }
            { __toString = self: throw "thrown"; }
          ];
        in [
          (map caught thrown)
          (caught good)
          (builtins.tryEval (builtins.deepSeq (touchstone.parse.storePath { path = good; }) 1))
          (touchstone.parse.storePath { path = good; } == touchstone.parse.storePath { path = good; })
          (let answer = touchstone.parse.storePath { path = good; }; in answer == answer)
        ]"#,
    );
    let no = json!({ "success": false, "value": false });
    assert_eq!(
        answer,
        json!([
            [no, no, no, no],
            { "success": true, "value": "good" },
            { "success": true, "value": 1 },
            true,
            true
        ])
    );
}

/// As the evaluator's own functions: a wrong argument is the author's mistake, and no configuration should hide it.
#[test]
fn try_eval_catches_neither_a_refusal_nor_an_abort() {
    let desk = Desk::new();
    for path in [
        r#""nothing of the store""#,
        "1",
        "x: x",
        "null",
        r#"builtins.abort "aborted""#,
    ] {
        desk.refusal(&format!(
            "builtins.tryEval (touchstone.parse.storePath {{ path = {path}; }})"
        ));
    }
}
