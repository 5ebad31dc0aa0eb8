//! `EFI_TIME`: by which firmware tells a newer update from an older one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use der::DateTime;

/// A second in UTC, as updates carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EfiTime {
    year: u16,
    /// Month, day, hour, minute, second. Of an update that was read, they may be any numbers.
    rest: [u8; 5],
}

/// Why a text or a number is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is written as 2026-01-31T12:00:00Z: in UTC, in seconds, between the years 1970 and 9999"
)]
pub struct TimeError;

impl EfiTime {
    /// The time at `seconds` since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`TimeError`] after the year 9999.
    pub fn from_unix(seconds: u64) -> Result<Self, TimeError> {
        DateTime::from_unix_duration(Duration::from_secs(seconds))
            .map(Self::from)
            .map_err(|_| TimeError)
    }

    /// The 16 bytes of an `EFI_TIME`: UTC, without nanoseconds, as updates must have it.
    pub fn to_bytes(self) -> [u8; 16] {
        let [low, high] = self.year.to_le_bytes();
        let [month, day, hour, minute, second] = self.rest;
        [
            low, high, month, day, hour, minute, second, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]
    }

    /// Reads an `EFI_TIME`. None when it has nanoseconds, a time zone or padding that is not zero:
    /// firmware refuses such an update. Whether there is such a day is not asked.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let [low, high, month, day, hour, minute, second, others @ ..] = bytes;
        (others == [0; 9]).then_some(Self {
            year: u16::from_le_bytes([low, high]),
            rest: [month, day, hour, minute, second],
        })
    }
}

impl From<DateTime> for EfiTime {
    fn from(time: DateTime) -> Self {
        Self {
            year: time.year(),
            rest: [
                time.month(),
                time.day(),
                time.hour(),
                time.minutes(),
                time.seconds(),
            ],
        }
    }
}

impl FromStr for EfiTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::from_unix(seconds(text)?)
    }
}

/// The seconds since 1970-01-01 UTC of a time in RFC 3339, in UTC: `2026-01-31T12:00:00Z`.
///
/// # Errors
/// [`TimeError`].
pub fn seconds(text: &str) -> Result<u64, TimeError> {
    text.parse::<DateTime>()
        .map(|time| time.unix_duration().as_secs())
        .map_err(|_| TimeError)
}

/// RFC 3339, in UTC.
impl fmt::Display for EfiTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [month, day, hour, minute, second] = self.rest;
        write!(
            f,
            "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
            self.year
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_as_text_number_and_bytes() {
        let time: EfiTime = "2026-01-31T12:34:56Z".parse().unwrap();
        assert_eq!(EfiTime::from_unix(1_769_862_896), Ok(time));
        assert_eq!(time.to_string(), "2026-01-31T12:34:56Z");
        let bytes = [0xea, 0x07, 1, 31, 12, 34, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(time.to_bytes(), bytes);
        assert_eq!(EfiTime::from_bytes(bytes), Some(time));
    }

    #[test]
    fn later_is_greater() {
        let time = |text: &str| text.parse::<EfiTime>().unwrap();
        assert!(time("2026-01-31T23:59:59Z") < time("2026-02-01T00:00:00Z"));
    }

    #[test]
    fn refuses_what_is_no_second_in_utc() {
        for text in [
            "",
            "now",
            "2026-01-31",
            "2026-02-30T00:00:00Z",
            "2026-01-31 12:34:56",
            "2026-01-31T12:34:56+01:00",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<EfiTime>(), Err(TimeError), "{text}");
        }
        assert_eq!(EfiTime::from_unix(u64::MAX), Err(TimeError));
        for at in 7..16 {
            let mut bytes = EfiTime::from_unix(0).unwrap().to_bytes();
            bytes[at] = 1;
            assert_eq!(EfiTime::from_bytes(bytes), None, "{at}");
        }
    }
}
