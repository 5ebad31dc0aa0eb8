//! The profiles of a UKI as alternatives.

use super::PredictError;
use crate::boot_path::{BootPath, Program};

/// A boot path for each profile that may be chosen; none where there is no choice.
///
/// Without systemd-boot the first profile is started.
pub(super) fn choices(boot: &BootPath) -> Result<Vec<BootPath>, PredictError> {
    let Some(uki) = boot.program.uki() else {
        return Ok(Vec::new());
    };
    let count = uki.measured.profiles();
    if let Some(number) = uki.profile.filter(|number| *number >= count) {
        return Err(PredictError::NoProfile { number });
    }
    if count == 1 || uki.profile.is_some() || boot.loader.is_none() {
        return Ok(Vec::new());
    }
    Ok((0..count)
        .map(|number| with_profile(boot, number))
        .collect())
}

fn with_profile(boot: &BootPath, number: usize) -> BootPath {
    let mut chosen = boot.clone();
    if let Program::Uki(uki) = &mut chosen.program {
        let profile = uki.measured.profile(number);
        let title = profile.and_then(|profile| profile.title());
        let title = title.map_or_else(String::new, |title| format!(" ({title})"));
        chosen.path.push(format!("profile @{number}{title}"));
        uki.profile = Some(number);
    }
    chosen
}
