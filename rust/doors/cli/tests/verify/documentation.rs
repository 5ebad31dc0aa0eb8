//! The part of `docs/verify.md` that is made from what the peers said.

use std::collections::BTreeMap;
use std::fmt::Write;

use touchstone_harness::verdicts::Case;

use super::explained::EXPLAINED;
use super::question::PEERS;

/// By peer: whether it agrees; none where it cannot judge.
pub type Row<'a> = (&'a Case, BTreeMap<&'static str, Option<bool>>);

const BEGIN: &str = "<!-- made by rust/doors/cli/tests/verify: begin -->\n";
const END: &str = "<!-- made by rust/doors/cli/tests/verify: end -->\n";

/// The tables of cases and disagreements.
pub fn render(rows: &[Row<'_>]) -> String {
    let mut text = String::from("| Case | Verdict | Rule |");
    for peer in PEERS {
        write!(text, " {peer} |").unwrap();
    }
    text += "\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for (case, agrees) in rows {
        let verdict = if case.boots { "boots" } else { "refused" };
        write!(text, "| {} | {verdict} | {} |", case.name, case.rule).unwrap();
        for peer in PEERS {
            let word = match agrees[peer] {
                Some(true) => "same",
                Some(false) => "**other**",
                None => "",
            };
            write!(text, " {word} |").unwrap();
        }
        text += "\n";
    }
    text += &counts(rows);
    for explained in EXPLAINED {
        let cases = explained.cases.join(", ");
        writeln!(text, "- {}, in {cases}: {}", explained.peer, explained.why).unwrap();
    }
    text
}

fn counts(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    let all = |agrees: &BTreeMap<_, Option<bool>>, is: bool| {
        agrees
            .values()
            .flatten()
            .filter(|same| **same == is)
            .count()
    };
    let nobody_else = |row: &&Row<'_>| all(&row.1, false) == 0 && all(&row.1, true) > 0;
    let united = rows.iter().filter(nobody_else).count();
    writeln!(
        text,
        "\nOf {} cases, all peers that can judge agree in {united}.\n",
        rows.len()
    )
    .unwrap();
    for peer in PEERS {
        let count = |is| {
            rows.iter()
                .filter(|(_, agrees)| agrees[peer] == Some(is))
                .count()
        };
        let (same, other) = (count(true), count(false));
        writeln!(text, "- {peer}: the same in {same} of {}", same + other).unwrap();
    }
    text += "\nThe others, explained:\n\n";
    text
}

/// The part between the marks.
pub fn of_page(page: &str) -> &str {
    let (_, rest) = page.split_once(BEGIN).unwrap();
    rest.split_once(END).unwrap().0
}
