//! The command line against the signed ones.

use touchstone_store::StorePath;

use super::refusal::{Refusal, SignedLineFault};
use crate::command_line::{cleaned, kernel_words, plain_words, systemd_words, toplevel};
use crate::text::printable;

/// A signed line, and the system that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLine {
    /// The line as the stub hands it to the kernel.
    pub text: String,
    /// What its one `init=` names.
    pub toplevel: StorePath,
}

/// The signed line that the real one is, with at most harmless words behind it.
///
/// `signed` is the content of [`super::COMMAND_LINES`], none where there is no such file; `real` is `/proc/cmdline`.
///
/// # Errors
/// [`Refusal`], with a variant of its own for each kind of word.
pub fn judge(signed: Option<&[u8]>, real: &[u8]) -> Result<SignedLine, Refusal> {
    let signed = signed_lines(signed.ok_or(Refusal::NoSignedLines)?)?;
    let shown = printable(real.trim_ascii());
    let Ok(real) = std::str::from_utf8(real) else {
        return Err(Refusal::OtherLine(shown));
    };
    let real = cleaned(real);
    let mut found: Option<(SignedLine, Vec<String>)> = None;
    for line in signed {
        // The longest: another profile's line may begin like this one.
        let longer = found
            .as_ref()
            .is_none_or(|(f, _)| f.text.len() < line.text.len());
        if let (true, Some(behind)) = (longer, behind(&real, &line.text)) {
            found = Some((line, plain_words(behind)));
        }
    }
    let Some((line, words)) = found else {
        return Err(unknown_line(&real, shown));
    };
    for word in words {
        judge_word(word)?;
    }
    Ok(line)
}

/// What stands behind a signed line; none where the real line does not begin with it.
fn behind<'a>(real: &'a str, signed: &str) -> Option<&'a str> {
    let rest = real.strip_prefix(signed)?;
    (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
}

/// The signed lines of an image: each a line that no word behind it can change the meaning of.
fn signed_lines(text: &[u8]) -> Result<Vec<SignedLine>, Refusal> {
    let wrong = |line: usize, fact| Refusal::SignedLine { line, fact };
    let line_of = |end: usize| {
        let before = text.iter().take(end);
        before.filter(|byte| **byte == b'\n').count() + 1
    };
    if let Some(at) = text.iter().position(|byte| !byte.is_ascii()) {
        return Err(wrong(line_of(at), SignedLineFault::Text));
    }
    let ascii = String::from_utf8_lossy(text);
    let lines = ascii.strip_suffix('\n');
    let lines = lines.ok_or_else(|| wrong(line_of(text.len()), SignedLineFault::End))?;
    let lines = lines.split('\n').map(cleaned).enumerate();
    lines
        .map(|(number, line)| signed_line(line).map_err(|fact| wrong(number + 1, fact)))
        .collect()
}

fn signed_line(text: String) -> Result<SignedLine, SignedLineFault> {
    let toplevel = toplevel(&text).map_err(SignedLineFault::Init)?;
    let readers = [
        kernel_words(&text),
        systemd_words(&text),
        plain_words(&text),
    ];
    for words in readers {
        if words.iter().any(|word| word.starts_with("rdinit=")) {
            return Err(SignedLineFault::Rdinit);
        }
        // Before the last word: the kernel reads it, too.
        if !words.iter().any(|word| word == "noresume") {
            return Err(SignedLineFault::Resume);
        }
        // With an open quote it is the end of another word.
        if words.last().is_none_or(|last| last != "--") {
            return Err(SignedLineFault::Open);
        }
    }
    Ok(SignedLine { text, toplevel })
}

/// Why a line that no signed one begins is refused: as exactly as can be told.
fn unknown_line(real: &str, shown: String) -> Refusal {
    let words = plain_words(real);
    if words.iter().any(|word| word.starts_with("initrd=")) {
        return Refusal::BootEntry;
    }
    let mut inits = words.into_iter().filter(|word| word.starts_with("init="));
    match (inits.next(), inits.next()) {
        (Some(_), Some(second)) => Refusal::SecondInit(printable(second)),
        _ => Refusal::OtherLine(shown),
    }
}

/// One word behind the signed line.
fn judge_word(word: String) -> Result<(), Refusal> {
    if is_harmless(&word) {
        return Ok(());
    }
    let shown = printable(&word);
    // However it is quoted: the sentence is for a person, the refusal is certain.
    let bare: String = word.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let name = bare.split_once('=').map_or(bare.as_str(), |(name, _)| name);
    Err(match name {
        "init" => Refusal::SecondInit(shown),
        "rdinit" => Refusal::Rdinit(shown),
        "initrd" => Refusal::BootEntry,
        name if is_root(name) => Refusal::RootWord(shown),
        name if name.starts_with("systemd.") || name.starts_with("rd.systemd.") => {
            Refusal::SystemdWord(shown)
        }
        name if name.starts_with("rd.") || name.starts_with("boot.") => Refusal::InitrdWord(shown),
        _ => Refusal::UnknownWord(shown),
    })
}

/// Whether a parameter says what is mounted as the root, or how.
fn is_root(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "root",
        "rootflags",
        "rootfstype",
        "roothash",
        "ro",
        "rw",
        "fstab",
        "resume",
        "usrhash",
        "luks",
        "rd.luks",
    ];
    NAMES.contains(&name)
        || name.starts_with("mount.usr")
        || name.starts_with("luks.")
        || name.starts_with("rd.luks.")
}

/// Whether a word changes nothing but what is shown. Kept short on purpose: everything else can be signed.
fn is_harmless(word: &str) -> bool {
    match word.split_once('=') {
        None => matches!(word, "quiet" | "splash" | "nosplash" | "nomodeset" | "--"),
        Some(("loglevel", level)) => matches!(level.as_bytes(), [b'0'..=b'8']),
        Some(("console", console)) => is_terminal(console),
        Some(_) => false,
    }
}

/// A terminal with its speed: `tty0`, `ttyS1,115200n8`, `hvc0`. Not `uart…`, which names an address that the kernel then writes to.
fn is_terminal(console: &str) -> bool {
    let (name, options) = console.split_once(',').unwrap_or((console, "115200"));
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let known = matches!(kind, "tty" | "ttyS" | "ttyAMA" | "ttyUSB" | "ttySC" | "hvc");
    let bounded = name.len() <= kind.len() + 3 && options.len() <= 12;
    known && bounded && options.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
