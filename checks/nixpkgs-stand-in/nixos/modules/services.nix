# NixOS options that whole configurations set beside Touchstone's, and that Touchstone does not read: those of examples/, docs/nixos.md,
# docs/migration.md and checks/nixos-test.nix. Types and defaults are NixOS', as far as these configurations go.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;

  option = type: default: mkOption { inherit type default; };
  switch = option types.bool false;
  texts = option (types.listOf types.str) [ ];
  sets = options: option (types.attrsOf (types.submodule { inherit options; })) { };
in
{
  options = {
    fileSystems = option
      (types.attrsOf (types.submodule ({ name, ... }: {
        options = {
          mountPoint = option types.str name;
          device = option (types.nullOr types.str) null;
          fsType = option types.str "auto";
          options = option (types.listOf types.str) [ "defaults" ];
          neededForBoot = switch;
        };
      })))
      { };
    networking = {
      hostName = option types.str "nixos";
      useDHCP = option types.bool true;
      useNetworkd = switch;
      networkmanager.enable = switch;
      interfaces = sets {
        ipv4.addresses = option
          (types.listOf (types.submodule {
            options = {
              address = mkOption { type = types.str; };
              prefixLength = mkOption { type = types.ints.between 0 32; };
            };
          })) [ ];
      };
    };
    users.users = sets {
      isNormalUser = switch;
      extraGroups = texts;
      openssh.authorizedKeys.keyFiles = option (types.listOf types.path) [ ];
    };
    users.groups = sets { };
    services.openssh.enable = switch;
    environment.systemPackages = option (types.listOf types.package) [ ];
    time.timeZone = option (types.nullOr types.str) null;
    system.stateVersion = option types.str "25.11";
    boot.initrd.luks.devices = sets {
      device = mkOption { type = types.str; };
      crypttabExtraOpts = texts;
    };
  };

  config = {
    system.name = lib.mkDefault config.networking.hostName;

    # Of nixos/lib/utils.nix at 0229f9ed9a89: what the initrd mounts.
    _module.args.utils.fsNeededForBoot = fileSystem: fileSystem.neededForBoot
      || builtins.elem fileSystem.mountPoint [ "/" "/nix" "/nix/store" "/var" "/var/log" "/var/lib" "/var/lib/nixos" "/etc" "/usr" ];
  };
}
