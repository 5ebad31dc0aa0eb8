# The assertions about a system without interpreters: as in ../assertions.nix.
{ lib, minimal, olderOf, ... }:

let
  inherit (lib) mkForce;
  says = "boot.touchstone.interpreterless.enable: ";
  without = module: { imports = [ module ]; boot.touchstone.interpreterless.enable = true; };
  off = { boot.touchstone.interpreterless.enable = mkForce false; };
in
{
  "an initrd of scripts" = {
    broken = without { boot.initrd.systemd.enable = false; };
    says = "${says}the initrd without systemd";
    mended = { boot.initrd.systemd.enable = mkForce true; };
  };
  "an /etc that a script makes" = {
    broken = without { system.etc.overlay.enable = false; };
    says = "${says}without an overlay";
    mended = { system.etc.overlay.enable = mkForce true; };
  };
  "users that a script makes" = {
    broken = without { services.userborn.enable = false; };
    says = "${says}a Perl script makes the users";
    mended = { services.userborn.enable = mkForce true; };
  };
  "scripts between initrd and system" = {
    broken = without { system.nixos-init.enable = false; };
    says = "${says}between initrd and system";
    mended = { system.nixos-init.enable = mkForce true; };
  };
  "a script that activates" = {
    broken = without { system.activatable = true; };
    says = "${says}the system brings a shell script along";
    mended = { system.activatable = mkForce false; };
  };
  "Nix on the machine" = {
    broken = without { nix.enable = true; };
    says = "${says}Nix is an interpreter";
    mended = off;
  };
  "a boot loader that a script installs" = {
    broken = without { boot.loader.systemd-boot.enable = true; };
    says = "${says}boot.loader.systemd-boot is installed by a script";
    mended = { boot.loader.systemd-boot.enable = mkForce false; };
  };
  "a system that nothing can follow" = {
    broken = without { boot.loader.touchstone.enable = true; };
    says = "${says}the only way to another system";
    mended = { boot.loader.touchstone.trustedPublicKeys = [ "fleet-1:${lib.concatStrings (lib.genList (_: "A") 43)}=" ]; };
  };
} // lib.optionalAttrs minimal {
  "a nixpkgs that starts systems by scripts" = {
    evaluate = olderOf;
    broken = without {
      boot.initrd.systemd.enable = true;
      system = { etc.overlay.enable = true; activatable = false; };
      services.userborn.enable = true;
      nix.enable = false;
    };
    says = "${says}this nixpkgs has no profile without shell";
    mended = off;
  };
}
