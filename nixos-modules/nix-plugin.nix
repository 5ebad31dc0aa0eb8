# The plugin by which Nix computes Touchstone's values while it evaluates (`builtins.touchstone`), loaded into the Nix of this machine.
{ config, lib, pkgs, ... }:

let
  inherit (lib) getName getVersion literalExpression mkIf mkOption optional types versionAtLeast;
  cfg = config.boot.touchstone.plugin;
  nix = config.nix.package;
  named = "boot.touchstone.plugin";

  oldest = "2.26";
  isNix = getName nix != "lix";
  builtFor = cfg.package.nixVersion or null;
in
{
  options.boot.touchstone.plugin = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the Nix of this machine loads Touchstone's plugin, so that `builtins.touchstone` computes values while a configuration is
        evaluated, where otherwise something has to be built for them. Values, and all that is derived from them, are the same without it.

        It is about the machine where configurations are evaluated, and independent of {option}`boot.touchstone.enable`. Nix loads it from
        the next generation on.
      '';
    };

    package = mkOption {
      type = types.package;
      default = (
        pkgs.touchstone-nix or (throw ''
          boot.touchstone.plugin.package: this nixpkgs has no package `touchstone-nix`. Import `nixosModules.default` of Touchstone's flake,
          which sets the option, or add its `overlays.default` to `nixpkgs.overlays`.'')
      ).override { inherit nix; };
      defaultText = literalExpression "pkgs.touchstone-nix.override { nix = config.nix.package; }";
      example = literalExpression "pkgs.touchstone-nix.override { nix = config.nix.package; }";
      description = ''
        The package with the plugin, `lib/nix/plugins/libtouchstone-nix.so`. A plugin fits the Nix for which it was compiled and no other,
        so it is built for {option}`nix.package`, by the nixpkgs of this configuration.
      '';
    };
  };

  config = mkIf cfg.enable {
    # The file and not its folder, of which Nix would load whatever lies there.
    nix.settings.plugin-files = [ "${cfg.package}/lib/nix/plugins/libtouchstone-nix.so" ];

    warnings = optional (isNix && builtFor == getVersion nix && (cfg.package.nix.outPath or nix.outPath) != nix.outPath) ''
      ${named}.package: the plugin was compiled for another build of Nix ${builtFor} than `nix.package`. Libraries that differ between the two
      can make Nix crash. Write `${named}.package = pkgs.touchstone-nix.override { nix = config.nix.package; };`.'';

    assertions = [
      {
        assertion = config.nix.enable;
        message = ''
          ${named}.enable: there is no Nix in this configuration (nix.enable is false) that could load the plugin. Write
          `${named}.enable = false;`.'';
      }
      {
        assertion = isNix;
        message = ''
          ${named}.enable: `nix.package` is Lix, whose interface for plugins is another than that of Nix. Write `nix.package = pkgs.nix;`, or
          `${named}.enable = false;`: values are built then.'';
      }
      {
        assertion = !isNix || versionAtLeast (getVersion nix) oldest;
        message = ''
          ${named}.enable: `nix.package` is Nix ${getVersion nix}, and the plugin is written for ${oldest} and newer. Write
          `nix.package = pkgs.nixVersions.latest;`, or `${named}.enable = false;`: values are built then.'';
      }
      {
        assertion = builtFor != null;
        message = ''
          ${named}.package: the package does not say for which Nix its plugin was compiled (it has no attribute `nixVersion`). Write
          `${named}.package = pkgs.touchstone-nix.override { nix = config.nix.package; };`.'';
      }
      {
        assertion = !isNix || builtFor == null || builtFor == getVersion nix;
        message = ''
          ${named}.package: the plugin was compiled for Nix ${toString builtFor}, and `nix.package` is Nix ${getVersion nix}, which would not load
          it. Write `${named}.package = pkgs.touchstone-nix.override { nix = config.nix.package; };`.'';
      }
    ];
  };
}
