# The assertions about what is installed: as in ../assertions.nix.
{ lib, files, minimal, ... }:

let
  inherit (lib) mkForce;
  certificate = files."db.pem";
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };
  install = { method = "install"; key = "/keys/db.key"; inherit certificate; };
  predicted = { signing = detached; sealed.enable = true; measuredBoot.enable = true; };
  says = "boot.loader.touchstone.";

  # A configuration with the installer and these settings of it.
  loader = settings: { boot.loader.touchstone = { enable = true; } // settings; };
  with' = module: { imports = [ module ]; boot.loader.touchstone.enable = true; };
in
{
  "an installer without images" = {
    broken = with' { boot.touchstone.enable = mkForce false; };
    says = "${says}enable: the installer reads what Touchstone's modules say";
    mended = { boot.touchstone.enable = lib.mkOverride 40 true; };
  };
  "two installers" = {
    broken = with' { boot.loader.systemd-boot.enable = true; };
    says = "${says}enable: boot.loader.systemd-boot would install a boot loader as well";
    mended = { boot.loader.systemd-boot.enable = mkForce false; };
  };
  "what NixOS' own installer adds" = {
    broken = with' { boot.loader.systemd-boot.memtest86.enable = true; };
    says = "${says}enable: boot.loader.systemd-boot.memtest86 is done by NixOS' own";
    mended = { boot.loader.systemd-boot.memtest86.enable = mkForce false; };
  };
  "an installer without boot.json" = {
    broken = with' { boot.bootspec.enable = false; boot.touchstone.bootspec.v2.enable = false; };
    says = "${says}enable: the installer reads the boot.json";
    mended = { boot.bootspec.enable = mkForce true; };
  };
  "secrets of the initrd that nobody appends" = {
    broken = with' { boot.initrd.secrets."/etc/key" = "/etc/key"; boot.touchstone = { uki.enable = false; bootspec.v2.enable = false; }; };
    says = "${says}images: nothing can be appended to a unified";
    mended = loader { images = "kernel"; };
  };
  "secrets of the initrd that are elsewhere on the machine" = {
    broken = {
      boot.initrd.secrets = { "/etc/key" = "/persist/key"; "/run/key" = null; "/etc/same" = "/etc/same"; };
      boot.loader.touchstone = { enable = true; images = "kernel"; };
      boot.touchstone.uki.enable = false;
    };
    says = "${says}images: of boot.initrd.secrets, \"/etc/key\", \"/run/key\" would lie";
    mended = { boot.initrd.secrets = mkForce { "/persist/key" = null; }; };
  };
  "a mount point twice" = {
    broken = loader { mirrors = [{ esp = "/boot"; }]; };
    says = "${says}mirrors: of \"/boot\", \"/boot\", each must be";
    mended = loader { mirrors = mkForce [{ esp = "/boot2"; }]; };
  };
  "a state file on the partition" = {
    broken = loader { stateFile = "/boot/esp.json"; };
    says = "${says}stateFile: \"/boot/esp.json\" is no absolute path, or lies on";
    mended = loader { stateFile = mkForce "/bootstrap/esp.json"; };
  };
  "an extra file that cannot be" = {
    broken = loader { extraFiles = { "EFI/../shell.efi" = files."shim.efi"; "a:b" = files."shim.efi"; }; };
    says = "${says}extraFiles: \"EFI/../shell.efi\", \"a:b\" is no path";
    mended = loader { extraFiles = mkForce { "EFI/shell.efi" = files."shim.efi"; }; };
  };
  "an extra file in the place of the loader" = {
    broken = loader { extraFiles."efi/boot/bootx64.efi" = files."shim.efi"; };
    says = "${says}extraFiles: \"efi/boot/bootx64.efi\" is what the installer";
    mended = loader { extraFiles = mkForce { "efi/boot/fbx64.efi" = files."shim.efi"; }; };
  };
  "an extra entry among the installer's" = {
    broken = loader { extraEntries."NixOS-rescue.conf" = "title Rescue"; };
    says = "${says}extraEntries: \"NixOS-rescue.conf\" cannot name an entry";
    mended = loader { extraEntries = mkForce { "rescue.conf" = "title Rescue"; }; };
  };
  "a key of loader.conf that is the installer's" = {
    broken = loader { loaderConf.default = "nixos-*"; };
    says = "${says}loaderConf: \"default\" is the installer's";
    mended = loader { loaderConf = mkForce { beep = true; }; };
  };
  "a key of loader.conf that cannot be" = {
    broken = loader { loaderConf.Beep = "yes"; };
    says = "${says}loaderConf: \"Beep\" is no key";
    mended = loader { loaderConf = mkForce { beep = "yes"; }; };
  };
  "fewer generations than none" = {
    broken = with' { boot.loader.systemd-boot.configurationLimit = -1; };
    says = "${says}enable: boot.loader.systemd-boot.configurationLimit";
    mended = { boot.loader.systemd-boot.configurationLimit = mkForce 10; };
  };
  "signatures that are not installed" = {
    broken = with' { boot.touchstone.signing = detached; };
    says = "${says}enable: the images of this configuration are signed elsewhere";
    mended = { boot.touchstone.sealed.enable = true; };
  };
  "a signature that leaves out the initrd" = {
    broken = { boot.touchstone.signing = install; boot.loader.touchstone = { enable = true; images = "kernel"; }; };
    says = "${says}images: with \"kernel\", no signature covers";
    mended = loader { images = mkForce "uki"; };
  };
  "a prediction of what is not installed" = {
    broken = { boot.touchstone.measuredBoot.enable = true; boot.loader.touchstone = { enable = true; images = "kernel"; }; };
    says = "${says}images: what is predicted is the boot of";
    mended = loader { images = mkForce "uki"; };
  };
  "specialisations that share an image" = {
    broken = with' { boot.touchstone.uki.shareSpecialisations = true; };
    says = "${says}enable: every specialisation is installed as an image";
    mended = { boot.touchstone.uki.shareSpecialisations = mkForce false; };
  };
  "a shim that would be overwritten" = {
    broken = with' { boot.touchstone.measuredBoot.bootPath.shim = files."shim.efi"; };
    says = "${says}installLoader: the shim of `boot.touchstone.measuredBoot.bootPath.shim` is installed as part";
    mended = loader { installLoader = false; };
  };
  "a policy of what is not predicted" = {
    broken = { boot.touchstone = predicted; boot.loader.touchstone = { enable = true; policy.pcrs = [ 7 11 ]; }; };
    says = "${says}policy: a policy is made of predicted values";
    mended = loader { policy = { pcrs = mkForce [ 11 ]; }; };
  };
  "a policy without predictions on the machine" = {
    broken = { boot.touchstone.measuredBoot.enable = true; boot.loader.touchstone = { enable = true; policy.pcrs = [ 11 ]; }; };
    says = "${says}policy: a policy admits what was predicted";
    mended = { boot.touchstone = predicted; };
  };
  "a policy in the store" = {
    broken = { boot.touchstone = predicted; boot.loader.touchstone = { enable = true; policy = { pcrs = [ 11 ]; output = "${files."pcr.pem"}"; }; }; };
    says = "${says}policy.output: \"/nix/store/";
    mended = loader { policy = { output = mkForce "loader/touchstone-policy.json"; }; };
  };
  "a key that is none" = {
    broken = loader { trustedPublicKeys = [ "fleet-1" ]; };
    says = "${says}trustedPublicKeys: \"fleet-1\" is no public key";
    mended = loader { trustedPublicKeys = mkForce [ "fleet-1:${lib.concatStrings (lib.genList (_: "A") 43)}=" ]; };
  };
  "more signatures than keys" = {
    broken = loader { trustedPublicKeys = [ "fleet-1:${lib.concatStrings (lib.genList (_: "A") 43)}=" ]; sigsNeeded = 2; };
    says = "${says}sigsNeeded: 2 signatures are asked for";
    mended = loader { sigsNeeded = mkForce 1; };
  };
} // lib.optionalAttrs minimal {
  # Where nixpkgs declares the option itself, it is NixOS' own installer's as well.
  "boots that nobody counts" = {
    broken = { boot.loader.systemd-boot.bootCounting.enable = true; };
    says = "boot.loader.systemd-boot.bootCounting.enable: NixOS' own installer";
    mended = loader { };
  };
}
