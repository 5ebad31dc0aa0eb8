//! An index that is damaged gives the right answer or an error that names its page, never another answer.

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use touchstone_nix_database::{Damage, Database, DatabaseError};
use touchstone_store::{NarInfo, StorePath};

use crate::made::{Made, path};

const PAGE: usize = 512;

/// The pages of indexes, counted from 0.
fn index_pages(bytes: &[u8]) -> Vec<usize> {
    let is_index = |page: &usize| [2, 10].contains(&bytes[page * PAGE]);
    (1..bytes.len() / PAGE).filter(is_index).collect()
}

/// Those of them at which no index begins: some page leads to them.
fn below(bytes: &[u8], pages: &[usize]) -> Vec<usize> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut below = Vec::new();
    for page in pages.iter().map(|page| page * PAGE) {
        let count = usize::from(bytes[page + 4]);
        if bytes[page] == 2 {
            below.push(number(page + 8) - 1);
            let cells = bytes[page + 12..page + 12 + 2 * count].chunks(2);
            let cells = cells.map(|cell| usize::from(u16::from_be_bytes([cell[0], cell[1]])));
            below.extend(cells.map(|cell| number(page + cell) - 1));
        }
    }
    assert!(below.iter().all(|page| pages.contains(page)));
    below
}

/// What is looked up of every path; nothing when it is refused.
fn looked_up(made: &Made) -> Option<Vec<NarInfo>> {
    let wanted: BTreeSet<StorePath> = (0..made.rows.len() + 3).map(path).collect();
    let database = Database::open(&made.file()).ok()?;
    let known = database.entries(&wanted).ok()?.into_values();
    Some(known.map(|known| known.info).collect())
}

