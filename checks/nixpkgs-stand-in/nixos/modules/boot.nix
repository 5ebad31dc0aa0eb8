# Kernel and initrd: options with the types and defaults of nixpkgs. From nixos/modules:
#   system/boot/kernel.nix                             045d702e8af1; the parameters' type and boot.kernel.enable are those of later releases
#   system/boot/stage-1.nix                            00976b194fe3; boot.initrd.enable is that of later releases
#   config/swap.nix, system/boot/resume.nix            of later releases (boot.resumeDevice)
#   hardware/device-tree.nix                           01f31c2ee7d0
# The boot loaders are in ./loaders.nix, systemd's initrd in ./initrd.nix.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkOption types;
  off = mkOption { type = types.bool; default = false; };
  inherit (config.boot.kernelPackages) kernel;
in
{
  options = {
    boot.isContainer = off;
    boot.kernel.enable = mkOption { type = types.bool; default = true; };
    boot.kernelPackages = mkOption { type = types.raw; default = pkgs.linuxPackages; };
    boot.kernelParams = mkOption {
      type = types.listOf (types.strMatching ''([^"[:space:]]|"[^"]*")+'');
      default = [ ];
    };

    boot.initrd = {
      enable = mkOption { type = types.bool; default = !config.boot.isContainer; };
      secrets = mkOption { type = types.attrsOf (types.nullOr types.path); default = { }; };
    };

    boot.resumeDevice = mkOption { type = types.str; default = ""; };

    # Of stage-1.nix as well.
    boot.loader.supportsInitrdSecrets = off;

    hardware.deviceTree = {
      enable = mkOption { type = types.bool; default = pkgs.stdenv.hostPlatform.linux-kernel.DTB or false; };
      name = mkOption { type = types.nullOr types.str; default = null; };
      package = mkOption { type = types.nullOr types.path; internal = true; default = null; };
    };
  };

  config = {
    boot.kernelParams = [ "loglevel=4" ];
    hardware.deviceTree.package = lib.mkIf config.hardware.deviceTree.enable "${kernel}/dtbs";
    system.build.initialRamdisk = lib.mkDefault (pkgs.placeholder "initrd-linux" { });
  };
}
