{ config, lib, pkgs, ... }:

{
  boot.touchstone = {
    enable = true;

    # The machine signs for itself, by a key that never leaves its TPM.
    signing = {
      method = "install";
      key = "tpm2:handle=0x81010001";
      pinSource = "/var/lib/touchstone/db.auth";
      certificate = ./keys/db.pem;
    };

    measuredBoot = {
      enable = true;
      secureBootVariables = {
        PK = ./keys/PK.esl;
        KEK = ./keys/KEK.esl;
        db = ./keys/db.esl;
      };
      # What unlocks the disk opens for every image whose PCR 11 this key has signed.
      policy = {
        enable = true;
        key = "tpm2:handle=0x81010002;auth-source=/var/lib/touchstone/pcr.auth";
      };
    };

    # A second way to start the same image, for a few hundred bytes on the ESP.
    uki.profiles.debug = {
      title = "Debug";
      kernelParams = [ "systemd.log_level=debug" ];
    };
  };

  # Each generation is assembled, signed and installed on this machine, and tried: one that does not come up is left for the one before.
  boot.loader = {
    touchstone.enable = true;
    efi = { efiSysMountPoint = "/boot"; canTouchEfiVariables = true; };
    systemd-boot = { configurationLimit = 8; bootCounting.enable = true; };
  };

  # The disk opens by the TPM, in the initrd.
  boot.initrd.systemd.enable = true;
  boot.initrd.luks.devices.root = {
    device = "/dev/disk/by-partlabel/root";
    crypttabExtraOpts = [ "tpm2-device=auto" ];
  };
  fileSystems = {
    "/" = { device = "/dev/mapper/root"; fsType = "ext4"; };
    "/boot" = { device = "/dev/disk/by-partlabel/esp"; fsType = "vfat"; options = [ "umask=0077" ]; };
  };

  boot.kernelParams = [ "quiet" ];
  nixpkgs.hostPlatform = "x86_64-linux";
  networking.hostName = "laptop";
  networking.networkmanager.enable = true;
  time.timeZone = "Europe/Berlin";
  users.users.alice = {
    isNormalUser = true;
    extraGroups = [ "wheel" "networkmanager" ];
  };
  system.stateVersion = "25.11";
}
