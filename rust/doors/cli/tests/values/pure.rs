//! The same in pure evaluation: the flake's own check, built, and the page about the plugin.

use std::fs;

use serde_json::Value;
use touchstone_harness::stand_in;

use super::{DOORS, Door};
use crate::flake::Flake;
use crate::nixos_pages::{blocks, checkout};
use crate::real_nix::RealNix;

/// A flake whose check is `checks/evaluated.nix`, with the programs under test.
const FLAKE: &str = r#"{
  outputs = { self }:
    let
      system = "x86_64-linux";
      lib = import ./touchstone/nix-plugin/lib { inherit system; touchstone = ./program; };
    in
    {
      checks.${system}.evaluation = import ./touchstone/checks/evaluated.nix { inherit lib system; probe = ./probe; };
    };
}
"#;

#[test]
fn the_check_of_the_flake_is_built_in_pure_evaluation_with_the_plugin_and_says_when_it_is_not_there()
 {
    let real = RealNix::new();
    let folder = real.work.path("flake");
    fs::create_dir(&folder).unwrap();
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    stand_in::sources(&repository, &folder).unwrap();
    for (package, name) in [("touchstone", "program"), ("touchstone-probe", "probe")] {
        fs::rename(real.work.path(package), folder.join(name)).unwrap();
    }
    fs::write(folder.join("flake.nix"), FLAKE).unwrap();

    let built = DOORS.map(|door| {
        let nix = door.nix(&real);
        let flake = format!("path:{}", folder.display());
        let mut command = door.command(&real, "nix");
        command.args([
            "flake",
            "check",
            "--offline",
            "--no-write-lock-file",
            &flake,
        ]);
        command.args(["--option", "allow-import-from-derivation", "false"]);
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        let alone = said.contains("Nix has not loaded the plugin");
        assert_eq!(alone, door == Door::Builder, "{said}");

        let attribute = format!("{flake}#checks.x86_64-linux.evaluation");
        let mut command = door.command(&real, "nix");
        command.args(["build", "--offline", "--no-write-lock-file", "--no-link"]);
        command.args(["--print-out-paths", &attribute]);
        let path = touchstone_harness::nix::output(command).unwrap();
        fs::read_to_string(nix.on_host(path.trim())).unwrap()
    });
    let [plugin, builder] = built;
    assert_eq!(plugin.lines().count(), 8, "{plugin}");
    assert!(
        plugin
            .lines()
            .all(|line| line.ends_with(": what is known, and the value"))
    );
    assert!(
        builder
            .lines()
            .all(|line| line.ends_with(": what is known"))
    );
}

#[test]
fn the_nix_of_the_page_about_the_plugin_evaluates_with_it() {
    let blocks = blocks(&checkout("docs/plugin.md"), "nix");
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    let flake = Flake::with_plugin();
    let folder = flake.work.path("page");
    fs::create_dir(&folder).unwrap();
    let configuration = format!(
        "{{ imports = [ ({}) ]; system.name = \"page\"; }}",
        blocks[0]
    );
    fs::write(folder.join("configuration.nix"), configuration).unwrap();
    fs::write(folder.join("flake.nix"), &blocks[1]).unwrap();

    let document = flake.json(&folder, "document");
    let v2 = &document["org.nixos.bootspec.v2"];
    let toplevel = v2["toplevel"].as_str().unwrap();
    assert_eq!(v2["init"], format!("{toplevel}/init"));
    let hash: Value = flake.json(&folder, "hash");
    assert!(toplevel.contains(hash.as_str().unwrap()), "{toplevel}");
    let answer = flake.evaluate(&folder, "--raw", "packages.x86_64-linux.bootspec.drvPath");
    assert!(answer.ends_with("-bootspec.emit.json.drv"), "{answer}");
    let machine = "nixosConfigurations.machine.config.nix.settings.plugin-files";
    let files = flake.json(&folder, machine);
    let file = files[0].as_str().unwrap();
    assert!(
        file.ends_with("-touchstone-nix-0.1.0/lib/nix/plugins/libtouchstone-nix.so"),
        "{file}"
    );
}
