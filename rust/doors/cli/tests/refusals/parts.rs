//! Wrong profiles, devices, firmware, signatures and kernels: each error names the file that is at fault.

use super::{Refusal, ready, refuses};

#[test]
fn parts_of_a_uki() {
    let work = ready();
    work.addon_stub("trixie", "x64", "addon");
    work.addon_stub("trixie", "aa64", "arm-addon");
    let profile = |stub: &str, output: &str, words: &str| {
        let build = ["uki", "build", "--stub", stub, "--output", output];
        let profile = ["--profile", "ID=x"];
        let words = words.split_whitespace();
        work.done(build.into_iter().chain(profile).chain(words));
    };
    profile("addon", "trees", "--dtbauto board.dtb");
    profile("stub", "with-sbat", "--cmdline x");
    profile("arm-addon", "arm", "--cmdline x");
    work.done("uki build --stub addon --cmdline x --output no-profile".split(' '));
    work.write("words", "no profile\n");
    for folder in ["none", "typeless", "untyped", "idless", "no-uuid", "two"] {
        std::fs::create_dir(work.path(folder)).unwrap();
    }
    let device = |rest: &str| format!(r#"{{"name":"N","compatible":"c",{rest}}}"#);
    let id = r#""hwids":["5dc05bf4-01f6-4089-b464-a08c47ea9295"]"#;
    work.write("typeless/d.json", device(id));
    work.write(
        "untyped/d.json",
        device(&format!(r#""type":"toaster",{id}"#)),
    );
    work.write("idless/d.json", device(r#""type":"devicetree","hwids":[]"#));
    work.write(
        "no-uuid/d.json",
        device(r#""type":"devicetree","hwids":["5dc05bf4"]"#),
    );
    work.write("two/a", "a");
    work.write("two/b", "b");
    work.write("packed", b"\xfd7zXZ\0packed");
    work.write("cut", b"\x1f\x8b\x08\0\0\0\0\0\0\x03cut");

    let base = "uki build --stub stub --linux vmlinuz";
    let rows: [(&str, &str, &str, &[&str]); 18] = [
        (
            "--join-profile trees",
            "uki.refused",
            "trees",
            &[".dtbauto"],
        ),
        (
            "--join-profile with-sbat",
            "uki.refused",
            "with-sbat",
            &["but with .sbat", "addon stub"],
        ),
        (
            "--join-profile no-profile",
            "uki.refused",
            "no-profile",
            &["but with .cmdline"],
        ),
        (
            "--join-profile arm",
            "uki.refused",
            "arm",
            &["is for", "same machine"],
        ),
        (
            "--join-profile words",
            "uki.refused",
            "words",
            &["not a PE image"],
        ),
        (
            "--join-profile missing",
            "input.unreadable",
            "missing",
            &["the profile"],
        ),
        ("--profile @words", "uki.refused", "words", &["line 1"]),
        (
            "--profile ID=x --sbat @sbat",
            "uki.refused",
            "",
            &["a profile takes no SBAT"],
        ),
        (
            "--profile ID=x --pcrsig {}",
            "uki.refused",
            "",
            &["a profile takes no PCR signature"],
        ),
        (
            "--pcrsig @words",
            "input.text",
            "words",
            &["no JSON object"],
        ),
        (
            "--hwids none",
            "uki.refused",
            "none",
            &["no device is described"],
        ),
        (
            "--hwids typeless",
            "input.text",
            "typeless/d.json",
            &["no \"type\""],
        ),
        (
            "--hwids untyped",
            "input.text",
            "untyped/d.json",
            &["toaster", "devicetree"],
        ),
        (
            "--hwids idless",
            "uki.refused",
            "idless",
            &["\"N\" has no hardware ID"],
        ),
        (
            "--hwids no-uuid",
            "input.text",
            "no-uuid/d.json",
            &["line 1"],
        ),
        (
            "--hwids missing",
            "input.unreadable",
            "missing",
            &["folder of device descriptions"],
        ),
        ("--efifw two", "input.text", "two", &["one file"]),
        (
            "--efifw two --compat 257",
            "input.text",
            "two",
            &["one file"],
        ),
    ];
    for (words, code, file, facts) in rows {
        let words: Vec<&str> = base.split(' ').chain(words.split(' ')).collect();
        refuses(&work, &words, Refusal::new(code, file, facts));
    }
    for (kernel, facts) in [
        ("packed", &["compressed with xz", "decompress it first"][..]),
        ("cut", &["decompressed with gzip"]),
    ] {
        let words = ["uki", "build", "--stub", "stub", "--linux", kernel];
        refuses(&work, &words, Refusal::new("uki.refused", kernel, facts));
    }
}
