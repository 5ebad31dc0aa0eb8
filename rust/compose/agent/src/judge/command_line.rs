//! What a command line says, as the kernel, systemd and NixOS' stage 1 read it.

use touchstone_artifacts::extra_initrd::leaves_a_quote_open;

use super::refuse::refuse;
use crate::policy::Pattern;
use crate::protocol::Refusal;

/// The kernel keeps this many bytes of a command line (`COMMAND_LINE_SIZE` of x86 and arm64, without the NUL).
const LIMIT: usize = 2047;
/// Behind this word the kernel reads no parameters.
const LAST: &str = "--";
const INIT: &str = "init=";
const RDINIT: &str = "rdinit=";

/// A command line that everybody reads alike, as far as it says what is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// All of it.
    pub(super) text: &'a str,
    /// What stands behind `init=`, where it is there.
    pub(super) init: Option<&'a str>,
}

/// Reads a section `.cmdline`.
///
/// # Errors
/// [`Refusal`] when it names `init=` twice, `rdinit=` at all, or either in a way that not everybody understands alike.
pub(super) fn read(section: &[u8]) -> Result<Line<'_>, Refusal> {
    let text = std::str::from_utf8(section).unwrap_or("\0");
    // What `echo` writes: the stub leaves white space at the end out.
    let text = text.strip_suffix('\n').unwrap_or(text);
    if let Some(other) = text
        .chars()
        .find(|character| !matches!(character, ' '..='~'))
    {
        return Err(wrong(format!(
            "it has the character {other:?}, at which some who read it would end, and others not"
        )));
    }
    if text.len() > LIMIT {
        return Err(wrong(format!(
            "it has {} bytes, and the kernel keeps {LIMIT}: what is cut off is not what was judged",
            text.len()
        )));
    }
    if leaves_a_quote_open(text) {
        return Err(wrong(format!(
            "it has a quote that is not closed, within which what follows is no word for some who read it: `{text}`"
        )));
    }
    let mut init = None;
    for (at, _) in text.match_indices(INIT) {
        let (before, behind) = text.split_at(at);
        match before.bytes().last() {
            None | Some(b' ') => {}
            // Part of another parameter's name, such as `cloud-init=`.
            Some(byte) if is_name(byte) && !is_rdinit(before) => continue,
            _ => {
                return Err(wrong(format!(
                    "it has `{RDINIT}`, or `{INIT}` behind a quote, by which other programs are started: `{text}`"
                )));
            }
        }
        if before.contains(['"', '\'', '\\']) {
            return Err(wrong(format!(
                "a quote stands before `{INIT}`, which not everybody who reads it understands alike: `{text}`"
            )));
        }
        let word = behind.split(' ').next().unwrap_or_default();
        let value = word.strip_prefix(INIT).unwrap_or_default();
        if init.replace(value).is_some() {
            return Err(wrong(format!("it names `{INIT}` more than once: `{text}`")));
        }
    }
    Ok(Line { text, init })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// Whether `rd` is all of the word in front of `init=`, whatever stands around it.
fn is_rdinit(before: &str) -> bool {
    before.strip_suffix("rd").is_some_and(|rest| {
        let last = rest.bytes().last();
        last.is_none_or(|byte| !is_name(byte))
    })
}

impl Line<'_> {
    /// Sees that it is that of a system: its `init=`, its parameters in their order, and then words that are allowed, before a last `--`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn is_of(
        &self,
        init: &str,
        parameters: &[String],
        allowed: &[Pattern],
    ) -> Result<(), Refusal> {
        let own = format!("{INIT}{init}");
        let (parameters, ends) = match parameters.split_last() {
            Some((last, others)) if last == LAST => (others, true),
            _ => (parameters, false),
        };
        if ends && self.text.rsplit(' ').next() != Some(LAST) {
            return Err(wrong(format!(
                "it does not end with `{LAST}`, as the system's kernel parameters do: `{}`",
                self.text
            )));
        }
        let mut wanted = vec![own.as_str()];
        wanted.extend(parameters.iter().map(String::as_str));
        let rest = wanted.iter().try_fold(self.text, |rest, word| {
            let rest = rest.strip_prefix(*word)?;
            match rest.strip_prefix(' ') {
                Some(behind) => Some(behind),
                None => rest.is_empty().then_some(rest),
            }
        });
        let rest = rest.ok_or_else(|| {
            wrong(format!(
                "`{}` does not begin with what boot.json of the system says: `{}`",
                self.text,
                wanted.join(" ")
            ))
        })?;
        words(rest, allowed)
    }

    /// Sees that every word is allowed, but for `init=` and a last `--`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn is_allowed(&self, allowed: &[Pattern]) -> Result<(), Refusal> {
        let init = self.init.map(|init| format!("{INIT}{init}"));
        let others = self
            .text
            .split(' ')
            .filter(|word| Some(*word) != init.as_deref());
        words(&others.collect::<Vec<_>>().join(" "), allowed)
    }
}

