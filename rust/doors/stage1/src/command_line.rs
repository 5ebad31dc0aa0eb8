//! The kernel's command line, cut into words as everybody who reads it does.
//!
//! The kernel knows double quotes, systemd both kinds, and programs that cut at spaces none. A line is only judged where all of them see the same in it.

use touchstone_store::StorePath;

/// What the kernel hands over at most, in bytes, on any architecture.
pub const LIMIT: u64 = 1 << 16;

/// The words as the kernel sees them: cut at spaces outside of double quotes, with the quotes that it takes away taken away.
///
/// Source: Linux, `lib/cmdline.c`, `next_arg`.
pub fn kernel_words(line: &str) -> Vec<String> {
    let mut quoted = false;
    let cut = line.split(|character: char| {
        quoted ^= character == '"';
        character == ' ' && !quoted
    });
    let words = cut.filter(|word| !word.is_empty());
    words.map(without_kernel_quotes).collect()
}

/// A word without the quotes around it, or around its value.
fn without_kernel_quotes(word: &str) -> String {
    let (inner, quoted) = match word.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (word, false),
    };
    // An equals sign in the first place is no assignment.
    let equals = inner.bytes().skip(1).position(|byte| byte == b'=');
    let split = equals.and_then(|before| inner.split_at_checked(before + 2));
    let (name, value) = split.unwrap_or(("", inner));
    let (value, value_quoted) = match value.strip_prefix('"') {
        Some(value) if !name.is_empty() => (value, true),
        _ => (value, false),
    };
    let value = match value.strip_suffix('"') {
        Some(value) if quoted || value_quoted => value,
        _ => value,
    };
    format!("{name}{value}")
}

/// The words as systemd sees them: cut at white space outside of quotes of both kinds, without any quotes; backslashes mean nothing.
///
/// Source: systemd, `proc_cmdline_parse_given` and `extract_first_word` with `EXTRACT_UNQUOTE|EXTRACT_RELAX|EXTRACT_RETAIN_ESCAPE`.
pub fn systemd_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), character) if open == character => quote = None,
            (_, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The words as shells and simple programs see them: cut at spaces.
pub fn plain_words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

/// A line as the stub hands it to the kernel: each control character is a space, and there is none at the ends.
///
/// Source: `docs/pcr-9.md`, "The command line of a UKI".
pub fn cleaned(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|character| match character {
            '\0'..=' ' | '\u{7f}' => ' ',
            character => character,
        })
        .collect();
    clean.trim_matches(' ').to_owned()
}

/// Why a line names no toplevel. The texts are parts of sentences about the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitError {
    /// No `init=`.
    #[error("has no init=")]
    None,
    /// More than one `init=`, or quotes in which one reader sees another value.
    #[error("has more than one init=, or one that not every reader of the line understands alike")]
    Several,
    /// Something other than `/nix/store/<hash>-<name>/init`.
    #[error(
        "has an init= that is not /nix/store/<hash>-<name>/init, without links and detours: {0}"
    )]
    Form(String),
}

/// The toplevel that a line's one `init=` names, for every reader of the line.
///
/// # Errors
/// [`InitError`].
pub fn toplevel(line: &str) -> Result<StorePath, InitError> {
    let [kernel, systemd, plain] = [kernel_words, systemd_words, plain_words].map(|words| {
        let words = words(line).into_iter();
        let inits = words.filter_map(|word| Some(word.strip_prefix("init=")?.to_owned()));
        inits.collect::<Vec<String>>()
    });
    if kernel != systemd || kernel != plain {
        return Err(InitError::Several);
    }
    let mut inits = kernel.into_iter();
    let init = inits.next().ok_or(InitError::None)?;
    if inits.next().is_some() {
        return Err(InitError::Several);
    }
    let path = init.strip_suffix("/init").map(StorePath::parse);
    match path {
        Some(Ok(path)) => Ok(path),
        _ => Err(InitError::Form(crate::text::printable(init))),
    }
}

#[cfg(test)]
mod tests;
