//! `touchstone agent log`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use touchstone_agent::log::{
    CheckpointKey, CheckpointSigner, Entries, Entry, Event, Line, LogError, NEWEST, PublicKey,
    Report, Trusted, verify,
};
use touchstone_operations::{Failure, one_line};

use super::{Verdict, print};
use crate::arguments::{AgentLog, ShowLog, Since, VerifyLog};

/// Shows or verifies a log. The verdict is negative when it was cut or rewritten, or nothing says that it was not.
///
/// # Errors
/// [`Failure`].
pub fn run(words: AgentLog) -> Result<Verdict, Failure> {
    match words {
        AgentLog::Show(words) => show(&words)?,
        AgentLog::Verify(words) => return verified(words),
        AgentLog::Checkpoint { folder } => checkpoint(&folder)?,
        AgentLog::Keygen { name, output } => keygen(&name, &output)?,
    }
    Ok(Verdict::Done)
}

fn failed(error: LogError) -> Failure {
    Failure {
        code: error.code().to_owned(),
        what: error.to_string(),
        file: error.file().map(Into::into),
        help: error.help().to_owned(),
    }
}

fn unread(role: &str, file: &Path, error: &io::Error) -> Failure {
    Failure {
        code: "input.unreadable".to_owned(),
        what: format!("{role} cannot be read: {error}"),
        file: Some(file.into()),
        help: "check the path and its permissions".to_owned(),
    }
}

fn show(words: &ShowLog) -> Result<(), Failure> {
    for line in Entries::of(&words.folder).map_err(failed)? {
        let line = line.map_err(failed)?;
        let since = match words.since {
            None => true,
            Some(Since::Entry(first)) => line.link.sequence >= first,
            Some(Since::Time(first)) => line.link.time >= first,
        };
        let wanted = words.events.is_empty() || words.events.contains(&line.link.event);
        match (since && wanted, words.json) {
            (false, _) => {}
            (true, true) => print::line(&spelt_out(&line))?,
            (true, false) => print::line(&one_line(&told(&line)))?,
        }
    }
    Ok(())
}

/// An entry as its JSON, in which no letter steers a terminal: JSON spells out those of ASCII itself, but for DEL.
fn spelt_out(line: &Line) -> String {
    let mut text = String::with_capacity(line.bytes.len());
    for letter in String::from_utf8_lossy(&line.bytes).chars() {
        match letter.is_control() {
            true => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => text.push(letter),
        }
    }
    text
}

/// An entry for people, in one line.
fn told(line: &Line) -> String {
    let link = &line.link;
    let what = match Entry::parse(&line.bytes) {
        Ok(entry) => event(&entry.event),
        // Of another version: as it stands there.
        Err(_) => String::from_utf8_lossy(&line.bytes).into_owned(),
    };
    format!(
        "{} {:>8} {:<10} {what}",
        link.time, link.sequence, link.event
    )
}

fn event(event: &Event) -> String {
    match event {
        Event::Created { log, .. } => format!("log {log}"),
        Event::Rotated { log, segment, .. } => format!("segment {segment} of log {log}"),
        Event::Started {
            agent,
            policy,
            keys,
            checkpoint_key,
        } => {
            let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            let keys = keys.join(", ");
            format!("agent {agent}, keys {keys}; policy {policy}; checkpoints by {checkpoint_key}")
        }
        Event::Recovered { bytes, sha256 } => {
            format!("{bytes} unfinished bytes were cut off (SHA-256 {sha256})")
        }
        Event::Offered { derivation, rules } => format!("{derivation} by {}", rules.join(", ")),
        Event::Declined {
            derivation,
            code,
            what,
        } => format!("{derivation}: {what} [{code}]"),
        Event::Granted { derivation, by } | Event::Revoked { derivation, by } => {
            format!("{derivation} by {by}")
        }
        Event::Signed(signed) => {
            let subjects = signed.subjects.iter();
            let subjects: Vec<String> = subjects
                .map(|subject| format!("{} {}", subject.what, subject.digest))
                .collect();
            let rule = signed
                .rule
                .as_ref()
                .map(|rule| format!(" (rule {rule})"))
                .unwrap_or_default();
            format!(
                "{} by {} for {}{rule}",
                subjects.join(", "),
                signed.key,
                signed.client
            )
        }
        Event::Refused {
            client,
            key,
            code,
            what,
            ..
        } => {
            let key = key
                .as_ref()
                .map(|key| format!(" by {key}"))
                .unwrap_or_default();
            format!("to {client}{key}: {what} [{code}]")
        }
        Event::Counted { refusals } => format!("{refusals} refusals without an entry of their own"),
        Event::ExportFailed { folder, what } => format!("{folder}: {what}"),
        Event::CheckpointFailed { what } => what.clone(),
        Event::Stopped | Event::Checkpoint | Event::Full | Event::Room => String::new(),
    }
}

