//! The commands of `docs/secure-boot-keys.md`.

use super::foreign::{log, microsofts};
use super::*;

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let work = Work::new();
    microsofts(&work);
    work.addon_stub("trixie", "x64", "bad.efi");
    work.stub("trixie", "x64", "loader.efi");
    std::fs::copy(log(), work.path("machine.log")).unwrap();
    work.done(["keys", "generate", "leaked"]);
    std::fs::rename(work.path("leaked/db.pem"), work.path("leaked.pem")).unwrap();

    work.follow(include_str!("../../../../../docs/secure-boot-keys.md"));

    for (file, variable, append, entries) in [
        ("esp/loader/keys/auto/PK.auth", "PK", false, 1),
        ("esp/loader/keys/auto/KEK.auth", "KEK", false, 2),
        ("esp/loader/keys/auto/db.auth", "db", false, 3),
        ("bad.auth", "dbx", true, 2),
        ("db.auth", "db", false, 4),
        ("KEK.auth", "KEK", false, 2),
        ("PK.auth", "PK", false, 1),
    ] {
        let found = work.inspected(file);
        let update = &found["update"];
        assert_eq!(update["variable"], variable, "{file}");
        assert_eq!(update["append"], append, "{file}");
        assert_eq!(
            found["entries"].as_array().unwrap().len(),
            entries,
            "{file}"
        );
        let signer = match variable {
            "PK" | "KEK" => "keys/PK.pem",
            _ => "keys/KEK.pem",
        };
        assert_eq!(
            update["signer"],
            work.inspected(signer)["certificates"][0],
            "{file}"
        );
    }
}
