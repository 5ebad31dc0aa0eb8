# The packages that Touchstone's Nix code names, as derivations that nobody builds.
{ lib, system }:

let
  placeholder = name: attributes: derivation
    {
      inherit name system;
      builder = "/not-a-real-package";
    } // { meta = { }; } // attributes;
  platform = lib.systems.elaborate system;
  # Like the real one it has its arguments as attributes, and what it is built with are inputs of its derivation.
  rustPlatform.buildRustPackage = arguments:
    let
      inputs = (arguments.nativeBuildInputs or [ ]) ++ (arguments.buildInputs or [ ]);
      name = "${arguments.pname}-${arguments.version}";
    in
    derivation { inherit name system inputs; builder = "/not-a-real-package"; } // arguments // (arguments.passthru or { });

  packages = {
    inherit lib system placeholder rustPlatform;
    stdenv = { hostPlatform = platform; buildPlatform = platform; cc = placeholder "cc" { }; };
    linuxPackages = {
      kernel = placeholder "linux" { modDirVersion = "6.12.0"; };
      inherit (packages) stdenv;
    };
    systemd = placeholder "systemd" { version = "258.2"; };
    nix = placeholder "nix-2.31.2" { pname = "nix"; version = "2.31.2"; };
    pkgsStatic = { inherit rustPlatform; };
    buildPackages = packages;
    writeText = placeholder: text: derivation { name = placeholder; inherit system text; builder = "/not-a-real-package"; };
    writeTextDir = path: text: derivation { name = baseNameOf path; inherit system path text; builder = "/not-a-real-package"; };
    runCommand = name: environment: script: derivation (environment // { inherit name system script; builder = "/not-a-real-package"; });
    OVMF = { fd = placeholder "OVMF" { }; override = _: packages.OVMF; };
    testers.runNixOSTest = import ./nixos/lib/testing.nix { inherit lib; pkgs = packages; };
    writeShellApplication = { name, runtimeInputs, text }: placeholder name { };
  } // lib.genAttrs [ "rustup" "apt" "dpkg" "gnupg" "util-linux" "pkg-config" "tpm2-tss" "p11-kit" "boost" "nlohmann_json" "qemu_test" "caddy" "bashInteractive" ] (name: placeholder name { });
in
packages
