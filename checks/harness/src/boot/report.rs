//! What `touchstone-probe` writes on the console of its machine (its README has the format).

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};

use super::orders::{Done, Ran};

/// What each of the probe's lines starts with.
const PREFIX: &str = "touchstone-probe: ";

/// The guest's report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// PCR values: bank as the kernel names it ("sha256") → index → hexadecimal digits, lower case.
    pub pcrs: BTreeMap<String, BTreeMap<u32, String>>,
    /// The firmware's event log (TCG PC Client, as Linux's `binary_bios_measurements`); empty without a TPM.
    pub event_log: Vec<u8>,
    /// Whether the guest has a TPM.
    pub tpm: bool,
    /// The kernel command line.
    pub cmdline: String,
    /// Release of the kernel.
    pub kernel: String,
    /// How long the kernel ran when the report began.
    pub uptime: Duration,
    /// Whether the kernel found Secure Boot on; none when it could not tell.
    pub secure_boot: Option<bool>,
    /// The kernel's lockdown modes, the active one in brackets.
    pub lockdown: String,
    /// Text of the initrd's `/etc/generation`.
    pub generation: Option<String>,
    /// What systemd-boot tells in the firmware's variables, by name; a list has several texts.
    pub loader: BTreeMap<String, Vec<String>>,
    /// SMBIOS OEM strings, without those of the orders.
    pub smbios: Vec<String>,
    /// What came of the orders, by their number.
    pub done: BTreeMap<usize, Done>,
    /// What the probe could not read.
    pub errors: Vec<String>,
}

/// Whether a line ends a report.
pub(super) fn is_end(line: &str) -> bool {
    line.find(PREFIX)
        .and_then(|at| line.get(at + PREFIX.len()..))
        .is_some_and(|rest| rest.starts_with("end "))
}

/// The line that says that the program of an order is started.
pub(super) fn runs(order: usize) -> String {
    format!("{PREFIX}runs {order}")
}

