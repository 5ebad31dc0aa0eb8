# What NixOS' module for virtual machines is asked for by checks/nixos-test.nix.
{ lib, options, pkgs, ... }:

let
  inherit (lib) mkOption types;
  switch = default: mkOption { type = types.bool; inherit default; };
in
{
  options.virtualisation = {
    inherit (options) fileSystems;
    directBoot.enable = switch true;
    mountHostNixStore = switch true;
    useEFIBoot = switch false;
    useSecureBoot = switch false;
    tpm.enable = switch false;
    efi.OVMF = mkOption { type = types.package; default = pkgs.OVMF.fd; };
    qemu.package = mkOption { type = types.package; default = pkgs.qemu_test; };
  };
}
