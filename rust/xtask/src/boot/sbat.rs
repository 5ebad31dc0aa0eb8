//! The SBAT level under shim: what `touchstone pe verify --sbat-level` says, shim must say as well.
//!
//! The machine has Debian's shim, which db's key signs beside Microsoft's; shim starts an image signed by the same key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{
    BootVariable, Firmware, Machine, Outcome as End, RefusedBy, Variables, Verdict,
};
use touchstone_harness::efi_program::EfiProgram;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use super::each::each;
use super::keys::{Keys, efi, read, verify};
use super::table::{Row, Table};

const SAYS: &str = "touchstone: shim has started this";
const FIRST: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";

/// What the machine's variable `SbatLevel` holds when it is switched on.
#[derive(Clone, Copy)]
enum Level {
    /// A level of our own, of a date that shim's does not reach.
    Ours,
    /// One so old that shim puts its own in its place.
    Old,
    /// One that revokes shim.
    AgainstShim,
}

impl Level {
    fn text(self) -> &'static str {
        match self {
            Level::Ours => "sbat,1,2099010100\nshim,4\ntest,3\nother,2\n",
            Level::Old => "sbat,1,2021030218\n",
            Level::AgainstShim => "sbat,1,2099010100\nshim,99\n",
        }
    }
}

/// An image that shim is to start.
struct Case {
    name: &'static str,
    level: Level,
    /// Further lines of the image's section `.sbat`; none for an image without one.
    sbat: Option<&'static str>,
    /// Why shim would trust it.
    trust: Trust,
}

/// What speaks for an image.
#[derive(Clone, Copy)]
enum Trust {
    /// A signature of our key; further arguments of `pe sign`.
    Signature(&'static [&'static str]),
    /// A signature of our other key, which is in db as well.
    Curve,
    /// Its digest in db.
    Digest,
}

const fn case(name: &'static str, sbat: &'static str) -> Case {
    Case {
        name,
        level: Level::Ours,
        sbat: Some(sbat),
        trust: Trust::Signature(&[]),
    }
}

impl Case {
    const fn under(self, level: Level) -> Case {
        Case { level, ..self }
    }

    const fn by(self, trust: Trust) -> Case {
        Case { trust, ..self }
    }
}

const GOOD: &str = "test,3,T,test,1,https://test.example\n";

const CASES: [Case; 12] = [
    case("sbat-below-level", "test,2,T,test,1,https://test.example\n"),
    case("sbat-at-level", GOOD),
    case("sbat-above-level", "test,4,T,test,1,https://test.example\n"),
    case(
        "sbat-not-in-level",
        "third,1,T,third,1,https://test.example\n",
    ),
    case(
        "sbat-one-of-two-below",
        "test,3,T,test,1,https://test.example\nother,1,O,other,1,https://test.example\n",
    ),
    Case {
        sbat: None,
        ..case("no-sbat", "")
    },
    case("sbat-at-level-sha384", GOOD).by(Trust::Signature(&["--digest", "sha384"])),
    case("signed-with-p256", GOOD).by(Trust::Curve),
    case("digest-in-db", GOOD).by(Trust::Digest),
    case(
        "grub-below-shims-own-level",
        "grub,1,G,grub,1,https://grub.example\n",
    )
    .under(Level::Old),
    case(
        "grub-above-shims-own-level",
        "grub,99,G,grub,1,https://grub.example\n",
    )
    .under(Level::Old),
    case("shim-below-level", GOOD).under(Level::AgainstShim),
];

/// Boots each case.
pub fn judge(inputs: &Inputs) -> Result<Table> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::make(inputs, folder.path())?;
    let stage = Stage::begin(format!("Asking shim about {} images", CASES.len()));
    let rows = each(&CASES, |case| bench.row(case).with_context(|| case.name))?;
    stage.done("answered");
    Ok(Table {
        title: format!("{} verdicts of shim under an SBAT level", rows.len()),
        rows,
    })
}

/// What all cases share.
struct Bench<'a> {
    inputs: &'a Inputs,
    keys: Keys,
    /// The same with an elliptic curve; both certificates in db have the same name.
    curve: Keys,
    /// Debian's shim, signed by our key as well.
    shim: PathBuf,
    /// The level inside of shim.
    shims_own: Vec<u8>,
}

