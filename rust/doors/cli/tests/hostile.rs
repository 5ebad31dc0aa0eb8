//! Outputs that cannot be written, inputs that change while they are read: one clear error about the right file, exit status 1, what
//! stood at the output untouched, no temporary file left.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::refusals::{Refusal, assert_one_error, build, names, ready};
use crate::support::{TOUCHSTONE, Work};

const BEFORE: &str = "what stood there";

/// Runs a program with the folder `disk` on a file system of its own, and notes what is left there.
const ON_A_DISK: &str = r#"
set -e
mount -t tmpfs -o "size=$1" disk disk
printf 'what stood there' > disk/out.efi
mount -o "remount,$2" disk
shift 2
set +e
"$@"
status=$?
ls -A disk > left
cat disk/out.efi > kept
exit $status
"#;

/// Runs `touchstone` with a `disk` of that size, mounted with that option, where `disk/out.efi` stands before.
fn on_a_disk(work: &Work, size: &str, option: &str, arguments: &[&str]) -> Output {
    fs::create_dir_all(work.path("disk")).unwrap();
    let mut command = Command::new("unshare");
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-c", ON_A_DISK, "on-a-disk", size, option]);
    command.arg(TOUCHSTONE).args(arguments);
    let output = command.current_dir(work.folder()).output().unwrap();
    assert_eq!(work.read("left"), b"out.efi\n");
    assert_eq!(work.read("kept"), BEFORE.as_bytes());
    output
}

#[test]
fn a_full_disk_is_named_and_left_as_it_was() {
    let work = ready();
    let output = on_a_disk(&work, "4m", "rw", &build(&["--output", "disk/out.efi"]));
    let refusal = Refusal::new(
        "output.failed",
        "disk/out.efi",
        &["No space left on device"],
    );
    assert_one_error(&output, &refusal);
}

#[test]
fn a_disk_that_fills_up_while_an_image_is_signed_is_not_blamed_on_the_image() {
    let work = ready();
    work.keys("keys");
    let sign = ["pe", "sign", "vmlinuz", "--key", "keys/db.key"];
    let to = ["--certificate", "keys/db.pem", "--output", "disk/out.efi"];
    let output = on_a_disk(&work, "4m", "rw", &[&sign[..], &to].concat());
    let refusal = Refusal::new(
        "output.failed",
        "disk/out.efi",
        &["No space left on device"],
    );
    assert_one_error(&output, &refusal);
}

#[test]
fn a_disk_that_fills_up_under_a_folder_keeps_none_of_it() {
    let work = ready();
    let output = on_a_disk(
        &work,
        "16k",
        "rw",
        &["keys", "generate", "--test", "disk/keys"],
    );
    let refusal = Refusal::new(
        "output.failed",
        "",
        &["No space left on device", "file: disk/keys/"],
    );
    assert_one_error(&output, &refusal);
}

#[test]
fn a_read_only_folder_is_named_without_a_temporary_name() {
    let work = ready();
    let output = on_a_disk(&work, "64m", "ro", &build(&["--output", "disk/out.efi"]));
    let refusal = Refusal::new("output.failed", "disk/out.efi", &["Read-only file system"]);
    assert_one_error(&output, &refusal);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(".touchstone-"), "{said}");
}

/// Big enough that a program is still reading it when it is stopped; it takes no space.
const BIG: u64 = 768 << 20;

#[test]
fn an_initrd_that_shrinks_while_it_is_read_is_named() {
    let fact = format!("it had {BIG} bytes, now it has 4096");
    refuses_a_change(&fact, |initrd| initrd.set_len(4096).unwrap());
}

#[test]
fn an_initrd_that_grows_while_it_is_read_is_named() {
    let fact = format!("it had {BIG} bytes, now it has {}", BIG + 1);
    refuses_a_change(&fact, |initrd| initrd.set_len(BIG + 1).unwrap());
}

