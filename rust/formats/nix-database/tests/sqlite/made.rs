//! Orders for SQLite (Debian's Python has it), and the database that it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_harness::inputs;
use touchstone_nix_database::{Database, DatabaseError};
use touchstone_store::{Entry, NarHash, NarInfo, SecretKey, StorePath};

/// A folder with a database, and what it should say.
pub struct Made {
    folder: TempDir,
    pub rows: Vec<NarInfo>,
    orders: Value,
}

/// The path of a number. One in seven has as long a name as one with a derivation can have.
pub fn path(number: usize) -> StorePath {
    let mut name = format!("path-{number}");
    if number % 7 == 3 {
        name.push_str(&"x".repeat(207 - name.len()));
    }
    StorePath::parse(&format!("/nix/store/{number:032}-{name}")).unwrap()
}

impl Made {
    /// Rows of paths, each of which refers to itself and to some that come after it; the last tenth nobody refers to.
    pub fn new(count: usize) -> Made {
        let key = SecretKey::from_seed("cache.example.org-1", &[7; 32].into()).unwrap();
        let reached = count - count / 10;
        let row = |number: usize| {
            let references = [number, 2 * number + 1, 2 * number + 2, number + 7];
            let references = references.into_iter().filter(|target| *target < reached);
            let references: BTreeSet<StorePath> = references.map(path).collect();
            let mut entry = Entry {
                path: path(number),
                nar_hash: NarHash::new([u8::try_from(number % 251).unwrap(); 32]),
                nar_size: 1 + (number as u64) * 0x0123_4567,
                references: if number < reached {
                    references
                } else {
                    BTreeSet::new()
                },
                ca: number
                    .is_multiple_of(5)
                    .then(|| format!("fixed:r:sha256:{number:052}").parse().unwrap()),
                signatures: BTreeSet::new(),
            };
            // One path in fifty has so many signatures that they need pages of their own.
            let keys = if number % 50 == 3 { 120 } else { number % 3 };
            let fingerprint = entry.fingerprint();
            let name = |index| format!("{index}.{}", key.name());
            let keys = (0..keys).map(|index| SecretKey::from_seed(&name(index), &[7; 32].into()));
            entry.signatures = keys.map(|key| key.unwrap().sign(&fingerprint)).collect();
            let deriver = number
                .is_multiple_of(2)
                .then(|| format!("{}.drv", path(number)).parse().unwrap());
            NarInfo {
                entry,
                deriver,
                archive: None,
            }
        };
        let rows = (0..count).map(row).collect();
        Made {
            folder: tempfile::tempdir().unwrap(),
            rows,
            orders: json!({ "pageSize": 4096, "vacuum": "none", "journal": "delete", "then": "close", "long": 0, "churn": 0 }),
        }
    }

    /// An order beside the rows.
    pub fn order(mut self, name: &str, value: impl Into<Value>) -> Made {
        self.orders[name] = value.into();
        self
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("db.sqlite")
    }

    /// Starts SQLite with these orders.
    pub fn start(&self) -> Child {
        let mut orders = self.orders.clone();
        let number = |path: &StorePath| self.rows.iter().position(|row| row.entry.path == *path);
        // Numbers with gaps, as where paths were deleted.
        let id = |index: usize| 3 * index + 1;
        let rows = self.rows.iter().enumerate().map(|(index, row)| {
            let hash: String = row.entry.nar_hash.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let signatures: Vec<String> = row.entry.signatures.iter().map(ToString::to_string).collect();
            json!({ "id": id(index), "path": row.entry.path, "hash": format!("sha256:{hash}"), "narSize": row.entry.nar_size,
                "deriver": row.deriver, "sigs": signatures.join(" ") })
        });
        let with_address = |row: &NarInfo| {
            Some((
                row.entry.path.to_string(),
                row.entry.ca.clone()?.to_string(),
            ))
        };
        let addresses: BTreeMap<String, String> =
            self.rows.iter().filter_map(with_address).collect();
        let refs = self.rows.iter().enumerate().flat_map(|(index, row)| {
            let targets = row.entry.references.iter().map(move |path| (index, path));
            targets
                .map(|(index, path)| json!([id(index), id(number(path).unwrap())]))
                .collect::<Vec<_>>()
        });
        orders["rows"] = rows.collect();
        orders["ca"] = json!(addresses);
        orders["refs"] = refs.collect();
        let visit = inputs().trixie().visit().bind(self.folder.path());
        let mut command = visit.command("python3").unwrap();
        command
            .args(["-c", include_str!("make.py")])
            .arg(self.file());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(orders.to_string().as_bytes()).unwrap();
        child
    }

    /// Lets SQLite do it all.
    pub fn make(self) -> Made {
        let killed = self.orders["then"] != "close";
        let status = self.start().wait().unwrap();
        assert!(killed || status.success(), "{status}");
        self
    }

    /// What the database says of the closure of the first path: nothing, where damage has made another path of it.
    pub fn closure(&self) -> Result<Vec<NarInfo>, DatabaseError> {
        let database = Database::open(&self.file())?;
        Ok(database.closure(&path(0))?.unwrap_or_default())
    }

    /// The same, looked up by indexes.
    pub fn reached(&self) -> Result<Vec<NarInfo>, DatabaseError> {
        let database = Database::open(&self.file())?;
        let known = database.reached(&[path(0)].into())?;
        Ok(known.into_values().map(|known| known.info).collect())
    }

    /// What it should say.
    pub fn expected(&self) -> &[NarInfo] {
        &self.rows[..self.rows.len() - self.rows.len() / 10]
    }
}
