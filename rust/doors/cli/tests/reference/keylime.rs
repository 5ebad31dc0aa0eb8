//! Policies for Keylime, judged by Keylime's own verifier: by values, and by a quote of a TPM.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_harness::WITH_TPM;
use touchstone_harness::nix::output;

use super::Kept;

const COUNT: usize = 3;

/// What Keylime says: of each policy how it reads it, of each pair of policy and values (or quote) why it fails; nothing when admitted.
type Said = BTreeMap<String, Value>;

/// Kept generations with one policy for all, `joint`, and one for each, `split/N`.
fn with_policies() -> Kept {
    let kept = Kept::new(COUNT, &[""]);
    for (format, options, name) in [
        ("keylime", vec!["--mixtures"], "joint"),
        ("keylime-verifier", vec!["--mixtures"], "masked"),
        ("keylime", vec!["--split"], "split"),
    ] {
        let create = [
            &["reference", "create", "--format", format, "--output", name][..],
            &options,
        ];
        let create: Vec<String> = create.concat().into_iter().map(str::to_owned).collect();
        kept.work.done([create, kept.options(COUNT)].concat());
    }
    kept
}

/// Lets Keylime judge what `question` asks.
fn keylime(kept: &Kept, question: &Value) -> Said {
    let work = &kept.work;
    let packages = work.inputs.keylime.as_ref();
    let packages = packages.expect("Keylime is not there: run `cargo xtask setup`");
    work.write("question.json", question.to_string());
    work.write("verifier.py", include_str!("verifier.py"));
    let visit = work.inside(work.inputs.trixie().visit()).show(packages);
    let mut command = visit.command("python3").unwrap();
    command.args(["verifier.py", "question.json", "answer.json"]);
    command.env("PYTHONPATH", packages);
    command.envs([("PYTHONDONTWRITEBYTECODE", "1"), ("KEYLIME_DIR", "/tmp")]);
    output(command).unwrap();
    serde_json::from_slice(&work.read("answer.json")).unwrap()
}

/// A leaf's values in the bank that is quoted.
fn values(leaf: &Value) -> Value {
    let pcrs = leaf["pcrs"].as_object().unwrap().iter();
    pcrs.map(|(pcr, banks)| (pcr.clone(), banks["sha256"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn policies() -> Vec<String> {
    let split = (1..=COUNT).map(|number| format!("split/{number}.json"));
    ["joint".to_owned()].into_iter().chain(split).collect()
}

#[test]
fn keylime_admits_every_generation_and_no_stranger() {
    let kept = with_policies();
    let mut machines = serde_json::Map::new();
    for number in 1..=COUNT {
        let name = number.to_string();
        machines.insert(name.clone(), values(&kept.leaf(&name)));
    }
    let mut stranger = values(&kept.leaf("1"));
    stranger["11"] = json!("11".repeat(32));
    let mut mixture = values(&kept.leaf("1"));
    mixture["11"] = machines["2"]["11"].clone();
    let mut short = values(&kept.leaf("1"));
    short.as_object_mut().unwrap().shift_remove("7");
    machines.extend([
        ("stranger".to_owned(), stranger),
        ("mixture".to_owned(), mixture),
        ("short".to_owned(), short),
    ]);
    let said = keylime(
        &kept,
        &json!({ "policies": policies(), "values": machines }),
    );
    // As the tenant reads the policy, and adds the mask.
    let masked: Value = serde_json::from_slice(&kept.work.read("masked")).unwrap();
    assert_eq!(said["read joint"], masked);
    for (machine, admitting) in [
        ("1", vec!["joint", "split/1.json"]),
        ("2", vec!["joint", "split/2.json"]),
        ("3", vec!["joint", "split/3.json"]),
        // Keylime looks at each register by itself: the reason why a joint policy must be asked for expressly.
        ("mixture", vec!["joint"]),
        ("stranger", vec![]),
        ("short", vec![]),
    ] {
        for policy in policies() {
            let failures = &said[&format!("{policy} {machine}")];
            let admitted = failures.as_array().unwrap().is_empty();
            assert_eq!(
                admitted,
                admitting.contains(&policy.as_str()),
                "{policy}, {machine}: {failures}"
            );
        }
    }
    let why = |machine: &str| said[&format!("joint {machine}")].to_string();
    assert!(
        why("stranger").contains("invalid_pcr_11"),
        "{}",
        why("stranger")
    );
    assert!(why("short").contains("missing_pcrs"), "{}", why("short"));
}

/// A TPM that was extended with what is predicted, and signed what it holds.
#[test]
fn keylime_admits_the_quote_of_a_tpm_that_measured_the_prediction() {
    let kept = with_policies();
    let work = &kept.work;
    work.write("with-tpm.sh", WITH_TPM);
    let leaf = kept.leaf("2");
    let extended = leaf["measurements"].as_array().unwrap().iter();
    let extended = extended.filter(|one| one["digest"].as_str().unwrap().len() == 64);
    let mut script: String = extended
        .map(|one| {
            format!(
                "tpm2_pcrextend {}:sha256={}\n",
                one["pcr"],
                one["digest"].as_str().unwrap()
            )
        })
        .collect();
    script.push_str(
        "tpm2_createek --quiet -c ek.ctx -G rsa; flush
         tpm2_createak --quiet -C ek.ctx -c ak.ctx -G rsa -g sha256 -s rsassa -u ak.pub >/dev/null; flush
         tpm2_quote --quiet -c ak.ctx -l sha256:4,7,9,11,12,13 -q $(printf nonce | od -An -tx1 | tr -d ' \\n') -g sha256 -m message -s signature -o registers",
    );
    let visit = work.inside(work.inputs.trixie().visit());
    let mut command = visit.command("bash").unwrap();
    command.args(["with-tpm.sh", "tpm", &script]);
    output(command).unwrap();
    let said = keylime(&kept, &json!({ "policies": policies(), "quote": "nonce" }));
    for policy in policies() {
        let failures = &said[&format!("{policy} quote")];
        let admits = ["joint", "split/2.json"].contains(&policy.as_str());
        assert_eq!(
            failures.as_array().unwrap().is_empty(),
            admits,
            "{policy}: {failures}"
        );
    }
}

#[test]
fn a_policy_that_admits_mixtures_is_refused_unless_they_are_accepted() {
    let kept = Kept::new(2, &[""]);
    let create = [
        "reference",
        "create",
        "--format",
        "keylime",
        "--output",
        "policy",
    ];
    let create = create.map(str::to_owned);
    let output = kept
        .work
        .touchstone([&create[..], &kept.options(2)].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("would admit 8 combinations of values where the predictions have 2"),
        "{said}"
    );
    assert!(!kept.work.path("policy").exists());
}
