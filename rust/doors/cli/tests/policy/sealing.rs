//! Secrets sealed to a policy of 120 outcomes: a TPM gives them to each of these, by the path that the policy names, and to
//! no other.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{P256, RSA_2048, key_pair, with_tpm};
use crate::support::Work;

/// Forty generations, each with two specialisations.
const GENERATIONS: u32 = 40;
const CHOICES: [&[&str]; 3] = [&[], &["specialisation a"], &["specialisation b"]];
const PCRS: [u32; 4] = [7, 11, 12, 13];

/// How a machine starts again: the simulator's own word for it (`CMD_INIT`), for its tool is not in the root. And what a
/// session does that unseals.
const WORDS: &str = r#"
reboot() {
  tpm2_shutdown --clear
  exec 3<>"/dev/tcp/127.0.0.1/$((port + 1))"
  printf '\0\0\0\2\0\0\0\0' >&3
  head -c 4 <&3 >/dev/null
  exec 3>&-
  tpm2_startup --clear
}

# seal POLICY HASH: at 0x81000002, below 0x81000001
seal() {
  tpm2_createprimary --quiet --hierarchy=o --key-context=p.ctx
  tpm2_evictcontrol --quiet --hierarchy=o --object-context=p.ctx 0x81000001
  flush
  printf secret >secret
  tpm2_create --quiet --parent-context=0x81000001 --hash-algorithm="$2" --attributes='fixedtpm|fixedparent|noda' --policy="$1" \
    --sealing-input=secret --public=s.pub --private=s.priv
  tpm2_load --quiet --parent-context=0x81000001 --public=s.pub --private=s.priv --key-context=s.ctx
  tpm2_evictcontrol --quiet --hierarchy=o --object-context=s.ctx 0x81000002
  flush
}

# admitted HASH SELECTION [ALTERNATIVES...]: unseals by a PolicyPCR and a PolicyOR each
admitted() {
  tpm2_startauthsession --policy-session --hash-algorithm="$1" --session=x
  tpm2_policypcr --quiet --session=x --pcr-list="$2"
  local node
  for node in "${@:3}"; do
    tpm2_policyor --quiet --session=x "$1:$node" 2>refused.stderr || { tpm2_flushcontext x; return 1; }
  done
  tpm2_unseal --object-context=0x81000002 --auth=session:x 2>refused.stderr || { tpm2_flushcontext x; return 1; }
  tpm2_flushcontext x
  echo
}
"#;

