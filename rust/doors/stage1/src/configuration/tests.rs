use std::path::Path;

use proptest::prelude::*;

use super::*;

const KEY: &str = "key a:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n";
const OTHER: &str = "key b:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n";

fn with(lines: &str) -> String {
    format!("{KEY}{lines}")
}

const REST: &str = "version 1\nsigs-needed 1\non-failure halt\nmanifest image\nsysroot /sysroot\ninit /nix/store/x/systemd\n";

fn usual() -> String {
    with(REST)
}

fn fault(text: impl AsRef<[u8]>) -> String {
    parse(text.as_ref()).unwrap_err().to_string()
}

#[test]
fn the_module_writes_what_is_read() {
    let text = format!(
        "# of boot.initrd.verify\n\nversion 1\n{KEY}{OTHER}sigs-needed 2\non-failure shell\nshell /bin/sulogin\nmanifest root\nclass lab\nmeasure 15\nsysroot /sysroot\ninit /nix/store/x/systemd\ncredential wireguard\ncredential ssh-host-key\n"
    );
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.keys.len(), 2);
    assert_eq!(read.sigs_needed, 2);
    assert_eq!(read.on_failure, OnFailure::Shell("/bin/sulogin".into()));
    assert_eq!(read.manifest, Carrier::Root);
    assert_eq!(read.class, Some("lab".parse().unwrap()));
    assert_eq!(read.measure, Some(15));
    assert_eq!(read.sysroot, Path::new("/sysroot"));
    assert_eq!(read.init, Path::new("/nix/store/x/systemd"));
    assert_eq!(read.credentials, ["wireguard", "ssh-host-key"]);
}

#[test]
fn what_is_not_said_is_not_done() {
    let read = parse(usual().as_bytes()).unwrap();
    assert_eq!(read.on_failure, OnFailure::Halt);
    assert_eq!((read.class, read.measure), (None, None));
    assert!(read.credentials.is_empty());
}

#[test]
fn every_word_that_must_be_there_is_missed() {
    for word in [
        "version",
        "sigs-needed",
        "on-failure",
        "manifest",
        "sysroot",
        "init",
        "key",
    ] {
        let lines: Vec<_> = usual()
            .lines()
            .filter(|line| !line.starts_with(word))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(fault(lines.concat()), format!("`{word}` is missing"));
    }
}

#[test]
fn words_that_are_unknown_or_come_twice_are_refused() {
    for line in REST.lines() {
        let word = line.split(' ').next().unwrap();
        let text = usual() + line + "\n";
        assert_eq!(fault(text), format!("line 8: `{word}` comes twice"));
    }
    assert_eq!(
        fault("colour red\n"),
        "line 1: nobody knows the word `colour`"
    );
    assert_eq!(
        fault("Version 1\n"),
        "line 1: nobody knows the word `Version`"
    );
    assert!(fault("version\n").contains("`version` has no value"));
    assert!(fault("version \n").contains("`version` has no value"));
    assert!(
        fault(" version 1\n").contains("has no value")
            || fault(" version 1\n").contains("nobody knows")
    );
}

#[test]
fn values_are_what_they_must_be() {
    for (line, expected) in [
        ("version 2", "must be 1, not `2`"),
        ("sigs-needed 0", "a number from 1 on"),
        ("sigs-needed 01", "a number from 1 on"),
        ("sigs-needed +1", "a number from 1 on"),
        ("sigs-needed 99999999999999999999", "a number from 1 on"),
        ("on-failure ignore", "halt, reboot or shell"),
        ("manifest disk", "image, esp or root"),
        ("class a b", "1 to 64"),
        ("measure 7", "a register from 8 to 15"),
        ("measure 16", "a register from 8 to 15"),
        ("sysroot sysroot", "an absolute path"),
        ("sysroot /", "an absolute path"),
        ("init /a/../b", "an absolute path"),
        ("init /a//b", "an absolute path"),
        ("init /a b", "an absolute path"),
        ("credential a/b", "the name of a credential"),
        ("credential ..", "the name of a credential"),
        ("key a:AAAA", "line 1: the public key `a` does not hold"),
        ("key a", "line 1: a public key is"),
    ] {
        let fault = fault(format!("{line}\n"));
        assert!(fault.contains(expected), "{line}: {fault}");
    }
}

#[test]
fn one_key_under_two_names_is_one_key() {
    let again = KEY.replace("key a:", "key c:");
    let text = format!("{}{again}", usual()).replace("sigs-needed 1", "sigs-needed 2");
    assert!(fault(text).contains("asks for 2 signatures, and there are 1 keys"));
    let text = format!("{}{OTHER}", usual()).replace("sigs-needed 1", "sigs-needed 2");
    assert!(parse(text.as_bytes()).is_ok());
}

#[test]
fn a_shell_is_named_exactly_when_it_is_wanted() {
    let named = usual() + "shell /bin/sh\n";
    assert!(fault(&named).contains("`on-failure` is not `shell`"));
    let wanted = usual().replace("halt", "shell");
    assert_eq!(fault(&wanted), "`shell` is missing");
    assert!(parse(named.replace("halt", "shell").as_bytes()).is_ok());
}

#[test]
fn lines_are_ascii_and_end() {
    assert!(fault("version 1").starts_with("line 1 is not"));
    assert!(fault("version 1\nclass ü\n").starts_with("line 2 is not"));
    assert!(fault("version 1\r\n").starts_with("line 1 is not"));
    assert!(fault(b"#\xff\n").starts_with("line 1 is not"));
    assert_eq!(fault(""), "`version` is missing");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_byte_of_it_is_ignored(at in 0..320_usize, byte in any::<u8>()) {
        let whole = usual().into_bytes();
        let mut changed = whole.clone();
        let at = at % whole.len();
        changed[at] = byte;
        prop_assume!(changed != whole);
        // Only a comment may be changed without notice, and there is none.
        if let Ok(read) = parse(&changed) {
            prop_assert_ne!(read, parse(&whole).unwrap());
        }
    }
}
