//! Logs beside predictions: of machines that booted as predicted, and otherwise.

use serde_json::{Value, json};
use touchstone_harness::boot::{Boot, Firmware, Machine, Order, Variables};
use touchstone_harness::guest;

use super::phase;
use crate::support::{Work, event_log};

/// A folder with keys, and what a machine boots: `loader.efi` (257) and `uki.efi`; and what else it might boot: `other-loader.efi`
/// (262), `other-uki.efi` (another command line), `other.esl` (db with one more certificate).
struct Bench(Work);

impl Bench {
    fn new() -> Bench {
        let work = Work::with_kernel("amd64");
        work.keys("keys");
        work.keys("more");
        work.stub("trixie", "x64", "stub");
        let bench = Bench(work);
        let work = &bench.0;
        guest::initrd(&work.inputs, &work.path("guest"), None).unwrap();
        bench.sign(&work.inputs.boot["trixie"]["x64"], "loader.efi");
        bench.sign(&work.inputs.boot["sid"]["x64"], "other-loader.efi");
        bench.uki(guest::COMMAND_LINE, "uki.efi");
        bench.uki(&format!("{} debug", guest::COMMAND_LINE), "other-uki.efi");
        let both = [
            "keys",
            "esl",
            "--esl",
            "keys/db.esl",
            "--esl",
            "more/db.esl",
        ];
        work.done([&both[..], &["--output", "other.esl"]].concat());
        bench
    }

    fn sign(&self, from: &std::path::Path, to: &str) {
        let sign = [
            "pe",
            "sign",
            "--key",
            "keys/db.key",
            "--certificate",
            "keys/db.pem",
        ];
        let files = ["--output", to, from.to_str().unwrap()];
        self.0.done([&sign[..], &files].concat());
    }

    fn uki(&self, command_line: &str, to: &str) {
        let build = ["uki", "build", "--stub", "stub", "--linux", "vmlinuz"];
        let parts = ["--initrd", "guest/initrd", "--os-release", "@os-release"];
        let line = ["--cmdline", command_line];
        let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
        self.0
            .done([&build[..], &parts, &line, &key, &["--output", to]].concat());
    }

    /// Writes a prediction for a machine with this UKI, at these moments.
    fn predict(&self, uki: &str, banks: &[&str], phases: &[&str], to: &str) {
        let variables = json!({ "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl" });
        let measure = json!({ "secureBoot": variables, "pcrs": [4, 7, 9, 11, 12], "banks": banks, "phases": phases });
        let request = json!({ "loader": "loader.efi", "uki": uki, "measure": measure });
        self.0.write("request.json", request.to_string());
        let predicted = self
            .0
            .done(["measure", "predict", "--json", "request.json"]);
        self.0.write(to, predicted);
    }

    /// Boots a machine with these files and this db; its log is `machine.log`.
    fn boot(&self, loader: &str, uki: &str, db: &str, orders: &[Order]) -> Boot {
        let root = self.0.inputs.trixie();
        let esl = |name: &str| self.0.read(name);
        let machine = Machine::new(&root, Firmware::of_debian(root.path()))
            .variables(Variables {
                pk: esl("keys/PK.esl"),
                kek: esl("keys/KEK.esl"),
                db: esl(db),
                dbx: Vec::new(),
                secure_boot: true,
            })
            .file("EFI/BOOT/BOOTX64.EFI", self.0.path(loader))
            .file("EFI/Linux/generation-1.efi", self.0.path(uki))
            .orders(orders);
        let boot = machine.boot().unwrap();
        boot.reached().unwrap();
        self.0.write("machine.log", &boot.report.event_log);
        boot
    }

    /// The answer of a comparison, and its exit status.
    fn compare(&self, words: &[&str]) -> (Option<i32>, Value) {
        compare(&self.0, words)
    }
}

