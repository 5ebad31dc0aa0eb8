//! One file, judged by what it holds.

use std::io::{self, Read, Seek};

use super::marks::{Marks, UPX};
use super::{NotLookedInto, What, elf, script};
use crate::closure_files::window::Window;

/// How much is read at once.
const STEP: usize = 1 << 20;

/// Judges files, one after the other.
pub struct Judge {
    marks: Marks,
    window: Window,
}

/// What a file is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is found in it.
    pub found: Vec<What>,
    /// The dynamic loader that it asks for.
    pub loader: Option<String>,
    /// Why what it holds was not looked at.
    pub unseen: Option<NotLookedInto>,
}

impl Judge {
    /// Makes ready.
    ///
    /// # Errors
    /// A sentence, when the marks make no automaton.
    pub fn new() -> Result<Judge, String> {
        Self::with_step(STEP)
    }

    /// One that reads so many bytes at once: how many changes nothing of what it finds.
    ///
    /// # Errors
    /// As [`Judge::new`].
    pub fn with_step(step: usize) -> Result<Judge, String> {
        let marks = Marks::new()?;
        let window = Window::new(0, marks.longest(), step);
        Ok(Judge { marks, window })
    }

    /// Judges a file by its content, and by whether it is executable.
    ///
    /// # Errors
    /// Those of reading.
    pub fn judge(&mut self, file: &mut (impl Read + Seek), executable: bool) -> io::Result<Judged> {
        let mut head = Vec::new();
        file.rewind()?;
        (&mut *file)
            .take(script::HEAD as u64)
            .read_to_end(&mut head)?;
        if head.starts_with(elf::MAGIC) {
            return self.program(file);
        }
        Ok(Judged {
            found: text(&head, executable).into_iter().collect(),
            loader: None,
            unseen: NotLookedInto::of(&head),
        })
    }

    fn program(&mut self, file: &mut (impl Read + Seek)) -> io::Result<Judged> {
        let loader = elf::loader(file)?;
        file.rewind()?;
        let marks = &self.marks;
        let mut seen = marks.nothing();
        self.window.each(file, &mut |view| {
            marks.look(view.fresh(marks.longest()), &mut seen);
        })?;
        let (packed, names): (Vec<&str>, Vec<&str>) =
            seen.names().into_iter().partition(|name| *name == UPX);
        let mut found = Vec::new();
        if !names.is_empty() {
            found.push(What::Interpreter { names });
        }
        if let Some(by) = packed.first() {
            found.push(What::Packed { by });
        }
        Ok(Judged {
            found,
            loader,
            unseen: None,
        })
    }
}

/// What a text is that a kernel or a shell would have interpreted.
fn text(head: &[u8], executable: bool) -> Option<What> {
    if let Some(line) = script::shebang(head, executable) {
        return Some(What::Script {
            interpreter: line.interpreter,
            through_env: line.through_env,
            executable,
        });
    }
    (executable && script::is_text(head)).then_some(What::ExecutableText)
}
