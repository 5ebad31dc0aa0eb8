# Boot counting: the configuration that was asked for, and the units by which a boot becomes good.
{ lib, is, configOf, newerOf, olderOf, evaluates, installers, minimal, ... }:

let
  inherit (lib) mkForce;

  # As it is to be written, to the word.
  asked = {
    boot.loader.systemd-boot.bootCounting.enable = true;
    systemd.services.nsd = {
      before = [ "boot-complete.target" ];
      wantedBy = [ "boot-complete.target" ];
      unitConfig.FailureAction = "reboot";
    };
  };
  installed = module: { imports = [ asked module ]; boot.loader.touchstone.enable = true; };
  systemd = attributes: { pkgs, ... }: { systemd.package = pkgs.systemd // attributes; };
  withBootloader = systemd { withBootloader = true; };
  withoutBootloader = systemd { withBootloader = false; };

  plain = configOf { };
  config = configOf (installed withBootloader);
  own = configOf (installed withoutBootloader);
  inherit (own.systemd.services) touchstone-bless;
  triesOf = module: (configOf module).boot.loader.touchstone.settings.bootCounting;
in
{
  "off, with three tries" = is { enable = false; tries = 3; } { inherit (plain.boot.loader.systemd-boot.bootCounting) enable tries; };
  "the configuration is valid as it is written" = is true (evaluates config.system.build.toplevel.drvPath);
  "the installer hears of it" = is { tries = 3; } config.boot.loader.touchstone.settings.bootCounting;
  "how often an entry is tried" = is { tries = 2; } (triesOf (installed { boot.loader.systemd-boot.bootCounting.tries = 2; }));
  "not counted, the installer does not count" = is null (triesOf { boot.loader.touchstone.enable = true; });
  "what must be up is ordered before the target, and wanted by it" = is
    { before = [ "boot-complete.target" ]; wantedBy = [ "boot-complete.target" ]; FailureAction = "reboot"; }
    { inherit (config.systemd.services.nsd) before wantedBy; inherit (config.systemd.services.nsd.unitConfig) FailureAction; };
  "a specialisation is counted as its generation is" = is { tries = 3; }
    (configOf (installed { specialisation.rescue.configuration = { }; })).specialisation.rescue.configuration.boot.loader.touchstone.settings.bootCounting;

  "with systemd's own program, there is none of ours" = is false (config.systemd.services ? touchstone-bless);
  "without it, ours blesses" = is "${installers.touchstone}/bin/touchstone-install bless" touchstone-bless.serviceConfig.ExecStart;
  "after the boot was good" = is [ [ "boot-complete.target" ] true ]
    [ touchstone-bless.requires (lib.elem "boot-complete.target" touchstone-bless.after) ];
  "and only where the entry has a counter" = is "/sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    touchstone-bless.unitConfig.ConditionPathExists;
  "with the partitions there" = is [ "/efi" "/boot" "/efi2" ]
    (configOf (installed {
      imports = [ withoutBootloader ];
      boot.loader = {
        efi.efiSysMountPoint = "/efi";
        systemd-boot.xbootldrMountPoint = "/boot";
        touchstone.mirrors = [{ esp = "/efi2"; }];
      };
    })).systemd.services.touchstone-bless.unitConfig.RequiresMountsFor;
  "without anything on its PATH" = is false touchstone-bless.enableDefaultPath;
  "it is part of every regular boot" = is [ "basic.target" ] touchstone-bless.wantedBy;
  "not counted, there are no units" = is [ [ ] false ]
    [ (lib.filter (lib.hasInfix "boot-complete") plain.systemd.additionalUpstreamSystemUnits) (plain.systemd.services ? touchstone-bless) ];
} // lib.optionalAttrs minimal {
  "units that nixpkgs lacks are added" = is [ "boot-complete.target" "systemd-bless-boot.service" ] config.systemd.additionalUpstreamSystemUnits;
  "systemd without its boot loader has no such unit" = is [ "boot-complete.target" ] own.systemd.additionalUpstreamSystemUnits;
  "a package that does not say is taken for one without" = is [ "boot-complete.target" true ]
    (
      let unsaid = configOf (installed { }); in
      [ (lib.head unsaid.systemd.additionalUpstreamSystemUnits) (unsaid.systemd.services ? touchstone-bless) ]
    );
  "units that nixpkgs has are not named twice" = is [ ] (newerOf (installed withBootloader)).systemd.additionalUpstreamSystemUnits;
  "where nixpkgs declares the options, we do not" = is { tries = 2; }
    (newerOf (installed { boot.loader.systemd-boot.bootCounting.tries = 2; })).boot.loader.touchstone.settings.bootCounting;
  "where nixpkgs has them, its own installer counts" = is [ ]
    (lib.filter (one: !one.assertion) (newerOf { boot.loader.systemd-boot = { enable = true; bootCounting.enable = true; }; }).assertions);
  "where its files are elsewhere, we do" = is { tries = 3; } (olderOf (installed { })).boot.loader.touchstone.settings.bootCounting;
} // lib.mapAttrs'
  (what: tries: lib.nameValuePair "refused: ${what}" (is false
    (evaluates (configOf (installed { boot.loader.systemd-boot.bootCounting = { inherit tries; }; })).boot.loader.systemd-boot.bootCounting.tries)))
  { "no try at all" = 0; "a text for a number" = "3"; }
