//! What the firmware boots from.

/// The medium of the boot option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A disk with a GUID partition table.
    Disk {
        /// What the firmware measures of the table (`UEFI_GPT_DATA`, TCG PC Client Platform Firmware Profile): the header's 92 bytes, the number of
        /// used entries (u64, little-endian), the used entries.
        partition_table: Vec<u8>,
    },
    /// A CD or its image (El Torito): no partition table is measured.
    Cd,
}
