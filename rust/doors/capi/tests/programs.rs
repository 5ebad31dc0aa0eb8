//! Programs that are linked with the library, or load it.

use std::process::{Command, Output};

use crate::compiler::{Linked, Workshop, source};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs a program that says the library's version and how much it has seen; nothing else may be printed, by nobody.
fn seen(workshop: &Workshop, mut program: Command) -> usize {
    let image = &workshop.inputs.stub["trixie"]["x64"];
    let folder = tempfile::tempdir().unwrap();
    let ended = program.arg(image).arg(folder.path()).output().unwrap();
    let (printed, said) = texts(&ended);
    assert_eq!((ended.status.code(), &*said), (Some(0), ""), "{program:?}");
    let [version, number] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("{program:?} printed {printed}")
    };
    assert_eq!(version, VERSION);
    number.parse().unwrap()
}

fn texts(ended: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&ended.stdout), text(&ended.stderr))
}

#[test]
fn a_c_program_relies_on_the_shared_library() {
    let workshop = Workshop::new();
    let program = workshop.program(&source("claims.c"), "c99", Linked::Shared);
    assert!(seen(&workshop, Command::new(program)) > 1000);
}

#[test]
fn a_c_program_relies_on_the_archive() {
    let workshop = Workshop::new();
    let program = workshop.program(&source("claims.c"), "c99", Linked::Archive);
    std::fs::remove_dir_all(workshop.path("lib")).unwrap();
    assert!(seen(&workshop, Command::new(program)) > 1000);
}

#[test]
fn a_cxx_program_relies_on_either() {
    let workshop = Workshop::new();
    for linked in [Linked::Shared, Linked::Archive] {
        let program = workshop.program(&source("claims.cpp"), "c++14", linked);
        assert_eq!(seen(&workshop, Command::new(program)), 8);
    }
}

/// The header by itself, in the oldest and the newest language of compilers that are in use.
#[test]
fn the_header_is_of_every_standard() {
    let workshop = Workshop::new();
    let text = "#include <touchstone.h>\n#include <touchstone.h>\nint main(void) { TouchstoneOptions options = TOUCHSTONE_OPTIONS_INIT; return (int)options.flags; }\n";
    for (file, standards) in [
        ("header.c", ["c99", "c11", "c2x"]),
        ("header.cpp", ["c++11", "c++17", "c++20"]),
    ] {
        let file = workshop.path(file);
        std::fs::write(&file, text).unwrap();
        for standard in standards {
            workshop.compiles(&file, standard);
        }
    }
}

#[test]
fn a_panic_is_a_failure_and_prints_nothing() {
    let workshop = Workshop::new();
    let program = workshop.program(&source("faults.c"), "c99", Linked::Shared);
    let faulty = workshop.inputs.faulty_library.as_ref();
    let faulty = faulty.expect("the faulty library is not built: run `cargo xtask setup`");
    let ended = Command::new(program).arg(faulty).output().unwrap();
    let said = texts(&ended);
    assert_eq!(said, ("served on\n".to_owned(), String::new()));
    assert_eq!(ended.status.code(), Some(0));
}
