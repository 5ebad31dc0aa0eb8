//! `touchstone reference`: who is admitted, who is not, and what is refused.

use serde_json::{Value, json};

use super::Kept;
use crate::support::Work;

/// The document of three generations, with two phases each.
fn three() -> Kept {
    let kept = Kept::new(3, &["", "enter-initrd"]);
    let create = ["reference", "create", "--output", "reference.json"].map(str::to_owned);
    kept.work.done([&create[..], &kept.options(3)].concat());
    kept
}

/// Judges a machine with these values; the answer and the exit status.
fn judge(work: &Work, values: &Value) -> (Value, Option<i32>) {
    work.write("values.json", json!({ "pcrs": values }).to_string());
    let check = [
        "reference",
        "check",
        "reference.json",
        "--pcrs",
        "values.json",
        "--json",
    ];
    let output = work.touchstone(check);
    let answer = serde_json::from_slice(&output.stdout);
    (answer.unwrap_or_default(), output.status.code())
}

#[test]
fn a_machine_is_admitted_by_the_generation_that_it_booted_and_by_no_other() {
    let kept = three();
    for name in ["1", "2", "3"] {
        let (answer, status) = judge(&kept.work, &kept.leaf(name)["pcrs"]);
        assert_eq!((answer["admitted"] == true, status), (true, Some(0)));
        assert_eq!(answer["by"].as_array().unwrap().len(), 1);
        assert_eq!(answer["by"][0]["generation"], name);
    }
}

#[test]
fn a_mixture_of_generations_is_not_admitted_and_is_told_as_one() {
    let kept = three();
    let mut mixture = kept.leaf("1")["pcrs"].clone();
    mixture["11"] = kept.leaf("3")["pcrs"]["11"].clone();
    let (answer, status) = judge(&kept.work, &mixture);
    assert_eq!((answer["admitted"] == false, status), (true, Some(3)));
    assert_eq!(answer["nearest"]["generation"], "1");
    let differs = answer["nearest"]["differs"].as_array().unwrap();
    assert_eq!(differs.len(), 2, "one in each bank");
    assert!(
        differs
            .iter()
            .all(|one| one["pcr"] == 11 && one["foundIn"] == json!(["3"]))
    );

    let printed = kept.work.touchstone([
        "reference",
        "check",
        "reference.json",
        "--pcrs",
        "values.json",
    ]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.starts_with("not admitted; nearest is 1: "),
        "{printed}"
    );
    assert!(printed.contains("which is that of 3"), "{printed}");
}

#[test]
fn a_value_that_is_missing_is_refused_and_not_passed_over() {
    let kept = three();
    let mut values = kept.leaf("1")["pcrs"].clone();
    values["7"].as_object_mut().unwrap().shift_remove("sha256");
    assert_eq!(judge(&kept.work, &values).1, Some(1));
}

#[test]
fn the_document_is_the_same_each_time_and_what_its_schema_says() {
    let kept = three();
    let create = ["reference", "create", "--output", "again.json"].map(str::to_owned);
    kept.work.done([&create[..], &kept.options(3)].concat());
    assert_eq!(
        kept.work.read("reference.json"),
        kept.work.read("again.json")
    );
    let document: Value = serde_json::from_slice(&kept.work.read("reference.json")).unwrap();
    assert_eq!(
        (&document["format"], &document["version"]),
        (&json!("touchstone-reference"), &json!(1))
    );
    let names: Vec<&Value> = document["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["1", "2", "3"]);
    assert_eq!(
        document["values"]["11"]["sha256"].as_array().unwrap().len(),
        6
    );
    let schema = kept.work.json(["schema", "reference.create"]);
    let schema = jsonschema::validator_for(&schema["document"]).unwrap();
    assert!(schema.is_valid(&document));
    assert!(!schema.is_valid(&json!({ "format": "touchstone-reference" })));
}

#[test]
fn what_contradicts_itself_or_is_no_prediction_is_refused() {
    let kept = Kept::new(1, &[""]);
    let work = &kept.work;
    let mut prediction: Value = serde_json::from_slice(&work.read("1.json")).unwrap();
    prediction["leaves"][0]["measurements"][0]["digest"] = json!("00".repeat(20));
    work.write("changed.json", prediction.to_string());
    for (option, facts) in [
        (
            "1=changed.json",
            ["[reference.refused]", "contradicts itself"],
        ),
        (
            "../1=1.json",
            ["[reference.refused]", "cannot be a generation's name"],
        ),
        (
            "1=request.json",
            ["[input.text]", "the prediction is not usable"],
        ),
        ("1=missing.json", ["[input.unreadable]", "missing.json"]),
    ] {
        let output = work.touchstone([
            "reference",
            "create",
            "--generation",
            option,
            "--output",
            "document",
        ]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(facts.iter().all(|fact| said.contains(fact)), "{said}");
        assert!(!work.path("document").exists());
    }
}

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let kept = Kept::new(2, &[""]);
    let work = &kept.work;
    for (name, file) in [("1", "41.json"), ("2", "42.json")] {
        work.write(file, work.read(&format!("{name}.json")));
    }
    let machine = json!({ "pcrs": kept.leaf("2")["pcrs"] });
    work.write("machine.json", machine.to_string());
    work.follow(include_str!("../../../../../docs/reference.md"));
    for policy in ["policy.json", "policies/41.json", "policies/42.json"] {
        let policy: Value = serde_json::from_slice(&work.read(policy)).unwrap();
        assert!(policy["11"].is_array(), "{policy}");
    }
}
