//! Files are read as the evaluator reads them: what it may not see, no request sees.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::{Desk, Said, bootspec};

/// Derivations whose builder is the static program.
const BUILT: &str = r#"
    built = fields: derivation ({
      name = "built";
      system = "x86_64-linux";
      builder = "${./touchstone}";
      args = [ "builder" ];
      __structuredAttrs = true;
      request = generation { } // { operation = "bootspec.emit"; output."$output" = "out"; };
    } // fields);
"#;

#[test]
fn what_a_derivation_makes_is_built_when_it_is_read() {
    let desk = desk();
    let answer = desk.evaluate(&with_built(
        r#"
        let
          drv = built { };
          shown = touchstone.parse.bootspec { file = drv; };
        in {
          label = shown.generation.label;
          contexts = contexts shown == [ (getContext "${drv}") ];
        }"#,
    ));
    assert_eq!(answer.status, Some(0), "{answer:?}");
    assert!(
        answer.messages.contains("building '/nix/store/"),
        "{answer:?}"
    );
    let value: serde_json::Value = serde_json::from_str(&answer.output).unwrap();
    assert_eq!(value, json!({ "label": "a label", "contexts": true }));
}

#[test]
fn what_is_named_and_not_read_is_not_built() {
    let desk = desk();
    let answer = desk.evaluate(&with_built(
        r#"
        let drv = built { builder = "/nowhere"; };
        in [
          (touchstone.parse.storePath { path = drv; }).name
          (touchstone.bootspec (generation { kernel = "${drv}/bzImage"; })).document."org.nixos.bootspec.v2".label
        ]"#,
    ));
    assert_eq!(answer.value(), json!(["built", "a label"]));
}

/// Of a request that names many derivations, those are built whose files are read.
#[test]
fn of_several_derivations_those_are_built_that_are_read() {
    let desk = desk();
    let answer = desk.evaluate(&with_built(
        r#"
        let
          read = built { };
          other = unbuilt { name = "other"; };
          shown = touchstone.parse.bootspec { file = { outPath = "${builtins.substring 0 0 "${other}"}${read}"; }; };
        in contexts shown == [ (getContext "${read}${other}") ]"#,
    ));
    // One string has the contexts of both: as `readFile`, this builds both, and fails with the one that cannot be built.
    assert_eq!(answer.status, Some(100), "{answer:?}");
    assert!(answer.messages.contains("-other.drv' failed"), "{answer:?}");
    let answer = desk.evaluate(&with_built(
        r#"
        let
          read = built { };
          other = unbuilt { name = "other"; };
          request = builtins.appendContext (builtins.unsafeDiscardStringContext (builtins.toJSON { operation = "bootspec.show"; file = "${read}"; })) (getContext "${read}");
        in (builtins.fromJSON (builtins.unsafeDiscardStringContext (touchstone.run request))).generation.label"#,
    ));
    assert_eq!(answer.status, Some(0), "{answer:?}");
    assert_eq!(answer.output.trim(), r#""a label""#);
}

#[test]
fn a_build_that_fails_ends_as_it_does_for_the_evaluators_own_functions() {
    let desk = desk();
    let expression = |call: &str| {
        with_built(&format!(
            r#"let drv = built {{ request = {{ operation = "nothing.known"; }}; }}; in {call}"#
        ))
    };
    let ours = desk.evaluate(&expression("touchstone.parse.bootspec { file = drv; }"));
    let theirs = desk.evaluate(&expression(r#"builtins.readFile "${drv}""#));
    assert_eq!(ours.status, theirs.status);
    for said in [ours, theirs] {
        assert!(said.messages.contains("nothing.known"), "{said:?}");
        assert!(
            said.messages.contains("builder for '/nix/store/"),
            "{said:?}"
        );
    }
}

#[test]
fn without_import_from_derivation_nothing_is_built() {
    let desk = desk();
    let forbidden = ["--option", "allow-import-from-derivation", "false"];
    let said = desk.evaluate_with(
        &forbidden,
        &with_built("touchstone.parse.bootspec { file = built { }; }"),
    );
    let message = said.refusal();
    assert!(
        message.contains("allow-import-from-derivation"),
        "{message}"
    );
    assert!(!message.contains("building '"), "{message}");
    let sources = desk.evaluate_with(
        &forbidden,
        &with_built("(touchstone.parse.bootspec { file = ./boot.json; }).versions"),
    );
    assert_eq!(sources.value(), json!([1]));
}

#[test]
fn pure_evaluation_shows_what_has_context_and_nothing_else() {
    let desk = desk();
    let mut add = desk.command("nix-store");
    add.arg("--add").arg(desk.path("boot.json"));
    let stored = desk.run(add).output.trim().to_owned();
    let hidden = desk.path("boot.json").display().to_string();
    let show = |file: &str| {
        desk.pure(&format!(
            "(builtins.touchstone.parse.bootspec {{ file = {file}; }}).generation.label"
        ))
    };
    for file in [
        format!("\"{hidden}\""),
        hidden,
        format!("\"{stored}\""),
        format!("\"{stored}/../../../etc/passwd\""),
        "\"/etc/passwd\"".to_owned(),
        "\"/proc/self/environ\"".to_owned(),
    ] {
        let said = show(&file).refusal();
        assert!(
            said.contains("is forbidden in pure evaluation mode"),
            "{file}: {said}"
        );
    }
    let text = bootspec("").replace('"', "\\\"");
    let answer = show(&format!("builtins.toFile \"boot.json\" \"{text}\""));
    assert_eq!(answer.value(), json!("a label"));
}

#[test]
fn restricted_evaluation_shows_the_search_path_and_nothing_else() {
    let desk = desk();
    let restricted = |file: &str| {
        let expression =
            format!("(builtins.touchstone.parse.bootspec {{ file = {file}; }}).versions");
        let mut command = desk.command("nix-instantiate");
        command.args([
            "--eval",
            "--strict",
            "--json",
            "--read-write-mode",
            "--restrict-eval",
        ]);
        command
            .arg("-I")
            .arg(format!("shown={}", desk.path("shown").display()));
        desk.run_with(command, &["--expr", &expression])
    };
    assert_eq!(restricted("<shown/boot.json>").value(), json!([1]));
    let hidden = desk.path("boot.json").display().to_string();
    for file in [format!("\"{hidden}\""), hidden] {
        let said = restricted(&file).refusal();
        assert!(said.contains("is forbidden in restricted mode"), "{said}");
    }
}

/// A link inside of a store path is followed by the evaluator's rules, also where an operation finds it below a folder.
#[test]
fn a_link_out_of_the_store_leads_nowhere_in_pure_evaluation() {
    let desk = desk();
    let secret = desk.path("secret/boot.json");
    desk.write("secret/boot.json", bootspec(""));
    fs::create_dir(desk.path("links")).unwrap();
    symlink(&secret, desk.path("links/boot.json")).unwrap();
    symlink(desk.path("secret"), desk.path("links/folder")).unwrap();
    let folder = desk.in_pure_store("links");
    for file in ["/boot.json", "", "/folder/boot.json", "/folder"] {
        let said = desk.pure(&format!(
            "(builtins.touchstone.parse.bootspec {{ file = \"${{{folder}}}{file}\"; }}).versions"
        ));
        let message = said.refusal();
        assert!(
            message.contains("is forbidden in pure evaluation mode"),
            "{file}: {message}"
        );
    }
}

#[test]
fn a_link_inside_of_the_store_is_followed() {
    let desk = desk();
    desk.write("tree/real/boot.json", bootspec(""));
    symlink("real", desk.path("tree/folder")).unwrap();
    symlink("folder/boot.json", desk.path("tree/boot.json")).unwrap();
    let folder = desk.in_pure_store("tree");
    for file in [
        "",
        "/boot.json",
        "/folder",
        "/folder/boot.json",
        "/folder/../boot.json",
    ] {
        let said = desk.pure(&format!(
            "(builtins.touchstone.parse.bootspec {{ file = \"${{{folder}}}{file}\"; }}).versions"
        ));
        assert_eq!(said.value(), json!([1]), "{file}");
    }
}

/// Where the store is not at `/nix/store` of the file system, requests and answers still say so.
#[test]
fn a_store_elsewhere_is_read_where_it_is() {
    let desk = desk();
    let elsewhere = desk.path("elsewhere");
    let arguments = ["--store", elsewhere.to_str().unwrap()];
    let said = desk.evaluate_with(
        &arguments,
        &with_built(
            r#"
            let
              file = "${./boot.json}";
              folder = "${./folder}";
              built' = built { };
            in {
              read = (touchstone.parse.bootspec { inherit file; }).versions;
              built = (touchstone.parse.bootspec { file = built'; }).generation.label;
              refused = touchstone.run (builtins.toJSON { operation = "bootspec.validate"; files = [ file ]; });
              inherit file;
            }"#,
        ),
    );
    assert_eq!(said.status, Some(0), "{said:?}");
    let value: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!(value["read"], json!([1]));
    assert_eq!(value["built"], "a label");
    let file = value["file"].as_str().unwrap();
    assert!(file.starts_with("/nix/store/"), "{file}");
    let refused = value["refused"].as_str().unwrap();
    assert!(
        refused.contains(file) && !refused.contains("elsewhere"),
        "{refused}"
    );
    assert!(elsewhere.join(file.trim_start_matches('/')).exists());
}

/// A text without context is looked for in the evaluator's store, wherever that lies.
#[test]
fn a_text_that_names_a_path_of_a_store_elsewhere_is_read_there() {
    let desk = desk();
    let elsewhere = desk.path("elsewhere");
    let said = desk.evaluate_with(
        &["--store", elsewhere.to_str().unwrap()],
        r#"
        let text = value: builtins.unsafeDiscardStringContext "${value}";
        in map (file: (builtins.touchstone.parse.bootspec { inherit file; }).versions) [
          (text ./boot.json)
          (text ./shown)
          "${text ./shown}/boot.json"
        ]"#,
    );
    assert_eq!(said.value(), json!([[1], [1], [1]]));
}

/// What lies there and is a link is none of what the evaluator has followed.
#[test]
fn a_text_that_names_a_link_in_a_store_elsewhere_leads_out_of_it_nowhere() {
    let desk = desk();
    fs::create_dir(desk.path("links")).unwrap();
    symlink(desk.path("shown"), desk.path("links/folder")).unwrap();
    let elsewhere = desk.path("elsewhere");
    let said = desk.evaluate_with(
        &["--store", elsewhere.to_str().unwrap()],
        r#"
        let links = builtins.unsafeDiscardStringContext "${./links}";
        in builtins.touchstone.parse.bootspec { file = "${links}/folder/boot.json"; }"#,
    );
    let message = said.refusal();
    assert!(message.contains("[input.unreadable]"), "{message}");
}

/// What has no path before it is built is read where it turns out to be.
#[test]
fn an_output_whose_path_is_not_known_yet_is_read() {
    let desk = desk();
    let said = desk.evaluate_with(
        &["--option", "extra-experimental-features", "ca-derivations"],
        &with_built(
            r#"
            let
              floating = built { __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; };
              shown = touchstone.parse.bootspec { file = floating; };
            in [
              shown.generation.label
              (contexts shown == [ (getContext "${floating}") ])
              (builtins.substring 0 11 "${floating}" == "/nix/store/")
            ]"#,
        ),
    );
    assert_eq!(said.status, Some(0), "{said:?}");
    let value: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!(value, json!(["a label", true, false]));
}

fn with_built(expression: &str) -> String {
    format!("with import ./prelude.nix; let {BUILT} in {expression}")
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.copy(desk.inputs.touchstone.as_ref().unwrap(), "touchstone");
    desk.write("boot.json", bootspec(""));
    desk.write("shown/boot.json", bootspec(""));
    desk.write("folder/file", "");
    desk
}

impl Desk {
    /// Evaluates an expression purely: it may import nothing.
    fn pure(&self, expression: &str) -> Said {
        let mut command = self.command("nix");
        command.args(["eval", "--json", "--pure-eval", "--expr", expression]);
        self.run(command)
    }

    /// The expression by which pure evaluation is given a folder.
    fn in_pure_store(&self, name: &str) -> String {
        let mut hash = self.command("nix");
        hash.args(["hash", "path"]).arg(self.path(name));
        let hash = self.run(hash).output;
        let path = self.path(name);
        format!(
            "(builtins.fetchTree {{ type = \"path\"; path = \"{}\"; narHash = \"{}\"; }})",
            path.display(),
            hash.trim()
        )
    }
}
