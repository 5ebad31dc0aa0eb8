//! Why a URI names no key.

/// Why a URI is refused. No text shows the value of an attribute: a PIN may have been put into any of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It is of another scheme.
    #[error("the name does not begin with `pkcs11:`")]
    Scheme,
    /// An attribute without `=`, or with a name that has other characters than letters, digits, `-` and `_`.
    #[error(
        "what stands at place {place} of the URI's {part} is no attribute: write NAME=VALUE, with `;` between attributes in front of the `?` and `&` after it"
    )]
    NotAnAttribute {
        /// `path` or `query`.
        part: &'static str,
        /// Counted from 1.
        place: usize,
    },
    /// The same attribute twice.
    #[error("the attribute `{0}` stands in the URI twice: leave one of them")]
    Twice(String),
    /// An attribute that RFC 7512 does not have in this part, or a vendor's.
    #[error(
        "the URI's {part} has the attribute `{name}`, which is not known there: leave it out or correct its name"
    )]
    Unknown {
        /// `path` or `query`.
        part: &'static str,
        /// Its name.
        name: String,
    },
    /// `pin-value`.
    #[error(
        "a PIN in a URI would stand in argument lists, in the Nix store and in logs: write it into a file that only you can read, and name that by `pin-source`"
    )]
    PinValue,
    /// `pin-source=|…`.
    #[error(
        "`pin-source` names a program, and none is run to ask for a PIN: name a file, as an absolute path or a `file:` URI"
    )]
    PinCommand,
    /// A character that must be percent-encoded.
    #[error(
        "the value of `{name}` has a {character:?} that must be percent-encoded: write it as `{encoded}`"
    )]
    Character {
        /// The attribute.
        name: String,
        /// The character.
        character: char,
        /// How it is written.
        encoded: String,
    },
    /// A `%` that two hexadecimal digits do not follow.
    #[error("the value of `{0}` has a `%` without two hexadecimal digits: a `%` itself is `%25`")]
    Percent(String),
    /// Text that is not UTF-8.
    #[error("the value of `{0}` is not UTF-8")]
    NotText(String),
    /// No number, or too large a one.
    #[error("the value of `{0}` is no number of the expected form")]
    Number(String),
    /// `type` is not `private`.
    #[error("`type` names another kind of object than `private`: only a private key can sign")]
    NotPrivate,
    /// A path that depends on where the program was started.
    #[error("the value of `{0}` is no absolute path")]
    NotAbsolute(String),
    /// `module-name` with a slash, or empty.
    #[error("`module-name` is no name of a file without its folder")]
    ModuleName,
    /// `module-name` alone: whose module would depend on the machine.
    #[error("`module-name` needs `module-path`, which names the folder that the module is in")]
    NameWithoutPath,
    /// `x-touchstone-last-try` with another value.
    #[error("`x-touchstone-last-try` can be `yes` alone: leave it out otherwise")]
    LastTry,
}
