//! The report that the guest writes on its console, line by line.
//!
//! Every line starts with [`PREFIX`], so that a reader finds the lines among those of firmware and kernel; the
//! end line carries the number of lines before it, so that a reader notices a lost one.

use std::io::{self, Write};

use data_encoding::BASE64;

/// What each line of a report starts with.
pub const PREFIX: &str = "touchstone-probe:";

/// Bytes of binary data in a line (base64 makes 80 characters of 60 bytes).
const CHUNK: usize = 60;

/// A report under way.
pub struct Report<W: Write> {
    out: W,
    lines: usize,
    failed: bool,
}

impl<W: Write> Report<W> {
    /// Starts a report with its begin line.
    pub fn begin(out: W) -> Self {
        let mut report = Report {
            out,
            lines: 0,
            failed: false,
        };
        report.line("begin", "1");
        report
    }

    /// Writes one fact. A console that does not take the line loses it: the reader counts.
    pub fn line(&mut self, what: &str, value: &str) {
        let text = format!("{PREFIX} {what} {value}\n");
        if self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .is_err()
        {
            self.failed = true;
        }
        self.lines += 1;
    }

    /// Writes a fact, or an error line in its place.
    pub fn fact(&mut self, what: &str, value: io::Result<String>) {
        match value {
            Ok(value) => self.line(what, &value),
            Err(error) => self.error(what, &error),
        }
    }

    /// Writes an error line. The report goes on, and ends with the mark of a report that had errors.
    pub fn error(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.failed = true;
        self.line("error", &format!("{what}: {error}"));
    }

    /// Writes binary data: its size in bytes, then base64 lines, each with its number from 0.
    pub fn data(&mut self, what: &str, data: &[u8]) {
        self.line(&format!("{what}-size"), &data.len().to_string());
        for (number, chunk) in data.chunks(CHUNK).enumerate() {
            self.line(what, &format!("{number} {}", BASE64.encode(chunk)));
        }
    }

    /// Writes binary data as base64 lines alone.
    pub fn pieces(&mut self, what: &str, data: &[u8]) {
        for chunk in data.chunks(CHUNK) {
            self.line(what, &BASE64.encode(chunk));
        }
    }

    /// Writes the end line: `end ok N` or `end error N`, with N lines before it.
    pub fn end(mut self) {
        let state = if self.failed { "error" } else { "ok" };
        let lines = self.lines;
        self.line("end", &format!("{state} {lines}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_line_counts_the_lines_and_owns_up_to_errors() {
        let mut out = Vec::new();
        let mut report = Report::begin(&mut out);
        report.data("log", &[0; 61]);
        report.fact("cmdline", Err(io::ErrorKind::NotFound.into()));
        report.end();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "touchstone-probe: begin 1");
        assert_eq!(lines[1], "touchstone-probe: log-size 61");
        assert_eq!(lines[3], "touchstone-probe: log 1 AA==");
        assert_eq!(lines[5], "touchstone-probe: end error 5");
    }
}
