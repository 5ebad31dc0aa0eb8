//! Text among the data of events.

/// Longer texts are cut.
const LIMIT: usize = 1000;

/// UTF-16LE text with or without NUL at its end; none when it is something else.
pub(in crate::eventlog) fn utf16_text(data: &[u8]) -> Option<String> {
    let (pairs, []) = data.as_chunks::<2>() else {
        return None;
    };
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&units).ok()?;
    let text = text.trim_end_matches('\0');
    // Pairs of ASCII letters make valid UTF-16 as well: text has units below 256, mostly.
    let low = text
        .chars()
        .filter(|character| *character < '\u{100}')
        .count();
    let plausible = low.saturating_mul(2) > text.chars().count();
    (plausible && !text.contains('\0')).then(|| text.to_owned())
}

/// UTF-8 text with or without NUL at its end; none when it is something else.
pub(in crate::eventlog) fn ascii_text(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok()?.trim_end_matches('\0');
    let readable = |c: char| !c.is_control() || c == '\n' || c == '\t';
    (!text.is_empty() && text.chars().all(readable)).then(|| text.to_owned())
}

/// One line that does to a terminal nothing but print: no control characters, nor those that turn the direction of writing.
pub(in crate::eventlog) fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() || turns(c) { ' ' } else { c };
    let mut line: String = text.chars().map(plain).take(LIMIT).collect();
    if text.chars().nth(LIMIT).is_some() {
        line.push('…');
    }
    line
}

/// Marks, embeddings, overrides and isolates of direction, and separators of lines and paragraphs.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
