//! Verdicts side by side: ours, and the firmware's.

use touchstone_harness::boot::Verdict;

use super::Outcome;
use super::keys::Said;

/// Verdicts on images.
pub struct Table {
    /// What they are about.
    pub title: String,
    /// One for each image.
    pub rows: Vec<Row>,
}

/// Both verdicts on an image.
pub struct Row {
    /// What is special about the image.
    pub name: String,
    /// What `touchstone pe verify` says.
    pub ours: Said,
    /// What the firmware did, or shim.
    pub firmware: Verdict,
    /// Why the firmware says the contrary, where it is known to.
    pub explained: Option<&'static str>,
}

impl Row {
    /// Whether both say the same; where the contrary is known and explained, whether they still differ.
    fn holds(&self) -> bool {
        let agree = match self.firmware {
            Verdict::Started => self.ours.boots,
            Verdict::Refused => !self.ours.boots,
            Verdict::Failed(_) => return false,
        };
        agree == self.explained.is_none()
    }

    fn ours(&self) -> &'static str {
        if self.ours.boots { "starts" } else { "refused" }
    }
}

impl Table {
    /// Prints the table, and counts each row as a claim.
    pub fn add_to(self, outcome: &mut Outcome) {
        println!("\n{}", self.title);
        println!("  {:<34} {:<8} {:<8} why", "image", "we say", "it says");
        for row in self.rows {
            let note = match (row.holds(), row.explained) {
                (true, None) => row.ours.rules.clone(),
                (true, Some(why)) => format!("{} (explained: {why})", row.ours.rules),
                (false, None) => format!("{} DIFFERENT", row.ours.rules),
                (false, Some(why)) => format!("{} NO LONGER SO: {why}", row.ours.rules),
            };
            let (ours, firmware) = (row.ours(), row.firmware.to_string());
            println!("  {:<34} {ours:<8} {firmware:<8} {note}", row.name);
            if row.holds() {
                outcome.passed += 1;
            } else {
                let name = row.name;
                outcome
                    .failed
                    .push(format!("{name}: we say {ours}, the firmware {firmware}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: bool, firmware: Verdict, explained: Option<&'static str>) -> Row {
        Row {
            name: "an image".to_owned(),
            ours: Said {
                boots: ours,
                rules: "a-rule".to_owned(),
            },
            firmware,
            explained,
        }
    }

    #[test]
    fn a_row_fails_when_verdicts_differ_and_an_explained_one_when_they_agree() {
        assert!(row(true, Verdict::Started, None).holds());
        assert!(row(false, Verdict::Refused, None).holds());
        assert!(!row(true, Verdict::Refused, None).holds());
        assert!(!row(false, Verdict::Started, None).holds());
        assert!(!row(false, Verdict::Failed(3), None).holds());
        assert!(row(true, Verdict::Refused, Some("known")).holds());
        assert!(!row(true, Verdict::Started, Some("known")).holds());
    }

    #[test]
    fn each_row_counts() {
        let mut outcome = Outcome::default();
        let rows = vec![
            row(true, Verdict::Started, None),
            row(true, Verdict::Refused, None),
        ];
        let title = "two".to_owned();
        Table { title, rows }.add_to(&mut outcome);
        assert_eq!((outcome.passed, outcome.failed.len()), (1, 1));
    }
}
