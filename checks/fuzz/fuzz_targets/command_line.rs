//! The gate's judgement of a command line: signed lines, an empty line, the real one. Whatever passes begins with a signed line that is closed by `--`, names one toplevel for
//! every reader, and has behind it nothing that is not on the short list; the firmware's SMBIOS table is cut in bounded memory.
//!
//! Seeds: `clean` is a booted image with two profiles, `added` one with harmless words, `second-init`, `rdinit`, `systemd`, `entry`, `quotes` are attacks, `smbios` is a table
//! with a credential in the place of the lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_stage1::command_line::{
    cleaned, kernel_words, plain_words, systemd_words, toplevel,
};
use touchstone_stage1::gate::firmware::oem_strings;
use touchstone_stage1::gate::line::judge;

fuzz_target!(|bytes: &[u8]| {
    let strings = oem_strings(bytes);
    assert!(strings.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    let split = bytes.windows(2).position(|pair| pair == b"\n\n");
    let Some(split) = split else {
        return;
    };
    let (signed, real) = (&bytes[..split + 1], &bytes[split + 2..]);
    assert!(judge(None, real).is_err());
    if let Ok(text) = std::str::from_utf8(real) {
        // Readers never make words of nothing, and what one of them does not see is refused.
        for words in [kernel_words(text), systemd_words(text)] {
            assert!(words.iter().map(String::len).sum::<usize>() <= text.len());
        }
        let _ = toplevel(text);
    }
    let Ok(line) = judge(Some(signed), real) else {
        return;
    };
    let real = cleaned(std::str::from_utf8(real).expect("nothing else is judged"));
    let added = real.strip_prefix(&line.text).expect("it is a signed line");
    let lines = std::str::from_utf8(signed).expect("signed lines are ASCII");
    assert!(lines.lines().any(|signed| cleaned(signed) == line.text));
    assert_eq!(toplevel(&line.text).as_ref(), Ok(&line.toplevel));
    assert!(added.is_empty() || added.starts_with(' '));
    for words in [
        kernel_words(&real),
        systemd_words(&real),
        plain_words(&real),
    ] {
        let inits = words.iter().filter(|word| word.starts_with("init="));
        assert_eq!(inits.count(), 1);
        assert!(!words.iter().any(|word| word.starts_with("rdinit=")));
        let own = plain_words(added).len();
        let (_, added) = words.split_at(words.len() - own);
        assert_eq!(added, plain_words(&real[line.text.len()..]));
        for word in added {
            assert!(!word.contains(['"', '\'', '\\', '.']), "{word}");
        }
    }
});
