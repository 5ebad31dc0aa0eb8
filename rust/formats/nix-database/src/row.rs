//! A row of `ValidPaths` as an entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use touchstone_store::{Entry, NarHash, NarInfo, Signature, StorePath};

use crate::Damage;
use crate::sqlite::{Fault, Index, Pages, Record, Table, Value};

/// The table of paths, and where its columns stand.
pub(crate) struct ValidPaths {
    table: Table,
    id: usize,
    path: usize,
    hash: usize,
    deriver: usize,
    size: usize,
    signatures: usize,
    address: usize,
    /// Not in every database that is read here.
    ultimate: Option<usize>,
    /// Finds rows by their paths; not in every database either.
    by_path: Option<Index>,
}

impl ValidPaths {
    /// Finds the table.
    pub(crate) fn find(pages: &Pages) -> Result<Self, Fault> {
        let table = Table::find(pages, "ValidPaths")?;
        Ok(Self {
            id: table.column("id")?,
            path: table.column("path")?,
            hash: table.column("hash")?,
            deriver: table.column("deriver")?,
            size: table.column("narSize")?,
            signatures: table.column("sigs")?,
            address: table.column("ca")?,
            ultimate: table.column("ultimate").ok(),
            by_path: table.index(&["path"]),
            table,
        })
    }

    /// The number of a path's row, if it has one, by a walk over all rows.
    pub(crate) fn row_of(&self, pages: &Pages, path: &StorePath) -> Result<Option<i64>, Fault> {
        let mut found = None;
        self.table.scan(pages, &mut |row, record| {
            if record.value(self.path) != Value::Text(path.as_str().as_bytes()) {
                return Ok(());
            }
            match found.replace(row) {
                None => Ok(()),
                Some(_) => Err(Damage::Twice(path.clone()).into()),
            }
        })?;
        Ok(found)
    }

    /// The numbers of the rows of these paths, of those that have one, looked up if there is an index for that.
    pub(crate) fn rows_of(
        &self,
        pages: &Pages,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, i64>, Fault> {
        let Some(index) = &self.by_path else {
            return self.walk_for(pages, paths);
        };
        let mut found = BTreeMap::new();
        for path in paths {
            let wanted = [Value::Text(path.as_str().as_bytes())];
            let rows = self.table.look_up(pages, index, &wanted, |row, _| row)?;
            match rows.as_slice() {
                [] => {}
                [row] => drop(found.insert(path.clone(), *row)),
                _ => return Err(Damage::Twice(path.clone()).into()),
            }
        }
        Ok(found)
    }

    /// The same by a walk over all rows.
    fn walk_for(
        &self,
        pages: &Pages,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, i64>, Fault> {
        let wanted: BTreeMap<&[u8], &StorePath> = paths
            .iter()
            .map(|path| (path.as_str().as_bytes(), path))
            .collect();
        let mut found = BTreeMap::new();
        self.table.scan(pages, &mut |row, record| {
            let Value::Text(text) = record.value(self.path) else {
                return Ok(());
            };
            let Some(path) = wanted.get(text) else {
                return Ok(());
            };
            match found.insert((*path).clone(), row) {
                None => Ok(()),
                Some(_) => Err(Damage::Twice((*path).clone()).into()),
            }
        })?;
        Ok(found)
    }

    /// Whether Nix says that a row's path was built on this machine.
    pub(crate) fn is_built_here(&self, pages: &Pages, row: i64) -> Result<bool, Fault> {
        let Some(ultimate) = self.ultimate else {
            return Ok(false);
        };
        let read = |record: &Record<'_>| Ok(record.value(ultimate).integer() == Some(1));
        Ok(self.table.get(pages, row, read)?.unwrap_or(false))
    }

    /// What a row says, without references, which stand elsewhere.
    pub(crate) fn get(&self, pages: &Pages, row: i64) -> Result<Option<NarInfo>, Fault> {
        self.table.get(pages, row, |record| self.entry(row, record))
    }

    fn entry(&self, row: i64, record: &Record<'_>) -> Result<NarInfo, Damage> {
        // The number of a row is its `id`: SQLite writes it nowhere else.
        if record.value(self.id) != Value::Null {
            return Err(self.table.wrong(row, "has an id that is not its number"));
        }
        let path = record.value(self.path).text().unwrap_or_default();
        let path = StorePath::parse(path);
        let path = path.map_err(|_| self.table.wrong(row, "has a path that is no store path"))?;
        let wrong = |why: String| Damage::Value {
            path: path.clone(),
            why,
        };
        let hash = required(&record.value(self.hash), "hash").map_err(wrong)?;
        let size = record.value(self.size).integer().unwrap_or_default();
        let entry = Entry {
            path: path.clone(),
            nar_hash: parsed::<NarHash>("hash", hash).map_err(wrong)?,
            nar_size: positive(size).ok_or_else(|| wrong(format!("its NAR size is {size}")))?,
            references: BTreeSet::new(),
            ca: optional("content address", &record.value(self.address)).map_err(wrong)?,
            signatures: signatures(&record.value(self.signatures)).map_err(wrong)?,
        };
        let deriver = optional("deriver", &record.value(self.deriver)).map_err(wrong)?;
        Ok(NarInfo {
            entry,
            deriver,
            archive: None,
        })
    }
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number > 0)
}

fn required<'a>(value: &Value<'a>, name: &str) -> Result<&'a str, String> {
    let text = value.text();
    text.ok_or_else(|| format!("its {name} is no text"))
}

/// A text that may be missing, or empty as Nix writes what it does not know.
fn optional<T: std::str::FromStr<Err: Display>>(
    name: &str,
    value: &Value<'_>,
) -> Result<Option<T>, String> {
    match value {
        Value::Null => Ok(None),
        value => match required(value, name)? {
            "" => Ok(None),
            text => parsed(name, text).map(Some),
        },
    }
}

/// Signatures with spaces between. One that comes twice counts once, as for Nix.
fn signatures(value: &Value<'_>) -> Result<BTreeSet<Signature>, String> {
    if *value == Value::Null {
        return Ok(BTreeSet::new());
    }
    let texts = required(value, "list of signatures")?.split_ascii_whitespace();
    texts.map(|text| parsed("signature", text)).collect()
}

fn parsed<T: std::str::FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: T::Err| format!("its {name}: {error}"))
}
