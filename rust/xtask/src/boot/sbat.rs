//! The SBAT level under shim: what `touchstone pe verify --sbat-level` says, shim must say as well.
//!
//! The machine has Debian's shim, which db's key signs beside Microsoft's; shim starts an image signed by the same key.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{
    BootVariable, Firmware, Machine, Outcome as End, Variables, Verdict,
};
use touchstone_harness::efi_program::EfiProgram;
use touchstone_harness::progress::Stage;

use super::each::each;
use super::keys::{Keys, efi, read, verifies};
use super::table::{Row, Table};

const SAYS: &str = "touchstone: shim has started this";
const FIRST: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";
/// Of a date that shim's own level does not reach, else shim would put its own in its place.
const LEVEL: &str = "sbat,1,2099010100\nshim,4\ntest,3\nother,2\n";

/// An image that shim is to start.
struct Case {
    name: &'static str,
    /// Further lines of its section `.sbat`; none for an image without one.
    sbat: Option<&'static str>,
    /// Further arguments of `pe sign`.
    sign: &'static [&'static str],
}

const fn case(name: &'static str, sbat: &'static str) -> Case {
    Case {
        name,
        sbat: Some(sbat),
        sign: &[],
    }
}

const CASES: [Case; 7] = [
    case("sbat-below-level", "test,2,T,test,1,https://test.example\n"),
    case("sbat-at-level", "test,3,T,test,1,https://test.example\n"),
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
        name: "no-sbat",
        sbat: None,
        sign: &[],
    },
    Case {
        name: "sbat-at-level-sha384",
        sbat: Some("test,3,T,test,1,https://test.example\n"),
        sign: &["--digest", "sha384"],
    },
];

/// Boots each case.
pub fn judge(inputs: &Inputs) -> Result<Table> {
    let folder = tempfile::tempdir()?;
    let keys = Keys::make(inputs, &folder.path().join("keys"))?;
    let shim = keys.path("shim.efi");
    keys.sign(
        efi(inputs, "shim-signed_amd64/usr/lib/shim/shimx64.efi.signed")?,
        &shim,
        &[],
    )?;
    fs::write(keys.path("level"), LEVEL)?;
    let stage = Stage::begin(format!("Asking shim about {} images", CASES.len()));
    let rows = each(&CASES, |case| row(inputs, &keys, &shim, case))?;
    stage.done("answered");
    Ok(Table {
        title: format!("{} verdicts of shim under an SBAT level", rows.len()),
        rows,
    })
}

fn row(inputs: &Inputs, keys: &Keys, shim: &Path, case: &Case) -> Result<Row> {
    let image = image(keys, case).with_context(|| case.name)?;
    let mut verify = keys.command(&["pe", "verify", "--db"]);
    verify.arg(keys.path("db.esl"));
    verify
        .arg("--sbat-level")
        .arg(keys.path("level"))
        .arg(&image);
    Ok(Row {
        name: case.name.to_owned(),
        ours: verifies(verify).with_context(|| case.name)?,
        firmware: boot(inputs, keys, shim, &image).with_context(|| case.name)?,
        explained: None,
        rule: "sbat-level",
    })
}

fn image(keys: &Keys, case: &Case) -> Result<std::path::PathBuf> {
    let sbat = case.sbat.map(|lines| format!("{FIRST}{lines}"));
    let program = EfiProgram {
        says: SAYS,
        sbat: sbat.as_deref(),
    };
    let [unsigned, signed] =
        ["efi", "signed"].map(|kind| keys.path(&format!("{}.{kind}", case.name)));
    fs::write(&unsigned, program.image())?;
    keys.sign(&unsigned, &signed, case.sign)?;
    Ok(signed)
}

/// Lets the firmware start shim, and shim the image.
fn boot(inputs: &Inputs, keys: &Keys, shim: &Path, image: &Path) -> Result<Verdict> {
    let root = inputs.trixie();
    let variables = Variables {
        pk: keys.read("PK.esl")?,
        kek: keys.read("KEK.esl")?,
        db: keys.read("db.esl")?,
        dbx: Vec::new(),
        secure_boot: true,
    };
    let boot = Machine::new(&root, Firmware::of_debian(root.path()))
        .without_tpm()
        .variables(variables)
        .boot_variable(BootVariable::sbat_level(LEVEL))
        .last_line(SAYS)
        .file("EFI/BOOT/BOOTX64.EFI", shim)
        .file("EFI/BOOT/grubx64.efi", read(image)?)
        .boot()?;
    match boot.outcome {
        End::Reached => Ok(Verdict::Started),
        End::Refused(_) => Ok(Verdict::Refused),
        other => bail!("the machine neither started it nor refused it: {other}"),
    }
}
