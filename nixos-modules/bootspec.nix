# Bootspec v2 in the toplevel itself.
{ config, lib, ... }:

let
  inherit (lib) concatStringsSep escapeShellArg mkIf mkOption optionalString types;
  cfg = config.boot.touchstone;
  wanted = cfg.enable && cfg.bootspec.v2.enable;
  document = ''"$out/${config.boot.bootspec.filename}"'';
  nixos = import ../nix-plugin/lib/nixos.nix;
  trees = nixos.deviceTreesOf config;
  # Where our installer appends them, they are named in the document.
  secrets = if config.boot.loader.touchstone.enable && config.boot.loader.touchstone.images == "kernel" then [ ] else nixos.initrdSecretsOf config;
  word = name: optionalString (trees ? ${name}) " --${name} ${escapeShellArg trees.${name}}";
in
{
  options.boot.touchstone.bootspec.v2.enable = mkOption {
    type = types.bool;
    default = true;
    example = false;
    description = ''
      Whether `boot.json` in the toplevel holds Bootspec v2 beside v1, for the generation and its specialisations. Readers of v1 pass it
      over. It needs {option}`boot.bootspec.enable`, which NixOS sets by itself. The `boot.json` among the boot artifacts holds both in any
      case.
    '';
  };

  # NixOS writes v1 behind `system.systemBuilderCommands`, so nothing in those could come after it: the writer itself grows. (The second
  # declaration of an option adds `apply` to the first.) Older releases of nixpkgs name a program for the secrets of the initrd also where
  # there are none.
  options.boot.bootspec.writer = mkOption {
    internal = true;
    apply = writer: if !wanted then writer else ''
      ${writer}
      ${cfg.package}/bin/touchstone bootspec upgrade ${document} --output ${document}.v2 --without-initrd-secrets${word "devicetree"}${word "fdtdir"}
      mv ${document}.v2 ${document}
    '';
  };

  config = mkIf wanted {
    assertions = [
      {
        assertion = config.boot.bootspec.enable;
        message = ''
          boot.touchstone.bootspec.v2.enable: NixOS writes no boot.json here (boot.bootspec.enable is false). Write
          `boot.bootspec.enable = true;`, or `boot.touchstone.bootspec.v2.enable = false;`.'';
      }
      {
        assertion = secrets == [ ];
        message = ''
          boot.touchstone.bootspec.v2.enable: v2 has no program that appends secrets to the initrd, so that who reads it would boot without
          those of ${concatStringsSep " and " secrets}. Take them out, or write `boot.touchstone.bootspec.v2.enable = false;`.'';
      }
    ];
  };
}
