//! Which tables there are, and which columns they have.

use super::pages::Pages;
use super::record::Record;
use super::{Fault, tree};
use crate::Damage;

/// The page at which the list of tables begins.
const SCHEMA: u32 = 1;
/// With what a line of a table's definition begins that is about no column.
const NO_COLUMN: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];

/// A table of rows that have numbers.
#[derive(Debug)]
pub(crate) struct Table {
    name: &'static str,
    root: u32,
    columns: Vec<String>,
}

impl Table {
    /// Finds a table by its name.
    pub(crate) fn find(pages: &Pages, name: &'static str) -> Result<Self, Fault> {
        let mut found = None;
        tree::scan(pages, SCHEMA, &mut |row, payload| {
            let wrong = || Damage::Row {
                table: "sqlite_schema",
                row,
                fact: "is not built as SQLite builds it",
            };
            let record = Record::read(&payload).ok_or_else(wrong)?;
            let [kind, called] = [0, 1].map(|column| record.value(column).text());
            if kind != Some("table") || called != Some(name) {
                return Ok(());
            }
            let root = record.value(3).integer();
            let root = root.and_then(|root| u32::try_from(root).ok());
            let definition = record.value(4).text();
            let (Some(root), Some(definition)) = (root, definition) else {
                return Err(wrong().into());
            };
            found = Some(Self {
                name,
                root,
                columns: columns(definition),
            });
            Ok(())
        })?;
        found.ok_or_else(|| Damage::Missing(name).into())
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

    /// What is wrong with a row.
    pub(crate) fn wrong(&self, row: i64, fact: &'static str) -> Damage {
        let table = self.name;
        Damage::Row { table, row, fact }
    }

    fn record<'a>(&self, row: i64, payload: &'a [u8]) -> Result<Record<'a>, Damage> {
        Record::read(payload).ok_or_else(|| self.wrong(row, "is not built as SQLite builds it"))
    }
}

/// The names of the columns in a definition such as `CREATE TABLE name (a integer primary key, b text, unique (b))`. What is written in
/// another way than Nix does has no columns that anybody asks for.
fn columns(definition: &str) -> Vec<String> {
    let text = without_comments(definition);
    let inside = text.split_once('(').map_or("", |(_, inside)| inside);
    let names = parts(inside).into_iter().filter_map(|part| {
        let name = part.split_whitespace().next()?;
        // `unique (b)` and `unique(b)` are the same.
        let word = name.split('(').next()?.to_ascii_lowercase();
        (!NO_COLUMN.contains(&word.as_str())).then(|| name.to_owned())
    });
    names.collect()
}

fn without_comments(definition: &str) -> String {
    let lines = definition.lines();
    let lines = lines.map(|line| line.split_once("--").map_or(line, |(before, _)| before));
    lines.collect::<Vec<_>>().join(" ")
}

/// What stands between commas, up to the parenthesis that closes.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    for (at, character) in text.char_indices() {
        match (character, depth) {
            ('(', _) => depth += 1,
            (')', 0) => {
                parts.extend(text.get(from..at));
                return parts;
            }
            (')', _) => depth -= 1,
            (',', 0) => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn finds_the_columns_of_nix_tables() {
        let paths = "CREATE TABLE ValidPaths (\n    id integer primary key autoincrement not null,\n    path text unique not null,\n    \
            ultimate integer, -- null implies \"false\", (really)\n    sigs text -- space-separated\n, ca text)";
        assert_eq!(columns(paths), ["id", "path", "ultimate", "sigs", "ca"]);
        let refs = "CREATE TABLE Refs (referrer integer not null, reference integer not null,\n primary key (referrer, reference),\
            foreign key (referrer) references ValidPaths(id) on delete cascade)";
        assert_eq!(columns(refs), ["referrer", "reference"]);
    }

    #[test]
    fn a_definition_of_another_kind_has_no_columns() {
        for text in ["", "CREATE TABLE a", "CREATE TABLE a (b", ")("] {
            assert!(columns(text).is_empty(), "{text}");
        }
    }
}
