//! `touchstone-install boot` and `touchstone-install rollback`.

use std::error::Error;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::{Activated, Boot, Verified, Watch};
use crate::arguments::{self, Common};
use crate::commands::{CommandError, done, show};
use crate::console;
use crate::install::{Order, Report, install};
use crate::settings::Settings;
use crate::{Host, Verdict};

/// What was activated and installed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(flatten)]
    activated: Activated,
    /// What was verified; a generation that was there before is not verified again.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Verified>,
    /// Whether the machine goes back by itself when it does not boot well.
    counted: bool,
    installed: Report,
}

pub(crate) fn boot(arguments: &arguments::Boot) -> Result<Verdict, CommandError> {
    let common = &arguments.common;
    let host = common.host();
    let request = Boot {
        toplevel: arguments.toplevel.clone(),
        profile: arguments.profile.clone(),
        signatures: arguments.signatures.clone(),
    };
    let bar = console::bar(!common.json);
    bar.set_message("verifying");
    let verified = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let watch = Watch {
        waiting: &say,
        verified: &verified,
    };
    let mut installing = Installing::new(&host, common);
    let activated = super::boot(&host, &request, &watch, &mut |toplevel| {
        bar.finish_and_clear();
        installing.install(toplevel)
    });
    bar.finish_and_clear();
    let (activated, verified) = activated?;
    installing.end(activated, Some(verified))
}

pub(crate) fn rollback(arguments: &arguments::Rollback) -> Result<Verdict, CommandError> {
    let common = &arguments.common;
    let host = common.host();
    let watch = Watch {
        waiting: &say,
        verified: &|_, _| (),
    };
    let mut installing = Installing::new(&host, common);
    let profile = arguments.profile.as_deref();
    let activated = super::rollback(&host, profile, &watch, &mut |toplevel| {
        installing.install(toplevel)
    })?;
    installing.end(activated, None)
}

fn say(message: &str) {
    eprintln!("{message}");
}

/// An installation, and what came of it.
struct Installing<'a> {
    host: &'a Host,
    common: &'a Common,
    done: Option<(Report, Vec<String>)>,
    counted: bool,
}

impl<'a> Installing<'a> {
    fn new(host: &'a Host, common: &'a Common) -> Self {
        Self {
            host,
            common,
            done: None,
            counted: false,
        }
    }

    fn install(&mut self, toplevel: &Path) -> Result<(), Box<dyn Error>> {
        self.counted = Settings::of(self.host, toplevel)?.boot_counting.is_some();
        self.done = Some(install(&Order {
            host: self.host.clone(),
            toplevel: toplevel.to_owned(),
            dry_run: false,
            verify: false,
            any_file_system: self.common.any_file_system,
            progress: !self.common.json,
        })?);
        Ok(())
    }

    fn end(
        self,
        activated: Activated,
        verified: Option<Verified>,
    ) -> Result<Verdict, CommandError> {
        // Who was activated was installed.
        let Some((installed, trouble)) = self.done else {
            return Ok(Verdict::Done);
        };
        let answer = Answer {
            activated,
            verified,
            counted: self.counted,
            installed,
        };
        show(self.common.json, &answer);
        done(trouble)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(verified) = &self.verified {
            let Verified { paths, bytes } = verified;
            writeln!(out, "verified {paths} store paths, {bytes} bytes")?;
        }
        let profile = self.activated.profile.display();
        writeln!(
            out,
            "{profile} is now generation {}",
            self.activated.generation
        )?;
        write!(out, "{}", self.installed)?;
        if !self.counted {
            writeln!(
                out,
                "note: its boots are not counted, and the machine does not go back by itself (boot.loader.systemd-boot.bootCounting.enable)"
            )?;
        }
        writeln!(out, "restart the machine to boot it")
    }
}
