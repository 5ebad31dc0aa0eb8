//! What systemd says of the machine at run time.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::StorePath;

/// The machine's identity as it is measured into PCR 15: by `touchstone-stage1`, then by systemd (`systemd-pcrmachine.service`,
/// `systemd-pcrfs-root.service` and `systemd-pcrfs@.service`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Identity {
    /// The toplevel whose closure the initrd verifies and measures (`boot.initrd.verify` with `manifest.measure`).
    #[serde(default)]
    pub closure: Option<StorePath>,
    /// The content of `/etc/machine-id`.
    pub machine_id: MachineId,
    /// The file systems that are measured, by their mount points, in the order of the measurements: `/` first.
    #[serde(default)]
    pub file_systems: Vec<FileSystem>,
}

/// A file system that systemd measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FileSystem {
    /// Where it is mounted.
    pub path: String,
    /// The partition that it is on. Without one (tmpfs, overlay) nothing but the path is measured.
    pub partition: Option<Partition>,
}

/// A partition with a file system, as `blkid --probe` describes it; what is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Partition {
    /// `TYPE`: of the file system, such as `ext4`.
    pub file_system: String,
    /// `UUID`: the file system's identifier.
    #[serde(default)]
    pub identifier: String,
    /// `LABEL`: the file system's label.
    #[serde(default)]
    pub label: String,
    /// `PART_ENTRY_UUID`: the partition's own GUID, in lower case.
    pub guid: String,
    /// `PART_ENTRY_TYPE`: the GUID of the partition's type, in lower case.
    pub kind: String,
    /// `PART_ENTRY_NAME`: the partition's name.
    #[serde(default)]
    pub name: String,
}

/// A machine id: 32 hexadecimal digits in lower case, not all zero (`machine-id(5)`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MachineId(String);

/// A text that is no machine id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no machine id: it has 32 hexadecimal digits in lower case, not all of them zero")]
pub struct NoMachineId(String);

impl FromStr for MachineId {
    type Err = NoMachineId;

    fn from_str(text: &str) -> Result<MachineId, NoMachineId> {
        let digits = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let zero = text.bytes().all(|byte| byte == b'0');
        match digits && !zero && text.len() == 32 {
            true => Ok(MachineId(text.to_owned())),
            false => Err(NoMachineId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for MachineId {
    type Error = NoMachineId;

    fn try_from(text: String) -> Result<MachineId, NoMachineId> {
        text.parse()
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> String {
        id.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_machine_id_as_systemd_writes_it() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(id.parse::<MachineId>().unwrap().to_string(), id);
        for wrong in ["", &id[1..], &id.to_uppercase(), &"0".repeat(32), "x"] {
            assert!(wrong.parse::<MachineId>().is_err(), "{wrong}");
        }
    }
}
