{ config, lib, pkgs, ... }:

{
  boot.touchstone = {
    enable = true;

    # No Python, Perl, shell or Nix in what boots and activates the machine.
    interpreterless.enable = true;

    # Signatures come from elsewhere, and are part of the generation: installing it is copying.
    sealed.enable = true;
    signing = {
      method = "detached";
      certificate = ./keys/db.pem;
      signatures = ./signatures;
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

  # Each start looks at the whole system before it runs anything of it: what is on the disk is what this key has signed.
  boot.initrd.verify = {
    enable = true;
    trustedPublicKeys = [ (builtins.readFile ./keys/nix.pub) ];
    # A system that was tampered with costs a try, like one that does not come up.
    onFailure = "reboot";
  };
  system.etc.overlay.mutable = false;

  boot.loader = {
    touchstone = {
      enable = true;
      # What this key has signed may become the machine's next generation.
      trustedPublicKeys = [ (builtins.readFile ./keys/nix.pub) ];
    };
    systemd-boot = {
      # A generation that has not come up twice is bad: the one before it is started.
      bootCounting = { enable = true; tries = 2; };
      configurationLimit = 3;
    };
    timeout = 0;
  };

  # The machine is good when it serves. A service that fails restarts the machine, which costs a try.
  systemd.services.website = {
    description = "The website";
    wantedBy = [ "multi-user.target" "boot-complete.target" ];
    before = [ "boot-complete.target" ];
    unitConfig.FailureAction = "reboot";
    enableDefaultPath = false;
    serviceConfig = {
      Type = "notify";
      DynamicUser = true;
      AmbientCapabilities = "CAP_NET_BIND_SERVICE";
      ExecStart = "${pkgs.caddy}/bin/caddy run --config ${./Caddyfile} --adapter caddyfile";
    };
  };

  # A kernel that panics starts again as well.
  boot.kernelParams = [ "console=ttyS0" "panic=10" "oops=panic" ];

  fileSystems = {
    "/" = { device = "/dev/disk/by-partlabel/root"; fsType = "ext4"; };
    "/boot" = { device = "/dev/disk/by-partlabel/esp"; fsType = "vfat"; options = [ "umask=0077" ]; };
  };

  nixpkgs.hostPlatform = "x86_64-linux";
  networking.hostName = "appliance";
  networking.useNetworkd = true;
  system.stateVersion = "25.11";
}
