//! Two sequences of digests side by side: the longest common subsequence, in bounded memory.

/// The largest table, in cells: sequences that need a larger one share nothing but their ends.
const CELLS: usize = 1 << 20;

/// A stretch in which the sequences differ: places in the first, and places in the second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) first: Vec<usize>,
    pub(super) second: Vec<usize>,
}

/// The gaps between what both sequences have in common, in order; none when they are equal.
pub(super) fn gaps<T: PartialEq>(first: &[T], second: &[T]) -> Vec<Gap> {
    let same = |(a, b): &(&T, &T)| a == b;
    let front = first.iter().zip(second).take_while(same).count();
    let rest = |all| -> &[T] { <[T]>::get(all, front..).unwrap_or_default() };
    let (a, b) = (rest(first), rest(second));
    let back = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    let middle = |all: &[T]| all.len().saturating_sub(back);
    let a = a.get(..middle(a)).unwrap_or_default();
    let b = b.get(..middle(b)).unwrap_or_default();
    let mut gaps = between(a, b);
    for gap in &mut gaps {
        for place in gap.first.iter_mut().chain(&mut gap.second) {
            *place = place.saturating_add(front);
        }
    }
    gaps
}

fn between<T: PartialEq>(a: &[T], b: &[T]) -> Vec<Gap> {
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    let width = b.len().saturating_add(1);
    let cells = a.len().saturating_add(1).saturating_mul(width);
    if cells > CELLS {
        return vec![Gap {
            first: (0..a.len()).collect(),
            second: (0..b.len()).collect(),
        }];
    }
    walk(a, b, &Table::of(a, b, width))
}

/// For each pair of places: how long the common subsequence of what follows is.
struct Table {
    cells: Vec<u32>,
    width: usize,
}

impl Table {
    fn of<T: PartialEq>(a: &[T], b: &[T], width: usize) -> Table {
        let height = a.len().saturating_add(1);
        let cells = vec![0; height.saturating_mul(width)];
        let mut table = Table { cells, width };
        for (i, one) in a.iter().enumerate().rev() {
            for (j, other) in b.iter().enumerate().rev() {
                let (below, right) = (i.saturating_add(1), j.saturating_add(1));
                let length = match one == other {
                    true => table.at(below, right).saturating_add(1),
                    false => table.at(below, j).max(table.at(i, right)),
                };
                let place = i.saturating_mul(width).saturating_add(j);
                if let Some(cell) = table.cells.get_mut(place) {
                    *cell = length;
                }
            }
        }
        table
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        let place = i.saturating_mul(self.width).saturating_add(j);
        self.cells.get(place).copied().unwrap_or(0)
    }
}

fn walk<T: PartialEq>(a: &[T], b: &[T], table: &Table) -> Vec<Gap> {
    let (mut i, mut j) = (0_usize, 0_usize);
    let mut gaps = Vec::new();
    let mut gap = Gap::default();
    loop {
        match (a.get(i), b.get(j)) {
            (Some(one), Some(other)) if one == other => {
                if gap != Gap::default() {
                    gaps.push(std::mem::take(&mut gap));
                }
                (i, j) = (i.saturating_add(1), j.saturating_add(1));
            }
            (Some(_), Some(_))
                if table.at(i, j.saturating_add(1)) > table.at(i.saturating_add(1), j) =>
            {
                gap.second.push(j);
                j = j.saturating_add(1);
            }
            (Some(_), _) => {
                gap.first.push(i);
                i = i.saturating_add(1);
            }
            (None, Some(_)) => {
                gap.second.push(j);
                j = j.saturating_add(1);
            }
            (None, None) => break,
        }
    }
    if gap != Gap::default() {
        gaps.push(gap);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(first: &str, second: &str) -> Vec<(String, String)> {
        let (a, b): (Vec<char>, Vec<char>) = (first.chars().collect(), second.chars().collect());
        let text = |places: &[usize], of: &[char]| places.iter().map(|place| of[*place]).collect();
        let gaps = gaps(&a, &b);
        gaps.iter()
            .map(|gap| (text(&gap.first, &a), text(&gap.second, &b)))
            .collect()
    }

    #[test]
    fn finds_where_sequences_part() {
        let gap = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("abc", "abc"), []);
        assert_eq!(of("abc", "axc"), [gap("b", "x")]);
        assert_eq!(of("abcd", "bcde"), [gap("a", ""), gap("", "e")]);
        assert_eq!(of("", "ab"), [gap("", "ab")]);
        assert_eq!(of("xaybz", "aqbz"), [gap("x", ""), gap("y", "q")]);
    }

    #[test]
    fn long_sequences_need_no_large_table() {
        let (a, b) = (vec![1; 3000], vec![2; 3000]);
        let found = gaps(&a, &b);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first.len(), found[0].second.len()), (3000, 3000));
    }

    proptest! {
        #[test]
        fn what_is_in_no_gap_is_the_same(a in proptest::collection::vec(0_u8..4, 0..20), b in proptest::collection::vec(0_u8..4, 0..20)) {
            let gaps = gaps(&a, &b);
            let left = |of: &[u8], places: Vec<usize>| -> Vec<u8> {
                of.iter().enumerate().filter(|(place, _)| !places.contains(place)).map(|(_, one)| *one).collect()
            };
            let first = gaps.iter().flat_map(|gap| gap.first.clone()).collect();
            let second = gaps.iter().flat_map(|gap| gap.second.clone()).collect();
            prop_assert_eq!(left(&a, first), left(&b, second));
        }
    }
}
