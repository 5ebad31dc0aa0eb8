//! The OEM strings (type 11) of an SMBIOS table: how a host hands text to its guest.
//!
//! Source: DMTF DSP0134, sections 6.1 (structures) and 7.12 (OEM strings).

/// Every OEM string of a structure table, in its order; a damaged table ends the list.
pub fn oem_strings(table: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = table;
    while let Some((kind, strings, next)) = structure(rest) {
        if kind == 11 {
            found.extend(
                strings
                    .split(|byte| *byte == 0)
                    .map(|text| String::from_utf8_lossy(text).into_owned()),
            );
        }
        rest = next;
    }
    found
}

/// Splits the first structure off: its type, its strings (NUL between them) and what follows.
fn structure(table: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, &length) = (table.first()?, table.get(1)?);
    if length < 4 {
        return None;
    }
    let after = table.get(usize::from(length)..)?;
    let end = after.windows(2).position(|pair| pair == [0, 0])?;
    Some((kind, after.get(..end)?, after.get(end + 2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_strings_of_type_11_only() {
        let mut table = vec![1, 4, 0, 0];
        table.extend(b"maker\0\0");
        table.extend([11, 5, 0, 0, 2]);
        table.extend(b"a=1\0b=2\0\0");
        table.extend([127, 4, 0, 0, 0, 0]);
        assert_eq!(oem_strings(&table), ["a=1", "b=2"]);
    }

    #[test]
    fn a_damaged_table_ends_the_list() {
        assert!(oem_strings(&[11, 0, 0, 0, 0, 0]).is_empty());
        assert!(oem_strings(&[11, 200, 0]).is_empty());
        assert!(oem_strings(&[11, 5, 0, 0, 1, b'a']).is_empty());
    }
}