fn compare(work: &Work, words: &[&str]) -> (Option<i32>, Value) {
    let compare = ["eventlog", "compare", "--json", "machine.log"];
    let output = work.touchstone([&compare[..], words].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.unwrap_or_else(|_| panic!("{words:?}: {said}"));
    (output.status.code(), answer)
}

/// What is otherwise in a register, in words.
fn says(answer: &Value, pcr: &str) -> Vec<String> {
    let differences = answer["registers"][pcr].as_array().unwrap().iter();
    differences
        .map(|found| found["says"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn boots_a_machine_that_is_as_predicted_and_the_outcome_is_named() {
    let bench = Bench::new();
    let order = |word: &str| Order::Extend {
        pcr: 11,
        word: word.to_owned(),
    };
    let orders = ["enter-initrd", "leave-initrd"].map(order);
    let boot = bench.boot("loader.efi", "uki.efi", "keys/db.esl", &orders);
    let work = &bench.0;

    // Before the first phase, in two banks, and with what the machine held then.
    bench.predict("other-uki.efi", &["sha1", "sha256"], &[""], "other.json");
    bench.predict("uki.efi", &["sha1", "sha256"], &[""], "right.json");
    let banks = boot.report.pcrs.iter();
    let held = banks.flat_map(|(bank, values)| {
        let lines = values
            .iter()
            .map(|(pcr, value)| format!("  {pcr} : 0x{value}\n"));
        std::iter::once(format!("{bank}:\n")).chain(lines)
    });
    work.write("held", held.collect::<String>());
    let words = ["other.json", "right.json", "--pcrs", "held"];
    let (status, answer) = bench.compare(&words);
    assert_eq!(status, Some(0), "{answer:#}");
    assert_eq!(answer["prediction"], "right.json");
    assert_eq!(answer["banks"], json!(["sha1", "sha256"]));
    assert_eq!(answer.get("notReplayed"), None);

    // After two phases, with systemd's log.
    work.write(
        "userspace.log",
        [phase(11, "enter-initrd"), phase(11, "leave-initrd")].concat(),
    );
    let phases = ["", "enter-initrd", "enter-initrd:leave-initrd"];
    bench.predict("uki.efi", &["sha256"], &phases, "phases.json");
    let words = ["phases.json", "--userspace", "userspace.log"];
    let (status, answer) = bench.compare(&words);
    assert_eq!(status, Some(0), "{answer:#}");
    let path = answer["path"].as_array().unwrap();
    assert_eq!(path.last().unwrap(), "phase enter-initrd:leave-initrd");
    let replay = [
        "eventlog",
        "replay",
        "--json",
        "machine.log",
        "--userspace",
        "userspace.log",
    ];
    let replayed = work.json(replay);
    let after = format!("{:?}", boot.report.done[&1]);
    let value = replayed["pcrs"]["11"]["sha256"].as_str().unwrap();
    assert!(after.contains(value), "{after}: {value}");

    // The machine went on after that, and only the first of two phases is predicted.
    bench.predict("uki.efi", &["sha256"], &["enter-initrd"], "one.json");
    let (status, answer) = bench.compare(&["one.json", "--userspace", "userspace.log"]);
    assert_eq!(status, Some(3));
    let found =
        "the boot phase leave-initrd was measured (record 1 of systemd's log), and not predicted";
    assert_eq!(says(&answer, "11"), [found]);
    let (status, answer) = bench.compare(&["one.json"]);
    assert_eq!(status, Some(3));
    let found = "the boot phase enter-initrd was predicted, and is not in the log: systemd measures it; give its log as well";
    assert_eq!(says(&answer, "11"), [found]);
}

#[test]
fn boots_a_machine_that_is_otherwise_and_each_difference_has_its_words() {
    let bench = Bench::new();
    bench.boot("other-loader.efi", "other-uki.efi", "other.esl", &[]);
    bench.predict("uki.efi", &["sha256"], &[""], "predicted.json");
    bench.predict("other-uki.efi", &["sha256"], &[""], "known.json");
    let words = [
        "predicted.json",
        "--known",
        "known.json",
        "--known-image",
        "other-loader.efi",
        "--known-image",
        "other-uki.efi",
        "--known-list",
        "keys/db.esl",
    ];
    let (status, answer) = bench.compare(&words);
    assert_eq!(status, Some(3));
    assert_eq!(answer["fits"], false);
    let loaders = says(&answer, "4");
    assert_eq!(loaders.len(), 2, "{loaders:?}");
    let version = |text: &str| text.split(' ').next().unwrap().to_owned();
    let (is, predicted) = loaders[0]
        .strip_prefix("the boot loader on the ESP is systemd-boot ")
        .and_then(|rest| rest.split_once(", predicted systemd-boot "))
        .unwrap_or_else(|| panic!("{loaders:?}"));
    assert!(
        version(is).starts_with("262") && version(predicted).starts_with("257"),
        "{loaders:?}"
    );
    assert!(
        loaders[1].starts_with("the started image is other-uki.efi (systemd-stub 257"),
        "{loaders:?}"
    );

    let databases = says(&answer, "7");
    assert_eq!(databases.len(), 1, "{databases:?}");
    let begins = r"the variable db has in addition the certificate CN=db,OU=Touchstone test key\, do not trust (SHA-256 ";
    assert!(databases[0].starts_with(begins), "{databases:?}");

    let line = guest::COMMAND_LINE;
    let words = format!(
        "the kernel's command line has in addition `debug`: it is \"{line} debug\", predicted \"{line}\""
    );
    assert_eq!(says(&answer, "9"), [words]);
    let sections = says(&answer, "11");
    assert_eq!(sections.len(), 1, "{sections:?}");
    assert!(
        sections[0]
            .starts_with("the UKI's section .cmdline is the section .cmdline of other-uki.efi"),
        "{sections:?}"
    );
    assert_eq!(says(&answer, "12"), [""; 0]);

    // The other UKI's file alone tells what is in it.
    let (_, answer) = bench.compare(&["predicted.json", "--known-image", "other-uki.efi"]);
    let known = &says(&answer, "9")[0];
    assert!(
        known.starts_with("the kernel's command line has in addition `debug`"),
        "{known}"
    );
    let known = &says(&answer, "11")[0];
    let begins =
        "the UKI's section .cmdline is the section .cmdline of other-uki.efi (systemd-stub 257";
    assert!(known.starts_with(begins), "{known}");

    // Without anything known: the facts alone, and what would tell more.
    let (status, answer) = bench.compare(&["predicted.json"]);
    assert_eq!(status, Some(3));
    let loader = &says(&answer, "4")[0];
    assert!(
        loader.starts_with("the boot loader on the ESP is an unknown image of "),
        "{loader}"
    );
    assert!(
        loader.contains(r"\EFI\BOOT\BOOTX64.EFI, predicted systemd-boot 257"),
        "{loader}"
    );
    assert!(says(&answer, "7")[0].contains("give its signature list"));
    assert!(says(&answer, "9")[0].contains("the digest alone"));

    let printed = bench
        .0
        .touchstone(["eventlog", "compare", "machine.log", "predicted.json"]);
    assert_eq!(printed.status.code(), Some(3));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.starts_with("does not fit; the nearest is: "),
        "{printed}"
    );
    assert!(printed.contains("\nPCR 12: as predicted\n"), "{printed}");
}

/// A folder with a recorded log, and a prediction of PCR 11 that has nothing to do with it.
fn recorded() -> Work {
    let work = Work::with_kernel("amd64");
    std::fs::copy(event_log("ovmf-2025.02"), work.path("machine.log")).unwrap();
    work.stub("trixie", "x64", "stub");
    let build = ["uki", "build", "--stub", "stub", "--linux", "vmlinuz"];
    work.done([&build[..], &["--output", "uki.efi"]].concat());
    work.write(
        "request.json",
        r#"{"uki":"uki.efi","measure":{"pcrs":[11],"banks":["sha512"]}}"#,
    );
    work.write(
        "prediction.json",
        work.done(["measure", "predict", "--json", "request.json"]),
    );
    work
}

#[test]
fn a_log_is_not_taken_for_the_machines_when_it_is_not() {
    let work = recorded();
    let zero = "00".repeat(64);
    work.write(
        "held.json",
        json!({ "7": zero, "10": "11".repeat(64), "11": zero, "12": zero }).to_string(),
    );
    let (status, answer) = compare(&work, &["prediction.json", "--pcrs", "held.json"]);
    assert_eq!(status, Some(3));
    let not_replayed = answer["notReplayed"].as_object().unwrap();
    assert!(not_replayed.keys().eq(["7", "11"]), "{not_replayed:?}");
    assert!(
        not_replayed["11"]
            .as_str()
            .unwrap()
            .contains("systemd extends it later")
    );
    assert!(
        not_replayed["7"]
            .as_str()
            .unwrap()
            .contains("not of this boot")
    );
    // What the log itself adds up to is what such a machine would hold.
    work.write(
        "held.json",
        work.done(["eventlog", "replay", "--json", "machine.log"]),
    );
    let (_, answer) = compare(&work, &["prediction.json", "--pcrs", "held.json"]);
    assert_eq!(answer.get("notReplayed"), None);
    assert_eq!(answer["banks"], json!(["sha512"]));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let work = recorded();
    std::fs::copy(event_log("tpm-1.2"), work.path("old.log")).unwrap();
    work.write("none.json", r#"{"leaves":[],"assumptions":[]}"#);
    work.write("text", "no file of any kind");
    for (words, facts) in [
        (
            &["old.log", "prediction.json"][..],
            ["a bank in common", "[request.refused]"],
        ),
        (
            &["machine.log", "none.json"],
            ["have no outcome", "[request.refused]"],
        ),
        (
            &["machine.log", "text"],
            ["the prediction is not usable", "[input.text]"],
        ),
        (
            &["machine.log", "missing"],
            ["the prediction cannot be read", "[input.unreadable]"],
        ),
        (
            &["machine.log", "prediction.json", "--known-image", "text"],
            ["the known image is not usable", "[input.not-pe]"],
        ),
        (
            &["machine.log", "prediction.json", "--known-list", "text"],
            ["the signature list is not usable", "[input.signature-data]"],
        ),
        (
            &["machine.log", "prediction.json", "--pcrs", "text"],
            [
                "neither JSON nor what `tpm2_pcrread` prints",
                "[input.text]",
            ],
        ),
        (
            &["machine.log", "prediction.json", "--userspace", "text"],
            [
                "does not begin with a record separator",
                "[input.event-log]",
            ],
        ),
    ] {
        let output = work.touchstone([&["eventlog", "compare"], words].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(output.stdout.is_empty());
        for fact in facts {
            assert!(said.contains(fact), "{words:?}: {fact}: {said}");
        }
    }
}