fn verified(words: VerifyLog) -> Result<Verdict, Failure> {
    let mut keys = words.public_keys;
    for file in &words.public_key_files {
        keys.extend(public_keys(file)?);
    }
    let trusted = Trusted {
        keys,
        checkpoints: words.checkpoints,
    };
    let report = verify(&words.folder, &trusted).map_err(failed)?;
    match words.json {
        true => print::json(&report)?,
        false => lines(&words.folder, &report, words.chain_only)
            .iter()
            .try_for_each(|line| print::line(&one_line(line)))?,
    }
    Ok(match report.holds() {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn lines(folder: &Path, report: &Report, chain_only: bool) -> Vec<String> {
    let Report {
        first,
        last,
        segments,
        head,
        checkpoints,
        unfinished,
        ..
    } = report;
    let verdict = match report.holds() {
        true => "holds",
        false => "does not hold",
    };
    let mut lines = vec![
        format!("{}: {verdict}", folder.display()),
        format!(
            "log {}, entries {first} to {last} in {segments} segments",
            report.log.as_deref().unwrap_or("without a name")
        ),
        format!("head {head}"),
    ];
    lines.push(match (&report.covered, chain_only) {
        (_, true) => "the chain alone: cutting and rewriting are not seen".to_owned(),
        (None, false) => "no checkpoint says anything of it".to_owned(),
        (Some(covered), false) => {
            let behind = last.0.saturating_sub(covered.sequence.0);
            let (sequence, time) = (covered.sequence, covered.time);
            format!("as {checkpoints} checkpoints signed it, up to entry {sequence} of {time}; {behind} entries behind it are signed by none")
        }
    });
    if *unfinished > 0 {
        lines.push(format!("{unfinished} unfinished bytes behind the last entry: they are being written, or the agent was killed"));
    }
    lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
    lines
}

fn public_keys(file: &Path) -> Result<Vec<PublicKey>, Failure> {
    let text = fs::read_to_string(file).map_err(|error| unread("the public key", file, &error))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys = lines.map(|line| line.parse());
    let keys: Result<Vec<PublicKey>, _> = keys.collect();
    let wrong = |what: String| Failure {
        code: "input.text".to_owned(),
        what,
        file: Some(file.into()),
        help: "name a file with what `touchstone agent log keygen` printed, a line each".to_owned(),
    };
    match keys {
        Ok(keys) if keys.is_empty() => Err(wrong("the file has no public key".to_owned())),
        Ok(keys) => Ok(keys),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn checkpoint(folder: &Path) -> Result<(), Failure> {
    let file = folder.join(NEWEST);
    let note = fs::read(&file).map_err(|error| Failure {
        help: "name the folder of a log; the first checkpoint is made soon after the agent was started".to_owned(),
        ..unread("the checkpoint", &file, &error)
    })?;
    print::bytes(&note)
}

fn keygen(name: &str, output: &Path) -> Result<(), Failure> {
    let refused = |what: String, help: &str| Failure {
        code: "key.refused".to_owned(),
        what,
        file: Some(output.into()),
        help: help.to_owned(),
    };
    if is_in_store(output) {
        let what = "the key would lie in the Nix store, which every user and every build can read";
        return Err(refused(
            what.to_owned(),
            "write it to a place that only the agent reads",
        ));
    }
    let key = CheckpointKey::generate(name);
    let key = key.map_err(|error| refused(error.to_string(), "give the key another name"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(output).and_then(|mut file| {
        file.write_all(key.expose_text().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(|error| Failure {
        code: "output.failed".to_owned(),
        ..refused(
            format!("the key cannot be written: {error}"),
            "name a file that is not there yet, in a folder that you may write to",
        )
    })?;
    print::line(&key.public_key().to_string())
}

/// Whether a file that is made there would lie in the store.
fn is_in_store(file: &Path) -> bool {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let plain: PathBuf = file
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    let leads_to = fs::canonicalize(folder).unwrap_or_default();
    [plain, leads_to]
        .iter()
        .any(|path| path.starts_with("/nix/store"))
}
