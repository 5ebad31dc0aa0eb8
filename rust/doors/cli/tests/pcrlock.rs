//! Component files of systemd-pcrlock, read by the real one of two releases beside the log of a real boot.

mod machine;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::reference::{BANKS, Kept};
use machine::{Pcrlock, Tpm};

/// The registers of the predictions.
const PCRS: [u32; 7] = [4, 5, 7, 9, 11, 12, 13];

/// What systemd measures until the moment at which secrets are unsealed in the initrd, by the release that does.
const WORDS_257: [(&str, &[u32]); 1] = [("enter-initrd", &[11])];
const WORDS_262: [(&str, &[u32]); 2] = [
    ("enter-initrd", &[11]),
    ("os-separator", &[0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14]),
];

/// Makes `pcrlock.d` of so many generations.
fn lock(kept: &Kept, count: usize) {
    let create = ["pcrlock", "create", "--output", "pcrlock.d"].map(str::to_owned);
    kept.work.done([&create[..], &kept.options(count)].concat());
}

/// A leaf's value, extended with the words that systemd measures into that register.
fn after(kept: &Kept, leaf: &Value, pcr: u32, bank: &str, words: &[(&str, &[u32])]) -> String {
    let mut value = leaf["pcrs"][pcr.to_string()][bank]
        .as_str()
        .unwrap()
        .to_owned();
    for (word, _) in words.iter().filter(|(_, pcrs)| pcrs.contains(&pcr)) {
        value = kept.extended(bank, &value, word.as_bytes());
    }
    value
}

/// systemd-pcrlock recognizes every event of the boot, and predicts what we predict: for each register exactly the values of all
/// generations, in both banks.
fn predicts_the_same(kept: &Kept, pcrlock: &Pcrlock<'_>, count: usize, words: &[(&str, &[u32])]) {
    let log = pcrlock.json(&["log"]);
    for event in log["log"].as_array().unwrap() {
        let pcr = event["pcr"].as_u64().unwrap_or(u64::MAX);
        if PCRS.iter().any(|known| u64::from(*known) == pcr) {
            assert_ne!(event["component"], Value::Null, "{event}");
        }
    }
    let pcrs = PCRS.map(|pcr| format!("--pcr={pcr}"));
    let mut arguments = vec!["predict", "--location=760"];
    arguments.extend(pcrs.iter().map(String::as_str));
    let predicted = pcrlock.json(&arguments);
    for bank in BANKS {
        let registers = predicted[bank].as_array().unwrap();
        assert_eq!(registers.len(), PCRS.len(), "{bank}: {predicted}");
        for register in registers {
            let pcr = u32::try_from(register["pcr"].as_u64().unwrap()).unwrap();
            let theirs: BTreeSet<&str> = register["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_str().unwrap())
                .collect();
            let ours: BTreeSet<String> = (1..=count)
                .map(|number| after(kept, &kept.leaf(&number.to_string()), pcr, bank, words))
                .collect();
            assert_eq!(
                theirs,
                ours.iter().map(String::as_str).collect(),
                "PCR {pcr} {bank}"
            );
        }
    }
}

#[test]
fn systemd_pcrlock_recognizes_the_boot_and_predicts_what_we_predict() {
    let count = 3;
    let kept = Kept::new(count, &[""]);
    kept.work.write("loader.conf", "timeout 1\n");
    let boot = kept.boot("2", |disk| {
        for number in 1..=count {
            let measure =
                json!({ "pcrs": PCRS, "medium": { "disk": disk }, "loaderConf": "loader.conf" });
            kept.predict(&number.to_string(), measure);
        }
    });
    lock(&kept, count);
    let inputs = &kept.work.inputs;
    for (suite, words) in [("trixie", &WORDS_257[..]), ("sid", &WORDS_262[..])] {
        let root = match suite {
            "trixie" => inputs.trixie(),
            _ => inputs
                .sid()
                .expect("there is no sid root: run `cargo xtask setup`"),
        };
        let tpm = Tpm::new(&kept.work, &format!("tpm-{suite}"), &boot);
        let pcrlock = Pcrlock::new(&kept.work, &root, &tpm);
        for (word, pcrs) in words {
            pcrlock.extend(word, pcrs);
        }
        predicts_the_same(&kept, &pcrlock, count, words);
        // And it makes a policy of all of them.
        let said = pcrlock.make_policy(&["--pcr=4", "--pcr=7", "--pcr=11", "--location=760"]);
        assert!(said.contains("Written new policy"), "{suite}: {said}");
        // At all moments that it looks at by itself, there are more values than it can admit: our note says so.
        let said = pcrlock.make_policy(&["--pcr=11"]);
        assert!(said.contains("more than 8 alternatives"), "{suite}: {said}");
    }
}

#[test]
fn each_generation_is_a_variant_of_the_components_that_differ() {
    let kept = Kept::new(2, &[""]);
    lock(&kept, 2);
    let listed = kept.work.inside(kept.work.inputs.trixie().visit());
    let mut command = listed.command("/usr/lib/systemd/systemd-pcrlock").unwrap();
    let folder = kept.work.path("pcrlock.d").display().to_string();
    command.args([
        "list-components",
        "--json=short",
        &format!("--components={folder}"),
    ]);
    let listed: Value =
        serde_json::from_str(&touchstone_harness::nix::output(command).unwrap()).unwrap();
    let listed: Vec<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            one["variants"]
                .as_str()
                .unwrap()
                .strip_prefix(&format!("{folder}/"))
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        listed,
        [
            "240-secureboot-policy.pcrlock.d/generated.pcrlock",
            "400-secureboot-separator.pcrlock.d/600-0xffffffff.pcrlock",
            "500-separator.pcrlock.d/600-0xffffffff.pcrlock",
            "620-secureboot-authority.pcrlock.d/generated.pcrlock",
            "650-uki-pcr04.pcrlock.d/1.pcrlock",
            "650-uki-pcr04.pcrlock.d/2.pcrlock",
            "650-uki-pcr09.pcrlock.d/1.pcrlock",
            "650-uki-pcr09.pcrlock.d/2.pcrlock",
            "650-uki-pcr11.pcrlock.d/1.pcrlock",
            "650-uki-pcr11.pcrlock.d/2.pcrlock",
        ]
    );
}

