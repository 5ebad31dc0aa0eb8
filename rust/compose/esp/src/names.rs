//! Whose a name is: ours, one of ours that a file system cut to eight letters and three, or somebody else's.

use crate::{BootCount, EspPath};

/// What lies below these is ours, and nothing else is.
const OURS: [&str; 3] = ["efi/nixos/", "efi/linux/nixos-", "loader/entries/nixos-"];
/// Files that are being written, and what files held that were replaced. None ends in `.efi` or `.conf`: no boot loader lists them.
const STAGE: &str = "nixos-stage-";
const STAGE_END: &str = ".tmp";

/// Whether it is ours: in `EFI/nixos/`, or `EFI/Linux/nixos-*`, or `loader/entries/nixos-*`.
pub fn ours(path: &EspPath) -> bool {
    let path = path.as_str().to_ascii_lowercase();
    OURS.iter().any(|start| path.starts_with(start))
}

/// Whether it lies where a boot loader looks for entries, and has no name for the time being.
pub(crate) fn listed(path: &EspPath) -> bool {
    let folder = path.as_str().to_ascii_lowercase();
    let entries = folder.starts_with("efi/linux/") || folder.starts_with("loader/entries/");
    entries && !staged(path.name())
}

/// The name of the n-th file that is being written.
pub(crate) fn stage(number: usize) -> String {
    format!("{STAGE}{number}{STAGE_END}")
}

/// Whether an interrupted run left it: it was being written, whole name or short.
pub(crate) fn staged(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let whole = name.starts_with(STAGE);
    let short = name.starts_with("nixos-~") && is_short(&name);
    name.ends_with(STAGE_END) && (whole || short)
}

/// The path of an entry without its counter, and the counter; the path itself when its name has none.
pub(crate) fn split(path: &EspPath) -> (EspPath, Option<BootCount>) {
    match BootCount::split(path.name()) {
        (name, Some(count)) => match path.beside(&name) {
            Ok(uncounted) => (uncounted, Some(count)),
            // A counter and nothing else: the name of no entry.
            Err(_) => (path.clone(), None),
        },
        (_, None) => (path.clone(), None),
    }
}

/// Whether it is a name as FAT makes it beside a longer one, such as `NIXOS-~1.EFI`: when the long name is lost, it is all that is left.
pub(crate) fn is_short(name: &str) -> bool {
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let Some((_, number)) = stem.rsplit_once('~') else {
        return false;
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && stem.len() <= 8 && end.len() <= 3
}

/// Whether a lost rename may have left it.
pub(crate) fn leftover(path: &EspPath) -> bool {
    staged(path.name()) || is_short(path.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(text: &str) -> bool {
        ours(&EspPath::parse(text).unwrap())
    }

    #[test]
    fn three_places_are_ours() {
        assert!(is_ours("EFI/nixos/0123-kernel.efi"));
        assert!(is_ours("efi/NIXOS/.extra-files/memtest"));
        assert!(is_ours("EFI/Linux/nixos-1-ab.efi"));
        assert!(is_ours("loader/entries/NIXOS-1.conf"));
        for foreign in [
            "EFI/Microsoft/Boot/bootmgfw.efi",
            "EFI/Linux/arch.efi",
            "EFI/nixosx/a",
            "loader/loader.conf",
            "loader/entries/fedora.conf",
            "nixos-1.efi",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_is_being_written_is_known_by_its_name_whole_or_short() {
        assert!(staged("nixos-stage-0.tmp"));
        assert!(staged("NIXOS-STAGE-12.TMP"));
        assert!(staged("NIXOS-~1.TMP"));
        assert!(!staged("nixos-stage-0.efi"));
        assert!(!staged("NIXOS-~1.EFI"));
        assert!(!staged("notes.tmp"));
    }

    #[test]
    fn a_short_name_has_a_tilde_and_a_number() {
        assert!(is_short("NIXOS-~1.EFI"));
        assert!(is_short("NI1A2B~1.EFI"));
        assert!(is_short("LONGNA~1"));
        assert!(!is_short("nixos-12-abc~1.efi"));
        assert!(!is_short("backup~.efi"));
        assert!(!is_short("LONGNA~1.conf"));
    }
}