/// Reads the report among the lines of a console. Second value: why it is not whole; empty when it is.
pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> (Report, Vec<String>) {
    let mut reader = Reader::default();
    for line in lines {
        // Something without a newline of its own may stand before the report's first line.
        let Some(rest) = line
            .find(PREFIX)
            .and_then(|at| line.get(at + PREFIX.len()..))
        else {
            continue;
        };
        if let Err(why) = reader.line(rest) {
            reader.damage.push(format!("line {line:?}: {why}"));
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    report: Report,
    lines: usize,
    log_size: Option<usize>,
    log_lines: usize,
    ended: bool,
    damage: Vec<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let (what, value) = line.split_once(' ').unwrap_or((line, ""));
        if what == "end" {
            return self.end(value);
        }
        self.lines += 1;
        let report = &mut self.report;
        match what {
            "begin" if value == "1" => {}
            "begin" => return Err("a version that this reader does not know"),
            "kernel" => report.kernel = value.to_owned(),
            "uptime" => report.uptime = uptime(value).ok_or("no time")?,
            "cmdline" => report.cmdline = value.to_owned(),
            "lockdown" => report.lockdown = value.to_owned(),
            "secure-boot" => {
                report.secure_boot = ["disabled", "enabled"]
                    .iter()
                    .position(|known| *known == value)
                    .map(|at| at == 1)
            }
            "generation" => report.generation = Some(value.to_owned()),
            "loader" => {
                let (name, text) = value.split_once(' ').ok_or("no name of a variable")?;
                let texts = report.loader.entry(name.to_owned()).or_default();
                texts.push(text.to_owned());
            }
            "smbios" => report.smbios.push(value.to_owned()),
            // It is for who watches the console.
            "runs" => {}
            "tpm" => report.tpm = value == "present",
            "pcr" => self.pcr(value)?,
            "event-log-size" => self.log_size = Some(value.parse().map_err(|_| "no number")?),
            "event-log" => self.log(value)?,
            "extended" | "pcr-after" | "unsealed" | "unseal-refused" => self.done(what, value)?,
            "ran" | "ran-output" | "ran-errors" | "listed" => self.on_disk(what, value)?,
            "error" => report.errors.push(value.to_owned()),
            _ => return Err("an unknown fact"),
        }
        Ok(())
    }

    fn pcr(&mut self, value: &str) -> Result<(), &'static str> {
        let (bank, index, digest) = register(value)?;
        let registers = self.report.pcrs.entry(bank.to_owned()).or_default();
        registers.insert(index, digest);
        Ok(())
    }

    /// A line about an order: its number is first.
    fn done(&mut self, what: &str, value: &str) -> Result<(), &'static str> {
        let (number, value) = value.split_once(' ').ok_or("no number of an order")?;
        let number: usize = number.parse().map_err(|_| "no number of an order")?;
        let done = &mut self.report.done;
        match what {
            "extended" => {
                done.insert(number, Done::Extended(BTreeMap::new()));
            }
            "pcr-after" => {
                let (bank, _, digest) = register(value)?;
                let Some(Done::Extended(values)) = done.get_mut(&number) else {
                    return Err("nothing was extended before it");
                };
                values.insert(bank.to_owned(), digest);
            }
            "unsealed" => {
                let secret = HEXLOWER.decode(value.as_bytes());
                let secret = secret.map_err(|_| "no hexadecimal digits")?;
                done.insert(number, Done::Unsealed(secret));
            }
            _ => {
                let (command, code) = value.split_once(" 0x").ok_or("no response code")?;
                let code = u32::from_str_radix(code, 16).map_err(|_| "no response code")?;
                let nothing = || Done::Refused(Vec::new());
                if let Done::Refused(codes) = done.entry(number).or_insert_with(nothing) {
                    codes.push((command.to_owned(), code));
                }
            }
        }
        Ok(())
    }

    /// A line about an order that is not for the TPM.
    fn on_disk(&mut self, what: &str, value: &str) -> Result<(), &'static str> {
        let (number, value) = value.split_once(' ').ok_or("no number of an order")?;
        let number: usize = number.parse().map_err(|_| "no number of an order")?;
        let done = &mut self.report.done;
        if what == "listed" {
            let (kind, path) = value.split_once(' ').ok_or("no kind of a file")?;
            let nothing = || Done::Listed(Vec::new());
            if let Done::Listed(files) = done.entry(number).or_insert_with(nothing) {
                files.push((kind.to_owned(), path.to_owned()));
            }
            return Ok(());
        }
        let nothing = || Done::Ran(Ran::default());
        let Done::Ran(ran) = done.entry(number).or_insert_with(nothing) else {
            return Err("the order was another");
        };
        let bytes = || BASE64.decode(value.as_bytes()).map_err(|_| "no base64");
        match what {
            "ran" => ran.how = value.to_owned(),
            "ran-output" => ran.output.extend(bytes()?),
            _ => ran.errors.extend(bytes()?),
        }
        Ok(())
    }

    fn log(&mut self, value: &str) -> Result<(), &'static str> {
        let (number, data) = value.split_once(' ').ok_or("no number")?;
        if number.parse() != Ok(self.log_lines) {
            return Err("a line before it is lost");
        }
        self.log_lines += 1;
        let bytes = BASE64.decode(data.as_bytes()).map_err(|_| "no base64")?;
        self.report.event_log.extend(bytes);
        Ok(())
    }

    fn end(&mut self, value: &str) -> Result<(), &'static str> {
        self.ended = true;
        let (_, lines) = value.split_once(' ').ok_or("no number of lines")?;
        if lines.parse() != Ok(self.lines) {
            return Err("it counts another number of lines than arrived");
        }
        Ok(())
    }

    fn finish(mut self) -> (Report, Vec<String>) {
        if !self.ended {
            self.damage.push("the report has no end line".to_owned());
        }
        if self
            .log_size
            .is_some_and(|size| size != self.report.event_log.len())
        {
            self.damage
                .push("the event log is not as long as announced".to_owned());
        }
        self.damage.extend(self.report.errors.iter().cloned());
        (self.report, self.damage)
    }
}

/// The first number of `/proc/uptime`, in seconds with two decimals.
fn uptime(value: &str) -> Option<Duration> {
    let (seconds, hundredths) = value.split(' ').next()?.split_once('.')?;
    let millis = hundredths.parse::<u64>().ok()?.checked_mul(10)?;
    let whole = Duration::from_secs(seconds.parse().ok()?);
    whole.checked_add(Duration::from_millis(millis))
}

