//! The firmware's variable store, made by `virt-fw-vars`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{Programs, guard, run};

/// Secure Boot's variables, each as the exact bytes of its `EFI_SIGNATURE_LIST`s, without an authentication header.
/// These are the bytes that the firmware measures in PCR 7; an empty value leaves the variable out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Platform key. Without one the firmware stays in setup mode, where Secure Boot is off.
    pub pk: Vec<u8>,
    /// Key exchange keys.
    pub kek: Vec<u8>,
    /// What may start.
    pub db: Vec<u8>,
    /// What may not.
    pub dbx: Vec<u8>,
    /// Whether Secure Boot is on.
    pub secure_boot: bool,
}

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const IMAGE_SECURITY: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// OVMF's own switch, `gEfiSecureBootEnableDisableGuid` of edk2.
const SECURE_BOOT_ENABLE: &str = "f0a30bc7-af08-4556-99c4-001009c93a44";
/// Non-volatile, boot, runtime, time-based authenticated write.
const AUTHENTICATED: u32 = 0x27;
/// Non-volatile, boot.
const BOOT: u32 = 0x03;
/// `EFI_TIME` of 2020-01-01 00:00:00: the time stamp of the keys, so that a store is the same each time.
const ENROLLED: &str = "e4070101000000000000000000000000";

/// Writes [`run::VARIABLES`] in the private folder from the empty store beside it.
pub(super) fn write(
    programs: &dyn Programs,
    home: &Path,
    wanted: Option<&Variables>,
) -> Result<()> {
    let (empty, store) = (home.join(run::EMPTY_VARIABLES), home.join(run::VARIABLES));
    let Some(wanted) = wanted else {
        return super::machine::copy(&empty, &store);
    };
    let list = home.join("variables.json");
    fs::write(&list, document(wanted).to_string()).with_context(|| list.display().to_string())?;
    let mut command = programs.command("virt-fw-vars", home)?;
    command
        .arg("--input")
        .arg(&empty)
        .arg("--set-json")
        .arg(&list)
        .arg("--output")
        .arg(&store);
    guard::run(command)
}

/// The document that `--set-json` takes: data in hexadecimal digits.
fn document(wanted: &Variables) -> Value {
    let keys = [
        ("PK", GLOBAL, &wanted.pk),
        ("KEK", GLOBAL, &wanted.kek),
        ("db", IMAGE_SECURITY, &wanted.db),
        ("dbx", IMAGE_SECURITY, &wanted.dbx),
    ];
    let mut variables: Vec<Value> = keys
        .into_iter()
        .filter(|(_, _, data)| !data.is_empty())
        .map(|(name, guid, data)| {
            json!({"name": name, "guid": guid, "attr": AUTHENTICATED, "data": HEXLOWER.encode(data), "time": ENROLLED})
        })
        .collect();
    let switch = if wanted.secure_boot { "01" } else { "00" };
    variables.push(json!({"name": "SecureBootEnable", "guid": SECURE_BOOT_ENABLE, "attr": BOOT, "data": switch}));
    json!({"version": 2, "variables": variables})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_leaves_its_variable_out() {
        let wanted = Variables {
            pk: vec![1],
            kek: vec![2],
            db: vec![3, 0xff],
            dbx: vec![],
            secure_boot: true,
        };
        let document = document(&wanted);
        let names: Vec<_> = document["variables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["PK", "KEK", "db", "SecureBootEnable"]);
        assert_eq!(document["variables"][2]["data"], "03ff");
    }
}
