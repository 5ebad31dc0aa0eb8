# What a machine is, and the programs around its boot: options with the types and defaults of nixpkgs. From nixos/modules:
#   misc/version.nix       03a362fe87d4; distroId and distroName are those of later releases
#   misc/nixpkgs.nix       026ffb9e7abf; that a platform is set already is ours
#   config/i18n.nix        05924f714f31; null is allowed by later releases
#   system/boot/systemd.nix   c32bf83301bc
#   system/etc/etc.nix     05924f714f31
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkOption types;
  text = default: mkOption { type = types.str; inherit default; };
in
{
  options = {
    nixpkgs.hostPlatform = mkOption { type = types.either types.str types.attrs; default = "x86_64-linux"; apply = lib.systems.elaborate; };
    system.nixos = {
      label = text "25.11";
      codeName = text "Xantusia";
      distroId = text "nixos";
      distroName = text "NixOS";
    };
    i18n.glibcLocales = mkOption { type = types.nullOr types.path; default = "${pkgs.placeholder "glibc-locales" { }}"; };
    systemd.package = mkOption { type = types.package; default = pkgs.systemd; };
    environment.etc = mkOption {
      default = { };
      type = types.attrsOf (types.submodule { options.source = mkOption { type = types.path; }; });
    };
  };

  config = {
    _module.args.pkgs = lib.mkDefault (import ../../packages.nix {
      inherit lib;
      system = config.nixpkgs.hostPlatform.system;
    });
    environment.etc."os-release".source = builtins.toFile "os-release" "ID=nixos\n";
  };
}
