use std::fs;

use tempfile::TempDir;

use super::*;

const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

/// A folder that looks like a booted initrd.
struct Boot {
    folder: TempDir,
}

impl Boot {
    /// Booted by the image, with nothing added.
    fn clean() -> Self {
        let boot = Self {
            folder: TempDir::new().unwrap(),
        };
        boot.put(COMMAND_LINES, format!("{}\n", signed("")));
        boot.put(COMMAND_LINE, format!("{}\n", signed("")));
        boot
    }

    fn put(&self, file: &str, content: impl AsRef<[u8]>) {
        let file = self.folder.path().join(file.strip_prefix('/').unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn judge(&self) -> Result<Judged, Refusal> {
        self.judge_with(&[])
    }

    fn judge_with(&self, credentials: &[&str]) -> Result<Judged, Refusal> {
        let mut text = "version 1\nkey a:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\nsigs-needed 1\non-failure halt\nmanifest image\nsysroot /sysroot\ninit /init\n".to_owned();
        for name in credentials {
            text += &format!("credential {name}\n");
        }
        let configuration = crate::configuration::parse(text.as_bytes()).unwrap();
        judge(&Machine::at(self.folder.path()), &configuration)
    }

    fn refusal(&self) -> String {
        self.judge().unwrap_err().to_string()
    }

    /// What is said when these words stand behind the signed line.
    fn with_words(words: &str) -> Result<Judged, Refusal> {
        let boot = Self::clean();
        boot.put(COMMAND_LINE, format!("{} {words}\n", signed("")));
        boot.judge()
    }
}

fn toplevel() -> String {
    format!("/nix/store/{HASH}-nixos-system")
}

fn signed(more: &str) -> String {
    format!("init={}/init root=fstab noresume{more} --", toplevel())
}

#[track_caller]
fn assert_refused(words: &str, sentence: &str) {
    let refusal = Boot::with_words(words).unwrap_err().to_string();
    assert!(refusal.contains(sentence), "{words}: {refusal}");
}

#[test]
fn the_signed_line_alone_passes() {
    assert_eq!(Boot::clean().judge().unwrap().toplevel.as_str(), toplevel());
}

#[test]
fn words_that_only_show_things_pass_behind_it() {
    for words in [
        "quiet",
        "quiet splash loglevel=4 nomodeset",
        "console=ttyS0,115200n8  console=tty0 console=hvc0",
        "--",
    ] {
        assert!(Boot::with_words(words).is_ok(), "{words}");
    }
}

#[test]
fn each_attack_on_the_line_has_its_own_sentence() {
    let other = format!("init=/nix/store/{HASH}-hello/init");
    for (words, sentence) in [
        (other.as_str(), "more than one init="),
        ("\"init=/bin/sh\"", "more than one init="),
        ("rdinit=/bin/sh", "unsigned rdinit="),
        ("initrd=\\evil", "a boot entry with kernel and initrd"),
        ("systemd.unit=rescue.target", "unsigned word for systemd"),
        ("rd.systemd.unit=x.target", "unsigned word for systemd"),
        (
            "rd.systemd.mask=touchstone-verify.service",
            "unsigned word for systemd",
        ),
        ("rd.systemd.wants=x.service", "unsigned word for systemd"),
        ("systemd.debug_shell", "unsigned word for systemd"),
        ("systemd.run=/bin/sh", "unsigned word for systemd"),
        (
            "systemd.set_credential=login.motd:x",
            "unsigned word for systemd",
        ),
        ("rd.break", "unsigned word for the initrd"),
        ("boot.shell_on_fail", "unsigned word for the initrd"),
        ("root=/dev/vdb", "mounted as the root"),
        ("rd.luks.uuid=x", "mounted as the root"),
        ("systemd.volatile=yes", "unsigned word for systemd"),
        ("emergency", "not known to be harmless"),
        ("LD_PRELOAD=/x", "not known to be harmless"),
        ("loglevel=40", "not known to be harmless"),
        ("console=uart8250,mmio,0x3f8", "not known to be harmless"),
        ("console=ttyS0,mmio,0x3f8", "not known to be harmless"),
        ("modprobe.blacklist=tpm", "not known to be harmless"),
        ("ü", "not known to be harmless"),
    ] {
        assert_refused(words, sentence);
    }
}

#[test]
fn another_line_is_refused() {
    let boot = Boot::clean();
    for (line, sentence) in [
        ("".to_owned(), "none of the signed ones"),
        (signed(" x"), "none of the signed ones"),
        (format!("{}x", signed("")), "none of the signed ones"),
        (format!("x {}", signed("")), "none of the signed ones"),
        (
            format!("init=/bin/sh {}", signed("")),
            "more than one init=",
        ),
        (
            format!("initrd=\\a.img {}", signed("")),
            "a boot entry with kernel and initrd",
        ),
        ("init=/bin/\u{1b}[2J".to_owned(), "`init=/bin/?[2J`"),
    ] {
        boot.put(COMMAND_LINE, format!("{line}\n"));
        let refusal = boot.refusal();
        assert!(refusal.contains(sentence), "{line}: {refusal}");
    }
    boot.put(COMMAND_LINE, b"\xff\n");
    assert!(boot.refusal().contains("none of the signed ones"));
}

#[test]
fn without_signed_lines_nothing_is_believed() {
    let boot = Boot::clean();
    fs::remove_file(boot.folder.path().join(".touchstone/command-lines")).unwrap();
    assert!(boot.refusal().contains("no signed command lines"));
}

#[test]
fn a_profiles_line_passes_too() {
    let boot = Boot::clean();
    let other = signed(" boot.debug=1").replace("nixos-system", "other");
    boot.put(COMMAND_LINES, format!("{}\n{other}\n", signed("")));
    boot.put(COMMAND_LINE, format!("{other} quiet\n"));
    let judged = boot.judge().unwrap();
    assert!(judged.toplevel.as_str().ends_with("-other"));
}

#[test]
fn of_two_signed_lines_the_longer_one_counts() {
    let boot = Boot::clean();
    let longer = format!("{} rd.break --", signed(""));
    boot.put(COMMAND_LINES, format!("{longer}\n{}\n", signed("")));
    boot.put(COMMAND_LINE, format!("{longer}\n"));
    assert!(boot.judge().is_ok());
    boot.put(COMMAND_LINE, format!("{} rd.break\n", signed("")));
    assert!(boot.refusal().contains("unsigned word for the initrd"));
}

#[test]
fn a_signed_line_that_could_be_changed_from_behind_is_refused() {
    let boot = Boot::clean();
    let init = format!("init={}/init noresume", toplevel());
    for (lines, sentence) in [
        ("".to_owned(), "does not end in a line feed"),
        ("\n".to_owned(), "has no init="),
        (signed(""), "does not end in a line feed"),
        (format!("{init}\n"), "does not end in the word `--`"),
        (format!("{init} \" --\n"), "does not end in the word `--`"),
        (format!("{init} ' --\n"), "does not end in the word `--`"),
        (format!("{init} \"--\"\n"), "does not end in the word `--`"),
        (format!("{init} --x\n"), "does not end in the word `--`"),
        (format!("{init} rdinit=/x --\n"), "has rdinit="),
        (
            format!("{}\n", signed("").replace("noresume", "resume=/x")),
            "lacks the word noresume",
        ),
        (format!("{init} {init} --\n"), "more than one init="),
        ("init=/bin/sh --\n".to_owned(), "not /nix/store"),
        ("quiet --\n".to_owned(), "has no init="),
        (format!("{}\n\n", signed("")), "line 2 has no init="),
        (
            format!("{}\n{init} ü --\n", signed("")),
            "line 2 has characters beyond printable ASCII",
        ),
    ] {
        boot.put(COMMAND_LINES, &lines);
        let refusal = boot.refusal();
        assert!(refusal.contains(sentence), "{lines}: {refusal}");
    }
}

#[test]
fn the_line_is_compared_as_the_stub_hands_it_on() {
    let boot = Boot::clean();
    boot.put(COMMAND_LINES, format!(" \t{} \0\n", signed("")));
    assert!(boot.judge().is_ok());
}

mod beside;
mod page;
