//! Texts that others wrote, made fit to be shown.

/// The most characters that are shown of a text.
const SHOWN: usize = 160;

/// A text in one line of printable ASCII, cut where it is long: what an attacker wrote must not move the cursor.
pub(crate) fn printable(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let shown = text.iter().take(SHOWN).map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    });
    let more = if text.len() > SHOWN { "…" } else { "" };
    shown.chain(more.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_control_characters_and_no_novels() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a?[2J?b");
        assert_eq!(printable("ü"), "??");
        let long = printable("x".repeat(1000));
        assert!(
            long.starts_with("xxx") && long.ends_with('…') && long.chars().count() == SHOWN + 1
        );
    }
}
