//! Texts that a kernel or a shell would have interpreted.
//!
//! Source: Linux, `fs/binfmt_script.c`; env(1) of GNU coreutils, `-S`; POSIX, "Command Search and Execution": what the kernel refuses
//! with ENOEXEC is executed by the shell.

/// How much of a file is looked at.
pub(super) const HEAD: usize = 4096;

/// The first line of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shebang {
    /// The program that the kernel starts.
    pub(super) interpreter: String,
    /// The program that `env` starts, where the kernel starts `env`.
    pub(super) through_env: Option<String>,
}

/// The first line of a script, if the file begins with one. `#![` is a line of Rust, and a script only where the file is executable.
pub(super) fn shebang(head: &[u8], executable: bool) -> Option<Shebang> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let line = line.split('\0').next().unwrap_or_default();
    let mut words = line.trim_matches([' ', '\t', '\r']).splitn(2, [' ', '\t']);
    let interpreter = words.next().filter(|word| !word.is_empty())?;
    if interpreter.starts_with('[') && !executable {
        return None;
    }
    let is_env = interpreter.rsplit('/').next() == Some("env");
    Some(Shebang {
        interpreter: interpreter.to_owned(),
        through_env: words
            .next()
            .filter(|_| is_env)
            .and_then(started_by_env)
            .map(str::to_owned),
    })
}

/// The program among the arguments of `env`: the first word that is neither an option nor a variable.
fn started_by_env(arguments: &str) -> Option<&str> {
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-u" | "--unset" | "-C" | "--chdir" | "-a" | "--argv0" => {
                words.next()?;
            }
            _ => {
                let word = word.strip_prefix("--split-string=").unwrap_or(word);
                // `-S` and what it splits may be one word, after other letters: `-vSpython3`.
                let word = match word.strip_prefix('-') {
                    Some(letters) => match letters.split_once('S') {
                        Some((_, after)) if !letters.starts_with('-') => after,
                        _ => continue,
                    },
                    None => word,
                };
                if !word.is_empty() && !word.contains('=') {
                    return Some(word);
                }
            }
        }
    }
    None
}

/// Whether a shell would read these bytes as commands: a text of any encoding, and not nothing.
pub(super) fn is_text(head: &[u8]) -> bool {
    let control = |byte: &u8| matches!(byte, 0..=6 | 14..=26 | 28..=31 | 127);
    !head.is_empty() && !head.iter().any(control)
}
