//! Lines of a key and a value, as systemd-boot reads them: in entries and `loader.conf` parted by blanks, in os-release by `=`.

/// The keys and values of a text, in its order. Blanks around a line and quotes around a value are not part of them; comments, and lines
/// without a value, are left out.
pub(crate) fn settings<'a>(
    text: &'a str,
    separators: &'static [char],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.split(['\n', '\r'])
        .filter_map(move |line| setting(line, separators))
}

/// The key and the value of one line.
pub(crate) fn setting<'a>(
    line: &'a str,
    separators: &'static [char],
) -> Option<(&'a str, &'a str)> {
    let line = line.trim_matches([' ', '\t']);
    if line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once(separators)?;
    Some((key, unquoted(value.trim_start_matches(separators))))
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// Blanks, which part key and value in entries and in `loader.conf`.
pub(crate) const BLANKS: &[char] = &[' ', '\t'];
