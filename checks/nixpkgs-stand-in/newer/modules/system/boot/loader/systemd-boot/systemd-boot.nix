# What nixpkgs of 26.11 adds to this file: it declares boot counting itself (in the manner of nixos/tests/systemd-boot.nix, which sets both).
{ lib, ... }:

{
  options.boot.loader.systemd-boot.bootCounting = {
    enable = lib.mkOption { type = lib.types.bool; default = false; };
    tries = lib.mkOption { type = lib.types.ints.positive; default = 3; };
  };
}
