//! Which entry systemd-boot starts next.

use touchstone_esp::EspPath;
use touchstone_esp::loader_conf::LoaderConf;
use touchstone_esp::order::{Listed, LoaderVersion, Selection, Wishes, selected};

use super::judge::Judge;
use crate::variables::{VariableError, Variables};

/// What was asked of the boot loader, from all sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    one_shot: Option<String>,
    preferred: Option<String>,
    default: Option<String>,
    last_booted: Option<String>,
}

impl Asked {
    /// What the firmware's variables ask.
    pub(super) fn of(variables: &Variables) -> Result<Self, VariableError> {
        Ok(Self {
            one_shot: variables.entry_one_shot()?,
            preferred: variables.entry_preferred()?,
            default: variables.entry_default()?,
            last_booted: variables.entry_last_booted()?,
        })
    }

    /// The entries that are started next, by their indices: one, or two where this release of the boot loader leaves it open.
    pub(super) fn next(
        &self,
        listed: &[Listed],
        conf: &LoaderConf,
        loader: LoaderVersion,
    ) -> Vec<usize> {
        let wishes = Wishes {
            one_shot: self.one_shot.as_deref(),
            preferred_variable: self.preferred.as_deref(),
            preferred: conf.value("preferred"),
            default_variable: self.default.as_deref(),
            default: conf.value("default"),
            last_booted: self.last_booted.as_deref(),
        };
        match selected(listed, &wishes, loader) {
            None => Vec::new(),
            Some(Selection::Entry(index)) => vec![index],
            Some(Selection::Either(one, other)) => vec![one, other],
        }
    }
}

/// `loader.conf` of a partition; an empty one where there is none.
pub(super) fn conf(judge: &Judge<'_>) -> LoaderConf {
    let text = EspPath::parse("loader/loader.conf")
        .ok()
        .and_then(|path| judge.text(&path).ok());
    LoaderConf::read(&text.unwrap_or_default())
}