/// What a register is extended with in the course of an outcome: two events in PCR 11, one elsewhere.
fn events(outcome: u32, pcr: u32) -> Vec<String> {
    let count = if pcr == 11 { 2 } else { 1 };
    (0..count)
        .map(|event| {
            let seed = u64::from(outcome * 100 + pcr * 3 + event) + 1;
            let bytes = crate::support::noise(seed, 32);
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect()
}

/// The words of tpm2_pcrextend that bring about an outcome.
fn extensions(outcome_of: impl Fn(u32) -> u32) -> String {
    let of_register = |pcr: u32| {
        let events = events(outcome_of(pcr), pcr);
        events
            .into_iter()
            .map(move |digest| format!("{pcr}:sha256={digest}"))
    };
    let all: Vec<String> = PCRS.into_iter().flat_map(of_register).collect();
    all.join(" ")
}

/// Lets a TPM compute what the registers of each outcome hold, and writes the predictions `0.json` to `39.json`, and of one
/// generation more.
fn write_predictions(work: &Work, count: u32) {
    let mut script = WORDS.to_owned();
    for outcome in 0..count {
        writeln!(
            script,
            "reboot; tpm2_pcrextend {}; tpm2_pcrread --quiet sha256:7,11,12,13 --output=values-{outcome}",
            extensions(|_| outcome)
        )
        .unwrap();
    }
    with_tpm(work, "tpm", &script);
    let outcomes: Vec<Value> = (0..count).map(|outcome| leaf(work, outcome)).collect();
    for (generation, leaves) in outcomes.chunks(CHOICES.len()).enumerate() {
        let prediction = json!({ "leaves": leaves, "assumptions": [] });
        work.write(&format!("{generation}.json"), prediction.to_string());
    }
}

fn leaf(work: &Work, outcome: u32) -> Value {
    let values = work.read(&format!("values-{outcome}"));
    let mut pcrs = serde_json::Map::new();
    let mut measurements = Vec::new();
    for (pcr, value) in PCRS.into_iter().zip(values.chunks(32)) {
        let value: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        pcrs.insert(pcr.to_string(), json!({ "sha256": value }));
        for digest in events(outcome, pcr) {
            measurements
                .push(json!({ "pcr": pcr, "digest": digest, "kind": "separator", "why": "" }));
        }
    }
    let path = CHOICES[outcome as usize % CHOICES.len()];
    json!({ "path": path, "pcrs": pcrs, "measurements": measurements })
}

/// Creates a policy of the first generations.
fn create(work: &Work, generations: u32, options: &str) -> Value {
    let files: Vec<String> = (0..generations)
        .map(|generation| format!("generation-{generation}={generation}.json"))
        .collect();
    let words = format!(
        "policy create --json {} --running generation-7 --output policy.json {options}",
        files.join(" ")
    );
    work.json(words.split_whitespace())
}

fn bytes(hex: &Value) -> Vec<u8> {
    super::bytes(hex.as_str().unwrap())
}

/// The words of `admitted` for the branch that has this name, whose nodes are written beside.
fn walk(work: &Work, policy: &Value, name: &str) -> String {
    let branches = policy["branches"].as_array().unwrap();
    let branch = branches
        .iter()
        .find(|branch| branch["names"].as_array().unwrap().contains(&json!(name)))
        .unwrap();
    let mut words = format!(
        "admitted {} {}:7,11,12,13",
        policy["hash"].as_str().unwrap(),
        policy["bank"].as_str().unwrap()
    );
    for node in branch["path"].as_array().unwrap() {
        let files: Vec<String> = node
            .as_array()
            .unwrap()
            .iter()
            .map(|digest| {
                let file = format!("d-{}", &digest.as_str().unwrap()[..24]);
                work.write(&file, bytes(digest));
                file
            })
            .collect();
        write!(words, " {}", files.join(",")).unwrap();
    }
    words
}

fn name(outcome: u32) -> String {
    let path = CHOICES[outcome as usize % CHOICES.len()];
    let generation = format!("generation-{}", outcome / 3);
    match path {
        [] => generation,
        path => format!("{generation}: {}", path.join(" → ")),
    }
}

#[test]
fn forty_generations_with_two_specialisations_each_unseal_and_no_other() {
    let work = Work::new();
    let count = GENERATIONS * 3;
    write_predictions(&work, count + 3);
    let policy = create(
        &work,
        GENERATIONS,
        "--next generation-39 --kept generation-0",
    );
    assert_eq!(policy["branches"].as_array().unwrap().len(), 120);
    work.write("policy", bytes(&policy["policy"]));
    let mut script = format!("{WORDS}\nseal policy sha256\n");
    for outcome in 0..count {
        let walk = walk(&work, &policy, &name(outcome));
        let extend = extensions(|_| outcome);
        writeln!(script, "reboot; tpm2_pcrextend {extend}; {walk}").unwrap();
    }
    // The next generation, whatever path it tries; and one in which a single register is another's.
    let others = [
        extensions(|_| count),
        extensions(|pcr| if pcr == 7 { 3 } else { 6 }),
        extensions(|pcr| if pcr == 12 { count } else { 6 }),
        String::new(),
    ];
    for other in &others {
        let extend = match other.as_str() {
            "" => String::new(),
            other => format!("tpm2_pcrextend {other}"),
        };
        for outcome in [3, 6, 119] {
            let walk = walk(&work, &policy, &name(outcome));
            writeln!(script, "reboot; {extend}\n{walk} || echo refused").unwrap();
        }
    }
    let said = with_tpm(&work, "tpm", &script);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..120], ["secret"; 120]);
    assert_eq!(lines[120..], ["refused"; 12]);
}

#[test]
fn policies_of_other_hashes_and_of_few_outcomes_unseal_as_well() {
    let work = Work::new();
    write_predictions(&work, 27);
    for (hash, generations) in [("sha384", 3), ("sha512", 8)] {
        let policy = create(&work, generations.max(8), &format!("--hash {hash}"));
        work.write("policy", bytes(&policy["policy"]));
        let walk = walk(&work, &policy, &name(22));
        let script = format!(
            "{WORDS}\nseal policy {hash}\nreboot; tpm2_pcrextend {}\n{walk}\nreboot; tpm2_pcrextend {}\n{walk} || echo refused",
            extensions(|_| 22),
            extensions(|_| 24)
        );
        assert_eq!(with_tpm(&work, hash, &script), "secret\nrefused\n");
    }
}

