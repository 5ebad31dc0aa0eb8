# A profile without Perl, in the manner of nixpkgs' own (nixos/modules/profiles/perlless.nix at 0c4375b3cd45), with the options that the
# stand-in has.
{ lib, pkgs, ... }:

{
  boot.initrd.systemd.enable = lib.mkDefault true;
  system.etc.overlay.enable = lib.mkDefault true;
  services.userborn.enable = lib.mkDefault true;
  boot.loader.grub.enable = lib.mkDefault false;
  system.forbiddenDependenciesRegexes = [ "perl" ];
}
