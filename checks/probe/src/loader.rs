//! What systemd-boot tells the system that it started, in the firmware's variables (the Boot Loader Interface).

use std::fs;
use std::path::Path;

use crate::disk::VARIABLES;

/// The vendor of systemd-boot's variables.
const VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The variables that hold text: the loader's name, the boot menu in its order, what was chosen, the file whose name counts tries,
/// and what a person asked for.
const NAMES: [&str; 6] = [
    "LoaderInfo",
    "LoaderEntries",
    "LoaderEntrySelected",
    "LoaderBootCountPath",
    "LoaderEntryDefault",
    "LoaderEntryPreferred",
];

/// Name and text of each variable that is there; one line for each text where it is a list.
pub fn variables() -> Vec<(&'static str, String)> {
    let read = |name: &'static str| {
        let path = Path::new(VARIABLES).join(format!("{name}-{VENDOR}"));
        // Not there without systemd-boot, or without the module that shows variables: nothing is told then.
        let bytes = fs::read(path).unwrap_or_default();
        texts(&bytes).into_iter().map(move |text| (name, text))
    };
    NAMES.into_iter().flat_map(read).collect()
}

/// The texts of a variable as the kernel shows it: four bytes of attributes, then UTF-16 with a NUL behind each text.
fn texts(bytes: &[u8]) -> Vec<String> {
    let value = bytes.get(4..).unwrap_or_default();
    let units = value.chunks_exact(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    let units: Vec<u16> = units.collect();
    let texts = units.split(|unit| *unit == 0).map(String::from_utf16_lossy);
    texts.filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_and_nothing_is_no_text() {
        let units = "a\0b.efi\0".encode_utf16().flat_map(u16::to_le_bytes);
        let bytes: Vec<u8> = [7, 0, 0, 0].into_iter().chain(units).collect();
        assert_eq!(texts(&bytes), ["a", "b.efi"]);
        assert!(texts(&[]).is_empty() && texts(&[7, 0, 0]).is_empty());
    }
}
