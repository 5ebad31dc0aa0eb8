# The NixOS options that Touchstone reads, with their types and what NixOS computes for them. `specialisation` has NixOS' shape:
# a configuration of its own for each name.
{ lib, config, pkgs, extendModules, ... }:

let
  inherit (lib) mkOption types;

  text = default: mkOption { type = types.str; inherit default; };
  file = name: attributes: derivation ({ inherit name; inherit (pkgs) system; builder = "/not-a-real-package"; } // attributes);
in
{
  options = {
    boot.kernelPackages = mkOption { type = types.raw; default = pkgs.linuxPackages; };
    boot.kernelParams = mkOption { type = types.listOf types.str; default = [ ]; };
    system.build = mkOption { type = types.attrsOf types.raw; default = { }; };
    system.name = text "machine";
    system.nixos.label = text "25.11";
    system.nixos.codeName = text "Xantusia";
    system.boot.loader.kernelFile = text "bzImage";
    system.boot.loader.initrdFile = text "initrd";
    nixpkgs.hostPlatform = mkOption { type = types.raw; default = pkgs.stdenv.hostPlatform; };
    systemd.package = mkOption { type = types.raw; default = pkgs.systemd; };
    environment.etc = mkOption { type = types.attrsOf types.raw; default = { }; };
    specialisation = mkOption {
      default = { };
      type = types.attrsOf (types.submodule {
        options.configuration = mkOption {
          default = { };
          inherit (extendModules { modules = [{ specialisation = lib.mkOverride 0 { }; }]; }) type;
        };
      });
    };
  };

  config = {
    boot.kernelParams = [ "loglevel=4" ];
    environment.etc."os-release".source = file "os-release" { };
    system.build.toplevel = file "nixos-system-${config.system.name}-${config.system.nixos.label}" {
      inherit (config.boot) kernelParams;
    };
    system.build.initialRamdisk = file "initrd-linux" { };
  };
}
