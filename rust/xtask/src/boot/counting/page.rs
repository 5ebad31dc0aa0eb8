//! What the page says is what is claimed.

use super::fallback::TRIES;
use super::menu::{CHOICES, MENU};
use crate::toolchain;

fn page() -> String {
    let file = toolchain::checkout()
        .unwrap()
        .join("docs/boot-counting-seen.md");
    std::fs::read_to_string(file).unwrap()
}

/// The cells of the rows of the table that begins with this one.
fn table(first: &str) -> Vec<Vec<String>> {
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with(first));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn the_menu_is_the_one_that_is_booted() {
    let told = MENU.iter().map(|entry| vec![entry.name, entry.release]);
    assert_eq!(table("| entry |"), told.collect::<Vec<_>>());
}

#[test]
fn what_is_started_is_what_is_claimed() {
    let rows = table("| `loader.conf` |");
    assert_eq!(rows.len(), CHOICES.len());
    for (row, choice) in rows.iter().zip(&CHOICES) {
        let settings = choice.settings.trim().replace('\n', ", ");
        assert_eq!(row[0], settings);
        assert_eq!(row[1..3], choice.started);
    }
}

#[test]
fn the_tries_are_those_of_the_machine() {
    let rows = table("| boot | comes up | what is done there | `nixos-3");
    let left: Vec<&str> = rows.iter().filter_map(|row| row[3].get(..2)).collect();
    let expected: Vec<String> = (0..=TRIES).rev().map(|left| format!("+{left}")).collect();
    assert_eq!(left[..3], expected);
    assert_eq!(rows[3][3], rows[2][3]);
}
