//! Where programs for the firmware lie.

use touchstone_esp::EspPath;

/// Where a program for the firmware lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: &'static str,
    /// What names begin with; the architecture follows.
    pub prefix: &'static str,
    upper: bool,
}

/// systemd-boot's own place.
pub const OWN: Place = Place {
    folder: "EFI/systemd",
    prefix: "systemd-boot",
    upper: false,
};
/// What firmware starts by itself.
pub const FALLBACK: Place = Place {
    folder: "EFI/BOOT",
    prefix: "BOOT",
    upper: true,
};
/// What shim starts, which is the fallback then.
pub const BEHIND_SHIM: Place = Place {
    folder: "EFI/BOOT",
    prefix: "grub",
    upper: false,
};

impl Place {
    /// The program of an architecture, as firmware calls it (`x64`).
    pub fn of(self, arch: &str) -> String {
        let Self { folder, prefix, .. } = self;
        match self.upper {
            true => format!("{folder}/{prefix}{}.EFI", arch.to_ascii_uppercase()),
            false => format!("{folder}/{prefix}{arch}.efi"),
        }
    }

    /// Whether a file is one of these, of whichever architecture. FAT knows no case.
    pub fn has(self, path: &EspPath) -> bool {
        let folder = path.folder();
        let folder = folder.as_ref().map(EspPath::as_str).unwrap_or_default();
        let prefix = self.prefix.to_ascii_lowercase();
        let name = path.name().to_ascii_lowercase();
        let in_folder = folder.eq_ignore_ascii_case(self.folder);
        in_folder && name.starts_with(&prefix) && name.ends_with(".efi")
    }
}

/// How firmware calls an architecture.
pub fn arch(system: &str) -> Option<&'static str> {
    Some(match system.split('-').next()? {
        "x86_64" => "x64",
        "aarch64" => "aa64",
        "i686" => "ia32",
        "riscv64" => "riscv64",
        "loongarch64" => "loongarch64",
        _ => return None,
    })
}
