//! PCR 4: which images the firmware loads.
//!
//! Source: TCG PC Client Platform Firmware Profile, "PCR[4]"; order and content compared with OVMF and shim 16.1.

use super::{PredictError, firmware, loaded};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Program};
use crate::hash::Digests;
use crate::measurement::{Event, EventKind};
use crate::version::Release;

/// What the firmware says that it starts.
pub(super) const CALLING: &str = "Calling EFI Application from Boot Option";

/// What the firmware did before, the boot option, the separator, each image that is loaded.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let mut events = match &boot.firmware {
        Some(log) => firmware::events(log, 4, banks)?,
        None => firmware::boot_option(banks),
    };
    events.extend(loaded(boot).map(|started| image(&started.name, &started.authenticode)));
    events.extend(inner_kernel(boot)?);
    Ok(events)
}

fn image(name: &str, digests: &Digests) -> Event {
    Event {
        pcr: 4,
        kind: EventKind::Image,
        why: format!("the Authenticode digest of {name}"),
        digests: digests.clone(),
    }
}

/// With Secure Boot, and from 262 on, the stub starts the kernel itself; else the firmware loads and measures it.
fn inner_kernel(boot: &BootPath) -> Result<Option<Event>, PredictError> {
    let Program::Uki(uki) = &boot.program else {
        return Ok(None);
    };
    if boot.variables.secure_boot || uki.measured.stub().release >= Release::V262 {
        return Ok(None);
    }
    let name = &uki.image.name;
    let kernel = uki.kernel.as_ref();
    let kernel = kernel.filter(|_| uki.measured.has_one_kernel());
    let kernel = kernel.ok_or_else(|| PredictError::NoKernel {
        image: name.clone(),
    })?;
    Ok(Some(image(&format!("the kernel inside {name}"), kernel)))
}
