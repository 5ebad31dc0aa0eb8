//! What `touchstone pe verify` says of an image under lists of signatures, the firmware must say as well.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Firmware, Judge, Lists, Verdict};
use touchstone_harness::progress::Stage;
use touchstone_harness::verdicts::{self, Case, Tools};

use super::each::each;
use super::keys::{Keys, read, touchstone, verify};
use super::table::{Row, Table};

/// Whose firmware is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// OVMF 2025.02, of Debian 13. It verifies no elliptic curves.
    Stable,
    /// The OVMF of Debian's rolling release, 2026.08 or later, which does.
    Newest,
}

const ELLIPTIC_CURVES: [&str; 4] = [
    "touchstone-p256",
    "touchstone-p384",
    "touchstone-p384-sha384",
    "osslsigncode-p256",
];

impl Release {
    fn name(self) -> &'static str {
        match self {
            Release::Stable => "OVMF of Debian 13",
            Release::Newest => "OVMF of Debian's rolling release",
        }
    }

    fn firmware(self, inputs: &Inputs) -> Option<Firmware> {
        let ovmf = match self {
            Release::Stable => Some(&inputs.ovmf),
            Release::Newest => inputs.newest_ovmf.as_ref(),
        };
        ovmf.map(|ovmf| Firmware {
            code: ovmf.code.clone(),
            variables: ovmf.vars.clone(),
        })
    }

    /// Why this firmware says the contrary of us, where it is known to.
    fn explained(self, case: &Case) -> Option<&'static str> {
        let known = self == Release::Stable && ELLIPTIC_CURVES.contains(&case.name);
        known.then_some("this firmware knows no elliptic curves")
    }
}

/// Images that are judged in one boot.
struct Group<'a> {
    lists: Lists,
    cases: Vec<&'a Case>,
}

/// Judges all cases by `pe verify` and by this firmware; none where it could not be had.
pub fn judge(inputs: &Inputs, release: Release) -> Result<Option<Table>> {
    let Some(firmware) = release.firmware(inputs) else {
        println!("  left out: {} is not there", release.name());
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let keys = Keys::make(inputs, &folder.path().join("keys"), &[])?;
    let images = folder.path().join("images");
    std::fs::create_dir(&images)?;
    let tools = Tools {
        touchstone: touchstone(inputs)?,
        root: inputs.trixie(),
    };
    let stage = Stage::begin("Making images that are signed well and badly");
    let cases = verdicts::cases(&images, &tools)?;
    stage.done(&format!("{} images and lists", cases.len()));
    let groups = groups(&cases)?;
    let root = inputs.trixie();
    let judge = Judge {
        firmware,
        ..keys.judge(inputs, &root)?
    };
    let stage = Stage::begin(format!(
        "Asking the {} about them, in {} boots",
        release.name(),
        groups.len()
    ));
    let rows = each(&groups, |group| rows(&judge, &keys, release, group))?;
    stage.done("answered");
    let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
    // As they stand in the table of cases.
    rows.sort_by_key(|row| cases.iter().position(|case| case.name == row.name));
    ensure!(rows.len() == cases.len(), "a case was left out");
    Ok(Some(Table {
        title: format!(
            "{} verdicts in {} boots of the {}, under Secure Boot",
            rows.len(),
            groups.len(),
            release.name()
        ),
        rows,
    }))
}

/// The cases by their lists, which a boot has one pair of.
fn groups(cases: &[Case]) -> Result<Vec<Group<'_>>> {
    let mut groups: BTreeMap<(Vec<u8>, Vec<u8>), Vec<&Case>> = BTreeMap::new();
    for case in cases {
        let dbx = case.dbx.as_deref().map_or_else(|| Ok(Vec::new()), read)?;
        groups.entry((read(&case.db)?, dbx)).or_default().push(case);
    }
    let groups = groups.into_iter().map(|((db, dbx), cases)| Group {
        lists: Lists { db, dbx },
        cases,
    });
    Ok(groups.collect())
}

fn rows(judge: &Judge<'_>, keys: &Keys, release: Release, group: &Group<'_>) -> Result<Vec<Row>> {
    let images = group.cases.iter().map(|case| read(&case.image));
    let images: Vec<Vec<u8>> = images.collect::<Result<_>>()?;
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let names = || group.cases.iter().map(|case| case.name).collect::<Vec<_>>();
    let said = judge
        .verdicts(&group.lists, &images)
        .with_context(|| names().join(", "))?;
    let pairs = group.cases.iter().zip(said);
    pairs
        .map(|(case, said)| row(keys, release, case, said))
        .collect()
}

fn row(keys: &Keys, release: Release, case: &Case, said: Verdict) -> Result<Row> {
    let ours = verify(command(keys, &case.image, &case.db, case.dbx.as_deref()))
        .with_context(|| case.name)?;
    Ok(Row {
        name: case.name.to_owned(),
        ours,
        firmware: said,
        explained: release.explained(case),
    })
}

fn command(keys: &Keys, image: &Path, db: &Path, dbx: Option<&Path>) -> std::process::Command {
    let mut command = keys.command(&["pe", "verify", "--json", "--db"]);
    command.arg(db);
    if let Some(dbx) = dbx {
        command.arg("--dbx").arg(dbx);
    }
    command.arg(image);
    command
}
