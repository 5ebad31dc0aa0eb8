//! Who refers to whom: rows of `Refs`, by the numbers of rows of `ValidPaths`.

use crate::sqlite::{Fault, Index, Pages, Table, Value};

/// The table of references, and where its columns stand.
pub(crate) struct References {
    table: Table,
    referrer: usize,
    reference: usize,
    /// Finds rows by their referrer; not in every database that is read here.
    by_referrer: Option<Index>,
}

/// What rows refer to, found out in one of two ways.
pub(crate) enum Targets<'a> {
    /// All pairs of a referrer and what it refers to, sorted.
    Walked(Vec<(i64, i64)>),
    /// The table, with an index to look up one referrer at a time.
    Indexed(&'a References, &'a Index),
}

impl References {
    /// Finds the table.
    pub(crate) fn find(pages: &Pages) -> Result<Self, Fault> {
        let table = Table::find(pages, "Refs")?;
        Ok(Self {
            referrer: table.column("referrer")?,
            reference: table.column("reference")?,
            by_referrer: table.index(&["referrer", "reference"]),
            table,
        })
    }

    /// What some rows refer to, looked up if there is an index for that.
    pub(crate) fn of_some(&self, pages: &Pages) -> Result<Targets<'_>, Fault> {
        match &self.by_referrer {
            Some(index) => Ok(Targets::Indexed(self, index)),
            None => self.of_all(pages),
        }
    }

    /// What all rows refer to, by a walk over all references.
    pub(crate) fn of_all(&self, pages: &Pages) -> Result<Targets<'_>, Fault> {
        let mut pairs = Vec::new();
        self.table.scan(pages, &mut |row, record| {
            let [one, other] =
                [self.referrer, self.reference].map(|column| record.value(column).integer());
            let (Some(one), Some(other)) = (one, other) else {
                let fact = "does not say who refers to whom";
                return Err(self.table.wrong(row, fact).into());
            };
            pairs.push((one, other));
            Ok(())
        })?;
        pairs.sort_unstable();
        Ok(Targets::Walked(pairs))
    }

    /// What one row refers to.
    fn look_up(&self, pages: &Pages, index: &Index, referrer: i64) -> Result<Vec<i64>, Fault> {
        let wanted = [Value::Integer(referrer)];
        let found = self.table.look_up(pages, index, &wanted, |row, record| {
            let target = record.value(self.reference).integer();
            let fact = "does not say who refers to whom";
            target.ok_or_else(|| self.table.wrong(row, fact))
        })?;
        Ok(found.into_iter().collect::<Result<_, _>>()?)
    }
}

impl Targets<'_> {
    /// What a row refers to.
    pub(crate) fn of(&self, pages: &Pages, row: i64) -> Result<Vec<i64>, Fault> {
        let pairs = match self {
            Self::Walked(pairs) => pairs,
            Self::Indexed(references, index) => return references.look_up(pages, index, row),
        };
        let from = pairs.partition_point(|(referrer, _)| *referrer < row);
        let rest = pairs.get(from..).unwrap_or_default().iter();
        let own = rest.take_while(|(referrer, _)| *referrer == row);
        Ok(own.map(|(_, reference)| *reference).collect())
    }
}
