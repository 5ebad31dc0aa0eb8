//! What a virtual machine's host adds to the kernel's command line.

/// The SMBIOS OEM strings (type 11) that systemd 257 and later read; 252 reads none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Smbios {
    /// The value of `io.systemd.stub.kernel-cmdline-extra`, which stubs append.
    pub stub: Option<String>,
    /// The value of `io.systemd.boot.kernel-cmdline-extra`, which systemd-boot appends to the options of Type #1 entries.
    pub boot: Option<String>,
}
