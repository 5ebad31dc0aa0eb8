//! The commands of the README work as they are printed there. (Its NixOS example: `flake.rs`.)

use crate::support::Work;

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "linuxx64.efi.stub");
    work.write(
        "request.json",
        r#"{ "operation": "pe.digest", "file": "signed.efi" }"#,
    );
    std::fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader.efi")).unwrap();
    work.write(
        "machine.json",
        r#"{
            "loader": "loader.efi", "uki": "signed.efi", "output": "pcrs.json",
            "measure": { "secureBoot": {
                "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl", "certificate": "keys/db.pem"
            } }
        }"#,
    );
    let toplevel = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system";
    work.write(
        "boot.json",
        format!(
            r#"{{ "org.nixos.bootspec.v2": {{
                "system": "x86_64-linux", "label": "NixOS", "kernelParams": ["quiet"], "initrds": [],
                "kernel": "{toplevel}/kernel", "init": "{toplevel}/init", "toplevel": "{toplevel}"
            }} }}"#
        ),
    );

    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("touchstone "))
        .map(|line| {
            line.split_once('#')
                .map_or(line, |(command, _comment)| command)
        })
        .collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        work.done(command.split_whitespace());
    }
    assert_eq!(
        work.done(["pe", "digest", "uki.efi"])[..64],
        work.done(["pe", "digest", "signed.efi"])[..64]
    );
}
