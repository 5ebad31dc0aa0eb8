//! What is a finding, and what only looks like one. Real interpreters: `doors/cli/tests/interpreters`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

use std::io::Cursor;

use super::*;

fn judge(bytes: &[u8], executable: bool) -> Judged {
    let mut judge = Judge::new().unwrap();
    judge.judge(&mut Cursor::new(bytes), executable).unwrap()
}

fn script(bytes: &str, executable: bool) -> Option<(String, Option<String>)> {
    match judge(bytes.as_bytes(), executable).found.first()? {
        What::Script {
            interpreter,
            through_env,
            ..
        } => Some((interpreter.clone(), through_env.clone())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_script_is_known_by_its_first_line_with_and_without_spaces_and_through_env() {
    let plain = |text: &str| script(text, true).unwrap().0;
    assert_eq!(plain("#!/bin/sh\necho"), "/bin/sh");
    assert_eq!(plain("#!  \t/bin/sh -e\r\n"), "/bin/sh");
    assert_eq!(plain("#!relative/shell"), "relative/shell");
    let env = |text: &str| script(text, false).unwrap().1.unwrap();
    for text in [
        "#!/usr/bin/env python3\n",
        "#! /usr/bin/env -S python3 -u\n",
        "#!/nix/store/x-coreutils/bin/env -vSpython3 -u\n",
        "#!/usr/bin/env -i -u HOME A=b python3\n",
        "#!/usr/bin/env --split-string=python3\n",
    ] {
        assert_eq!(env(text), "python3", "{text}");
    }
    assert_eq!(script("#!/usr/bin/env -S\n", true).unwrap().1, None);
}

#[test]
fn a_line_of_rust_is_a_script_only_where_it_can_be_started() {
    assert_eq!(script("#![forbid(unsafe_code)]\n", false), None);
    assert!(script("#![forbid(unsafe_code)]\n", true).is_some());
    assert_eq!(script("#!\n", false), None);
}

#[test]
fn an_executable_text_is_a_finding_and_a_text_is_none() {
    for text in [
        "echo hello\n",
        " #!/bin/sh\n",
        "\u{feff}#!/bin/sh\n",
        "#!\n",
    ] {
        let judged = judge(text.as_bytes(), true);
        assert_eq!(judged.found, [What::ExecutableText], "{text:?}");
        assert_eq!(judge(text.as_bytes(), false).found, [], "{text:?}");
    }
    for bytes in [&b""[..], b"\x7f\0binary\x01", b"\x1f\x8bgz"] {
        assert_eq!(judge(bytes, true).found, []);
    }
}

/// An ELF file of 64 bits with this loader, and something behind it.
fn elf(loader: &str, more: &[u8]) -> Vec<u8> {
    let mut file = vec![0_u8; 64 + 56];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    file[64] = 3;
    file[72..80].copy_from_slice(&120_u64.to_le_bytes());
    file[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
    file.extend(loader.as_bytes());
    file.push(0);
    file.extend(more);
    file
}

#[test]
fn the_dynamic_loader_of_a_program_is_named_and_of_a_damaged_one_none() {
    let file = elf("/lib/ld.so", b"");
    assert_eq!(judge(&file, true).loader.as_deref(), Some("/lib/ld.so"));
    for cut in 0..64 {
        assert_eq!(judge(&file[..cut], true).loader, None, "{cut}");
    }
    let mut other = file.clone();
    other[64] = 1;
    assert_eq!(judge(&other, true).loader, None);
    other = file;
    other[72..80].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(judge(&other, true).loader, Some(String::new()));
}

#[test]
fn marks_are_found_wherever_they_stand_and_however_much_is_read_at_once() {
    let marks = [&b"ZSH_PATCHLEVEL"[..], b"ZSH_ARGZERO"];
    for before in [0, 1, 4095, 4096, 70_000] {
        let mut more = vec![b'x'; before];
        more.extend(marks[0]);
        more.extend(vec![0; before]);
        more.extend(marks[1]);
        for step in [1, 13, 4096, 1 << 20] {
            if step < 4096 && before > 4096 {
                continue;
            }
            let mut judge = Judge::with_step(step).unwrap();
            let judged = judge
                .judge(&mut Cursor::new(elf("/l", &more)), true)
                .unwrap();
            let names = vec!["zsh"];
            assert_eq!(
                judged.found,
                [What::Interpreter { names }],
                "{step} {before}"
            );
        }
    }
    // One mark alone says nothing, and all of them in a text neither.
    assert_eq!(judge(&elf("/l", marks[0]), true).found, []);
    assert_eq!(judge(&marks.concat(), false).found, []);
}

#[test]
fn a_file_into_which_nobody_looks_is_counted_by_its_form() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "#!/bin/sh\n").unwrap();
    let mut nar = Vec::new();
    touchstone_store::nar::archive_path(folder.path(), &mut nar).unwrap();
    let unseen = |bytes: &[u8]| judge(bytes, false).unseen;
    assert_eq!(unseen(&nar), Some(NotLookedInto::Archive));
    assert_eq!(unseen(b"nix-archive-1 is what a NAR begins with"), None);
    assert_eq!(unseen(b"!<arch>\nx"), Some(NotLookedInto::Archive));
    assert_eq!(unseen(b"\x1f\x8b\x08"), Some(NotLookedInto::Compressed));
}

/// A store with a toplevel, what it needs, and what that needs.
struct Store(tempfile::TempDir);

impl Store {
    fn new() -> Store {
        let store = Store(tempfile::tempdir().unwrap());
        store.put("a-toplevel", &format!("needs {}", store.name("b-etc")));
        store.put("b-etc", &format!("needs {}", store.name("c-tool")));
        store.put("c-tool", "#!/bin/sh\n");
        store
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", "0".repeat(31))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(self.name(name))
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    fn run(&self, request: &FindInterpreters) -> Result<InterpretersVerdict, Error> {
        request.run(&Context {
            files: &crate::HostFiles,
            progress: &crate::progress::Silent,
            keys: crate::signing_key::KeyPolicy::Any,
            agent: None,
            now: None,
        })
    }
}

#[test]
fn the_chain_of_references_says_what_drags_a_finding_in() {
    let store = Store::new();
    let entry = |name: &str, needs: &[&str]| {
        let needs: Vec<PathBuf> = needs.iter().map(|name| store.at(name)).collect();
        serde_json::json!({ "path": store.at(name), "references": needs })
    };
    let closure = serde_json::json!([
        entry("a-toplevel", &["b-etc", "a-toplevel"]),
        entry("b-etc", &["c-tool"]),
        entry("c-tool", &[]),
    ]);
    let by_nix = FindInterpreters {
        closure: Some(closure),
        ..FindInterpreters::default()
    };
    let by_content = FindInterpreters {
        paths: vec![store.at("a-toplevel")],
        follow: true,
        ..FindInterpreters::default()
    };
    let chain = ["a-toplevel", "b-etc", "c-tool"].map(|name| store.at(name));
    for request in [by_nix, by_content] {
        let verdict = store.run(&request).unwrap();
        assert_eq!(verdict.paths, 3);
        assert_eq!(verdict.found.len(), 1, "{verdict:?}");
        assert_eq!(verdict.found[0].chain, chain);
        let required = FindInterpreters {
            required: true,
            ..request
        };
        let said = store.run(&required).unwrap_err().to_string();
        assert!(
            said.contains("script for /bin/sh, not executable"),
            "{said}"
        );
        assert!(
            said.contains("c-tool") && said.contains("because"),
            "{said}"
        );
    }
}

#[test]
fn an_entry_of_allow_needs_a_reason_and_says_when_it_is_not_needed() {
    let store = Store::new();
    let allow = |path: &str, reason: &str| FindInterpreters {
        paths: vec![store.at("c-tool")],
        allow: vec![AllowedInterpreter {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }],
        ..FindInterpreters::default()
    };
    let pattern = format!("{}/*-tool", store.at("x").parent().unwrap().display());
    let verdict = store.run(&allow(&pattern, "a test")).unwrap();
    assert!(verdict.clean && verdict.unused.is_empty());
    assert_eq!(verdict.allowed[0].reason.as_deref(), Some("a test"));
    let verdict = store.run(&allow("/nowhere", "a test")).unwrap();
    assert!(!verdict.clean);
    assert_eq!(verdict.unused, ["/nowhere"]);
    assert!(store.run(&allow(&pattern, " ")).is_err());
    assert!(store.run(&allow("bin/sh", "a test")).is_err());
}
