//! Which tables there are, which columns they have, and what finds their rows.

use super::definition::{automatic_indexes, columns};
use super::index::{self, Key};
use super::pages::Pages;
use super::record::{Record, Value};
use super::{Fault, tree};
use crate::Damage;

/// The page at which the list of tables begins.
const SCHEMA: u32 = 1;

/// A table of rows that have numbers.
#[derive(Debug)]
pub(crate) struct Table {
    name: &'static str,
    root: u32,
    columns: Vec<String>,
    /// The columns of the indexes that SQLite made for it.
    indexed: Vec<Vec<String>>,
    /// The numbers and the first pages of these indexes.
    indexes: Vec<(usize, u32)>,
}

/// An index of a table, which finds rows by what they say.
#[derive(Debug)]
pub(crate) struct Index {
    root: u32,
    /// Where the columns that it has stand in each row.
    columns: Vec<usize>,
}

impl Table {
    /// Finds a table by its name.
    pub(crate) fn find(pages: &Pages, name: &'static str) -> Result<Self, Fault> {
        let (mut found, mut indexes) = (None, Vec::new());
        tree::scan(pages, SCHEMA, &mut |row, payload| {
            let wrong = || Damage::Row {
                table: "sqlite_schema",
                row,
                fact: "is not built as SQLite builds it",
            };
            let record = Record::read(&payload).ok_or_else(wrong)?;
            let [kind, called, of] = [0, 1, 2].map(|column| record.value(column).text());
            let root = record.value(3).integer();
            let root = root.and_then(|root| u32::try_from(root).ok());
            if kind == Some("index") && of == Some(name) {
                let number = called.and_then(|called| automatic(called, name));
                indexes.extend(number.zip(root));
            }
            if kind != Some("table") || called != Some(name) {
                return Ok(());
            }
            let definition = record.value(4).text();
            let (Some(root), Some(definition)) = (root, definition) else {
                return Err(wrong().into());
            };
            found = Some((root, columns(definition), automatic_indexes(definition)));
            Ok(())
        })?;
        let (root, columns, indexed) = found.ok_or(Damage::Missing(name))?;
        Ok(Self {
            name,
            root,
            columns,
            indexed,
            indexes,
        })
    }

    /// The index that SQLite made because these columns together are unique. Nothing where there is none, or where the table is defined in
    /// another way than Nix does, so that it is not certain which one it is.
    pub(crate) fn index(&self, columns: &[&'static str]) -> Option<Index> {
        let number = 1 + self.indexed.iter().position(|index| index == columns)?;
        let mut roots = self.indexes.iter().filter(|index| index.0 == number);
        let (Some((_, root)), None) = (roots.next(), roots.next()) else {
            return None;
        };
        let places = columns.iter().map(|column| self.column(column).ok());
        Some(Index {
            root: *root,
            columns: places.collect::<Option<_>>()?,
        })
        .filter(|_| self.indexes.len() == self.indexed.len())
    }

    /// Where a column stands in each row.
    pub(crate) fn column(&self, name: &'static str) -> Result<usize, Damage> {
        let mut columns = self.columns.iter();
        let place = columns.position(|column| column == name);
        place.ok_or(Damage::Missing(name))
    }

    /// Visits all rows.
    pub(crate) fn scan(
        &self,
        pages: &Pages,
        visit: &mut dyn FnMut(i64, &Record<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        tree::scan(pages, self.root, &mut |row, payload| {
            visit(row, &self.record(row, &payload)?)
        })
    }

    /// Does something with one row; nothing when there is none.
    pub(crate) fn get<T>(
        &self,
        pages: &Pages,
        row: i64,
        read: impl FnOnce(&Record<'_>) -> Result<T, Damage>,
    ) -> Result<Option<T>, Fault> {
        let Some(payload) = tree::get(pages, self.root, row)? else {
            return Ok(None);
        };
        let record = self.record(row, &payload)?;
        Ok(Some(read(&record)?))
    }

    /// Does something with each row that an index says to have these values in its first columns.
    ///
    /// No answer is an index' alone: the rows say the same as it does of them, and of the two that are beside them in its order.
    pub(crate) fn look_up<T>(
        &self,
        pages: &Pages,
        index: &Index,
        wanted: &[Value<'_>],
        read: impl Fn(i64, &Record<'_>) -> T,
    ) -> Result<Vec<T>, Fault> {
        let found = index::find(pages, index.root, index.columns.len(), wanted)?;
        let beside = found.beside.iter().flatten();
        if found.keys.is_empty() && beside.clone().next().is_none() {
            self.expect_empty(pages, index)?;
        }
        for key in beside {
            self.row_of(pages, index, key, |_, _| ())?;
        }
        let keys = found.keys.iter();
        keys.map(|key| self.row_of(pages, index, key, &read))
            .collect()
    }

    /// Does something with the row of a key, which must say the same.
    fn row_of<T>(
        &self,
        pages: &Pages,
        index: &Index,
        key: &Key,
        read: impl Fn(i64, &Record<'_>) -> T,
    ) -> Result<T, Fault> {
        let wrong = || Damage::Page {
            page: key.page,
            fact: "has a key that no row has",
        };
        let said = key.record().ok_or_else(wrong)?;
        let number = said.value(index.columns.len()).integer();
        let number = number.ok_or_else(wrong)?;
        let row = self.get(pages, number, |row| {
            let mut columns = index.columns.iter().enumerate();
            match columns.all(|(place, column)| row.value(*column) == said.value(place)) {
                true => Ok(read(number, row)),
                false => Err(wrong()),
            }
        })?;
        Ok(row.ok_or_else(wrong)?)
    }

    /// An index without keys is that of a table without rows.
    fn expect_empty(&self, pages: &Pages, index: &Index) -> Result<(), Fault> {
        tree::scan(pages, self.root, &mut |_, _| {
            Err(Damage::Page {
                page: index.root,
                fact: "has no keys, and its table has rows",
            }
            .into())
        })
    }

    /// What is wrong with a row.
    pub(crate) fn wrong(&self, row: i64, fact: &'static str) -> Damage {
        let table = self.name;
        Damage::Row { table, row, fact }
    }

    fn record<'a>(&self, row: i64, payload: &'a [u8]) -> Result<Record<'a>, Damage> {
        Record::read(payload).ok_or_else(|| self.wrong(row, "is not built as SQLite builds it"))
    }
}

/// The number in the name of an index that SQLite made for a table.
fn automatic(index: &str, table: &str) -> Option<usize> {
    let of = index.strip_prefix("sqlite_autoindex_")?;
    let number = of.strip_prefix(table)?.strip_prefix('_')?;
    number.parse().ok()
}
