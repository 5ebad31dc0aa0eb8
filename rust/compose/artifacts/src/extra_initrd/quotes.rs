//! Quotes in a command line: the kernel reads double ones, systemd both kinds, and simple programs none.

/// The quotes that a reader of command lines knows.
const READERS: [&[char]; 2] = [&['"'], &['"', '\'']];

/// The words of a line without any quotes, cut at each space: all that any reader could take for a word begins one of these.
pub(super) fn bare(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(' ');
    words.map(|word| word.replace(['"', '\''], ""))
}

/// The line as each reader of quotes sees what stands outside of them; none where a quote stays open.
pub(super) fn outside(line: &str) -> Option<[String; 2]> {
    let [kernel, systemd] = READERS.map(|quotes| masked(line, quotes));
    Some([kernel?, systemd?])
}

/// A line with a quote in the place of each character between quotes.
fn masked(line: &str, quotes: &[char]) -> Option<String> {
    let mut open = None;
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        match open {
            None if quotes.contains(&character) => open = Some(character),
            Some(quote) if quote == character => open = None,
            _ => {
                text.push(if open.is_some() { '"' } else { character });
                continue;
            }
        }
        text.push('"');
    }
    open.is_none().then_some(text)
}
