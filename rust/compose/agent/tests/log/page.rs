//! The page of the log names all that there is.

const PAGE: &str = include_str!("../../../../../docs/agent-log.md");
const EVENTS: &str = include_str!("../../src/log/event.rs");
const FAULTS: &str = include_str!("../../src/log/finding.rs");
const ERRORS: &str = include_str!("../../src/log/error.rs");

/// The names that serde gives the variants of an enum.
fn variants<'a>(source: &'a str, name: &str) -> Vec<String> {
    let begin = format!("pub enum {name} {{\n");
    let body = source
        .split_once(begin.as_str())
        .unwrap()
        .1
        .split_once("\n}")
        .unwrap()
        .0;
    let variant = |line: &'a str| {
        let line = line.strip_prefix("    ")?;
        let end = line
            .find(|letter: char| !letter.is_ascii_alphanumeric())
            .unwrap_or(line.len());
        line.starts_with(|letter: char| letter.is_ascii_uppercase())
            .then(|| &line[..end])
    };
    let camel = |name: &str| name[..1].to_lowercase() + &name[1..];
    body.lines().filter_map(variant).map(camel).collect()
}

#[test]
fn names_every_event_every_fault_and_every_code() {
    let (events, faults) = (variants(EVENTS, "Event"), variants(FAULTS, "Fault"));
    assert!(
        events.len() > 15 && faults.len() > 12,
        "{events:?} {faults:?}"
    );
    for name in events.iter().chain(&faults) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
    let codes: Vec<&str> = ERRORS
        .split('"')
        .filter(|text| text.starts_with("log."))
        .collect();
    assert!(codes.len() > 12, "{codes:?}");
    for code in codes {
        assert!(PAGE.contains(&format!("`{code}`")), "{code}");
    }
}
