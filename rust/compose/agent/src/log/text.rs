//! Digests and times as the log writes them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use der::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest: 32 bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// What the first entry of a log says of the one before it.
    pub const NONE: Self = Self([0; 32]);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is not what the log writes for a digest or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No digest.
    #[error("a SHA-256 digest is 64 lower-case hexadecimal digits")]
    Digest,
    /// No time.
    #[error("a time is written as 2026-01-31T12:00:00.000Z")]
    Time,
}

impl FromStr for Digest {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(TextError::Digest)
    }
}

impl TryFrom<String> for Digest {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

/// A time in UTC, in whole milliseconds since 1970, written as `2026-01-31T12:00:00.000Z`: such texts sort as the times do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(Duration);

/// The last second of the year 9999: a later one has no text.
const LATEST: u64 = 253_402_300_799;

impl Time {
    /// What the machine's clock says. A clock before 1970 says 1970.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::since_1970(since.unwrap_or_default())
    }

    /// The time that is so long after the beginning of 1970; nothing below a millisecond is kept, and nothing after the year 9999.
    #[must_use]
    pub fn since_1970(since: Duration) -> Self {
        let seconds = since.as_secs().min(LATEST);
        Self(Duration::from_secs(seconds) + Duration::from_millis(since.subsec_millis().into()))
    }

    /// How long after the beginning of 1970 it is.
    #[must_use]
    pub const fn unix(&self) -> Duration {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Duration::from_secs(self.0.as_secs());
        let date = DateTime::from_unix_duration(whole).map_err(|_| fmt::Error)?;
        let text = date.to_string();
        let second = text.strip_suffix('Z').unwrap_or(&text);
        write!(formatter, "{second}.{:03}Z", self.0.subsec_millis())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Time({self})")
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl FromStr for Time {
    type Err = TextError;

    /// Reads what [`Time`] prints, and the same without milliseconds.
    fn from_str(text: &str) -> Result<Self, TextError> {
        let (second, millis) = match text.split_once('.') {
            None => (text.to_owned(), 0),
            Some((second, rest)) => {
                let digits = rest.strip_suffix('Z').ok_or(TextError::Time)?;
                let plain = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
                let millis = digits.parse().ok().filter(|_| plain);
                (format!("{second}Z"), millis.ok_or(TextError::Time)?)
            }
        };
        let date = DateTime::from_str(&second).map_err(|_| TextError::Time)?;
        if date.unix_duration().as_secs() > LATEST {
            return Err(TextError::Time);
        }
        Ok(Self(date.unix_duration() + Duration::from_millis(millis)))
    }
}

impl TryFrom<String> for Time {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_times_as_they_are_read() {
        let time = Time::since_1970(Duration::from_micros(1_795_253_400_123_999));
        assert_eq!(time.to_string(), "2026-11-21T09:30:00.123Z");
        assert_eq!("2026-11-21T09:30:00.123Z".parse(), Ok(time));
        let whole = "2026-11-21T09:30:00Z".parse::<Time>().unwrap();
        assert_eq!(whole.to_string(), "2026-11-21T09:30:00.000Z");
        let last = Time::since_1970(Duration::MAX);
        assert_eq!(last.to_string().parse(), Ok(last));
    }

    #[test]
    fn reads_no_other_text() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T09:30:00.1Z",
            "2026-11-21T09:30:00.+12Z",
            "2026-11-21T09:30:00.123",
            "2026-11-21T09:30:61.000Z",
        ] {
            assert_eq!(text.parse::<Time>(), Err(TextError::Time), "{text}");
        }
        assert!("AB".repeat(32).parse::<Digest>().is_err());
        assert!("ab".repeat(31).parse::<Digest>().is_err());
    }

    proptest! {
        #[test]
        fn every_time_is_written_and_read(seconds in 0..=LATEST, millis in 0..1000u64) {
            let time = Time::since_1970(Duration::from_millis(seconds * 1000 + millis));
            prop_assert_eq!(time.to_string().parse::<Time>(), Ok(time));
            prop_assert_eq!(time.to_string().len(), 24);
        }
    }
}