impl<'a> Bench<'a> {
    fn make(inputs: &'a Inputs, folder: &Path) -> Result<Bench<'a>> {
        let keys = Keys::make(inputs, &folder.join("rsa"), &[])?;
        let curve = Keys::make(inputs, &folder.join("p256"), &["--algorithm", "p256"])?;
        let shim = keys.path("shim.efi");
        let original = efi(inputs, "shim-signed_amd64/usr/lib/shim/shimx64.efi.signed")?;
        keys.sign(original, &shim, &[])?;
        Ok(Bench {
            inputs,
            keys,
            curve,
            shim,
            shims_own: own_level(&read(original)?)?,
        })
    }

    fn row(&self, case: &Case) -> Result<Row> {
        let image = self.image(case)?;
        let (judged, level) = match case.level {
            Level::Ours => (&image, case.level.text().as_bytes()),
            Level::Old => (&image, self.shims_own.as_slice()),
            Level::AgainstShim => (&self.shim, case.level.text().as_bytes()),
        };
        let [db, level_file] = ["db", "level"].map(|kind| self.file(case, kind));
        fs::write(&db, self.db(case)?)?;
        fs::write(&level_file, level)?;
        let mut command = self.keys.command(&["pe", "verify", "--json", "--db"]);
        command.arg(&db);
        command.arg("--sbat-level").arg(level_file).arg(judged);
        Ok(Row {
            name: case.name.to_owned(),
            ours: verify(command)?,
            firmware: self.boot(case, read(&image)?, read(&db)?)?,
            explained: None,
        })
    }

    /// A file of this case.
    fn file(&self, case: &Case, kind: &str) -> PathBuf {
        self.keys.path(&format!("{}.{kind}", case.name))
    }

    fn image(&self, case: &Case) -> Result<PathBuf> {
        let sbat = case.sbat.map(|lines| format!("{FIRST}{lines}"));
        let program = EfiProgram {
            says: SAYS,
            sbat: sbat.as_deref(),
        };
        let [plain, signed] = ["efi", "signed"].map(|kind| self.file(case, kind));
        fs::write(&plain, program.image())?;
        match case.trust {
            Trust::Signature(words) => self.keys.sign(&plain, &signed, words)?,
            Trust::Curve => self.curve.sign(&plain, &signed, &[])?,
            Trust::Digest => return Ok(plain),
        }
        Ok(signed)
    }

    /// What db holds: both certificates, and the image's digest where that is to speak for it.
    fn db(&self, case: &Case) -> Result<Vec<u8>> {
        let mut db = [self.keys.read("db.esl")?, self.curve.read("db.esl")?].concat();
        if let Trust::Digest = case.trust {
            let list = self.file(case, "esl");
            let mut command = self.keys.command(&["keys", "esl", "--image"]);
            command.arg(self.file(case, "efi"));
            command.arg("--output").arg(&list);
            output(command)?;
            db.extend(read(&list)?);
        }
        Ok(db)
    }

    /// Lets the firmware start shim, and shim the image.
    fn boot(&self, case: &Case, image: Vec<u8>, db: Vec<u8>) -> Result<Verdict> {
        let root = self.inputs.trixie();
        let variables = Variables {
            pk: self.keys.read("PK.esl")?,
            kek: self.keys.read("KEK.esl")?,
            db,
            dbx: Vec::new(),
            secure_boot: true,
        };
        let boot = Machine::new(&root, Firmware::of_debian(root.path()))
            .without_tpm()
            .variables(variables)
            .boot_variable(BootVariable::sbat_level(case.level.text()))
            .last_line(SAYS)
            .file("EFI/BOOT/BOOTX64.EFI", self.shim.clone())
            .file("EFI/BOOT/grubx64.efi", image)
            .boot()?;
        match boot.outcome {
            End::Reached => Ok(Verdict::Started),
            End::Refused(refusal) if refusal.by != RefusedBy::Firmware => Ok(Verdict::Refused),
            other => bail!("shim neither started it nor refused it: {other}"),
        }
    }
}

/// The level that shim brings along: the first text of its section `.sbatlevel`, up to a NUL.
fn own_level(shim: &[u8]) -> Result<Vec<u8>> {
    const BEGIN: &[u8] = b"sbat,1,2";
    let at = shim.windows(BEGIN.len()).position(|part| part == BEGIN);
    let text = at
        .and_then(|at| shim.get(at..))
        .context("shim has no SBAT level")?;
    let text = text.split(|byte| *byte == 0).next();
    text.map(<[u8]>::to_vec).context("shim has no SBAT level")
}
