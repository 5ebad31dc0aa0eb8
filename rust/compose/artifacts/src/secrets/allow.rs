//! Keys that a request allows: known ones, and those in known places.

use crate::Error;
use crate::closure_files::pattern::Pattern;

use super::FoundSecret;

/// What a request allows.
pub(super) struct Allowed<'a>(Vec<Entry<'a>>);

struct Entry<'a> {
    text: &'a str,
    rule: Rule,
}

enum Rule {
    /// In small letters.
    Fingerprint(String),
    Path(Pattern),
}

impl<'a> Allowed<'a> {
    /// Reads the entries of a request.
    ///
    /// # Errors
    /// [`Error::Request`] for one that is neither.
    pub(super) fn parse(entries: &'a [String]) -> Result<Allowed<'a>, Error> {
        let entries = entries.iter().map(|text| Entry::parse(text));
        entries.collect::<Result<_, _>>().map(Allowed)
    }

    /// Whether an entry allows this key.
    pub(super) fn has(&self, found: &FoundSecret) -> bool {
        self.0.iter().any(|entry| entry.allows(found))
    }

    /// The entries that allow none of these.
    pub(super) fn unused(&self, found: &[FoundSecret]) -> Vec<String> {
        let unused = |entry: &&Entry<'_>| !found.iter().any(|found| entry.allows(found));
        let texts = self.0.iter().filter(unused).map(|entry| entry.text);
        texts.map(str::to_owned).collect()
    }
}

impl Entry<'_> {
    fn parse(text: &str) -> Result<Entry<'_>, Error> {
        let hex = text.len() == 64 && text.bytes().all(|letter| letter.is_ascii_hexdigit());
        let rule = match text.starts_with('/') {
            true => Rule::Path(Pattern::of(text)),
            false if hex => Rule::Fingerprint(text.to_ascii_lowercase()),
            false => {
                return Err(Error::Request {
                    fact: format!(
                        "{text:?} in `allow` is neither a fingerprint nor a pattern of paths"
                    ),
                    help: "give 64 hex digits, as a finding prints them, or a pattern that begins with `/`",
                });
            }
        };
        Ok(Entry { text, rule })
    }

    fn allows(&self, found: &FoundSecret) -> bool {
        match &self.rule {
            Rule::Fingerprint(known) => *known == found.secret.fingerprint,
            Rule::Path(pattern) => pattern.matches(&found.path.to_string_lossy()),
        }
    }
}