/// A register's bank, index and value.
fn register(value: &str) -> Result<(&str, u32, String), &'static str> {
    let mut words = value.split(' ');
    let (Some(bank), Some(index), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("not bank, index and value");
    };
    let index = index.parse().map_err(|_| "no index")?;
    let digits = [
        ("sha1", 40),
        ("sha256", 64),
        ("sha384", 96),
        ("sha512", 128),
        ("sm3-256", 64),
    ];
    let length = digits
        .iter()
        .find(|(name, _)| *name == bank)
        .map(|(_, length)| *length);
    if length.is_some_and(|length| length != digest.len())
        || !digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err("no digest of this bank");
    }
    Ok((bank, index, digest.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 9] = [
        "[    1.0] Run /init as init process",
        "touchstone-probe: begin 1",
        "touchstone-probe: uptime 12.34 5.00",
        "touchstone-probe: cmdline console=ttyS0 quiet",
        "touchstone-probe: secure-boot enabled",
        "touchstone-probe: pcr sha1 7 0123456789ABCDEF0123456789abcdef01234567",
        "touchstone-probe: event-log-size 3",
        "touchstone-probe: event-log 0 Zm9v",
        "touchstone-probe: end ok 7",
    ];

    #[test]
    fn a_whole_report_is_read() {
        let (report, damage) = read(GOOD.into_iter());
        assert_eq!(damage, Vec::<String>::new());
        assert_eq!(
            report.pcrs["sha1"][&7],
            "0123456789abcdef0123456789abcdef01234567"
        );
        assert_eq!(report.event_log, b"foo");
        assert_eq!(report.uptime, Duration::from_millis(12_340));
        assert_eq!(
            (report.cmdline.as_str(), report.secure_boot),
            ("console=ttyS0 quiet", Some(true))
        );
    }

    #[test]
    fn any_lost_line_is_noticed() {
        for lost in 1..GOOD.len() {
            let lines = GOOD
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != lost)
                .map(|(_, line)| *line);
            assert_ne!(read(lines).1, Vec::<String>::new(), "line {lost}");
        }
    }

    #[test]
    fn what_the_probe_could_not_read_is_damage() {
        let lines = [
            "touchstone-probe: begin 1",
            "touchstone-probe: error pcr: gone",
            "touchstone-probe: end error 2",
        ];
        let (report, damage) = read(lines.into_iter());
        assert_eq!(
            (report.errors, damage),
            (vec!["pcr: gone".to_owned()], vec!["pcr: gone".to_owned()])
        );
    }

    #[test]
    fn what_came_of_orders_is_told_by_their_number() {
        let digest = "ab".repeat(32);
        let after = format!("touchstone-probe: pcr-after 0 sha256 11 {digest}");
        let lines = [
            "touchstone-probe: extended 0 11 enter-initrd",
            &after,
            "touchstone-probe: unseal-refused 1 PolicyOR 0x1c4",
            "touchstone-probe: unseal-refused 1 Unseal 0x99d",
            "touchstone-probe: unseal-refused 2 PolicyOR 0x1c4",
            "touchstone-probe: unsealed 2 6869",
            "touchstone-probe: end ok 6",
        ];
        let (report, damage) = read(lines.into_iter());
        assert_eq!(damage, Vec::<String>::new());
        let refused = [("PolicyOR", 0x1c4), ("Unseal", 0x99d)];
        let refused = refused.map(|(command, code)| (command.to_owned(), code));
        let expected = [
            Done::Extended(BTreeMap::from([("sha256".to_owned(), digest)])),
            Done::Refused(refused.to_vec()),
            Done::Unsealed(b"hi".to_vec()),
        ];
        assert_eq!(report.done.into_values().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_programs_said_is_put_together() {
        let lines = [
            "touchstone-probe: loader LoaderEntries b.efi",
            "touchstone-probe: loader LoaderEntries a.efi",
            "touchstone-probe: runs 0",
            "touchstone-probe: ran 0 exit 3",
            "touchstone-probe: ran-output 0 aGk=",
            "touchstone-probe: ran-output 0 IQ==",
            "touchstone-probe: listed 1 script /bin/a b",
            "touchstone-probe: end ok 7",
        ];
        let (report, damage) = read(lines.into_iter());
        assert_eq!(damage, Vec::<String>::new());
        assert_eq!(report.loader["LoaderEntries"], ["b.efi", "a.efi"]);
        let ran = Ran {
            how: "exit 3".to_owned(),
            output: b"hi!".to_vec(),
            errors: Vec::new(),
        };
        let files = vec![("script".to_owned(), "/bin/a b".to_owned())];
        let expected = [Done::Ran(ran), Done::Listed(files)];
        assert_eq!(report.done.into_values().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_digest_of_another_length_is_damage() {
        let lines = [
            "touchstone-probe: pcr sha256 7 00ff",
            "touchstone-probe: end ok 1",
        ];
        assert_eq!(read(lines.into_iter()).1.len(), 1);
    }
}
