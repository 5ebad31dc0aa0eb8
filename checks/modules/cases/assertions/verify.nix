# The assertions about verification in the initrd: as in ../assertions.nix. `more` is one more case of an assertion that has one.
{ lib, files, verified, key, ... }:

let
  inherit (lib) mkForce;
  certificate = files."db.pem";
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };
  says = "boot.initrd.verify.";

  # A configuration that is verified, with this besides; and one with these settings of it.
  with' = module: { imports = [ verified module ]; };
  verify = settings: { boot.initrd.verify = settings; };
  both = settings: with' (verify settings);

  # File systems that are mounted at these places when the system runs, and the same at other places.
  mounts = paths: { fileSystems = lib.genAttrs paths (_: { device = "/dev/vda3"; fsType = "ext4"; }); };
  elsewhere = paths: lib.genAttrs paths (path: { mountPoint = "/persist${path}"; });
in
{
  "verification without an image that says of what" = {
    broken = with' { boot.touchstone.uki.enable = false; boot.touchstone.bootspec.v2.enable = false; };
    says = "${says}enable: which system is to be verified";
    mended = { boot.touchstone.uki.enable = mkForce true; };
  };
  "verification of what boots by entries of Type #1" = {
    broken = with' { boot.loader.touchstone.images = "kernel"; boot.initrd.verify.manifest.carrier = "esp"; };
    says = "${says}enable: the machine would boot kernel and initrd";
    mended = { boot.loader.touchstone.images = mkForce "uki"; };
  };
  "verification with an installer of NixOS' own" = {
    more = true;
    broken = with' { boot.loader = { touchstone.enable = mkForce false; systemd-boot.enable = true; }; boot.initrd.verify.manifest.carrier = "esp"; };
    says = "${says}enable: the machine would boot kernel and initrd";
    mended = { boot.loader.systemd-boot.enable = mkForce false; };
  };
  "verification in an initrd of shell scripts" = {
    broken = with' { boot.initrd.systemd = { enable = mkForce false; managerEnvironment.SYSTEMD_SYSROOT_FSTAB = "/fstab"; }; };
    says = "${says}enable: the closure is verified in an initrd of systemd's";
    mended = { boot.initrd.systemd.enable = lib.mkOverride 40 true; };
  };
  "an initrd that mounts by the root's fstab" = {
    broken = with' { boot.initrd.systemd.managerEnvironment = mkForce { }; };
    says = "${says}enable: this nixpkgs lets the initrd mount";
    mended = { boot.initrd.systemd.managerEnvironment = lib.mkOverride 40 { SYSTEMD_SYSROOT_FSTAB = "/fstab"; }; };
  };
  "no signatures needed" = {
    broken = both { sigsNeeded = 0; };
    says = "${says}sigsNeeded: with 0, nothing would have to be signed";
    mended = verify { sigsNeeded = mkForce 1; };
  };
  "fewer than no signatures" = {
    more = true;
    broken = both { sigsNeeded = -1; };
    says = "${says}sigsNeeded: with -1, nothing would have to be signed";
    mended = verify { sigsNeeded = mkForce 1; };
  };
  "what is no key" = {
    broken = both { trustedPublicKeys = [ "cache.example.org-1" ]; };
    says = "${says}trustedPublicKeys: \"cache.example.org-1\" is no public key";
    mended = verify { trustedPublicKeys = mkForce [ (key "a") ]; };
  };
  "a key that is written as no program writes it" = {
    more = true;
    broken = both { trustedPublicKeys = [ "b:${lib.concatStrings (lib.genList (_: "B") 43)}=" ]; };
    says = "${says}trustedPublicKeys: \"b:BBBB";
    mended = verify { trustedPublicKeys = mkForce [ (key "a") ]; };
  };
  "no key" = {
    broken = both { trustedPublicKeys = mkForce [ ]; };
    says = "${says}sigsNeeded: 1 signatures are asked for, of 0 different keys";
    mended = verify { trustedPublicKeys = lib.mkOverride 40 [ (key "a") ]; };
  };
  "one key under two names" = {
    more = true;
    broken = both { trustedPublicKeys = [ "b:${lib.last (lib.splitString ":" (key "a"))}" ]; sigsNeeded = 2; };
    says = "${says}sigsNeeded: 2 signatures are asked for, of 1 different keys";
    mended = verify { trustedPublicKeys = [ "b:${lib.concatStrings (lib.genList (_: "E") 43)}=" ]; };
  };
  "a system that is resumed" = {
    broken = with' { boot.resumeDevice = "/dev/vda2"; };
    says = "${says}enable: what is resumed from";
    mended = { boot.resumeDevice = mkForce ""; };
  };
  "an /etc on the disk" = {
    broken = with' { system.etc.overlay.enable = mkForce false; };
    says = "${says}allowMutableEtc: /etc is kept on the disk";
    mended = verify { allowMutableEtc = true; };
  };
  "an overlay of /etc with a layer on the disk" = {
    more = true;
    broken = with' { system.etc.overlay.mutable = mkForce true; };
    says = "${says}allowMutableEtc: /etc is kept on the disk";
    mended = { system.etc.overlay.mutable = lib.mkOverride 40 false; };
  };
  "an /etc that is mounted when the check is over" = {
    broken = with' { fileSystems."/etc" = { device = "/persist/etc"; fsType = "none"; options = [ "bind" ]; }; boot.initrd.verify.allowMutableEtc = true; };
    says = "${says}enable: /etc is a file system of its own";
    mended = { fileSystems."/etc".mountPoint = "/persist"; };
  };
  "an /etc of its own below a root on tmpfs" = {
    more = true;
    broken = with' {
      system.etc.overlay.enable = mkForce false;
      fileSystems = { "/" = { device = mkForce "none"; fsType = mkForce "tmpfs"; }; "/etc" = { device = "/dev/vda3"; fsType = "ext4"; neededForBoot = true; }; };
    };
    says = "${says}enable: /etc is a file system of its own";
    mended = { fileSystems."/etc".mountPoint = "/persist"; };
  };
  "units that are kept beside an immutable /etc" = {
    more = true;
    broken = with' { fileSystems."/etc/systemd/system" = { device = "/dev/vda3"; fsType = "ext4"; }; };
    says = "${says}allowMutableEtc: /etc is kept on the disk";
    mended = verify { allowMutableEtc = true; };
  };
  "profiles that are mounted when the check is over" = {
    broken = with' { fileSystems."/nix/var" = { device = "/dev/vda3"; fsType = "ext4"; }; };
    says = "${says}enable: \"/nix/var\" is mounted when the check is over";
    mended = { fileSystems."/nix/var".neededForBoot = true; };
  };
  "a profile of its own, and folders of udev, that are mounted when the check is over" = {
    more = true;
    broken = with' (mounts [ "/nix/var/nix/profiles/default" "/usr/lib" "/usr/local" ]);
    says = "${says}enable: \"/nix/var/nix/profiles/default\", \"/usr/lib\", \"/usr/local\" is mounted when the check is over";
    mended.fileSystems = lib.genAttrs [ "/nix/var/nix/profiles/default" "/usr/lib" "/usr/local" ] (_: { neededForBoot = true; });
  };
  "units and rules that are mounted beside what the check sees" = {
    broken = with' (mounts [ "/nix/var/nix/profiles/default/lib/systemd/system" "/usr/lib/udev/rules.d" ]);
    says = "${says}enable: \"/nix/var/nix/profiles/default/lib/systemd/system\", \"/usr/lib/udev/rules.d\" is mounted inside of a folder";
    mended.fileSystems = elsewhere [ "/nix/var/nix/profiles/default/lib/systemd/system" "/usr/lib/udev/rules.d" ];
  };
  "the same when the initrd mounts them, maybe too late" = {
    more = true;
    broken = with' { fileSystems."/usr/local/lib" = { device = "/dev/vda3"; fsType = "ext4"; neededForBoot = true; }; };
    says = "${says}enable: \"/usr/local/lib\" is mounted inside of a folder";
    mended.fileSystems = elsewhere [ "/usr/local/lib" ];
  };
  "a file system in the store" = {
    more = true;
    broken = with' (mounts [ "/nix/store/00000000000000000000000000000000-cache" ]);
    says = "${says}enable: \"/nix/store/00000000000000000000000000000000-cache\" is mounted inside of a folder";
    mended.fileSystems = elsewhere [ "/nix/store/00000000000000000000000000000000-cache" ];
  };
  "a shell in production" = {
    broken = with' { boot.touchstone.signing = { method = "install"; key = "/keys/db.key"; inherit certificate; }; boot.initrd.verify.onFailure = "shell"; };
    says = "${says}onFailure: a shell is for development";
    mended = verify { onFailure = mkForce "reboot"; };
  };
  "a shell where the boot fails" = {
    broken = with' { boot.initrd.systemd.emergencyAccess = true; };
    says = "${says}onFailure: `boot.initrd.systemd.emergencyAccess` opens a shell";
    mended = verify { onFailure = "shell"; };
  };
  "a specialisation that is not verified" = {
    broken = with' { specialisation.rescue.configuration.boot.initrd.verify.enable = mkForce false; };
    says = "${says}enable: \"rescue\" is a specialisation that verifies nothing";
    mended = { specialisation.rescue.configuration.boot.initrd.verify.enable = lib.mkOverride 40 true; };
  };
  "a specialisation that inherits nothing" = {
    more = true;
    broken = with' { specialisation.bare = { inheritParentConfig = false; configuration = { }; }; };
    says = "${says}enable: \"bare\" is a specialisation that verifies nothing";
    mended = { specialisation.bare.inheritParentConfig = mkForce true; };
  };
  "a machine that signs without a key" = {
    broken = both { signing.enable = true; };
    says = "${says}signing.enable: it is `touchstone-install` that signs";
    mended = verify { signing.keyFile = "/var/lib/nix.key"; };
  };
  "a key of Nix that signs nothing" = {
    broken = both { signing.keyFile = "/var/lib/nix.key"; };
    says = "${says}signing.keyFile: a key is named, and nothing is signed";
    mended = verify { signing.enable = true; };
  };
  "a relative path of a key of Nix" = {
    broken = both { signing = { enable = true; keyFile = "nix.key"; }; };
    says = "${says}signing.keyFile: \"nix.key\" is no absolute path";
    mended = verify { signing.keyFile = mkForce "/var/lib/nix.key"; };
  };
  "a key of Nix as Nix path" = {
    broken = both { signing = { enable = true; keyFile = ./verify.nix; }; };
    says = "${says}signing.keyFile: the value is a Nix path";
    mended = verify { signing.keyFile = mkForce "/var/lib/nix.key"; };
  };
  "a key of Nix in the store" = {
    broken = both { signing = { enable = true; keyFile = "${files."db.pem"}"; }; };
    says = "${says}signing.keyFile: the secret lies in the store";
    mended = verify { signing.keyFile = mkForce "/var/lib/nix.key"; };
  };
  "a manifest in images that are signed before it" = {
    broken = with' { boot.touchstone = { signing = detached; sealed.enable = true; }; boot.initrd.verify.manifest.carrier = "image"; };
    says = "${says}manifest.carrier: a manifest is signed when";
    mended = verify { manifest.carrier = mkForce "esp"; };
  };
  "a manifest in images that nobody assembles" = {
    more = true;
    broken = with' { boot.loader.touchstone.enable = mkForce false; };
    says = "${says}manifest.carrier: a manifest is signed when";
    mended = { boot.loader.touchstone.enable = lib.mkOverride 40 true; };
  };
  "a manifest that changes what is predicted" = {
    broken = with' { boot.touchstone.measuredBoot.enable = true; boot.initrd.verify.manifest.carrier = "esp"; };
    says = "${says}manifest.carrier: with \"esp\", the manifest is measured";
    mended = verify { manifest.carrier = mkForce "sealed"; };
  };
  "a class of machines with a space" = {
    broken = both { manifest.class = "rack 4"; };
    says = "${says}manifest.class: \"rack 4\" cannot be the name";
    mended = verify { manifest.class = mkForce "rack-4"; };
  };
  "a measurement without a driver" = {
    broken = with' { boot.initrd.systemd.tpm2.enable = false; boot.initrd.verify.manifest.measure = true; };
    says = "${says}manifest.measure: the initrd has no driver";
    mended = { boot.initrd.systemd.tpm2.enable = mkForce true; };
  };
}
