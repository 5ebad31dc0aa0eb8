//! Tables: trees of pages, whose leaves hold rows in the order of their numbers.

use std::borrow::Cow;
use std::rc::Rc;

use super::pages::Pages;
use super::payload::Place;
use super::record::varint;
use super::{Fault, u16_at, u32_at};
use crate::Damage;

/// Deepest tree that SQLite itself walks.
pub(super) const DEPTH_MAX: usize = 20;
/// Longest row in bytes: a path with some ten thousand signatures.
const ROW_MAX: usize = 1 << 22;
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

/// Takes one row: its number and its bytes.
pub(super) type Visit<'a> = dyn FnMut(i64, Cow<'_, [u8]>) -> Result<(), Fault> + 'a;

/// A page of a table's tree.
struct Node {
    number: u32,
    bytes: Rc<[u8]>,
    leaf: bool,
    /// Where the places of its cells stand, and how many there are.
    cells: (usize, u16),
}

/// One row on a leaf, or one child of an interior page.
struct Cell {
    at: usize,
    row: i64,
    /// Length of the row, or the page of the child.
    value: u64,
}

impl Node {
    fn read(bytes: Rc<[u8]>, number: u32) -> Result<Self, Fault> {
        let start = if number == 1 {
            super::header::LENGTH
        } else {
            0
        };
        let wrong = |fact| Damage::Page { page: number, fact };
        let leaf = match bytes.get(start) {
            Some(&LEAF) => true,
            Some(&INTERIOR) => false,
            _ => return Err(wrong("is no page of a table").into()),
        };
        let cells = u16_at(&bytes, start + 3).ok_or_else(|| wrong("is too short"))?;
        let header = if leaf { 8 } else { 12 };
        Ok(Self {
            number,
            leaf,
            cells: (start + header, cells),
            bytes,
        })
    }

    fn damage(&self, fact: &'static str) -> Damage {
        let page = self.number;
        Damage::Page { page, fact }
    }

    fn wrong(&self, fact: &'static str) -> Fault {
        self.damage(fact).into()
    }

    fn count(&self) -> u16 {
        self.cells.1
    }

    /// The child behind the last cell.
    fn last(&self) -> Result<u32, Fault> {
        let (places, _) = self.cells;
        u32_at(&self.bytes, places - 4).ok_or_else(|| self.wrong("is too short"))
    }

    fn cell(&self, index: u16) -> Result<Cell, Fault> {
        let (places, _) = self.cells;
        let cell = || {
            let at = usize::from(u16_at(&self.bytes, places + 2 * usize::from(index))?);
            let (value, at) = match self.leaf {
                true => varint(&self.bytes, at)?,
                false => (u64::from(u32_at(&self.bytes, at)?), at + 4),
            };
            let (row, at) = varint(&self.bytes, at)?;
            let row = row.cast_signed();
            Some(Cell { at, row, value })
        };
        cell().ok_or_else(|| self.wrong("has a cell that is not on it"))
    }

    /// The children, from left to right.
    fn children(&self) -> Result<Vec<u32>, Fault> {
        let mut children = Vec::with_capacity(usize::from(self.count()) + 1);
        for index in 0..self.count() {
            children.push(self.page_of(&self.cell(index)?)?);
        }
        children.push(self.last()?);
        Ok(children)
    }

    fn page_of(&self, cell: &Cell) -> Result<u32, Fault> {
        u32::try_from(cell.value).map_err(|_| self.wrong("has a cell that is not on it"))
    }

    /// The child below which a row would be.
    fn child_of(&self, row: i64) -> Result<u32, Fault> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.cell(middle)?.row < row {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        match low < self.count() {
            true => self.page_of(&self.cell(low)?),
            false => self.last(),
        }
    }

    /// A row of this leaf.
    fn find(&self, row: i64) -> Result<Option<Cell>, Fault> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let cell = self.cell(middle)?;
            match cell.row.cmp(&row) {
                std::cmp::Ordering::Equal => return Ok(Some(cell)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// The bytes of a row: on the leaf, and, where they do not fit, on pages of their own.
    fn payload(&self, pages: &Pages, cell: &Cell) -> Result<Cow<'_, [u8]>, Fault> {
        let length = usize::try_from(cell.value).unwrap_or(usize::MAX);
        if length > ROW_MAX {
            return Err(self.wrong("has a row that is longer than any that Nix writes"));
        }
        let usable = pages.usable();
        let place = Place::new(cell.at, length, usable - 35, usable);
        place.read(
            pages,
            &self.bytes,
            &self.damage("has a row that is not on it"),
        )
    }
}

/// Visits all rows, in the order of their numbers.
pub(super) fn scan(pages: &Pages, root: u32, visit: &mut Visit<'_>) -> Result<(), Fault> {
    // No page is met twice in a tree: more than there are is a circle.
    let mut left = pages.count();
    let mut before = None;
    let mut waiting = vec![(root, 1)];
    while let Some((number, depth)) = waiting.pop() {
        let node = Node::read(pages.page(number)?.into(), number)?;
        left = left
            .checked_sub(1)
            .ok_or_else(|| node.wrong("is in its tree twice"))?;
        if depth > DEPTH_MAX {
            return Err(node.wrong("lies deeper in its tree than any page can"));
        }
        if !node.leaf {
            let children = node.children()?;
            waiting.extend(children.iter().rev().map(|child| (*child, depth + 1)));
            continue;
        }
        for index in 0..node.count() {
            let cell = node.cell(index)?;
            if before.is_some_and(|before| before >= cell.row) {
                return Err(node.wrong("has rows that are not in order"));
            }
            before = Some(cell.row);
            visit(cell.row, node.payload(pages, &cell)?)?;
        }
    }
    Ok(())
}

/// The bytes of one row, if there is such a row.
pub(super) fn get(pages: &Pages, root: u32, row: i64) -> Result<Option<Vec<u8>>, Fault> {
    let mut number = root;
    for _ in 0..DEPTH_MAX {
        let node = Node::read(pages.keep(number)?, number)?;
        if !node.leaf {
            number = node.child_of(row)?;
            continue;
        }
        return match node.find(row)? {
            Some(cell) => Ok(Some(node.payload(pages, &cell)?.into_owned())),
            None => Ok(None),
        };
    }
    Err(Damage::Page {
        page: number,
        fact: "lies deeper in its tree than any page can",
    }
    .into())
}
