# The machine that builds for the fleet, and holds its keys: in files here, in a token or a TPM as well ("pkcs11:…", "tpm2:…").
{ pkgs, ... }:

let
  efi = "${pkgs.systemd}/lib/systemd/boot/efi";
  cache = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

  # What this machine has built, or the cache that it trusts.
  known = { builtHere = true; trustedPublicKeys = [ cache ]; };
in
{
  boot.touchstone.agent = {
    enable = true;

    keys = {
      db = { kind = "image"; key = "/var/lib/fleet/db.key"; certificate = ./keys/db.pem; };
      nix = { kind = "nix"; key = "/var/lib/fleet/nix.key"; };
    };

    # What is signed: systemd's stub, the kernel that the system names, its initrd, for a system that the very derivation has as its input.
    images = {
      system.uki = {
        stub.files = [ "${efi}/linuxx64.efi.stub" ];
        toplevel.builtHere = true;
        kernel.ofToplevel = known // { names = [ "linux-*" ]; };
        initrd.ofToplevel = { builtHere = true; names = [ "initrd-*" ]; };
      };
      loader.loader.files = [ "${efi}/systemd-bootx64.efi" ];
    };

    # For whom: what `deploy` has granted, a derivation at a time. Generations, and manifests that are signed as a whole, for a class of
    # machines: those are builds of their own.
    rules.fleet = {
      derivations = { names = [ "nixos-system-*-sealed" "nixos-system-*-manifest.json" ]; requesters = [ "deploy" ]; };
      operations = [
        { authenticode = { key = "db"; image = "system"; }; }
        { authenticode = { key = "db"; image = "loader"; }; }
        { manifest = { key = "nix"; origin = known; }; }
      ];
    };
    granters = "deploy";

    log = {
      checkpointKey = "/var/lib/fleet/log.key";
      exports = [ "/mnt/elsewhere/checkpoints" ];
    };
  };

  users.groups.deploy = { };
  users.users.deploy = { isNormalUser = true; extraGroups = [ "deploy" ]; };

  fileSystems."/" = { device = "/dev/disk/by-partlabel/root"; fsType = "ext4"; };
  boot.loader.systemd-boot.enable = true;
  nixpkgs.hostPlatform = "x86_64-linux";
  networking.hostName = "builder";
  system.stateVersion = "25.11";
}
