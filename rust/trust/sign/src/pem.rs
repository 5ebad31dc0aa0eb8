//! Finding the blocks of a PEM file (RFC 7468): openssl writes text before them and several after
//! one another.

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block, from its BEGIN line to its END line.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    pub(crate) text: &'a str,
}

/// The text of a file that holds PEM, or `None` when it is something else (DER).
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains(BEGIN))
}

/// All complete blocks of `text`, in order. A block without an end ends the list.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (block, after) = next_block(rest)?;
        rest = after;
        Some(block)
    })
}

fn next_block(text: &str) -> Option<(Block<'_>, &str)> {
    let (_, block) = text.split_at_checked(text.find(BEGIN)?)?;
    let (label, _) = block.strip_prefix(BEGIN)?.split_once(DASHES)?;
    let end_line = format!("-----END {label}-----");
    let length = block.find(&end_line)?.checked_add(end_line.len())?;
    let (text, after) = block.split_at_checked(length)?;
    Some((Block { label, text }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_block_between_other_text() {
        let a = "-----BEGIN A-----\nAA==\n-----END A-----";
        let b = "-----BEGIN B C-----\r\nBB==\r\n-----END B C-----";
        let text = format!("subject=x\n{a}\nnoise {b}\n");
        let found: Vec<_> = blocks(&text)
            .map(|block| (block.label, block.text))
            .collect();
        assert_eq!(found, [("A", a), ("B C", b)]);
    }

    #[test]
    fn ends_at_a_block_without_an_end() {
        assert_eq!(blocks("-----BEGIN A-----\nAA==\n").count(), 0);
        assert_eq!(blocks("-----BEGIN ").count(), 0);
    }
}
