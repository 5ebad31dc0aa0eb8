//! Files that are judged by `closure.interpreters`: any bytes are, with the same findings however much is read at once, and as often as
//! a judge is used again.
//!
//! The first byte says whether the file is executable.
#![no_main]

use std::cell::RefCell;
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_artifacts::interpreters::{Judge, What};

/// How many bytes are read at once.
const STEPS: [usize; 2] = [1 << 16, 61];

thread_local! {
    /// One for each, used again and again as they are for the files of a closure.
    static JUDGES: RefCell<[Judge; 2]> = RefCell::new(STEPS.map(|step| Judge::with_step(step).expect("the marks are searched for")));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, file)) = bytes.split_first() else {
        return;
    };
    let executable = first & 1 == 1;
    JUDGES.with_borrow_mut(|judges| {
        let [one, other] = [0, 1].map(|place| {
            let judged = judges[place].judge(&mut Cursor::new(file), executable);
            judged.expect("a slice is read")
        });
        assert_eq!(one, other);
        let is_elf = file.starts_with(b"\x7fELF");
        assert!(one.loader.is_none() || is_elf);
        assert!(one.loader.is_none_or(|loader| loader.len() < 3 * 4096));
        for what in one.found {
            let of_elf = matches!(what, What::Interpreter { .. } | What::Packed { .. });
            assert_eq!(of_elf, is_elf, "{what}");
        }
    });
});
