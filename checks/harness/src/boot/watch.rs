//! Following the console of a machine until its boot has an end.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::console::{Console, Sign, sign};
use super::outcome::{Outcome, Refusal};
use super::report;

/// How long the machine may be silent after a refusal until it counts as the end (the firmware waits for ever).
const SILENCE: Duration = Duration::from_secs(30);

/// Why watching stopped.
#[derive(Debug)]
pub(super) enum End {
    /// The guest's report is there, or the last line that was waited for.
    Reached,
    /// The firmware has nothing left to start.
    NothingLeft,
    /// Nothing came for a long time after a refusal.
    Silent,
    /// The time of the boot is over.
    TimeOver,
    /// QEMU closed its output.
    Closed,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) console: Console,
    pub(super) refusals: Vec<Refusal>,
    panic: Option<String>,
    /// The line that ends the boot, where it is not a guest's report.
    last_line: Option<String>,
    /// What is still to be typed, and where.
    keyboard: Option<(Answer, Box<dyn Write>)>,
    /// Up to where the console's lines have been looked at.
    seen: usize,
}

/// Keys that are pressed once, as soon as words are on the console.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) words: String,
    pub(super) keys: Vec<u8>,
}

impl Watch {
    /// Waits for `last_line`; for a guest's report where it is none.
    pub(super) fn new(last_line: Option<String>) -> Self {
        Watch {
            last_line,
            ..Watch::default()
        }
    }

    /// Types the answer into `keyboard` when it is asked for.
    pub(super) fn answering(self, answer: Answer, keyboard: Box<dyn Write>) -> Self {
        Watch {
            keyboard: Some((answer, keyboard)),
            ..self
        }
    }

    /// Follows the output until the boot has an end.
    pub(super) fn watch(&mut self, output: &Receiver<Vec<u8>>, deadline: Instant) -> End {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = if self.refusals.is_empty() {
                left
            } else {
                left.min(SILENCE)
            };
            match output.recv_timeout(patience) {
                Ok(bytes) => self.console.push(&bytes),
                Err(RecvTimeoutError::Disconnected) => return End::Closed,
                Err(RecvTimeoutError::Timeout) if patience < left => return End::Silent,
                Err(RecvTimeoutError::Timeout) => return End::TimeOver,
            }
            if let Some(end) = self.look() {
                return end;
            }
        }
    }

    /// Looks at the lines that are new and complete. Firmware's last words come without a newline: for an end,
    /// the last, incomplete line counts as well.
    fn look(&mut self) -> Option<End> {
        let (lines, complete) = self.console.since(self.seen);
        let fresh: Vec<String> = lines.map(str::to_owned).collect();
        let last_is_open = self.console.is_open();
        self.seen = complete;
        let last = fresh.len().saturating_sub(1);
        let mut end = None;
        for (at, line) in fresh.into_iter().enumerate() {
            self.answer(&line);
            let open = last_is_open && at == last;
            match sign(&line) {
                Some(Sign::NothingLeft) => end = Some(End::NothingLeft),
                Some(Sign::Refusal(refusal)) if !open => self.refusals.push(refusal),
                Some(Sign::Panic) if !open => self.panic = Some(line),
                _ if !open && self.is_last(&line) => end = Some(End::Reached),
                _ => {}
            }
        }
        end
    }

    fn answer(&mut self, line: &str) {
        let asked = |(answer, _): &mut (Answer, _)| line.contains(&answer.words);
        if let Some((answer, mut keyboard)) = self.keyboard.take_if(asked) {
            // It fails only when the machine is gone, which the end of its output says as well.
            let _ = keyboard.write_all(&answer.keys);
        }
    }

    fn is_last(&self, line: &str) -> bool {
        match &self.last_line {
            Some(last) => line.trim() == last,
            None => report::is_end(line),
        }
    }

    /// The outcome when QEMU ended by itself.
    pub(super) fn after_exit(&self, how: &str) -> Outcome {
        match &self.panic {
            Some(line) => Outcome::Panicked { line: line.clone() },
            None => self.refused_or(Outcome::Crashed {
                how: how.trim().to_owned(),
            }),
        }
    }

    /// The first refusal, else another outcome.
    pub(super) fn refused_or(&self, other: Outcome) -> Outcome {
        self.refusals
            .first()
            .cloned()
            .map_or(other, Outcome::Refused)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn watch(parts: &[&str]) -> (Watch, End) {
        let (sender, receiver) = channel();
        for part in parts {
            sender.send(part.as_bytes().to_vec()).unwrap();
        }
        drop(sender);
        let mut watch = Watch::default();
        let end = watch.watch(&receiver, Instant::now() + Duration::from_secs(60));
        (watch, end)
    }

    #[test]
    fn a_line_in_pieces_counts_once_and_whole() {
        let (watch, end) = watch(&[
            "BdsDxe: failed to lo",
            "ad Boot0001: Access De",
            "nied\r\n",
            "touchstone-probe: end",
            " ok 9\n",
        ]);
        assert!(matches!(end, End::Reached));
        assert_eq!(watch.refusals.len(), 1);
        assert_eq!(
            watch.refusals[0].line,
            "BdsDxe: failed to load Boot0001: Access Denied"
        );
    }

    #[test]
    fn the_firmwares_last_words_need_no_newline() {
        let (watch, end) = watch(&[
            "BdsDxe: failed to load Boot0001: Access Denied\r\n",
            "BdsDxe: No bootable option or device was found.",
        ]);
        assert!(matches!(end, End::NothingLeft));
        assert!(matches!(
            watch.refused_or(Outcome::NothingToStart),
            Outcome::Refused(_)
        ));
    }

    #[test]
    fn an_exit_without_a_report_is_a_crash_unless_the_kernel_panicked() {
        let (crashed, end) = watch(&["Linux\n"]);
        assert!(matches!(end, End::Closed));
        assert!(matches!(
            crashed.after_exit("exit status: 0"),
            Outcome::Crashed { .. }
        ));
        let (panicked, _) = watch(&["[ 1.0] Kernel panic - not syncing: No working init found.\n"]);
        assert!(matches!(
            panicked.after_exit("exit status: 0"),
            Outcome::Panicked { .. }
        ));
    }

    #[test]
    fn an_answer_is_typed_once_when_its_words_come() {
        let typed = Arc::new(Mutex::new(Vec::new()));
        let answer = Answer {
            words: "any key".to_owned(),
            keys: b"x".to_vec(),
        };
        let mut watch = Watch::default().answering(answer, Box::new(Keys(typed.clone())));
        for (part, expected) in [
            ("Press a", ""),
            ("ny key", "x"),
            (" to go\nPress any key", "x"),
        ] {
            watch.console.push(part.as_bytes());
            watch.look();
            assert_eq!(typed.lock().unwrap().as_slice(), expected.as_bytes());
        }
    }

    #[test]
    fn a_last_line_stands_for_the_report() {
        let mut watch = Watch::new(Some("judge: end".to_owned()));
        watch.console.push(b"judge: end of what\njudge: en");
        assert!(watch.look().is_none());
        watch.console.push(b"d\n");
        assert!(matches!(watch.look(), Some(End::Reached)));
    }

    struct Keys(Arc<Mutex<Vec<u8>>>);

    impl Write for Keys {
        fn write(&mut self, keys: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(keys)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