/// One outcome is a policy without a PolicyOR.
#[test]
fn a_single_outcome_unseals_by_its_registers_alone() {
    let work = Work::new();
    write_predictions(&work, 3);
    let mut only: Value = serde_json::from_slice(&work.read("0.json")).unwrap();
    only["leaves"].as_array_mut().unwrap().truncate(1);
    work.write("only.json", only.to_string());
    let create = "policy create --json only.json --without-running";
    let policy = work.json(create.split(' '));
    work.write("policy", bytes(&policy["policy"]));
    let walk = walk(&work, &policy, "only");
    assert_eq!(walk, "admitted sha256 sha256:7,11,12,13");
    let script = format!(
        "{WORDS}\nseal policy sha256\nreboot; tpm2_pcrextend {}\n{walk}\nreboot; tpm2_pcrextend {}\n{walk} || echo refused",
        extensions(|_| 0),
        extensions(|_| 1)
    );
    assert_eq!(with_tpm(&work, "tpm", &script), "secret\nrefused\n");
}

/// Sealed once to a key: what that key signs later opens it.
#[test]
fn a_signed_policy_unseals_what_was_sealed_to_its_key() {
    let work = Work::new();
    write_predictions(&work, 30);
    key_pair(&work, "rsa", RSA_2048);
    key_pair(&work, "curve", P256);
    create(&work, 8, "");
    for (key, algorithm, reference) in [
        ("rsa", "rsassa", None),
        ("rsa", "rsassa", Some("a reference")),
        ("curve", "ecdsa", None),
        ("curve", "ecdsa", Some("a reference")),
    ] {
        let file = format!("{key}.key");
        let mut sign = vec!["policy", "sign", "--json", "--policy", "policy.json"];
        sign.extend(["--key", &file]);
        sign.extend(
            reference
                .into_iter()
                .flat_map(|text| ["--policy-ref", text]),
        );
        let signed = work.json(sign);
        let policy: Value = serde_json::from_slice(&work.read("policy.json")).unwrap();
        let branches = policy["branches"].as_array().unwrap();
        let branch = branches
            .iter()
            .find(|branch| branch["names"][0] == "generation-4")
            .unwrap();
        let signatures = signed["signatures"]["sha256"].as_array().unwrap();
        let signature = signatures
            .iter()
            .find(|signature| signature["pol"] == branch["policyPcr"])
            .unwrap();
        let reference = bytes(&signed["policyRef"]);
        work.write("policy", bytes(&signed["policy"]));
        work.write("name", bytes(&signed["keyName"]));
        work.write("approved", bytes(&signature["pol"]));
        work.write("reference", &reference);
        work.write(
            "message",
            [bytes(&signature["pol"]), reference.clone()].concat(),
        );
        work.write("signature.base64", signature["sig"].as_str().unwrap());
        let kind = if key == "rsa" { "rsa" } else { "ecc" };
        let qualification = match reference.is_empty() {
            true => "",
            false => "--qualification=reference",
        };
        let script = format!(
            r#"{WORDS}
            base64 --decode signature.base64 >signature
            seal policy sha256
            unseal() {{
              tpm2_loadexternal --quiet --key-algorithm={kind} --hierarchy=o --public={key}.pub --key-context=k.ctx
              tpm2_verifysignature --key-context=k.ctx --hash-algorithm=sha256 --message=message --signature=signature \
                --scheme={algorithm} --ticket=ticket
              tpm2_flushcontext --transient-object
              tpm2_startauthsession --policy-session --session=x
              tpm2_policypcr --quiet --session=x --pcr-list=sha256:7,11,12,13
              tpm2_policyauthorize --quiet --session=x --input=approved --name=name --ticket=ticket {qualification} 2>refused.stderr \
                || {{ tpm2_flushcontext x; return 1; }}
              tpm2_unseal --object-context=0x81000002 --auth=session:x; tpm2_flushcontext x; echo
            }}
            reboot; tpm2_pcrextend {}; unseal
            reboot; tpm2_pcrextend {}; unseal || echo refused"#,
            extensions(|_| 12),
            extensions(|_| 15)
        );
        let said = with_tpm(&work, &format!("tpm-{key}-{}", reference.len()), &script);
        assert_eq!(said, "secret\nrefused\n", "{key} {reference:?}");
    }
}
