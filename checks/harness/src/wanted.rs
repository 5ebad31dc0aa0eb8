//! Which packages the checks need, and what for.

use crate::debian::Suite;

/// A root: packages unpacked together with everything they depend on.
#[derive(Debug, Clone, Copy)]
pub struct WantedRoot {
    /// Where from; also the root's name.
    pub suite: Suite,
    /// Package names.
    pub packages: &'static [&'static str],
    /// Names in `usr/bin` that package scripts would have linked, and what they are linked to.
    pub links: &'static [(&'static str, &'static str)],
}

/// The roots in which peers run.
pub const ROOTS: [WantedRoot; 2] = [
    WantedRoot {
        suite: Suite::Trixie,
        packages: &[
            "bash",
            "coreutils",
            "strace", // the root itself
            "grep",   // beside which the search for keys is timed
            "nix-bin",
            "ca-certificates", // Nix
            "systemd",
            "systemd-ukify", // systemd-measure, ukify
            "python3",
            "python3-pefile",
            "python3-cryptography",
            "python3-virt-firmware",
            "python3-pip", // LIEF, which Debian does not have
            "qemu-system-x86",
            "ovmf",
            "swtpm", // machines with real firmware
            "mtools",
            "gdisk",
            "dosfstools",
            "e2fsprogs", // disk images
            "sbsigntool",
            "osslsigncode",
            "pesign",
            "efitools",
            "openssl",
            "systemd-repart", // signing peers; the last has systemd-sbsign
            "softhsm2",
            "opensc", // a PKCS#11 token and its peer
            "tpm2-tools",
            "tpm2-openssl",
            TPM_RAW,
            TPM_EMULATED, // keys in a TPM
        ],
        links: &[],
    },
    WantedRoot {
        suite: Suite::Sid,
        packages: &[
            "bash",
            "coreutils",
            "systemd",
            "systemd-tpm",
            "systemd-ukify",
            "systemd-repart", // systemd-sbsign
            "python3",
            "python3-pefile",
            "python3-cryptography",
            "openssl",
        ],
        links: &[],
    },
];

/// What tpm2-tss loads to reach a TPM's device file.
const TPM_RAW: &str = "libtss2-tcti-device0t64";

/// What tpm2-tss loads to reach swtpm.
const TPM_EMULATED: &str = "libtss2-tcti-swtpm0t64";

/// A C++ compiler, for machines that have none. Of the oldest supported release, so that what it makes runs on all.
pub const COMPILER: WantedRoot = WantedRoot {
    suite: Suite::Bookworm,
    packages: &["base-files", "g++"],
    links: &[],
};

/// Where a Nix with shared libraries is built, runs, and has its plugins compiled and linked.
pub const PLUGIN_HOST: WantedRoot = WantedRoot {
    suite: Suite::Trixie,
    packages: &[
        "base-files",
        "bash",
        "coreutils",
        "libc-bin", // the root itself, the last for the locale C.UTF-8
        "tar",
        "xz-utils",
        "patch", // the source package
        "g++",
        "meson",
        "ninja-build",
        "pkgconf",
        "cmake",
        "bison",
        "flex", // the build
        "bash-static",
        "ca-certificates", // Nix
        "libarchive-dev",
        "libboost-container-dev",
        "libboost-context-dev",
        "libboost-coroutine-dev",
        "libboost-system-dev",
        "libboost-thread-dev",
        "libbrotli-dev",
        "libcpuid-dev",
        "libcurl4-gnutls-dev",
        "libgc-dev",
        "libgit2-dev",
        "liblowdown-dev",
        "libreadline-dev",
        "libseccomp-dev",
        "libsodium-dev",
        "libsqlite3-dev",
        "libssl-dev",
        "libtoml11-dev",
        "nlohmann-json3-dev", // what Nix is linked with
    ],
    links: &[("cc", "gcc"), ("c++", "g++")],
};

/// The source package that is built there.
pub const PLUGIN_HOST_SOURCE: &str = "nix";

/// What the crate `tpm` is linked with, what that loads to reach a TPM, and the libcrypto that it needs. Of the oldest supported
/// release, so that it runs with the C library of all; what the host has is neither looked for nor needed.
pub const TSS2: [&str; 9] = [
    "libtss2-esys-3.0.2-0",
    "libtss2-sys1",
    "libtss2-mu0",
    "libtss2-tctildr0",
    "libtss2-tcti-device0",
    "libtss2-tcti-swtpm0",
    "libtss2-tcti-mssim0",
    "libtss2-tcti-cmd0",
    "libssl3",
];

