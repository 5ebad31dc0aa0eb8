//! The serial port's text: escape sequences out, lines in order, and what some of them mean.

use super::outcome::{Refusal, RefusedBy};

/// Collects serial output as it comes.
#[derive(Default)]
pub(super) struct Console {
    text: String,
    state: State,
    /// Bytes of a character whose rest has not come yet.
    pending: Vec<u8>,
}

#[derive(Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC `[`, up to a final byte.
    Sequence,
    /// After ESC and an intermediate byte, as in ESC `(B`.
    Character,
}

impl Console {
    /// Takes bytes as the port gave them. Cursor movement and clearing of the screen end a line: firmware moves
    /// the cursor where others write a newline. NUL, CR and all other sequences are dropped.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, b'\0' | b'\r') => State::Text,
                (State::Text, byte) => {
                    self.character(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Sequence,
                (State::Escape, 0x20..=0x2f) => State::Character,
                (State::Escape | State::Character, _) => State::Text,
                (State::Sequence, b'H' | b'f' | b'J') => {
                    self.character(b'\n');
                    State::Text
                }
                (State::Sequence, 0x40..=0x7e) => State::Text,
                (State::Sequence, _) => State::Sequence,
            };
        }
    }

    fn character(&mut self, byte: u8) {
        self.pending.push(byte);
        match std::str::from_utf8(&self.pending) {
            Ok(character) => self.text.push_str(character),
            Err(error) if error.error_len().is_none() => return,
            Err(_) => self.text.push(char::REPLACEMENT_CHARACTER),
        }
        self.pending.clear();
    }

    /// The lines so far, without empty ones and white space at their ends; the last may still grow.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
    }

    /// The lines from byte `start` of the text on, and where the last complete line ended: where to go on.
    pub(super) fn since(&self, start: usize) -> (impl Iterator<Item = &str>, usize) {
        let end = self.text.rfind('\n').map_or(start, |at| at + 1).max(start);
        (
            self.text
                .get(start..)
                .unwrap_or_default()
                .lines()
                .map(str::trim_end),
            end,
        )
    }

    /// Whether the last line has no end yet.
    pub(super) fn is_open(&self) -> bool {
        !self.text.is_empty() && !self.text.ends_with('\n')
    }

    /// All lines, as one text.
    pub(super) fn into_text(self) -> String {
        let mut text = String::with_capacity(self.text.len());
        for line in self.lines() {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// What a line says about the boot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Somebody refused to start something; something else may still start.
    Refusal(Refusal),
    /// Firmware has nothing left to try, and waits for ever; or shim waits until somebody has read what it refused.
    NothingLeft,
    /// The guest's kernel gave up.
    Panic,
}

/// Reads a line; most mean nothing.
pub(super) fn sign(line: &str) -> Option<Sign> {
    let small = line.to_ascii_lowercase();
    let by = if small.contains("verification failed: (0x1a) security violation") {
        RefusedBy::Shim
    } else if small.contains("verification failed: security policy violation")
        || small.contains("sbat self-check failed")
    {
        RefusedBy::SbatLevel
    } else if small.contains("bdsdxe: failed to load") && small.contains("access denied") {
        RefusedBy::Firmware
    } else if small.contains("error loading") && small.contains("access denied") {
        RefusedBy::Loader
    } else if small.contains("no bootable option or device was found") || is_shims_button(line) {
        return Some(Sign::NothingLeft);
    } else if line.contains("Kernel panic - not syncing") {
        return Some(Sign::Panic);
    } else {
        return None;
    };
    Some(Sign::Refusal(Refusal {
        by,
        line: line.trim().to_owned(),
    }))
}

/// The last row but one of the box in which shim says what it refused.
fn is_shims_button(line: &str) -> bool {
    let Some(row) = line.trim().strip_prefix('│') else {
        return false;
    };
    row.strip_suffix('│')
        .is_some_and(|inner| inner.trim() == "OK")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let mut console = Console::default();
        for part in parts {
            console.push(part);
        }
        console.lines().map(str::to_owned).collect()
    }

    #[test]
    fn escape_sequences_and_nuls_go_even_when_split() {
        let parts: [&[u8]; 4] = [
            b"\x1b[0m\x1b[37;",
            b"40mBdsDxe\0: load\x1b",
            b"[1mi\x1b(Bng\r\n",
            b"x",
        ];
        assert_eq!(lines(&parts), ["BdsDxe: loading", "x"]);
    }

    #[test]
    fn cursor_movement_ends_a_line() {
        assert_eq!(lines(&[b"one\x1b[2J\x1b[01;01Htwo"]), ["one", "two"]);
    }

    #[test]
    fn characters_of_several_bytes_survive_a_split_and_garbage_does_not_stop_the_text() {
        assert_eq!(
            lines(&[b"\xe2\x96", b"\x88 a\xff b"]),
            ["\u{2588} a\u{fffd} b"]
        );
    }

    #[test]
    fn refusals_are_known_by_who_refused() {
        let by = |line: &str| match sign(line) {
            Some(Sign::Refusal(refusal)) => Some(refusal.by),
            _ => None,
        };
        let firmware = "BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x2,0x0): Access Denied";
        assert_eq!(by(firmware), Some(RefusedBy::Firmware));
        assert_eq!(
            by("Error loading \\EFI\\Linux\\a.efi: Access denied"),
            Some(RefusedBy::Loader)
        );
        assert_eq!(
            by("Verification failed: (0x1A) Security Violation"),
            Some(RefusedBy::Shim)
        );
        assert_eq!(
            by("Verification failed: Security Policy Violation"),
            Some(RefusedBy::SbatLevel)
        );
        assert_eq!(
            by(
                "Something has gone seriously wrong: SBAT self-check failed: Security Policy Violation"
            ),
            Some(RefusedBy::SbatLevel)
        );
        assert_eq!(by("BdsDxe: failed to load Boot0002 \"x\": Not Found"), None);
        assert_eq!(
            sign("BdsDxe: No bootable option or device was found."),
            Some(Sign::NothingLeft)
        );
        assert_eq!(sign("│ OK │"), Some(Sign::NothingLeft));
        assert_eq!(sign("[  OK  ] Reached target"), None);
    }
}
