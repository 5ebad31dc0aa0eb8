//! The firmware's own menu: told of the boot loader when it is installed for the first time.

use super::place::{self, FALLBACK, OWN};
use super::volumes::Partitions;
use crate::Host;
use crate::variables::boot_entry::{BootEntries, Target};
use crate::variables::{Partition, Variables};

/// Tells the firmware of the boot loader of each partition. What was written, or why nothing could be: the loader lies under the name that
/// firmware starts by itself as well, so that this is nothing to fail for.
pub fn announce(host: &Host, partitions: &[Partitions], system: &str, shim: bool) -> Vec<String> {
    let variables = Variables::at(host.at(host.efi_variables()));
    if !variables.exist() {
        return vec![
            "this machine has no EFI variables: its firmware is not told of the boot loader"
                .to_owned(),
        ];
    }
    let mut notes = Vec::new();
    let mut targets = Vec::new();
    let arch = place::arch(system).unwrap_or("x64");
    for pair in partitions {
        let file = match shim {
            // What the firmware's own keys have signed.
            true => FALLBACK.of(arch),
            false => OWN.of(arch),
        };
        let file = touchstone_esp::EspPath::parse(&file);
        match (Partition::of(host.root(), &pair.esp.place), file) {
            (Ok(partition), Ok(file)) => targets.push(Target {
                drive: partition.drive,
                file,
            }),
            (Err(error), _) => notes.push(format!(
                "the firmware is not told of {}: {error}",
                pair.esp.mount.display()
            )),
            (_, Err(error)) => notes.push(error.to_string()),
        }
    }
    let written = BootEntries::plan(&variables, &targets)
        .and_then(|entries| entries.write(&variables).map(|()| entries));
    match written {
        Ok(entries) if entries.is_empty() => (),
        Ok(entries) => notes.push(format!("the firmware's menu: {entries}")),
        Err(error) => notes.push(format!(
            "the firmware is not told of the boot loader: {error}"
        )),
    }
    notes
}
