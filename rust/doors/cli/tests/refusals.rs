//! Wrong input: one clear error each, exit status 1, no output file, and what stood there before stays.

mod parts;

use std::process::{Command, Output};

use crate::support::Work;

/// The form of one refusal.
pub struct Refusal<'a> {
    code: &'a str,
    /// The file that the error must name; empty where no file is at fault.
    file: &'a str,
    /// Words that the error must contain.
    facts: &'a [&'a str],
}

impl<'a> Refusal<'a> {
    pub fn new(code: &'a str, file: &'a str, facts: &'a [&'a str]) -> Refusal<'a> {
        Refusal { code, file, facts }
    }
}

pub fn ready() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work
}

const BUILD: [&str; 6] = ["uki", "build", "--stub", "stub", "--linux", "vmlinuz"];

pub fn build<'a>(parts: &[&'a str]) -> Vec<&'a str> {
    [&BUILD[..], parts].concat()
}

/// Exactly one error on standard error, that names the file and the way out; nothing on standard output; exit status 1.
pub fn assert_one_error(output: &Output, refusal: &Refusal<'_>) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(output.stdout, b"", "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let errors = lines.iter().filter(|line| line.contains("error:")).count();
    assert_eq!(errors, 1, "{said}");
    assert!(said.contains(&format!("[{}]", refusal.code)), "{said}");
    assert!(
        lines
            .iter()
            .any(|line| line.trim_start().starts_with("help: ")),
        "{said}"
    );
    if !refusal.file.is_empty() {
        let file = format!("file: {}", refusal.file);
        assert!(
            lines.iter().any(|line| line.trim() == file),
            "no line `{file}` in: {said}"
        );
    }
    for fact in refusal.facts {
        assert!(said.contains(fact), "no `{fact}` in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// Refused with nothing written, and refused again with what stood at the output untouched.
fn refuses(work: &Work, arguments: &[&str], refusal: Refusal<'_>) {
    let arguments = [arguments, &["--output", "out.efi"]].concat();
    let before = names(work);
    assert_one_error(&work.touchstone(&arguments), &refusal);
    assert_eq!(names(work), before, "files appeared or went");
    work.write("out.efi", "what stood there");
    assert_one_error(&work.touchstone(&arguments), &refusal);
    assert_eq!(work.read("out.efi"), b"what stood there");
    std::fs::remove_file(work.path("out.efi")).unwrap();
    assert_eq!(names(work), before, "files appeared or went");
}

pub fn names(work: &Work) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(work.folder()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_stub_that_is_no_pe_file() {
    let work = ready();
    work.write("notes.txt", "this is no stub\n");
    let arguments = ["uki", "build", "--stub", "notes.txt", "--linux", "vmlinuz"];
    refuses(
        &work,
        &arguments,
        Refusal::new("uki.refused", "notes.txt", &["the stub is"]),
    );
}

#[test]
fn a_stub_that_is_a_pe_file_of_another_kind() {
    let work = ready();
    let arguments = ["uki", "build", "--stub", "vmlinuz", "--linux", "vmlinuz"];
    refuses(
        &work,
        &arguments,
        Refusal::new("uki.refused", "vmlinuz", &["no systemd stub"]),
    );
}

#[test]
fn an_initrd_that_is_missing() {
    let refusal = Refusal::new("input.unreadable", "missing", &["initrd", "No such file"]);
    refuses(
        &ready(),
        &build(&["--initrd", "initrd", "--initrd", "missing"]),
        refusal,
    );
}

#[test]
fn an_initrd_that_is_a_folder() {
    let work = ready();
    std::fs::create_dir(work.path("folder")).unwrap();
    refuses(
        &work,
        &build(&["--initrd", "folder"]),
        Refusal::new("input.unreadable", "folder", &["initrd"]),
    );
}

#[test]
fn a_command_line_with_a_nul() {
    let work = ready();
    work.write("nul", b"quiet\0init=/bin/sh\n");
    refuses(
        &work,
        &build(&["--cmdline", "@nul"]),
        Refusal::new("uki.refused", "nul", &["NUL", "byte 5"]),
    );
}

#[test]
fn an_os_release_that_is_no_key_value_file() {
    let work = ready();
    work.write("prose", "ID=x\nDear reader, this is prose.\n");
    let refusal = Refusal::new(
        "uki.refused",
        "prose",
        &["os-release", "line 2", "KEY=value"],
    );
    refuses(&work, &build(&["--os-release", "@prose"]), refusal);
}

#[test]
fn a_kernel_of_another_architecture_than_the_stub() {
    let work = ready();
    std::fs::copy(&work.inputs.kernel["arm64"].vmlinuz, work.path("vmlinuz")).unwrap();
    let refusal = Refusal::new("uki.refused", "vmlinuz", &["is for", "the stub for"]);
    refuses(&work, &build(&[]), refusal);
}

#[test]
fn a_kernel_that_is_no_kernel() {
    let work = ready();
    work.write("vmlinuz", "no kernel either");
    refuses(
        &work,
        &build(&[]),
        Refusal::new("uki.refused", "vmlinuz", &["the kernel"]),
    );
}

#[test]
fn an_output_in_a_folder_that_is_missing() {
    let work = ready();
    let before = names(&work);
    let output = work.touchstone(build(&["--output", "missing/out.efi"]));
    assert_one_error(
        &output,
        &Refusal::new("output.failed", "missing/out.efi", &["No such file"]),
    );
    assert_eq!(names(&work), before);
}

/// A device or a socket is not replaced by a file: think of `--output /dev/null`.
#[test]
fn an_output_that_is_no_file() {
    let work = ready();
    std::fs::create_dir(work.path("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(work.path("socket")).unwrap();
    let before = names(&work);
    for place in ["folder", "socket"] {
        let output = work.touchstone(build(&["--output", place]));
        assert_one_error(
            &output,
            &Refusal::new("output.failed", place, &["not a regular file"]),
        );
        assert!(!work.path(place).is_file());
        assert_eq!(names(&work), before);
    }
}

#[test]
fn a_private_key_in_the_nix_store() {
    let key = "/nix/store/00000000000000000000000000000000-db.key";
    let refusal = Refusal::new("key.refused", key, &["Nix store"]);
    let work = ready();
    work.keys("keys");
    refuses(
        &work,
        &build(&["--key", key, "--certificate", "keys/db.pem"]),
        refusal,
    );
}

#[test]
fn a_private_key_in_the_nix_store_by_a_detour() {
    let key = "/nix/../nix/store/00000000000000000000000000000000-db.key";
    let refusal = Refusal::new("key.refused", key, &["Nix store"]);
    let work = ready();
    work.keys("keys");
    refuses(
        &work,
        &build(&["--key", key, "--certificate", "keys/db.pem"]),
        refusal,
    );
}

/// The static program loads neither modules nor TPM libraries.
#[test]
fn a_key_on_a_token() {
    let facts = ["does not open", "dynamic `touchstone`", "signing agent"];
    for (key, shown) in [
        ("pkcs11:token=x;object=db", "pkcs11:token=x;object=db"),
        ("pkcs11:token=x?pin-value=271828", "pkcs11:token=x"),
        ("tpm2:handle=0x81000001", "tpm2:handle=0x81000001"),
        ("tpm2:file=x;auth=271828", "tpm2"),
    ] {
        let said = the_static_program_refuses(key, &Refusal::new("key.refused", shown, &facts));
        assert!(!said.contains("271828"));
    }
}

/// The static program asks an agent, too.
#[test]
fn a_key_of_an_agent_that_is_not_there() {
    for (key, code, fact) in [
        ("agent:db?socket=/none", "agent.unreachable", "/none"),
        ("agent:db?socket=none", "agent.name", "absolute"),
    ] {
        the_static_program_refuses(key, &Refusal::new(code, key, &[fact]));
    }
}

/// What it says when it is to sign a UKI by a key.
fn the_static_program_refuses(key: &str, refusal: &Refusal<'_>) -> String {
    let work = ready();
    work.keys("keys");
    let mut command = Command::new(work.inputs.touchstone.clone().unwrap());
    command.current_dir(work.folder());
    command.args(build(&["--key", key, "--certificate", "keys/db.pem"]));
    let output = command.args(["--output", "out.efi"]).output().unwrap();
    assert_one_error(&output, refusal);
    assert!(!work.path("out.efi").exists());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_key_and_a_certificate_that_do_not_belong_together() {
    let work = ready();
    work.keys("keys");
    let sign = [
        "pe",
        "sign",
        "vmlinuz",
        "--key",
        "keys/KEK.key",
        "--certificate",
        "keys/db.pem",
    ];
    refuses(
        &work,
        &sign,
        Refusal::new("key.mismatch", "keys/KEK.key", &["certificate"]),
    );
}

#[test]
fn an_image_to_sign_that_is_no_pe_file() {
    let work = ready();
    work.keys("keys");
    let sign = [
        "pe",
        "sign",
        "initrd",
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
    ];
    refuses(
        &work,
        &sign,
        Refusal::new("input.not-pe", "initrd", &["the image"]),
    );
}

#[test]
fn an_image_that_was_cut_short() {
    let work = ready();
    let kernel = work.read("vmlinuz");
    work.write("short", &kernel[..kernel.len() / 2]);
    for arguments in [
        vec!["pe", "digest", "short"],
        vec!["measure", "uki", "short"],
    ] {
        assert_one_error(
            &work.touchstone(arguments),
            &Refusal::new("input.not-pe", "short", &[]),
        );
    }
}

#[test]
fn a_uki_without_a_stub_that_is_known() {
    let work = ready();
    let output = work.touchstone(["measure", "uki", "vmlinuz"]);
    assert_one_error(&output, &Refusal::new("predict.refused", "vmlinuz", &[]));
}

#[test]
fn keys_are_not_written_over_others() {
    let work = ready();
    work.keys("keys");
    let key = work.read("keys/db.key");
    let output = work.touchstone(["keys", "generate", "--test", "keys"]);
    assert_one_error(&output, &Refusal::new("output.exists", "keys", &[]));
    assert_eq!(work.read("keys/db.key"), key);
}

#[test]
fn requests_that_no_operation_takes() {
    let work = ready();
    let cases = [
        (
            r#"{"operation":"uki.assemble","stub":"stub","linux":"vmlinuz","output":"out","cmdlien":"quiet"}"#,
            "cmdlien",
        ),
        (
            r#"{"operation":"pe.digest","file":"stub","output":"out"}"#,
            "output",
        ),
        (
            r#"{"operation":"bootspec.emit","output":"out","tolpevel":"/nix/store/x"}"#,
            "bootspec.emit",
        ),
        (r#"{"operation":"uki.burn","output":"out"}"#, "uki.burn"),
        (r#"{"operation":"uki.assemble","output":"out"}"#, "stub"),
        (r#"{"operation":7}"#, "operation"),
        (r#"["operation"]"#, "object"),
        (r#"{"operation":"#, "JSON"),
    ];
    for (request, fact) in cases {
        work.write("request.json", request);
        let output = work.touchstone(["run", "request.json"]);
        assert_one_error(&output, &Refusal::new("request.malformed", "", &[fact]));
        assert!(!work.path("out").exists());
    }
}

#[test]
fn a_request_file_that_is_missing() {
    let output = ready().touchstone(["run", "missing.json"]);
    assert_one_error(
        &output,
        &Refusal::new("request.malformed", "missing.json", &["cannot be read"]),
    );
}

#[test]
fn wrong_usage_is_exit_status_2() {
    let work = ready();
    let wrong: [&[&str]; 6] = [
        &["uki", "build", "--stub", "stub", "--linux", "vmlinuz"],
        &["uki", "burn"],
        &["pe", "sign", "vmlinuz", "--key", "k", "--output", "out.efi"],
        &[
            "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--compat", "200", "--output",
            "out.efi",
        ],
        &["measure", "uki", "vmlinuz", "--bank", "md5"],
        &[],
    ];
    for arguments in wrong {
        let output = work.touchstone(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            !output.stderr.is_empty() && output.stdout.is_empty(),
            "{arguments:?}"
        );
        assert!(!work.path("out.efi").exists(), "{arguments:?}");
    }
}
