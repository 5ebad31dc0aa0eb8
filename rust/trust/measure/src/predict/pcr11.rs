//! PCR 11: the UKI's sections; the boot phases follow ([`crate::measured::phase_events`]).

use super::PredictError;
use crate::boot_path::{BootPath, DeviceTree, Program, Uki};
use crate::measured::Profile;
use crate::measurement::Event;

/// What the stub measures of the UKI. Nothing of a kernel that the boot loader starts by itself.
pub(super) fn events(boot: &BootPath) -> Result<Vec<Event>, PredictError> {
    let Program::Uki(uki) = &boot.program else {
        return Ok(Vec::new());
    };
    let profile = super::profile(11, uki)?;
    Ok(profile.section_events(device_tree(uki, &profile)?))
}

/// The row of the device tree that the machine takes of the sections `.dtbauto`.
fn device_tree(uki: &Uki, profile: &Profile<'_>) -> Result<Option<usize>, PredictError> {
    let offered = profile.device_trees();
    let refused = PredictError::MachinesChoice {
        section: ".dtbauto",
    };
    match uki.device_tree {
        _ if profile.section(".efifw").is_some() => {
            Err(PredictError::MachinesChoice { section: ".efifw" })
        }
        _ if offered.is_empty() => Ok(None),
        // How the choice of a profile and that of all profiles go together was never seen.
        _ if uki.measured.profiles() > 1 => Err(refused),
        Some(DeviceTree::Nothing) => Ok(None),
        Some(DeviceTree::Numbered(number)) => offered.get(number).copied().map(Some).ok_or(refused),
        None => Err(refused),
    }
}
