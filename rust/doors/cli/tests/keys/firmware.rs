//! A firmware that enforces Secure Boot takes our updates, and none that is another's, of another variable, or too old.

use touchstone_harness::boot::{Firmware, Machine, Variables, Verdict, answers, questions};
use touchstone_harness::variable_program::VariableProgram;

use super::*;

/// `EFI_VARIABLE_APPEND_WRITE`, beside the attributes that these variables have.
const REPLACE: u32 = 0x27;
const APPEND: u32 = 0x67;

/// A machine that holds the keys of the folder `keys`, since 2020-01-01, and a shell that they allow.
struct Owned {
    work: Work,
    /// The folder of the key exchange key.
    kek: &'static str,
    programs: Vec<Vec<u8>>,
    expected: Vec<(String, Verdict)>,
}

impl Owned {
    fn with(algorithm: &str) -> Owned {
        let work = Work::new();
        let generate = ["keys", "generate", "--test", "--algorithm", algorithm];
        for folder in ["keys", "stranger"] {
            work.done([&generate[..], &[folder]].concat());
        }
        work.addon_stub("trixie", "x64", "image");
        work.done(["keys", "esl", "--image", "image", "--output", "image.esl"]);
        let both = ["keys", "esl", "--esl", "keys/db.esl", "--esl", "image.esl"];
        work.done([&both[..], &["--output", "both.esl"]].concat());
        let mut shells = work.inputs.efi["trixie"].iter();
        let shell = shells.find(|file| file.ends_with("shellx64.efi")).unwrap();
        std::fs::copy(shell, work.path("shell")).unwrap();
        let mut owned = Owned {
            work,
            kek: "keys",
            programs: Vec::new(),
            expected: Vec::new(),
        };
        owned.sign_image("shell", "shell.efi");
        owned
    }

    fn sign_image(&mut self, image: &str, output: &str) {
        let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
        let files = ["--output", output, image];
        self.work.done([&["pe", "sign"], &key[..], &files].concat());
    }

    /// An update, signed by this key for this time.
    fn update(&self, variable: &str, key: &str, year: &str, append: bool, list: &str) -> Vec<u8> {
        let [private, certificate] = ["key", "pem"].map(|kind| format!("{key}.{kind}"));
        let time = format!("{year}-01-01T00:00:00Z");
        let sign = ["keys", "auth", "--variable", variable, "--key", &private];
        let options = ["--certificate", &certificate, "--time", &time];
        let files = [list, "--output", "update.auth"];
        let append: &[&str] = if append { &["--append"] } else { &[] };
        self.work
            .done([&sign[..], &options, append, &files].concat());
        self.work.read("update.auth")
    }

    /// Lets the machine write `value` into a variable, next, and says what is to come of it.
    fn writes(
        &mut self,
        what: &str,
        (name, attributes): (&str, u32),
        value: &[u8],
        expected: Verdict,
    ) {
        let vendor = match name {
            "PK" | "KEK" => "8be4df61-93ca-11d2-aa0d-00e098032b8c",
            _ => "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
        };
        let program = VariableProgram {
            name,
            vendor: vendor.parse().unwrap(),
            attributes,
            value,
        };
        self.work.write("program", program.image());
        self.sign_image("program", "program.efi");
        self.programs.push(self.work.read("program.efi"));
        self.expected.push((what.to_owned(), expected));
    }

    fn taken(&mut self, what: &str, place: (&str, u32), value: &[u8]) {
        self.writes(what, place, value, Verdict::Started);
    }

    fn refused(&mut self, what: &str, place: (&str, u32), value: &[u8]) {
        self.writes(what, place, value, Verdict::Refused);
    }

    /// Boots, and compares what the firmware answered.
    fn boot(self) {
        let root = self.work.inputs.trixie();
        let esl = |name: &str| self.work.read(name);
        let machine = Machine::new(&root, Firmware::of_debian(root.path()))
            .variables(Variables {
                pk: esl("keys/PK.esl"),
                kek: esl(&format!("{}/KEK.esl", self.kek)),
                db: esl("keys/db.esl"),
                dbx: Vec::new(),
                secure_boot: true,
            })
            .file("EFI/BOOT/BOOTX64.EFI", self.work.path("shell.efi"));
        let programs: Vec<&[u8]> = self.programs.iter().map(Vec::as_slice).collect();
        let boot = questions(machine, &programs).boot().unwrap();
        let answers = answers(&boot, programs.len()).unwrap();
        for ((what, expected), answer) in self.expected.iter().zip(answers) {
            assert_eq!(answer, *expected, "{what}");
        }
    }
}

