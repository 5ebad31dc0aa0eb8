//! The checked texts of `org.touchstone.v1`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Why a text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No path below the document's folder.
    #[error(
        "this is no path below the folder of boot.json: it must be relative, without empty, `.` or `..` components and control characters"
    )]
    Path,
    /// No digest.
    #[error("this is no SHA-256: 64 hexadecimal digits, lower case")]
    Sha256,
    /// No identifier of a profile.
    #[error("this is no profile's ID: 1 to 64 ASCII letters, digits, `-`, `_` and `.`")]
    ProfileId,
    /// No title of a profile.
    #[error(
        "this is no profile's title: it cannot be empty, begin or end with white space, or hold control characters, quotes, `$` or backslashes"
    )]
    Title,
}

macro_rules! checked_text {
    ($name:ident, $doc:literal, $error:ident, $check:expr) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks a text.
            ///
            /// # Errors
            #[doc = concat!("[`ValueError::", stringify!($error), "`].")]
            pub fn parse(text: &str) -> Result<Self, ValueError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ValueError::$error)
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    RelativePath,
    "A path below the folder of `boot.json`: relative, its components neither empty nor `.` nor `..`.",
    Path,
    |text| {
        let plain = |component: &str| !matches!(component, "" | "." | "..");
        text.split('/').all(plain) && !text.contains(char::is_control)
    }
);

checked_text!(Sha256, "A SHA-256 in lower-case hex.", Sha256, |text| {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(digit)
});

checked_text!(
    ProfileId,
    "The `ID` of a profile: 1 to 64 ASCII letters, digits, `-`, `_` and `.`. systemd-boot names a profile's entry `<file>@<ID>`.",
    ProfileId,
    |text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    }
);

checked_text!(
    Title,
    "The `TITLE` of a profile: what a person reads in the menu. Readers of `.profile` disagree about quotes, so there are none.",
    Title,
    |text| {
        let quoted = |c: char| c.is_control() || matches!(c, '"' | '\'' | '`' | '$' | '\\');
        !text.is_empty() && text.trim() == text && !text.contains(quoted)
    }
);