fn refuses_a_change(fact: &str, change: impl Fn(&File)) {
    let work = ready();
    for _ in 0..10 {
        let initrd = File::create(work.path("big")).unwrap();
        initrd.set_len(BIG).unwrap();
        work.write("out.efi", BEFORE);
        let before = names(&work);
        let Some(stopped) = stopped_while_it_reads(&work) else {
            continue;
        };
        change(&initrd);
        let output = stopped.go_on();
        assert_one_error(
            &output,
            &Refusal::new("input.changed", "big", &["initrd", fact]),
        );
        assert_eq!(work.read("out.efi"), BEFORE.as_bytes());
        assert_eq!(names(&work), before, "files appeared or went");
        return;
    }
    panic!("the program was never stopped before it had read everything");
}

/// A program that stands still in the midst of its work.
struct Stopped(Child);

impl Stopped {
    fn go_on(self) -> Output {
        signal("CONT", self.0.id());
        self.0.wait_with_output().unwrap()
    }
}

/// `touchstone uki build` that has begun to write and has not read all of `big`; none if it was too fast.
fn stopped_while_it_reads(work: &Work) -> Option<Stopped> {
    let mut command = Command::new(TOUCHSTONE);
    command.args(build(&["--initrd", "big", "--output", "out.efi"]));
    command.current_dir(work.folder()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while staged(work) < 16 << 20 {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    signal("STOP", child.id());
    // Staged bytes lie a little behind those that were read.
    if staged(work) < BIG - (16 << 20) {
        return Some(Stopped(child));
    }
    signal("CONT", child.id());
    child.wait_with_output().unwrap();
    None
}

/// How long the file is that is not published yet.
fn staged(work: &Work) -> u64 {
    let entries = fs::read_dir(work.folder()).unwrap().flatten();
    let staged = entries.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with(".touchstone-")
    });
    staged
        .map(|entry| entry.metadata().map_or(0, |file| file.len()))
        .max()
        .unwrap_or(0)
}

fn signal(name: &str, process: u32) {
    let mut command = Command::new("sh");
    let status = command
        .args(["-c", &format!("kill -s {name} {process}")])
        .status();
    assert!(status.unwrap().success(), "kill -s {name}");
}

#[test]
fn an_input_that_is_a_pipe_is_refused_and_not_waited_for() {
    let work = ready();
    let made = Command::new("mkfifo")
        .arg(work.path("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let output = work.touchstone(build(&["--initrd", "pipe", "--output", "out.efi"]));
    let refusal = Refusal::new(
        "input.unreadable",
        "pipe",
        &["initrd", "not a regular file"],
    );
    assert_one_error(&output, &refusal);
    assert!(!work.path("out.efi").exists());
}

#[test]
fn a_uki_is_measured_while_it_is_written_as_it_is_afterwards() {
    let work = ready();
    let parts = [
        "--initrd",
        "initrd",
        "--cmdline",
        "quiet",
        "--ucode",
        "ucode",
    ];
    let banks = ["--bank", "sha1", "--bank", "sha256", "--phase", "mine"];
    let measure = ["--measure", "--json", "--output", "out.efi"];
    let built = work.json([&build(&parts)[..], &banks, &measure].concat());
    let afterwards = [&["measure", "uki", "out.efi", "--json"][..], &banks].concat();
    assert_eq!(built["pcrs"], work.json(afterwards)["pcrs"]);
    assert!(built["pcrs"]["11"]["sha1"]["mine"].is_string(), "{built}");
}

#[test]
fn a_uki_that_cannot_be_measured_is_not_written_if_that_was_asked() {
    let work = ready();
    let parts = [
        "--section",
        ".dtbauto:some",
        "--measure",
        "--output",
        "out.efi",
    ];
    let output = work.touchstone(build(&parts));
    assert_one_error(&output, &Refusal::new("predict.refused", "", &[".dtbauto"]));
    assert!(!work.path("out.efi").exists());
}
