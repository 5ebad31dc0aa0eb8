//! Other people's keys: Microsoft's, the firmware's own, and what is said when they are missing.

use super::*;
use crate::support::event_log;

/// Microsoft's certificates in virt-firmware, by the variable that they belong into.
const MICROSOFT: [(&str, &[&str]); 2] = [
    (
        "KEK",
        &[
            "MicrosoftCorporationKEKCA2011.pem",
            "MicrosoftCorporationKEK2KCA2023.pem",
        ],
    ),
    (
        "db",
        &[
            "MicrosoftCorporationUEFICA2011.pem",
            "MicrosoftUEFICA2023.pem",
            "MicrosoftWindowsProductionPCA2011.pem",
            "WindowsUEFICA2023.pem",
        ],
    ),
];
const OWNER_OF_MICROSOFT: &str = "77fa9abd-0359-4d32-bd60-28f4e78f784b";

/// A folder with Microsoft's certificates, and the variables of Debian's OVMF with Microsoft's keys as efivarfs shows them.
fn ready() -> Work {
    let work = Work::new();
    microsofts(&work);
    let enrolled = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
    work.peer(
        "virt-fw-vars",
        &["-i", enrolled, "--output-json", "enrolled.json"],
    );
    let variables: Value = serde_json::from_slice(&work.read("enrolled.json")).unwrap();
    for variable in variables["variables"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        if VARIABLES.contains(&name) {
            // BootServiceAccess and RuntimeAccess, as these variables have.
            let value = bytes(variable["data"].as_str().unwrap());
            let file = format!("{name}Default-8be4df61-93ca-11d2-aa0d-00e098032b8c");
            work.write(&file, [&[6, 0, 0, 0], &value[..]].concat());
        }
    }
    work
}

