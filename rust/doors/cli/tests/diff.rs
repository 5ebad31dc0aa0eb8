//! `touchstone uki diff` names what changed; `uki inspect` finds an image out that was changed after it was signed.

use serde_json::Value;

use crate::support::Work;

/// `uki diff`: the status, and what was printed.
fn diff(work: &Work, a: &str, b: &str) -> (Option<i32>, String) {
    let output = work.touchstone(["uki", "diff", a, b]);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn diff_names_what_changed_and_says_so_by_its_status() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.keys("keys");
    let build = |output: &str, arguments: &[&str]| {
        let base = [
            "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--output", output,
        ];
        work.done([&base[..], arguments].concat());
    };
    build("a.efi", &["--cmdline", "quiet", "--initrd", "initrd"]);
    build("same.efi", &["--cmdline", "quiet", "--initrd", "initrd"]);
    build(
        "other.efi",
        &[
            "--cmdline",
            "quick",
            "--splash",
            "splash.bmp",
            "--sbat",
            "@sbat",
        ],
    );
    assert_eq!(
        diff(&work, "a.efi", "same.efi"),
        (Some(0), "the files are equal\n".into())
    );

    let (status, said) = diff(&work, "a.efi", "other.efi");
    assert_eq!(status, Some(3), "{said}");
    for line in [
        "section .cmdline changed: from 5 bytes: quiet to 5 bytes: quick; the first difference is at its byte 3",
        "section .initrd was removed: 300001 bytes",
        "section .splash was added: 70123 bytes",
        "SBAT entry mine was added: 1,Mine,mine,1,https://mine.example/",
        "Authenticode SHA-256 changed: from ",
        "PCR 11 of profile 0 changed: from ",
        "header sizeOfImage changed: from ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains(".linux changed"), "{said}");

    let key = [
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
        "--output",
        "signed.efi",
    ];
    work.done([&["pe", "sign", "a.efi"][..], &key].concat());
    let (status, said) = diff(&work, "a.efi", "signed.efi");
    assert_eq!(status, Some(3));
    assert!(
        said.starts_with("signature 1 was added: by CN=db"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");

    let mut padding = work.read("a.efi");
    let end = padding.len() - 1;
    padding[end] ^= 1;
    work.write("padding.efi", padding);
    let output = work.touchstone(["uki", "diff", "--json", "a.efi", "padding.efi"]);
    assert_eq!(output.status.code(), Some(3));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["firstDifference"], end, "{answer}");
}

#[test]
fn signers_are_named_and_a_changed_image_is_found_out() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.keys("keys");
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    let build = ["uki", "build", "--stub", "stub", "--linux", "vmlinuz"];
    work.done([&build[..], &["--output", "plain.efi", "--cmdline", "quiet"]].concat());
    let sign = ["pe", "sign", "plain.efi", "--output", "signed.efi"];
    work.done([&sign[..], &key].concat());
    let image = work.json(["uki", "inspect", "--json", "signed.efi"]);
    let signature = &image["signatures"][0];
    assert_eq!(signature["consistent"], true, "{signature}");
    assert!(
        signature["subject"].as_str().unwrap().contains("CN=db"),
        "{signature}"
    );
    let mut changed = work.read("signed.efi");
    let place = image["sections"][0]["offset"].as_u64().unwrap() as usize;
    changed[place] ^= 1;
    work.write("changed.efi", changed);
    let signature = work.json(["uki", "inspect", "--json", "changed.efi"])["signatures"][0].clone();
    assert_eq!(signature["consistent"], false, "{signature}");
    let problem = signature["problem"].as_str().unwrap();
    assert!(problem.contains("changed after it was signed"), "{problem}");
    let printed = work.done(["uki", "inspect", "changed.efi"]);
    assert!(printed.contains("NOT CONSISTENT"), "{printed}");
    assert!(
        printed.contains("PCR 11, before the first phase"),
        "{printed}"
    );
    assert!(
        printed.contains(
            "
.cmdline
  quiet
"
        ),
        "{printed}"
    );
}
