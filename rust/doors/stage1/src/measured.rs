//! What was verified, measured: a register is extended in every active bank, and systemd's log says by what.
//!
//! The log is what `systemd-pcrextend` writes: JSON text sequences (RFC 7464), locked while a register is extended, and marked by the sticky bit between the two steps.
//! Source: systemd, `tpm2_userspace_log`; `docs/event-log.md`.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};
use touchstone_store::StorePath;

use crate::tpm::{self, Digest, Tpm};

/// systemd's log of this boot.
pub const LOG: &str = "/run/log/systemd/tpm2-measure.log";
/// What the kernel calls this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The kind of the record.
pub const KIND: &str = "touchstone-closure";
/// The mode of a log that nobody is about to write to.
const CLEAN: u32 = 0o600;
/// Its mode while a register is extended that is not in it yet.
const DIRTY: u32 = 0o1600;

/// Why the closure was not measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TPM.
    #[error("the closure was verified, and cannot be measured: {0}")]
    Tpm(#[from] tpm::Error),
    /// The log.
    #[error("the closure was verified, and cannot be measured: {}: {source}", .file.display())]
    Log {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// What is measured of a verified closure: `touchstone-closure:<toplevel>`.
pub fn text(toplevel: &StorePath) -> String {
    format!("{KIND}:{toplevel}")
}

/// Extends the register of this machine's TPM by the digests of [`text`], and appends that to systemd's log.
///
/// # Errors
/// [`Error`].
pub fn closure(pcr: u32, toplevel: &StorePath) -> Result<(), Error> {
    let boot = std::fs::read_to_string(BOOT_ID).map_err(at(Path::new(BOOT_ID)))?;
    closure_by(&mut Tpm::open()?, Path::new(LOG), &boot, pcr, toplevel)
}

/// As [`closure`], with another TPM, log, and name of the boot.
///
/// # Errors
/// [`Error`].
pub fn closure_by(
    tpm: &mut Tpm,
    log: &Path,
    boot: &str,
    pcr: u32,
    toplevel: &StorePath,
) -> Result<(), Error> {
    let text = text(toplevel);
    append(log, |now| {
        let digests = tpm.extend(pcr, text.as_bytes())?;
        Ok(record(pcr, &digests, &text, boot, now))
    })
}

/// Appends what `measure` returns, with the log locked. It is given the time since the machine started.
fn append(
    log: &Path,
    measure: impl FnOnce(Duration) -> Result<String, Error>,
) -> Result<(), Error> {
    let mut file = open(log).map_err(at(log))?;
    mark(&file, DIRTY).map_err(at(log))?;
    let clock = clock_gettime(ClockId::Boottime);
    let since = Duration::try_from(clock).unwrap_or_default();
    let record = measure(since)?;
    file.write_all(record.as_bytes()).map_err(at(log))?;
    mark(&file, CLEAN).map_err(at(log))
}

/// Opens the log for nobody else.
fn open(log: &Path) -> io::Result<File> {
    if let Some(folder) = log.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)?;
    }
    let no_link = OFlags::NOFOLLOW | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(CLEAN);
    options.custom_flags(no_link.bits().cast_signed());
    let file = options.open(log)?;
    file.lock()?;
    Ok(file)
}

fn mark(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> Error {
    let file = file.to_owned();
    |source| Error::Log { file, source }
}

/// A record as systemd writes it.
fn record(pcr: u32, digests: &[Digest], text: &str, boot: &str, since: Duration) -> String {
    let digests = digests.iter().map(|digest| {
        let hex = digest.bytes.iter().map(|byte| format!("{byte:02x}"));
        let (algorithm, hex) = (digest.algorithm_name(), hex.collect::<String>());
        format!("{{\"hashAlg\":\"{algorithm}\",\"digest\":\"{hex}\"}}")
    });
    let digests = digests.collect::<Vec<_>>().join(",");
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).collect();
    let timestamp = since.as_micros();
    // Store paths have no character that JSON wants escaped.
    format!(
        "\u{1e}{{\"pcr\":{pcr},\"digests\":[{digests}],\"content_type\":\"systemd\",\"content\":{{\"string\":\"{text}\",\"bootId\":\"{boot}\",\"timestamp\":{timestamp},\"eventType\":\"{KIND}\"}}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const TOPLEVEL: &str = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system";

    fn written(log: &Path) {
        let text = text(&StorePath::parse(TOPLEVEL).unwrap());
        let digests = [
            Digest {
                algorithm: 4,
                bytes: vec![0xab; 20],
            },
            Digest {
                algorithm: 0x0b,
                bytes: vec![1; 32],
            },
        ];
        append(log, |_| {
            let mode = std::fs::metadata(log).unwrap().mode() & 0o7777;
            assert_eq!(mode, DIRTY);
            let (boot, since) = ("0a-1b\n", Duration::from_millis(2));
            Ok(record(15, &digests, &text, boot, since))
        })
        .unwrap();
    }

    #[test]
    fn records_are_written_as_systemd_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log/systemd/measure.log");
        written(&log);
        let one = std::fs::read_to_string(&log).unwrap();
        let expected = format!(
            "\u{1e}{{\"pcr\":15,\"digests\":[{{\"hashAlg\":\"sha1\",\"digest\":\"{}\"}},{{\"hashAlg\":\"sha256\",\"digest\":\"{}\"}}],\"content_type\":\"systemd\",\"content\":{{\"string\":\"touchstone-closure:{TOPLEVEL}\",\"bootId\":\"0a1b\",\"timestamp\":2000,\"eventType\":\"touchstone-closure\"}}}}\n",
            "ab".repeat(20),
            "01".repeat(32)
        );
        assert_eq!(one, expected);
        written(&log);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), one.repeat(2));
        assert_eq!(std::fs::metadata(&log).unwrap().mode() & 0o7777, CLEAN);
    }

    #[test]
    fn a_log_that_is_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("measure.log");
        std::os::unix::fs::symlink("elsewhere", &log).unwrap();
        let error = append(&log, |_| Ok(String::new())).unwrap_err();
        assert!(matches!(error, Error::Log { .. }), "{error}");
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_register_that_was_not_extended_is_not_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("measure.log");
        append(&log, |_| Err(tpm::Error::Missing.into())).unwrap_err();
        assert_eq!(std::fs::read(&log).unwrap(), b"");
    }
}
