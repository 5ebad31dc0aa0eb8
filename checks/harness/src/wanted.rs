//! Which packages the checks need, and what for.

use crate::debian::Suite;

/// A root: packages unpacked together with everything they depend on.
#[derive(Debug, Clone, Copy)]
pub struct WantedRoot {
    /// Where from; also the root's name.
    pub suite: Suite,
    /// Package names.
    pub packages: &'static [&'static str],
}

/// The roots in which peers run.
pub const ROOTS: [WantedRoot; 2] = [
    WantedRoot {
        suite: Suite::Trixie,
        packages: &[
            "bash",
            "coreutils",
            "strace", // the root itself
            "nix-bin",
            "ca-certificates", // Nix
            "systemd",
            "systemd-ukify", // systemd-measure, ukify
            "python3",
            "python3-pefile",
            "python3-cryptography",
            "python3-virt-firmware",
            "qemu-system-x86",
            "ovmf",
            "swtpm", // machines with real firmware
            "mtools",
            "gdisk",
            "dosfstools", // disk images
            "sbsigntool",
            "osslsigncode",
            "pesign",
            "efitools",
            "openssl", // signing peers
        ],
    },
    WantedRoot {
        suite: Suite::Sid,
        packages: &[
            "bash",
            "coreutils",
            "systemd",
            "systemd-tpm",
            "systemd-ukify",
            "python3",
            "python3-pefile",
            "python3-cryptography",
            "openssl",
        ],
    },
];

/// A C++ compiler, for machines that have none. Of the oldest supported release, so that what it makes runs on all.
pub const COMPILER: WantedRoot = WantedRoot {
    suite: Suite::Bookworm,
    packages: &["base-files", "g++"],
};

/// Packages unpacked by themselves for their files: `(suite, name, architecture)`.
pub const LOOSE: [(Suite, &str, &str); 8] = [
    (Suite::Bookworm, "systemd-boot-efi", "amd64"),
    (Suite::Bookworm, "systemd-boot-efi", "arm64"),
    (Suite::Trixie, "systemd-boot-efi", "amd64"),
    (Suite::Trixie, "systemd-boot-efi", "arm64"),
    (Suite::Trixie, KERNEL, "amd64"),
    (Suite::Trixie, KERNEL, "arm64"),
    (Suite::Sid, "systemd-boot-efi", "amd64"),
    (Suite::Sid, "systemd-boot-efi", "arm64"),
];

/// Stands for the package behind Debian's meta package of cloud kernels.
pub const KERNEL: &str = "linux-image";
