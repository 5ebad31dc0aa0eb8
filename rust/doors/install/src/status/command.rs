//! `touchstone-install status`.

use super::status;
use crate::Verdict;
use crate::arguments::Status;
use crate::commands::{CommandError, show};
use crate::install::volumes;
use crate::settings::Settings;

pub(crate) fn run(arguments: &Status) -> Result<Verdict, CommandError> {
    let common = &arguments.common;
    let host = common.host();
    let settings = Settings::of_running(&host)?;
    let (partitions, failed) = volumes::open(&host, &settings, common.any_file_system, false)?;
    let mut answer = status(&host, &partitions, settings.loader.is_some())?;
    answer.problems.extend(failed);
    show(common.json, &answer);
    Ok(match answer.problems.is_empty() {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}
