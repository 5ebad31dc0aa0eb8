# Whether a generation gets boot artifacts at all, and which program makes them.
{ config, lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkIf mkOption types;
  cfg = config.boot.touchstone;
in
{
  options.boot.touchstone = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether Touchstone makes the boot artifacts of this configuration.

        `system.build.bootArtifacts` then holds everything that the generation needs to boot and to be verified: its unified kernel
        image, one for each specialisation, the boot loader, `boot.json` (Bootspec v2 beside v1) and a manifest of the closure; with
        {option}`boot.touchstone.measuredBoot.enable` also the predicted values of the TPM's registers. What is installed on the machine
        does not change: that is the boot loader's matter.
      '';
    };

    package = mkOption {
      type = types.package;
      default = pkgs.buildPackages.touchstone or (throw ''
        boot.touchstone.package: this nixpkgs has no package `touchstone`. Import `nixosModules.default` of Touchstone's flake, which sets
        the option, or add its `overlays.default` to `nixpkgs.overlays`, or write
          boot.touchstone.package = touchstone.packages.''${pkgs.stdenv.buildPlatform.system}.touchstone;'');
      defaultText = literalExpression "pkgs.buildPackages.touchstone";
      example = literalExpression "touchstone.packages.x86_64-linux.touchstone";
      description = ''
        The package with the program `touchstone`, which is itself the builder of all boot artifacts. It must be linked statically,
        for nothing but it is in the sandbox, and run on the machine that builds, which need not be of the kind of the machine that boots.
      '';
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = !config.boot.isContainer && config.boot.kernel.enable;
        message = ''
          boot.touchstone.enable: this configuration has no kernel (boot.isContainer is true, or boot.kernel.enable is false), so that there
          is nothing to boot. Write `boot.touchstone.enable = false;` here.'';
      }
    ];
  };
}