fn refused(made: &Made, bytes: &[u8]) -> Damage {
    fs::write(made.file(), bytes).unwrap();
    let database = Database::open(&made.file()).unwrap();
    match database.entries(&made.rows.iter().map(|row| row.entry.path.clone()).collect()) {
        Err(DatabaseError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    }
}

/// Where a text stands on a page of an index, behind all others.
fn in_index(bytes: &[u8], text: &str) -> usize {
    let pages = index_pages(bytes).into_iter().rev();
    let mut places = pages.filter_map(|page| {
        let page = page * PAGE;
        let mut windows = bytes[page..page + PAGE].windows(text.len());
        Some(page + windows.position(|found| found == text.as_bytes())?)
    });
    places.next().unwrap()
}

#[test]
fn a_key_that_no_row_has_is_refused() {
    let made = Made::new(100).order("pageSize", PAGE).make();
    let whole = fs::read(made.file()).unwrap();
    // The last sign of a short path; it stays where it is in the order.
    let text = path(61).to_string();
    let at = in_index(&whole, &text);
    let mut bytes = whole.clone();
    bytes[at + text.len() - 1] = b'2';
    let page = u32::try_from(at / PAGE + 1).unwrap();
    let fact = "has a key that no row has";
    assert_eq!(refused(&made, &bytes), Damage::Page { page, fact });
    // The path alone is not there, and what stands beside its place is not true.
    let database = Database::open(&made.file()).unwrap();
    assert!(database.entries(&[path(61)].into()).is_err());
    assert!(database.reached(&[path(61)].into()).is_err());
    // The number of its row, which is behind the path.
    let mut bytes = whole.clone();
    bytes[at + text.len()] ^= 1;
    assert_eq!(refused(&made, &bytes), Damage::Page { page, fact });
}

#[test]
fn keys_that_are_out_of_order_are_refused() {
    let made = Made::new(100).order("pageSize", PAGE).make();
    let mut bytes = fs::read(made.file()).unwrap();
    let at = in_index(&bytes, path(61).as_str());
    bytes[at] = b'0';
    let page = u32::try_from(at / PAGE + 1).unwrap();
    let fact = "has keys that are not in order";
    assert_eq!(refused(&made, &bytes), Damage::Page { page, fact });
}

#[test]
fn a_key_that_is_hidden_is_missed() {
    let made = Made::new(100).order("pageSize", PAGE).make();
    let mut bytes = fs::read(made.file()).unwrap();
    let page = in_index(&bytes, path(61).as_str()) / PAGE;
    // The last cell is not counted any more.
    bytes[page * PAGE + 4] -= 1;
    let page = u32::try_from(page + 1).unwrap();
    let fact = "has room that is not counted as SQLite counts it";
    assert_eq!(refused(&made, &bytes), Damage::Page { page, fact });
}

#[test]
fn a_circle_ends() {
    let made = Made::new(300).order("pageSize", PAGE).make();
    let whole = fs::read(made.file()).unwrap();
    let interior: Vec<usize> = index_pages(&whole)
        .into_iter()
        .filter(|page| whole[page * PAGE] == 2)
        .collect();
    assert!(interior.len() > 3);
    for page in interior {
        let mut bytes = whole.clone();
        // The child behind the last key is the page itself, which has no keys besides.
        let itself = u32::try_from(page + 1).unwrap().to_be_bytes();
        bytes[page * PAGE + 8..page * PAGE + 12].copy_from_slice(&itself);
        fs::write(made.file(), &bytes).unwrap();
        let said = looked_up(&made);
        assert!(said.is_none_or(|said| said == made.rows));
        bytes[page * PAGE..page * PAGE + 8].copy_from_slice(&[2, 0, 0, 0, 0, 2, 0, 0]);
        fs::write(made.file(), &bytes).unwrap();
        let said = looked_up(&made);
        assert!(said.is_none_or(|said| said == made.rows));
    }
}

/// Where an edit strikes, and how.
#[derive(Debug, Clone)]
struct Edit {
    page: prop::sample::Index,
    place: prop::sample::Index,
    byte: u8,
    kind: u8,
}

impl Edit {
    fn any() -> impl Strategy<Value = Edit> {
        let parts = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            any::<u8>(),
            0_u8..8,
        );
        parts.prop_map(|(page, place, byte, kind)| Edit {
            page,
            place,
            byte,
            kind,
        })
    }

    fn strike(&self, bytes: &mut [u8], pages: &[usize]) {
        let page = PAGE * *self.page.get(pages);
        let other = PAGE * *self.place.get(pages);
        let below = PAGE * *self.page.get(&below(bytes, pages));
        let at = page + self.place.index(PAGE);
        match self.kind {
            // Page headers and the places of cells are where structure is.
            0 | 1 => bytes[page + self.place.index(12)] = self.byte,
            2 => bytes[page + self.place.index(40)] = self.byte,
            3 => bytes[at] ^= 1 << (self.byte % 8),
            4 => bytes[at] = bytes[at].wrapping_add(1),
            // A part of an index in place of the whole is an index, of which nothing tells that it is not all.
            5 => bytes.copy_within(other..other + PAGE, below),
            6 => bytes[at..page + PAGE].fill(self.byte),
            _ => bytes[at] = self.byte,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// Each case damages one database a hundred times.
    #[test]
    fn damage_of_an_index_gives_the_right_answer_or_an_error(churn in 0_usize..60, edits in prop::collection::vec(Edit::any(), 100)) {
        let made = Made::new(80).order("pageSize", PAGE).order("churn", churn).make();
        let whole = fs::read(made.file()).unwrap();
        let pages = index_pages(&whole);
        assert!(pages.len() > 20);
        let mut missed = 0;
        for edit in &edits {
            let mut bytes = whole.clone();
            edit.strike(&mut bytes, &pages);
            fs::write(made.file(), &bytes).unwrap();
            match looked_up(&made) {
                Some(said) => prop_assert!(said == made.rows, "{edit:?}"),
                None => missed += 1,
            }
        }
        // Not all that is damaged is on the way to a key: one of the indexes is Nix' own, and not used.
        prop_assert!(missed > 5);
    }
}