/// The page shows the command's own words.
#[test]
fn the_documentation_shows_what_is_printed() {
    let kept = Kept::new(2, &[""]);
    let create = [
        "pcrlock",
        "create",
        "--generation",
        "41=1.json",
        "--generation",
        "42=2.json",
        "--output",
        "files",
    ];
    let printed = kept.work.done(create);
    let page = include_str!("../../../../docs/pcrlock.md");
    assert!(page.contains(&printed), "{printed}");
}

#[test]
fn more_generations_than_systemd_pcrlock_can_admit_are_refused() {
    let kept = Kept::new(1, &[""]);
    let mut arguments = ["pcrlock", "create", "--output", "pcrlock.d"]
        .map(str::to_owned)
        .to_vec();
    for number in 1..=9 {
        // Nine boots that differ in one event.
        let mut prediction: Value = serde_json::from_slice(&kept.work.read("1.json")).unwrap();
        let leaf = &mut prediction["leaves"][0];
        for bank in BANKS {
            let value = leaf["pcrs"]["11"][bank].as_str().unwrap().to_owned();
            let word = number.to_string();
            let digest = kept.hash(bank, word.as_bytes());
            let event =
                json!({ "pcr": 11, "digest": digest, "kind": "sectionContent", "why": word });
            leaf["measurements"].as_array_mut().unwrap().push(event);
            leaf["pcrs"]["11"][bank] = kept.extended(bank, &value, word.as_bytes()).into();
        }
        let file = format!("of-{number}.json");
        kept.work.write(&file, prediction.to_string());
        arguments.extend(["--generation".to_owned(), format!("{number}={file}")]);
    }
    let output = kept.work.touchstone(&arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("[pcrlock.refused]") && said.contains("PCR 11 has 9 values"),
        "{said}"
    );
    assert!(!kept.work.path("pcrlock.d").exists());
}
