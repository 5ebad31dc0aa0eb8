//! What `bin/switch-to-configuration` starts, run where the store is at `/nix`.

use std::fs;

use serde_json::Value;

use super::Sealed;

/// Runs a program of a generation; the answer is what the recorders printed, one after another.
fn switched(sealed: &Sealed, program: &str, arguments: &[&str]) -> Vec<Value> {
    let mut command = sealed.nix.beside_store("store", program);
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    printed.lines().map(line).collect()
}

/// The calls as `name arguments`.
fn calls(recorded: &[Value]) -> Vec<String> {
    let call = |call: &Value| {
        let arguments = call["arguments"].as_array().unwrap().iter();
        let words: Vec<&str> = arguments.filter_map(Value::as_str).collect();
        format!("{} {}", call["called"].as_str().unwrap(), words.join(" "))
    };
    recorded.iter().map(call).collect()
}

#[test]
fn the_installer_is_called_with_the_sealed_path_although_the_inner_one_is_baked_in() {
    let sealed = Sealed::build();
    for generation in [&sealed.generation, &sealed.rescue] {
        let inner = sealed.inner(generation);
        let baked = format!("{inner}/bin/switch-to-configuration");
        let script = fs::read_to_string(sealed.on_host(&baked)).unwrap();
        assert!(script.contains(&format!("TOPLEVEL='{inner}'")), "{script}");
        // The trap: what NixOS itself would do.
        let recorded = switched(&sealed, &baked, &["boot"]);
        let wrong = format!("install-boot-loader {inner}");
        assert_eq!(calls(&recorded).last(), Some(&wrong));
        // Ours.
        let ours = format!("{generation}/bin/switch-to-configuration");
        for action in ["boot", "switch"] {
            let recorded = switched(&sealed, &ours, &[action]);
            let wanted = [
                format!("pre-switch-check {generation} {action}"),
                format!("install-boot-loader {generation}"),
            ];
            assert_eq!(calls(&recorded), wanted);
            for call in recorded {
                let environment = &call["environment"];
                assert_eq!(environment["TOPLEVEL"], **generation);
                assert_eq!(environment["OUT"], **generation);
                assert_eq!(environment["DISTRO_ID"], "touchstone-check");
            }
        }
        // What installs nothing is left to the program.
        let checked = switched(&sealed, &ours, &["check"]);
        assert_eq!(
            calls(&checked),
            [format!("pre-switch-check {generation} check")]
        );
    }
}

#[test]
fn a_specialisation_is_switched_to_through_its_generation_and_a_profile() {
    let sealed = Sealed::build();
    let profiles = sealed.nix.work.path("store/nix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    std::os::unix::fs::symlink(&sealed.generation, profiles.join("system-2-link")).unwrap();
    std::os::unix::fs::symlink("system-2-link", profiles.join("system")).unwrap();
    for (below, installed) in [
        ("", &sealed.generation),
        ("specialisation/rescue/", &sealed.rescue),
    ] {
        let program = format!("/nix/profiles/system/{below}bin/switch-to-configuration");
        let recorded = switched(&sealed, &program, &["boot"]);
        let wanted = format!("install-boot-loader {installed}");
        assert_eq!(calls(&recorded).last(), Some(&wanted));
    }
}

#[test]
fn the_launcher_is_a_copy_of_the_static_program_that_the_builder_was_given() {
    let sealed = Sealed::build();
    let launcher = sealed
        .on_host(&sealed.generation)
        .join("bin/switch-to-configuration");
    let given = sealed.nix.work.read("touchstone/bin/touchstone-launcher");
    crate::support::assert_same_bytes("the launcher", &fs::read(&launcher).unwrap(), &given);
    let switch = sealed.json(&sealed.generation, "touchstone/switch.json");
    let inner = sealed.inner(&sealed.generation);
    let program = format!("{inner}/bin/.switch-to-configuration-wrapped");
    assert_eq!(switch["program"], program);
    assert!(
        !has_interpreter(&given),
        "the launcher is linked dynamically"
    );
}

/// Whether an ELF file of 64 bits has a program header `PT_INTERP`.
fn has_interpreter(elf: &[u8]) -> bool {
    assert!(elf.starts_with(b"\x7fELF\x02\x01"));
    let number = |at: usize, bytes: usize| {
        let field = elf[at..at + bytes].iter().rev();
        field.fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|header| number(headers + header * size, 4) == 3)
}
