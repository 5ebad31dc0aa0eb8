# The static binaries, built by nixpkgs' Rust: `touchstone`, and `probe`, the guest and builder of the boot checks.
{ pkgs }:

let
  inherit (builtins.fromTOML (builtins.readFile ../Cargo.toml)) workspace;

  build = { pname, description }: pkgs.pkgsStatic.rustPlatform.buildRustPackage {
    inherit pname;
    inherit (workspace.package) version;
    src = builtins.path {
      name = "touchstone-source";
      path = ../.;
      # Documents and Nix files do not change the binary, so they do not rebuild it.
      filter = path: type: !(builtins.elem (baseNameOf path) [ "target" "docs" ".git" ".ci" ])
        && builtins.match ".*\\.(nix|md)" path == null;
    };
    cargoLock.lockFile = ../Cargo.lock;
    buildType = "static";
    cargoBuildFlags = [ "--package" pname ];
    # The tests need Debian's packages and a virtual machine: `cargo xtask test`.
    doCheck = false;
    meta = {
      inherit description;
      license = [ pkgs.lib.licenses.mit pkgs.lib.licenses.asl20 ];
      mainProgram = pname;
      platforms = [ "x86_64-linux" "aarch64-linux" ];
    };
  };
in
{
  touchstone = build {
    pname = "touchstone";
    description = "Boot trust for NixOS: command line and derivation builder";
  };
  probe = build {
    pname = "touchstone-probe";
    description = "Guest and builder of Touchstone's boot checks";
  };
}
