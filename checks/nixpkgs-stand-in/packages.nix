# The packages that Touchstone's Nix code names, as derivations that nobody builds.
{ lib, system }:

let
  placeholder = name: attributes: derivation
    {
      inherit name system;
      builder = "/not-a-real-package";
    } // { meta = { }; } // attributes;
  platform = lib.systems.elaborate system;
in
{
  inherit lib system;
  stdenv = { hostPlatform = platform; cc = placeholder "cc" { }; };
  linuxPackages.kernel = placeholder "linux" { modDirVersion = "6.12.0"; stdenv.hostPlatform = platform; };
  systemd = placeholder "systemd" { };
  pkgsStatic.rustPlatform.buildRustPackage = arguments:
    placeholder "${arguments.pname}-${arguments.version}" { inherit (arguments) meta; };
  writeShellApplication = { name, runtimeInputs, text }: placeholder name { };
} // lib.genAttrs [ "rustup" "apt" "dpkg" "gnupg" "util-linux" ] (name: placeholder name { })
