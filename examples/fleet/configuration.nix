# What all hosts of the fleet have in common.
{ config, lib, pkgs, ... }:

{
  boot.touchstone = {
    enable = true;

    # The agent of the builder signs while the generation is built, image and manifest; installing it is copying.
    sealed.enable = true;
    signing = {
      method = "agent";
      key = "agent:db";
      manifestKey = "agent:nix";
      certificate = ./keys/db.pem;
    };

    measuredBoot = {
      enable = true;
      secureBootVariables = {
        PK = ./keys/PK.esl;
        KEK = ./keys/KEK.esl;
        db = ./keys/db.esl;
      };
    };
  };

  # Each start looks at the whole system before it runs anything of it: what is on the disk is what the builder has signed.
  boot.initrd.verify = {
    enable = true;
    trustedPublicKeys = [ (builtins.readFile ./keys/nix.pub) ];
    # A system that was tampered with costs a try, like one that does not come up.
    onFailure = "reboot";
  };
  system.etc.overlay = { enable = true; mutable = false; };
  services.userborn.enable = true;

  # Generations are tried: one that does not come up is left for the one before.
  boot.loader = {
    touchstone.enable = true;
    efi = { efiSysMountPoint = "/boot"; canTouchEfiVariables = true; };
    systemd-boot = { configurationLimit = 3; bootCounting.enable = true; };
  };

  boot.initrd.systemd.enable = true;
  boot.kernelParams = [ "console=ttyS0" ];
  fileSystems = {
    "/" = { device = "/dev/disk/by-partlabel/root"; fsType = "ext4"; };
    "/boot" = { device = "/dev/disk/by-partlabel/esp"; fsType = "vfat"; options = [ "umask=0077" ]; };
  };

  nixpkgs.hostPlatform = "x86_64-linux";
  networking.useDHCP = false;
  services.openssh.enable = true;
  users.users.root.openssh.authorizedKeys.keyFiles = [ ./keys/deploy.pub ];
  system.stateVersion = "25.11";
}
