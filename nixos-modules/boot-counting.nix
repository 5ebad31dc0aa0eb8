# Boot counting: a generation is tried a few times, and is good when `boot-complete.target` is reached. nixpkgs of 26.11 declares the options
# itself, and has the units; which, is read from its files, for to ask `options` here would be to ask what it is asked for.
{ config, lib, pkgs, modulesPath, ... }:

let
  inherit (lib) mkIf mkMerge mkOption optional optionalAttrs types;
  cfg = config.boot.loader.systemd-boot.bootCounting;
  wanted = config.boot.loader.touchstone.enable && cfg.enable;

  says = file: word:
    let path = "${modulesPath}/${file}"; in builtins.pathExists path && lib.hasInfix word (builtins.readFile path);
  declared = says "system/boot/loader/systemd-boot/systemd-boot.nix" "bootCounting";
  # A unit that is named twice fails the build of the units.
  lacks = unit: !says "system/boot/systemd.nix" "\"${unit}\"";

  # systemd has programs for this where it was built with its boot loader. Older packages do not say.
  blesses = config.systemd.package.withBootloader or false;

  # Systemd-boot says by it that the entry that it started has a counter.
  counted = "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
in
{
  options = optionalAttrs (!declared) {
    boot.loader.systemd-boot.bootCounting = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether new generations are tried only a few times: an entry that has not reached `boot-complete.target` in
          {option}`boot.loader.systemd-boot.bootCounting.tries` boots is bad, and systemd-boot starts the one behind it in its menu. What must
          be up for a boot to be good is ordered before that target, and wanted by it.

          It is the option of newer releases of nixpkgs; here it is done by {option}`boot.loader.touchstone.enable`.
        '';
      };
      tries = mkOption {
        type = types.ints.positive;
        default = 3;
        example = 2;
        description = "How often a new entry is tried before it is bad.";
      };
    };
  };

  config = mkMerge [
    {
      assertions = optional (!declared) {
        assertion = cfg.enable -> config.boot.loader.touchstone.enable;
        message = ''
          boot.loader.systemd-boot.bootCounting.enable: NixOS' own installer of this release does not count boots. Write
          `boot.loader.touchstone.enable = true;`, or `boot.loader.systemd-boot.bootCounting.enable = false;`.'';
      };
    }
    (mkIf wanted {
      systemd.additionalUpstreamSystemUnits = optional (lacks "boot-complete.target") "boot-complete.target"
        # systemd's generator starts it where the entry has a counter.
        ++ optional (blesses && lacks "systemd-bless-boot.service") "systemd-bless-boot.service";

      # The same where systemd has no such program.
      systemd.services.touchstone-bless = mkIf (!blesses) {
        description = "Mark the boot entry that was started as good";
        documentation = [ "https://systemd.io/AUTOMATIC_BOOT_ASSESSMENT/" ];
        wantedBy = [ "basic.target" ];
        requires = [ "boot-complete.target" ];
        after = [ "local-fs.target" "boot-complete.target" ];
        before = [ "shutdown.target" ];
        conflicts = [ "shutdown.target" ];
        # What was started does not change when another configuration is activated.
        restartIfChanged = false;
        enableDefaultPath = false;
        unitConfig = {
          DefaultDependencies = false;
          ConditionPathExists = counted;
          RequiresMountsFor = lib.concatMap (volume: [ volume.esp ] ++ optional (volume.xbootldr != null) volume.xbootldr)
            config.boot.loader.touchstone.settings.volumes;
        };
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = "${config.boot.loader.touchstone.package}/bin/touchstone-install bless";
        };
      };
    })
  ];
}
