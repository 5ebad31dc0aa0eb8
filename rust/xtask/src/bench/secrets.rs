//! Private keys in a whole system: Debian 13's `/usr` with the tools of the checks.

use std::fs;

use anyhow::{Result, bail};

use super::contest::{Contest, Contestant, Wanted};
use super::files::Files;

/// At most this of memory, in MiB: files are looked through in pieces.
const PEAK_MIB: f64 = 16.0;
/// How many times faster than grep, which looks for the words alone.
const TIMES_GREP: f64 = 1.0;

/// Ours beside the words that keys begin with.
pub fn searched() -> Contest {
    Contest {
        work: "Private keys in Debian's /usr".to_owned(),
        contestants: vec![
            Contestant {
                name: "touchstone closure secrets",
                program: "./touchstone",
                arguments: vec![
                    "closure",
                    "secrets",
                    "/usr",
                    "--allow",
                    "/usr/share/ovmf/**",
                ],
                prints_to: "secrets.ours",
                times: 1,
            },
            Contestant {
                name: "grep -rlE 'PRIVATE KEY'",
                program: "grep",
                arguments: vec!["-rlE", "PRIVATE KEY", "/usr"],
                prints_to: "secrets.grep",
                times: 1,
            },
        ],
        wanted: Wanted {
            times_the_peer: Some(TIMES_GREP),
            peak_mib: Some(PEAK_MIB),
            ..Wanted::default()
        },
        same,
    }
}

/// Both come upon GnuTLS, which carries keys to test itself; grep upon everything that knows the words.
fn same(files: &Files) -> Result<()> {
    let [ours, theirs] =
        ["secrets.ours", "secrets.grep"].map(|name| fs::read_to_string(files.path(name)));
    let (ours, theirs) = (ours?, theirs?);
    let name = "libgnutls.so";
    if !ours.contains(name) || !theirs.contains(name) {
        bail!("{name} was not looked through by both");
    }
    if let Some(found) = ours.lines().last() {
        println!("{found}; grep names {} files", theirs.lines().count());
    }
    Ok(())
}
