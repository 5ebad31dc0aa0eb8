//! Indexes: trees of pages that hold keys in their order, on leaves and between the children of interior pages alike. A key is a row's values
//! in the indexed columns, and the row's number behind them.
//!
//! Every page on the way to a key is checked as a whole: nothing on it is counted wrongly, its keys are in order, and lie between those that
//! led to it. So a key that is damaged is out of order, or stands beside the place where it belongs. Nothing leads to the first page: that it
//! holds a part of the same index instead of the whole is not seen.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use super::pages::Pages;
use super::payload::Place;
use super::record::{self, Record, Value, varint};
use super::tree::DEPTH_MAX;
use super::{Fault, u16_at, u32_at};
use crate::Damage;

/// Longest key in bytes; Nix' longest is a path of 255.
const KEY_MAX: usize = 1 << 16;
/// Fewest bytes that a cell takes.
const CELL_MIN: usize = 4;
const INTERIOR: u8 = 0x02;
const LEAF: u8 = 0x0a;

const UNEVEN: &str = "is in a tree whose leaves are not all equally deep";

/// What an index says of some values.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The keys that begin with them.
    pub(super) keys: Vec<Key>,
    /// The last key before these, and the first one behind them.
    pub(super) beside: [Option<Key>; 2],
}

impl Found {
    /// Takes what a page has of it, and what is beside that: what lies deeper lies nearer.
    fn take(&mut self, key: impl Fn(usize) -> Option<Key>, range: &Range<usize>) {
        self.keys.extend(range.clone().filter_map(&key));
        let [before, behind] = &mut self.beside;
        if let Some(nearer) = range.start.checked_sub(1).and_then(&key) {
            *before = Some(nearer);
        }
        if let Some(nearer) = key(range.end) {
            *behind = Some(nearer);
        }
    }
}

/// A key, as it is in an index.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The page that it is on.
    pub(super) page: u32,
    bytes: Vec<u8>,
}

impl Key {
    /// Its values, the number of its row as the last one.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        Record::read(&self.bytes)
    }
}

/// A page that is waiting to be looked at: how deep it lies, and between which keys.
struct Branch {
    page: u32,
    depth: usize,
    between: [Option<Key>; 2],
}

/// A page of an index.
struct Node {
    number: u32,
    bytes: Rc<[u8]>,
    /// Where its keys lie.
    places: Vec<Place>,
    /// One more than there are keys, or none.
    children: Vec<u32>,
}

impl Node {
    fn read(pages: &Pages, number: u32) -> Result<Self, Fault> {
        let bytes = pages.keep(number)?;
        let leaf = match bytes.first() {
            Some(&LEAF) => true,
            Some(&INTERIOR) => false,
            _ => return Err(wrong(number, "is no page of an index")),
        };
        let mut node = Self {
            number,
            bytes,
            places: Vec::new(),
            children: Vec::new(),
        };
        let used = node.read_cells(leaf, pages.usable());
        let used = used.ok_or_else(|| node.wrong("has a cell that is not on it"))?;
        if node.content(pages.usable(), used) != Some(pages.usable()) {
            return Err(node.wrong("has room that is not counted as SQLite counts it"));
        }
        Ok(node)
    }

    /// Finds the cells; the answer is how many bytes they take together.
    fn read_cells(&mut self, leaf: bool, usable: usize) -> Option<usize> {
        let header = if leaf { 8 } else { 12 };
        let mut used = 0;
        for index in 0..usize::from(u16_at(&self.bytes, 3)?) {
            let cell = usize::from(u16_at(&self.bytes, header + 2 * index)?);
            let mut at = cell;
            if !leaf {
                self.children.push(u32_at(&self.bytes, at)?);
                at += 4;
            }
            let (length, at) = varint(&self.bytes, at)?;
            let length = usize::try_from(length).ok()?;
            let most = (usable - 12) * 64 / 255 - 23;
            let place = Place::new(at, length, most, usable);
            self.bytes.get(cell..place.end())?;
            self.places.push(place);
            used += (place.end() - cell).max(CELL_MIN);
        }
        if !leaf {
            self.children.push(u32_at(&self.bytes, 8)?);
        }
        Some(used)
    }

    /// Where the page ends by what it says of itself: where its content begins, and how much of that are cells, free blocks and fragments.
    fn content(&self, usable: usize, used: usize) -> Option<usize> {
        let start = match usize::from(u16_at(&self.bytes, 5)?) {
            0 => 65_536,
            start => start,
        };
        let mut end = start + used + usize::from(*self.bytes.get(7)?);
        let mut block = usize::from(u16_at(&self.bytes, 1)?);
        while block != 0 && end <= usable {
            let next = usize::from(u16_at(&self.bytes, block)?);
            let size = usize::from(u16_at(&self.bytes, block + 2)?);
            if block < start || size < CELL_MIN || (next != 0 && next < block + size) {
                return None;
            }
            end += size;
            block = next;
        }
        Some(end)
    }

    fn wrong(&self, fact: &'static str) -> Fault {
        wrong(self.number, fact)
    }

