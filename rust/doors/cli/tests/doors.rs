//! The same request gives the same bytes through each door: a request file, the shorthand command, the Nix builder.

mod closures;
mod every;
mod refusals;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bootspec::shorthand::{
    bootspec_show, bootspec_synthesize, bootspec_upgrade, bootspec_validate,
};
use crate::checks::shorthand::{boot_space, boot_verify, closure_interpreters, closure_secrets};
use crate::policy::shorthand::{policy_create, policy_show, policy_sign};
use crate::real_nix::{RealNix, assert_same_tree};
use crate::reference::shorthand::{
    measure_compare, pcrlock_create, reference_check, reference_create,
};
use crate::shorthand::{
    boot_requests, boot_sign, eventlog_compare, eventlog_replay, eventlog_show, keys_auth,
    keys_esl, keys_generate, keys_inspect, keys_prepare, measure_parts, measure_predict,
    measure_uki, pe_digest, pe_prepare, pe_sign, pe_unsign, pe_verify, store_path, text, uki_build,
    uki_diff, uki_inspect, words,
};
use crate::support::{Work, event_log};

/// By which doors an operation is reached.
struct Doors {
    operation: &'static str,
    /// The shorthand command for a request, where there is one.
    shorthand: Option<fn(&Value) -> Vec<String>>,
    /// Whether a derivation's builder performs it (`doors.nix`).
    builder: bool,
}

impl Doors {
    const fn of(
        operation: &'static str,
        shorthand: Option<fn(&Value) -> Vec<String>>,
        builder: bool,
    ) -> Doors {
        Doors {
            operation,
            shorthand,
            builder,
        }
    }
}

/// Every operation. One that is missing here fails [`every_operation_is_tested_at_every_door`].
const OPERATIONS: &[Doors] = &[
    Doors::of("bootspec.emit", None, true),
    Doors::of("bootspec.validate", Some(bootspec_validate), true),
    Doors::of("bootspec.upgrade", Some(bootspec_upgrade), false),
    Doors::of("bootspec.synthesize", Some(bootspec_synthesize), false),
    Doors::of("bootspec.show", Some(bootspec_show), false),
    Doors::of("uki.assemble", Some(uki_build), true),
    Doors::of("uki.inspect", Some(uki_inspect), false),
    Doors::of("uki.diff", Some(uki_diff), false),
    Doors::of("pe.sign", Some(pe_sign), true),
    Doors::of("pe.prepare", Some(pe_prepare), true),
    Doors::of("pe.unsign", Some(pe_unsign), true),
    Doors::of("pe.digest", Some(pe_digest), false),
    Doors::of("pe.verify", Some(pe_verify), false),
    Doors::of("measure.uki", Some(measure_uki), false),
    Doors::of("measure.parts", Some(measure_parts), false),
    Doors::of("measure.predict", Some(measure_predict), true),
    Doors::of("measure.compare", Some(measure_compare), true),
    Doors::of("reference.create", Some(reference_create), true),
    Doors::of("reference.check", Some(reference_check), false),
    Doors::of("pcrlock.create", Some(pcrlock_create), true),
    Doors::of("eventlog.show", Some(eventlog_show), false),
    Doors::of("eventlog.replay", Some(eventlog_replay), false),
    Doors::of("eventlog.compare", Some(eventlog_compare), false),
    Doors::of("policy.create", Some(policy_create), true),
    Doors::of("policy.sign", Some(policy_sign), true),
    Doors::of("policy.show", Some(policy_show), false),
    Doors::of("manifest.create", None, true),
    Doors::of("manifest.sign", None, true),
    Doors::of("boot.artifacts", None, true),
    Doors::of("boot.requests", Some(boot_requests), true),
    Doors::of("boot.sign", Some(boot_sign), true),
    Doors::of("boot.verify", Some(boot_verify), true),
    Doors::of("boot.space", Some(boot_space), true),
    Doors::of("store.path", Some(store_path), false),
    Doors::of("closure.verify", Some(closures::verify), false),
    Doors::of("closure.sign", Some(closures::sign), false),
    Doors::of("closure.manifest", Some(closures::manifest), false),
    Doors::of("closure.secrets", Some(closure_secrets), true),
    Doors::of("closure.interpreters", Some(closure_interpreters), true),
    Doors::of("closure.export", Some(closures::export), false),
    Doors::of("closure.import", Some(closures::import), false),
    Doors::of("closure.registration", Some(closures::registration), false),
    Doors::of("keys.generate", Some(keys_generate), false),
    Doors::of("keys.esl", Some(keys_esl), true),
    Doors::of("keys.prepare", Some(keys_prepare), true),
    Doors::of("keys.auth", Some(keys_auth), true),
    Doors::of("keys.inspect", Some(keys_inspect), false),
];

