//! One line of a manifest in its only spelling, taken apart from left to right.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Something else stands there.
    #[error("byte {at}: {expected} is expected")]
    Expected {
        /// Bytes before it.
        at: usize,
        /// What has to stand there.
        expected: &'static str,
    },
    /// A value is wrong.
    #[error("byte {at}: {why}")]
    Value {
        /// Bytes before what follows the value.
        at: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Two values of a list are the same, or in the wrong order.
    #[error("byte {at}: a list is sorted by bytes and has nothing twice")]
    Order {
        /// Bytes before what follows the value.
        at: usize,
    },
}

/// A line without its line feed, as far as it was not read.
pub(super) struct Line<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self { whole, at: 0 }
    }

    /// Bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.whole.get(self.at..).unwrap_or_default()
    }

    /// Takes a text if it is what follows.
    pub(super) fn took(&mut self, text: &str) -> bool {
        let follows = self.rest().starts_with(text);
        if follows {
            self.at += text.len();
        }
        follows
    }

    /// Takes a text that has to follow.
    pub(super) fn take(&mut self, text: &'static str) -> Result<(), Flaw> {
        match self.took(text) {
            true => Ok(()),
            false => Err(self.expected(text)),
        }
    }

    /// The line must end here.
    pub(super) fn end(&self) -> Result<(), Flaw> {
        match self.rest() {
            "" => Ok(()),
            _ => Err(self.expected("the end of the line")),
        }
    }

    /// A whole number in its one spelling.
    pub(super) fn number(&mut self) -> Result<u64, Flaw> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = self.rest().get(..digits).unwrap_or_default();
        let number: Option<u64> = text.parse().ok();
        let number = number.filter(|number| number.to_string() == text);
        let number = number.ok_or_else(|| self.expected("a whole number below 2^64"))?;
        self.at += digits;
        Ok(number)
    }

    /// A string that is a value of a checked type.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self) -> Result<T, Flaw> {
        let text = self.string()?;
        self.value(&text)
    }

    /// A list of strings, sorted, each a value of a checked type.
    pub(super) fn sorted<T, C>(&mut self) -> Result<C, Flaw>
    where
        T: FromStr<Err: Display>,
        C: Default + Extend<T>,
    {
        let mut values = C::default();
        let mut last: Option<Cow<'_, str>> = None;
        self.take("[")?;
        while !self.took("]") {
            if last.is_some() {
                self.take(",")?;
            }
            let text = self.string()?;
            if last.is_some_and(|last| last >= text) {
                return Err(Flaw::Order { at: self.at });
            }
            values.extend([self.value(&text)?]);
            last = Some(text);
        }
        Ok(values)
    }

    /// A string in its only spelling: a quote and a backslash have a backslash before them, nothing else has.
    fn string(&mut self) -> Result<Cow<'a, str>, Flaw> {
        self.take("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let length = self.rest().find(['"', '\\']);
            let length = length.ok_or_else(|| self.expected("the end of a string"))?;
            let plain = self.rest().get(..length).unwrap_or_default();
            text += plain;
            self.at += length;
            if self.took("\"") {
                return Ok(text);
            }
            let escaped = ["\\\"", "\\\\"].into_iter().find(|text| self.took(text));
            let escaped = escaped.ok_or_else(|| self.expected("\\\" or \\\\"))?;
            text += escaped.get(1..).unwrap_or_default();
        }
    }

    fn value<T: FromStr<Err: Display>>(&self, text: &str) -> Result<T, Flaw> {
        text.parse().map_err(|why: T::Err| self.wrong(why))
    }

    /// That the value before is wrong.
    pub(super) fn wrong(&self, why: impl Display) -> Flaw {
        Flaw::Value {
            at: self.at,
            why: why.to_string(),
        }
    }

    fn expected(&self, expected: &'static str) -> Flaw {
        Flaw::Expected {
            at: self.at,
            expected,
        }
    }
}