    /// The bytes of all keys.
    fn payloads(&self, pages: &Pages) -> Result<Vec<Cow<'_, [u8]>>, Fault> {
        let damage = Damage::Page {
            page: self.number,
            fact: "has a key that is not on it",
        };
        let read = |place: &Place| match place.length <= KEY_MAX {
            true => place.read(pages, &self.bytes, &damage),
            false => Err(self.wrong("has a key that is longer than any that Nix writes")),
        };
        self.places.iter().map(read).collect()
    }

    /// The values of all keys, one key after the other: those of so many columns, and the number of a row.
    fn values<'a>(
        &self,
        payloads: &'a [Cow<'_, [u8]>],
        columns: usize,
    ) -> Result<Vec<Value<'a>>, Fault> {
        let wrong = || self.wrong("has a key that is not one of its index");
        let mut values = Vec::with_capacity(payloads.len() * (columns + 1));
        for payload in payloads {
            let count = record::read(payload, &mut values);
            let count = count.filter(|count| *count == columns + 1);
            count.ok_or_else(wrong)?;
        }
        let is_key = |key: &[Value<'_>]| match key {
            [key @ .., Value::Integer(_)] => !key.contains(&Value::Real),
            _ => false,
        };
        match values.chunks(columns + 1).all(is_key) {
            true => Ok(values),
            false => Err(wrong()),
        }
    }

    fn key(&self, payload: &[u8]) -> Key {
        Key {
            page: self.number,
            bytes: payload.to_vec(),
        }
    }
}

impl Branch {
    fn root(page: u32) -> Self {
        Self {
            page,
            depth: 1,
            between: [None, None],
        }
    }

    /// Whether keys are in order, and between those that led to them.
    fn holds(&self, keys: &[&[Value<'_>]]) -> bool {
        let between = self.between.each_ref();
        let between = between.map(|key| key.as_ref()?.record());
        let [low, high] = between.each_ref().map(|key| Some(key.as_ref()?.values()));
        let all = low.iter().chain(keys).chain(&high);
        all.is_sorted_by(|one, other| one < other)
    }

    /// The children beside a range of its page's keys, each between two of them.
    fn children<'a>(
        &'a self,
        node: &'a Node,
        key: impl Fn(usize) -> Option<Key> + Copy + 'a,
        range: &Range<usize>,
    ) -> impl Iterator<Item = Branch> + 'a {
        let [low, high] = &self.between;
        let children = node.children.iter().enumerate();
        let children = children.take(range.end + 1).skip(range.start);
        children.map(move |(index, page)| {
            let before = index.checked_sub(1).and_then(key);
            Branch {
                page: *page,
                depth: self.depth + 1,
                between: [
                    before.or_else(|| low.clone()),
                    key(index).or_else(|| high.clone()),
                ],
            }
        })
    }
}

/// Finds the keys that begin with these values, in an index of so many columns.
pub(super) fn find(
    pages: &Pages,
    root: u32,
    columns: usize,
    wanted: &[Value<'_>],
) -> Result<Found, Fault> {
    // No page is met twice in a tree: more than there are is a circle.
    let mut left = pages.count();
    let mut found = Found::default();
    let height = height(pages, root)?;
    let mut waiting = vec![Branch::root(root)];
    while let Some(branch) = waiting.pop() {
        let node = Node::read(pages, branch.page)?;
        left = left
            .checked_sub(1)
            .ok_or_else(|| node.wrong("is in its tree twice"))?;
        if node.children.is_empty() != (branch.depth == height) {
            return Err(node.wrong(UNEVEN));
        }
        if branch.depth > 1 && node.places.is_empty() {
            return Err(node.wrong("is empty, as only a whole index can be"));
        }
        let payloads = node.payloads(pages)?;
        let values = node.values(&payloads, columns)?;
        let keys: Vec<&[Value<'_>]> = values.chunks(columns + 1).collect();
        if !branch.holds(&keys) {
            return Err(node.wrong("has keys that are not in order"));
        }
        let range = range_of(&keys, wanted);
        let key = |index: usize| Some(node.key(payloads.get(index)?));
        found.take(key, &range);
        waiting.extend(branch.children(&node, key, &range));
    }
    Ok(found)
}

/// How deep all leaves lie: as deep as the first one and the last one. A page that part of what is below it has replaced is thus seen.
fn height(pages: &Pages, root: u32) -> Result<usize, Fault> {
    let first = |page: &[u8]| u32_at(page, usize::from(u16_at(page, 12)?));
    let last = |page: &[u8]| u32_at(page, 8);
    let height = depth(pages, root, first)?;
    match depth(pages, root, last)? == height {
        true => Ok(height),
        false => Err(wrong(root, UNEVEN)),
    }
}

/// How deep a leaf lies to which one child after the other leads.
fn depth(pages: &Pages, root: u32, child: impl Fn(&[u8]) -> Option<u32>) -> Result<usize, Fault> {
    let mut number = root;
    for depth in 1..=DEPTH_MAX {
        let page = pages.keep(number)?;
        if page.first() != Some(&INTERIOR) {
            return Ok(depth);
        }
        number = child(&page).ok_or_else(|| wrong(number, "has a cell that is not on it"))?;
    }
    Err(wrong(number, "lies deeper in its tree than any page can"))
}

/// Which of a page's keys begin with some values.
fn range_of(keys: &[&[Value<'_>]], wanted: &[Value<'_>]) -> Range<usize> {
    let first = |key: &[Value<'_>]| key.get(..wanted.len()).unwrap_or_default().cmp(wanted);
    let start = keys.partition_point(|key| first(key).is_lt());
    let end = keys.partition_point(|key| first(key).is_le());
    start..end
}

fn wrong(page: u32, fact: &'static str) -> Fault {
    Damage::Page { page, fact }.into()
}