/// Where the doors write.
const OUTPUT: &str = "output";

/// The schemas that the program prints.
struct Schemas {
    request: jsonschema::Validator,
    answer: jsonschema::Validator,
}

impl Schemas {
    fn of(work: &Work, operation: &str) -> Schemas {
        let schemas = work.json(["schema", operation]);
        let validator = |schema: &Value| jsonschema::validator_for(schema).unwrap();
        Schemas {
            request: validator(&schemas["request"]),
            answer: validator(&schemas["answer"]),
        }
    }
}

fn assert_valid(validator: &jsonschema::Validator, what: &str, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:?} in {value}");
}

/// Puts values in the place of what only a builder can resolve.
fn resolved(request: &Value, output: &Path, closure: &Value) -> Value {
    let mut request = request.clone();
    let fields = request.as_object_mut().unwrap();
    for (field, reference, value) in [
        ("output", json!({ "$output": "out" }), json!(output)),
        (
            "closure",
            json!({ "$attribute": "closure" }),
            closure.clone(),
        ),
    ] {
        if let Some(found) = fields.get_mut(field) {
            assert_eq!(*found, reference, "{field}");
            *found = value;
        }
    }
    request
}

/// Runs the static program beside the store; the answer is what it printed.
fn run(nix: &RealNix, arguments: &[String], input: &str) -> String {
    let mut command = nix.touchstone_beside_store();
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn remove_output(nix: &RealNix) {
    let output = nix.work.path(OUTPUT);
    if output.is_dir() {
        std::fs::remove_dir_all(output).unwrap();
    } else if output.exists() {
        std::fs::remove_file(output).unwrap();
    }
}

#[test]
fn every_operation_is_tested_at_every_door() {
    let work = Work::new();
    let printed = work.done(["schema"]);
    let mut known: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut tested: Vec<&str> = OPERATIONS.iter().map(|doors| doors.operation).collect();
    known.sort_unstable();
    tested.sort_unstable();
    assert_eq!(known, tested);
}

#[test]
fn the_same_request_gives_the_same_bytes_through_each_door() {
    let nix = RealNix::new();
    let requests = nix.evaluate("requests");
    let built = OPERATIONS.iter().filter(|doors| doors.builder);
    let attributes: Vec<String> = built
        .clone()
        .map(|doors| format!("derivations.\"{}\"", doors.operation))
        .collect();
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let paths = nix.build("store", &attributes);
    let closure = references_graph(&nix);
    let output = nix.work.path(OUTPUT);

    for (doors, path) in built.zip(paths) {
        let operation = doors.operation;
        let request = resolved(&requests[operation], &output, &closure);
        let schemas = Schemas::of(&nix.work, operation);
        assert_valid(&schemas.request, operation, &request);
        assert_unknown_fields_are_refused(&nix, &schemas, &request);
        let by_builder = nix.store("store").on_host(&path);

        let answer = run(&nix, &words(["run", "-"]), &request.to_string());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_valid(&schemas.answer, operation, &answer);
        assert_same_tree(&format!("{operation}: run, builder"), &output, &by_builder);
        remove_output(&nix);

        let Some(shorthand) = doors.shorthand else {
            continue;
        };
        let mut without_operation = request.clone();
        without_operation
            .as_object_mut()
            .unwrap()
            .shift_remove("operation");
        nix.work
            .write("request.json", without_operation.to_string());
        nix.work
            .write("measure.json", request["measure"].to_string());
        let printed = run(&nix, &shorthand(&request), "");
        if !printed.is_empty() {
            let printed: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(printed, answer, "{operation}");
        }
        let between = format!("{operation}: shorthand, builder");
        assert_same_tree(&between, &output, &by_builder);
        remove_output(&nix);
    }
}

/// A misspelt field is never passed over: by the schema's word, and in fact.
fn assert_unknown_fields_are_refused(nix: &RealNix, schemas: &Schemas, request: &Value) {
    let mut misspelt = request.clone();
    misspelt["noSuchField"] = json!(1);
    assert!(!schemas.request.is_valid(&misspelt), "{misspelt}");
    let mut command = nix.touchstone_beside_store();
    nix.work.write("request.json", misspelt.to_string());
    let output = command.args(["run", "request.json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("noSuchField") && said.contains("[request.malformed]"),
        "{said}"
    );
    assert!(!nix.work.path(OUTPUT).exists());
}

/// What `exportReferencesGraph` tells a builder, from what `nix path-info` tells a person.
pub fn references_graph(nix: &RealNix) -> Value {
    let toplevel = nix.evaluate("toplevel");
    let fields = ["path", "narHash", "narSize", "references", "ca"];
    let of_builder = |info: Value| -> Value {
        let Value::Object(all) = info else {
            panic!("{info} is no object")
        };
        let kept = all
            .into_iter()
            .filter(|(name, value)| fields.contains(&name.as_str()) && !value.is_null());
        Value::Object(kept.collect())
    };
    nix.closure(toplevel.as_str().unwrap())
        .into_iter()
        .map(of_builder)
        .collect()
}

#[test]
fn the_same_question_gives_the_same_answer_through_each_door() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.done([
        "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--output", "uki.efi",
    ]);
    work.keys("keys");
    let sign = [
        "pe",
        "sign",
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
    ];
    work.done([&sign[..], &["--output", "signed.efi", "uki.efi"]].concat());
    let sign = ["policy", "sign", "--uki", "uki.efi", "--key", "keys/db.key"];
    work.done([&sign[..], &["--output", "signatures"]].concat());
    crate::reference::with_documents(&work);
    work.write("level", "sbat,1,2026010100\nsystemd-stub,1\n");
    let log = event_log("ovmf-2025.02");
    work.write("userspace.log", crate::eventlog::phase(11, "enter-initrd"));
    let predict = ["measure", "predict", "--json", "predict.json"];
    work.write(
        "predict.json",
        r#"{"uki":"uki.efi","measure":{"pcrs":[11]}}"#,
    );
    work.write("prediction.json", work.done(predict));
    work.write(
        "pcrs.json",
        r#"{"11":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#,
    );
    crate::bootspec::with_documents(&work);
    let requests = [
        json!({ "operation": "bootspec.validate", "files": ["boot.json", "toplevel"] }),
        json!({ "operation": "bootspec.upgrade", "file": "boot.json", "withoutInitrdSecrets": true,
            "initrds": [crate::bootspec::store("more")], "devicetree": crate::bootspec::store("a.dtb"), "fdtdir": crate::bootspec::store("dtbs") }),
        json!({ "operation": "bootspec.show", "file": "toplevel" }),
        json!({ "operation": "eventlog.show", "file": log }),
        json!({ "operation": "eventlog.show", "file": log, "banks": ["sha256"] }),
        json!({ "operation": "eventlog.replay", "file": log, "banks": ["sha1", "sha512"] }),
        json!({ "operation": "eventlog.replay", "file": event_log("locality") }),
        json!({ "operation": "eventlog.show", "file": log, "userspace": "userspace.log" }),
        json!({ "operation": "eventlog.replay", "file": log, "userspace": "userspace.log" }),
        json!({ "operation": "eventlog.compare", "file": log, "predictions": ["prediction.json"] }),
        json!({ "operation": "eventlog.compare", "file": log, "userspace": "userspace.log", "predictions": ["prediction.json"],
            "known": ["prediction.json"], "knownImages": ["uki.efi", "stub"], "knownLists": ["keys/db.esl"], "pcrs": "pcrs.json" }),
        json!({ "operation": "closure.secrets", "paths": ["keys", "level"] }),
        json!({ "operation": "closure.secrets", "paths": [work.path("keys")], "allow": ["/**/*.key"], "tpmBound": true }),
        json!({ "operation": "keys.inspect", "files": ["keys/db.auth", "keys/KEK.pem"] }),
        json!({ "operation": "pe.digest", "file": "uki.efi" }),
        json!({ "operation": "store.path", "path": "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-linux-6.12/bzImage" }),
        json!({ "operation": "measure.compare", "expected": "one.json", "actual": "other.json" }),
        json!({ "operation": "reference.check", "document": "reference.json", "values": "values-one.json" }),
        json!({ "operation": "reference.check", "document": "reference.json", "values": "values-other.json" }),
        json!({ "operation": "policy.show", "file": "signatures", "publicKey": "keys/db.pem" }),
        json!({ "operation": "policy.show", "file": "signatures", "publicKey": "keys/KEK.pem" }),
        json!({ "operation": "pe.verify", "file": "vmlinuz", "certificates": ["keys/db.pem", "keys/KEK.pem"] }),
        json!({ "operation": "pe.verify", "file": "signed.efi", "db": "keys/db.esl", "dbx": "keys/KEK.esl", "sbatLevel": "level" }),
        json!({ "operation": "measure.uki", "file": "uki.efi", "banks": ["sha1", "sha256"] }),
        json!({ "operation": "measure.parts", "ukis": { "1": { "stub": "stub", "linux": "vmlinuz", "cmdline": "quiet" } } }),
        json!({ "operation": "uki.inspect", "file": "uki.efi", "banks": ["sha1", "sha256"] }),
        json!({ "operation": "uki.diff", "a": "uki.efi", "b": "uki.efi" }),
        json!({ "operation": "uki.diff", "a": "uki.efi", "b": "stub" }),
    ];
    for request in requests {
        let operation = text(&request, "operation");
        let doors = OPERATIONS
            .iter()
            .find(|doors| doors.operation == operation)
            .unwrap();
        let schemas = Schemas::of(&work, operation);
        assert_valid(&schemas.request, operation, &request);
        work.write("request.json", request.to_string());
        let answer = work.json(["run", "request.json"]);
        assert_valid(&schemas.answer, operation, &answer);
        let shorthand = doors.shorthand.unwrap();
        let output = work.touchstone(shorthand(&request));
        let by_command: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(by_command, answer, "{operation}");
        // A verdict in the negative is told by the status of the command; a request has been answered.
        let negative = [
            "equal",
            "boots",
            "holds",
            "fits",
            "admitted",
            "unchanged",
            "clean",
            "verified",
        ]
        .iter()
        .any(|verdict| answer[verdict] == false);
        let status = if negative { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(status), "{operation}");
    }
}

/// The one operation whose answer is random: both doors make the same files, and no two runs the same keys.
#[test]
fn keys_of_each_door_have_the_same_shape() {
    let work = Work::new();
    let schemas = Schemas::of(&work, "keys.generate");
    let request = json!({ "operation": "keys.generate", "output": "by-request", "test": true });
    assert_valid(&schemas.request, "keys.generate", &request);
    work.write("request.json", request.to_string());
    let answer = work.json(["run", "request.json"]);
    assert_valid(&schemas.answer, "keys.generate", &answer);
    work.done(keys_generate(
        &json!({ "output": "by-command", "test": true }),
    ));
    let names = |folder: &str| -> Vec<_> {
        let tree = crate::real_nix::tree(&work.path(folder));
        tree.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("by-request"), names("by-command"));
    assert_eq!(names("by-request").len(), 13);
    assert_ne!(
        work.read("by-request/db.key"),
        work.read("by-command/db.key")
    );
}