#[test]
fn a_firmware_takes_updates_of_its_keys_alone_and_no_older_ones() {
    let mut owned = Owned::with("rsa2048");
    let (kek, pk) = ("keys/KEK", "keys/PK");

    let appended = owned.update("db", kek, "2000", true, "image.esl");
    owned.taken("an older update is appended", ("db", APPEND), &appended);
    let strange = owned.update("db", "stranger/KEK", "2030", true, "image.esl");
    owned.refused("a stranger's key", ("db", APPEND), &strange);
    owned.refused("for appending, replaces", ("db", REPLACE), &appended);
    let of_dbx = owned.update("dbx", kek, "2030", true, "image.esl");
    owned.refused("for dbx, written to db", ("db", APPEND), &of_dbx);
    owned.taken("for dbx", ("dbx", APPEND), &of_dbx);

    let same = owned.work.read("keys/db.auth");
    owned.refused("of the same second as db", ("db", REPLACE), &same);
    let newer = owned.update("db", kek, "2021", false, "both.esl");
    owned.taken("a newer db", ("db", REPLACE), &newer);
    owned.refused("the same once more", ("db", REPLACE), &newer);
    let mut changed = owned.update("db", kek, "2022", false, "both.esl");
    *changed.last_mut().unwrap() ^= 1;
    owned.refused("changed", ("db", REPLACE), &changed);

    let by_itself = owned.update("KEK", kek, "2021", false, "keys/KEK.esl");
    owned.refused("KEK by KEK", ("KEK", REPLACE), &by_itself);
    let by_platform = owned.update("KEK", pk, "2021", false, "keys/KEK.esl");
    owned.taken("KEK by PK", ("KEK", REPLACE), &by_platform);

    let removal = owned.work.read("stranger/PK-remove.auth");
    owned.refused("a stranger's removal", ("PK", REPLACE), &removal);
    let removal = owned.work.read("keys/PK-remove.auth");
    owned.taken("the removal of PK", ("PK", REPLACE), &removal);
    owned.taken("then anybody's key", ("db", APPEND), &strange);
    owned.boot();
}

#[test]
fn a_firmware_takes_the_updates_that_change_all_keys() {
    let mut owned = Owned::with("rsa4096");
    let work = &owned.work;
    let generate = ["keys", "generate", "--test", "--time", TIME, "new"];
    work.done(generate);
    let (kek, pk) = ("keys/KEK", "keys/PK");
    let both = ["keys", "esl", "--esl", "keys/db.esl", "--esl", "new/db.esl"];
    work.done([&both[..], &["--output", "both.esl"]].concat());

    let of_db = owned.update("db", kek, "2025", false, "both.esl");
    let of_kek = owned.update("KEK", pk, "2025", false, "new/KEK.esl");
    let of_pk = owned.update("PK", pk, "2025", false, "new/PK.esl");
    let [new_kek, removal, old_removal] =
        ["new/KEK.auth", "new/PK-remove.auth", "keys/PK-remove.auth"]
            .map(|file| owned.work.read(file));
    owned.taken("db with both", ("db", REPLACE), &of_db);
    owned.taken("the new KEK", ("KEK", REPLACE), &of_kek);
    owned.refused("KEK by the new PK, too early", ("KEK", REPLACE), &new_kek);
    owned.taken("the new PK", ("PK", REPLACE), &of_pk);
    owned.taken("KEK by the new PK", ("KEK", REPLACE), &new_kek);
    owned.refused("the old removal", ("PK", REPLACE), &old_removal);
    owned.taken("the new removal", ("PK", REPLACE), &removal);
    owned.boot();
}

/// Debian's OVMF is built without elliptic curves: what `elliptic-curve` warns of.
#[test]
fn a_firmware_that_verifies_rsa_alone_refuses_what_elliptic_curves_sign() {
    for algorithm in ["p256", "p384"] {
        let mut owned = Owned::with("rsa2048");
        let curve = [
            "keys",
            "generate",
            "--test",
            "--algorithm",
            algorithm,
            "curve",
        ];
        owned.work.done(curve);
        owned.kek = "curve";
        let update = owned.update("db", "curve/KEK", "2021", true, "image.esl");
        owned.refused(algorithm, ("db", APPEND), &update);
        owned.boot();
    }
}