/// Packages unpacked by themselves for their files: `(suite, name, architecture)`.
pub const LOOSE: [(Suite, &str, &str); 9] = [
    (Suite::Bookworm, "systemd-boot-efi", "amd64"),
    (Suite::Bookworm, "systemd-boot-efi", "arm64"),
    (Suite::Trixie, "systemd-boot-efi", "amd64"),
    (Suite::Trixie, "systemd-boot-efi", "arm64"),
    (Suite::Trixie, KERNEL, "amd64"),
    (Suite::Trixie, KERNEL, "arm64"),
    (Suite::Sid, "systemd-boot-efi", "amd64"),
    (Suite::Sid, "systemd-boot-efi", "arm64"),
    (Suite::Sid, FIRMWARE, "all"),
];

/// Firmware for machines under emulation, as newer releases call it (`ovmf` only depends on it there).
pub const FIRMWARE: &str = "ovmf-generic";

/// Stands for the package behind Debian's meta package of cloud kernels.
pub const KERNEL: &str = "linux-image";

/// Packages of EFI programs: every PE file in them is an input (`name` is of amd64 or of no architecture).
pub const EFI: [(Suite, &[&str]); 3] = [
    (
        Suite::Bookworm,
        &[
            "shim-signed",
            "grub-efi-amd64-signed",
            "grub-efi-arm64-signed:arm64",
            "fwupd-amd64-signed",
            "memtest86+",
            "systemd-boot-efi",
            "systemd-boot-efi:arm64",
        ],
    ),
    (
        Suite::Trixie,
        &[
            "systemd-boot-efi",
            "systemd-boot-efi:arm64",
            "systemd-boot-efi:riscv64",
            "systemd-boot-efi:i386",
            "systemd-boot-efi-amd64-signed",
            "systemd-boot-efi-arm64-signed:arm64",
            "shim-unsigned",
            "shim-unsigned:arm64",
            "shim-signed",
            "shim-signed:arm64",
            "shim-helpers-amd64-signed",
            "shim-helpers-arm64-signed:arm64",
            "grub-efi-amd64-signed",
            "grub-efi-arm64-signed:arm64",
            "grub-efi-amd64-unsigned",
            "grub-efi-arm64-unsigned:arm64",
            "grub-efi-ia32-unsigned",
            "grub-efi-riscv64-unsigned:riscv64",
            "memtest86+",
            "ipxe",
            "fwupd-amd64-signed",
            "fwupd-arm64-signed:arm64",
            "fwupd-unsigned",
            "fwupd-unsigned:arm64",
            "fwupd-unsigned:riscv64",
            "refind",
            "efitools",
            "efi-shell-x64",
            "efi-shell-aa64",
            "efi-shell-riscv64",
            "efi-shell-ia32",
            "syslinux-efi",
            EFI_KERNEL,
        ],
    ),
    (
        Suite::Sid,
        &[
            "systemd-boot-efi",
            "systemd-boot-efi:arm64",
            "systemd-boot-efi:riscv64",
            "systemd-boot-efi-amd64-signed",
            "systemd-boot-efi-arm64-signed:arm64",
            "shim-signed",
            "grub-efi-amd64-signed",
            "grub-efi-riscv64-unsigned:riscv64",
            "memtest86+",
            "ipxe",
            "fwupd-unsigned:riscv64",
        ],
    ),
];

/// Interpreters, looked for under other names: packages of Debian 13, unpacked by themselves into one folder.
pub const INTERPRETERS: [&str; 34] = [
    "busybox-static",
    "dash",
    "fish",
    "gawk",
    "guile-3.0-libs",
    "ksh93u+m",
    "libduktape207",
    "libjavascriptcoregtk-4.1-0",
    "libjim0.83",
    "liblua5.4-0",
    "libluajit-5.1-2",
    "libmozjs-128-0",
    "libmujs3",
    "libnode115",
    "libpython3.13",
    "libqt6qml6",
    "libruby3.3",
    "libtcl8.6",
    "libtcl9.0",
    "lua5.1",
    "lua5.4",
    "luajit",
    "micropython",
    "mksh",
    "mujs",
    "original-awk",
    "php8.4-cli",
    "posh",
    "quickjs",
    "rc",
    "sash",
    "tcsh",
    "toybox",
    "zsh-static",
];

/// The meta package of a kernel: it stands for the package behind it. Debian has no smaller one for RISC-V (112 MB).
pub const EFI_KERNEL: &str = "linux-image-riscv64:riscv64";