fn words(text: &str, allowed: &[Pattern]) -> Result<(), Refusal> {
    let mut words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.pop_if(|last| *last == LAST);
    let known = |word: &&str| allowed.iter().any(|pattern| pattern.matches(word));
    match words.iter().find(|word| !known(word)) {
        None => Ok(()),
        Some(word) => Err(wrong(format!(
            "the word `{word}` is neither a kernel parameter of the system, where it stands, nor allowed by the policy"
        ))),
    }
}

/// A command line that is refused.
pub(super) fn wrong(what: impl AsRef<str>) -> Refusal {
    let what = format!("the command line: {}", what.as_ref());
    let help = "write `init=` first and once, then the system's kernel parameters; add other words to `cmdline.allowed` of the policy";
    refuse("image.commandLine", what, help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn init(text: &str) -> Result<Option<&str>, Refusal> {
        read(text.as_bytes()).map(|line| line.init)
    }

    #[test]
    fn finds_the_one_init() {
        assert_eq!(init("init=/a quiet"), Ok(Some("/a")));
        assert_eq!(init("quiet init=/a --"), Ok(Some("/a")));
        assert_eq!(init("quiet\n"), Ok(None));
        assert_eq!(
            init("init=/a cloud-init=disabled x.init=1 a=\"b c\""),
            Ok(Some("/a"))
        );
        assert_eq!(init("init="), Ok(Some("")));
    }

    #[test]
    fn refuses_a_second_init_however_it_hides() {
        for text in [
            "init=/a init=/b",
            "init=/a init=/a",
            "init=/a -- init=/b",
            "init=/a x=\"y init=/b z\"",
            "init=/a x='y init=/b z'",
            "init=/a \"init=/b\"",
            "init=/a 'init=/b'",
            "init=/a \\init=/b",
            "init=/a x=init=/b",
            "init=/a,init=/b",
            "x=\"y init=/a z\"",
            "x=it's init=/a",
            "init=/a loglevel=\"7 --",
            "init=/a loglevel='7",
            "init=/a rdinit=/b",
            "rdinit=/b",
            "init=/a \"rdinit=/b\"",
            "init=/a x=rdinit=/b",
            "init=/a\tinit=/b",
            "init=/a\u{a0}init=/b",
            "init=/a\0init=/b",
            "init=/a\0",
            "init=/a\n\n",
            "init=/a\r\n",
        ] {
            assert!(init(text).is_err(), "{text:?}");
        }
        assert!(read(b"init=/a \xff").is_err());
        assert!(init(&format!("init=/a {}", "x".repeat(LIMIT))).is_err());
    }

    #[test]
    fn has_the_systems_parameters_in_their_order_and_allowed_words_behind() {
        let parameters = ["noresume", "a=\"b c\"", "quiet"].map(str::to_owned);
        let allowed: Vec<Pattern> = vec!["loglevel=*".parse().unwrap(), "debug".parse().unwrap()];
        let of = |text: &str| {
            read(text.as_bytes()).and_then(|line| line.is_of("/a", &parameters, &allowed))
        };
        for text in [
            "init=/a noresume a=\"b c\" quiet",
            "init=/a noresume a=\"b c\" quiet --",
            "init=/a noresume a=\"b c\" quiet loglevel=7 debug --",
        ] {
            assert_eq!(of(text), Ok(()), "{text}");
        }
        for text in [
            "init=/b noresume a=\"b c\" quiet",
            "init=/a",
            "init=/a a=\"b c\" quiet",
            "init=/a noresume quiet a=\"b c\"",
            "init=/a noresume a=\"b c\" quietly",
            "noresume a=\"b c\" quiet init=/a",
            "init=/a noresume a=\"b c\" quiet systemd.unit=rescue.target",
            "init=/a noresume a=\"b c\" quiet -- debug",
            "init=/a noresume a=\"b c\" quiet debugging",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
        let ended = ["quiet", "--"].map(str::to_owned);
        let line = read(b"init=/a quiet debug --").unwrap();
        assert_eq!(line.is_of("/a", &ended, &allowed), Ok(()));
        let open = read(b"init=/a quiet debug").unwrap();
        assert!(open.is_of("/a", &ended, &allowed).is_err());
    }

    proptest! {
        /// What is read has one `init=`, for the kernel's words as for those of a program that knows no quotes.
        #[test]
        fn everybody_sees_the_same_init(text in "((init=|rdinit=|rd|x|=|/a|\"|'|\\\\| |-|\\.)){0,12}") {
            if let Ok(line) = read(text.as_bytes()) {
                let naive: Vec<&str> = text.split(' ').filter_map(|word| word.strip_prefix(INIT)).collect();
                prop_assert_eq!(naive, line.init.into_iter().collect::<Vec<_>>());
                let bare = text.replace(['"', '\'', '\\'], "");
                let bare: Vec<&str> = bare.split(' ').filter(|word| word.starts_with(INIT) || word.starts_with(RDINIT)).collect();
                prop_assert_eq!(bare.len(), line.init.iter().count());
            }
        }
    }
}
