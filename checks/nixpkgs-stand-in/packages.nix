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
    derivation { inherit name system inputs; builder = "/not-a-real-package"; } // arguments;
in
{
  inherit lib system;
  stdenv = { hostPlatform = platform; cc = placeholder "cc" { }; };
  linuxPackages.kernel = placeholder "linux" { modDirVersion = "6.12.0"; stdenv.hostPlatform = platform; };
  systemd = placeholder "systemd" { };
  inherit rustPlatform;
  pkgsStatic = { inherit rustPlatform; };
  writeShellApplication = { name, runtimeInputs, text }: placeholder name { };
} // lib.genAttrs [ "rustup" "apt" "dpkg" "gnupg" "util-linux" "pkg-config" "tpm2-tss" "p11-kit" ] (name: placeholder name { })
