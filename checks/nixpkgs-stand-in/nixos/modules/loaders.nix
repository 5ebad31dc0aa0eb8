# Boot loaders: options with the types and defaults of nixpkgs. From nixos/modules:
#   system/boot/loader/loader.nix                      08a4c8850831
#   system/boot/loader/efi.nix                         0e1f31068d12
#   system/boot/loader/systemd-boot/systemd-boot.nix   01e499cec163
#   system/boot/loader/grub/grub.nix                   00f7b4bdb0be
#   system/boot/loader/external/external.nix           08a4c8850831
#   system/activation/top-level.nix                    01502f439c6a (boot.loader.id), and that installBootLoader has a default
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkDefault mkIf mkOption types;
  off = mkOption { type = types.bool; default = false; };
  option = type: default: mkOption { inherit type default; };
  inherit (config.boot.loader) external systemd-boot;
in
{
  options = {
    boot.loader = {
      timeout = option (types.nullOr types.int) 5;
      efi = {
        canTouchEfiVariables = off;
        efiSysMountPoint = option types.str "/boot";
      };
      grub.enable = option types.bool (!config.boot.isContainer);
      systemd-boot = {
        enable = off;
        sortKey = option types.str "nixos";
        editor = option types.bool true;
        xbootldrMountPoint = option (types.nullOr types.str) null;
        configurationLimit = option (types.nullOr types.int) null;
        consoleMode = option (types.enum [ "0" "1" "2" "5" "auto" "max" "keep" ]) "keep";
        rebootForBitlocker = off;
        memtest86.enable = off;
        extraInstallCommands = option types.lines "";
        extraEntries = option (types.attrsOf types.lines) { };
        extraFiles = option (types.attrsOf types.path) { };
      };
      external.enable = off;
      external.installHook = mkOption { type = types.path; };
    };
    system.boot.loader.id = mkOption { internal = true; default = ""; };
  };

  config = {
    boot.loader = mkIf external.enable {
      grub.enable = mkDefault false;
      systemd-boot.enable = mkDefault false;
    };
    boot.bootspec.extensions = mkIf systemd-boot.enable { "org.nixos.systemd-boot".sortKey = systemd-boot.sortKey; };
    system.build.installBootLoader =
      if external.enable then external.installHook
      else mkDefault (pkgs.writeText "no-boot-loader" "");
  };
}