/// Microsoft's certificates, as virt-firmware has them.
pub(super) fn microsofts(work: &Work) {
    let package = "usr/lib/python3/dist-packages/virt/firmware/certs";
    let root = work.inputs.trixie();
    for name in MICROSOFT.iter().flat_map(|(_, names)| *names) {
        std::fs::copy(root.path().join(package).join(name), work.path(name)).unwrap();
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    pairs.map(|pair| byte(pair).unwrap()).collect()
}

fn default_of(variable: &str) -> String {
    format!("{variable}Default-8be4df61-93ca-11d2-aa0d-00e098032b8c")
}

/// The common names and the owners of a list's entries.
fn entries(work: &Work, file: &str) -> Vec<(String, String)> {
    let found = work.inspected(file);
    let entry = |entry: &Value| {
        let subject = entry["certificate"]["subject"]
            .as_str()
            .unwrap_or("a digest");
        let name = subject.split(',').next().unwrap().trim_start_matches("CN=");
        (name.to_owned(), entry["owner"].as_str().unwrap().to_owned())
    };
    found["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(entry)
        .collect()
}

#[test]
fn microsofts_certificates_go_where_they_belong_under_its_own_guid() {
    let work = ready();
    let all = MICROSOFT.iter().flat_map(|(_, names)| *names);
    let options = all
        .clone()
        .chain(all)
        .flat_map(|name| ["--microsoft", *name]);
    let command = ["keys", "generate", "--json", "--owner", OWNER, "keys"];
    let answer = work.json(command.into_iter().chain(options));
    for (variable, names) in MICROSOFT {
        let mut theirs = Vec::new();
        for name in names {
            work.peer(
                "cert-to-efi-sig-list",
                &["-g", OWNER_OF_MICROSOFT, name, "one.esl"],
            );
            theirs.extend(work.read("one.esl"));
        }
        let own = format!("keys/{variable}.pem");
        work.peer("cert-to-efi-sig-list", &["-g", OWNER, &own, "own.esl"]);
        let expected = [work.read("own.esl"), theirs].concat();
        assert_same_bytes(
            variable,
            &work.read(&format!("keys/{variable}.esl")),
            &expected,
        );
        let update = work.inspected(&format!("keys/{variable}.auth"));
        assert_eq!(update["update"]["variable"], variable);
    }
    assert_eq!(entries(&work, "keys/PK.esl").len(), 1);
    // Those of 2011 have expired, and nothing else is to be said.
    assert!(
        codes(&answer).iter().all(|code| *code == "expired"),
        "{answer}"
    );
}

#[test]
fn the_firmwares_own_lists_keep_their_owners() {
    let work = ready();
    let defaults = ["KEK", "db", "dbx"].map(default_of);
    let options = defaults
        .iter()
        .flat_map(|file| ["--firmware-builtin", file]);
    let answer = work.json(
        ["keys", "generate", "--json", "keys"]
            .into_iter()
            .chain(options),
    );
    assert_eq!(answer["variables"], serde_json::json!(VARIABLES));
    for variable in ["KEK", "db", "dbx"] {
        let list = format!("keys/{variable}.esl");
        let builtin = work.read(&default_of(variable))[4..].to_vec();
        assert!(work.read(&list).ends_with(&builtin), "{variable}");
        let own = usize::from(variable != "dbx");
        let theirs = entries(&work, &default_of(variable));
        assert_eq!(entries(&work, &list)[own..], theirs, "{variable}");
        let update = work.inspected(&format!("keys/{variable}.auth"));
        assert_eq!(update["update"]["variable"], variable);
    }
    let shown = work.inspected(&default_of("db"));
    assert_eq!(
        (&shown["form"], &shown["attributes"]),
        (&"variable".into(), &6.into())
    );
}

#[test]
fn the_firmwares_own_platform_key_is_not_taken() {
    let work = ready();
    let file = default_of("PK");
    let output = work.touchstone(["keys", "generate", "keys", "--firmware-builtin", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("neither into KEK nor into db"), "{said}");
    assert!(!work.path("keys").exists());
}

#[test]
fn lists_of_both_sources_are_joined_without_an_entry_twice() {
    let work = ready();
    let esl = ["keys", "esl", "--output"];
    let builtin = ["--firmware-builtin", &default_of("db")];
    work.done([&esl[..], &["builtin.esl"], &builtin].concat());
    assert_eq!(work.read("builtin.esl"), work.read(&default_of("db"))[4..]);
    let microsoft = ["--microsoft", "MicrosoftCorporationUEFICA2011.pem"];
    work.done([&esl[..], &["both.esl"], &microsoft, &builtin].concat());
    assert_eq!(work.read("both.esl").len(), work.read("builtin.esl").len());
    let mut both = entries(&work, "both.esl");
    let mut one = entries(&work, "builtin.esl");
    both.sort();
    one.sort();
    assert_eq!(both, one);
}

#[test]
fn whoever_makes_ones_own_keys_alone_is_told_what_that_costs() {
    let work = ready();
    let warned = |folder: &str, options: &[&str]| {
        let output = work.touchstone([&["keys", "generate", "--json", folder], options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let codes: Vec<String> = codes(&answer).into_iter().map(str::to_owned).collect();
        for code in &codes {
            assert!(
                said.contains("warning: ") && said.contains(&format!("[{code}]")),
                "{said}"
            );
        }
        codes
    };
    let (own, kek) = ("own-keys-only", "kek-without-microsoft");
    assert_eq!(warned("a", &[]), [own, kek]);
    assert_eq!(warned("b", &["--test"]), ["test-keys", own, kek]);
    assert_eq!(
        warned("c", &["--algorithm", "p256"]),
        ["elliptic-curve", own, kek]
    );
    assert_eq!(
        warned("d", &["--microsoft", "MicrosoftUEFICA2023.pem"]),
        [kek]
    );
    assert_eq!(
        warned("e", &["--microsoft", "MicrosoftCorporationKEK2KCA2023.pem"]),
        [own]
    );
    assert_eq!(
        warned("f", &["--tpm-eventlog", &log()]),
        [kek],
        "this machine ran none"
    );
    assert_eq!(warned("g", &["--check-eventlog", &log()]), [own, kek]);
}

/// The event log of an OVMF without cards, among the seeds of the fuzz target.
pub(super) fn log() -> String {
    event_log("ovmf-2025.02").to_str().unwrap().to_owned()
}

#[test]
fn a_list_of_nothing_is_refused_and_an_empty_one_is_told() {
    let work = Work::new();
    let esl = ["keys", "esl", "--json", "--output", "out.esl"];
    let output = work.touchstone(esl);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing is named"), "{said}");
    assert!(!work.path("out.esl").exists());
    let empty = work.json([&esl[..], &["--tpm-eventlog", &log()]].concat());
    assert_eq!(codes(&empty), ["no-entries"]);
    assert_eq!(work.read("out.esl"), b"");
}
