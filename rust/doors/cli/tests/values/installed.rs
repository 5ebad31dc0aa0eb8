//! The plugin as its package installs it.

use std::fs;
use std::path::Path;

use touchstone_harness::Nix;
use touchstone_harness::nix::output;

use crate::flake::Flake;

/// What the package does when both objects are compiled, done to those under test; the answer is the folder that Nix is told of.
fn install(flake: &Flake) -> std::path::PathBuf {
    let script = flake.own("packages.x86_64-linux.touchstone-nix.postInstall");
    let out = flake.work.path("out");
    fs::create_dir_all(out.join("lib")).unwrap();
    let plugin = flake.work.inputs.plugin.as_ref().unwrap();
    for (built, by_cargo) in [
        ("nix/plugins/libtouchstone-nix.so", "libtouchstone_nix.so"),
        (
            "touchstone-nix/libtouchstone-nix-inner.so",
            "libtouchstone_nix_inner.so",
        ),
    ] {
        let lib = [plugin, &out].map(|package| package.join("lib"));
        fs::copy(lib[0].join(built), lib[1].join(by_cargo)).unwrap();
    }
    let visit = flake.work.inside(flake.work.inputs.trixie().visit());
    let mut shell = visit.command("bash").unwrap();
    shell.args(["-euxc", script.as_str().unwrap()]);
    shell.env("out", &out);
    output(shell).unwrap();
    out.join("lib/nix/plugins")
}

#[test]
fn the_plugin_as_it_is_installed_is_loaded_by_its_file_and_by_its_folder() {
    let flake = Flake::new();
    let folder = install(&flake);
    let nix = Nix::plugin_host_without_plugin(&flake.work.inputs, flake.work.path("store"));
    let nix = nix.unwrap().bind(flake.work.folder());
    let version = |named: &Path| {
        let mut command = super::bounded(&nix.command("nix").unwrap());
        command.env("NIX_CONFIG", format!("plugin-files = {}", named.display()));
        command.args(["eval", "--raw", "--expr", "builtins.touchstone.version"]);
        output(command).unwrap()
    };
    for named in [folder.join("libtouchstone-nix.so"), folder] {
        assert_eq!(version(&named).trim(), env!("CARGO_PKG_VERSION"));
    }
}
